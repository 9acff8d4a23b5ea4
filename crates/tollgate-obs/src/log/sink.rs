//! Where log lines end up.
//!
//! Responsible for: the trait of destinations and the file among them. Not responsible for: batches, threads.
//! Invariants: a file is only ever appended to; after a failed write the next batch begins on a new line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where batches of lines go. Used by the writing thread only.
pub trait LogSink: Send {
    /// Writes whole lines.
    ///
    /// # Errors
    /// Whatever the destination says; the batch is then counted as dropped.
    fn write_batch(&mut self, lines: &[u8]) -> io::Result<()>;

    /// Opens the destination anew, for rotation. On failure the old one stays in use.
    ///
    /// # Errors
    /// Whatever opening says.
    fn reopen(&mut self) -> io::Result<()>;
}

/// A log file, opened for appending.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: File,
    /// A failed write left part of a line at the end of the file.
    is_torn: bool,
}

impl FileSink {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// If it can be neither opened nor created.
    pub fn open(path: &Path) -> Result<Self, LogOpenError> {
        let open = |source| LogOpenError::File { path: path.to_owned(), source };
        Ok(Self { path: path.to_owned(), file: append_to(path).map_err(open)?, is_torn: false })
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl LogSink for FileSink {
    fn write_batch(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.is_torn = rest[n - 1] != b'\n';
                    rest = &rest[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = append_to(&self.path)?;
        self.is_torn = false;
        Ok(())
    }
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    /// The file could not be opened or created.
    #[error("cannot open access log {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The writing thread could not be started.
    #[error("cannot start the access log's thread: {0}")]
    Thread(io::Error),
}

#[cfg(test)]
mod tests {
    use super::{FileSink, LogSink};

    #[test]
    fn torn_line_is_ended_before_the_next_batch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let mut sink = FileSink::open(&path).unwrap();
        sink.write_batch(b"half a li").unwrap();
        sink.write_batch(b"whole\n").unwrap();
        sink.write_batch(b"whole\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half a li\nwhole\nwhole\n");
    }
}
