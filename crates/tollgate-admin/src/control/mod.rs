//! The control socket: commands of the server's owner, as JSON-RPC 2.0 over a Unix stream socket.
//!
//! Responsible for: the commands as types ([`Request`]), the envelope, the listener and the client.
//! Not responsible for: what a command does: the binary implements [`Control`].
//! Entry points: [`ControlSocket::open`] in the server, [`call`] in the command.
//! Invariants: only the server's own user and root are served; message size, connections and time are limited; one
//! message is one line; a socket that somebody answers on is never replaced, nor one of another server removed.

mod client;
mod listener;
mod rpc;

pub use client::{CallError, call};
pub use listener::{ControlSocket, SocketError};
pub use rpc::{Control, ControlError, ErrorCode, Request};

/// Longest message in bytes, either way. LIMIT: bounds what one connection costs.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;
