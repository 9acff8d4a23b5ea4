//! The sequence of hook points of each transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tollgate_hook::{Order, slot};
use tollgate_plugin::hooks::{
    Alternate, CacheLookupComplete, OsDns, PostRemap, PreRemap, ReadCacheHdr, ReadRequestHdr,
    ReadResponseHdr, SelectAlt, SendRequestHdr, SendResponseHdr, TransactionPoint, TxnClose, TxnStart,
};
use tollgate_plugin::{Outcome, Registrar};

/// What plugins wrote down.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// The points that each transaction under way has passed, by transaction number: SELECT_ALT knows no more of it.
type Traces = Arc<Mutex<HashMap<u64, Vec<&'static str>>>>;

fn push(traces: &Traces, transaction: u64, code: &'static str) {
    traces.lock().expect("no panic").entry(transaction).or_default().push(code);
}

fn note<P: TransactionPoint>(registrar: &mut Registrar, traces: &Traces, point: P, code: &'static str) {
    let traces = Arc::clone(traces);
    registrar.on_ordered(point, Order::slot(slot::REALLY_FIRST), move |txn| {
        push(&traces, txn.id(), code);
        Outcome::Continue
    });
}

/// Notes each point; at TXN_CLOSE the sequence goes to `log`.
pub(crate) fn trace(registrar: &mut Registrar, log: &Log) {
    let traces = Traces::default();
    note(registrar, &traces, TxnStart, "TS");
    note(registrar, &traces, ReadRequestHdr, "RQ");
    note(registrar, &traces, PreRemap, "PR");
    note(registrar, &traces, PostRemap, "PO");
    note(registrar, &traces, ReadCacheHdr, "RC");
    note(registrar, &traces, CacheLookupComplete, "CL");
    note(registrar, &traces, OsDns, "OD");
    note(registrar, &traces, SendRequestHdr, "SQ");
    note(registrar, &traces, ReadResponseHdr, "RR");
    note(registrar, &traces, SendResponseHdr, "SR");
    note(registrar, &traces, TxnClose, "TC");
    let alternates = Arc::clone(&traces);
    registrar.on_point::<SelectAlt>(Order::default(), move |alternate: &Alternate<'_>| {
        push(&alternates, alternate.transaction_id, "SA");
    });
    let log = Arc::clone(log);
    registrar.on_ordered(TxnClose, Order::slot(slot::REALLY_LAST), move |txn| {
        let trace = traces.lock().expect("no panic").remove(&txn.id()).unwrap_or_default();
        log.lock().expect("no panic").push(trace.join(" "));
        Outcome::Continue
    });
}

/// Waits for the ends of `count` transactions and takes their sequences.
pub(crate) fn sequences(log: &Log, count: usize) -> Vec<String> {
    crate::support::await_that("TXN_CLOSE", || log.lock().expect("no panic").len() >= count);
    log.lock().expect("no panic").drain(..).collect()
}
