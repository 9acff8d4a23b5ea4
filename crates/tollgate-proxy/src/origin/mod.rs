//! Connections to next hops.
//!
//! Responsible for: one connection with its counters; reading a response body and giving the connection back.
//! Not responsible for: which address (`connect`), which request (`txn::fetch`).

pub(crate) mod connect;
pub(crate) mod limit;
pub(crate) mod pool;

use crate::thread::EngineThread;
use crate::wire::{BodyReader, HeadReadError, Wire};
use bytes::Bytes;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tollgate_event::net::Conn;
use tollgate_http::h1::Limits;
use tollgate_http::{HeaderBlock, Response, h1};
use tollgate_obs::metrics::{GaugeGuard, Metric};
use tollgate_plugin::{BodyError, OriginFacts};

/// A connection to an origin, with the request it is working on or idle.
pub(crate) struct OriginConn {
    pub(crate) wire: Wire,
    pub(crate) addr: SocketAddr,
    /// The host the connection was made for, lower case.
    pub(crate) host: Arc<str>,
    /// Requests sent on it before the current one.
    pub(crate) used: u32,
    /// Its place under `per_server.connection.max`.
    pub(crate) permit: Option<limit::Permit>,
    /// Handlers see it.
    pub(crate) seen: Option<Seen>,
    _active: GaugeGuard,
}

impl OriginConn {
    fn new(conn: Conn, addr: SocketAddr, host: Arc<str>, thread: &EngineThread) -> OriginConn {
        thread.metrics.inc(Metric::OriginConnections);
        OriginConn {
            wire: Wire::new(conn),
            addr,
            host,
            used: 0,
            permit: None,
            seen: None,
            _active: thread.metrics.hold(Metric::OriginConnectionsActive),
        }
    }

    /// Tells handlers what was sent.
    pub(crate) fn show_sent(&self, header: usize, body: usize) {
        if let Some(Seen(facts)) = &self.seen {
            facts.set_request_header_bytes(header as u64);
            facts.set_request_body_bytes(body as u64);
        }
    }

    /// Reads one response header (interim ones included).
    pub(crate) async fn read_response(&mut self, limits: &Limits) -> Result<Box<Response>, HeadReadError> {
        let head = match self.wire.take_whole_head(limits, may_start_response) {
            Some(head) => head,
            None => Box::pin(self.wire.read_head(limits, may_start_response)).await?,
        };
        if let Some(Seen(facts)) = &self.seen {
            facts.set_response_header_bytes(head.len() as u64);
        }
        match h1::parse_response(head, limits) {
            Ok(response) => Ok(Box::write(Box::new_uninit(), response)),
            Err(error) => Err(HeadReadError::Bad(error)),
        }
    }
}

/// What handlers see of a connection, for as long as the transaction has it.
pub(crate) struct Seen(pub(crate) Arc<OriginFacts>);

impl Drop for Seen {
    fn drop(&mut self) {
        self.0.set_fd(-1);
    }
}

/// Whether bytes can be the start of a status line.
fn may_start_response(buffer: &[u8]) -> bool {
    let start = b"HTTP/1.";
    let n = buffer.len().min(start.len());
    buffer[..n] == start[..n] || buffer == b"\r"
}

/// A response body on its connection. When it has been read to its end and the connection may be kept, the
/// connection goes back to the pool at once; dropped earlier, it is closed.
pub(crate) struct OriginBody {
    conn: Option<Box<OriginConn>>,
    reader: BodyReader,
    trailers: Option<Box<HeaderBlock>>,
    keep: bool,
    thread: Rc<EngineThread>,
    received: u64,
}

impl OriginBody {
    /// A body read by `reader`. `keep`: the connection can be used again afterwards.
    pub(crate) fn new(
        conn: Box<OriginConn>,
        reader: BodyReader,
        keep: bool,
        thread: Rc<EngineThread>,
    ) -> OriginBody {
        let mut body = OriginBody { conn: Some(conn), reader, trailers: None, keep, thread, received: 0 };
        body.release_if_done();
        body
    }

    fn release_if_done(&mut self) {
        if !self.reader.is_done() {
            return;
        }
        let Some(mut conn) = self.conn.take() else { return };
        self.thread.metrics.add(Metric::OriginResponseBytes, std::mem::take(&mut conn.wire.received));
        drop(conn.seen.take());
        if self.keep && !conn.wire.has_unread() {
            self.thread.pool.put(conn, &self.thread);
        }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let Some(conn) = &mut self.conn else { return Poll::Ready(Ok(None)) };
        let result = ready!(self.reader.poll_next(&mut conn.wire, cx, &mut self.trailers));
        if let Ok(Some(piece)) = &result {
            self.received += piece.len() as u64;
            if let Some(Seen(facts)) = &conn.seen {
                facts.add_response_body_bytes(piece.len() as u64);
            }
        }
        self.release_if_done();
        Poll::Ready(result)
    }

    pub(crate) fn remaining(&self) -> Option<u64> {
        self.reader.remaining()
    }

    pub(crate) fn take_trailers(&mut self) -> Option<HeaderBlock> {
        self.trailers.take().map(|fields| *fields)
    }

    /// Whether the body has been read to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.reader.is_done()
    }
}

impl Drop for OriginBody {
    fn drop(&mut self) {
        if let Some(conn) = &self.conn {
            self.thread.metrics.add(Metric::OriginResponseBytes, conn.wire.received);
        }
    }
}
