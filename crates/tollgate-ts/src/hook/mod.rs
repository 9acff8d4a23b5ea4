//! Continuations as handlers of the engine's hook points.
//!
//! Responsible for: hook numbers and events, calling a continuation at a hook point, waiting for its reenable.
//! Not responsible for: the order of handlers (the engine), which continuation is where (`global`, `txn`, `ssn`).
//! Invariants: a continuation's lock is never waited for by blocking an event thread; a transaction goes on after the
//! handler has returned and the ticket is complete, whichever is later.

pub mod global;
pub mod lifecycle;
pub mod names;
pub mod select;

use crate::cont::{Cont, Turn};
use crate::fence;
use crate::ssn::SsnCell;
use crate::txn::{Lent, Ticket};
use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;
use tollgate_plugin::hooks::NamedHandler;
use tollgate_plugin::{Host, Outcome, Step, Transaction, TransactionHook};

/// `TS_EVENT_HTTP_CONTINUE` and `TS_EVENT_HTTP_ERROR`.
const CONTINUE: c_int = 60000;
const ERROR: c_int = 60001;
/// `TS_EVENT_NONE` and `TS_EVENT_TIMEOUT`. ATS: its state machine goes on with these, too.
const NONE: c_int = 0;
const TIMEOUT: c_int = 2;
/// What a plugin says that it is done with.
const TRANSACTION: &str = "TSHttpTxnReenable";
const SESSION: &str = "TSHttpSsnReenable";
/// The event of hook number 0.
const FIRST_EVENT: c_int = 60002;
/// How soon a continuation is tried again whose lock another thread has.
const RETRY: Duration = Duration::from_millis(10);

/// `TSHttpHookID` of each hook point of the engine.
const POINTS: [(c_int, TransactionHook); 14] = [
    (0, TransactionHook::ReadRequestHdr),
    (1, TransactionHook::OsDns),
    (2, TransactionHook::SendRequestHdr),
    (3, TransactionHook::ReadCacheHdr),
    (4, TransactionHook::ReadResponseHdr),
    (5, TransactionHook::SendResponseHdr),
    (9, TransactionHook::TxnStart),
    (10, TransactionHook::TxnClose),
    (11, TransactionHook::SsnStart),
    (12, TransactionHook::SsnClose),
    (13, TransactionHook::CacheLookupComplete),
    (14, TransactionHook::PreRemap),
    (15, TransactionHook::PostRemap),
    (27, TransactionHook::RequestBufferReadComplete),
];

/// The engine's hook point of a hook number.
pub fn point(id: c_int) -> Option<TransactionHook> {
    POINTS.iter().find(|(number, _)| *number == id).map(|(_, point)| *point)
}

/// What a hook is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One session.
    Session,
    /// One transaction.
    Transaction,
}

/// The engine's hook point of a hook number, if it is still to come for what the hook is added to.
pub fn point_in(scope: Scope, id: c_int) -> Option<TransactionHook> {
    use TransactionHook::{SsnClose, SsnStart};
    point(id).filter(|point| match scope {
        Scope::Session => *point != SsnStart,
        Scope::Transaction => !matches!(point, SsnStart | SsnClose),
    })
}

/// The event that a continuation gets at a hook point.
fn event(point: TransactionHook) -> c_int {
    POINTS.iter().find(|(_, p)| *p == point).map_or(0, |(number, _)| FIRST_EVENT + number)
}

/// A continuation as a handler.
pub fn handler(cont: Arc<Cont>, point: TransactionHook) -> NamedHandler {
    let module: Arc<str> = cont.plugin_name().into();
    NamedHandler { module, call: call(cont, point) }
}

/// A continuation as a handler without a name.
fn call(cont: Arc<Cont>, point: TransactionHook) -> Arc<tollgate_plugin::TransactionHandler> {
    let event = event(point);
    if matches!(point, TransactionHook::SsnStart | TransactionHook::SsnClose) {
        Arc::new(move |txn| at_session(&cont, event, txn))
    } else {
        Arc::new(move |txn| at_transaction(&cont, point, event, txn))
    }
}

/// What the plugin wants when it reenables.
fn outcome(function: &'static str, event: c_int, cont: &Cont) -> Outcome {
    match event {
        CONTINUE | NONE | TIMEOUT => Outcome::Continue,
        ERROR => Outcome::Fail,
        _ => {
            let fault = format_args!("event {event} means nothing: taken as TS_EVENT_HTTP_CONTINUE");
            fence::report_of(cont.plugin(), function, &fault);
            Outcome::Continue
        }
    }
}

