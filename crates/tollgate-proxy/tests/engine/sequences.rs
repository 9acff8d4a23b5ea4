//! Sequences that only a plugin's call brings about (ts-abi 2.4, the table's rows).

use crate::support::{Request, Server, ok};
use crate::trace::{Log, sequences, trace};
use bytes::Bytes;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tollgate_http::Url;
use tollgate_obs::metrics::Metric;
use tollgate_plugin::hooks::{
    CacheLookupComplete, OsDns, PostRemap, ReadRequestHdr, ReadResponseHdr, SendResponseHdr, TxnStart,
};
use tollgate_plugin::{CacheLookup, Outcome, Registrar, Transaction};

const STORED: &str = "Cache-Control: max-age=100\r\n";
const NOT_STORED: &str = "Cache-Control: no-store\r\n";

/// A server whose plugin writes the sequences to the log and does what `register` says.
fn traced(
    register: impl Fn(&mut Registrar) + Send + Sync + 'static,
    answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static,
) -> (Server, Log) {
    let log = Log::default();
    let traced = Arc::clone(&log);
    let both = move |registrar: &mut Registrar| {
        trace(registrar, &traced);
        register(registrar);
    };
    // A client that has closed has left, whether it could still read or not.
    let records = [
        ("proxy.config.http.allow_half_open", "0"),
        ("proxy.config.http.redirect.actions", "self:follow,loopback:follow"),
    ];
    (Server::start(&records, both, answer), log)
}

fn url(text: &str) -> Box<Url> {
    Box::new(Url::parse_absolute(Bytes::copy_from_slice(text.as_bytes())).expect("a URL"))
}

/// The URL in the request's `X-Url`.
fn wanted(txn: &Transaction) -> Option<Box<Url>> {
    txn.client_request.headers.get_str("X-Url").map(url)
}

fn target(request: &Request) -> &str {
    request.head.split(' ').nth(1).expect("a target")
}

