//! Transactions as C plugins see them.
//!
//! Responsible for: what `TSHttpTxn` stands for; lending the engine's transaction to plugins while one of their hooks
//! is open; the ticket by which a plugin says that it is done.
//! Not responsible for: which functions there are (the modules below), running hook points (the engine).
//! Invariants: the engine's transaction is reached only while it is lent, under the lock of its cell; the engine leaves
//! it alone for as long; nothing of ours is locked while plugin code runs; what plugins changed in message buffers is
//! in the engine's messages before the engine goes on.

pub mod addresses;
pub mod cache;
pub mod client;
pub mod control;
pub mod hooks;
pub mod messages;
pub mod origin;
pub mod overrides;
pub mod protocols;
pub mod sockets;
pub mod state;
pub mod stored;

use crate::account::Account;
use crate::fence::{Misuse, fence};
use crate::plugin::{self, Plugin};
use crate::services::user_args::{ArgKind, ArgStore};
use crate::slots::{Handle, Kind, Slots, number, pointer};
use crate::ssn::SsnCell;
use crate::threads;
use messages::Messages;
use parking_lot::Mutex;
use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use tollgate_plugin::{Transaction, TransactionHook};

static TRANSACTIONS: Slots<TxnCell> = Slots::new(Kind::Transaction);

/// What is known of a transaction while it is not lent, and the way to it while it is.
#[derive(Debug)]
pub struct TxnCell {
    number: u64,
    id: u64,
    ssn: Arc<SsnCell>,
    event_thread: Option<usize>,
    args: LazyArgs,
    state: Mutex<TxnState>,
}

/// The part of a transaction's cell that changes.
#[derive(Debug)]
pub struct TxnState {
    /// The engine's transaction while it is lent, else null.
    lent: *mut Transaction,
    /// The hook point that is open, or was last.
    pub(crate) hook: TransactionHook,
    ticket: Ticket,
    pub(crate) messages: Messages,
    /// Addresses that plugins hold pointers to.
    #[expect(clippy::vec_box, reason = "they must not move when others are added")]
    pub(crate) addresses: Vec<Box<libc::sockaddr_storage>>,
    /// Texts that plugins hold pointers to.
    pub(crate) texts: Vec<std::ffi::CString>,
    /// Hook number and continuation of what was added to this transaction.
    pub(crate) hooks: Vec<(c_int, usize)>,
    /// Overrides of records that this server does not have.
    pub(crate) overrides: overrides::Foreign,
    /// The buffer with the request's body, if somebody has asked for it.
    pub(crate) request_body: Option<u64>,
    /// An intercept that fails is tried again.
    pub(crate) retries_intercept: bool,
    /// The port that the client is taken to have connected to; 0: the real one.
    pub(crate) incoming_port: u16,
    /// The plugin wants debug messages about this transaction.
    pub(crate) debug: bool,
    /// The URL that parents are chosen by, if a plugin has said one.
    pub(crate) parent_url: Option<tollgate_http::Url>,
    /// The rule's URLs, while and after its plugins run.
    pub(crate) rule_urls: Option<(u64, u64)>,
}

// SAFETY: the pointer is followed only under the cell's lock, while the engine's event thread has lent the transaction
// and waits; what runs then touches the transaction's own fields and clones nothing that is counted without locks.
unsafe impl Send for TxnState {}

/// User arguments, made when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct LazyArgs(OnceLock<Arc<ArgStore>>);

impl LazyArgs {
    pub(crate) fn of(&self, kind: ArgKind) -> &Arc<ArgStore> {
        self.0.get_or_init(|| Arc::new(ArgStore::new(kind)))
    }
}

impl TxnState {
    /// The engine has its transaction back, with what plugins changed.
    fn give_back(&mut self) {
        self.ticket = Ticket::None;
        let lent = std::mem::replace(&mut self.lent, null_mut());
        // SAFETY: the reference this was made of is borrowed by the `Lent` that gives it back, and nobody else follows
        // the pointer.
        if let Some(txn) = unsafe { lent.as_mut() } {
            self.store_messages(txn);
        }
    }

    /// Writes what plugins changed into the engine's messages.
    pub(crate) fn store_messages(&mut self, txn: &mut Transaction) {
        let before_remap = self.hook <= TransactionHook::PreRemap && self.rule_urls.is_none();
        self.messages.store(txn, before_remap);
    }
}

/// Whether a plugin still has to say that it is done.
#[derive(Debug)]
pub(crate) enum Ticket {
    /// Nobody is asked.
    None,
    /// Not yet. The plugin that is asked, and who waits.
    Open(Option<&'static Account>, Option<Waker>),
    /// It has said so, with this event.
    Done(c_int),
}

impl Ticket {
    /// A hook point at which that plugin is asked.
    pub(crate) fn open(plugin: Option<&Arc<Plugin>>) -> Ticket {
        Ticket::Open(plugin.map(|plugin| plugin.account()), None)
    }

