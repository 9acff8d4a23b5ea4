//! The rules of `async-auth`.

use super::*;
use crate::testing::{refused, server};
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;
use tollgate_plugin::TransactionHook::ReadRequestHdr;
use tollgate_plugin::mock::MockServer;
use tollgate_plugin::{Session, TransactionParts};

const AUTH: &str = "http://auth.internal/check";

fn guarded() -> MockServer {
    server(&AsyncAuthFactory, &["/private", AUTH])
}

/// The outcome for `url` when the auth server answers `answer`.
fn outcome(answer: Option<LocalResponse>, url: &str) -> Outcome {
    let server = guarded();
    if let Some(answer) = answer {
        server.host.answer(AUTH, answer);
    }
    let outcome = server.fire(ReadRequestHdr, &mut server.transaction("GET", url));
    server.host.run_spawned();
    outcome
}

fn response(outcome: Outcome) -> tollgate_http::Response {
    match outcome {
        Outcome::Respond(local) => local.response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn request_passes_when_the_auth_server_agrees() {
    for status in [200, 204] {
        let answer = LocalResponse::new(status, "text/plain", "fine");
        assert!(matches!(outcome(Some(answer), "http://h/private/x"), Outcome::Continue));
    }
}

#[test]
fn refusals_are_passed_on_with_their_challenges() {
    let mut answer = LocalResponse::new(401, "text/plain", "no");
    answer.response.headers.append("WWW-Authenticate", "Basic realm=\"a\"");
    answer.response.headers.append("WWW-Authenticate", "Bearer");
    let refusal = response(outcome(Some(answer), "http://h/private"));
    assert_eq!(refusal.status, 401);
    let challenges: Vec<_> = refusal.headers.get_all(names::WWW_AUTHENTICATE).collect();
    assert_eq!(challenges, [&b"Basic realm=\"a\""[..], b"Bearer"]);
    let refusal = response(outcome(Some(LocalResponse::new(403, "", "")), "http://h/private"));
    assert_eq!((refusal.status, refusal.headers.get_str(names::CACHE_CONTROL)), (403, Some("no-store")));
}

#[test]
fn no_decision_is_a_503() {
    assert_eq!(response(outcome(None, "http://h/private")).status, 503);
    for status in [302, 404, 500] {
        let answer = LocalResponse::new(status, "", "");
        assert_eq!(response(outcome(Some(answer), "http://h/private")).status, 503, "{status}");
    }
}

#[test]
fn only_guarded_paths_are_asked_about() {
    let server = guarded();
    for url in ["http://h/", "http://h/public?x=/private", "http://h/PRIVATE"] {
        let mut txn = server.transaction("GET", url);
        assert!(matches!(server.fire(ReadRequestHdr, &mut txn), Outcome::Continue), "{url}");
    }
    assert!(server.host.fetched().is_empty());
    for path in [
        "/private",
        "/private/a",
        "//private",
        "/./private",
        "/a/../private",
        "/%70rivate",
        "/a%2f..%2Fprivate",
        "/\\private",
        "/private/../a",
    ] {
        let mut txn = server.transaction("GET", &format!("http://h{path}"));
        assert!(matches!(server.fire(ReadRequestHdr, &mut txn), Outcome::Respond(_)), "{path}");
    }
    assert_eq!(server.host.fetched().len(), 9);
}

#[test]
fn the_question_carries_credentials_and_target() {
    let server = guarded();
    let mut txn = server.transaction("POST", "http://h/private/x?y=1");
    for (name, value) in
        [("Authorization", "Basic eA=="), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Other", "1")]
    {
        txn.client_request.headers.append(name, value);
    }
    let guard = Guard {
        prefix: b"/private".to_vec(),
        plain_prefix: b"/private".to_vec(),
        auth_url: AUTH.parse().expect("a URL"),
    };
    let question = guard.question(&txn);
    assert_eq!((&question.request.method, question.request.url.to_text().as_str()), (&Method::Get, AUTH));
    assert_eq!(question.client_addr, txn.client_addr());
    assert_eq!(
        crate::testing::text(&question.request.headers),
        "Authorization: Basic eA==\r\nCookie: a=1\r\nCookie: b=2\r\nX-Original-URI: /private/x?y=1\r\n"
    );
}

/// A transaction that a fetch made.
fn internal(server: &MockServer, url: &str) -> Transaction {
    let outer = server.transaction("GET", url);
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut txn = Transaction::new(TransactionParts {
        id: 99,
        session: Session::new(9, addr, addr, true),
        records: outer.records.clone(),
        global_hooks: u32::MAX,
        host: outer.host(),
        started: Instant::now(),
    });
    txn.client_request = outer.client_request;
    txn
}

#[test]
fn internal_transactions_are_let_through() {
    let server = guarded();
    let mut txn = internal(&server, "http://h/private");
    assert!(matches!(server.fire(ReadRequestHdr, &mut txn), Outcome::Continue));
    assert!(server.host.fetched().is_empty());
    assert!(!txn.no_store);
}

#[test]
fn own_questions_stay_out_of_the_cache() {
    let server = guarded();
    let mut txn = internal(&server, AUTH);
    txn.client_request.headers.append(QUESTION, "1");
    assert!(matches!(server.fire(ReadRequestHdr, &mut txn), Outcome::Continue));
    assert!(txn.no_store && !txn.client_request.headers.contains(QUESTION));
}

#[test]
fn plain_paths_have_neither_empty_nor_dot_segments() {
    for (path, plain) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("//a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/%2e%2E/a%2fb", "/a/b"),
        ("/%zz%4", "/%zz%4"),
    ] {
        assert_eq!(String::from_utf8_lossy(&plain_path(path.as_bytes())), plain, "{path}");
    }
}

proptest! {
    #[test]
    fn plain_paths_are_plain(path in "(/|%2e|%2F|\\.|\\\\|[a-c]|%[0-9a-f]{2}){0,20}") {
        let plain = plain_path(path.as_bytes());
        let names: Vec<&[u8]> = plain.split(|byte| *byte == b'/').collect();
        // The first is what stands before the leading slash, the last is empty if the path ends with one.
        let inner = names.get(1..names.len().saturating_sub(1)).unwrap_or_default();
        prop_assert!(inner.iter().all(|name| !name.is_empty()), "{path} {plain:?}");
        prop_assert!(!names.iter().any(|name| [&b"."[..], b".."].contains(name)), "{path} {plain:?}");
        prop_assert!(plain.starts_with(b"/"), "{path} {plain:?}");
    }
}

#[test]
fn bad_arguments_are_refused() {
    assert!(refused(&AsyncAuthFactory, &["/p"]).contains("takes PATH_PREFIX and AUTH_URL"));
    assert!(refused(&AsyncAuthFactory, &["p", AUTH]).contains("must start with a slash"));
    for bad in ["", "/check", "auth.internal", "gopher://a/"] {
        assert!(refused(&AsyncAuthFactory, &["/p", bad]).contains("is no URL to ask"), "{bad}");
    }
}
