//! What the engine offers to plugins.

use crate::{Body, LocalBoxFuture};
use bytes::Bytes;
use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;
use tollgate_http::{Request, Response};

/// Services of the event thread. Futures stay on the thread and may be dropped at any time to cancel.
pub trait Host {
    /// Sends a request through the whole engine: hooks, remap, cache, origin (TSHttpConnect). The transaction it
    /// makes is internal.
    fn fetch(&self, request: FetchRequest) -> LocalBoxFuture<'static, Result<FetchResponse, FetchError>>;

    /// Waits.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()>;

    /// Runs work that blocks on a task thread. `None`: it panicked. See [`HostExt::run_blocking`].
    fn run_blocking_any(
        &self,
        work: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> LocalBoxFuture<'static, Option<Box<dyn Any + Send>>>;

    /// Runs a future beside the transaction.
    fn spawn(&self, future: LocalBoxFuture<'static, ()>);

    /// Time since 1970, UTC.
    fn unix_time(&self) -> Duration;
}

/// Typed forms of [`Host`]'s services.
pub trait HostExt: Host {
    /// Runs work that blocks on a task thread. `None`: it panicked or the server is stopping.
    fn run_blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> LocalBoxFuture<'static, Option<R>> {
        let result = self.run_blocking_any(Box::new(move || Box::new(work())));
        Box::pin(async move { result.await.and_then(|any| any.downcast().ok()).map(|r| *r) })
    }

    /// Reads a file on a task thread.
    fn read_file(
        &self,
        path: impl Into<std::path::PathBuf>,
    ) -> LocalBoxFuture<'static, std::io::Result<Vec<u8>>> {
        let path = path.into();
        let result = self.run_blocking(move || std::fs::read(path));
        Box::pin(
            async move { result.await.unwrap_or_else(|| Err(std::io::Error::other("task thread gone"))) },
        )
    }
}

impl<H: Host + ?Sized> HostExt for H {}

/// A request made by a plugin.
#[derive(Debug)]
pub struct FetchRequest {
    /// The request; its URL is absolute or has a Host field.
    pub request: Request,
    /// Its body; Content-Length is set by the engine.
    pub body: Bytes,
    /// The client address that access rules and logs see.
    pub client_addr: SocketAddr,
}

/// The answer to a [`FetchRequest`].
pub struct FetchResponse {
    /// Status and fields, as a client gets them.
    pub response: Response,
    /// The body, streamed.
    pub body: Box<dyn Body>,
}

impl std::fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FetchResponse({})", self.response.status)
    }
}

/// Why a fetch has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The transaction ended without a response.
    #[error("the transaction ended without a response")]
    NoResponse,
    /// Fetches are nested deeper than the limit.
    #[error("internal requests nested deeper than {0}")]
    TooDeep(u32),
    /// There is no engine behind this host.
    #[error("no answer prepared for {0}")]
    Unavailable(String),
}
