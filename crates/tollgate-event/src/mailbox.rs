//! Work handed to an event thread from outside.
//!
//! Responsible for: a queue that any thread puts closures in and one event thread runs in order.
//! Invariant: work put in before the thread has started waits for it; after the thread's end it is refused.

use std::fmt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is to be done on the event thread. It must not block.
pub type Work = Box<dyn FnOnce() + Send>;

/// The end that others hold.
#[derive(Clone)]
pub struct Remote(UnboundedSender<Work>);

/// The end that the event thread holds.
pub struct Mailbox(UnboundedReceiver<Work>);

/// A queue for one event thread.
pub fn mailbox() -> (Remote, Mailbox) {
    let (sender, receiver) = unbounded_channel();
    (Remote(sender), Mailbox(receiver))
}

impl Remote {
    /// Has `work` run on the event thread; whether that will happen.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.hand(Box::new(work)).is_ok()
    }

    /// The same; hands the work back if it will not happen.
    ///
    /// # Errors
    /// If the event thread has ended.
    pub fn hand(&self, work: Work) -> Result<(), Work> {
        self.0.send(work).map_err(|refused| refused.0)
    }
}

impl Mailbox {
    /// Runs what comes in, on the event thread, until nobody can put anything in any more.
    pub async fn serve(mut self) {
        while let Some(work) = self.0.recv().await {
            work();
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventThread;

    #[test]
    fn work_of_before_the_start_is_run_and_work_of_after_the_end_refused() {
        let (remote, mailbox) = mailbox();
        let (sender, results) = std::sync::mpsc::channel();
        for number in 0..3 {
            let sender = sender.clone();
            assert!(remote.run(move || sender.send(number).expect("somebody listens")));
        }
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let thread = EventThread::spawn(0, 1, move || async move {
            crate::spawn_local(mailbox.serve());
            // An error means that the test is gone.
            let _: Result<(), _> = ended.await;
        });
        assert_eq!(results.iter().take(3).collect::<Vec<_>>(), [0, 1, 2]);
        end.send(()).expect("the thread waits");
        thread.and_then(EventThread::join).expect("the thread ends");
        assert!(!remote.run(|| ()));
    }
}
