//! One shard of the RAM store: a hash table over a slab of entries in FIFO queues.
//!
//! Responsible for: S3-FIFO (Yang et al., SOSP 2023). New keys enter the *small* queue, a tenth of the room. At its
//! end a key that was hit moves to *main*, others leave and are remembered in *ghost*; a key that
//! comes back while it is remembered enters main at once. At main's end a key that was hit goes round again. A scan
//! passes through small only. Keys that are *pinned* have a queue of their own: they are not evicted until their time is
//! over, and go to small then.
//! Not responsible for: locking, the budget over all shards.
//! Invariants: the first entry of a key is in the table and in exactly one queue, those of its other alternates hang on
//! it; a queue's `bytes` is the sum of the costs of all objects of its keys.

use super::{Alternates, Evicted, Lookup};
use crate::key::CacheKey;
use crate::negotiate::{self, Negotiation};
use crate::object::StoredObject;
use hashbrown::{HashMap, HashTable};
use std::collections::VecDeque;
use std::sync::Arc;
use tollgate_http::HeaderBlock;

/// "No entry" in a link.
const NIL: u32 = u32::MAX;
/// Greatest count of hits: two bits.
const MAX_HITS: u32 = 3;
/// Hits in small that earn a place in main. The paper takes 2; 1 spares a popular object its first second fetch.
const PROMOTE_HITS: u32 = 1;
/// Keys remembered after eviction, at least.
const MIN_GHOSTS: usize = 256;

/// Bytes that an entry takes beside its object: slab and table, with the room that they keep free.
pub(super) const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<Entry>() / SLAB_ROOM + 8;
/// The part of the slab that is kept free at most when it grows.
const SLAB_ROOM: usize = 8;
/// Bits of the hash that an entry keeps; the others say how often its key was hit, and in which queue it is.
const HASH_BITS: u32 = u32::MAX >> 4;
const HITS_SHIFT: u32 = 28;
const PLACE_SHIFT: u32 = 30;

/// One object.
struct Entry {
    /// `None`: the entry is free.
    object: Option<Arc<StoredObject>>,
    newer: u32,
    older: u32,
    /// The next older alternate of the key, or the next free entry.
    next: u32,
    /// See [`HASH_BITS`].
    bits: u32,
}

const _: () = assert!(size_of::<Entry>() == 24, "what each object takes");

/// The queue that a key is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Small,
    Main,
    Pinned,
}

/// The bits of a key's hash that an entry keeps.
fn bits_of(key: &CacheKey) -> u32 {
    key.hash64() as u32 & HASH_BITS
}

