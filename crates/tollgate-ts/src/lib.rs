//! The C plugin ABI of Traffic Server 9.2, on this engine.
//!
//! Responsible for: the symbols that C plugins import, their loading, and carrying calls between them and the engine.
//! Not responsible for: what a hook point means (`tollgate-plugin`), running transactions (`tollgate-proxy`).
//! Entry points: [`Loader`] (given to the engine's plugin set), [`threads::set_event_threads`] (before it is used),
//! [`SYMBOLS`] (what is exported, and its state).
//! Invariants: every function with a C signature is fenced (a panic never crosses); every handle that a plugin gives
//! is checked before use; nothing of ours is locked while plugin code runs; no `TS` name appears in any other crate.

pub mod connect;
pub mod cont;
pub mod diags;
pub mod dirs;
pub mod fence;
pub mod hook;
pub mod iobuf;
pub mod load;
pub mod message;
pub mod mutex;
pub mod plugin;
pub mod schedule;
pub mod slots;
pub mod ssn;
mod stub;
pub mod symbols;
pub mod threads;
pub mod txn;
pub mod watch;

use std::path::Path;
use tollgate_config::{Records, ids};

pub use load::{Loader, Purpose};
pub use stub::missed;
pub use symbols::{SYMBOLS, State, Symbol};

/// Tells plugins about the configuration, before the first is started and after each reload.
pub fn prepare(records: &Records, config: &Path) {
    message::ffi::set_io_writer(iobuf::append);
    dirs::set_folders(config, Path::new(records.str(ids::PLUGIN_PLUGIN_DIR)));
    let tags = records.str(ids::DIAGS_DEBUG_TAGS);
    let wanted = records.flag(ids::DIAGS_DEBUG_ENABLED).then(|| regex::Regex::new(tags)).and_then(Result::ok);
    diags::set_debug_tags(
        wanted.map(|tags| -> Box<diags::Wanted> { Box::new(move |tag| tags.is_match(tag)) }),
    );
}
