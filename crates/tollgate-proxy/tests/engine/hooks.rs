//! Sequences, scopes, transforms and sinks of plugins (ts-abi 2.3, 2.4, 2.8).

use crate::support::{Client, Server, await_that, ok};
use crate::trace::{Log, trace};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tollgate_obs::metrics::Metric;
use tollgate_plugin::body::MapPieces;
use tollgate_plugin::hooks::{
    CacheLookupComplete, OsDns, PostRemap, PreRemap, ReadRequestHdr, ReadResponseHdr, SendRequestHdr,
    SendResponseHdr, SsnClose, SsnStart, TransactionPoint, TxnClose,
};
use tollgate_plugin::{
    BodyError, DataSink, FetchError, FetchRequest, Outcome, Registrar, Step, Transaction, TransactionHook,
};

fn stops_at<P: TransactionPoint>(registrar: &mut Registrar, point: P) {
    registrar.on(point, |txn| match txn.client_request.headers.get_str("X-Stop") {
        Some(stop) if stop == format!("fail {}", P::HOOK.name()) => Outcome::Fail,
        Some(stop) if stop == format!("respond {}", P::HOOK.name()) => Outcome::respond(418, "", "tea"),
        _ => Outcome::Continue,
    });
}

fn stops(registrar: &mut Registrar) {
    stops_at(registrar, ReadRequestHdr);
    stops_at(registrar, PreRemap);
    stops_at(registrar, PostRemap);
    stops_at(registrar, CacheLookupComplete);
    stops_at(registrar, OsDns);
    stops_at(registrar, SendRequestHdr);
    stops_at(registrar, ReadResponseHdr);
    stops_at(registrar, SendResponseHdr);
    stops_at(registrar, TxnClose);
}

#[test]
fn an_outcome_at_any_point_leads_to_the_response_and_the_end() {
    let log = Log::default();
    let traced = Arc::clone(&log);
    let register = move |r: &mut Registrar| {
        trace(r, &traced);
        stops(r);
    };
    let server = Server::start(&[], register, |_| ok("Cache-Control: no-store\r\n", "hello"));
    let points = [
        ("READ_REQUEST_HDR", "TS RQ SR TC"),
        ("PRE_REMAP", "TS RQ PR SR TC"),
        ("POST_REMAP", "TS RQ PR PO SR TC"),
        ("CACHE_LOOKUP_COMPLETE", "TS RQ PR PO CL SR TC"),
        ("OS_DNS", "TS RQ PR PO CL OD SR TC"),
        ("SEND_REQUEST_HDR", "TS RQ PR PO CL OD SQ SR TC"),
        ("READ_RESPONSE_HDR", "TS RQ PR PO CL OD SQ RR SR TC"),
        ("SEND_RESPONSE_HDR", "TS RQ PR PO CL OD SQ RR SR TC"),
    ];
    for (point, sequence) in points {
        for (how, status) in [("fail", 500), ("respond", 418)] {
            let reply = server.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\nX-Stop: {how} {point}\r\n\r\n"));
            assert_eq!(reply.status, status, "{how} at {point}");
            await_that("TXN_CLOSE", || !log.lock().expect("no panic").is_empty());
            assert_eq!(
                log.lock().expect("no panic").drain(..).collect::<Vec<_>>(),
                [sequence],
                "{how} {point}"
            );
        }
    }
    // At the end there is nothing left to decide.
    let reply = server.ask("GET / HTTP/1.1\r\nHost: h\r\nX-Stop: fail TXN_CLOSE\r\n\r\n");
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    await_that("TXN_CLOSE", || !log.lock().expect("no panic").is_empty());
    assert_eq!(
        log.lock().expect("no panic").drain(..).collect::<Vec<_>>(),
        ["TS RQ PR PO CL OD SQ RR SR TC"]
    );
}

#[test]
fn a_plugins_answer_is_not_replaced_by_a_stale_object() {
    let server =
        Server::start(&[], stops, |_| ok("Cache-Control: max-age=10\r\nAge: 100\r\nETag: \"a\"\r\n", "old"));
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").text(), "old");
    let reply = server.ask("GET / HTTP/1.1\r\nHost: h\r\nX-Stop: fail SEND_REQUEST_HDR\r\n\r\n");
    assert_eq!(reply.status, 500, "{reply:?}");
}

