//! Plugin code that panics ends its own transaction, whatever kind of code it is, and nothing else.

use crate::support::{Server, ok};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tollgate_hook::{AllOutcome, Order};
use tollgate_http::{Request, Response};
use tollgate_obs::metrics::Metric;
use tollgate_plugin::hooks::{
    CacheLookupComplete, OsDns, PostRemap, PreRemap, ReadCacheHdr, ReadRequestHdr, ReadResponseHdr,
    SelectAlt, SendRequestHdr, SendResponseHdr, TransactionPoint, TxnClose, TxnStart,
};
use tollgate_plugin::{
    Body, BodyError, BodyTransform, DataSink, Intercept, InterceptError, InterceptResponse, LocalBoxFuture,
    Outcome, Registrar, Transaction,
};

/// Whether the request asks for a panic there.
fn asks(txn: &Transaction, what: &str) -> bool {
    txn.client_request.headers.get_str("X-Panic") == Some(what)
}

fn panics_at<P: TransactionPoint + Copy>(registrar: &mut Registrar, point: P) {
    registrar.on(point, move |txn| {
        assert!(!asks(txn, P::HOOK.name()), "as asked");
        Outcome::Continue
    });
    registrar.on_async(point, async move |txn: &mut Transaction| {
        if asks(txn, &format!("async {}", P::HOOK.name())) {
            txn.sleep(std::time::Duration::from_millis(1)).await;
            panic!("as asked");
        }
        Outcome::Continue
    });
}

struct Bad(&'static str);

impl BodyTransform for Bad {
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        assert_ne!(self.0, "early");
        Box::pin(async move {
            let piece = input.next().await;
            assert_ne!(self.0, "late");
            piece
        })
    }

    fn output_length(&self, input_length: Option<u64>) -> Option<u64> {
        assert_ne!(self.0, "length");
        input_length
    }
}

impl DataSink for Bad {
    fn data(&mut self, _: &Bytes) {
        assert_ne!(self.0, "data");
    }

    fn end(&mut self, _: bool) {
        assert_ne!(self.0, "end");
    }
}

impl Body for Bad {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        panic!("as asked")
    }
}

impl Intercept for Bad {
    fn serve<'a>(
        &'a self,
        _: &'a Request,
        _: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<InterceptResponse, InterceptError>> {
        assert_ne!(self.0, "serve");
        Box::pin(async {
            Ok(InterceptResponse { response: Response::new(200), body: Box::new(Bad("body")) })
        })
    }
}

/// Each kind of plugin code with a panic in it, by the value of `X-Panic`.
fn register(registrar: &mut Registrar) {
    panics_at(registrar, ReadRequestHdr);
    panics_at(registrar, PreRemap);
    panics_at(registrar, PostRemap);
    panics_at(registrar, ReadCacheHdr);
    panics_at(registrar, CacheLookupComplete);
    panics_at(registrar, OsDns);
    panics_at(registrar, SendRequestHdr);
    panics_at(registrar, ReadResponseHdr);
    panics_at(registrar, SendResponseHdr);
    panics_at(registrar, TxnClose);
    registrar.on(ReadRequestHdr, |txn| {
        let what = txn.client_request.headers.get_str("X-Panic").unwrap_or_default().to_string();
        match what.as_str() {
            "response transform" => txn.add_response_transform(Bad("early")),
            "response transform's future" => txn.add_response_transform(Bad("late")),
            "response transform's length" => txn.add_response_transform(Bad("length")),
            "request transform" => txn.add_request_transform(Bad("early")),
            "request transform's future" => txn.add_request_transform(Bad("late")),
            "request transform's length" => txn.add_request_transform(Bad("length")),
            "sink" => txn.add_sink(Bad("data")),
            "sink's end" => txn.add_sink(Bad("end")),
            "intercept" => txn.set_intercept(Bad("serve")),
            "intercept's body" => txn.set_intercept(Bad("intercept")),
            "server intercept" => txn.set_server_intercept(Bad("serve")),
            _ => {}
        }
        Outcome::Continue
    });
    registrar.on_access(Order::default(), |txn| {
        assert!(!asks(txn, "access check"));
        AllOutcome::Ok
    });
    registrar.on_point::<SelectAlt>(Order::default(), |alternate: &tollgate_plugin::hooks::Alternate<'_>| {
        assert_ne!(alternate.client_request.headers.get_str("X-Panic"), Some("select alternate"));
    });
    registrar.on_log(|txn| assert!(!asks(txn, "log")));
}

