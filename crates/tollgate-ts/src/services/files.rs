//! Files as plugins read and write them.
//!
//! Responsible for: modes, buffering, lines. Calls wait for the disk, as plugins expect.
//! Invariants: what was written is on its way to the file when it is flushed or closed; a buffer grows no larger than
//! one call asks for.

use super::error::ServiceError;
use super::slots::{Slots, kind};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

const BUFFER: usize = 1024;

/// An open file.
enum Open {
    /// What is buffered was read; none before the first reading.
    Reading(File, Option<Vec<u8>>),
    /// What is buffered is to be written.
    Writing(File, Vec<u8>),
}

impl Open {
    /// `r`, `w` (which does not truncate) or `a`; nothing else.
    fn new(path: &Path, mode: &[u8]) -> Option<Open> {
        let mut options = OpenOptions::new();
        match mode {
            b"r" => return Some(Open::Reading(File::open(path).ok()?, None)),
            b"w" => options.write(true).create(true).truncate(false),
            b"a" => options.append(true).create(true),
            _ => return None,
        };
        Some(Open::Writing(options.open(path).ok()?, Vec::with_capacity(BUFFER)))
    }

    /// Buffers at least `wanted` bytes, if the file has them. `None`: it is not for reading, or that failed.
    fn fill(&mut self, wanted: usize) -> Option<&mut Vec<u8>> {
        let Open::Reading(file, buffer) = self else { return None };
        let buffer = buffer.get_or_insert_default();
        if let Some(missing) = wanted.checked_sub(buffer.len()).filter(|n| *n > 0) {
            file.take(missing.max(BUFFER) as u64).read_to_end(buffer).ok()?;
        }
        Some(buffer)
    }

    fn read(&mut self, wanted: usize) -> Option<Vec<u8>> {
        let buffer = self.fill(wanted)?;
        Some(buffer.drain(..wanted.min(buffer.len())).collect())
    }

    /// The rest of the line, its end included, but at most `wanted` bytes. `None` at the end, and for no bytes before
    /// the first reading.
    fn line(&mut self, wanted: usize) -> Option<Vec<u8>> {
        let is_first = matches!(self, Open::Reading(_, None));
        let buffer = self.fill(wanted)?;
        if buffer.is_empty() && wanted > 0 || wanted == 0 && is_first {
            return None;
        }
        let most = wanted.min(buffer.len());
        let length = memchr::memchr(b'\n', &buffer[..most]).map_or(most, |at| at + 1);
        Some(buffer.drain(..length).collect())
    }

    fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        let Open::Writing(file, buffer) = self else { return None };
        if buffer.len() + bytes.len() > BUFFER {
            file.write_all(buffer).ok()?;
            buffer.clear();
        }
        if bytes.len() > BUFFER {
            file.write_all(bytes).ok()?;
        } else {
            buffer.extend_from_slice(bytes);
        }
        Some(bytes.len())
    }

    fn flush(&mut self) -> bool {
        let Open::Writing(file, buffer) = self else { return true };
        let written = file.write_all(buffer).is_ok();
        buffer.clear();
        written
    }
}

/// The open files of all plugins.
pub struct Files {
    open: Slots<Mutex<Open>>,
}

impl Files {
    pub(super) fn new() -> Files {
        Files { open: Slots::new(kind::FILE) }
    }

    /// Opens a file; `None` if that fails or there is no such mode.
    pub fn open(&self, path: &Path, mode: &[u8]) -> Option<u64> {
        self.open.insert(Arc::new(Mutex::new(Open::new(path, mode)?)))
    }

    /// Writes what is buffered and closes the file.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn close(&self, file: u64) -> Result<bool, ServiceError> {
        let open = self.open.remove(file).ok_or(ServiceError::Gone("file"))?;
        let flushed = open.lock().flush();
        Ok(flushed)
    }

    /// Reads up to `wanted` bytes; nothing at the end. `None` if that fails.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, file: u64, wanted: usize) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.get(file)?.lock().read(wanted))
    }

    /// Reads the rest of the line, its end included, but at most `wanted` bytes. `None` at the end or if that fails.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn line(&self, file: u64, wanted: usize) -> Result<Option<Vec<u8>>, ServiceError> {
        Ok(self.get(file)?.lock().line(wanted))
    }

    /// Writes; how many bytes. `None` if that fails.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn write(&self, file: u64, bytes: &[u8]) -> Result<Option<usize>, ServiceError> {
        Ok(self.get(file)?.lock().write(bytes))
    }

    /// Writes what is buffered; whether that worked.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn flush(&self, file: u64) -> Result<bool, ServiceError> {
        Ok(self.get(file)?.lock().flush())
    }

    fn get(&self, file: u64) -> Result<Arc<Mutex<Open>>, ServiceError> {
        self.open.get(file).ok_or(ServiceError::Gone("file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let files = Files::new();
        let out = files.open(&path, b"w").expect("a file");
        let text: Vec<u8> = (0..5000_u32).map(|i| (i % 251) as u8).collect();
        for part in text.chunks(700) {
            assert_eq!(files.write(out, part), Ok(Some(part.len())));
        }
        assert_eq!(files.write(out, &text), Ok(Some(5000)));
        assert_eq!(files.read(out, 1), Ok(None));
        assert_eq!(files.close(out), Ok(true));
        let back = files.open(&path, b"r").expect("a file");
        let mut got = files.read(back, 6000).expect("open").expect("readable");
        got.extend(files.read(back, 9000).expect("open").expect("readable"));
        assert_eq!(got, [text.clone(), text].concat());
        assert_eq!(files.read(back, 1), Ok(Some(Vec::new())));
        assert_eq!(files.write(back, b"x"), Ok(None));
        assert_eq!(files.close(back), Ok(true));
        assert_eq!(files.read(back, 1), Err(ServiceError::Gone("file")));
    }

    #[test]
    fn lines_end_after_their_end_or_the_room() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, "ab\n\nlonger\nlast").expect("a file");
        let files = Files::new();
        let file = files.open(&path, b"r").expect("a file");
        let mut lines = Vec::new();
        while let Some(line) = files.line(file, 4).expect("open") {
            lines.push(String::from_utf8(line).expect("text"));
        }
        assert_eq!(lines, ["ab\n", "\n", "long", "er\n", "last"]);
    }

    #[test]
    fn other_modes_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        for mode in [&b"rw"[..], b"", b"rb", b"w+", b"x"] {
            assert!(Files::new().open(&dir.path().join("file"), mode).is_none());
        }
    }
}
