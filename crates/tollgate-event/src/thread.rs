//! Event threads.
//!
//! Responsible for: starting one OS thread with its own event loop, running its main future to the end, handing
//! local tasks to it.

use crate::timer;
use std::future::Future;
use std::io;
use std::thread::JoinHandle;

/// A running event thread.
#[derive(Debug)]
pub struct EventThread {
    handle: JoinHandle<io::Result<()>>,
}

impl EventThread {
    /// Starts a thread named `[ET_NET n]` and runs the future that `main` makes there. When it ends, the thread's
    /// remaining tasks are dropped. `task_threads` bounds the thread's blocking pool.
    pub fn spawn<F>(
        index: usize,
        task_threads: usize,
        main: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<EventThread>
    where
        F: Future<Output = ()> + 'static,
    {
        let handle = std::thread::Builder::new().name(format!("[ET_NET {index}]")).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(task_threads.max(1))
                .thread_name(format!("[ET_TASK {index}]"))
                .build_local(tokio::runtime::LocalOptions::default())?;
            runtime.block_on(async {
                let driver = tokio::task::spawn_local(timer::drive());
                main().await;
                driver.abort();
            });
            Ok(())
        })?;
        Ok(EventThread { handle })
    }

    /// Waits for the thread's end. `Err` if its loop could not be started or it panicked.
    pub fn join(self) -> io::Result<()> {
        self.handle.join().unwrap_or_else(|_| Err(io::Error::other("event thread panicked")))
    }
}

/// Runs `future` as a task of this event thread.
pub fn spawn_local(future: impl Future<Output = ()> + 'static) {
    // The task is not waited for: its end is its own affair.
    drop(tokio::task::spawn_local(future));
}

/// Lets other tasks of this thread run.
pub async fn yield_now() {
    tokio::task::yield_now().await;
}

/// Waits for SIGHUP, SIGTERM or SIGINT on this thread.
pub async fn next_signal() -> io::Result<Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut hup, mut term, mut int) =
        (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = hup.recv() => Signal::Reload,
        _ = term.recv() => Signal::Stop,
        _ = int.recv() => Signal::Stop,
    })
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: drain and end.
    Stop,
}