const KINDS: &[&str] = &[
    "READ_REQUEST_HDR",
    "PRE_REMAP",
    "POST_REMAP",
    "CACHE_LOOKUP_COMPLETE",
    "OS_DNS",
    "SEND_REQUEST_HDR",
    "READ_RESPONSE_HDR",
    "SEND_RESPONSE_HDR",
    "async READ_REQUEST_HDR",
    "async OS_DNS",
    "async SEND_RESPONSE_HDR",
    "access check",
    "response transform",
    "response transform's future",
    "response transform's length",
    "request transform",
    "request transform's future",
    "request transform's length",
    "sink",
    "sink's end",
    "intercept",
    "intercept's body",
    "server intercept",
];

#[test]
fn a_panic_in_any_plugin_code_ends_its_own_transaction_only() {
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (starts, closes) = (Arc::clone(&begun), Arc::clone(&ended));
    let count = move |registrar: &mut Registrar| {
        let (starts, closes) = (Arc::clone(&starts), Arc::clone(&closes));
        registrar.on(TxnStart, move |_| {
            starts.fetch_add(1, Ordering::Relaxed);
            Outcome::Continue
        });
        registrar.on(TxnClose, move |_| {
            closes.fetch_add(1, Ordering::Relaxed);
            Outcome::Continue
        });
        register(registrar);
    };
    let server = Server::start(&[], count, |_| ok("Cache-Control: no-store\r\n", "fine"));
    for (index, kind) in KINDS.iter().enumerate() {
        let request =
            format!("POST / HTTP/1.1\r\nHost: h\r\nX-Panic: {kind}\r\nContent-Length: 5\r\n\r\nhello");
        let reply = server.ask(&request);
        let failed = reply.status == 500 || !reply.complete;
        assert!(failed || *kind == "sink's end", "{kind}: {reply:?}");
        server.await_metric(Metric::HandlerFaults, index as i64 + 1);
        let reply = server.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!((reply.status, reply.text()), (200, "fine"), "after {kind}");
    }
    server.await_metric(Metric::TransactionsActive, 0);
    assert_eq!(begun.load(Ordering::Relaxed), 2 * KINDS.len());
    assert_eq!(ended.load(Ordering::Relaxed), 2 * KINDS.len());
}

#[test]
fn a_panic_after_the_response_does_not_change_it() {
    let server = Server::start(&[], register, |_| ok("", "fine"));
    for (index, kind) in ["TXN_CLOSE", "async TXN_CLOSE", "log"].iter().enumerate() {
        let reply = server.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\nX-Panic: {kind}\r\n\r\n"));
        assert_eq!((reply.status, reply.text()), (200, "fine"), "{kind}");
        server.await_metric(Metric::HandlerFaults, index as i64 + 1);
    }
}

#[test]
fn a_panic_while_a_stored_object_is_looked_at_leaves_it_usable() {
    let server = Server::start(&[], register, |_| ok("Cache-Control: max-age=100\r\n", "stored"));
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").text(), "stored");
    for kind in ["READ_CACHE_HDR", "select alternate"] {
        let reply = server.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\nX-Panic: {kind}\r\n\r\n"));
        assert_eq!(reply.status, 500, "{kind}");
        assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").text(), "stored");
    }
    assert_eq!(server.origin.requests().len(), 1);
}
