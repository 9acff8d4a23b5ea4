//! Running transaction and session hook points.
//!
//! Responsible for: the order of scopes, what each outcome means, containment of faults, the watchdog over handlers
//! that do not go on.
//! Invariants: a point without handlers costs a bit test; handlers added while a scope runs follow ts-abi 2.3 (a
//! scope is entered with what it holds then; what is appended while its last handler runs is not picked up).

use super::{Answer, Exchange, Stop, new_transaction};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::generation::Generation;
use crate::thread::EngineThread;
use bytes::Bytes;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tollgate_config::ids;
use tollgate_event::timer::Watch;
use tollgate_hook::run_all;
use tollgate_http::Response;
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::hooks::{NamedHandler, panic_text};
use tollgate_plugin::{Host, Outcome, Session, Transaction, TransactionHook};

/// How a hook point ended, if not by going on.
enum HookEnd {
    Outcome(Outcome, Arc<str>),
    Fault(Arc<str>, String),
    /// A handler took too long and was given up.
    Overdue(Arc<str>),
}

/// One run of a hook point.
struct HookRun {
    hook: TransactionHook,
    /// A handler had to be waited for.
    suspended: bool,
    end: Option<HookEnd>,
}

impl HookRun {
    fn new(hook: TransactionHook) -> HookRun {
        HookRun { hook, suspended: false, end: None }
    }

    /// Runs the point in all scopes, until a handler does not continue. At TXN_CLOSE all handlers run.
    async fn run(mut self, txn: &mut Transaction, watched: &Watched<'_>) -> HookRun {
        for handler in watched.generation.hooks.list(self.hook).iter() {
            if self.run_one(txn, handler, watched).await {
                return self;
            }
        }
        let session = Rc::clone(txn.session());
        if session.hook_mask() & self.hook.bit() != 0 {
            let mut next = session.handler(self.hook, 0);
            let mut index = 0;
            while let Some((handler, more)) = next {
                if self.run_one(txn, &handler, watched).await {
                    return self;
                }
                index += 1;
                next = if more { session.handler(self.hook, index) } else { None };
            }
        }
        let mut next = txn.handler(self.hook, 0);
        let mut index = 0;
        while let Some((handler, more)) = next {
            if self.run_one(txn, &handler, watched).await {
                return self;
            }
            index += 1;
            next = if more { txn.handler(self.hook, index) } else { None };
        }
        self
    }

    /// Runs one handler; whether the others are left out.
    async fn run_one(
        &mut self,
        txn: &mut Transaction,
        handler: &NamedHandler,
        watched: &Watched<'_>,
    ) -> bool {
        let (hook, id) = (self.hook, txn.id());
        let ended = {
            let mut call = pin!(handler.run(txn, &mut self.suspended));
            let mut watchdog = None;
            std::future::poll_fn(|cx| {
                if let Poll::Ready(ended) = call.as_mut().poll(cx) {
                    return Poll::Ready(Some(ended));
                }
                // Only a handler that has to be waited for costs a timer.
                let watchdog = watchdog.get_or_insert_with(|| Watchdog::new(watched, hook, id));
                watchdog.poll(cx, watched, &handler.module).map(|()| None)
            })
            .await
        };
        let module = || Arc::clone(&handler.module);
        self.end = match ended {
            Some(Ok(Outcome::Continue)) => return false,
            Some(Ok(outcome)) => Some(HookEnd::Outcome(outcome, module())),
            Some(Err(panic)) => Some(HookEnd::Fault(module(), panic)),
            None => Some(HookEnd::Overdue(module())),
        };
        self.hook != TransactionHook::TxnClose
    }
}

/// What handlers run in, and who watches over them.
struct Watched<'t> {
    generation: &'t Generation,
    thread: &'t EngineThread,
}

/// Notices a handler that has to be waited for too long.
struct Watchdog {
    watch: Watch,
    /// When the handler was first found to have to be waited for.
    since: Instant,
    hook: TransactionHook,
    transaction: u64,
}