#[test]
fn an_answer_in_place_of_a_response_that_is_stored_does_not_wait_for_its_body() {
    // The origin's body never ends: only its first half is sent.
    let half = |_: &crate::support::Request| {
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nContent-Length: 10\r\n\r\nhello".to_vec()
    };
    let server = Server::start(&[], stops, half);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Stop: fail SEND_RESPONSE_HDR\r\n\r\n");
    assert_eq!(client.reply().status, 500);
    client.send("GET /2 HTTP/1.1\r\nHost: h\r\nX-Stop: fail READ_REQUEST_HDR\r\n\r\n");
    assert_eq!(client.reply().status, 500, "the connection is free for the next request");
}

#[test]
fn every_session_start_has_its_close() {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let register = move |r: &mut Registrar| {
        let (starts, closes) = (Arc::clone(&seen), Arc::clone(&seen));
        r.on(SsnStart, move |txn| {
            let mut log = starts.lock().expect("no panic");
            log.push(format!("start {}", txn.session().id()));
            // Every second connection is refused.
            if log.iter().filter(|l| l.starts_with("start")).count() % 2 == 0 {
                Outcome::Fail
            } else {
                Outcome::Continue
            }
        });
        r.on(SsnClose, move |txn| {
            closes.lock().expect("no panic").push(format!("close {}", txn.session().id()));
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("", "hello"));
    for _ in 0..2 {
        let mut client = server.client();
        client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        client.reply();
    }
    await_that("two closes", || {
        log.lock().expect("no panic").iter().filter(|l| l.starts_with("close")).count() == 2
    });
    server.await_metric(Metric::SessionsActive, 0);
}

#[test]
fn a_session_ends_with_the_plugins_that_saw_it_begin() {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let generations = AtomicUsize::new(0);
    let register = move |r: &mut Registrar| {
        let generation = generations.fetch_add(1, Ordering::SeqCst) + 1;
        let say = |what: &'static str| {
            let seen = Arc::clone(&seen);
            move |_: &mut Transaction| {
                seen.lock().expect("no panic").push(format!("{what} {generation}"));
                Outcome::Continue
            }
        };
        r.on(SsnStart, say("start"));
        r.on(ReadRequestHdr, say("request"));
        r.on(SsnClose, say("close"));
    };
    let server = Server::start(&[], register, |_| ok("", "hello"));
    let ask = |client: &mut Client| {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.reply().text(), "hello");
    };
    let close = |client: Client, open: i64| {
        drop(client);
        server.await_metric(Metric::SessionsActive, open);
    };
    let mut old = server.client();
    ask(&mut old);
    server.reload();
    let mut new = server.client();
    ask(&mut new);
    ask(&mut old);
    close(old, 1);
    close(new, 0);
    let expected = ["start 1", "request 1", "start 2", "request 2", "request 2", "close 1", "close 2"];
    await_that("both closes", || log.lock().expect("no panic").len() >= expected.len());
    assert_eq!(*log.lock().expect("no panic"), expected);
}

fn path(txn: &Transaction) -> String {
    String::from_utf8_lossy(&txn.client_request.url.path).into_owned()
}

