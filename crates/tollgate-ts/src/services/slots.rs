//! Handles that are checked: what C holds is never an address.
//!
//! Invariants: a number names its kind, a slot and the slot's generation; a slot is used again as late as possible; no
//! lock is held while an object is used.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Free slots kept back before one is used again.
const QUARANTINE: usize = 64;
/// LIMIT: objects of one kind.
const MOST: usize = 1 << 20;

/// The kinds, as the top byte of their numbers. Other tables of handles use others.
pub(super) mod kind {
    pub(in super::super) const TEXT_LOG: u8 = 0xb0;
    pub(in super::super) const CONFIG: u8 = 0xb1;
    pub(in super::super) const FILE: u8 = 0xb2;
    pub(in super::super) const LINE: u8 = 0xb3;
}

struct Slot<T> {
    generation: u32,
    object: Option<Arc<T>>,
}

struct Inner<T> {
    slots: Vec<Slot<T>>,
    free: VecDeque<u32>,
}

/// Objects of one kind by number.
pub(super) struct Slots<T> {
    kind: u8,
    inner: Mutex<Inner<T>>,
}

impl<T> Slots<T> {
    pub(super) fn new(kind: u8) -> Slots<T> {
        Slots { kind, inner: Mutex::new(Inner { slots: Vec::new(), free: VecDeque::new() }) }
    }

    /// Gives the object a number; `None` when there are too many.
    pub(super) fn insert(&self, object: Arc<T>) -> Option<u64> {
        let mut inner = self.inner.lock();
        let must_reuse = inner.slots.len() >= MOST;
        let at = match inner.free.len() > QUARANTINE || must_reuse {
            true => inner.free.pop_front()?,
            false => {
                inner.slots.push(Slot { generation: 0, object: None });
                inner.slots.len() as u32 - 1
            }
        };
        let slot = &mut inner.slots[at as usize];
        slot.object = Some(object);
        Some(u64::from(self.kind) << 56 | u64::from(slot.generation & 0xff_ffff) << 32 | u64::from(at))
    }

    /// The object of a number, if it lives.
    pub(super) fn get(&self, raw: u64) -> Option<Arc<T>> {
        let mut inner = self.inner.lock();
        inner.slot(self.kind, raw)?.object.clone()
    }

    /// Takes the object of a number away.
    pub(super) fn remove(&self, raw: u64) -> Option<Arc<T>> {
        let mut inner = self.inner.lock();
        let slot = inner.slot(self.kind, raw)?;
        let object = slot.object.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        inner.free.push_back(raw as u32);
        Some(object)
    }
}

impl<T> Inner<T> {
    fn slot(&mut self, kind: u8, raw: u64) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(raw as u32 as usize)?;
        let expected = u32::from(kind) << 24 | slot.generation & 0xff_ffff;
        ((raw >> 32) as u32 == expected).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_dies_with_its_object() {
        let slots = Slots::new(kind::FILE);
        let first = slots.insert(Arc::new(1)).expect("room");
        assert_eq!(slots.get(first).as_deref(), Some(&1));
        assert_eq!(slots.remove(first).as_deref(), Some(&1));
        assert!(slots.get(first).is_none() && slots.remove(first).is_none());
        for i in 0..200 {
            let other = slots.insert(Arc::new(i)).expect("room");
            assert_ne!(other, first);
            slots.remove(other);
        }
        assert!(slots.inner.lock().slots.len() < 100, "slots are used again");
        assert!(slots.get(0).is_none() && slots.get(u64::MAX).is_none());
    }

    #[test]
    fn a_number_of_another_kind_is_refused() {
        let files = Slots::new(kind::FILE);
        let logs = Slots::new(kind::TEXT_LOG);
        let file = files.insert(Arc::new(())).expect("room");
        logs.insert(Arc::new(())).expect("room");
        assert!(logs.get(file).is_none());
    }
}
