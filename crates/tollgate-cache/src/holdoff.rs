//! Keys whose validation has lately failed: until a set time their stale objects are served without asking the origin
//! again (`negative_revalidating_lifetime`).
//!
//! Responsible for: the bounded memory. Not responsible for: whether a stale object may be served at all.
//! Invariant: keys are compared whole, so that no other object is served stale by mistake.

use crate::key::CacheKey;
use hashbrown::HashMap;
use parking_lot::Mutex;

/// Number of shards.
const SHARDS: usize = 16;

type Memory = HashMap<CacheKey, i64, foldhash::fast::FixedState>;

/// A bounded memory of keys with the times until which the origin is left alone.
#[derive(Debug)]
pub struct Holdoff {
    shards: Box<[Mutex<Memory>]>,
    per_shard: usize,
}

impl Holdoff {
    /// Remembers at most `capacity` keys.
    pub fn new(capacity: usize) -> Holdoff {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Holdoff { shards, per_shard: capacity.div_ceil(SHARDS) }
    }

    /// Whether the origin is to be left alone at `now` (seconds).
    pub fn holds(&self, key: &CacheKey, now: i64) -> bool {
        self.shard(key).lock().get(key).is_some_and(|until| now < *until)
    }

    /// Leaves the origin alone from `now` for `seconds`. When there is no room, nothing is remembered.
    pub fn hold(&self, key: &CacheKey, now: i64, seconds: u32) {
        let mut memory = self.shard(key).lock();
        if memory.len() >= self.per_shard {
            memory.retain(|_, until| now < *until);
        }
        if memory.len() < self.per_shard {
            memory.insert(key.clone(), now.saturating_add(i64::from(seconds)));
        }
    }

    /// The origin has answered again.
    pub fn release(&self, key: &CacheKey) {
        self.shard(key).lock().remove(key);
    }

    fn shard(&self, key: &CacheKey) -> &Mutex<Memory> {
        &self.shards[(key.hash64() >> 40) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> CacheKey {
        let url = format!("http://h/{n}").parse().expect("test URL");
        CacheKey::for_url(&url, -1)
    }

    #[test]
    fn a_key_is_held_until_its_time_or_until_it_is_released() {
        let holdoff = Holdoff::new(64);
        holdoff.hold(&key(1), 100, 10);
        assert!(holdoff.holds(&key(1), 109) && !holdoff.holds(&key(1), 110) && !holdoff.holds(&key(2), 100));
        holdoff.release(&key(1));
        assert!(!holdoff.holds(&key(1), 100));
    }

    #[test]
    fn only_so_many_keys_are_remembered_and_expired_ones_make_room() {
        let holdoff = Holdoff::new(SHARDS);
        (0..1000).for_each(|n| holdoff.hold(&key(n), 100, 10));
        let held = (0..1000).filter(|n| holdoff.holds(&key(*n), 100)).count();
        assert!((1..=SHARDS).contains(&held), "{held}");
        (1000..2000).for_each(|n| holdoff.hold(&key(n), 200, 10));
        assert!((1000..2000).any(|n| holdoff.holds(&key(n), 200)));
    }
}
