//! The hook points of transactions, sessions and the server.
//!
//! Responsible for: one table of transaction hook points (name, C symbol's event, when each runs) that yields the
//! types, the numbering and the sealed per-point lists; the access and logging hook points in httpd's manner.
//! Not responsible for: when the engine fires them (`tollgate-proxy`).
//! Scopes: handlers run in the order global, session, transaction.

use crate::{LocalBoxFuture, Outcome, Session, Transaction};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tollgate_hook::{AllOutcome, HookPoint, HookTable, Mode, Order, Registry};

/// What a transaction handler returns: an outcome at once, or a future of one.
pub enum Step<'a> {
    /// The handler is done.
    Ready(Outcome),
    /// The transaction waits here until the future is done.
    Pending(LocalBoxFuture<'a, Outcome>),
}

/// A handler of any transaction hook point.
pub type TransactionHandler = dyn for<'a> Fn(&'a mut Transaction) -> Step<'a> + Send + Sync;

macro_rules! transaction_hooks {
    ($($(#[doc = $doc:literal])+ $id:ident = $name:literal,)+) => {
        /// A transaction or session hook point, in the order in which they run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum TransactionHook { $($(#[doc = $doc])+ $id,)+ }

        impl TransactionHook {
            /// All of them.
            pub const ALL: &'static [TransactionHook] = &[$(TransactionHook::$id,)+];

            /// The name operators see.
            pub const fn name(self) -> &'static str {
                match self { $(TransactionHook::$id => $name,)+ }
            }

            /// Declares every transaction hook point.
            pub fn declare_all(registry: &mut Registry) {
                $(registry.declare::<$id>();)+
            }

            /// Registers a handler at global scope.
            pub fn register(self, registry: &mut Registry, module: &str, handler: &str, order: Order, f: Arc<TransactionHandler>) {
                match self {
                    $(TransactionHook::$id => { registry.register::<$id>(module, handler, order, move |txn| f(txn)); })+
                }
            }

            /// The global handlers of this point in running order.
            fn sealed(self, table: &HookTable) -> Arc<[NamedHandler]> {
                match self {
                    $(TransactionHook::$id => table.handlers::<$id>().iter().map(|registered| {
                        let module: Arc<str> = registered.module().into();
                        let registered = registered.clone();
                        NamedHandler { module, call: Arc::new(move |txn| registered.call(txn)) }
                    }).collect(),)+
                }
            }
        }

        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $id;

            impl HookPoint for $id {
                type Input<'a> = &'a mut Transaction;
                type Output<'a> = Step<'a>;
                const NAME: &'static str = $name;
                const MODE: Mode = Mode::Transaction;
                const DOC: &'static str = concat!($($doc),+).trim_ascii();
            }

            impl TransactionPoint for $id {
                const HOOK: TransactionHook = TransactionHook::$id;
            }
        )+
    };
}

/// A type that stands for one transaction hook point.
pub trait TransactionPoint: 'static {
    /// Which one.
    const HOOK: TransactionHook;
}

transaction_hooks! {
    /// A client connection was accepted; before any byte of a request is read. The transaction is a stand-in that only carries the session.
    SsnStart = "SSN_START",
    /// A transaction begins; for HTTP/1 before its request header is parsed.
    TxnStart = "TXN_START",
    /// The request header was read; the client request is as received.
    ReadRequestHdr = "READ_REQUEST_HDR",
    /// Before the remap rules; not if remapping is skipped.
    PreRemap = "PRE_REMAP",
    /// After the remap rule and its plugins; not after a remap error, denial or redirect.
    PostRemap = "POST_REMAP",
    /// The whole request body was read, when request buffering is on.
    RequestBufferReadComplete = "REQUEST_BUFFER_READ_COMPLETE",
    /// A stored object was found and its header read.
    ReadCacheHdr = "READ_CACHE_HDR",
    /// The result of the cache look-up is known and may be changed.
    CacheLookupComplete = "CACHE_LOOKUP_COMPLETE",
    /// The origin's address is known and may be replaced.
    OsDns = "OS_DNS",
    /// A connection to the next hop is there; the proxy request is about to be sent.
    SendRequestHdr = "SEND_REQUEST_HDR",
    /// The origin's response header was read, before it is decided whether it is stored.
    ReadResponseHdr = "READ_RESPONSE_HDR",
    /// The response to the client is about to be sent.
    SendResponseHdr = "SEND_RESPONSE_HDR",
    /// The transaction ends; exactly once for each TXN_START.
    TxnClose = "TXN_CLOSE",
    /// The client connection ends. The transaction is a stand-in that only carries the session.
    SsnClose = "SSN_CLOSE",
}

