//! What Tollgate lets one see: metrics, the access log, milestones, and the outcomes they share.
//!
//! Responsible for: counting ([`metrics`]), writing one line per transaction off the event threads ([`log`]), the
//! points in time of a transaction ([`milestones`]) and why it ended ([`outcome`]).
//! Not responsible for: deciding outcomes, serving metrics over HTTP, diagnostics (those are `tracing` events).
//! Invariants: nothing here blocks an event thread; no clock is read, time is an argument; each metric and each log
//! field is declared in exactly one table.

#![forbid(unsafe_code)]

pub mod log;
pub mod metrics;
pub mod milestones;
pub mod outcome;
