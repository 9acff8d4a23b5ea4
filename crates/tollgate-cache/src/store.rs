//! The RAM tier: objects by key, shared by all threads.
//!
//! Responsible for: finding the alternate that matches a request, keeping the bytes within the budget, choosing
//! what goes (`shard`: S3-FIFO, so that a scan does not push out what is used; not what is pinned), letting go of what was
//! purged.
//! Not responsible for: freshness, whether a response may be stored (`rules`), what was purged (`purge`).
//! Invariants: the objects of all shards together never exceed the budget; a look-up does not allocate and holds
//! one shard's lock while it compares one key; objects are freed, and judged by purges, outside the locks; what was
//! asked for before its key was removed or purged is neither found nor stored afterwards.

mod shard;

use crate::key::CacheKey;
use crate::negotiate::Negotiation;
use crate::object::{StoredHead, StoredObject};
use crate::purge::{Born, Purges, Standing};
use parking_lot::Mutex;
use shard::Shard;
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use tollgate_http::Request;

/// Number of shards; a power of two.
const SHARDS: usize = 64;

/// Number of counters of removals; a power of two. Keys share them: too many removals counted mean that an object is
/// not stored, no more.
const REMOVAL_COUNTERS: usize = 16_384;

/// Objects judged under one lock in a sweep.
const SWEEP_STEP: usize = 64;

/// The alternates of a key, newest first.
pub type Alternates = SmallVec<[Arc<StoredObject>; 4]>;

/// Objects taken out of a shard, to be freed after its lock.
pub(crate) type Evicted = SmallVec<[Arc<StoredObject>; 8]>;

/// Limits of a [`RamStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RamStoreSettings {
    /// `proxy.config.cache.ram_cache.size`: bytes of all objects with their overhead.
    pub budget_bytes: u64,
    /// `proxy.config.cache.ram_cache_cutoff`: the largest object, bytes with overhead; 0 is no limit but the budget.
    pub cutoff_bytes: u64,
    /// `proxy.config.cache.limits.http.max_alts`: alternates per key; at least 1.
    pub max_alternates: usize,
    /// `proxy.config.tollgate.cache.pinned_share`: the part of the budget that pinned keys may fill.
    pub pinned_percent: u8,
}

impl Default for RamStoreSettings {
    fn default() -> Self {
        RamStoreSettings {
            budget_bytes: 256 << 20,
            cutoff_bytes: 4 << 20,
            max_alternates: 5,
            pinned_percent: 50,
        }
    }
}

/// What a look-up found.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Nothing stored under the key.
    Miss,
    /// Objects are stored under the key, but none for this request's selecting fields.
    VaryMiss,
    /// The newest alternate that matches.
    Found(Arc<StoredObject>),
}

/// Why an object was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// Larger than `ram_cache_cutoff`.
    #[error("object is larger than ram_cache_cutoff")]
    OverCutoff,
    /// Larger than the whole budget.
    #[error("object is larger than the RAM cache")]
    OverBudget,
    /// Purged while it was fetched.
    #[error("object was purged while it was fetched")]
    Purged,
}

/// Counters of a [`RamStore`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Objects (alternates) held.
    pub objects: u64,
    /// Bytes they take, overhead included.
    pub bytes: u64,
    /// Of these, bytes that are pinned, with all alternates of their keys.
    pub pinned_bytes: u64,
    /// Objects put in since the start.
    pub inserts: u64,
    /// Objects pushed out for lack of room since the start.
    pub evictions: u64,
    /// Objects refused since the start.
    pub refusals: u64,
    /// Objects removed because a purge had hit them, when they were found or swept, since the start.
    pub purged: u64,
}

/// Where a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    shard: usize,
    entry: usize,
    /// The newest purge when it began.
    newest: u64,
}

/// One shard on cache lines of its own.
#[repr(align(128))]
struct Slot {
    shard: Mutex<Shard>,
    bytes: AtomicU64,
    pinned: AtomicU64,
}

