//! What plugins do to messages never changes where a message ends.

use crate::support::{Server, ok};
use bytes::Bytes;
use std::collections::VecDeque;
use tollgate_http::{Method, Request, Response, names};
use tollgate_obs::metrics::Metric;
use tollgate_plugin::hooks::{ReadRequestHdr, ReadResponseHdr, SendRequestHdr, SendResponseHdr, TxnStart};
use tollgate_plugin::{
    Body, BodyError, BodyTransform, Intercept, InterceptError, InterceptResponse, LocalBoxFuture, Outcome,
    Registrar, Transaction,
};

/// Adds handlers that do what the field `X-Edit` asks for.
fn on_edit(registrar: &mut Registrar, edit: impl Fn(&str, &mut Transaction) + Clone + Send + Sync + 'static) {
    let named = move |txn: &mut Transaction, point: &str| {
        let what = txn.client_request.headers.get_str("X-Edit").unwrap_or_default().to_string();
        if let Some(what) = what.strip_prefix(point) {
            edit(what, txn);
        }
        Outcome::Continue
    };
    let (a, b, c, d) = (named.clone(), named.clone(), named.clone(), named);
    registrar.on(ReadRequestHdr, move |txn| a(txn, "RQ "));
    registrar.on(SendRequestHdr, move |txn| b(txn, "SQ "));
    registrar.on(ReadResponseHdr, move |txn| c(txn, "RR "));
    registrar.on(SendResponseHdr, move |txn| d(txn, "SR "));
}

fn edit(what: &str, txn: &mut Transaction) {
    match what {
        "client is POST" => txn.client_request.method = Method::Post,
        "client is GET" => txn.client_request.method = Method::Get,
        "client is HEAD" => txn.client_request.method = Method::Head,
        "client length gone" => {
            txn.client_request.headers.remove(names::CONTENT_LENGTH);
            txn.client_request.headers.remove(names::TRANSFER_ENCODING);
        }
        _ => {}
    }
    if let Some(request) = &mut txn.proxy_request {
        let headers = &mut request.headers;
        match what {
            "length gone" => drop(headers.remove(names::CONTENT_LENGTH)),
            "length 3" => headers.set(names::CONTENT_LENGTH, "3"),
            "length twice" => headers.append(names::CONTENT_LENGTH, "5"),
            "coding gone" => drop(headers.remove(names::TRANSFER_ENCODING)),
            "coding added" => headers.append(names::TRANSFER_ENCODING, "chunked"),
            "coding other" => headers.set(names::TRANSFER_ENCODING, "gzip"),
            "no host" => drop(headers.remove(names::HOST)),
            "two hosts" => headers.append(names::HOST, "other"),
            "version" => request.version = tollgate_http::Version::Http10,
            "is HEAD" => request.method = Method::Head,
            "is GET" => request.method = Method::Get,
            "split target" => {
                request.url.path = Bytes::from_static(b"a HTTP/1.1\r\nHost: h\r\n\r\nGET /evil");
            }
            "split method" => request.method = Method::Other("GET /evil HTTP/1.1\r\n\r\nGET".into()),
            _ => {}
        }
    }
    if let Some(response) = &mut txn.origin_response {
        match what {
            "length 2" => response.headers.set(names::CONTENT_LENGTH, "2"),
            "length 20" => response.headers.set(names::CONTENT_LENGTH, "20"),
            _ => {}
        }
    }
    if let (Some(response), Some(status)) = (&mut txn.proxy_response, what.strip_prefix("status ")) {
        response.status = status.parse().expect("a number");
    }
    if let Some(response) = &mut txn.proxy_response {
        match what {
            "length 2" => response.headers.set(names::CONTENT_LENGTH, "2"),
            "coding" => response.headers.append(names::TRANSFER_ENCODING, "chunked"),
            "connection" => response.headers.append(names::CONNECTION, "close"),
            "reason" => response.reason = Some(Bytes::from_static(b"OK\r\nX-Evil: 1\r\n\r\nmore")),
            _ => {}
        }
    }
}

fn server() -> Server {
    Server::start(&[], |r| on_edit(r, edit), |_| ok("Cache-Control: max-age=9\r\n", "hello"))
}

