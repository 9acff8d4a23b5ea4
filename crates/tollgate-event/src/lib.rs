//! Event threads: their loop, and what their tasks wait for.
//!
//! Responsible for: one OS thread per core with its own event loop, timers, sockets and listeners; DNS; work that
//! blocks (task threads).
//! Not responsible for: HTTP.
//! Invariants: on the data path only this crate names sockets; a connection never leaves the thread that accepted or
//! opened it; every wait on a connection can be given a limit ([`net::Conn::set_timeout`]).
#![deny(unsafe_code)]

pub mod clock;
pub mod dns;
mod event_loop;
pub mod mailbox;
pub mod net;
mod outbox;
pub mod pool;
mod reactor;
mod slab;
pub mod sys;
pub mod task;
pub mod thread;
pub mod timer;

pub use event_loop::{spawn_local, yield_now};
pub use thread::EventThread;
