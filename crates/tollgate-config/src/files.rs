//! Where the texts of configuration files come from.
//!
//! Responsible for: the interface through which this crate reads files, and files held in memory.
//! Not responsible for: the disk (see [`crate::generation::DiskFiles`]).
//! Invariants: nothing in this crate reads a file in any other way.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Reads configuration files. Paths are relative to the configuration directory unless absolute.
pub trait FileSource {
    /// The bytes of a file.
    ///
    /// # Errors
    /// `NotFound` if there is none, anything else if it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The paths of a directory's entries, in the order of their names.
    ///
    /// # Errors
    /// `NotADirectory` if the path is a file, `NotFound` if there is nothing.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(BTreeMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), text.into());
        self
    }
}

impl FileSource for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        if self.0.contains_key(path) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let entries: Vec<_> = self.0.keys().filter(|file| file.parent() == Some(path)).cloned().collect();
        if entries.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(entries) }
    }
}
