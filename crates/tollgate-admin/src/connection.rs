//! Connections of the admin listener and what bounds them.
//!
//! Responsible for: how many there are at a time and how long one may be silent.
//! Not responsible for: HTTP.
//! Invariants: a connection holds its permit until it is closed; one that sends nothing for the idle limit, be it
//! between requests or inside one, is ended by a read error.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// The bounds of the listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// LIMIT: connections served at a time; further ones wait in the kernel's queue.
    pub(crate) connections: usize,
    /// LIMIT: how long a connection may send nothing.
    pub(crate) idle: Duration,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self { connections: 64, idle: Duration::from_secs(90) };
}

/// A listener that accepts within the limits.
pub(crate) struct LimitedListener {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    idle: Duration,
}

impl LimitedListener {
    pub(crate) fn new(listener: TcpListener, limits: Limits) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(limits.connections)), idle: limits.idle }
    }
}

impl Listener for LimitedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // None only if the semaphore were closed, which nobody does.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let idle_end = Box::pin(tokio::time::sleep(self.idle));
        (Connection { stream, idle: self.idle, idle_end, _permit: permit }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One accepted connection.
pub(crate) struct Connection {
    stream: TcpStream,
    idle: Duration,
    idle_end: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(outcome) => {
                let idle_end = Instant::now() + self.idle;
                self.idle_end.as_mut().reset(idle_end);
                Poll::Ready(outcome)
            }
            Poll::Pending => self.idle_end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
