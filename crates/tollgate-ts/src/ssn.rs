//! Sessions as C plugins see them.
//!
//! Responsible for: what `TSHttpSsn` stands for, its ticket at session hook points, its addresses.
//! Invariant: a session's own thread alone reaches the engine's session.

use crate::cont::Cont;
use crate::fence::{Misuse, fence};
use crate::hook;
use crate::plugin::Plugin;
use crate::services::user_args::{ArgKind, ArgStore};
use crate::slots::{Handle, Kind, Slots, number, pointer};
use crate::txn::addresses::storage;
use crate::txn::{LazyArgs, Ticket, TxnCell};
use parking_lot::Mutex;
use std::ffi::c_int;
use std::net::SocketAddr;
use std::ptr::null_mut;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::thread::ThreadId;
use tollgate_plugin::Session;

static SESSIONS: Slots<SsnCell> = Slots::new(Kind::Session);

/// What is known of a session.
#[derive(Debug)]
pub struct SsnCell {
    number: u64,
    id: u64,
    is_internal: bool,
    client_storage: Box<libc::sockaddr_storage>,
    local_storage: Box<libc::sockaddr_storage>,
    client_addr: SocketAddr,
    wants_debug: AtomicBool,
    transactions: AtomicU64,
    args: LazyArgs,
    ticket: Mutex<Ticket>,
    session: OwnThread,
}

/// The engine's session, for the thread it belongs to.
#[derive(Debug)]
struct OwnThread {
    thread: ThreadId,
    /// `None` after the session's end.
    session: Mutex<Option<Weak<Session>>>,
}

// SAFETY: the session and the count of this weak pointer are only reached on the session's own thread: in
// `OwnThread::get`, and in the drop of `SsnLink`, which takes the pointer out before another thread can be the last
// to have the cell.
unsafe impl Send for OwnThread {}
// SAFETY: as above.
unsafe impl Sync for OwnThread {}

impl OwnThread {
    fn get(&self) -> Option<Rc<Session>> {
        if std::thread::current().id() != self.thread {
            return None;
        }
        self.session.lock().as_ref().and_then(Weak::upgrade)
    }
}

/// Ties a cell to the engine's session: when that goes, the handle is nobody's.
struct SsnLink(Arc<SsnCell>);

impl Drop for SsnLink {
    fn drop(&mut self) {
        drop(SESSIONS.remove(self.0.number));
        drop(self.0.session.session.lock().take());
    }
}

impl SsnCell {
    /// The cell of the engine's session, made when it is first needed. On the session's thread.
    pub(crate) fn of(session: &Rc<Session>) -> Option<Arc<SsnCell>> {
        let known =
            session.with_contexts(|contexts| contexts.get::<SsnLink>().map(|link| Arc::clone(&link.0)));
        let cell = match known {
            Some(cell) => cell,
            None => {
                let cell = SESSIONS.insert(|number| Arc::new(SsnCell::new(number, session)))?;
                let link = SsnLink(Arc::clone(&cell));
                session.with_contexts(|contexts| contexts.insert(link));
                cell
            }
        };
        cell.transactions.store(session.transaction_count(), Ordering::Relaxed);
        Some(cell)
    }

    fn new(number: u64, session: &Rc<Session>) -> SsnCell {
        let (client, local) = (session.client_addr(), session.local_addr());
        SsnCell {
            number,
            id: session.id(),
            is_internal: session.is_internal(),
            client_storage: Box::new(storage(client)),
            local_storage: Box::new(storage(local)),
            client_addr: client,
            wants_debug: AtomicBool::new(false),
            transactions: AtomicU64::new(0),
            args: LazyArgs::default(),
            ticket: Mutex::new(Ticket::None),
            session: OwnThread {
                thread: std::thread::current().id(),
                session: Mutex::new(Some(Rc::downgrade(session))),
            },
        }
    }

    /// The session that C means.
    pub fn find(handle: Handle) -> Result<Arc<SsnCell>, Misuse> {
        if handle.is_null() {
            return Err(Misuse::Null);
        }
        SESSIONS.get(number(handle)).ok_or(Misuse::Gone("session"))
    }

    /// What C gets.
    pub fn handle(&self) -> Handle {
        pointer(self.number)
    }

