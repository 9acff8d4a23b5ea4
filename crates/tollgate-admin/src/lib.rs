//! The admin listener: what an operator or a scraper may read of a running server. And the control socket
//! ([`control`]): what its owner may command.
//!
//! Responsible for: `GET /metrics` (Prometheus), `/metrics.json`, `/health` and `/hooks`.
//! Not responsible for: binding, what hooks there are, changing anything: every resource is read-only.
//! Entry points: [`serve`], [`control::ControlSocket::open`].
//! Invariants: an address other than loopback is refused unless asked for; a connection limit and time limits bound
//! what clients of this listener can cost; the data path never waits for it.

#![forbid(unsafe_code)]

mod connection;
pub mod control;
mod routes;
mod server;

pub use self::routes::{AdminState, Health};
pub use self::server::{AdminError, Exposure, SHUTDOWN_GRACE, serve};
