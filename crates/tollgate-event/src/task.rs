//! Work that blocks, on task threads (ET_TASK).

/// Runs `work` on a task thread of this event thread's pool and waits for it. `None`: the work panicked or the
/// process is shutting down.
pub async fn run<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    tokio::task::spawn_blocking(work).await.ok()
}