#[test]
fn a_request_is_framed_by_its_body_whatever_handlers_set() {
    let server = server();
    let edits = [
        "RQ client length gone",
        "RQ client is GET",
        "SQ length gone",
        "SQ length 3",
        "SQ length twice",
        "SQ coding gone",
        "SQ coding added",
        "SQ coding other",
        "SQ version",
        "SQ is GET",
    ];
    let bodies =
        ["Content-Length: 5\r\n\r\n12345", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"];
    for what in edits {
        for body in bodies {
            // Both on one connection, so that a body that is framed wrongly shows as the next request.
            let mut client = server.client();
            for _ in 0..2 {
                client.send(&format!("POST / HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n{body}"));
                assert_eq!(client.reply().text(), "hello", "{what}");
            }
        }
        let reply = server.ask(
            &format!("GET /{what} HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n\r\n").replacen(what, "x", 1),
        );
        assert_eq!(reply.text(), "hello", "{what} without a body");
    }
    for request in server.origin.requests() {
        let has_body = request.head.starts_with("POST") || request.field("X-Edit") != Some("");
        assert!(has_body && (request.body == b"12345" || request.body.is_empty()), "{request:?}");
        assert!(!(request.field("Content-Length").is_some() && request.field("Transfer-Encoding").is_some()));
        assert!(request.head.lines().next().is_some_and(|l| l.ends_with("HTTP/1.1")), "{request:?}");
    }
}

#[test]
fn a_request_names_one_host_whatever_handlers_set() {
    let server = server();
    for what in ["SQ no host", "SQ two hosts"] {
        let reply = server.ask(&format!("PUT / HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n\r\n"));
        assert_eq!(reply.status, 200, "{what}");
    }
    for request in server.origin.requests() {
        let hosts = request.head.lines().filter(|l| l.to_ascii_lowercase().starts_with("host:")).count();
        assert_eq!(hosts, 1, "{request:?}");
    }
}

#[test]
fn a_plugin_cannot_split_a_request() {
    let server = server();
    for what in ["SQ split target", "SQ split method"] {
        let reply = server.ask(&format!("PUT / HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n\r\n"));
        assert_eq!(reply.status, 500, "{what}");
    }
    assert!(server.origin.requests().is_empty(), "{:?}", server.origin.requests());
}

#[test]
fn a_response_is_framed_by_its_body_whatever_handlers_set() {
    let server = server();
    for what in ["RR length 2", "RR length 20", "SR length 2", "SR coding", "SR connection"] {
        let mut client = server.client();
        for _ in 0..2 {
            client.send(&format!("PUT / HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n\r\n"));
            let reply = client.reply();
            assert_eq!((reply.text(), reply.complete), ("hello", true), "{what}");
        }
    }
    let reply = server.ask("PUT / HTTP/1.1\r\nHost: h\r\nX-Edit: SR reason\r\n\r\n");
    assert_eq!((reply.text(), reply.field("X-Evil")), ("hello", None), "{reply:?}");
}

#[test]
fn a_stored_response_keeps_the_length_of_its_body() {
    let server = server();
    for (what, path) in [("RR length 2", "/short"), ("RR length 20", "/long")] {
        for _ in 0..2 {
            let mut client = server.client();
            for _ in 0..2 {
                client.send(&format!("GET {path} HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n\r\n"));
                let reply = client.reply();
                assert_eq!((reply.text(), reply.complete), ("hello", true), "{what}");
            }
        }
    }
}

#[test]
fn the_client_is_answered_according_to_the_method_it_sent() {
    let server = server();
    for (method, what) in [("HEAD", "RQ client is GET"), ("HEAD", "SQ is GET")] {
        let mut client = server.client();
        for _ in 0..2 {
            client.send(&format!("{method} /a HTTP/1.1\r\nHost: h\r\nX-Edit: {what}\r\n\r\n"));
            assert_eq!(client.reply_to(method).status, 200, "{what}");
        }
        assert!(!client.has_bytes(), "{what}: a HEAD got a body");
    }
}

#[test]
fn a_final_response_has_a_final_status() {
    let server = server();
    for status in ["0", "99", "100", "101", "103", "199", "1000", "65535"] {
        let request = format!("PUT / HTTP/1.1\r\nHost: h\r\nX-Edit: SR status {status}\r\n\r\n");
        assert_eq!(server.ask(&request).status, 500, "{status}");
    }
    for status in ["204", "304"] {
        let mut client = server.client();
        client.send(&format!("PUT / HTTP/1.1\r\nHost: h\r\nX-Edit: SR status {status}\r\n\r\n"));
        client.send("PUT / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.reply().status.to_string(), status);
        let reply = client.reply();
        assert_eq!((reply.status, reply.text()), (200, "hello"));
    }
}

#[test]
fn an_answer_before_the_request_was_read_closes_the_connection() {
    let refuse = |r: &mut Registrar| r.on(TxnStart, |_| Outcome::respond(403, "", "no"));
    let server = Server::start(&[], refuse, |_| ok("", "hello"));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.reply().status, 403);
    client.half_close();
    assert!(client.is_closed(), "one answer to one request");
    assert_eq!(server.metric(Metric::Transactions), 1);
}

/// A transform that announces one length and has another.
struct Liar {
    announced: u64,
    pieces: VecDeque<Bytes>,
}

impl Liar {
    fn new(announced: u64, text: &'static str) -> Liar {
        Liar { announced, pieces: VecDeque::from([Bytes::from_static(text.as_bytes())]) }
    }
}

impl BodyTransform for Liar {
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        Box::pin(async move {
            while input.next().await?.is_some() {}
            Ok(self.pieces.pop_front())
        })
    }

    fn output_length(&self, _: Option<u64>) -> Option<u64> {
        Some(self.announced)
    }
}

