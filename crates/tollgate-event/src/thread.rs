//! Event threads.
//!
//! Responsible for: starting one OS thread with its own event loop and its task threads; the process's signals.
//! Not responsible for: the loop itself (`event_loop`).

use crate::sys::SpareBlocks;
use crate::{event_loop, task};
use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use tokio::signal::unix::{self, SignalKind};

/// A running event thread.
#[derive(Debug)]
pub struct EventThread {
    handle: JoinHandle<io::Result<()>>,
}

impl EventThread {
    /// Starts a thread named `[ET_NET n]` and runs the future that `main` makes there. When it ends, the thread's
    /// remaining tasks are dropped. `task_threads` bounds its task threads.
    pub fn spawn<F>(
        index: usize,
        task_threads: usize,
        main: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<EventThread>
    where
        F: Future<Output = ()> + 'static,
    {
        let handle = std::thread::Builder::new().name(format!("[ET_NET {index}]")).spawn(move || {
            let _spare_blocks = SpareBlocks::keep();
            let _task_threads = task::start_threads(index, task_threads)?;
            event_loop::run(main)
        })?;
        Ok(EventThread { handle })
    }

    /// Waits for the thread's end. `Err` if its loop could not be started or it panicked.
    pub fn join(self) -> io::Result<()> {
        self.handle.join().unwrap_or_else(|_| Err(io::Error::other("event thread panicked")))
    }
}

/// The process's signals. From [`Signals::listen`] on none is lost, whenever it is asked for.
#[derive(Debug)]
pub struct Signals {
    runtime: tokio::runtime::Runtime,
    hang_up: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Takes SIGHUP, SIGTERM and SIGINT over from the system, which would end the process.
    pub fn listen() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (hang_up, terminate, interrupt) = {
            let _inside = runtime.enter();
            let listen = unix::signal;
            (
                listen(SignalKind::hangup())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::interrupt())?,
            )
        };
        Ok(Signals { runtime, hang_up, terminate, interrupt })
    }

    /// Waits for the next one or for what `other` yields, whichever comes first; blocks this thread. Once `other` has
    /// yielded `None`, only signals count.
    pub fn next_or<T>(&mut self, other: impl Future<Output = Option<T>>) -> Event<T> {
        let Signals { runtime, hang_up, terminate, interrupt } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = hang_up.recv() => Event::Signal(Signal::Reload),
                _ = terminate.recv() => Event::Signal(Signal::Stop),
                _ = interrupt.recv() => Event::Signal(Signal::Stop),
                Some(other) = other => Event::Other(other),
            }
        })
    }
}

/// What [`Signals::next_or`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<T> {
    /// A signal.
    Signal(Signal),
    /// What the other future yielded.
    Other(T),
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: drain and end.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, id};

    #[test]
    fn a_signal_that_comes_while_nobody_waits_is_not_lost() {
        let mut signals = Signals::listen().expect("signals");
        for (name, meaning) in [("-HUP", Signal::Reload), ("-HUP", Signal::Reload), ("-TERM", Signal::Stop)] {
            let sent = Command::new("kill").args([name, &id().to_string()]).status().expect("kill runs");
            assert!(sent.success());
            assert_eq!(signals.next_or(std::future::pending::<Option<()>>()), Event::Signal(meaning));
        }
    }
}
