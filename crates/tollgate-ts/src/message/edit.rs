//! Values of fields: reading and changing them, whole or by element.
//!
//! Responsible for: applying the rules of `values` to a field, and when a line is no longer printed as received.

use super::arena::Span;
use super::buffer::Buffer;
use super::error::MessageError;
use super::values::{self, Quotes};

/// Longest value, bytes (ATS: 24 bits).
const MAX_VALUE: usize = 0xff_ffff;

impl Buffer {
    /// The whole value of one field; `None` if it has none, which is not the same as an empty one.
    pub fn value(&self, field: u32) -> Option<Span> {
        self.fields[field as usize].value
    }

    /// The element of that index, or the whole value of a field that does not take lists for index 0.
    pub fn element(&self, field: u32, index: usize) -> Option<Span> {
        let value = self.value(field)?;
        if !self.fields[field as usize].takes_list() {
            return (index == 0).then_some(value);
        }
        let range = values::elements(self.text(value), Quotes::Trimmed).get(index)?.clone();
        Some(value.part(range))
    }

    /// The whole value for a negative index, an element otherwise.
    pub fn value_at(&self, field: u32, index: i32) -> Option<Span> {
        usize::try_from(index).map_or_else(|_| self.value(field), |i| self.element(field, i))
    }

    /// Number of elements.
    pub fn count_elements(&self, field: u32) -> usize {
        let list = self.fields[field as usize].takes_list();
        match self.value(field) {
            None => 0,
            Some(value) if list => values::elements(self.text(value), Quotes::Trimmed).len(),
            Some(value) => usize::from(!value.is_empty()),
        }
    }

    /// Sets or removes the whole value.
    pub fn set_value(&mut self, field: u32, value: Option<&[u8]>) -> Result<(), MessageError> {
        if value.is_some_and(|v| v.len() > MAX_VALUE) {
            return Err(MessageError::OutOfRange);
        }
        let stored = value.map(|v| self.arena.store(v));
        let field = &mut self.fields[field as usize];
        (field.value, field.line) = (stored, None);
        self.dirty.fields = true;
        Ok(())
    }

    /// Replaces an element, or the whole value for a negative index. An index out of range changes nothing.
    pub fn set_value_at(&mut self, field: u32, index: i32, value: &[u8]) -> Result<(), MessageError> {
        match usize::try_from(index) {
            Err(_) => self.set_value(field, Some(value)),
            Ok(index) => self.rebuild(field, |old| values::replace(old, index, value)),
        }
    }

    /// Inserts an element, at the end for a negative index. An index out of range changes nothing.
    pub fn insert_value(&mut self, field: u32, index: i32, value: &[u8]) -> Result<(), MessageError> {
        self.rebuild(field, |old| values::insert(old, usize::try_from(index).ok(), value))
    }

    /// Appends bytes to an element.
    pub fn extend_value(&mut self, field: u32, index: usize, more: &[u8]) -> Result<(), MessageError> {
        self.rebuild(field, |old| values::extend(old, index, more))
    }

    /// Removes an element; without any left, the field has no value.
    pub fn remove_value(&mut self, field: u32, index: usize) -> Result<(), MessageError> {
        self.rebuild(field, |old| values::remove(old, index))
    }

    fn rebuild(
        &mut self,
        field: u32,
        change: impl for<'v> FnOnce(Option<&'v [u8]>) -> Option<Option<Vec<u8>>>,
    ) -> Result<(), MessageError> {
        let old = self.value(field).map(|v| self.text(v));
        match change(old) {
            Some(new) => self.set_value(field, new.as_deref()),
            None => Ok(()),
        }
    }
}
