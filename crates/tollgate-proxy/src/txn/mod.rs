//! A transaction, from request to response. Read this file from top to bottom.
//!
//! Responsible for: the order of the stages and of their hook points (ts-abi 2.4), the single end of a transaction,
//! its log entry.
//! Not responsible for: how a stage works (the modules below), protocols (`client`, `origin`).
//! Invariants: TXN_CLOSE runs exactly once; SEND_RESPONSE_HDR runs at most once; a stage that cannot go on returns a
//! [`Stop`], which is turned into the one answer or the one abort at a single place.

/// Fires a hook point of the transaction. Where it has no handlers this costs a bit test, and there is no future.
macro_rules! fire {
    ($exchange:expr, $hook:ident) => {
        if $exchange.txn.has_handlers(tollgate_plugin::TransactionHook::$hook) {
            $exchange.run_hook(tollgate_plugin::TransactionHook::$hook).await?;
        }
    };
}

mod alternates;
mod cache;
mod cache_rules;
mod deliver;
mod disk;
mod explain;
mod fetch;
mod forward;
mod gap;
mod hooks;
mod log;
mod origin_exchange;
mod parts;
mod pump;
mod purge;
mod push;
mod redirect;
mod remap;
mod request;
mod respond;
mod tunnel;
mod upload;
mod wishes;

use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::generation::Generation;
use crate::limits;
use crate::origin::connect::Route;
use crate::thread::EngineThread;
use bytes::Bytes;
use cache::{CacheState, Plan};
use forward::NextHop;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tollgate_config::ids;
use tollgate_config::records::TxnRecords;
use tollgate_config::remap::Rule;
use tollgate_event::timer::{self, Watch};
use tollgate_http::{Method, Response};
use tollgate_obs::metrics::{GaugeGuard, Metric};
use tollgate_obs::milestones::Milestone;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{
    ByteCounts, Host, LocalResponse, Session, Transaction, TransactionHook, TransactionParts,
};

pub(crate) use hooks::run_session_hook;

/// Why a transaction is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For a client, or a plugin that acts as one.
    Client,
    /// To say what would be done for a client. Nothing is.
    Explain,
    /// To refresh a stale object behind the scenes: stale objects are not served.
    Refresh,
}

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Another request may follow.
    KeepAlive,
    /// It is closed in good order.
    Close,
    /// It is reset, so that the client sees that the response is not complete.
    Reset,
}

/// Why a stage cannot go on.
pub(crate) enum Stop {
    /// The client gets this response instead.
    Answer(Box<Answer>),
    /// Nothing can be sent (any more).
    Abort(TransactionEnd),
    /// A handler of SEND_RESPONSE_HDR has the request start again at the look-up, with another URL.
    Redirect,
}

/// What a fetch led to.
pub(crate) enum Progress {
    /// The transaction's end.
    Ended(TransactionEnd),
    /// The URL was replaced by a redirect's target: look it up.
    Redirected,
}

impl Progress {
    fn end(self) -> TransactionEnd {
        match self {
            Progress::Ended(end) => end,
            Progress::Redirected => TransactionEnd::Internal,
        }
    }
}

/// A response made by the proxy or a plugin.
pub(crate) struct Answer {
    pub(crate) page: LocalResponse,
    pub(crate) end: TransactionEnd,
    /// The connection cannot be used after it.
    pub(crate) close: bool,
}

/// A transaction under way.
pub(crate) struct Exchange<'c, S> {
    pub(crate) thread: Rc<EngineThread>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) txn: Transaction,
    pub(crate) client: &'c mut S,
    pub(crate) mode: Mode,
    pub(crate) rule: Option<Arc<Rule>>,
    pub(crate) next_hop: NextHop,
    /// The client request's Host is still the client's own, a rule made another.
    pub(crate) host_due: bool,
    pub(crate) cache: CacheState,
    /// The method that the client sent, whatever plugins make of it: it says whether a response has a body.
    pub(crate) asked: Method,
    /// The client's connection may be used again, as far as is known.
    pub(crate) keep: bool,
    /// The final response's header has gone out.
    pub(crate) head_sent: bool,
    /// SEND_RESPONSE_HDR has run.
    pub(crate) send_hook_ran: bool,
    /// The request body, if it was read ahead.
    pub(crate) buffered: Option<VecDeque<Bytes>>,
    /// The next hop's addresses, if they were looked up before the cache.
    pub(crate) resolved: Option<Route>,
    /// Redirects followed so far.
    pub(crate) redirects: i64,
    /// The response that redirected to what is asked for now.
    pub(crate) redirected: Option<Box<Response>>,
    pub(crate) log: log::LogFacts,
    pub(crate) started: Instant,
    /// When the last wait ended: the time of what happens now.
    pub(crate) now: Instant,
    /// The limit on the whole transaction.
    pub(crate) active: Rc<Watch>,
    _active: GaugeGuard,
}

