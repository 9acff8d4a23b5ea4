//! Purges that are compared with keys one by one.

use super::{Effect, Purge, PurgeError, REGEX_BYTES, Target};
use crate::key::CacheKey;
use regex::bytes::{Regex, RegexBuilder};

#[derive(Debug)]
pub(super) struct Ban {
    pub(super) number: u64,
    pub(super) at: i64,
    pub(super) effect: Effect,
    pub(super) matcher: Matcher,
}

#[derive(Debug)]
pub(super) enum Matcher {
    Everything,
    /// The bytes of a key.
    Prefix(Box<[u8]>),
    Regex(Box<Regex>),
}

impl Matcher {
    pub(super) fn regex(text: &str) -> Result<Matcher, PurgeError> {
        RegexBuilder::new(text)
            .size_limit(REGEX_BYTES)
            .build()
            .map(|regex| Matcher::Regex(Box::new(regex)))
            .map_err(|error| PurgeError::Regex(error.to_string()))
    }

    /// Whether both are for the same objects.
    pub(super) fn same(&self, other: &Matcher) -> bool {
        match (self, other) {
            (Matcher::Everything, Matcher::Everything) => true,
            (Matcher::Prefix(a), Matcher::Prefix(b)) => a == b,
            (Matcher::Regex(a), Matcher::Regex(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl Ban {
    pub(super) fn matches(&self, key: &CacheKey, url: &mut UrlText) -> bool {
        match &self.matcher {
            Matcher::Everything => true,
            Matcher::Prefix(prefix) => key.begins_with(prefix),
            Matcher::Regex(regex) => regex.is_match(url.of(key)),
        }
    }

    pub(super) fn to_purge(&self) -> Purge {
        let target = match &self.matcher {
            Matcher::Everything => Target::Everything,
            Matcher::Prefix(prefix) => Target::Prefix(prefix.clone()),
            Matcher::Regex(regex) => Target::Regex(regex.as_str().into()),
        };
        Purge { number: self.number, at: self.at, effect: self.effect, target }
    }
}

/// A key's URL, written at most once.
#[derive(Default)]
pub(super) struct UrlText(Vec<u8>);

impl UrlText {
    fn of(&mut self, key: &CacheKey) -> &[u8] {
        if self.0.is_empty() {
            key.write_url(&mut self.0);
        }
        &self.0
    }
}