    /// Completes the ticket. What is to be woken, outside of locks.
    pub(crate) fn complete(&mut self, event: c_int) -> Result<Option<Waker>, Misuse> {
        if let (Ticket::Open(Some(asked), _), Some(caller)) = (&*self, plugin::account())
            && !std::ptr::eq(*asked, caller)
            && asked.plugin() != caller.plugin()
        {
            return Err(Misuse::Text("the hook point that waits is another plugin's; the call is ignored"));
        }
        match std::mem::replace(self, Ticket::Done(event)) {
            Ticket::Open(_, waker) => Ok(waker),
            Ticket::Done(first) => {
                *self = Ticket::Done(first);
                Err(Misuse::Text("it was reenabled already at this hook point; the second time is ignored"))
            }
            Ticket::None => {
                *self = Ticket::None;
                Err(Misuse::Text("no hook point waits for it; the call is ignored"))
            }
        }
    }

    /// The event of a completed ticket; else `waker` is kept for its completion.
    pub(crate) fn poll(&mut self, waker: Option<&Waker>) -> Option<c_int> {
        match self {
            Ticket::Done(event) => Some(*event),
            Ticket::Open(_, kept) => {
                *kept = waker.cloned();
                None
            }
            Ticket::None => None,
        }
    }
}

/// Ties a cell to the engine's transaction: when that goes, the handle is nobody's.
struct TxnLink(Arc<TxnCell>);

impl Drop for TxnLink {
    fn drop(&mut self) {
        drop(TRANSACTIONS.remove(self.0.number));
        let mut state = self.0.state.lock();
        state.lent = null_mut();
        state.ticket = Ticket::None;
        state.messages.close();
        if let Some(buffer) = state.request_body.take() {
            crate::iobuf::TSIOBufferDestroy(pointer(buffer));
        }
    }
}

impl TxnCell {
    /// The cell of the engine's transaction, made when it is first needed.
    pub(crate) fn of(txn: &mut Transaction, hook: TransactionHook) -> Option<Arc<TxnCell>> {
        if let Some(link) = txn.contexts().get::<TxnLink>() {
            return Some(Arc::clone(&link.0));
        }
        let ssn = SsnCell::of(txn.session())?;
        let debug = ssn.wants_debug();
        let cell = TRANSACTIONS.insert(|number| {
            Arc::new(TxnCell {
                number,
                id: txn.id(),
                ssn,
                event_thread: threads::current_event_thread(),
                args: LazyArgs::default(),
                state: Mutex::new(TxnState {
                    lent: null_mut(),
                    hook,
                    ticket: Ticket::None,
                    messages: Messages::default(),
                    addresses: Vec::new(),
                    texts: Vec::new(),
                    hooks: Vec::new(),
                    overrides: overrides::Foreign::default(),
                    request_body: None,
                    retries_intercept: false,
                    incoming_port: 0,
                    debug,
                    parent_url: None,
                    rule_urls: None,
                }),
            })
        })?;
        txn.contexts().insert(TxnLink(Arc::clone(&cell)));
        Some(cell)
    }

    /// The transaction that C means.
    pub fn find(handle: Handle) -> Result<Arc<TxnCell>, Misuse> {
        if handle.is_null() {
            return Err(Misuse::Null);
        }
        TRANSACTIONS.get(number(handle)).ok_or(Misuse::Gone("transaction"))
    }

    /// Works on the transaction that C means. The one whose handler runs on this thread is found without a look-up.
    pub(crate) fn meet<R>(handle: Handle, work: impl FnOnce(&TxnCell) -> R) -> Result<R, Misuse> {
        if let Some(at_hand) = AT_HAND.try_with(Cell::get).ok().flatten() {
            // SAFETY: borrowed by the newest `AtHand` of this thread, which outlives the handler that called.
            let cell = unsafe { at_hand.as_ref() };
            if cell.number == number(handle) {
                return Ok(work(cell));
            }
        }
        Ok(work(&*TxnCell::find(handle)?))
    }

    /// What C gets.
    pub fn handle(&self) -> Handle {
        pointer(self.number)
    }

    /// The engine's number of the transaction.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Hook number and continuation of what was added to this transaction.
    pub(crate) fn own_hooks(&self) -> Vec<(c_int, usize)> {
        self.state.lock().hooks.clone()
    }

    /// What plugins attach to the transaction.
    pub(crate) fn args(&self) -> &Arc<ArgStore> {
        self.args.of(ArgKind::Transaction)
    }

