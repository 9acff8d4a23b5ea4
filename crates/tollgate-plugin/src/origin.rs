//! The way to the origin, as plugins see and change it.
//!
//! Responsible for: what handlers may ask of it ([`OriginWishes`]), what is known of it ([`OriginFacts`]).
//! Not responsible for: obeying, counting (the engine).
//! Invariant: facts may be read on any thread, also while a body is on its way.

use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

/// What handlers ask of the way to the origin. What is not asked for is as the records say.
#[derive(Clone, Debug, Default)]
pub struct OriginWishes {
    /// How long looking the name up may take. Up to CACHE_LOOKUP_COMPLETE.
    pub dns_timeout: Option<Duration>,
    /// How long an attempt to connect may take. Up to OS_DNS.
    pub connect_timeout: Option<Duration>,
    /// How long the origin may say nothing. Up to SEND_REQUEST_HDR.
    pub silence_timeout: Option<Duration>,
    /// How long the exchange with the origin may take. Up to SEND_REQUEST_HDR.
    pub active_timeout: Option<Duration>,
    /// Our own address of a new connection; port 0: any. Up to OS_DNS.
    pub source: Option<SocketAddr>,
    /// The connection is not kept for others. Up to READ_RESPONSE_HDR.
    pub is_private: bool,
    /// Another proxy that is asked in the origin's place: host and port. Up to OS_DNS.
    pub parent: Option<(Box<str>, u16)>,
    /// The body of a request that has none. Up to SEND_REQUEST_HDR.
    pub body: Option<Bytes>,
}

/// What is known of the exchange with the origin.
#[derive(Debug)]
pub struct OriginFacts {
    fd: AtomicI32,
    request_header: AtomicU64,
    request_body: AtomicU64,
    response_header: AtomicU64,
    response_body: AtomicU64,
}

impl Default for OriginFacts {
    fn default() -> OriginFacts {
        OriginFacts {
            fd: AtomicI32::new(-1),
            request_header: AtomicU64::new(0),
            request_body: AtomicU64::new(0),
            response_header: AtomicU64::new(0),
            response_body: AtomicU64::new(0),
        }
    }
}

impl OriginFacts {
    /// The descriptor of the connection's socket, for options of it; -1: the transaction has no connection (any more).
    pub fn fd(&self) -> i32 {
        self.fd.load(Ordering::Acquire)
    }

    /// Bytes of the request's header.
    pub fn request_header_bytes(&self) -> u64 {
        self.request_header.load(Ordering::Relaxed)
    }

    /// Bytes of the request's body.
    pub fn request_body_bytes(&self) -> u64 {
        self.request_body.load(Ordering::Relaxed)
    }

    /// Bytes of the final response's header.
    pub fn response_header_bytes(&self) -> u64 {
        self.response_header.load(Ordering::Relaxed)
    }

    /// Bytes of the response's body that have come.
    pub fn response_body_bytes(&self) -> u64 {
        self.response_body.load(Ordering::Relaxed)
    }

    /// Says which socket it is; the engine calls it.
    pub fn set_fd(&self, fd: i32) {
        self.fd.store(fd, Ordering::Release);
    }

    /// Says how long the request's header is; the engine calls it.
    pub fn set_request_header_bytes(&self, bytes: u64) {
        self.request_header.store(bytes, Ordering::Relaxed);
    }

    /// Says how long the request's body is, as far as it was sent; the engine calls it.
    pub fn set_request_body_bytes(&self, bytes: u64) {
        self.request_body.store(bytes, Ordering::Relaxed);
    }

    /// Says how long the response's header is; the engine calls it.
    pub fn set_response_header_bytes(&self, bytes: u64) {
        self.response_header.store(bytes, Ordering::Relaxed);
    }

    /// Counts bytes of the response's body; the engine calls it.
    pub fn add_response_body_bytes(&self, bytes: u64) {
        self.response_body.fetch_add(bytes, Ordering::Relaxed);
    }
}
