//! Where the texts of configuration files come from.
//!
//! Responsible for: the interface through which this crate reads files and asks for addresses, and files held in
//! memory.
//! Not responsible for: the disk and the system's resolver (see [`crate::generation::DiskFiles`]).
//! Invariants: nothing in this crate reads a file in any other way.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
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

    /// The addresses of a host that a file names; none if they are not known.
    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let _ = host;
        Vec::new()
    }
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more file.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    /// With a host whose addresses are known.
    #[must_use]
    pub fn with_host(mut self, host: &str, addresses: &[IpAddr]) -> Self {
        self.addresses.insert(host.to_owned(), addresses.to_vec());
        self
    }
}

impl FileSource for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        if self.files.contains_key(path) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let entries: Vec<_> = self.files.keys().filter(|file| file.parent() == Some(path)).cloned().collect();
        if entries.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(entries) }
    }

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        self.addresses.get(host).cloned().unwrap_or_default()
    }
}