/// The shared RAM tier.
pub struct RamStore {
    slots: Box<[Slot]>,
    settings: RamStoreSettings,
    bytes: AtomicU64,
    /// Of these, of keys that are pinned.
    pinned: AtomicU64,
    /// The latest arrival of an object stored: what counts as now for pins, which matter when something is stored.
    latest: AtomicI64,
    objects: AtomicU64,
    inserts: AtomicU64,
    evictions: AtomicU64,
    refusals: AtomicU64,
    purged: AtomicU64,
    victim: AtomicUsize,
    purges: Arc<Purges>,
    removals: Box<[AtomicU32]>,
}

impl RamStore {
    /// An empty store with these limits, and purges of its own.
    pub fn new(settings: RamStoreSettings) -> RamStore {
        RamStore::with_purges(settings, Arc::default())
    }

    /// An empty store with these limits that `purges` are for.
    pub fn with_purges(settings: RamStoreSettings, purges: Arc<Purges>) -> RamStore {
        let max_alternates = settings.max_alternates.max(1);
        let share = settings.budget_bytes / SHARDS as u64;
        let slot = || Slot {
            shard: Mutex::new(Shard::new(max_alternates, share)),
            bytes: AtomicU64::new(0),
            pinned: AtomicU64::new(0),
        };
        RamStore {
            slots: std::iter::repeat_with(slot).take(SHARDS).collect(),
            settings,
            bytes: AtomicU64::new(0),
            pinned: AtomicU64::new(0),
            latest: AtomicI64::new(i64::MIN),
            objects: AtomicU64::new(0),
            inserts: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            purged: AtomicU64::new(0),
            victim: AtomicUsize::new(0),
            purges,
            removals: std::iter::repeat_with(AtomicU32::default).take(REMOVAL_COUNTERS).collect(),
        }
    }

    /// What was purged of this store.
    pub fn purges(&self) -> &Arc<Purges> {
        &self.purges
    }

    /// To be asked before an object is fetched for `key`, for [`StoredHead::born_as`](crate::StoredHead::born_as).
    pub fn born(&self, key: &CacheKey) -> Born {
        let removals = self.removal_counter(key).load(Ordering::Acquire);
        Born { purge: self.purges.newest(), removals: Some(removals) }
    }

    /// The limits.
    pub fn settings(&self) -> &RamStoreSettings {
        &self.settings
    }

    /// The newest alternate of `key` that matches the request's selecting fields.
    pub fn lookup(&self, key: &CacheKey, request: &Request) -> Lookup {
        self.lookup_by(key, request, &Negotiation::default())
    }

    /// The same, with what the records say of the request's preferences.
    pub fn lookup_by(&self, key: &CacheKey, request: &Request, negotiation: &Negotiation) -> Lookup {
        loop {
            let found = self.slot(key).shard.lock().lookup(key, &request.headers, negotiation);
            match found {
                Lookup::Found(object) if self.is_gone(key, &object) => self.drop_purged(key, &object),
                found => return found,
            }
        }
    }

    /// All alternates of `key`, newest first, for a caller that chooses itself.
    pub fn alternates(&self, key: &CacheKey) -> Alternates {
        let mut all = self.slot(key).shard.lock().alternates(key);
        all.retain(|object| {
            let is_gone = self.is_gone(key, object);
            if is_gone {
                self.drop_purged(key, object);
            }
            !is_gone
        });
        all
    }

    /// Whether a response asked for under `key` was purged, softly or not, or removed since then: nobody who comes
    /// later may share it.
    pub fn is_overtaken(&self, key: &CacheKey, head: &StoredHead) -> bool {
        let removals = self.removal_counter(key).load(Ordering::Acquire);
        head.mark().is_removed_since(removals) || self.purges.judge(key, head.mark()) != Standing::Untouched
    }

