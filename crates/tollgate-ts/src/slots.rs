//! Handles that are checked: what C holds is never an address.
//!
//! Responsible for: giving an object a number, and finding it again while it lives.
//! Invariants: a number names its kind, a slot and the slot's generation; its top bits make it no valid address; a
//! slot is used again as late as possible; no lock is held while an object is used.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `TSCont`, `TSHttpTxn` and the like: numbers in pointers' clothes.
pub type Handle = *mut c_void;

/// The pointer that stands for a number.
pub fn pointer(raw: u64) -> Handle {
    std::ptr::without_provenance_mut(raw as usize)
}

/// The number that a pointer stands for.
pub fn number<T>(handle: *mut T) -> u64 {
    handle.addr() as u64
}

/// What a handle stands for: the top byte of its number. `0x4` to `0x9` in the top half byte are those of `message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `TSHttpTxn`.
    Transaction = 0xa0,
    /// `TSHttpSsn`.
    Session = 0xa1,
    /// `TSCont`.
    Continuation = 0xa2,
    /// `TSMutex`.
    Mutex = 0xa3,
    /// `TSAction`.
    Action = 0xa4,
    /// `TSThread`, `TSEventThread`.
    Thread = 0xa5,
    /// `TSHttpAltInfo`.
    Alternate = 0xa6,
    /// `TSIOBuffer`.
    IoBuffer = 0xa7,
    /// `TSIOBufferReader`.
    IoReader = 0xa8,
    /// `TSIOBufferBlock`.
    IoBlock = 0xa9,
}

impl Kind {
    /// The kind of a handle, if it is one of these.
    pub fn of(raw: u64) -> Option<Kind> {
        use Kind::{
            Action, Alternate, Continuation, IoBlock, IoBuffer, IoReader, Mutex, Session, Thread, Transaction,
        };
        [Transaction, Session, Continuation, Mutex, Action, Thread, Alternate, IoBuffer, IoReader, IoBlock]
            .into_iter()
            .find(|kind| *kind as u8 == (raw >> 56) as u8)
    }
}

const SHARDS: usize = 16;
/// Free slots kept back before one is used again.
const QUARANTINE: usize = 64;
/// LIMIT: objects of one kind in one shard.
const MOST: usize = 1 << 20;

struct Entry<T> {
    generation: u32,
    value: Option<Arc<T>>,
}

struct Shard<T> {
    entries: Vec<Entry<T>>,
    free: VecDeque<u32>,
}

/// All objects of one kind.
pub struct Slots<T> {
    kind: Kind,
    shards: [Mutex<Shard<T>>; SHARDS],
}

/// The shard that this thread's new objects go to.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    OWN.try_with(|own| *own).unwrap_or(0)
}

impl<T> Slots<T> {
    /// No objects yet.
    pub const fn new(kind: Kind) -> Slots<T> {
        Slots {
            kind,
            shards: [const { Mutex::new(Shard { entries: Vec::new(), free: VecDeque::new() }) }; SHARDS],
        }
    }

    /// Gives the object that `make` makes of its number a slot. `None`: there are too many.
    pub fn insert(&self, make: impl FnOnce(u64) -> Arc<T>) -> Option<Arc<T>> {
        let own = own_shard();
        let mut shard = self.shards[own].lock();
        let slot = if shard.free.len() > QUARANTINE { shard.free.pop_front() } else { None };
        let slot = match slot {
            Some(slot) => slot,
            None if shard.entries.len() < MOST => {
                shard.entries.push(Entry { generation: 0, value: None });
                (shard.entries.len() - 1) as u32
            }
            None => shard.free.pop_front()?,
        };
        let entry = &mut shard.entries[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        let raw = u64::from(self.kind as u8) << 56
            | (own as u64) << 52
            | u64::from(slot) << 32
            | u64::from(entry.generation);
        let value = make(raw);
        entry.value = Some(Arc::clone(&value));
        Some(value)
    }

    /// The object, while it lives.
    pub fn get(&self, raw: u64) -> Option<Arc<T>> {
        let shard = self.shard(raw)?.lock();
        let entry = shard.entries.get((raw >> 32) as usize & (MOST - 1))?;
        if entry.generation != raw as u32 {
            return None;
        }
        entry.value.clone()
    }

    /// Takes the object out: from now on its number is nobody's.
    pub fn remove(&self, raw: u64) -> Option<Arc<T>> {
        let mut shard = self.shard(raw)?.lock();
        let slot = (raw >> 32) as usize & (MOST - 1);
        let entry = shard.entries.get_mut(slot)?;
        if entry.generation != raw as u32 {
            return None;
        }
        let value = entry.value.take()?;
        shard.free.push_back(slot as u32);
        Some(value)
    }

    /// How many objects live.
    pub fn count(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| {
                let shard = shard.lock();
                shard.entries.len() - shard.free.len()
            })
            .sum()
    }

    fn shard(&self, raw: u64) -> Option<&Mutex<Shard<T>>> {
        ((raw >> 56) as u8 == self.kind as u8).then(|| &self.shards[(raw >> 52) as usize & (SHARDS - 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_good_until_its_object_is_removed() {
        let slots: Slots<u64> = Slots::new(Kind::Action);
        let mut first = 0;
        assert!(
            slots
                .insert(|raw| {
                    first = raw;
                    Arc::new(1)
                })
                .is_some()
        );
        assert_eq!(slots.get(first).as_deref(), Some(&1));
        assert_eq!(Kind::of(first), Some(Kind::Action));
        assert!(slots.get(first ^ 1).is_none() && slots.get(0).is_none());
        assert!(slots.remove(first).is_some());
        assert!(slots.get(first).is_none() && slots.remove(first).is_none());
        for _ in 0..QUARANTINE * 3 {
            let mut raw = 0;
            slots.insert(|r| {
                raw = r;
                Arc::new(2)
            });
            assert_ne!(raw, first);
            slots.remove(raw);
        }
        assert!(slots.get(first).is_none());
        assert_eq!(slots.count(), 0);
    }
}
