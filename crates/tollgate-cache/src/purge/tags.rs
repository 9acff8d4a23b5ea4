//! Purges by tag and by group: one entry for each name, whatever carries it.

use super::{Effect, Purge, Standing, Target};
use crate::key::CacheKey;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use tollgate_http::{HeaderBlock, PackedFields, names};

/// LIMIT: tags and groups of one object; further ones are not remembered.
const MAX_TAGS: usize = 1024;

const TAG: u8 = b't';
const GROUP: u8 = b'g';

/// A tag as the table has it.
pub(super) fn tag_name(name: &[u8]) -> Box<[u8]> {
    [&[TAG], name].concat().into()
}

/// A group as the table has it: the same name at two origins makes two groups.
pub(super) fn group_name(origin: &[u8], name: &[u8]) -> Box<[u8]> {
    [&[GROUP], origin, b"\0", name].concat().into()
}

/// Objects keep hashes in place of names. Two names with one hash are purged together.
fn hash_of(name: &[u8]) -> u64 {
    static SEED: OnceLock<foldhash::quality::RandomState> = OnceLock::new();
    SEED.get_or_init(foldhash::quality::RandomState::default).hash_one(name)
}

/// The hashes of what tags and groups a response with these fields belongs to: the members of `Surrogate-Key`
/// (separated by white space), of `Cache-Tag` (by commas), and of `Cache-Groups`.
pub(super) fn tags_of(key: &CacheKey, response: PackedFields<'_>) -> Option<Vec<u64>> {
    let groups = super::groups::FIELD_GROUPS;
    let has_groups = response.contains(groups);
    if !has_groups && !response.has(names::SURROGATE_KEY) && !response.has(names::CACHE_TAG) {
        return None;
    }
    let response = &response.to_block();
    let mut hashes: Vec<u64> = names_in(response).map(|name| hash_of(&tag_name(name))).collect();
    if has_groups {
        let origin = key.origin();
        let members = super::groups::members(response, groups);
        hashes.extend(members.iter().map(|name| hash_of(&group_name(&origin, name))));
    }
    hashes.truncate(MAX_TAGS);
    hashes.sort_unstable();
    hashes.dedup();
    Some(hashes)
}

/// The names in `Surrogate-Key` and `Cache-Tag`.
pub(super) fn names_in(headers: &HeaderBlock) -> impl Iterator<Item = &[u8]> {
    let keys = headers.get_all(names::SURROGATE_KEY).flat_map(|line| line.split(u8::is_ascii_whitespace));
    let tags = headers.get_all(names::CACHE_TAG).flat_map(|line| line.split(|b| *b == b','));
    keys.chain(tags.map(<[u8]>::trim_ascii)).filter(|name| !name.is_empty())
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    name: Box<[u8]>,
    /// Numbers of the newest purges; 0: none.
    hard: u64,
    soft: u64,
    hard_at: i64,
    soft_at: i64,
}

impl Entry {
    fn newest(&self) -> u64 {
        self.hard.max(self.soft)
    }

    fn newest_at(&self) -> i64 {
        if self.hard > self.soft { self.hard_at } else { self.soft_at }
    }
}

#[derive(Debug, Default)]
pub(super) struct TagTable(HashTable<Entry>);

impl TagTable {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn note(&mut self, name: Box<[u8]>, purge: &Purge) {
        let hash = hash_of(&name);
        let entry = self
            .0
            .entry(hash, |entry| entry.hash == hash && entry.name == name, |entry| entry.hash)
            .or_insert_with(|| Entry { hash, name, hard: 0, soft: 0, hard_at: 0, soft_at: 0 })
            .into_mut();
        match purge.effect {
            Effect::Hard => (entry.hard, entry.hard_at) = (purge.number, purge.at),
            Effect::Soft => (entry.soft, entry.soft_at) = (purge.number, purge.at),
        }
    }

    /// What the purges of this tag after `judged` say.
    pub(super) fn verdict(&self, hash: u64, judged: u64) -> Standing {
        // Names with the same hash cannot be told apart by what objects keep: the first one that is newer counts.
        match self.0.find(hash, |entry| entry.hash == hash && entry.newest() > judged) {
            None => Standing::Untouched,
            Some(entry) if entry.hard > judged => Standing::Gone,
            Some(entry) => Standing::Stale { since: entry.soft_at },
        }
    }

    pub(super) fn forget_to(&mut self, number: u64) {
        self.0.retain(|entry| entry.newest() > number);
    }

    /// The newest number up to `number` of an entry whose purges are all earlier than `before`.
    pub(super) fn newest_before(&self, number: u64, before: i64) -> Option<u64> {
        let old = self.0.iter().filter(|entry| entry.newest() <= number && entry.newest_at() < before);
        old.map(Entry::newest).max()
    }

    /// The number to forget up to for the table to be half as large.
    pub(super) fn older_half(&self) -> u64 {
        let mut numbers: Vec<u64> = self.0.iter().map(Entry::newest).collect();
        let middle = numbers.len() / 2;
        if middle == 0 {
            return numbers.first().copied().unwrap_or(0);
        }
        *numbers.select_nth_unstable(middle).1
    }

    pub(super) fn append_to(&self, all: &mut Vec<Purge>) {
        for entry in &self.0 {
            for (number, at, effect) in
                [(entry.hard, entry.hard_at, Effect::Hard), (entry.soft, entry.soft_at, Effect::Soft)]
            {
                if number != 0 {
                    all.push(Purge { number, at, effect, target: target_of(&entry.name) });
                }
            }
        }
    }
}

fn target_of(name: &[u8]) -> Target {
    match name.split_first() {
        Some((&GROUP, rest)) => {
            // An origin ends before the first NUL after its scheme and port, which may hold some.
            let end = rest.iter().skip(3).position(|b| *b == 0).map_or(rest.len(), |at| at + 3);
            let name = rest.get(end + 1..).unwrap_or_default();
            Target::Group { origin: rest[..end].into(), name: name.into() }
        }
        Some((_, rest)) => Target::Tag(rest.into()),
        None => Target::Tag(Box::default()),
    }
}
