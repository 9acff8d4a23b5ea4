//! The engine: sessions, transactions, origins.
//!
//! Responsible for: carrying a request from the client through hooks, remapping and cache to the origin and its
//! response back; what happens when anything on that way fails.
//! Not responsible for: sockets (`tollgate-event`), rules of caching (`tollgate-cache`), files (`tollgate-config`),
//! C plugins.
//! Entry points: [`Engine`], [`serve`]; to read a transaction from top to bottom, start at `txn/mod.rs`.
//! Invariants: no lock or borrow is held while plugin code runs; every transaction ends with one
//! `TransactionEnd`; nothing ambiguous in framing is forwarded.
#![forbid(unsafe_code)]

mod ask;
mod body;
mod client;
pub mod disk;
mod engine;
mod error_page;
mod generation;
mod host;
pub mod host_status;
mod limits;
mod origin;
mod policy;
mod server;
mod session;
mod sweeper;
mod thread;
mod txn;
mod wire;

pub use ask::{Answer, Purpose};
pub use engine::Engine;
pub use generation::{Generation, GenerationParts, PluginLoader, PluginSet, PluginUse};
pub use policy::of as cache_policy;
pub use server::{ListenerSet, serve};
