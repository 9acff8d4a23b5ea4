//! Requests of the server's owner, made from outside of event threads.
//!
//! Responsible for: handing a request to an event thread, where it runs as an internal transaction, and its answer
//! to whoever asked.
//! Not responsible for: who may ask (the control socket), what the answer means.
//! Invariants: a question is answered once, or its channel is dropped; it sees rules, plugins and cache as a client's
//! request would.

use crate::host;
use crate::thread::EngineThread;
use crate::txn::Mode;
use bytes::Bytes;
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use tollgate_event::mailbox::{Remote, mailbox};
use tollgate_http::{Request, Response};
use tollgate_plugin::FetchRequest;

thread_local! {
    static THREAD: RefCell<Option<Rc<EngineThread>>> = const { RefCell::new(None) };
}

/// What an owner's request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is done as if a client had sent it.
    Do,
    /// It is only told, as JSON, what would be done.
    Explain,
}

/// The response to an owner's request.
#[derive(Debug)]
pub struct Answer {
    /// The header.
    pub response: Response,
    /// The body, as far as it came and up to a limit.
    pub body: Vec<u8>,
}

/// LIMIT: bytes of an answer's body.
const ANSWER_BYTES: usize = 1 << 20;

/// The event threads that take questions.
#[derive(Debug, Default)]
pub(crate) struct Askable(Mutex<Vec<Remote>>);

impl Askable {
    /// Makes the calling event thread take questions until it ends. Call on the thread, within its loop.
    pub(crate) fn enter(&self, thread: &Rc<EngineThread>) {
        THREAD.set(Some(Rc::clone(thread)));
        let (remote, mailbox) = mailbox();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remote);
        tollgate_event::spawn_local(mailbox.serve());
    }

    /// The calling event thread ends.
    pub(crate) fn leave() {
        THREAD.set(None);
    }

    /// Has an event thread do `request`. The answer never comes if no thread runs any more.
    pub(crate) fn ask(&self, request: Request, purpose: Purpose) -> Receiver<Answer> {
        let (sender, receiver) = sync_channel(1);
        let mut work: Box<dyn FnOnce() + Send> = Box::new(move || begin(request, purpose, sender));
        let remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for remote in remotes.iter() {
            match remote.hand(work) {
                Ok(()) => break,
                Err(refused) => work = refused,
            }
        }
        receiver
    }
}

/// Begins the transaction, on an event thread.
fn begin(request: Request, purpose: Purpose, sender: SyncSender<Answer>) {
    let Some(thread) = THREAD.with_borrow(Clone::clone) else { return };
    let client_addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let fetch = FetchRequest { request, body: Bytes::new(), client_addr };
    let mode = match purpose {
        Purpose::Do => Mode::Client,
        Purpose::Explain => Mode::Explain,
    };
    let reader = host::start_internal(&thread, fetch, 0, mode);
    tollgate_event::spawn_local(async move {
        let Ok(mut fetched) = reader.response().await else { return };
        let mut body = Vec::new();
        while body.len() < ANSWER_BYTES {
            match fetched.body.next().await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) | Err(_) => break,
            }
        }
        // Who asked may have gone.
        drop(sender.send(Answer { response: fetched.response, body }));
    });
}
