//! Responses that were lately found not to be shareable: requests for them are not collapsed, so not serialised.
//!
//! Responsible for: remembering them for a while, per variant where the response named what it was chosen by.
//! Invariants: the number remembered is bounded, the oldest go; keys are told apart by their hash alone: a collision
//! only means that two fetches are not collapsed.

use crate::key::CacheKey;
use crate::vary::variant_hash;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tollgate_http::{HeaderBlock, names};

/// Number of shards.
const SHARDS: usize = 16;

/// What is remembered of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unshareable {
    /// Why it was not stored: a [`NoStoreReason`](crate::NoStoreReason)'s token, or another.
    pub reason: &'static str,
    /// Until when that is remembered, seconds since 1970.
    pub until: i64,
}

/// A bounded memory of keys, or of variants of keys, that are not worth waiting for.
#[derive(Debug)]
pub struct HitForMiss {
    shards: Box<[Mutex<Memory>]>,
    per_shard: usize,
}

#[derive(Debug, Default)]
struct Memory {
    entries: HashMap<u64, Entry, foldhash::fast::FixedState>,
    order: VecDeque<(u64, i64)>,
}

#[derive(Clone, Debug)]
struct Entry {
    known: Unshareable,
    /// The `Vary` of the last such response: only variants that are remembered themselves are meant.
    vary: Option<Arc<HeaderBlock>>,
}

impl HitForMiss {
    /// Remembers at most `capacity` keys and variants.
    pub fn new(capacity: usize) -> HitForMiss {
        HitForMiss {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            per_shard: capacity.div_ceil(SHARDS),
        }
    }

    /// What is remembered at `now` (seconds) of responses to a request with these fields under `key`.
    pub fn find(&self, key: &CacheKey, request: &HeaderBlock, now: i64) -> Option<Unshareable> {
        let entry = self.shard(key.hash64()).lock().live(key.hash64(), now)?.clone();
        let Some(vary) = entry.vary else { return Some(entry.known) };
        let variant = key.for_variant(variant_hash(&vary, request)).hash64();
        self.shard(variant).lock().live(variant, now).map(|entry| entry.known)
    }

    /// Remembers from `now` on, for `lifetime` seconds, that the response with the fields `response` to a request
    /// with the fields `request` could not be shared.
    pub fn remember(
        &self,
        key: &CacheKey,
        request: &HeaderBlock,
        response: &HeaderBlock,
        known: Unshareable,
        now: i64,
    ) {
        if self.per_shard == 0 || known.until <= now {
            return;
        }
        let vary = varies(response);
        if let Some(vary) = &vary {
            let variant = key.for_variant(variant_hash(vary, request)).hash64();
            self.note(variant, Entry { known, vary: None }, now);
        }
        self.note(key.hash64(), Entry { known, vary: vary.map(Arc::new) }, now);
    }

    fn note(&self, hash: u64, entry: Entry, now: i64) {
        let mut memory = self.shard(hash).lock();
        // A busy key is noted anew only when half its time is over, so that it does not push out the others.
        let until = entry.known.until;
        let half = now.saturating_add(until.saturating_sub(now) / 2);
        if memory.entries.get(&hash).is_some_and(|noted| {
            noted.known.until > half
                && noted.known.reason == entry.known.reason
                && noted.vary.is_some() == entry.vary.is_some()
        }) {
            return;
        }
        memory.entries.insert(hash, entry);
        memory.order.push_back((hash, until));
        while memory.order.len() > self.per_shard {
            memory.forget_oldest();
        }
    }

    /// Forgets what is remembered of a request with these fields: its response was found shareable.
    pub fn forget(&self, key: &CacheKey, request: &HeaderBlock) {
        let hash = key.hash64();
        let vary = {
            let mut memory = self.shard(hash).lock();
            match memory.entries.get(&hash).map(|entry| entry.vary.clone()) {
                None => return,
                Some(None) => {
                    memory.entries.remove(&hash);
                    return;
                }
                Some(Some(vary)) => vary,
            }
        };
        let variant = key.for_variant(variant_hash(&vary, request)).hash64();
        self.shard(variant).lock().entries.remove(&variant);
    }

    /// Number of keys and variants remembered, those whose time is over included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().entries.len()).sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: u64) -> &Mutex<Memory> {
        &self.shards[(hash >> 48) as usize % SHARDS]
    }
}

/// The `Vary` lines of a response that was chosen by named fields.
fn varies(response: &HeaderBlock) -> Option<HeaderBlock> {
    if !response.has(names::VARY) || response.list(names::VARY).any(|member| member == b"*") {
        return None;
    }
    let mut vary = HeaderBlock::new();
    response.get_all(names::VARY).for_each(|line| vary.append(names::VARY, line));
    Some(vary)
}

impl Memory {
    fn live(&self, hash: u64, now: i64) -> Option<&Entry> {
        self.entries.get(&hash).filter(|entry| now < entry.known.until)
    }

    /// Drops the oldest place; the key itself only if it was not remembered anew since.
    fn forget_oldest(&mut self) {
        if let Some((hash, until)) = self.order.pop_front()
            && self.entries.get(&hash).is_some_and(|entry| entry.known.until == until)
        {
            self.entries.remove(&hash);
        }
    }
}
