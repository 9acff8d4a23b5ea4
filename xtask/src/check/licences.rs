//! Licences and origins of the packages from outside.
//!
//! Responsible for: the list of accepted licences, the SPDX expressions packages state, where packages come
//! from, and packages present in two versions. Not responsible for: security advisories.
//!
//! `deny.toml` says the same to `cargo deny`, which runs when it is installed; a test keeps the two lists equal.
//! Invariant: a package without a readable licence expression is a violation.

use std::collections::BTreeMap;

use super::{Violation, metadata::Package};

/// Licences that fit an Apache-2.0 program. Those with an exception are written as `A WITH B`.
pub const ACCEPTED: [&str; 10] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

/// The one registry packages may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages whose licence or origin is not accepted.
pub fn violations(packages: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in packages {
        match package.license.as_deref().map(is_accepted) {
            Some(Some(true)) => {}
            Some(Some(false)) => {
                let licence = package.license.as_deref().unwrap_or_default();
                found.push(package.violation(&format!("licence {licence} is not on the list")));
            }
            Some(None) => found.push(package.violation("its licence expression cannot be read")),
            None => found.push(package.violation("states no licence")),
        }
        if package.source.as_deref().is_some_and(|source| source != REGISTRY) {
            found.push(package.violation("does not come from crates.io"));
        }
    }
    found
}

/// Packages present in more than one version, as lines for the reader.
pub fn duplicates(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions.iter().map(|(name, versions)| format!("{name} in versions {}", versions.join(", "))).collect()
}

/// Whether an SPDX expression can be met with accepted licences; `None` if it is not an expression.
pub fn is_accepted(expression: &str) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words };
    let accepted = reader.any_of()?;
    reader.words.is_empty().then_some(accepted)
}

struct Reader<'a> {
    words: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    fn any_of(&mut self) -> Option<bool> {
        let mut accepted = self.all_of()?;
        while self.take("OR") {
            accepted |= self.all_of()?;
        }
        Some(accepted)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut accepted = self.one()?;
        while self.take("AND") {
            accepted &= self.one()?;
        }
        Some(accepted)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let accepted = self.any_of()?;
            return self.take(")").then_some(accepted);
        }
        let name = self.next().filter(|word| !["OR", "AND", "WITH", ")"].contains(word))?;
        if self.take("WITH") {
            let exception = self.next()?;
            return Some(ACCEPTED.contains(&format!("{name} WITH {exception}").as_str()));
        }
        Some(ACCEPTED.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_accepted_licences() {
        for good in ["MIT", "MIT/Apache-2.0", "GPL-2.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert_eq!(is_accepted(good), Some(true), "{good}");
        }
        assert_eq!(is_accepted("Apache-2.0 WITH LLVM-exception OR GPL-3.0"), Some(true));
        for bad in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT WITH Strange-exception"] {
            assert_eq!(is_accepted(bad), Some(false), "{bad}");
        }
        for broken in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "AND"] {
            assert_eq!(is_accepted(broken), None, "{broken}");
        }
    }

    #[test]
    fn foreign_licences_and_sources_are_caught() {
        let good = Package::for_tests("a", &[]);
        assert!(violations(std::slice::from_ref(&good)).is_empty());
        let copyleft = Package { license: Some("AGPL-3.0".to_owned()), ..good.clone() };
        let silent = Package { license: None, ..good.clone() };
        let foreign = Package { source: Some("git+https://example.com/x".to_owned()), ..good.clone() };
        for bad in [copyleft, silent, foreign] {
            assert_eq!(violations(std::slice::from_ref(&bad)).len(), 1, "{bad:?}");
        }
        let official = Package { source: Some(REGISTRY.to_owned()), ..good };
        assert!(violations(&[official]).is_empty());
    }

    #[test]
    fn two_versions_of_a_package_are_listed() {
        let one = Package::for_tests("syn", &[]);
        let two = Package { version: "9.0.0".to_owned(), ..one.clone() };
        assert_eq!(duplicates(std::slice::from_ref(&one)), Vec::<String>::new());
        assert_eq!(duplicates(&[one, two]), ["syn in versions 0.1.0, 9.0.0"]);
    }

    #[test]
    fn cargo_deny_accepts_the_same_licences() {
        let text = std::fs::read_to_string(crate::workspace::root().join("deny.toml")).expect("deny.toml");
        let (_, list) = text.split_once("\nallow = [").expect("a list");
        let (list, _) = list.split_once(']').expect("an end");
        let mut listed: Vec<&str> =
            list.split(',').map(|entry| entry.trim().trim_matches('"')).filter(|e| !e.is_empty()).collect();
        listed.sort_unstable();
        assert_eq!(listed, ACCEPTED);
    }
}
