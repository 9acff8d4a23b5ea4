//! Work that blocks, on task threads (ET_TASK).
//!
//! Responsible for: a bounded pool of threads per event thread.
//! Not responsible for: order; what is started is not taken back.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

thread_local! {
    static THREADS: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// The task threads of one event thread. Dropping it waits for what they have begun.
pub(crate) struct TaskThreads {
    /// Only its threads for blocking work are used: it runs no tasks.
    _runtime: Runtime,
}

/// Up to `most` task threads for this event thread; they start when there is work.
pub(crate) fn start_threads(index: usize, most: usize) -> io::Result<TaskThreads> {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(most.max(1))
        .thread_name(format!("[ET_TASK {index}]"))
        .build()?;
    THREADS.set(Some(runtime.handle().clone()));
    Ok(TaskThreads { _runtime: runtime })
}

impl Drop for TaskThreads {
    fn drop(&mut self) {
        THREADS.take();
    }
}

fn spawn<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<JoinHandle<R>> {
    THREADS.with_borrow(|threads| threads.as_ref().map(|threads| threads.spawn_blocking(work)))
}

/// Runs `work` on a task thread of this event thread's pool and waits for it. `None`: the work panicked or the
/// process is shutting down.
pub async fn run<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    spawn(work)?.await.ok()
}

/// Work that runs on a task thread already; awaiting it gives its result.
#[derive(Debug)]
pub struct Running<R>(Option<JoinHandle<R>>);

/// Starts `work` on a task thread of this event thread's pool, whether or not anybody waits for it.
pub fn start<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Running<R> {
    Running(spawn(work))
}

impl<R> Future for Running<R> {
    /// `None`: the work panicked or the process is shutting down.
    type Output = Option<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R>> {
        match &mut self.0 {
            Some(handle) => Pin::new(handle).poll(cx).map(Result::ok),
            None => Poll::Ready(None),
        }
    }
}
