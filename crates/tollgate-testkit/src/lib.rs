//! Scenario runner: scripted clients and origins around a real proxy.
//!
//! Responsible for: the scenario format (YAML, see [`model`]), playing its scripts over real sockets, starting the
//! proxy under test (or a peer program, or none), judging what each side received and reporting with a transcript.
//! Not responsible for: HTTP semantics of the proxy; the wire code here is deliberately its own, so that a fault in
//! the proxy's parser cannot hide itself.
//! Entry point: [`run_file`].
//! Invariants: no fixed ports, no sleeps that wait for an event (barriers and polled conditions instead), one
//! deadline per scenario, every process and thread started by a scenario has ended when it returns.
#![forbid(unsafe_code)]

pub mod actor;
pub mod barrier;
pub mod body;
pub mod client;
pub mod conn;
pub mod evidence;
pub mod expectations;
pub mod framing;
pub mod matcher;
pub mod message;
pub mod metrics;
pub mod model;
pub mod origin;
pub mod outcome;
pub mod peers;
pub mod process;
pub mod runner;
pub mod seen;
pub mod stage;
pub mod step;
pub mod text;
pub mod transcript;

pub use outcome::{Failure, Outcome};
pub use runner::{Target, check_file, compare_file, run_file, run_text};