#[test]
fn handlers_added_during_a_transaction_run_in_their_scope() {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let register = move |r: &mut Registrar| {
        let seen = Arc::clone(&seen);
        r.on(ReadRequestHdr, move |txn| {
            let say = |text: &'static str| {
                let seen = Arc::clone(&seen);
                move |txn: &mut Transaction| {
                    seen.lock().expect("no panic").push(format!("/{} {text}", path(txn)));
                    Outcome::Continue
                }
            };
            if txn.session().transaction_count() == 1 {
                let here = say("session");
                txn.session()
                    .add_hook(TransactionHook::SendResponseHdr, "test", move |txn| Step::Ready(here(txn)));
            }
            if txn.client_request.headers.get("X-Add").is_some() {
                // The same point: this scope has not been entered yet.
                txn.add_hook(ReadRequestHdr, "test", say("transaction, same point"));
                txn.add_hook(SendResponseHdr, "test", say("transaction"));
            }
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("", "hello"));
    let mut client = server.client();
    for request in ["GET /1 HTTP/1.1\r\nHost: h\r\nX-Add: 1\r\n\r\n", "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"] {
        client.send(request);
        assert_eq!(client.reply().status, 200);
    }
    let lines = log.lock().expect("no panic").clone();
    assert_eq!(lines, ["/1 transaction, same point", "/1 session", "/1 transaction", "/2 session"]);
}

/// Doubles each byte.
fn double(piece: Option<Bytes>) -> Result<Bytes, BodyError> {
    Ok(piece.unwrap_or_default().iter().flat_map(|b| [*b, *b]).collect())
}

/// Appends an exclamation mark at the end.
fn exclaim(piece: Option<Bytes>) -> Result<Bytes, BodyError> {
    Ok(piece.unwrap_or_else(|| Bytes::from_static(b"!")))
}

#[test]
fn transforms_chain_and_change_the_length_of_requests_and_responses() {
    let register = |r: &mut Registrar| {
        r.on(ReadRequestHdr, |txn| {
            txn.add_request_transform(MapPieces::new(double));
            txn.add_request_transform(MapPieces::new(exclaim));
            txn.add_response_transform(MapPieces::new(exclaim));
            txn.add_response_transform(MapPieces::new(double));
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("Cache-Control: no-store\r\n", "hello"));
    let mut client = server.client();
    for body in
        ["Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"]
    {
        client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\n{body}"));
        let reply = client.reply();
        assert_eq!((reply.text(), reply.complete), ("hheelllloo!!", true));
    }
    let bodies: Vec<_> = server.origin.requests().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, [b"aabbcc!", b"aabbcc!"]);
}

/// Writes down what it sees.
struct Recorder {
    log: Log,
    bytes: usize,
}

impl DataSink for Recorder {
    fn data(&mut self, piece: &Bytes) {
        self.bytes += piece.len();
    }

    fn end(&mut self, is_complete: bool) {
        self.log.lock().expect("no panic").push(format!("{} bytes, complete: {is_complete}", self.bytes));
    }

    fn outlives_client(&self) -> bool {
        true
    }
}

#[test]
fn a_sink_sees_the_whole_body_although_the_client_leaves() {
    const SIZE: usize = 8 << 20;
    let log = Log::default();
    let seen = Arc::clone(&log);
    let register = move |r: &mut Registrar| {
        let seen = Arc::clone(&seen);
        r.on(ReadRequestHdr, move |txn| {
            txn.add_sink(Recorder { log: Arc::clone(&seen), bytes: 0 });
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("Cache-Control: no-store\r\n", &"x".repeat(SIZE)));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    drop(client);
    await_that("the sink's end", || !log.lock().expect("no panic").is_empty());
    assert_eq!(*log.lock().expect("no panic"), [format!("{SIZE} bytes, complete: true")]);
    server.await_metric(Metric::TransactionsActive, 0);
    server.await_metric(Metric::ClientConnectionsActive, 0);
}

#[test]
fn a_plugin_that_answers_its_own_requests_with_more_is_stopped_at_a_depth() {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let register = move |registrar: &mut Registrar| {
        let count = Arc::clone(&count);
        registrar.on_async(PreRemap, async move |txn: &mut Transaction| {
            let request = FetchRequest {
                request: txn.client_request.clone(),
                body: Bytes::new(),
                client_addr: txn.client_addr(),
            };
            if let Err(FetchError::TooDeep(_)) = txn.host().fetch(request).await {
                count.fetch_add(1, Ordering::SeqCst);
            }
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("Cache-Control: no-store\r\n", "hello"));
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: t.test\r\n\r\n").text(), "hello");
    assert_eq!(refused.load(Ordering::SeqCst), 1);
    assert_eq!(server.metric(Metric::InternalTransactions), 8);
}