    /// The transaction's session.
    pub fn ssn(&self) -> &Arc<SsnCell> {
        &self.ssn
    }
}

thread_local! {
    /// The transaction that this thread has lent to the handler that runs.
    static AT_HAND: Cell<Option<NonNull<TxnCell>>> = const { Cell::new(None) };
}

/// While it lives, the transaction is the one at hand on this thread.
#[must_use]
pub(crate) struct AtHand<'l> {
    before: Option<NonNull<TxnCell>>,
    _lent: PhantomData<&'l TxnCell>,
}

impl Drop for AtHand<'_> {
    fn drop(&mut self) {
        // At the end of a thread nothing is at hand.
        let _: Result<(), std::thread::AccessError> = AT_HAND.try_with(|at_hand| at_hand.set(self.before));
    }
}

/// Works on a transaction that is at a hook point.
pub(crate) fn with<R>(
    handle: Handle,
    work: impl FnOnce(&mut Transaction, &mut TxnState) -> Result<R, Misuse>,
) -> Result<R, Misuse> {
    TxnCell::meet(handle, |cell| {
        let mut state = cell.state.lock();
        // SAFETY: while it is not null the engine has lent the transaction and does not touch it; the lock keeps every
        // other thread away.
        let txn = unsafe { state.lent.as_mut() }.ok_or(Misuse::NotAtHook)?;
        work(txn, &mut state)
    })?
}

/// The same for a function that gives nothing but success or failure.
pub(crate) fn change(
    function: &'static str,
    handle: Handle,
    work: impl FnOnce(&mut Transaction, &mut TxnState) -> Result<c_int, Misuse>,
) -> c_int {
    fence(function, -1, || with(handle, work))
}

/// The same for a function that gives a value.
pub(crate) fn get<R: Copy>(
    function: &'static str,
    handle: Handle,
    failed: R,
    work: impl FnOnce(&mut Transaction, &mut TxnState) -> Result<R, Misuse>,
) -> R {
    fence(function, failed, || with(handle, work))
}

/// The event thread of a transaction.
pub(crate) fn event_thread(handle: Handle) -> Result<usize, Misuse> {
    TxnCell::find(handle)?.event_thread.ok_or(Misuse::Text("the transaction runs on no event thread"))
}

/// A transaction in the hands of plugins. When dropped, the engine has it back with what plugins changed.
#[must_use]
pub(crate) struct Lent<'t> {
    cell: Arc<TxnCell>,
    /// The engine has it back already.
    is_back: bool,
    _txn: PhantomData<&'t mut Transaction>,
}

impl<'t> Lent<'t> {
    /// Lends the transaction for one handler, which is to complete the ticket. `None`: there are too many transactions.
    pub(crate) fn new(txn: &'t mut Transaction, hook: TransactionHook, ticket: Ticket) -> Option<Lent<'t>> {
        let cell = TxnCell::of(txn, hook)?;
        {
            let mut state = cell.state.lock();
            state.hook = hook;
            state.messages.reload(txn);
            state.ticket = ticket;
            state.lent = std::ptr::from_mut(txn);
        }
        Some(Lent { cell, is_back: false, _txn: PhantomData })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.cell.handle()
    }

    /// A message for a rule's plugin, which may ask for the rule's URLs.
    pub(crate) fn open_for_remap(
        &self,
        which: messages::Which,
        urls: (u64, u64),
    ) -> Option<(crate::message::BufferId, crate::message::Loc)> {
        let mut state = self.cell.state.lock();
        state.rule_urls = Some(urls);
        let state = &mut *state;
        // SAFETY: lent by `self`, under the lock.
        let txn = unsafe { state.lent.as_mut() }?;
        state.messages.open(txn, which).ok().flatten()
    }

    /// Makes it the transaction at hand, for a handler that is called now.
    pub(crate) fn at_hand(&self) -> AtHand<'_> {
        let own = Some(NonNull::from(&*self.cell));
        let before = AT_HAND.try_with(|at_hand| at_hand.replace(own)).ok().flatten();
        AtHand { before, _lent: PhantomData }
    }

    /// The event that the plugin has reenabled with, and the engine has the transaction back; else `waker` is woken when
    /// it does.
    pub(crate) fn poll_done(&mut self, waker: Option<&Waker>) -> Option<c_int> {
        let mut state = self.cell.state.lock();
        let event = state.ticket.poll(waker)?;
        state.give_back();
        drop(state);
        self.is_back = true;
        Some(event)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if !self.is_back {
            self.cell.state.lock().give_back();
        }
    }
}

/// The plugin is done with a hook point of a transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnReenable(txn: Handle, event: c_int) {
    fence("TSHttpTxnReenable", (), || {
        let waker = TxnCell::meet(txn, |cell| cell.state.lock().ticket.complete(event))??;
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok::<_, Misuse>(())
    });
}

/// How many transactions are known to plugins.
pub fn count() -> usize {
    TRANSACTIONS.count()
}
