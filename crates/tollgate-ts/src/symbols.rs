//! Every symbol that Traffic Server 9.2 exports to plugins, with its state here.
//!
//! Responsible for: the table made of `symbols.csv` at build time, the stubs of functions that are not written yet, and
//! the constants whose values stand in that file.
//! Invariants: the table refers to every symbol, so that the linker keeps them all; a function has a stub exactly
//! while the sources of this crate do not define it.

/// What there is of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A function that does its work.
    Implemented,
    /// A function that says that it is missing and gives its error value.
    Stub,
    /// A variable.
    Constant,
}

impl State {
    /// The word for it in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Implemented => "implemented",
            State::Stub => "stub",
            State::Constant => "constant",
        }
    }
}

/// One exported symbol.
#[derive(Debug)]
pub struct Symbol {
    /// The name that plugins import.
    pub name: &'static str,
    /// The group of the interface it belongs to.
    pub group: &'static str,
    /// What there is of it.
    pub state: State,
    /// The lowest tier of Debian's plugins that imports it, from 1; 0: none does.
    pub tier: u8,
    address: Address,
}

impl Symbol {
    /// Where it is.
    pub fn address(&self) -> *const () {
        self.address.0
    }
}

/// An address in the program.
#[derive(Debug)]
struct Address(*const ());

// SAFETY: the address of a function or of a variable that never changes; nothing is reached through it here.
unsafe impl Sync for Address {}

#[rustfmt::skip]
mod generated {
    use super::{Address, State, Symbol};
    include!(concat!(env!("OUT_DIR"), "/symbols.rs"));
}

pub use generated::SYMBOLS;

/// The symbol of that name.
pub fn find(name: &str) -> Option<&'static Symbol> {
    SYMBOLS.binary_search_by_key(&name, |symbol| symbol.name).ok().map(|at| &SYMBOLS[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn there_are_556_functions_and_282_variables_at_different_places() {
        let constants = SYMBOLS.iter().filter(|s| s.state == State::Constant).count();
        assert_eq!((SYMBOLS.len(), constants), (838, 282));
        // Functions that do the same may share a place; variables may not.
        let places: HashSet<_> =
            SYMBOLS.iter().filter(|s| s.state == State::Constant).map(Symbol::address).collect();
        assert_eq!(places.len(), constants);
    }

    #[test]
    fn symbols_are_found_by_name() {
        assert!(SYMBOLS.is_sorted_by_key(|s| s.name));
        assert_eq!(find("TSDebug").map(|s| s.state), Some(State::Implemented));
        assert_eq!(find("TS_MIME_FIELD_AGE").map(|s| s.state), Some(State::Constant));
        assert!(find("TSNothing").is_none());
    }

    #[test]
    fn pointers_and_numbers_have_the_values_of_the_file() {
        let file = include_str!("../symbols.csv");
        for line in file.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let symbol = find(cells[0]).expect("every row is in the table");
            match cells[1] {
                "pointer" => {
                    // SAFETY: the table says that this is a variable of this type.
                    let pointer = unsafe { *symbol.address().cast::<*const std::ffi::c_char>() };
                    if cells[4].is_empty() {
                        assert!(pointer.is_null(), "{}", cells[0]);
                    } else {
                        // SAFETY: constants point to text that ends with NUL.
                        let text = unsafe { std::ffi::CStr::from_ptr(pointer) };
                        assert_eq!(text.to_str(), Ok(cells[4]), "{}", cells[0]);
                    }
                }
                "number" => {
                    // SAFETY: the table says that this is a variable of this type.
                    let number = unsafe { *symbol.address().cast::<std::ffi::c_int>() };
                    assert_eq!(number.to_string(), cells[4], "{}", cells[0]);
                }
                _ => {}
            }
        }
    }
}