/// Runs one transaction on `client`. `active` is the connection's watch for `transaction_active_timeout_in`.
pub(crate) async fn run<S: ClientStream>(
    thread: &Rc<EngineThread>,
    session: &Rc<Session>,
    host: &Rc<dyn Host>,
    client: &mut S,
    active: &Rc<Watch>,
    mode: Mode,
) -> After {
    let generation = thread.generation();
    session.begin_transaction();
    let started = thread.now();
    thread.metrics.inc(Metric::Transactions);
    let mut exchange = Exchange {
        txn: new_transaction(thread, session, host, &generation, started),
        thread: Rc::clone(thread),
        generation,
        client,
        mode,
        rule: None,
        next_hop: NextHop::default(),
        host_due: false,
        cache: CacheState::default(),
        asked: Method::Get,
        // Until a request has been read, its bytes are in the way of another.
        keep: false,
        head_sent: false,
        send_hook_ran: false,
        buffered: None,
        resolved: None,
        redirects: 0,
        redirected: None,
        log: log::LogFacts::default(),
        started,
        now: started,
        active: Rc::clone(active),
        _active: thread.metrics.hold(Metric::TransactionsActive),
    };
    exchange.run().await
}

// Inlined where it is called: the transaction is made where it stays.
#[inline]
pub(crate) fn new_transaction(
    thread: &Rc<EngineThread>,
    session: &Rc<Session>,
    host: &Rc<dyn Host>,
    generation: &Arc<Generation>,
    started: Instant,
) -> Transaction {
    Transaction::new(TransactionParts {
        id: thread.next_id(),
        session: Rc::clone(session),
        records: TxnRecords::new(Arc::clone(&generation.records)),
        global_hooks: generation.hooks.mask(),
        host: Rc::clone(host),
        started,
    })
}