#[test]
fn skipped_remapping_leaves_its_hook_points_out_and_asks_the_requests_own_host() {
    let register = |r: &mut Registrar| {
        r.on(TxnStart, |txn| {
            txn.skip_remapping = txn.session().transaction_count() == 2;
            Outcome::Continue
        });
        r.on(ReadRequestHdr, |txn| {
            txn.skip_remapping |= txn.client_request.headers.get("X-Skip").is_some();
            Outcome::Continue
        });
    };
    let (server, log) = traced(register, |_| ok(NOT_STORED, "hello"));
    let host = server.origin.addr;
    let mut client = server.client();
    client.send(&format!("GET /1 HTTP/1.1\r\nHost: {host}\r\nX-Skip: 1\r\n\r\n"));
    assert_eq!(client.reply().text(), "hello");
    assert_eq!(sequences(&log, 1), ["TS RQ CL OD SQ RR SR TC"]);
    client.send(&format!("GET /2 HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!(client.reply().text(), "hello", "the skip was asked for at TXN_START");
    assert_eq!(sequences(&log, 1), ["TS RQ CL OD SQ RR SR TC"]);
    client.send("GET /3 HTTP/1.1\r\nHost: unknown.invalid\r\n\r\n");
    assert_eq!(client.reply().text(), "hello", "the rule says where the origin is");
    assert_eq!(sequences(&log, 1), ["TS RQ PR PO CL OD SQ RR SR TC"]);
    client.send("GET /4 HTTP/1.1\r\nHost: unknown.invalid\r\nX-Skip: 1\r\n\r\n");
    assert_eq!(client.reply().status, 502, "no rule was asked where the origin is");
}

#[test]
fn a_hit_that_a_handler_calls_a_miss_is_fetched() {
    let register = |r: &mut Registrar| {
        r.on(CacheLookupComplete, |txn| {
            if txn.client_request.headers.get("X-Miss").is_some() {
                assert_eq!(txn.cache_lookup, Some(CacheLookup::HitFresh));
                txn.cache_lookup = Some(CacheLookup::Miss);
            }
            Outcome::Continue
        });
    };
    let (server, log) = traced(register, |request| ok(STORED, request.field("X-Body").expect("sent")));
    let sequence_of = |fields: &str, body: &str| {
        let reply = server.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        assert_eq!(reply.text(), body);
        sequences(&log, 1).remove(0)
    };
    assert_eq!(sequence_of("X-Body: one\r\n", "one"), "TS RQ PR PO CL OD SQ RR SR TC");
    assert_eq!(sequence_of("X-Body: two\r\n", "one"), "TS RQ PR PO SA RC CL SR TC");
    let forced = sequence_of("X-Body: three\r\nX-Miss: 1\r\n", "three");
    assert_eq!(forced, "TS RQ PR PO SA RC CL OD SQ RR SR TC");
    assert_eq!(sequence_of("X-Body: four\r\n", "three"), "TS RQ PR PO SA RC CL SR TC", "it was stored");
}

#[test]
fn a_look_up_that_is_done_again_comes_to_its_hook_point_again() {
    let register = |r: &mut Registrar| {
        r.on(CacheLookupComplete, |txn| {
            // Only the first time: the field is gone then.
            txn.redo_cache_lookup = wanted(txn);
            txn.client_request.headers.remove("X-Url");
            Outcome::Continue
        });
    };
    let (server, log) = traced(register, |request| ok(STORED, target(request)));
    let origin = server.origin.addr;
    let sequence_of = |path: &str, field: &str, body: &str| {
        let reply = server.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n{field}\r\n"));
        assert_eq!(reply.text(), body, "{path}");
        sequences(&log, 1).remove(0)
    };
    assert_eq!(sequence_of("/a", "", "/a"), "TS RQ PR PO CL OD SQ RR SR TC");
    let other = format!("X-Url: http://{origin}/a\r\n");
    assert_eq!(sequence_of("/b", &other, "/a"), "TS RQ PR PO CL SA RC CL SR TC", "a miss, then a hit");
    let none = format!("X-Url: http://{origin}/none\r\n");
    assert_eq!(
        sequence_of("/a", &none, "/a"),
        "TS RQ PR PO SA RC CL CL OD SQ RR SR TC",
        "a hit, then a miss"
    );
    // Stored under the key that was looked up last.
    assert_eq!(sequence_of("/b", &none, "/a"), "TS RQ PR PO CL SA RC CL SR TC");
}

#[test]
fn a_handler_that_always_wants_another_look_up_does_not_hold_the_transaction() {
    let register = |r: &mut Registrar| {
        r.on(CacheLookupComplete, |txn| {
            txn.redo_cache_lookup = Some(url("http://h/again"));
            Outcome::Continue
        });
    };
    let (server, log) = traced(register, |_| ok(STORED, "hello"));
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").text(), "hello");
    let sequence = sequences(&log, 1).remove(0);
    assert_eq!(sequence, format!("TS RQ PR PO {}OD SQ RR SR TC", "CL ".repeat(9)));
}

/// An address whose port is taken and refuses connections.
struct Refusing(TcpStream);

impl Refusing {
    fn addr(&self) -> SocketAddr {
        self.0.local_addr().expect("connected")
    }
}

/// Requests with `X-Addr` go to that address; with `X-Url`, `redirect_url` is set at the point in `X-At`.
fn redirects(r: &mut Registrar) {
    r.on(PostRemap, |txn| {
        let addr = txn.client_request.headers.get_str("X-Addr");
        txn.origin_addr = addr.map(|addr| addr.parse().expect("an address"));
        Outcome::Continue
    });
    fn set(txn: &mut Transaction, point: &str) -> Outcome {
        let headers = &txn.client_request.headers;
        let is_due = headers.get_str("X-At") == Some(point);
        let times = headers.get_str("X-Times").map_or(1, |n| n.parse().expect("a number"));
        let done = txn.contexts().get::<Redirected>().map_or(0, |r| r.0);
        if is_due && done < times {
            txn.contexts().insert(Redirected(done + 1));
            txn.redirect_url = wanted(txn);
        }
        Outcome::Continue
    }
    r.on(ReadResponseHdr, |txn| set(txn, "RR"));
    r.on(SendResponseHdr, |txn| set(txn, "SR"));
}

/// How often a transaction was redirected.
struct Redirected(u32);

#[test]
fn a_redirect_set_after_the_origin_failed_is_followed_in_place_of_the_error_page() {
    let (server, log) = traced(redirects, |_| ok(NOT_STORED, "second"));
    let origin = server.origin.addr;
    let refusing = Refusing(TcpStream::connect(origin).expect("the origin"));
    let fields = format!("Host: h\r\nX-Addr: {}\r\nX-At: SR\r\n", refusing.addr());
    let reply = server.ask(&format!("GET / HTTP/1.1\r\n{fields}X-Url: http://{origin}/second\r\n\r\n"));
    assert_eq!((reply.status, reply.text()), (200, "second"));
    assert_eq!(sequences(&log, 1), ["TS RQ PR PO CL OD SR CL OD SQ RR SR TC"]);
    let dead = format!("X-Url: http://{}/\r\n", refusing.addr());
    let reply = server.ask(&format!("GET / HTTP/1.1\r\n{fields}{dead}\r\n"));
    assert_eq!(reply.status, 502, "the second origin failed, too");
    assert_eq!(sequences(&log, 1), ["TS RQ PR PO CL OD SR CL OD SR TC"]);
    let reply = server.ask(&format!("GET / HTTP/1.1\r\n{fields}X-Url: https://{origin}/\r\n\r\n"));
    assert_eq!(reply.status, 502, "the target's scheme is not spoken here: nothing is sent in the clear");
}

#[test]
fn a_redirect_set_by_a_plugin_is_followed_whatever_the_response_but_not_from_a_fresh_object() {
    let (server, log) = traced(redirects, |request| ok(STORED, target(request)));
    let origin = server.origin.addr;
    let sequence_of = |path: &str, fields: &str, body: &str| {
        let fields = format!("Host: {origin}\r\nX-Url: http://{origin}/other\r\n{fields}");
        let reply = server.ask(&format!("GET {path} HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!((reply.status, reply.text()), (200, body), "{path} {fields}");
        sequences(&log, 1).remove(0)
    };
    assert_eq!(sequence_of("/1", "X-At: RR\r\n", "/other"), "TS RQ PR PO CL OD SQ RR CL OD SQ RR SR TC");
    assert_eq!(sequence_of("/2", "X-At: SR\r\n", "/other"), "TS RQ PR PO CL OD SQ RR SR SA RC CL SR TC");
    assert_eq!(sequence_of("/other", "X-At: SR\r\n", "/other"), "TS RQ PR PO SA RC CL SR TC");
}

#[test]
fn redirects_by_plugins_have_a_limit() {
    let (server, log) = traced(redirects, |request| ok(NOT_STORED, target(request)));
    let origin = server.origin.addr;
    let fields = format!("Host: h\r\nX-Url: http://{origin}/other\r\nX-Times: 1000\r\n");
    for (point, round) in [("RR", "CL OD SQ RR "), ("SR", "CL OD SQ RR SR ")] {
        let reply = server.ask(&format!("GET / HTTP/1.1\r\n{fields}X-At: {point}\r\n\r\n"));
        assert_eq!(reply.text(), "/other", "{point}");
        let last = if point == "RR" { "SR TC" } else { "TC" };
        assert_eq!(sequences(&log, 1), [format!("TS RQ PR PO {}{last}", round.repeat(11))]);
    }
}

#[test]
fn a_request_whose_body_is_gone_is_not_redirected() {
    let (server, log) = traced(redirects, |_| ok(NOT_STORED, "first"));
    let origin = server.origin.addr;
    let fields = format!("Host: h\r\nX-Url: http://{origin}/other\r\nX-At: SR\r\nContent-Length: 2\r\n");
    let reply = server.ask(&format!("POST / HTTP/1.1\r\n{fields}\r\nhi"));
    assert_eq!(reply.text(), "first");
    assert_eq!(sequences(&log, 1), ["TS RQ PR PO CL OD SQ RR SR TC"]);
}

#[test]
fn the_other_handlers_of_the_pending_point_run_when_the_client_has_left() {
    let (is_gone, others_ran) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (waits_for, ran) = (Arc::clone(&is_gone), Arc::clone(&others_ran));
    let register = move |r: &mut Registrar| {
        let (waits_for, ran) = (Arc::clone(&waits_for), Arc::clone(&ran));
        r.on_async(OsDns, async move |txn: &mut Transaction| {
            while !waits_for.load(Ordering::SeqCst) {
                txn.sleep(Duration::from_millis(5)).await;
            }
            // Once more through the event loop, which hears of the client then.
            txn.sleep(Duration::from_millis(5)).await;
            Outcome::Continue
        });
        r.on(OsDns, move |txn| {
            ran.fetch_add(1, Ordering::SeqCst);
            let ran = Arc::clone(&ran);
            txn.add_hook(OsDns, "test", move |_| {
                ran.fetch_add(1, Ordering::SeqCst);
                Outcome::Continue
            });
            Outcome::Continue
        });
    };
    let (server, log) = traced(register, |_| ok(NOT_STORED, "unseen"));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    server.await_metric(Metric::TransactionsActive, 1);
    drop(client);
    is_gone.store(true, Ordering::SeqCst);
    assert_eq!(sequences(&log, 1), ["TS RQ PR PO CL OD TC"]);
    assert_eq!(others_ran.load(Ordering::SeqCst), 2, "in the same scope, and in the next");
    server.await_metric(Metric::TransactionsActive, 0);
}
