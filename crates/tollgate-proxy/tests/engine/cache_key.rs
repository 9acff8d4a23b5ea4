//! Cache keys that plugins set, and what goes by them: look-ups, purges, generations.

use crate::support::{Server, ok};
use tollgate_config::ids;
use tollgate_plugin::hooks::{PostRemap, ReadRequestHdr};
use tollgate_plugin::{Outcome, Registrar};

/// The key leaves the query out; `X-Generation` overrides the record.
fn without_query(registrar: &mut Registrar) {
    registrar.on(PostRemap, |txn| {
        let mut url = txn.client_request.url.clone();
        url.query = None;
        txn.cache_url = Some(Box::new(url));
        Outcome::Continue
    });
    registrar.on(ReadRequestHdr, |txn| {
        if let Some(number) = txn.client_request.headers.get_str("X-Generation").and_then(|t| t.parse().ok())
        {
            assert!(txn.records.set_int(ids::HTTP_CACHE_GENERATION, number).is_ok());
        }
        Outcome::Continue
    });
}

fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: t.test\r\n{fields}\r\n")
}

#[test]
fn urls_for_which_a_plugin_sets_one_key_share_an_object_and_are_purged_together() {
    let server = Server::start(&[], without_query, |_| ok("Cache-Control: max-age=100\r\n", "hello"));
    let fetches = |target: &str| {
        let before = server.origin.requests().len();
        assert_eq!(server.ask(&request("GET", target, "")).text(), "hello");
        server.origin.requests().len() - before
    };
    assert_eq!([fetches("/a?1"), fetches("/a?2"), fetches("/a"), fetches("/b?1")], [1, 0, 0, 1]);
    assert_eq!(server.ask(&request("PURGE", "/a?3", "")).status, 200);
    assert_eq!([fetches("/a?1"), fetches("/a?2"), fetches("/b?2")], [1, 0, 0]);
}

#[test]
fn another_generation_has_objects_of_its_own() {
    let server = Server::start(&[], without_query, |_| ok("Cache-Control: max-age=100\r\n", "hello"));
    let fetches = |fields: &str| {
        let before = server.origin.requests().len();
        assert_eq!(server.ask(&request("GET", "/a", fields)).text(), "hello");
        server.origin.requests().len() - before
    };
    let generations = ["", "X-Generation: 1\r\n", "X-Generation: 2\r\n", "X-Generation: 1\r\n", ""];
    assert_eq!(generations.map(fetches), [1, 1, 1, 0, 0]);
}
