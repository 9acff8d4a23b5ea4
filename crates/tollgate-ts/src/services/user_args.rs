//! Values that plugins attach to transactions, sessions, connections and the process.
//!
//! Responsible for: which index is whose, by name; the values of one object ([`ArgStore`]).
//! Not responsible for: which object has which store.
//! Invariants: an index is given once and never taken back; names stay where they are, as plugins keep pointers.

use super::error::ServiceError;
use parking_lot::Mutex;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// What the values are attached to (`TSUserArgType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ArgKind {
    /// A transaction.
    Transaction = 0,
    /// A session.
    Session = 1,
    /// A connection.
    Connection = 2,
    /// The process.
    Process = 3,
}

impl ArgKind {
    /// The kind of that number.
    pub fn of(number: i32) -> Option<ArgKind> {
        use ArgKind::{Connection, Process, Session, Transaction};
        [Transaction, Session, Connection, Process].get(usize::try_from(number).ok()?).copied()
    }

    /// LIMIT: how many values an object of this kind has.
    pub const fn most(self) -> usize {
        match self {
            ArgKind::Transaction => 16,
            ArgKind::Session => 8,
            ArgKind::Connection => 4,
            ArgKind::Process => 128,
        }
    }

    /// The index of the first value.
    const fn base(self) -> i32 {
        (self as i32 + 1) * 1000
    }

    /// Which value of an object an index means.
    pub fn slot(self, index: i32) -> Option<usize> {
        let slot = usize::try_from(index.checked_sub(self.base())?).ok()?;
        (slot < self.most()).then_some(slot)
    }
}

/// The values of one object. Empty ones cost no memory.
#[derive(Debug)]
pub struct ArgStore {
    kind: ArgKind,
    values: OnceLock<Box<[AtomicPtr<c_void>]>>,
}

impl ArgStore {
    /// No values yet.
    pub const fn new(kind: ArgKind) -> ArgStore {
        ArgStore { kind, values: OnceLock::new() }
    }

    /// The value of an index; null if none was set.
    ///
    /// # Errors
    /// If the index is one for other objects.
    pub fn get(&self, index: i32) -> Result<*mut c_void, ServiceError> {
        let slot = self.kind.slot(index).ok_or(ServiceError::WrongKind)?;
        let null = std::ptr::null_mut();
        Ok(self.values.get().map_or(null, |values| values[slot].load(Ordering::Acquire)))
    }

    /// Sets the value of an index.
    ///
    /// # Errors
    /// If the index is one for other objects.
    pub fn set(&self, index: i32, value: *mut c_void) -> Result<(), ServiceError> {
        let slot = self.kind.slot(index).ok_or(ServiceError::WrongKind)?;
        let fresh = || (0..self.kind.most()).map(|_| AtomicPtr::default()).collect();
        self.values.get_or_init(fresh)[slot].store(value, Ordering::Release);
        Ok(())
    }
}

#[derive(Debug)]
struct Named {
    name: CString,
    description: CString,
}

/// Name and description of an index, for C. They stay for the life of the table.
#[derive(Clone, Copy, Debug)]
pub struct ArgTexts {
    /// The name.
    pub name: *const c_char,
    /// The description; empty if there is none.
    pub description: *const c_char,
}

impl Named {
    fn texts(&self) -> ArgTexts {
        ArgTexts { name: self.name.as_ptr(), description: self.description.as_ptr() }
    }
}

/// Who has which index.
#[derive(Debug)]
pub struct UserArgs {
    named: [Mutex<Vec<Named>>; 4],
    process: ArgStore,
}

impl Default for UserArgs {
    fn default() -> UserArgs {
        UserArgs { named: Default::default(), process: ArgStore::new(ArgKind::Process) }
    }
}

impl UserArgs {
    /// The index of that name, a new one if it has none; `None`: all are taken.
    pub fn reserve(&self, kind: ArgKind, name: &CStr, description: Option<&CStr>) -> Option<i32> {
        let mut named = self.named[kind as usize].lock();
        let at = match named.iter().position(|n| n.name.as_c_str() == name) {
            Some(at) => at,
            None if named.len() >= kind.most() => return None,
            None => {
                named.push(Named { name: name.into(), description: description.unwrap_or_default().into() });
                named.len() - 1
            }
        };
        Some(kind.base() + at as i32)
    }

    /// Name and description of an index.
    pub fn lookup(&self, kind: ArgKind, index: i32) -> Option<ArgTexts> {
        let slot = kind.slot(index)?;
        self.named[kind as usize].lock().get(slot).map(Named::texts)
    }

    /// Index and texts of a name.
    pub fn lookup_name(&self, kind: ArgKind, name: &CStr) -> Option<(i32, ArgTexts)> {
        let named = self.named[kind as usize].lock();
        let at = named.iter().position(|n| n.name.as_c_str() == name)?;
        Some((kind.base() + at as i32, named[at].texts()))
    }

    /// The values of the process.
    pub fn process(&self) -> &ArgStore {
        &self.process
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_indices_and_its_limit() {
        let args = UserArgs::default();
        for (number, (first, most)) in [(1000, 16), (2000, 8), (3000, 4), (4000, 128)].into_iter().enumerate()
        {
            let kind = ArgKind::of(number as i32).expect("a kind");
            for i in 0..most {
                let name = CString::new(format!("{i}")).expect("no NUL");
                assert_eq!(args.reserve(kind, &name, None), Some(first + i));
            }
            assert_eq!(args.reserve(kind, c"more", None), None);
            assert_eq!(args.reserve(kind, c"1", None), Some(first + 1));
        }
        assert!(ArgKind::of(4).is_none() && ArgKind::of(-1).is_none());
    }

    #[test]
    fn values_are_per_object_and_index() {
        let (one, other) = (ArgStore::new(ArgKind::Session), ArgStore::new(ArgKind::Session));
        let value = std::ptr::without_provenance_mut(7);
        assert_eq!(one.set(2003, value), Ok(()));
        assert_eq!(one.get(2003), Ok(value));
        assert_eq!(one.get(2002), Ok(std::ptr::null_mut()));
        assert_eq!(other.get(2003), Ok(std::ptr::null_mut()));
    }

    #[test]
    fn an_index_of_another_kind_is_refused() {
        let store = ArgStore::new(ArgKind::Session);
        for index in [1003, 1999, 2008, 3000, i32::MIN, i32::MAX, 0, -1] {
            assert_eq!(store.get(index), Err(ServiceError::WrongKind));
            assert_eq!(store.set(index, std::ptr::null_mut()), Err(ServiceError::WrongKind));
        }
    }
}
