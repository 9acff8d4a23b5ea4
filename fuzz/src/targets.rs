//! The table of fuzz targets.
//!
//! A target is a function that takes any bytes and must not panic; it may also check what must hold for every
//! input, such as that a parsed message serialises to one that parses to the same. To add one: write the function
//! in a module below, add a row to [`TARGETS`], and put at least one seed into `fuzz/corpus/NAME/`.

pub mod cache;
pub mod config;
pub mod disk;
pub mod heads;
pub mod remap;
pub mod source_split;
pub mod values;

/// One thing to feed with bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name on the command line and of the corpus folder.
    pub name: &'static str,
    /// Takes an input; a panic is a failure.
    pub run: fn(&[u8]),
    /// Words of the input's language, for the mutator.
    pub tokens: &'static [&'static [u8]],
    /// How many inputs of a quick target one input costs; so many fewer are tried.
    pub cost: u64,
}

const fn target(name: &'static str, run: fn(&[u8]), tokens: &'static [&'static [u8]]) -> Target {
    Target { name, run, tokens, cost: 1 }
}

const fn slow(cost: u64, target: Target) -> Target {
    Target { cost, ..target }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    slow(5, target("cache_config", config::cache_config, config::CACHE_TOKENS)),
    target("cache_rules", cache::rules, cache::TOKENS),
    target("chunked", heads::chunked, heads::CHUNKED_TOKENS),
    target("date", values::date, values::DATE_TOKENS),
    slow(20, target("disk_image", disk::image, disk::TOKENS)),
    target("hooks_config", config::hooks_config, config::HOOKS_TOKENS),
    slow(5, target("ip_allow", config::ip_allow, config::IP_ALLOW_TOKENS)),
    target("list", values::list, values::LIST_TOKENS),
    target("plugin_config", config::plugin_config, config::PLUGIN_TOKENS),
    target("ranges", cache::ranges, cache::TOKENS),
    slow(10, target("records_config", config::records_config, config::RECORDS_TOKENS)),
    slow(10, target("records_yaml", config::records_yaml, config::RECORDS_TOKENS)),
    target("remap_config", remap::run, remap::TOKENS),
    target("request_head", heads::request, heads::TOKENS),
    target("response_head", heads::response, heads::TOKENS),
    target("source_split", source_split::run, source_split::TOKENS),
    target("url", values::url, values::URL_TOKENS),
    target("vary", cache::vary, cache::TOKENS),
];

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