    #[inline]
    fn is_gone(&self, key: &CacheKey, object: &StoredObject) -> bool {
        self.purges.judge(key, object.head().mark()) == Standing::Gone
    }

    #[cold]
    fn drop_purged(&self, key: &CacheKey, object: &Arc<StoredObject>) {
        let mut gone = Evicted::new();
        let slot = self.slot(key);
        let freed = {
            let mut shard = slot.shard.lock();
            let freed = shard.remove_alternate(key, object, &mut gone);
            self.settle(slot, &shard);
            freed
        };
        self.purged.fetch_add(gone.len() as u64, Ordering::Relaxed);
        self.release(freed, gone.len() as u64);
    }

    /// Whether anything is stored under `key`.
    pub fn contains(&self, key: &CacheKey) -> bool {
        self.slot(key).shard.lock().contains(key)
    }

    /// Stores `object` as the newest alternate of `key`. It replaces the alternate of the same variant; above
    /// `max_alternates` the oldest goes. If its head was not [made](crate::StoredHead::born_as) for `key`, a copy that is
    /// takes its place.
    pub fn insert(&self, key: &CacheKey, object: Arc<StoredObject>) -> Result<(), InsertError> {
        let object = under(key, object);
        if self.is_gone(key, &object) {
            return self.refuse(InsertError::Purged);
        }
        let cost = self.admit(key, &object)?;
        let mut gone = Evicted::new();
        let slot = self.slot(key);
        let added = {
            let mut shard = slot.shard.lock();
            let removals = self.removal_counter(key).load(Ordering::Acquire);
            if object.head().mark().is_removed_since(removals) {
                drop(shard);
                self.release(cost, 1);
                return self.refuse(InsertError::Purged);
            }
            let is_pinned = self.may_pin(&object, cost);
            let added = shard.insert(key, object, &mut gone);
            if is_pinned {
                shard.pin(key);
            }
            self.settle(slot, &shard);
            added
        };
        // What was reserved and what the shard took differ by what the new object replaced.
        self.give_back(cost, added, gone.len() as u64);
        self.inserts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Replaces `old` by `new` if `old` is still stored under `key`; tells whether it was. For 304 updates: the
    /// place in the eviction order is kept.
    pub fn update(&self, key: &CacheKey, old: &Arc<StoredObject>, new: Arc<StoredObject>) -> bool {
        let new = under(key, new);
        if self.is_gone(key, &new) {
            return false;
        }
        let Ok(cost) = self.admit(key, &new) else { return false };
        let mut gone = Evicted::new();
        let slot = self.slot(key);
        let replaced = {
            let mut shard = slot.shard.lock();
            let is_pinned = self.may_pin(&new, cost);
            let replaced = shard.replace(key, old, new, &mut gone);
            if replaced.is_some() && is_pinned {
                shard.pin(key);
            }
            self.settle(slot, &shard);
            replaced
        };
        match replaced {
            Some(added) => self.give_back(cost, added, gone.len() as u64),
            None => self.release(cost, 1),
        }
        replaced.is_some()
    }

    /// Removes all alternates of `key`; tells how many there were. One that is being fetched will not be stored.
    pub fn remove(&self, key: &CacheKey) -> usize {
        let mut gone = Evicted::new();
        let slot = self.slot(key);
        let freed = {
            let mut shard = slot.shard.lock();
            self.removal_counter(key).fetch_add(1, Ordering::Release);
            let freed = shard.remove(key, &mut gone);
            self.settle(slot, &shard);
            freed
        };
        self.release(freed, gone.len() as u64);
        gone.len()
    }

    /// Makes all alternates of `key` stale from `now` on; tells how many there are. One that is being fetched will not
    /// be stored.
    pub fn soften(&self, key: &CacheKey, now: i64) -> usize {
        let shard = self.slot(key).shard.lock();
        self.removal_counter(key).fetch_add(1, Ordering::Release);
        shard.each_alternate(key, |object| object.head().mark().make_stale(now))
    }

    /// Judges about `most` objects by the purges so far, going on where `sweep` was, and removes what is gone. When
    /// all objects have been judged, gives the newest purge of when the sweep began: those up to it may be retired
    /// ([`Purges::retire`]), and the next sweep begins.
    pub fn sweep(&self, sweep: &mut Sweep, most: usize) -> Option<u64> {
        let mut judged = 0;
        while judged < most {
            if (sweep.shard, sweep.entry) == (0, 0) {
                sweep.newest = self.purges.newest();
            }
            let slot = &self.slots[sweep.shard];
            let (some, next) = slot.shard.lock().some(sweep.entry, SWEEP_STEP);
            judged += some.len().max(1);
            for object in &some {
                let key = CacheKey::of_bytes(object.head().key_bytes());
                if self.is_gone(&key, object) {
                    self.drop_purged(&key, object);
                }
            }
            match next {
                Some(next) => sweep.entry = next,
                None => (sweep.shard, sweep.entry) = (sweep.shard + 1, 0),
            }
            if sweep.shard == SHARDS {
                return Some(std::mem::take(sweep).newest);
            }
        }
        None
    }

    /// Removes everything.
    pub fn clear(&self) {
        for slot in &self.slots {
            let mut gone = Evicted::new();
            let freed = {
                let mut shard = slot.shard.lock();
                let freed = shard.clear(&mut gone);
                self.settle(slot, &shard);
                freed
            };
            self.release(freed, gone.len() as u64);
        }
    }

    /// The counters now.
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            objects: self.objects.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            pinned_bytes: self.pinned.load(Ordering::Relaxed),
            inserts: self.inserts.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
            purged: self.purged.load(Ordering::Relaxed),
        }
    }

    fn removal_counter(&self, key: &CacheKey) -> &AtomicU32 {
        &self.removals[(key.hash64() >> 20) as usize % REMOVAL_COUNTERS]
    }

    fn slot(&self, key: &CacheKey) -> &Slot {
        &self.slots[self.slot_number(key)]
    }

    /// The top bits choose the shard: the tables inside use the others.
    fn slot_number(&self, key: &CacheKey) -> usize {
        (key.hash64() >> 40) as usize % SHARDS
    }

    /// Whether the object wants to be pinned, still, and there is room for that.
    fn may_pin(&self, object: &StoredObject, cost: u64) -> bool {
        let room = self.settings.budget_bytes / 100 * u64::from(self.settings.pinned_percent);
        object.head().pinned_until().is_some_and(|until| until > self.latest.load(Ordering::Relaxed))
            && self.pinned.load(Ordering::Relaxed).saturating_add(cost) <= room
    }

    /// Checks the size limits and reserves room, evicting as needed. The reservation counts as one object.
    fn admit(&self, key: &CacheKey, object: &StoredObject) -> Result<u64, InsertError> {
        let cost = shard::cost(object);
        self.latest.fetch_max(object.head().response_time(), Ordering::Relaxed);
        let refusal = if self.settings.cutoff_bytes != 0 && cost > self.settings.cutoff_bytes {
            Some(InsertError::OverCutoff)
        } else if cost > self.settings.budget_bytes || !self.reserve(cost, self.slot_number(key)) {
            Some(InsertError::OverBudget)
        } else {
            None
        };
        match refusal {
            Some(error) => self.refuse(error),
            None => Ok(cost),
        }
    }

    fn refuse<T>(&self, error: InsertError) -> Result<T, InsertError> {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        Err(error)
    }

    /// Adds `cost` to the bytes in use once it fits; false if nothing is left to evict.
    fn reserve(&self, cost: u64, own: usize) -> bool {
        loop {
            let taken = self.bytes.try_update(Ordering::AcqRel, Ordering::Acquire, |bytes| {
                bytes.checked_add(cost).filter(|sum| *sum <= self.settings.budget_bytes)
            });
            if taken.is_ok() {
                self.objects.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            if !self.evict_somewhere(own) {
                return false;
            }
        }
    }

    /// Evicts from the own shard if it holds its share, else from the next one that does, else from any.
    fn evict_somewhere(&self, own: usize) -> bool {
        let share = self.settings.budget_bytes / SHARDS as u64;
        let start = self.victim.fetch_add(1, Ordering::Relaxed);
        let order = std::iter::once(own).chain((0..SHARDS).map(|i| start.wrapping_add(i) % SHARDS));
        let full = order.clone().find(|i| self.slots[*i].bytes.load(Ordering::Relaxed) > share);
        full.into_iter().chain(order).any(|i| self.evict_from(&self.slots[i]))
    }

    fn evict_from(&self, slot: &Slot) -> bool {
        let mut gone = Evicted::new();
        let freed = {
            let mut shard = slot.shard.lock();
            let freed = shard.evict(self.latest.load(Ordering::Relaxed), &mut gone);
            self.settle(slot, &shard);
            freed
        };
        self.evictions.fetch_add(gone.len() as u64, Ordering::Relaxed);
        self.release(freed, gone.len() as u64);
        freed > 0
    }

    fn settle(&self, slot: &Slot, shard: &Shard) {
        slot.bytes.store(shard.bytes(), Ordering::Relaxed);
        let (pinned, before) = (shard.pinned_bytes(), slot.pinned.load(Ordering::Relaxed));
        if pinned != before {
            slot.pinned.store(pinned, Ordering::Relaxed);
            // Wraps around where it is less than before.
            self.pinned.fetch_add(pinned.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    fn give_back(&self, reserved: u64, added: i64, replaced: u64) {
        // `added` is never more than what was reserved.
        let surplus = (i64::try_from(reserved).unwrap_or(i64::MAX) - added).max(0) as u64;
        self.release(surplus, replaced);
    }

    fn release(&self, bytes: u64, objects: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.objects.fetch_sub(objects, Ordering::Relaxed);
    }
}

/// The object with this key in it, by which it is found.
fn under(key: &CacheKey, object: Arc<StoredObject>) -> Arc<StoredObject> {
    if object.head().key_bytes() == key.as_bytes() { object } else { Arc::new(object.under(key)) }
}

impl std::fmt::Debug for RamStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RamStore").field("settings", &self.settings).field("stats", &self.stats()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Body;
    use crate::policy::SetCookiePolicy;
    use crate::rules::StoredMeta;
    use tollgate_http::{Method, Response};

    #[test]
    fn keys_whose_hashes_collide_never_serve_each_others_objects() {
        let request = Request::new(Method::Get, "http://h/".parse().expect("test URL"));
        let object = |body: &'static str| {
            let response = Response::new(200);
            let meta = StoredMeta::new(&response, 0, 0);
            let head = StoredHead::new(&request, &response, meta, SetCookiePolicy::Replay);
            Arc::new(StoredObject::new(head, Body::from_bytes(body.into())))
        };
        let store = RamStore::new(RamStoreSettings::default());
        let (one, two, three) =
            (CacheKey::with_hash(b"1", 7), CacheKey::with_hash(b"2", 7), CacheKey::with_hash(b"3", 7));
        for (key, body) in [(&one, "one"), (&two, "two")] {
            assert_eq!(store.insert(key, object(body)), Ok(()));
        }
        let body = |key: &CacheKey| match store.lookup(key, &request) {
            Lookup::Found(object) => Some(object.body().chunks().concat()),
            Lookup::Miss | Lookup::VaryMiss => None,
        };
        assert_eq!(body(&one).as_deref(), Some(&b"one"[..]));
        assert_eq!(body(&two).as_deref(), Some(&b"two"[..]));
        assert_eq!(body(&three), None);
        assert_eq!(store.remove(&one), 1);
        assert_eq!(body(&two).as_deref(), Some(&b"two"[..]));
    }
}
