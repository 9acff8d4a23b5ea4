//! Configuration files on the disk, and the system's resolver: the only place of this crate that touches them.

use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use crate::files::FileSource;

/// Files of a directory. Absolute paths are read as they are.
#[derive(Clone, Debug)]
pub struct DiskFiles {
    dir: PathBuf,
}

impl DiskFiles {
    /// The files of `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        DiskFiles { dir: dir.into() }
    }
}

impl FileSource for DiskFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(self.dir.join(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries = fs::read_dir(self.dir.join(path))?
            .map(|entry| entry.map(|entry| path.join(entry.file_name())))
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    }

    /// Waits for the system's resolver.
    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        // A name without an address is no fault of the file: it may have one at the next reload.
        (host, 0).to_socket_addrs().map(|addrs| addrs.map(|addr| addr.ip()).collect()).unwrap_or_default()
    }
}
