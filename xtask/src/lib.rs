//! The project's chores, started as `cargo xtask <chore>`.
//!
//! Responsible for: running every test with the set-up it needs ([`test`]), the repository's own rules
//! ([`check`]), the benchmark beside the peers ([`bench`]) and the instruction counts ([`instructions`]).
//! Not responsible for: anything that ships. Nothing that ships may depend on this crate.
//!
//! Invariants: a chore that cannot do its work fails, it never skips in silence; the last line printed is
//! `N passed, N failed`; every process started here is ended here.

#![forbid(unsafe_code)]

pub mod bench;
pub mod check;
pub mod client;
pub mod compat;
pub mod dist;
pub mod exports;
pub mod instructions;
pub mod process;
pub mod readme;
pub mod setup;
pub mod steps;
pub mod test;
pub mod workspace;