#[test]
fn a_request_transform_that_breaks_its_word_does_not_frame_another_request() {
    let register = |r: &mut Registrar| {
        r.on(ReadRequestHdr, |txn| {
            match txn.client_request.headers.get_str("X-Lie") {
                Some("more") => {
                    txn.add_request_transform(Liar::new(2, "okGET /evil HTTP/1.1\r\nHost: h\r\n\r\n"))
                }
                Some("less") => txn.add_request_transform(Liar::new(20, "ok")),
                _ => {}
            }
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("", "hello"));
    for lie in ["more", "less"] {
        let reply =
            server.ask(&format!("PUT / HTTP/1.1\r\nHost: h\r\nX-Lie: {lie}\r\nContent-Length: 3\r\n\r\nabc"));
        assert_eq!(reply.status, 500, "{lie}");
        let reply = server.ask("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(reply.text(), "hello");
    }
    let targets: Vec<String> = server
        .origin
        .requests()
        .iter()
        .map(|r| r.head.lines().next().unwrap_or_default().to_string())
        .collect();
    assert!(!targets.iter().any(|t| t.contains("evil")), "{targets:?}");
}

/// Answers with pieces, one of them empty, and any Content-Length.
struct Pieces(Option<&'static str>);

impl Intercept for Pieces {
    fn serve<'a>(
        &'a self,
        _: &'a Request,
        _: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<InterceptResponse, InterceptError>> {
        Box::pin(async {
            let mut response = Response::new(200);
            response.headers.append(names::CACHE_CONTROL, "max-age=100");
            if let Some(length) = self.0 {
                response.headers.append(names::CONTENT_LENGTH, length);
            }
            let body = Unsized(["one", "", "two"].map(|p| Bytes::from_static(p.as_bytes())).into());
            Ok(InterceptResponse { response, body: Box::new(body) })
        })
    }
}

/// A body of unknown length.
struct Unsized(VecDeque<Bytes>);

impl Body for Unsized {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(async { Ok(self.0.pop_front()) })
    }
}

fn intercepting() -> Server {
    let register = |r: &mut Registrar| {
        r.on(ReadRequestHdr, |txn| {
            match txn.client_request.headers.get_str("X-Kind") {
                Some("client") => txn.set_intercept(Pieces(None)),
                Some("server") => txn.set_server_intercept(Pieces(None)),
                Some("short") => txn.set_server_intercept(Pieces(Some("2"))),
                Some("long") => txn.set_server_intercept(Pieces(Some("20"))),
                _ => {}
            }
            Outcome::Continue
        });
    };
    Server::start(&[], register, |_| ok("", "hello"))
}

#[test]
fn an_empty_piece_does_not_end_a_chunked_body() {
    let server = intercepting();
    for kind in ["client", "server"] {
        let reply = server.ask(&format!("GET /{kind} HTTP/1.1\r\nHost: h\r\nX-Kind: {kind}\r\n\r\n"));
        assert_eq!((reply.text(), reply.complete), ("onetwo", true), "{kind}");
    }
}

#[test]
fn an_intercept_with_a_wrong_length_is_aborted_and_not_stored() {
    let server = intercepting();
    for kind in ["short", "long"] {
        for _ in 0..2 {
            let mut client = server.client();
            client.send(&format!("GET /{kind} HTTP/1.1\r\nHost: h\r\nX-Kind: {kind}\r\n\r\n"));
            let reply = client.reply();
            assert!(reply.body.len() <= 6, "{kind}: {reply:?}");
            assert!(client.is_closed(), "{kind}: the connection cannot be used again");
        }
    }
    assert_eq!(server.metric(Metric::CacheStores), 0);
}
