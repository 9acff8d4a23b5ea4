//! The engine with plugins made for the test, over loopback.

mod alternates;
mod bodies;
mod cache_key;
mod faults;
mod framing;
mod hooks;
mod overrides;
mod sequences;
mod support;
mod trace;
mod watchdog;