/// The hash that the table goes by.
fn table_hash(bits: u32) -> u64 {
    u64::from(bits & HASH_BITS).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Entry {
    fn hits(&self) -> u32 {
        self.bits >> HITS_SHIFT & MAX_HITS
    }

    fn set_hits(&mut self, hits: u32) {
        self.bits = self.bits & !(MAX_HITS << HITS_SHIFT) | hits.min(MAX_HITS) << HITS_SHIFT;
    }

    fn place(&self) -> Place {
        match self.bits >> PLACE_SHIFT {
            0 => Place::Small,
            1 => Place::Main,
            _ => Place::Pinned,
        }
    }

    fn set_place(&mut self, place: Place) {
        self.bits = self.bits & (u32::MAX >> 2) | (place as u32) << PLACE_SHIFT;
    }
}

/// What an object counts for.
pub(super) fn cost(object: &StoredObject) -> u64 {
    (object.memory_bytes() + ENTRY_BYTES) as u64
}

/// A FIFO through the entries' links.
#[derive(Clone, Copy)]
struct Queue {
    newest: u32,
    oldest: u32,
    bytes: u64,
}

impl Queue {
    const EMPTY: Queue = Queue { newest: NIL, oldest: NIL, bytes: 0 };
}

pub(super) struct Shard {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    free: u32,
    small: Queue,
    main: Queue,
    pinned: Queue,
    ghost: Ghost,
    max_alternates: usize,
    small_share: u64,
}

impl Shard {
    pub(super) fn new(max_alternates: usize, share: u64) -> Shard {
        Shard {
            table: HashTable::new(),
            entries: Vec::new(),
            free: NIL,
            small: Queue::EMPTY,
            main: Queue::EMPTY,
            pinned: Queue::EMPTY,
            ghost: Ghost::default(),
            max_alternates,
            small_share: share / 10,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.small.bytes + self.main.bytes + self.pinned.bytes
    }

    pub(super) fn pinned_bytes(&self) -> u64 {
        self.pinned.bytes
    }

    /// Keeps a key from being evicted as long as one of its alternates says.
    pub(super) fn pin(&mut self, key: &CacheKey) {
        if let Some(first) = self.find(key) {
            self.unlink(first);
            self.link(first, Place::Pinned);
        }
    }

    pub(super) fn lookup(
        &mut self,
        key: &CacheKey,
        request: &HeaderBlock,
        negotiation: &Negotiation,
    ) -> Lookup {
        let Some(first) = self.find(key) else { return Lookup::Miss };
        let fitting = self.chain(first).filter(|object| object.head().matches_by(request, negotiation));
        let Some(found) = negotiate::best(fitting, |object| object.head(), request) else {
            return Lookup::VaryMiss;
        };
        let found = Arc::clone(found);
        self.note_hit(first);
        Lookup::Found(found)
    }

    pub(super) fn alternates(&mut self, key: &CacheKey) -> Alternates {
        let Some(first) = self.find(key) else { return Alternates::new() };
        self.note_hit(first);
        self.chain(first).map(Arc::clone).collect()
    }

    fn note_hit(&mut self, first: u32) {
        if let Some(entry) = self.entry_mut(first) {
            entry.set_hits(entry.hits() + 1);
        }
    }

    pub(super) fn contains(&self, key: &CacheKey) -> bool {
        self.find(key).is_some()
    }

    /// Adds an alternate; returns by how many bytes the shard grew. What it replaces goes to `gone`.
    pub(super) fn insert(&mut self, key: &CacheKey, object: Arc<StoredObject>, gone: &mut Evicted) -> i64 {
        let before = self.bytes();
        match self.find(key) {
            Some(first) => self.add_alternate(first, object, gone),
            None => self.add_key(key, object),
        }
        self.bytes() as i64 - before as i64
    }

    /// Puts `new` in the place of `old`; returns by how many bytes the shard grew, `None` if `old` is not there.
    pub(super) fn replace(
        &mut self,
        key: &CacheKey,
        old: &Arc<StoredObject>,
        new: Arc<StoredObject>,
        gone: &mut Evicted,
    ) -> Option<i64> {
        let first = self.find(key)?;
        let at = self.position(first, old)?;
        let before = self.bytes();
        self.change(first, |shard| {
            // The newest first: before it is taken off, so that the key stays.
            shard.put_first(first, new);
            gone.extend(shard.take_off(first, at + 1));
        });
        Some(self.bytes() as i64 - before as i64)
    }

    /// Removes a key; returns the bytes freed.
    pub(super) fn remove(&mut self, key: &CacheKey, gone: &mut Evicted) -> u64 {
        self.find(key).map_or(0, |first| self.take_out(first, gone))
    }

    /// Removes one alternate; returns the bytes freed, 0 if it is not there.
    pub(super) fn remove_alternate(
        &mut self,
        key: &CacheKey,
        object: &Arc<StoredObject>,
        gone: &mut Evicted,
    ) -> u64 {
        let Some(first) = self.find(key) else { return 0 };
        let Some(at) = self.position(first, object) else { return 0 };
        if self.chain(first).nth(1).is_none() {
            return self.take_out(first, gone);
        }
        let before = self.bytes();
        self.change(first, |shard| gone.extend(shard.take_off(first, at)));
        before - self.bytes()
    }

    /// Calls `change` for each alternate of a key; tells how many there are.
    pub(super) fn each_alternate(&self, key: &CacheKey, change: impl Fn(&StoredObject)) -> usize {
        let Some(first) = self.find(key) else { return 0 };
        self.chain(first).inspect(|object| change(object)).count()
    }

    /// The objects of at most `most` places from `start` on, and where to go on.
    pub(super) fn some(&self, start: usize, most: usize) -> (Vec<Arc<StoredObject>>, Option<usize>) {
        let end = (start + most).min(self.entries.len());
        let places = self.entries.get(start..end).unwrap_or_default().iter();
        let some = places.filter_map(|entry| entry.object.clone());
        (some.collect(), (end < self.entries.len()).then_some(end))
    }

    pub(super) fn clear(&mut self, gone: &mut Evicted) -> u64 {
        let freed = self.bytes();
        gone.extend(self.entries.drain(..).filter_map(|entry| entry.object));
        *self = Shard { small_share: self.small_share, ..Shard::new(self.max_alternates, 0) };
        freed
    }

    /// Removes the key whose turn it is; returns the bytes freed, 0 when there is none.
    pub(super) fn evict(&mut self, now: i64, gone: &mut Evicted) -> u64 {
        self.unpin(now);
        loop {
            let from_small = self.small.bytes > self.small_share || self.main.oldest == NIL;
            let index = if from_small { self.small.oldest } else { self.main.oldest };
            let Some(entry) = self.entry_mut(index) else { return 0 };
            let hits = entry.hits();
            let goes_on = if from_small { hits >= PROMOTE_HITS } else { hits > 0 };
            if goes_on {
                entry.set_hits(if from_small { 0 } else { hits - 1 });
                self.unlink(index);
                self.link(index, Place::Main);
                continue;
            }
            let hash = entry.bits & HASH_BITS;
            if from_small {
                let limit = self.table.len().max(MIN_GHOSTS);
                self.ghost.remember(hash, limit);
            }
            return self.take_out(index, gone);
        }
    }

    /// Lets go of pinned keys whose time is over: looks at the next one, or at all if there is nothing else.
    fn unpin(&mut self, now: i64) {
        let last = self.pinned.newest;
        loop {
            let index = self.pinned.oldest;
            if index == NIL {
                return;
            }
            let place = if self.is_pinned(index, now) { Place::Pinned } else { Place::Small };
            self.unlink(index);
            self.link(index, place);
            let has_others = self.main.oldest != NIL || self.small.oldest != NIL;
            if has_others || index == last {
                return;
            }
        }
    }

    fn is_pinned(&self, first: u32, now: i64) -> bool {
        self.chain(first).any(|object| object.head().pinned_until().is_some_and(|until| until > now))
    }

    fn find(&self, key: &CacheKey) -> Option<u32> {
        let bits = bits_of(key);
        let same = |index: &u32| {
            self.entries.get(*index as usize).is_some_and(|entry| {
                entry.bits & HASH_BITS == bits
                    && entry.object.as_ref().is_some_and(|object| object.head().key_bytes() == key.as_bytes())
            })
        };
        self.table.find(table_hash(bits), same).copied()
    }

    fn entry_mut(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)
    }

    /// The alternates of a key, newest first.
    fn chain(&self, first: u32) -> impl Iterator<Item = &Arc<StoredObject>> {
        let mut next = first;
        std::iter::from_fn(move || {
            let entry = self.entries.get(next as usize)?;
            next = entry.next;
            entry.object.as_ref()
        })
    }

    fn position(&self, first: u32, object: &Arc<StoredObject>) -> Option<usize> {
        self.chain(first).position(|other| Arc::ptr_eq(other, object))
    }

    fn cost(&self, first: u32) -> u64 {
        self.chain(first).map(|object| cost(object)).sum()
    }

    /// A new entry, in no queue.
    fn add_entry(&mut self, entry: Entry) -> u32 {
        let index = self.free;
        if let Some(free) = self.entries.get_mut(index as usize) {
            self.free = free.next;
            *free = entry;
            return index;
        }
        if self.entries.len() == self.entries.capacity() {
            // By doubling, half of the slab would be room.
            self.entries.reserve_exact((self.entries.len() / SLAB_ROOM).max(4));
        }
        self.entries.push(entry);
        (self.entries.len() - 1) as u32
    }

    fn free_entry(&mut self, index: u32) -> Option<Entry> {
        let empty = Entry { object: None, newer: NIL, older: NIL, next: self.free, bits: 0 };
        let entry = std::mem::replace(self.entries.get_mut(index as usize)?, empty);
        self.free = index;
        Some(entry)
    }

    fn add_key(&mut self, key: &CacheKey, object: Arc<StoredObject>) {
        let bits = bits_of(key);
        let place = if self.ghost.forget(bits) { Place::Main } else { Place::Small };
        let index = self.add_entry(Entry { object: Some(object), newer: NIL, older: NIL, next: NIL, bits });
        let entries = &self.entries;
        let hash_at = |i: &u32| entries.get(*i as usize).map_or(0, |entry| table_hash(entry.bits));
        self.table.insert_unique(table_hash(bits), index, hash_at);
        self.link(index, place);
    }

    fn add_alternate(&mut self, first: u32, object: Arc<StoredObject>, gone: &mut Evicted) {
        let max = self.max_alternates;
        self.change(first, |shard| {
            shard.put_first(first, Arc::clone(&object));
            let mut at = 1;
            loop {
                let Some(old) = shard.chain(first).nth(at) else { break };
                if at < max && !object.head().replaces(old.head()) {
                    at += 1;
                    continue;
                }
                gone.extend(shard.take_off(first, at));
            }
        });
        let is_in_pinned = self.entry_mut(first).is_some_and(|entry| entry.place() == Place::Pinned);
        if is_in_pinned && !self.is_pinned(first, i64::MIN) {
            self.unlink(first);
            self.link(first, Place::Small);
        }
    }

    /// Puts an alternate before those of a key; the first entry stays the first.
    fn put_first(&mut self, first: u32, object: Arc<StoredObject>) {
        let Some(entry) = self.entry_mut(first) else { return };
        let (older, next) = (entry.object.replace(object), entry.next);
        let behind = self.add_entry(Entry { object: older, newer: NIL, older: NIL, next, bits: 0 });
        if let Some(entry) = self.entry_mut(first) {
            entry.next = behind;
        }
    }

    /// Takes an alternate off a key that has more than one; the first entry stays the first.
    fn take_off(&mut self, first: u32, at: usize) -> Option<Arc<StoredObject>> {
        // Of the first one the content is exchanged with that of the second.
        let mut before = first;
        for _ in 1..at {
            before = self.entries.get(before as usize)?.next;
        }
        let behind = self.free_entry(self.entries.get(before as usize)?.next)?;
        let entry = self.entry_mut(before)?;
        entry.next = behind.next;
        if at == 0 { std::mem::replace(&mut entry.object, behind.object) } else { behind.object }
    }

    /// Changes the alternates of a key and keeps its queue's byte count right.
    fn change(&mut self, first: u32, change: impl FnOnce(&mut Shard)) {
        let Some(place) = self.entry_mut(first).map(|entry| entry.place()) else { return };
        let before = self.cost(first);
        change(self);
        let after = self.cost(first);
        let queue = self.queue(place);
        queue.bytes = queue.bytes - before + after;
    }

    fn take_out(&mut self, first: u32, gone: &mut Evicted) -> u64 {
        self.unlink(first);
        let freed = self.cost(first);
        let Some(hash) = self.entry_mut(first).map(|entry| table_hash(entry.bits)) else { return 0 };
        if let Ok(found) = self.table.find_entry(hash, |i| *i == first) {
            found.remove();
        }
        let mut next = first;
        while let Some(entry) = self.free_entry(next) {
            gone.extend(entry.object);
            next = entry.next;
        }
        freed
    }

    fn queue(&mut self, place: Place) -> &mut Queue {
        match place {
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
            Place::Pinned => &mut self.pinned,
        }
    }

    /// Puts a key at the newest end of a queue.
    fn link(&mut self, index: u32, place: Place) {
        let newest = self.queue(place).newest;
        let cost = self.cost(index);
        let Some(entry) = self.entry_mut(index) else { return };
        (entry.newer, entry.older) = (NIL, newest);
        entry.set_place(place);
        if let Some(neighbour) = self.entry_mut(newest) {
            neighbour.newer = index;
        }
        let queue = self.queue(place);
        queue.newest = index;
        if queue.oldest == NIL {
            queue.oldest = index;
        }
        queue.bytes += cost;
    }

    fn unlink(&mut self, index: u32) {
        let cost = self.cost(index);
        let Some(entry) = self.entry_mut(index) else { return };
        let (newer, older, place) = (entry.newer, entry.older, entry.place());
        if let Some(neighbour) = self.entry_mut(newer) {
            neighbour.older = older;
        }
        if let Some(neighbour) = self.entry_mut(older) {
            neighbour.newer = newer;
        }
        let queue = self.queue(place);
        if queue.newest == index {
            queue.newest = older;
        }
        if queue.oldest == index {
            queue.oldest = newer;
        }
        queue.bytes -= cost;
    }
}

/// Hashes of keys that left the small queue, in order. A key may be queued more than once; `turns` tells which
/// of its places counts.
#[derive(Default)]
struct Ghost {
    order: VecDeque<(u32, u64)>,
    turns: HashMap<u32, u64, foldhash::fast::FixedState>,
    next_turn: u64,
}

impl Ghost {
    fn remember(&mut self, hash: u32, limit: usize) {
        self.next_turn += 1;
        self.turns.insert(hash, self.next_turn);
        self.order.push_back((hash, self.next_turn));
        while self.order.len() > limit {
            if let Some((hash, turn)) = self.order.pop_front()
                && self.turns.get(&hash) == Some(&turn)
            {
                self.turns.remove(&hash);
            }
        }
    }

    fn forget(&mut self, hash: u32) -> bool {
        self.turns.remove(&hash).is_some()
    }
}
