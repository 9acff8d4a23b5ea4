//! Records, remap.config and the other configuration files, as immutable generations.
//!
//! Responsible for: the table of records, the grammar of each configuration file, and an immutable
//! generation made of them, with every problem named by file and line.
//! Not responsible for: sockets, watching files, loading plugins, deciding when to reload.
//! Entry points: `generation::load` for all of it; [`records`] for reading settings.
//! Invariants: no text, however bad, makes a parser panic; a generation is never changed once made.

#![forbid(unsafe_code)]

pub mod files;
pub mod ip;
mod problem;
pub mod records;
pub mod remap;
mod yaml;

pub use problem::{Problem, Severity};
pub use records::{Records, TxnRecords, ids};
