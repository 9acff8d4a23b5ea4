//! What the load generator `bload` and the lean origin `borigin` are made of.
//!
//! Responsible for: reading responses as they arrive, latency histograms, a queue of socket events. Not responsible
//! for: what the figures mean (`cargo xtask bench`).
//!
//! Both programs run one thread and are meant to cost little, so that servers faster than wrk and nginx can be
//! measured.

#![forbid(unsafe_code)]

pub mod histogram;
pub mod poll;
pub mod response;
