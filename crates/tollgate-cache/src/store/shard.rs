//! One shard of the RAM store: a hash table over a slab of entries in two FIFO queues.
//!
//! Responsible for: S3-FIFO (Yang et al., SOSP 2023). New keys enter the *small* queue, a tenth of the room. At its
//! end a key that was hit moves to *main*, others leave and are remembered in *ghost*; a key that
//! comes back while it is remembered enters main at once. At main's end a key that was hit goes round again. A scan
//! passes through small only. Keys that are *pinned* have a queue of their own: they are not evicted until their time is
//! over, and go to small then.
//! Not responsible for: locking, the budget over all shards.
//! Invariants: an entry is in exactly one queue; `bytes` is the sum of the entries' costs.

use super::{Alternates, Evicted, Lookup};
use crate::key::CacheKey;
use crate::negotiate::{self, Negotiation};
use crate::object::StoredObject;
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use tollgate_http::HeaderBlock;

/// Objects with their keys.
type Objects = Vec<(CacheKey, Arc<StoredObject>)>;

/// "No entry" in a link.
const NIL: u32 = u32::MAX;
/// Greatest count of hits: two bits.
const MAX_HITS: u8 = 3;
/// Hits in small that earn a place in main. The paper takes 2; 1 spares a popular object its first second fetch.
const PROMOTE_HITS: u8 = 1;
/// Keys remembered after eviction, at least.
const MIN_GHOSTS: usize = 256;

/// Bytes that an entry takes beside its object: slab, table and key.
pub(super) fn entry_bytes(key: &CacheKey) -> usize {
    size_of::<Entry>() + size_of::<u32>() + 1 + key.heap_bytes()
}

struct Alternate {
    object: Arc<StoredObject>,
    cost: u64,
}

struct Entry {
    key: CacheKey,
    /// Newest first.
    alternates: SmallVec<[Alternate; 1]>,
    newer: u32,
    older: u32,
    hits: u8,
    place: Place,
}

/// The queue that an entry is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Small,
    Main,
    Pinned,
}

impl Entry {
    fn cost(&self) -> u64 {
        self.alternates.iter().map(|a| a.cost).sum()
    }

