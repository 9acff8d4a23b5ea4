//! Work that blocks, on task threads (ET_TASK).

use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs `work` on a task thread of this event thread's pool and waits for it. `None`: the work panicked or the
/// process is shutting down.
pub async fn run<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Work that runs on a task thread already; awaiting it gives its result.
#[derive(Debug)]
pub struct Running<R>(tokio::task::JoinHandle<R>);

/// Starts `work` on a task thread of this event thread's pool, whether or not anybody waits for it.
pub fn start<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Running<R> {
    Running(tokio::task::spawn_blocking(work))
}

impl<R> Future for Running<R> {
    /// `None`: the work panicked or the process is shutting down.
    type Output = Option<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}