impl Watchdog {
    fn new(watched: &Watched<'_>, hook: TransactionHook, transaction: u64) -> Watchdog {
        let watch = Watch::new();
        let limit = watched.generation.records().int(ids::TOLLGATE_PLUGIN_HANDLER_TIMEOUT);
        watch.set(Duration::from_secs(limit.max(0) as u64));
        Watchdog { watch, since: watched.thread.now(), hook, transaction }
    }

    /// Ready when the handler is to be given up. Warns once.
    fn poll(&mut self, cx: &mut Context<'_>, watched: &Watched<'_>, module: &str) -> Poll<()> {
        if self.watch.poll_expired(cx).is_pending() {
            return Poll::Pending;
        }
        self.watch.clear();
        watched.thread.metrics.inc(Metric::HandlerTimeouts);
        let age = watched.thread.now().saturating_duration_since(self.since);
        let gives_up =
            watched.generation.records().str(ids::TOLLGATE_PLUGIN_HANDLER_TIMEOUT_ACTION) == "fail";
        tracing::warn!("{}", self.warning(module, age, gives_up));
        if gives_up { Poll::Ready(()) } else { Poll::Pending }
    }

    fn warning(&self, module: &str, age: Duration, gives_up: bool) -> String {
        let (hook, id, seconds) = (self.hook.name(), self.transaction, age.as_secs_f64());
        let then = if gives_up { "it is given up" } else { "it is waited for" };
        format!("plugin {module} has not gone on from {hook} in transaction {id} for {seconds:.1} s; {then}")
    }
}

/// Runs a stage. Plugin code of every kind runs somewhere within: a panic there ends the stage, not the session.
/// Pinned by the caller: a large future is not to be moved.
pub(crate) async fn contained<F: Future>(mut stage: Pin<&mut F>) -> Result<F::Output, String> {
    std::future::poll_fn(|cx| {
        let poll = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.as_mut().poll(cx)));
        match poll {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_text(&*panic))),
        }
    })
    .await
}