impl<S: ClientStream> Exchange<'_, S> {
    async fn run(&mut self) -> After {
        let staged = {
            let stages = std::pin::pin!(self.limited_stages());
            hooks::contained(stages).await
        };
        let end = match staged {
            Ok(Ok(end)) => end,
            Ok(Err(stop)) => Box::pin(self.end_by(stop)).await,
            Err(panic) => {
                let stop = self.plugin_panicked(&panic);
                Box::pin(self.end_by(stop)).await
            }
        };
        self.txn.end = Some(end);
        let (request, response) = self.client.bytes();
        self.txn.bytes = ByteCounts {
            request_body: self.log.request_body_bytes,
            request,
            response_body: self.log.body_bytes,
            response,
        };
        if self.txn.has_handlers(TransactionHook::TxnClose) {
            Box::pin(self.run_close_hooks()).await;
        }
        self.write_log(end);
        self.after(end)
    }

    /// What a stop leads to: its answer, its abort, or the stages from the look-up on once more.
    async fn end_by(&mut self, stop: Stop) -> TransactionEnd {
        let mut stop = stop;
        loop {
            let again = match self.contained_conclusion(stop).await {
                Some(end) => return end,
                None => hooks::contained(std::pin::pin!(self.limited_answering())).await,
            };
            stop = match again {
                Ok(Ok(end)) => return end,
                Ok(Err(stop)) => stop,
                Err(panic) => self.plugin_panicked(&panic),
            };
        }
    }

    /// The stages within `transaction_active_timeout_in`.
    async fn limited_stages(&mut self) -> Result<TransactionEnd, Stop> {
        self.limit_activity();
        let watch = Rc::clone(&self.active);
        let result = {
            let stages = std::pin::pin!(self.stages());
            timer::until(&watch, stages).await
        };
        watch.clear();
        self.in_time(result)
    }

    /// The stages from the look-up on, within what is left of `transaction_active_timeout_in`.
    async fn limited_answering(&mut self) -> Result<TransactionEnd, Stop> {
        self.limit_activity();
        let watch = Rc::clone(&self.active);
        let result = {
            let answering = std::pin::pin!(self.find_answer());
            timer::until(&watch, answering).await
        };
        watch.clear();
        self.in_time(result)
    }

    fn in_time(
        &self,
        result: Result<Result<TransactionEnd, Stop>, timer::Elapsed>,
    ) -> Result<TransactionEnd, Stop> {
        result.unwrap_or_else(|timer::Elapsed| {
            self.thread.metrics.inc(Metric::ActiveTimeouts);
            Err(self.error(ErrorKind::ActiveTimeout, "transaction_active_timeout_in", true))
        })
    }

    /// Sets the limit on the whole transaction, by the records as they are now, from its beginning on.
    fn limit_activity(&self) {
        let limit = limits::seconds(&self.txn.records, ids::HTTP_TRANSACTION_ACTIVE_TIMEOUT_IN);
        if limit == Duration::ZERO {
            return self.active.clear();
        }
        let passed = self.now.saturating_duration_since(self.started);
        self.active.set(limit.saturating_sub(passed).max(timer::TICK));
    }

    async fn stages(&mut self) -> Result<TransactionEnd, Stop> {
        fire!(self, TxnStart);
        self.read_request().await?;
        let _admitted = self.admit_request()?;
        fire!(self, ReadRequestHdr);
        self.check_access()?;
        self.remap().await?;
        if self.txn.records.has_overrides() {
            self.limit_activity();
        }
        self.normalize_accept_encoding();
        if self.mode == Mode::Explain {
            return Err(Box::pin(self.explain()).await);
        }
        self.answer_max_forwards()?;
        // What is rare or large is boxed: the state of a hit stays small.
        if self.buffers_request() {
            Box::pin(self.buffer_request()).await?;
        }
        if self.txn.client_request.method == Method::Connect {
            return Box::pin(self.connect_tunnel()).await;
        }
        if self.txn.intercepts_client() {
            return Box::pin(self.fetch(None)).await.map(Progress::end);
        }
        if self.is_purge() {
            return Box::pin(self.purge()).await;
        }
        if self.is_push() {
            return Box::pin(self.push()).await;
        }
        if self.resolves_early() {
            Box::pin(self.resolve_early()).await?;
        }
        self.find_answer().await
    }

    /// From the look-up to the response; again for each redirect that is followed.
    async fn find_answer(&mut self) -> Result<TransactionEnd, Stop> {
        loop {
            let progress = match self.look_up().await? {
                Plan::Serve(object) => Progress::Ended(self.serve_stored(object).await?),
                Plan::Follow(follower) => Box::pin(self.follow(follower)).await?,
                Plan::Fetch(writer) => {
                    let place = Box::new_uninit();
                    Box::into_pin(Box::write(place, self.fetch(writer))).await?
                }
            };
            if let Progress::Ended(end) = progress {
                return Ok(end);
            }
        }
    }

    /// `None`: the request starts again at the look-up.
    async fn contained_conclusion(&mut self, stop: Stop) -> Option<TransactionEnd> {
        let concluded = {
            let conclusion = std::pin::pin!(self.conclude(stop));
            hooks::contained(conclusion).await
        };
        match concluded {
            Ok(end) => end,
            Err(panic) => {
                // It may have cut the answer short.
                self.plugin_panicked(&panic);
                self.keep = false;
                Some(TransactionEnd::PluginFailed)
            }
        }
    }

    /// Turns a stop into the one answer or abort. Handlers of SEND_RESPONSE_HDR may change an answer.
    async fn conclude(&mut self, stop: Stop) -> Option<TransactionEnd> {
        let answer = match stop {
            Stop::Redirect => return None,
            Stop::Abort(end) => return Some(end),
            Stop::Answer(answer) if self.head_sent => {
                self.keep = false;
                return Some(answer.end);
            }
            Stop::Answer(answer) => answer,
        };
        match self.answer(*answer).await {
            Ok(end) | Err(Stop::Abort(end)) => Some(end),
            Err(Stop::Redirect) => None,
            // A handler of SEND_RESPONSE_HDR answers in place of the answer; it does not run again.
            Err(Stop::Answer(answer)) => match self.answer(*answer).await {
                Ok(end) | Err(Stop::Abort(end)) => Some(end),
                Err(Stop::Redirect) => None,
                Err(Stop::Answer(answer)) => Some(answer.end),
            },
        }
    }

    fn after(&self, end: TransactionEnd) -> After {
        use TransactionEnd::{ActiveTimeout, ClientAborted, ClientTimeout, OriginBodyAborted, Tunnelled};
        match end {
            OriginBodyAborted => After::Reset,
            ActiveTimeout | TransactionEnd::PluginFailed if self.log.body_begun && !self.log.body_done => {
                After::Reset
            }
            ClientAborted | ClientTimeout | Tunnelled => After::Close,
            _ if self.keep && self.head_sent && !self.thread.is_draining() => After::KeepAlive,
            _ => After::Close,
        }
    }

    /// A stop with an error page.
    pub(crate) fn error(&self, kind: ErrorKind, reason: &str, close: bool) -> Stop {
        if kind.status() >= 500 && kind != ErrorKind::OnlyIfCached {
            tracing::warn!(
                "txn {}: {} {}: {} ({reason})",
                self.txn.id(),
                self.txn.client_request.method,
                self.txn.client_request.url.to_text(),
                kind.end()
            );
        } else {
            tracing::debug!("txn {}: {} ({reason})", self.txn.id(), kind.end());
        }
        self.thread.metrics.inc(Metric::ErrorPages);
        let page = self.generation.body_factory.page(kind, Some(&self.txn.client_request), reason);
        Stop::Answer(Box::new(Answer { page, end: kind.end(), close }))
    }

    /// Marks a milestone with the time of the last wait's end.
    pub(crate) fn mark(&mut self, milestone: Milestone) {
        self.txn.milestones.mark_first(milestone);
    }

    /// Reads the clock, after something was waited for.
    pub(crate) fn refresh_now(&mut self) {
        self.now = self.thread.now();
        self.txn.milestones.advance(self.now);
    }
}
