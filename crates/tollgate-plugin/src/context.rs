//! Per-transaction and per-session state of plugins.

use std::any::{Any, TypeId};

/// Values of any type, at most one per type: a plugin keeps its state under a type of its own.
#[derive(Default)]
pub struct Contexts(Vec<(TypeId, Box<dyn Any>)>);

impl Contexts {
    /// Stores a value; returns the one of that type that was there.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        if let Some(slot) = self.get_mut::<T>() {
            return Some(std::mem::replace(slot, value));
        }
        self.0.push((TypeId::of::<T>(), Box::new(value)));
        None
    }

    /// The value of that type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find(|(t, _)| *t == id).and_then(|(_, v)| v.downcast_ref())
    }

    /// The value of that type, to change.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let id = TypeId::of::<T>();
        self.0.iter_mut().find(|(t, _)| *t == id).and_then(|(_, v)| v.downcast_mut())
    }

    /// Takes the value of that type out.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let id = TypeId::of::<T>();
        let at = self.0.iter().position(|(t, _)| *t == id)?;
        self.0.swap_remove(at).1.downcast().ok().map(|v| *v)
    }
}

impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contexts({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_per_type() {
        let mut contexts = Contexts::default();
        assert_eq!(contexts.insert(1u8), None);
        assert_eq!(contexts.insert(2u8), Some(1));
        contexts.insert("text");
        assert_eq!(contexts.get::<u8>(), Some(&2));
        assert_eq!(contexts.remove::<&str>(), Some("text"));
        assert_eq!(contexts.get::<&str>(), None);
    }
}
