//! The C plugin ABI of Traffic Server 9.2, on this engine.
//!
//! Responsible for: the symbols that C plugins import, their loading, and carrying calls between them and the engine.
//! Not responsible for: what a hook point means (`tollgate-plugin`), running transactions (`tollgate-proxy`).
//! Entry points: [`Loader`] (given to the engine's plugin set), [`threads::set_event_threads`] (before it is used),
//! [`SYMBOLS`] (what is exported, and its state).
//! Invariants: every function with a C signature is fenced (a panic never crosses); every handle that a plugin gives
//! is checked before use; nothing of ours is locked while plugin code runs; no `TS` name appears in any other crate.

pub mod account;
pub mod connect;
pub mod cont;
pub mod diags;
pub mod fence;
pub mod hook;
pub mod iobuf;
pub mod load;
pub mod lock_order;
pub mod message;
pub mod mutex;
pub mod plugin;
pub mod schedule;
pub mod server;
pub mod services;
pub mod slots;
pub mod ssn;
mod stub;
pub mod symbols;
pub mod threads;
pub mod txn;
pub mod watch;

pub use load::{Kind, Loader, Purpose, verify};
pub use server::{SetRecord, configure, finish_logs, prepare, reopen_logs};
pub use stub::missed;
pub use symbols::{SYMBOLS, State, Symbol};