/// A transaction handler with the module it belongs to.
#[derive(Clone)]
pub struct NamedHandler {
    /// The module, for logs and explanations.
    pub module: Arc<str>,
    /// The handler.
    pub call: Arc<TransactionHandler>,
}

impl NamedHandler {
    /// Runs the handler. A panic in it is caught: `Err` carries its message. `suspended` is set if it had to be waited
    /// for.
    pub async fn run(&self, txn: &mut Transaction, suspended: &mut bool) -> Result<Outcome, String> {
        let start = move || {
            // Moved, not borrowed again: the step may borrow from the transaction for as long as this call.
            let txn = txn;
            (self.call)(txn)
        };
        match catch_unwind(AssertUnwindSafe(start)) {
            Ok(Step::Ready(outcome)) => Ok(outcome),
            Ok(Step::Pending(mut future)) => {
                std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => {
                        *suspended = true;
                        Poll::Pending
                    }
                    Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
                    Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
                })
                .await
            }
            Err(panic) => Err(panic_text(&*panic)),
        }
    }
}

impl std::fmt::Debug for NamedHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NamedHandler({})", self.module)
    }
}

/// The message of a caught panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_string(),
        (_, Some(text)) => text.clone(),
        _ => "panic without a message".to_string(),
    }
}

/// The global transaction handlers of a generation, by hook point, with a bit per point that has any.
#[derive(Clone, Debug)]
pub struct GlobalHooks {
    lists: Box<[Arc<[NamedHandler]>]>,
    mask: u32,
}

impl GlobalHooks {
    /// Takes the lists out of a sealed table.
    pub fn from_table(table: &HookTable) -> Self {
        let lists: Box<[_]> = TransactionHook::ALL.iter().map(|hook| hook.sealed(table)).collect();
        let mask = TransactionHook::ALL
            .iter()
            .filter(|h| !lists[**h as usize].is_empty())
            .fold(0, |m, h| m | h.bit());
        GlobalHooks { lists, mask }
    }

    /// The handlers of one point.
    pub fn list(&self, hook: TransactionHook) -> &Arc<[NamedHandler]> {
        &self.lists[hook as usize]
    }

    /// A bit for each point that has handlers.
    pub fn mask(&self) -> u32 {
        self.mask
    }
}

impl TransactionHook {
    /// This point's bit in a mask.
    pub const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// SELECT_ALT: quality of one stored alternate (TS_HTTP_SELECT_ALT_HOOK). Global, synchronous; the oldest alternate comes
/// first.
#[derive(Clone, Copy, Debug)]
pub struct SelectAlt;

/// One stored alternate as SELECT_ALT handlers see it.
#[derive(Debug)]
pub struct Alternate<'a> {
    /// The transaction's number.
    pub transaction_id: u64,
    /// The client's request.
    pub client_request: &'a tollgate_http::Request,
    /// The request that the response was stored for, as far as it is kept: URL, and the fields that `Vary` names.
    pub cached_request: &'a tollgate_http::Request,
    /// The stored response header.
    pub cached_response: &'a tollgate_http::Response,
    /// Whether `Vary` lets this request have it.
    pub matches_vary: bool,
    /// What the request's Accept, Accept-Charset, Accept-Encoding and Accept-Language say of it, 0 to 1.
    pub preference: f32,
    /// What handlers say of it, 0 to 1; they may change it. The greatest product with `preference` wins, of equals the
    /// latest `Date`. 0 is never served.
    pub quality: std::cell::Cell<f32>,
    /// Handlers may have `Vary` count for nothing: they answer for it that the client is served well.
    pub ignores_vary: std::cell::Cell<bool>,
}

