//! A small file of records that must outlive the objects: what was purged by tag or pattern, and the like.
//!
//! Responsible for: appending records that survive a crash, giving them back at the next start, replacing them all.
//! Not responsible for: what records mean, when a journal is too long (its owner rewrites it).
//! Invariants: [`Journal::append`] returns after the record is on the disk; what a crash left half-written is cut off;
//! a rewrite replaces all records or none. Calls block.

use super::DiskError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"Tollgate journal";
const FRAME_BYTES: usize = 16;
/// LIMIT: bytes of one record.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// A record of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRecord {
    /// What its owner calls it.
    pub kind: u32,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A journal file that is open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    len: u64,
}

impl Journal {
    /// Opens or makes the journal at `path`, and gives its records in order.
    ///
    /// # Errors
    /// `Foreign` if the file is something else; read and write errors.
    pub fn open(path: &Path) -> Result<(Journal, Vec<JournalRecord>), DiskError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(DiskError::Read)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(DiskError::Read)?;
        if !content.starts_with(&MAGIC[..content.len().min(MAGIC.len())]) {
            return Err(DiskError::Foreign);
        }
        let mut journal = Journal { path: path.to_owned(), file, len: MAGIC.len() as u64 };
        if content.len() < MAGIC.len() {
            journal.replace_content(MAGIC)?;
            sync_directory(path)?;
            return Ok((journal, Vec::new()));
        }
        let (records, used) = records_in(&content[MAGIC.len()..]);
        journal.len += used as u64;
        if (journal.len as usize) < content.len() {
            journal.cut().map_err(DiskError::Write)?;
        }
        Ok((journal, records))
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len <= MAGIC.len() as u64
    }

    /// Adds a record; it is on the disk afterwards.
    ///
    /// # Errors
    /// Write errors: the journal is then as before.
    pub fn append(&mut self, kind: u32, bytes: &[u8]) -> Result<(), DiskError> {
        let frame = framed(kind, bytes)?;
        let written = self
            .file
            .seek(SeekFrom::Start(self.len))
            .and_then(|_| self.file.write_all(&frame))
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.len += frame.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If that fails, too, the next start cuts it off: the checksum does not hold.
                let _: Result<(), _> = self.cut();
                Err(DiskError::Write(error))
            }
        }
    }

    /// Replaces all records.
    ///
    /// # Errors
    /// Write errors: the journal is then as before.
    pub fn rewrite<'a>(
        &mut self,
        records: impl IntoIterator<Item = (u32, &'a [u8])>,
    ) -> Result<(), DiskError> {
        let mut content = MAGIC.to_vec();
        for (kind, bytes) in records {
            content.extend_from_slice(&framed(kind, bytes)?);
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new_path = self.path.with_file_name(name);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new_path);
        let file = options.map_err(DiskError::Write)?;
        let mut new = Journal { path: self.path.clone(), file, len: 0 };
        new.replace_content(&content)?;
        std::fs::rename(&new_path, &self.path).map_err(DiskError::Write)?;
        sync_directory(&self.path)?;
        *self = new;
        Ok(())
    }

    fn replace_content(&mut self, content: &[u8]) -> Result<(), DiskError> {
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(content))
            .and_then(|()| self.file.sync_data());
        self.len = content.len() as u64;
        written.map_err(DiskError::Write)
    }

    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.len)
    }
}

/// A file's name is on the disk once its directory is.
fn sync_directory(path: &Path) -> Result<(), DiskError> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(parent).and_then(|directory| directory.sync_all()) {
        // Not every file system can.
        Err(error) if error.kind() != ErrorKind::InvalidInput => Err(DiskError::Write(error)),
        _ => Ok(()),
    }
}

/// Length, kind, checksum over both and the content; the content.
fn framed(kind: u32, bytes: &[u8]) -> Result<Vec<u8>, DiskError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(DiskError::TooLarge);
    }
    let mut frame = (bytes.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(&kind.to_le_bytes());
    frame.extend_from_slice(&checksum(&frame, bytes).to_le_bytes());
    frame.extend_from_slice(bytes);
    Ok(frame)
}

fn checksum(front: &[u8], bytes: &[u8]) -> u64 {
    super::record::checksum(&[front, bytes])
}

/// The records up to the first that does not check, and the bytes they take.
fn records_in(content: &[u8]) -> (Vec<JournalRecord>, usize) {
    let mut records = Vec::new();
    let mut rest = content;
    while let Some((record, taken)) = first_record(rest) {
        records.push(record);
        rest = &rest[taken..];
    }
    (records, content.len() - rest.len())
}

fn first_record(rest: &[u8]) -> Option<(JournalRecord, usize)> {
    let mut input = super::record::Input(rest);
    let (len, kind, wanted) = (input.u32()?, input.u32()?, input.u64()?);
    let bytes = input.take(len as usize)?;
    (checksum(&rest[..8], bytes) == wanted)
        .then(|| (JournalRecord { kind, bytes: bytes.to_vec() }, FRAME_BYTES + bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, bytes: &[u8]) -> JournalRecord {
        JournalRecord { kind, bytes: bytes.to_vec() }
    }

    #[test]
    fn records_come_back_in_order_and_a_rewrite_replaces_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let (mut journal, records) = Journal::open(&path).expect("new");
        assert!(records.is_empty() && journal.is_empty());
        journal.append(1, b"one").expect("appended");
        journal.append(2, b"").expect("appended");
        let (mut journal, records) = Journal::open(&path).expect("again");
        assert_eq!(records, [record(1, b"one"), record(2, b"")]);
        journal.rewrite([(3, &b"three"[..])]).expect("rewritten");
        journal.append(4, b"four").expect("appended");
        assert_eq!(Journal::open(&path).expect("again").1, [record(3, b"three"), record(4, b"four")]);
    }

    #[test]
    fn a_journal_cut_off_anywhere_has_the_records_before_and_takes_new_ones() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let (mut journal, _) = Journal::open(&path).expect("new");
        journal.append(1, b"one").expect("appended");
        let first = journal.len();
        journal.append(2, b"two").expect("appended");
        let whole = std::fs::read(&path).expect("the file");
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).expect("cut off");
            let (mut journal, records) = Journal::open(&path).expect("cut off");
            assert_eq!(records.len(), usize::from(len as u64 >= first), "{len}");
            journal.append(3, b"three").expect("appended");
            let (_, records) = Journal::open(&path).expect("again");
            assert_eq!(records.last(), Some(&record(3, b"three")), "{len}");
        }
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        std::fs::write(&path, "precious").expect("written");
        assert!(matches!(Journal::open(&path), Err(DiskError::Foreign)));
        assert_eq!(std::fs::read(&path).expect("the file"), b"precious");
    }
}
