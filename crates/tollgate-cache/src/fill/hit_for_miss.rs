//! Keys that were lately found not to be shareable: their requests are not collapsed, so not serialised.

use crate::key::CacheKey;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Number of shards.
const SHARDS: usize = 16;

/// A bounded memory of keys that are not worth waiting for. Keys are told apart by their hash alone: a collision
/// only means that two fetches are not collapsed.
#[derive(Debug)]
pub struct HitForMiss {
    shards: Box<[Mutex<Memory>]>,
    per_shard: usize,
    lifetime_seconds: i64,
}

#[derive(Debug, Default)]
struct Memory {
    until: HashMap<u64, i64, foldhash::fast::FixedState>,
    order: VecDeque<(u64, i64)>,
}

impl HitForMiss {
    /// Remembers at most `capacity` keys, each for `lifetime_seconds`.
    pub fn new(capacity: usize, lifetime_seconds: u32) -> HitForMiss {
        HitForMiss {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            per_shard: capacity.div_ceil(SHARDS),
            lifetime_seconds: i64::from(lifetime_seconds),
        }
    }

    /// Whether `key` was found not shareable and that is still remembered at `now` (seconds).
    pub fn contains(&self, key: &CacheKey, now: i64) -> bool {
        self.shard(key).lock().until.get(&key.hash64()).is_some_and(|until| now < *until)
    }

    /// Remembers `key` from `now` on.
    pub fn remember(&self, key: &CacheKey, now: i64) {
        if self.per_shard == 0 {
            return;
        }
        let hash = key.hash64();
        let until = now.saturating_add(self.lifetime_seconds);
        let mut memory = self.shard(key).lock();
        // A busy key is noted anew only when half its time is over, so that it does not push out the others.
        let half = now.saturating_add(self.lifetime_seconds / 2);
        if memory.until.get(&hash).is_some_and(|noted| *noted > half) {
            return;
        }
        memory.until.insert(hash, until);
        memory.order.push_back((hash, until));
        while memory.order.len() > self.per_shard {
            memory.forget_oldest();
        }
    }

    /// Forgets `key`: it was found shareable.
    pub fn forget(&self, key: &CacheKey) {
        self.shard(key).lock().until.remove(&key.hash64());
    }

    /// Number of keys remembered, those whose time is over included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().until.len()).sum()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &CacheKey) -> &Mutex<Memory> {
        &self.shards[(key.hash64() >> 48) as usize % SHARDS]
    }
}

impl Memory {
    /// Drops the oldest place; the key itself only if it was not remembered anew since.
    fn forget_oldest(&mut self) {
        if let Some((hash, until)) = self.order.pop_front()
            && self.until.get(&hash) == Some(&until)
        {
            self.until.remove(&hash);
        }
    }
}