impl HookPoint for SelectAlt {
    type Input<'a> = &'a Alternate<'a>;
    type Output<'a> = ();
    const NAME: &'static str = "SELECT_ALT";
    const MODE: Mode = Mode::Void;
    const DOC: &'static str = "Once per stored alternate that the request accepts, before one is chosen.";
}

/// ACCESS_CHECK: may this client make this request? In httpd's manner (access_checker), RUN_ALL.
#[derive(Clone, Copy, Debug)]
pub struct AccessCheck;

/// A refusal by an access handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The status to answer with, 400 to 599.
    pub status: u16,
}

impl HookPoint for AccessCheck {
    type Input<'a> = &'a Transaction;
    type Output<'a> = AllOutcome<Denied>;
    const NAME: &'static str = "ACCESS_CHECK";
    const MODE: Mode = Mode::RunAll;
    const DOC: &'static str = "After READ_REQUEST_HDR, before remapping: each module may refuse the request.";
}

/// LOG_TRANSACTION: the transaction is over, as in httpd. VOID.
#[derive(Clone, Copy, Debug)]
pub struct LogTransaction;

impl HookPoint for LogTransaction {
    type Input<'a> = &'a Transaction;
    type Output<'a> = ();
    const NAME: &'static str = "LOG_TRANSACTION";
    const MODE: Mode = Mode::Void;
    const DOC: &'static str = "After TXN_CLOSE, for every transaction.";
}

/// PLUGIN_MESSAGE: an operator's message to plugins (TS_LIFECYCLE_MSG_HOOK). On the server's main thread, VOID.
#[derive(Clone, Copy, Debug)]
pub struct PluginMessage;

/// What `tollgate ctl plugin msg TAG DATA` sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about: each plugin compares it with its own.
    pub tag: String,
    /// The data; empty if there is none.
    pub data: Vec<u8>,
}

impl HookPoint for PluginMessage {
    type Input<'a> = &'a Message;
    type Output<'a> = ();
    const NAME: &'static str = "PLUGIN_MESSAGE";
    const MODE: Mode = Mode::Void;
    const DOC: &'static str = "An operator sent plugins a message; all handlers get it.";
}

macro_rules! lifecycle_hooks {
    ($($(#[doc = $doc:literal])+ $id:ident = $name:literal,)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $id;

            impl HookPoint for $id {
                type Input<'a> = &'a Lifecycle;
                type Output<'a> = ();
                const NAME: &'static str = $name;
                const MODE: Mode = Mode::Void;
                const DOC: &'static str = concat!($($doc),+).trim_ascii();
            }
        )+

        /// Declares the lifecycle, access and logging hook points.
        pub fn declare_server_points(registry: &mut Registry) {
            registry.declare::<SelectAlt>();
            registry.declare::<AccessCheck>();
            registry.declare::<LogTransaction>();
            registry.declare::<PluginMessage>();
            $(registry.declare::<$id>();)+
        }
    };
}

/// What lifecycle handlers get.
#[derive(Debug, Default)]
pub struct Lifecycle {
    /// The addresses being listened on; empty before PORTS_INITIALIZED.
    pub listeners: Vec<std::net::SocketAddr>,
}

lifecycle_hooks! {
    /// The configuration is read and the ports are bound, before anything is accepted.
    PortsInitialized = "PORTS_INITIALIZED",
    /// Connections are being accepted.
    PortsReady = "PORTS_READY",
    /// The cache can be used.
    CacheReady = "CACHE_READY",
    /// Work that blocks can be given to task threads.
    TaskThreadsReady = "TASK_THREADS_READY",
    /// The server begins to stop.
    Shutdown = "SHUTDOWN",
}

/// A stand-in transaction's session scope: where SSN hooks look for handlers.
pub(crate) fn session_mask(session: &Rc<Session>) -> u32 {
    session.hook_mask()
}