    /// The client's address, and the one it connected to, for C.
    pub(crate) fn storages(&self) -> (*const libc::sockaddr, *const libc::sockaddr) {
        ((&raw const *self.client_storage).cast(), (&raw const *self.local_storage).cast())
    }

    /// The client's address.
    pub(crate) fn client_addr(&self) -> SocketAddr {
        self.client_addr
    }

    /// Says whether debug messages about the session are wanted.
    pub(crate) fn set_debug(&self, on: bool) {
        self.wants_debug.store(on, Ordering::Relaxed);
    }

    /// Whether debug messages about the session are wanted.
    pub(crate) fn wants_debug(&self) -> bool {
        self.wants_debug.load(Ordering::Relaxed)
    }

    /// What plugins attach to the session.
    pub(crate) fn args(&self) -> &Arc<ArgStore> {
        self.args.of(ArgKind::Session)
    }

    /// The client's socket. `None` on another thread than the session's.
    pub(crate) fn client_fd(&self) -> Option<c_int> {
        self.session.get().map(|session| session.client_fd())
    }

    /// A session hook point is open, at which that plugin is asked.
    pub(crate) fn open_ticket(&self, plugin: Option<&Arc<Plugin>>) {
        *self.ticket.lock() = Ticket::open(plugin);
    }

    /// The event that the plugin has reenabled with; else `waker` is woken when it does.
    pub(crate) fn poll_done(&self, waker: Option<&Waker>) -> Option<c_int> {
        self.ticket.lock().poll(waker)
    }

    /// The session hook point is closed.
    pub(crate) fn close_ticket(&self) {
        *self.ticket.lock() = Ticket::None;
    }
}

/// The plugin is done with a hook point of a session.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnReenable(ssn: Handle, event: c_int) {
    fence("TSHttpSsnReenable", (), || {
        let waker = SsnCell::find(ssn)?.ticket.lock().complete(event)?;
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok::<_, Misuse>(())
    });
}

/// Adds a handler for the following transactions of a session.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnHookAdd(ssn: Handle, id: c_int, cont: Handle) {
    fence("TSHttpSsnHookAdd", (), || {
        let (cell, cont) = (SsnCell::find(ssn)?, Cont::find(cont)?);
        let Some(point) = hook::point_in(hook::Scope::Session, id) else {
            hook::report_useless("TSHttpSsnHookAdd", id);
            return Ok::<_, Misuse>(());
        };
        let session = cell.session.get().ok_or(Misuse::Text("only on the session's own thread"))?;
        session.add_handler(point, hook::handler(cont, point));
        Ok(())
    });
}

/// How many transactions the session has begun.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnTransactionCount(ssn: Handle) -> c_int {
    fence("TSHttpSsnTransactionCount", 0, || {
        Ok::<_, Misuse>(SsnCell::find(ssn)?.transactions.load(Ordering::Relaxed) as c_int)
    })
}

/// The session's number.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnIdGet(ssn: Handle) -> i64 {
    fence("TSHttpSsnIdGet", 0, || Ok::<_, Misuse>(SsnCell::find(ssn)?.id as i64))
}

/// Whether a plugin made the session.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnIsInternal(ssn: Handle) -> c_int {
    fence("TSHttpSsnIsInternal", 0, || Ok::<_, Misuse>(c_int::from(SsnCell::find(ssn)?.is_internal)))
}

/// The client's address.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnClientAddrGet(ssn: Handle) -> *const libc::sockaddr {
    fence("TSHttpSsnClientAddrGet", null_mut::<libc::sockaddr>().cast_const(), || {
        Ok::<_, Misuse>(SsnCell::find(ssn)?.storages().0)
    })
}

/// The address that the client connected to.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnIncomingAddrGet(ssn: Handle) -> *const libc::sockaddr {
    fence("TSHttpSsnIncomingAddrGet", null_mut::<libc::sockaddr>().cast_const(), || {
        Ok::<_, Misuse>(SsnCell::find(ssn)?.storages().1)
    })
}

/// The session of a transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnSsnGet(txn: Handle) -> Handle {
    fence("TSHttpTxnSsnGet", null_mut(), || Ok::<_, Misuse>(TxnCell::find(txn)?.ssn().handle()))
}
