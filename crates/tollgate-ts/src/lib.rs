//! The C plugin ABI of Traffic Server 9.2, on this engine.
//!
//! Responsible for: the symbols that C plugins import, their loading, and carrying calls between them and the engine.
//! Not responsible for: what a hook point means (`tollgate-plugin`), running transactions (`tollgate-proxy`).
//! Invariants: every function with a C signature is fenced (a panic never crosses); every handle that a plugin gives
//! is checked before use; no `TS` name appears in any other crate.

pub mod message;
pub mod services;
