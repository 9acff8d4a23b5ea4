//! A client connection as plugins see it.

use crate::hooks::{NamedHandler, TransactionHook};
use crate::{Contexts, Step, Transaction};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// One client connection (TSHttpSsn). Shared by its transactions; stays on its event thread.
#[derive(Debug)]
pub struct Session {
    id: u64,
    client_addr: SocketAddr,
    local_addr: SocketAddr,
    is_internal: bool,
    transactions: Cell<u64>,
    client_fd: Cell<i32>,
    mask: Cell<u32>,
    handlers: RefCell<Vec<(TransactionHook, NamedHandler)>>,
    contexts: RefCell<Contexts>,
    client_ip: std::cell::OnceCell<Box<str>>,
}

impl Session {
    /// A session; internal ones are made by [`Host::fetch`](crate::Host::fetch).
    pub fn new(id: u64, client_addr: SocketAddr, local_addr: SocketAddr, is_internal: bool) -> Rc<Session> {
        Rc::new(Session {
            id,
            client_addr,
            local_addr,
            is_internal,
            transactions: Cell::new(0),
            client_fd: Cell::new(-1),
            mask: Cell::new(0),
            handlers: RefCell::default(),
            contexts: RefCell::default(),
            client_ip: std::cell::OnceCell::new(),
        })
    }

    /// The connection's number, unique in the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The client's address.
    pub fn client_addr(&self) -> SocketAddr {
        self.client_addr
    }

    /// The client's IP address as text.
    pub fn client_ip_text(&self) -> &str {
        self.client_ip.get_or_init(|| self.client_addr.ip().to_string().into())
    }

    /// The address the client connected to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The descriptor of the client's socket, for options of it; -1: there is none. Not to be read, written or closed.
    pub fn client_fd(&self) -> i32 {
        self.client_fd.get()
    }

    /// Says which socket it is; the engine calls it.
    pub fn set_client_fd(&self, fd: i32) {
        self.client_fd.set(fd);
    }

    /// Whether a plugin made it.
    pub fn is_internal(&self) -> bool {
        self.is_internal
    }

    /// Transactions begun so far, the current one included.
    pub fn transaction_count(&self) -> u64 {
        self.transactions.get()
    }

    /// Counts a new transaction; the engine calls it.
    pub fn begin_transaction(&self) {
        self.transactions.set(self.transactions.get() + 1);
    }

    /// Adds a handler for all following transactions of this connection.
    pub fn add_hook(
        &self,
        hook: TransactionHook,
        module: &str,
        handler: impl for<'a> Fn(&'a mut Transaction) -> Step<'a> + Send + Sync + 'static,
    ) {
        self.add_handler(hook, NamedHandler { module: module.into(), call: Arc::new(handler) });
    }

    /// Adds a handler for all following transactions of this connection.
    pub fn add_handler(&self, hook: TransactionHook, handler: NamedHandler) {
        self.handlers.borrow_mut().push((hook, handler));
        self.mask.set(self.mask.get() | hook.bit());
    }

    /// A bit for each hook point that has handlers in this scope.
    pub fn hook_mask(&self) -> u32 {
        self.mask.get()
    }

    /// The `index`-th handler of `hook` in this scope, and whether another follows.
    pub fn handler(&self, hook: TransactionHook, index: usize) -> Option<(NamedHandler, bool)> {
        let handlers = self.handlers.borrow();
        let mut of_hook = handlers.iter().filter(|(h, _)| *h == hook).skip(index);
        of_hook.next().map(|(_, named)| (named.clone(), of_hook.next().is_some()))
    }

    /// Works on the plugins' per-session state. `work` must not call back into this session's contexts.
    pub fn with_contexts<R>(&self, work: impl FnOnce(&mut Contexts) -> R) -> R {
        work(&mut self.contexts.borrow_mut())
    }
}