fn at_transaction<'t>(
    cont: &Arc<Cont>,
    point: TransactionHook,
    event: c_int,
    txn: &'t mut Transaction,
) -> Step<'t> {
    if cont.is_destroyed() {
        return Step::Ready(Outcome::Continue);
    }
    let Some(turn) = cont.try_turn() else {
        let host = txn.host();
        let Some(lent) = Lent::new(txn, point, Ticket::open(cont.plugin())) else {
            return Step::Ready(too_many(cont));
        };
        let cont = Arc::clone(cont);
        return Step::Pending(Box::pin(async move {
            call_in_turn(&cont, &*host, event, lent.handle()).await;
            transaction_done(cont, lent).await
        }));
    };
    let Some(mut lent) = Lent::new(txn, point, Ticket::open(cont.plugin())) else {
        return Step::Ready(too_many(cont));
    };
    let at_hand = lent.at_hand();
    cont.call(&turn, event, lent.handle());
    drop((at_hand, turn));
    match lent.poll_done(None) {
        Some(event) => Step::Ready(outcome(TRANSACTION, event, cont)),
        None => Step::Pending(Box::pin(transaction_done(Arc::clone(cont), lent))),
    }
}

fn too_many(cont: &Cont) -> Outcome {
    tracing::error!("plugin {} is left out: there are too many transactions", cont.plugin_name());
    Outcome::Continue
}

async fn transaction_done(cont: Arc<Cont>, mut lent: Lent<'_>) -> Outcome {
    let event = std::future::poll_fn(|cx| match lent.poll_done(Some(cx.waker())) {
        Some(event) => std::task::Poll::Ready(event),
        None => std::task::Poll::Pending,
    })
    .await;
    outcome(TRANSACTION, event, &cont)
}

/// Calls a continuation as soon as its lock is free, without blocking.
async fn call_in_turn(cont: &Cont, host: &dyn Host, event: c_int, edata: crate::slots::Handle) {
    // A number, not a pointer, is kept while waiting.
    let edata = crate::slots::number(edata);
    loop {
        let turn: Option<Turn<'_>> = cont.try_turn();
        if let Some(turn) = turn {
            cont.call(&turn, event, crate::slots::pointer(edata));
            return;
        }
        host.sleep(RETRY).await;
    }
}

fn at_session<'t>(cont: &Arc<Cont>, event: c_int, txn: &'t mut Transaction) -> Step<'t> {
    if cont.is_destroyed() {
        return Step::Ready(Outcome::Continue);
    }
    let Some(ssn) = SsnCell::of(txn.session()) else { return Step::Ready(too_many(cont)) };
    let open = OpenSession::new(ssn, cont);
    if let Some(turn) = cont.try_turn() {
        cont.call(&turn, event, open.0.handle());
        drop(turn);
        if let Some(event) = open.0.poll_done(None) {
            return Step::Ready(outcome(SESSION, event, cont));
        }
        return Step::Pending(Box::pin(session_done(Arc::clone(cont), open)));
    }
    let (cont, host) = (Arc::clone(cont), txn.host());
    Step::Pending(Box::pin(async move {
        call_in_turn(&cont, &*host, event, open.0.handle()).await;
        session_done(cont, open).await
    }))
}

/// An open session hook point.
struct OpenSession(Arc<SsnCell>);

impl OpenSession {
    fn new(ssn: Arc<SsnCell>, cont: &Cont) -> OpenSession {
        ssn.open_ticket(cont.plugin());
        OpenSession(ssn)
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.close_ticket();
    }
}

async fn session_done(cont: Arc<Cont>, open: OpenSession) -> Outcome {
    let event = std::future::poll_fn(|cx| match open.0.poll_done(Some(cx.waker())) {
        Some(event) => std::task::Poll::Ready(event),
        None => std::task::Poll::Pending,
    })
    .await;
    outcome(SESSION, event, &cont)
}

/// Reports a hook number that does not exist, or that has no meaning in a scope.
pub(crate) fn report_useless(function: &'static str, id: c_int) {
    let name = names::hook(id).unwrap_or("no hook point");
    fence::report(function, &format_args!("hook {id} ({name}) is never called in this scope"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_hook_numbers_from_60002_on() {
        assert_eq!(event(TransactionHook::ReadRequestHdr), 60002);
        assert_eq!(event(TransactionHook::TxnClose), 60012);
        assert_eq!(event(TransactionHook::PostRemap), 60017);
        // ATS: not the header's TS_EVENT_HTTP_REQUEST_BUFFER_COMPLETE.
        assert_eq!(event(TransactionHook::RequestBufferReadComplete), 60029);
        assert_eq!(TransactionHook::ALL.len(), POINTS.len());
        assert_eq!(point(6), None);
    }

    #[test]
    fn a_transaction_has_no_hooks_of_its_session_and_a_session_has_begun() {
        assert_eq!(point_in(Scope::Transaction, 12), None);
        assert_eq!(point_in(Scope::Session, 11), None);
        assert_eq!(point_in(Scope::Session, 12), Some(TransactionHook::SsnClose));
        assert_eq!(point_in(Scope::Transaction, 9), Some(TransactionHook::TxnStart));
    }
}
