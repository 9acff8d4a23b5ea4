//! Fuzz targets, and what is needed to run them without a fuzzing toolchain.
//!
//! Responsible for: the table of targets ([`targets::TARGETS`]), the seed corpus in `fuzz/corpus/TARGET/`, a small
//! mutator and a driver with a fixed seed. Not responsible for: coverage guidance; a target is a plain
//! `fn(&[u8])`, so libFuzzer can call the same functions.
//!
//! Invariants: the same seed gives the same inputs on every machine; a failing input is printed in full.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod driver;
pub mod mutator;
pub mod random;
pub mod targets;
