//! Records, remap.config and the other configuration files, as immutable generations.
//!
//! Responsible for: the table of records, the grammar of each configuration file, and an immutable
//! generation made of them, with every problem named by file and line.
//! Not responsible for: sockets, watching files, loading plugins, deciding when to reload.
//! Entry points: [`generation::load_from_disk`] for all of it; [`Records::int`] and its siblings with [`ids`]
//! for reading settings; [`remap::RemapTable::find`] for remapping.
//! Invariants: no text, however bad, makes a parser panic; a generation is never changed once made; files are
//! read only through a [`files::FileSource`].

#![forbid(unsafe_code)]

pub mod cache_config;
pub mod files;
pub mod generation;
pub mod hooks_config;
pub mod hosts;
pub mod ip;
pub mod ip_allow;
pub mod plugin_config;
mod problem;
pub mod records;
pub mod redirect_actions;
pub mod remap;
pub mod storage;
mod yaml;

pub use problem::{Problem, Severity};
pub use records::{Records, TxnRecords, ids};
