//! The table of fuzz targets.
//!
//! A target is a function that takes any bytes and must not panic; it may also check what must hold for every
//! input, such as that a parsed message serialises to one that parses to the same. To add one: write the function
//! in a module of its own, add a row to [`TARGETS`], and put at least one seed into `fuzz/corpus/NAME/`.

pub mod source_split;

/// One thing to feed with bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name on the command line and of the corpus folder.
    pub name: &'static str,
    /// Takes an input; a panic is a failure.
    pub run: fn(&[u8]),
    /// Words of the input's language, for the mutator.
    pub tokens: &'static [&'static [u8]],
}

/// Every target.
pub const TARGETS: &[Target] =
    &[Target { name: "source_split", run: source_split::run, tokens: source_split::TOKENS }];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn every_target_has_a_name_of_its_own_and_seeds() {
        for (position, target) in TARGETS.iter().enumerate() {
            assert!(TARGETS[..position].iter().all(|other| other.name != target.name), "{}", target.name);
            corpus::read(&corpus::folder(), target.name).expect("seeds");
        }
    }

    #[test]
    fn every_corpus_belongs_to_a_target() {
        for entry in std::fs::read_dir(corpus::folder()).expect("the corpus") {
            let name = entry.expect("readable").file_name();
            assert!(TARGETS.iter().any(|target| name == target.name), "{}", name.display());
        }
    }
}
