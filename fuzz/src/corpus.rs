//! The seed corpus: one file for each seed in `fuzz/corpus/TARGET/`.
//!
//! A failing input becomes a seed, so that it is tried in every later run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The folder of all corpora.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The seeds of a target, in the order of their file names. A target without seeds is an error.
pub fn read(folder: &Path, target: &str) -> Result<Vec<Vec<u8>>> {
    let folder = folder.join(target);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    ensure!(!paths.is_empty(), "{} has no seeds", folder.display());
    paths.iter().map(|path| fs::read(path).with_context(|| path.display().to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let seeds = folder.path().join("t");
        fs::create_dir(&seeds).expect("created");
        assert!(read(folder.path(), "t").is_err(), "no seeds");
        fs::write(seeds.join("b"), "2").expect("written");
        fs::write(seeds.join("a"), "1").expect("written");
        assert_eq!(read(folder.path(), "t").expect("read"), [b"1", b"2"]);
        assert!(read(folder.path(), "u").is_err());
    }
}
