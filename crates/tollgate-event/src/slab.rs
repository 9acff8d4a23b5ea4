//! Values with a number, in pieces of memory that stay where they are as more are added.
//!
//! Responsible for: a place for each value, and telling a value from those that had its place before.
//! Invariants: a [`Key`] finds the value that it was made for or nothing; growing copies nothing and leaves nothing
//! behind.

/// Places to a piece.
const PIECE: usize = 256;

/// What finds a value again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    at: u32,
    /// How many had the place before.
    uses: u32,
}

impl Key {
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.uses) << 32 | u64::from(self.at)
    }

    pub(crate) fn from_bits(bits: u64) -> Key {
        Key { at: bits as u32, uses: (bits >> 32) as u32 }
    }
}

#[derive(Debug)]
struct Place<T> {
    value: Option<T>,
    uses: u32,
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    pieces: Vec<Vec<Place<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pieces: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Adds the value that `make` makes for its key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let at = self.free.pop().unwrap_or_else(|| self.add_place());
        let place = &mut self.pieces[at as usize / PIECE][at as usize % PIECE];
        let key = Key { at, uses: place.uses };
        place.value = Some(make(key));
        key
    }

    fn add_place(&mut self) -> u32 {
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let piece = &mut self.pieces[before / PIECE];
        piece.push(Place { value: None, uses: 0 });
        (before + piece.len() - 1) as u32
    }

    fn place(&mut self, key: Key) -> Option<&mut Place<T>> {
        let place = self.pieces.get_mut(key.at as usize / PIECE)?.get_mut(key.at as usize % PIECE)?;
        (place.uses == key.uses).then_some(place)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let place = self.pieces.get(key.at as usize / PIECE)?.get(key.at as usize % PIECE)?;
        place.value.as_ref().filter(|_| place.uses == key.uses)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.place(key)?.value.as_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.place(key)?;
        let value = place.value.take()?;
        place.uses = place.uses.wrapping_add(1);
        self.free.push(key.at);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn a_key_finds_its_value_as_long_as_it_is_there(ops in prop::collection::vec((0u8..3, any::<prop::sample::Index>()), 1..1500)) {
            let (mut slab, mut model, mut keys) = (Slab::default(), HashMap::new(), Vec::new());
            for (number, (op, which)) in ops.into_iter().enumerate() {
                if op < 2 || keys.is_empty() {
                    let key = slab.insert_with(|_| number);
                    prop_assert_eq!(Key::from_bits(key.to_bits()), key);
                    keys.push(key);
                    model.insert(key.to_bits(), number);
                } else {
                    let key = keys[which.index(keys.len())];
                    prop_assert_eq!(slab.remove(key), model.remove(&key.to_bits()));
                }
            }
            for key in keys {
                prop_assert_eq!(slab.get(key), model.get(&key.to_bits()));
                prop_assert_eq!(slab.get_mut(key).copied(), model.get(&key.to_bits()).copied());
            }
        }
    }
}