    fn is_pinned(&self, now: i64) -> bool {
        self.alternates.iter().any(|a| a.object.head().pinned_until().is_some_and(|until| until > now))
    }
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
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
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
            free: Vec::new(),
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
        if let Some(index) = self.find(key) {
            self.unlink(index);
            self.link(index, Place::Pinned);
        }
    }

    pub(super) fn lookup(
        &mut self,
        key: &CacheKey,
        request: &HeaderBlock,
        negotiation: &Negotiation,
    ) -> Lookup {
        let Some(entry) = self.find(key).and_then(|i| self.entry_mut(i)) else { return Lookup::Miss };
        let fitting = entry.alternates.iter().filter(|a| a.object.head().matches_by(request, negotiation));
        let Some(found) = negotiate::best(fitting, |a| a.object.head(), request) else {
            return Lookup::VaryMiss;
        };
        entry.hits = (entry.hits + 1).min(MAX_HITS);
        Lookup::Found(Arc::clone(&found.object))
    }

    pub(super) fn alternates(&mut self, key: &CacheKey) -> Alternates {
        let Some(entry) = self.find(key).and_then(|i| self.entry_mut(i)) else { return Alternates::new() };
        entry.hits = (entry.hits + 1).min(MAX_HITS);
        entry.alternates.iter().map(|a| Arc::clone(&a.object)).collect()
    }

    pub(super) fn contains(&self, key: &CacheKey) -> bool {
        self.find(key).is_some()
    }

    /// Adds an alternate; returns by how many bytes the shard grew. What it replaces goes to `gone`.
    pub(super) fn insert(
        &mut self,
        key: &CacheKey,
        object: Arc<StoredObject>,
        cost: u64,
        gone: &mut Evicted,
    ) -> i64 {
        let before = self.bytes();
        let alternate = Alternate { object, cost };
        match self.find(key) {
            Some(index) => self.add_alternate(index, alternate, gone),
            None => self.add_entry(key, alternate),
        }
        self.bytes() as i64 - before as i64
    }

    /// Puts `new` in the place of `old`; returns by how many bytes the shard grew, `None` if `old` is not there.
    pub(super) fn replace(
        &mut self,
        key: &CacheKey,
        old: &Arc<StoredObject>,
        new: Arc<StoredObject>,
        cost: u64,
        gone: &mut Evicted,
    ) -> Option<i64> {
        let index = self.find(key)?;
        let entry = self.entry_mut(index)?;
        let at = entry.alternates.iter().position(|a| Arc::ptr_eq(&a.object, old))?;
        let before = self.bytes();
        self.change(index, |entry| {
            gone.push(entry.alternates.remove(at).object);
            entry.alternates.insert(0, Alternate { object: new, cost });
        });
        Some(self.bytes() as i64 - before as i64)
    }

    /// Removes a key; returns the bytes freed.
    pub(super) fn remove(&mut self, key: &CacheKey, gone: &mut Evicted) -> u64 {
        self.find(key).map_or(0, |index| self.take_out(index, gone))
    }

    /// Removes one alternate; returns the bytes freed, 0 if it is not there.
    pub(super) fn remove_alternate(
        &mut self,
        key: &CacheKey,
        object: &Arc<StoredObject>,
        gone: &mut Evicted,
    ) -> u64 {
        let Some(index) = self.find(key) else { return 0 };
        let Some(entry) = self.entry_mut(index) else { return 0 };
        let Some(at) = entry.alternates.iter().position(|a| Arc::ptr_eq(&a.object, object)) else { return 0 };
        if entry.alternates.len() == 1 {
            return self.take_out(index, gone);
        }
        let before = self.bytes();
        self.change(index, |entry| gone.push(entry.alternates.remove(at).object));
        before - self.bytes()
    }

    /// Calls `change` for each alternate of a key; tells how many there are.
    pub(super) fn each_alternate(&self, key: &CacheKey, change: impl Fn(&StoredObject)) -> usize {
        let entry = self.find(key).and_then(|index| self.entries.get(index as usize)?.as_ref());
        entry.map_or(0, |entry| {
            entry.alternates.iter().for_each(|a| change(&a.object));
            entry.alternates.len()
        })
    }

    /// The objects of at most `most` places from `start` on, and where to go on.
    pub(super) fn some(&self, start: usize, most: usize) -> (Objects, Option<usize>) {
        let end = (start + most).min(self.entries.len());
        let places = self.entries.get(start..end).unwrap_or_default().iter().flatten();
        let some = places
            .flat_map(|entry| entry.alternates.iter().map(|a| (entry.key.clone(), Arc::clone(&a.object))));
        (some.collect(), (end < self.entries.len()).then_some(end))
    }

    pub(super) fn clear(&mut self, gone: &mut Evicted) -> u64 {
        let freed = self.bytes();
        for entry in self.entries.drain(..).flatten() {
            gone.extend(entry.alternates.into_iter().map(|a| a.object));
        }
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
            let goes_on = if from_small { entry.hits >= PROMOTE_HITS } else { entry.hits > 0 };
            if goes_on {
                entry.hits = if from_small { 0 } else { entry.hits - 1 };
                self.unlink(index);
                self.link(index, Place::Main);
                continue;
            }
            let hash = entry.key.hash64();
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
            let Some(entry) = self.entry_mut(index) else { return };
            let place = if entry.is_pinned(now) { Place::Pinned } else { Place::Small };
            self.unlink(index);
            self.link(index, place);
            let has_others = self.main.oldest != NIL || self.small.oldest != NIL;
            if has_others || index == last {
                return;
            }
        }
    }

    fn find(&self, key: &CacheKey) -> Option<u32> {
        let same =
            |i: &u32| self.entries.get(*i as usize).and_then(Option::as_ref).is_some_and(|e| e.key == *key);
        self.table.find(key.hash64(), same).copied()
    }

    fn entry_mut(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)?.as_mut()
    }

    fn add_entry(&mut self, key: &CacheKey, alternate: Alternate) {
        let place = if self.ghost.forget(key.hash64()) { Place::Main } else { Place::Small };
        let mut alternates = SmallVec::new();
        alternates.push(alternate);
        let entry = Entry { key: key.clone(), alternates, newer: NIL, older: NIL, hits: 0, place };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.entries.push(None);
                (self.entries.len() - 1) as u32
            }
        };
        self.entries[index as usize] = Some(entry);
        let entries = &self.entries;
        let hash_at =
            |i: &u32| entries.get(*i as usize).and_then(Option::as_ref).map_or(0, |e| e.key.hash64());
        self.table.insert_unique(key.hash64(), index, hash_at);
        self.link(index, place);
    }

    fn add_alternate(&mut self, index: u32, alternate: Alternate, gone: &mut Evicted) {
        let max = self.max_alternates;
        self.change(index, |entry| {
            let new = Arc::clone(&alternate.object);
            entry.alternates.retain(|a| {
                let keep = !new.head().replaces(a.object.head());
                if !keep {
                    gone.push(Arc::clone(&a.object));
                }
                keep
            });
            entry.alternates.insert(0, alternate);
            while entry.alternates.len() > max {
                gone.extend(entry.alternates.pop().map(|a| a.object));
            }
        });
        let was_pinned = |entry: &Entry| entry.place == Place::Pinned && !entry.is_pinned(i64::MIN);
        if self.entry_mut(index).is_some_and(|entry| was_pinned(entry)) {
            self.unlink(index);
            self.link(index, Place::Small);
        }
    }

    /// Changes an entry and keeps its queue's byte count right.
    fn change(&mut self, index: u32, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entry_mut(index) else { return };
        let (place, before) = (entry.place, entry.cost());
        change(entry);
        let after = entry.cost();
        let queue = self.queue(place);
        queue.bytes = queue.bytes - before + after;
    }

    fn take_out(&mut self, index: u32, gone: &mut Evicted) -> u64 {
        self.unlink(index);
        let Some(entry) = self.entries.get_mut(index as usize).and_then(Option::take) else { return 0 };
        if let Ok(found) = self.table.find_entry(entry.key.hash64(), |i| *i == index) {
            found.remove();
        }
        self.free.push(index);
        let freed = entry.cost();
        gone.extend(entry.alternates.into_iter().map(|a| a.object));
        freed
    }

    fn queue(&mut self, place: Place) -> &mut Queue {
        match place {
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
            Place::Pinned => &mut self.pinned,
        }
    }

    /// Puts an entry at the newest end of a queue.
    fn link(&mut self, index: u32, place: Place) {
        let newest = self.queue(place).newest;
        let Some(entry) = self.entry_mut(index) else { return };
        (entry.newer, entry.older, entry.place) = (NIL, newest, place);
        let cost = entry.cost();
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
        let Some(entry) = self.entry_mut(index) else { return };
        let (newer, older, place, cost) = (entry.newer, entry.older, entry.place, entry.cost());
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
    order: VecDeque<(u64, u64)>,
    turns: HashMap<u64, u64, foldhash::fast::FixedState>,
    next_turn: u64,
}

impl Ghost {
    fn remember(&mut self, hash: u64, limit: usize) {
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

    fn forget(&mut self, hash: u64) -> bool {
        self.turns.remove(&hash).is_some()
    }
}
