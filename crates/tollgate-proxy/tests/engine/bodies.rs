//! Bodies that plugins change: what HEAD is told, answers before their end, clients that leave meanwhile.

use crate::support::{Server, await_that, ok};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tollgate_obs::metrics::Metric;
use tollgate_plugin::hooks::{CacheLookupComplete, ReadResponseHdr};
use tollgate_plugin::{Body, BodyError, BodyTransform, LocalBoxFuture, Outcome, Registrar};

/// Appends one byte; says so, or keeps it to itself.
struct Longer {
    is_open: bool,
    ended: bool,
}

impl BodyTransform for Longer {
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        Box::pin(async move {
            if self.ended {
                return Ok(None);
            }
            let piece = input.next().await?;
            self.ended = piece.is_none();
            Ok(Some(piece.unwrap_or(Bytes::from_static(b"!"))))
        })
    }

    fn output_length(&self, input_length: Option<u64>) -> Option<u64> {
        input_length.filter(|_| self.is_open).map(|n| n + 1)
    }
}

#[test]
fn head_of_a_hit_tells_the_length_of_what_get_would_bring() {
    let register = |registrar: &mut Registrar| {
        registrar.on(CacheLookupComplete, |txn| {
            match txn.client_request.headers.get_str("X-Longer") {
                Some("open") => txn.add_response_transform(Longer { is_open: true, ended: false }),
                Some(_) => txn.add_response_transform(Longer { is_open: false, ended: false }),
                None => {}
            }
            Outcome::Continue
        });
    };
    let server = Server::start(&[], register, |_| ok("Cache-Control: max-age=100\r\n", "hello"));
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: t.test\r\n\r\n").text(), "hello");
    for (fields, length, body) in [
        ("", Some("5"), "hello"),
        ("X-Longer: open\r\n", Some("6"), "hello!"),
        ("X-Longer: no\r\n", None, "hello!"),
    ] {
        let mut client = server.client();
        client.send(&format!("HEAD / HTTP/1.1\r\nHost: t.test\r\n{fields}\r\n"));
        let head = client.reply_to("HEAD");
        assert_eq!((head.status, head.field("Content-Length")), (200, length), "{fields}");
        client.send(&format!("GET / HTTP/1.1\r\nHost: t.test\r\n{fields}\r\n"));
        let get = client.reply();
        assert_eq!((get.text(), get.field("Content-Length")), (body, length), "{fields}");
    }
    assert_eq!(server.origin.requests().len(), 1, "all others were hits");
}

#[derive(Default)]
struct Stages {
    asked: AtomicBool,
    dropped: AtomicBool,
}

/// Never has a next piece; says when it was asked for one and when it is dropped.
struct Stuck(Arc<Stages>);

impl BodyTransform for Stuck {
    fn next<'a>(&'a mut self, _: &'a mut dyn Body) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        self.0.asked.store(true, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_client_that_leaves_while_a_plugin_makes_the_body_is_noticed() {
    let stages = Arc::new(Stages::default());
    let shared = Arc::clone(&stages);
    let register = move |registrar: &mut Registrar| {
        let shared = Arc::clone(&shared);
        registrar.on(ReadResponseHdr, move |txn| {
            txn.add_response_transform(Stuck(Arc::clone(&shared)));
            Outcome::Continue
        });
    };
    let records = [("proxy.config.http.allow_half_open", "0")];
    let server = Server::start(&records, register, |_| ok("Cache-Control: no-store\r\n", "hello"));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: t.test\r\n\r\n");
    await_that("a piece is asked for", || stages.asked.load(Ordering::SeqCst));
    drop(client);
    await_that("the body is given up", || stages.dropped.load(Ordering::SeqCst));
    server.await_metric(Metric::TransactionsActive, 0);
}
