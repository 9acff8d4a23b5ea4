//! What a stripe lies on.
//!
//! Responsible for: the few operations that the store needs of a disk, on files and in memory.
//! Not responsible for: layout, retries, counting errors.
//! Invariants: reads and writes are whole or an error; what a failed write leaves behind is anybody's guess.

use super::signature::foreign;
use parking_lot::RwLock;
use rustix::fs::{FsWord, OFlags, fstatfs};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// File systems that lie in memory: `TMPFS_MAGIC`, `RAMFS_MAGIC`.
const IN_MEMORY: [FsWord; 2] = [0x0102_1994, 0x8584_58f6];

/// A disk, or what stands for one. Calls block: they belong on task threads.
///
/// The seam for other ways of input and output: whoever implements it decides how bytes move.
pub trait Device: Send + Sync {
    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// The system's; `UnexpectedEof` if there are fewer bytes.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Fills `buf` from `offset` on if that needs no waiting; tells whether it did.
    fn read_at_once(&self, buf: &mut [u8], offset: u64) -> bool {
        let _ = (buf, offset);
        false
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// The system's; part of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when everything written before is on the disk.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self) -> io::Result<()>;
}

/// A file or a block device.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    /// Its file system is memory: there is nothing to wait for. (What is swapped out comes back as for any program.)
    is_in_memory: bool,
    /// The file system knows reads that do not wait. Some do not, and say so each time.
    tells_of_waiting: AtomicBool,
}

impl FileDevice {
    /// Opens `path` for at least `bytes`, for this process alone. A regular file is made and grown as needed, without
    /// taking up the space; a block device must be large enough.
    ///
    /// # Errors
    /// The system's; `InvalidInput` if a block device is too small, or the path is neither; `ResourceBusy` if another
    /// process has it, or the system uses the block device; `AlreadyExists` if it holds a file system, a volume, or a
    /// partition table.
    pub fn open(path: &Path, bytes: u64) -> io::Result<FileDevice> {
        let is_block_device =
            std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = if is_block_device {
            // The kernel refuses it if it is mounted, swapped to, part of a volume, or opened so by somebody else.
            options.custom_flags(OFlags::EXCL.bits().cast_signed()).open(path).map_err(in_use)?
        } else {
            options.create(true).truncate(false).open(path)?
        };
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process uses it"));
        }
        let there = end_of(&file)?;
        if is_block_device {
            if there < bytes {
                let message = format!("the device has {there} bytes, fewer than configured");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        } else if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a block device"));
        }
        if let Some(what) = foreign(there, |buf, at| file.read_exact_at(buf, at))? {
            return Err(holds(path, what));
        }
        if there < bytes {
            file.set_len(bytes)?;
        }
        let is_in_memory = !is_block_device && IN_MEMORY.contains(&fstatfs(&file)?.f_type);
        Ok(FileDevice { file, is_in_memory, tells_of_waiting: AtomicBool::new(true) })
    }

    /// What is at `path` that must not be overwritten, if it is something known: a file system, a volume, a partition
    /// table. Writes nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn foreign_content(path: &Path) -> io::Result<Option<&'static str>> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() || metadata.file_type().is_block_device() => {
                let file = File::open(path)?;
                foreign(end_of(&file)?, |buf, at| file.read_exact_at(buf, at))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The size of the block device at `path`; `None` if it is something else.
    ///
    /// # Errors
    /// The system's.
    pub fn block_device_bytes(path: &Path) -> io::Result<Option<u64>> {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_block_device() => end_of(&File::open(path)?).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A block device has no length in its metadata: the end is where seeking stops.
fn end_of(mut file: &File) -> io::Result<u64> {
    use std::io::Seek;
    file.seek(io::SeekFrom::End(0))
}

fn in_use(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::ResourceBusy => io::Error::new(
            error.kind(),
            "it is in use: mounted, swapped to, part of a volume, or opened by another cache",
        ),
        _ => error,
    }
}