impl<S: ClientStream> Exchange<'_, S> {
    /// A panic in plugin code that is no handler of a transaction hook point: a transform, sink, intercept, check.
    pub(crate) fn plugin_panicked(&self, panic: &str) -> Stop {
        self.thread.metrics.inc(Metric::HandlerFaults);
        tracing::error!("a plugin panicked in transaction {}: {panic}", self.txn.id());
        self.error(ErrorKind::PluginFailed, panic, true)
    }

    /// Runs the handlers of a hook point. See `fire!`.
    pub(crate) async fn run_hook(&mut self, hook: TransactionHook) -> Result<(), Stop> {
        self.settle_due_host();
        let watched = Watched { generation: &self.generation, thread: &self.thread };
        let run = HookRun::new(hook).run(&mut self.txn, &watched).await;
        if run.suspended && self.left_meanwhile(hook).await {
            return Err(Stop::Abort(TransactionEnd::ClientAborted));
        }
        match run.end {
            None => Ok(()),
            Some(HookEnd::Outcome(outcome, module)) => Err(self.hook_stop(outcome, module)),
            Some(HookEnd::Fault(module, panic)) => {
                self.report_fault(hook, &module, &panic);
                self.txn.decided_by = Some(module);
                Err(self.error(ErrorKind::PluginFailed, &panic, false))
            }
            Some(HookEnd::Overdue(module)) => {
                self.txn.decided_by = Some(module);
                Err(self.error(ErrorKind::PluginFailed, "handler_timeout", false))
            }
        }
    }

    /// Whether the client has left while a handler was waited for: then the transaction ends after this hook point.
    async fn left_meanwhile(&mut self, hook: TransactionHook) -> bool {
        if matches!(hook, TransactionHook::TxnStart | TransactionHook::TxnClose) || self.log.client_gone {
            return false;
        }
        let half_open = self.txn.records.flag(ids::HTTP_ALLOW_HALF_OPEN);
        let gone =
            std::future::poll_fn(|cx| Poll::Ready(self.client.poll_gone(cx, half_open).is_ready())).await;
        if gone {
            self.client.disconnect();
            self.log.client_gone = true;
        }
        gone && self.cache.writer.as_ref().is_none_or(|writer| !writer.has_readers())
    }

    fn hook_stop(&mut self, outcome: Outcome, module: Arc<str>) -> Stop {
        self.txn.decided_by = Some(module);
        let (page, end) = match outcome {
            Outcome::Respond(page) => {
                self.thread.metrics.inc(Metric::PluginResponses);
                (*page, TransactionEnd::PluginResponded)
            }
            Outcome::Fail if self.txn.fails_silently => return Stop::Abort(TransactionEnd::PluginFailed),
            Outcome::Fail | Outcome::Continue => {
                let mut page = self.txn.failure_response();
                name_status(&mut page.response, "Error");
                (page, TransactionEnd::PluginFailed)
            }
        };
        Stop::Answer(Box::new(Answer { page, end, close: false }))
    }

    fn report_fault(&self, hook: TransactionHook, module: &str, panic: &str) {
        self.thread.metrics.inc(Metric::HandlerFaults);
        tracing::error!(
            "plugin {module} panicked at {} in transaction {}: {panic}",
            hook.name(),
            self.txn.id()
        );
    }

    /// TXN_CLOSE: whatever a handler answers, the others run too.
    pub(crate) async fn run_close_hooks(&mut self) {
        let watched = Watched { generation: &self.generation, thread: &self.thread };
        let run = HookRun::new(TransactionHook::TxnClose).run(&mut self.txn, &watched).await;
        if let Some(HookEnd::Fault(module, panic)) = run.end {
            self.report_fault(TransactionHook::TxnClose, &module, &panic);
        }
    }

    /// Access rules: ip_allow, then the modules on ACCESS_CHECK.
    pub(crate) fn check_access(&mut self) -> Result<(), Stop> {
        if self.generation.access.is_empty() {
            return Ok(());
        }
        let txn = &self.txn;
        let denied = run_all(&self.generation.access, |handler| handler.call(txn)).into_value();
        match denied {
            None => Ok(()),
            Some(denied) => {
                let mut stop = self.error(ErrorKind::Denied, "ACCESS_CHECK", false);
                if let Stop::Answer(answer) = &mut stop {
                    answer.page.response.status = denied.status.clamp(400, 599);
                }
                Err(stop)
            }
        }
    }
}

/// Gives a status that has no name of its own this one, as Traffic Server does.
pub(super) fn name_status(response: &mut Response, name: &'static str) {
    if tollgate_http::status::reason(response.status).is_empty() {
        response.reason = Some(Bytes::from_static(name.as_bytes()));
    }
}

/// Fires SSN_START or SSN_CLOSE with a stand-in transaction. `false`: the connection is to be closed. Both belong to
/// the generation in which the session began: the plugins that saw it begin see it end.
pub(crate) async fn run_session_hook(
    thread: &Rc<EngineThread>,
    generation: &Arc<Generation>,
    session: &Rc<Session>,
    host: &Rc<dyn Host>,
    hook: TransactionHook,
) -> bool {
    let mut txn = new_transaction(thread, session, host, generation, thread.now());
    let watched = Watched { generation, thread };
    match HookRun::new(hook).run(&mut txn, &watched).await.end {
        None => true,
        Some(HookEnd::Outcome(..) | HookEnd::Overdue(_)) => false,
        Some(HookEnd::Fault(module, panic)) => {
            thread.metrics.inc(Metric::HandlerFaults);
            tracing::error!("plugin {module} panicked at {}: {panic}", hook.name());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_names_plugin_hook_point_and_age() {
        let dog = Watchdog {
            watch: Watch::new(),
            since: Instant::now(),
            hook: TransactionHook::OsDns,
            transaction: 7,
        };
        let age = Duration::from_millis(1500);
        assert_eq!(
            dog.warning("geo", age, false),
            "plugin geo has not gone on from OS_DNS in transaction 7 for 1.5 s; it is waited for"
        );
        assert!(dog.warning("geo", age, true).ends_with("; it is given up"));
    }
}
