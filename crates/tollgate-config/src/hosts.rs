//! The hosts file: names with fixed addresses.
//!
//! Lines are an address and names; `#` starts a comment. Names are compared in any case.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::Problem;

/// Addresses by name.
#[derive(Clone, Debug, Default)]
pub struct HostsFile {
    by_name: HashMap<String, Vec<IpAddr>>,
}

impl HostsFile {
    /// Reads `text`, the content of `file`. Lines that cannot be read are warned of and left out.
    pub fn parse(file: &str, text: &str) -> (HostsFile, Vec<Problem>) {
        let file: Arc<str> = Arc::from(file);
        let mut hosts = HostsFile::default();
        let mut problems = Vec::new();
        for (line, text) in (1u32..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or("");
            let mut words = text.split_whitespace();
            let Some(address) = words.next() else { continue };
            // Scoped addresses such as fe80::1%lo0 have no use for a proxy.
            let Ok(address) = address.parse::<IpAddr>() else {
                problems.push(Problem::warning(&file, line, format!("\"{address}\" is not an IP address")));
                continue;
            };
            for name in words {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                let addresses = hosts.by_name.entry(name).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        (hosts, problems)
    }

    /// The addresses of `name`, in the order of the file; empty if it is not there.
    pub fn lookup(&self, name: &str) -> &[IpAddr] {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.by_name.get(&name).map_or(&[], Vec::as_slice)
    }

    /// All names, lower case, with their addresses.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[IpAddr])> {
        self.by_name.iter().map(|(name, addresses)| (name.as_str(), addresses.as_slice()))
    }

    /// Whether it has no names.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_the_addresses_of_all_their_lines() {
        let text = "# head\n127.0.0.1 localhost Origin.test # end\n\n::1\tlocalhost ip6\nnonsense x\n127.0.0.1 localhost\n";
        let (hosts, problems) = HostsFile::parse("hosts", text);
        let addresses: Vec<_> = hosts.lookup("LOCALHOST").iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1", "::1"]);
        assert_eq!(hosts.lookup("origin.test.").len(), 1);
        assert!(hosts.lookup("x").is_empty());
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["hosts:5: \"nonsense\" is not an IP address"]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,100}", name in ".{0,20}") {
            let (hosts, _) = HostsFile::parse("hosts", &text);
            let _ = hosts.lookup(&name);
        }
    }
}
