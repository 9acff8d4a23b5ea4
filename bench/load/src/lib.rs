//! What the load generator `bload`, the lean origin `borigin` and the relay `brelay` are made of.
//!
//! Responsible for: reading responses as they arrive, latency histograms, a queue of socket events. Not responsible
//! for: what the figures mean (`cargo xtask bench`).
//!
//! Each of them runs one thread and is meant to cost little, so that servers faster than wrk and nginx can be
//! measured.

#![forbid(unsafe_code)]

pub mod histogram;
pub mod poll;
pub mod response;