fn holds(path: &Path, what: &str) -> io::Error {
    let path = path.display();
    let message = format!(
        "it holds {what}, which a cache would destroy; if that is meant, erase it first: wipefs --all {path}, then dd if=/dev/zero of={path} bs=1M count=1"
    );
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

impl Device for FileDevice {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn read_at_once(&self, buf: &mut [u8], offset: u64) -> bool {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        if self.is_in_memory {
            return self.file.read_exact_at(buf, offset).is_ok();
        }
        if !self.tells_of_waiting.load(Ordering::Relaxed) {
            return false;
        }
        let wanted = buf.len();
        let read = preadv2(&self.file, &mut [io::IoSliceMut::new(buf)], offset, ReadWriteFlags::NOWAIT);
        if read == Err(Errno::OPNOTSUPP) {
            self.tells_of_waiting.store(false, Ordering::Relaxed);
        }
        // Whatever went wrong shows when the bytes are waited for.
        read == Ok(wanted)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A device in memory, for tests.
#[derive(Debug)]
pub struct MemoryDevice {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryDevice {
    /// A device with this content.
    pub fn new(bytes: Vec<u8>) -> MemoryDevice {
        MemoryDevice { bytes: RwLock::new(bytes) }
    }

    /// The content now.
    pub fn image(&self) -> Vec<u8> {
        self.bytes.read().clone()
    }
}

impl Device for MemoryDevice {
    fn read_at_once(&self, buf: &mut [u8], offset: u64) -> bool {
        self.read_at(buf, offset).is_ok()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.bytes.read();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let wanted = start.checked_add(buf.len()).and_then(|end| bytes.get(start..end));
        buf.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes.write();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let wanted = start.checked_add(from.len()).and_then(|end| bytes.get_mut(start..end));
        wanted.ok_or(io::ErrorKind::StorageFull)?.copy_from_slice(from);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_grown_and_is_for_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cache.db");
        let device = FileDevice::open(&path, 8192).expect("made");
        device.write_at(b"end", 8189).expect("written");
        let busy = FileDevice::open(&path, 8192).map(drop).map_err(|error| error.kind());
        assert_eq!(busy, Err(io::ErrorKind::ResourceBusy));
        drop(device);
        let device = FileDevice::open(&path, 4096).expect("again");
        let mut bytes = [0; 3];
        device.read_at(&mut bytes, 8189).expect("it was not cut off");
        assert_eq!(&bytes, b"end");
        assert_eq!(device.read_at(&mut bytes, 8190).map_err(|e| e.kind()), Err(io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_file_with_a_file_system_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("image");
        let mut image = vec![0; 1 << 20];
        image[0x1_0040..][..8].copy_from_slice(b"_BHRfS_M");
        std::fs::write(&path, &image).expect("written");
        let refused = FileDevice::open(&path, 2 << 20).map(drop).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|message| message.contains("a btrfs file system")));
        assert_eq!(FileDevice::foreign_content(&path).ok(), Some(Some("a btrfs file system")));
        assert_eq!(std::fs::read(&path).expect("the file"), image);
        assert_eq!(FileDevice::foreign_content(&dir.path().join("none")).ok(), Some(None));
    }

    #[test]
    fn what_lies_in_memory_is_read_at_once_whatever_the_file_system_says_of_waiting() {
        let Ok(dir) = tempfile::tempdir_in("/dev/shm") else { return };
        let device = FileDevice::open(&dir.path().join("cache.db"), 8192).expect("made");
        device.write_at(b"end", 8189).expect("written");
        let mut bytes = [0; 3];
        assert!(device.read_at_once(&mut bytes, 8189));
        assert_eq!(&bytes, b"end");
        assert!(!device.read_at_once(&mut bytes, 8190), "behind the end");
    }

    #[test]
    fn what_is_no_file_and_no_disk_is_refused() {
        assert!(FileDevice::open(Path::new("/dev/null"), 4096).is_err());
        assert_eq!(FileDevice::block_device_bytes(Path::new("/dev/null")).ok(), Some(None));
    }
}
