//! Records of caching that a plugin overrides for one transaction: each that may be overridden has its effect.

use crate::support::{Server, ok};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use tollgate_obs::metrics::Metric;
use tollgate_plugin::hooks::{OsDns, ReadRequestHdr};
use tollgate_plugin::{Outcome, Registrar};

/// What is seen with a record overridden and without.
struct Case {
    /// `NAME=VALUE`, the name without `proxy.config.`; of further ones, what holds in both runs.
    records: &'static str,
    /// What the origin answers: a status and fields.
    answer: &'static str,
    /// What the requests have besides the first line, separated by `|`; the fields by `, `. With a minus in front, nothing
    /// is overridden for that request.
    requests: &'static str,
    without: &'static str,
    with: &'static str,
}

const fn case(
    records: &'static str,
    answer: &'static str,
    requests: &'static str,
    without: &'static str,
    with: &'static str,
) -> Case {
    Case { records, answer, requests, without, with }
}

const FRESH: &str = "200|Cache-Control: max-age=100";
/// Stale as it comes, by 90 seconds.
const STALE: &str = "200|Cache-Control: max-age=10|Age: 100|ETag: \"a\"";
const OLD_AND_200: &str = "200|Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT";
const OLD_AND_AGED: &str = "200|Age: 100|Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT";
/// The first answer is kept back.
const SLOW: &str = "slow";

/// What each request got: its status, how often the origin was asked, then what of its request or of the answer is shown.
const CASES: [Case; 36] = [
    case("http.cache.http=0", FRESH, "|", "200 1, 200 0", "200 1, 200 1"),
    case(
        "http.cache.ignore_client_no_cache=0",
        FRESH,
        "|Cache-Control: no-cache",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ignore_client_cc_max_age=0",
        "200|Cache-Control: max-age=100|Age: 50",
        "|Cache-Control: max-age=10",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ims_on_client_no_cache=0 http.cache.ignore_client_no_cache=0",
        "200|Cache-Control: max-age=100|ETag: \"a\"",
        "|Cache-Control: no-cache, X-Show: If-None-Match",
        "200 1, 200 1 \"a\"",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ignore_server_no_cache=1",
        "200|Cache-Control: no-store, max-age=100",
        "|",
        "200 1, 200 1",
        "200 1, 200 0",
    ),
    case(
        "http.cache.cache_responses_to_cookies=0",
        FRESH,
        "Cookie: a=b|Cookie: a=b",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ignore_authentication=1",
        FRESH,
        "Authorization: Basic YTpi|Authorization: Basic YTpi",
        "200 1, 200 1",
        "200 1, 200 0",
    ),
    case(
        "http.cache.cache_urls_that_look_dynamic=0",
        FRESH,
        "X-Path: a?b=c|X-Path: a?b=c",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case("http.cache.required_headers=2", OLD_AND_200, "|", "200 1, 200 0", "200 1, 200 1"),
    case("http.cache.when_to_revalidate=2", FRESH, "|", "200 1, 200 0", "200 1, 200 1"),
    case("http.cache.heuristic_min_lifetime=1000", "200|ETag: \"a\"", "|", "200 1, 200 1", "200 1, 200 0"),
    case("http.cache.heuristic_max_lifetime=50", OLD_AND_AGED, "|", "200 1, 200 0", "200 1, 200 1"),
    case("http.cache.heuristic_lm_factor=0.0", OLD_AND_200, "|", "200 1, 200 0", "200 1, 200 1"),
    case("http.cache.guaranteed_min_lifetime=1000", STALE, "|", "200 1, 200 1", "200 1, 200 0"),
    case(
        "http.cache.guaranteed_max_lifetime=50",
        "200|Cache-Control: max-age=1000|Age: 100",
        "|",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case("http.cache.max_stale_age=10", STALE, "|X-Status: 503", "200 1, 200 1", "200 1, 503 1"),
    case("http.negative_revalidating_enabled=0", STALE, "|X-Status: 503", "200 1, 200 1", "200 1, 503 1"),
    case(
        "http.negative_revalidating_lifetime=100",
        STALE,
        "|X-Status: 503|X-Status: 503",
        "200 1, 200 1, 200 1",
        "200 1, 200 1, 200 0",
    ),
    case("http.negative_caching_enabled=1", "404", "|", "404 1, 404 1", "404 1, 404 0"),
    case(
        "http.negative_caching_lifetime=50 http.negative_caching_enabled=1",
        "404|Age: 100",
        "|",
        "404 1, 404 0",
        "404 1, 404 1",
    ),
    case("http.cache.range.lookup=0", FRESH, "|Range: bytes=1-2", "200 1, 206 0", "200 1, 200 1"),
    case("http.cache.range.write=0", FRESH, "Range: bytes=1-2|", "200 1, 200 0", "200 1, 200 1"),
    case("http.allow_multi_range=2", FRESH, "|Range: bytes=0-0\\,3-3", "200 1, 206 0", "200 1, 416 0"),
    case("http.cache.generation=5", FRESH, "-|", "200 1, 200 0", "200 1, 200 1"),
    case(
        "http.redirect_use_orig_cache_key=1 http.number_of_redirections=1 http.redirect.actions=self:follow,loopback:follow",
        "302|Location: /to",
        "X-Path: from|X-Path: from",
        "200 2, 200 1",
        "200 2, 200 0",
    ),
    case(
        "http.cache.ignore_accept_mismatch=0",
        "200|Cache-Control: max-age=100|Content-Type: text/html",
        "|Accept: image/png",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ignore_accept_language_mismatch=0",
        "200|Cache-Control: max-age=100|Content-Language: en",
        "|Accept-Language: de",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ignore_accept_encoding_mismatch=0",
        "200|Cache-Control: max-age=100|Content-Encoding: gzip",
        "Accept-Encoding: gzip|",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.cache.ignore_accept_charset_mismatch=0",
        "200|Cache-Control: max-age=100|Content-Type: text/html;charset=utf-8",
        "|Accept-Charset: utf-8;q=0",
        "200 1, 200 0",
        "200 1, 200 1",
    ),
    case(
        "http.normalize_ae=0",
        FRESH,
        "Accept-Encoding: br;q=0.5, X-Show: Accept-Encoding",
        "200 1",
        "200 1 br;q=0.5",
    ),
    case("http.insert_age_in_response=0", FRESH, "|X-Show: Age", "200 1, 200 0 0", "200 1, 200 0"),
    case("http.doc_in_cache_skip_dns=0", FRESH, "|X-Show: names", "200 1, 200 0 0", "200 1, 200 0 1"),
    // The next four are about transactions that wait for another one.
    case(
        "http.cache.max_open_read_retries=0 cache.read_while_writer.max_retries=0",
        SLOW,
        "",
        "waits",
        "200",
    ),
    case(
        "http.cache.open_read_retry_time=0 http.cache.max_open_read_retries=100000 cache.read_while_writer.max_retries=0",
        SLOW,
        "",
        "waits",
        "200",
    ),
    case(
        "http.cache.max_open_write_retries=0 cache.read_while_writer.max_retries=0",
        SLOW,
        "",
        "waits",
        "200",
    ),
    case(
        "http.cache.open_write_fail_action=1 cache.read_while_writer.max_retries=0",
        SLOW,
        "",
        "waits",
        "502",
    ),
];

/// What is about what is stored and served from the store.
fn is_of_caching(name: &str) -> bool {
    ["http.cache.", "http.negative_", "cache."].iter().any(|start| name.starts_with(start))
}

fn full(name: &str) -> String {
    format!("proxy.config.{name}")
}

/// What a request's `X-Override` says, and how often names were resolved.
fn register(registrar: &mut Registrar, resolved: &Arc<AtomicUsize>) {
    registrar.on(ReadRequestHdr, |txn| {
        let said = txn.client_request.headers.get_str("X-Override").map(str::to_owned);
        if let Some((name, value)) = said.as_deref().and_then(|said| said.split_once('=')) {
            txn.set_record(&full(name), value).expect("it may be overridden");
        }
        Outcome::Continue
    });
    let resolved = Arc::clone(resolved);
    registrar.on(OsDns, move |_| {
        resolved.fetch_add(1, Ordering::SeqCst);
        Outcome::Continue
    });
}

/// Opens once.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn open(&self) {
        *self.0.lock().expect("no panic") = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let is_open = self.0.lock().expect("no panic");
        drop(self.1.wait_while(is_open, |is_open| !*is_open).expect("no panic"));
    }
}

struct Run {
    server: Server,
    resolved: Arc<AtomicUsize>,
    gate: Arc<Gate>,
    /// `NAME=VALUE` to be overridden, if any.
    said: Option<&'static str>,
}

impl Run {
    fn new(case: &Case, is_overridden: bool) -> Run {
        let (said, base) = case.records.split_once(' ').unwrap_or((case.records, ""));
        let base: Vec<(String, &str)> = base
            .split_whitespace()
            .filter_map(|record| record.split_once('='))
            .map(|(name, value)| (full(name), value))
            .collect();
        let base: Vec<(&str, &str)> = base.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let (resolved, gate) = (Arc::<AtomicUsize>::default(), Arc::<Gate>::default());
        let (counter, held) = (Arc::clone(&resolved), Arc::clone(&gate));
        let is_first = AtomicUsize::new(0);
        let said_by_origin = case.answer;
        let server = Server::start(
            &base,
            move |registrar| register(registrar, &counter),
            move |request| {
                if said_by_origin == SLOW {
                    if is_first.fetch_add(1, Ordering::SeqCst) == 0 {
                        held.pass();
                    }
                    return ok("Cache-Control: max-age=100\r\n", "hello");
                }
                if request.head.starts_with("GET /to ") {
                    return ok("Cache-Control: max-age=100\r\n", "hello");
                }
                let mut parts = said_by_origin.split('|');
                let status = parts.next().unwrap_or_default();
                let status = request.field("X-Status").unwrap_or(status);
                let fields: String = parts.map(|field| format!("{field}\r\n")).collect();
                format!("HTTP/1.1 {status} Said\r\nContent-Length: 5\r\n{fields}\r\nhello").into_bytes()
            },
        );
        Run { server, resolved, gate, said: is_overridden.then_some(said) }
    }

    fn text(&self, fields: &str) -> String {
        let (fields, is_plain) = match fields.strip_prefix('-') {
            Some(fields) => (fields, true),
            None => (fields, false),
        };
        let mut text = String::new();
        let mut path = "a";
        // A comma of a list is written `\,`.
        for field in fields.split(", ").filter(|field| !field.is_empty()) {
            match field.strip_prefix("X-Path: ") {
                Some(other) => path = other,
                None => text.push_str(&format!("{}\r\n", field.replace("\\,", ","))),
            }
        }
        if let Some(said) = self.said.filter(|_| !is_plain) {
            text.push_str(&format!("X-Override: {said}\r\n"));
        }
        format!("GET /{path} HTTP/1.1\r\nHost: h\r\n{text}\r\n")
    }

    fn asked(&self) -> usize {
        self.server.origin.requests().len()
    }

    /// Status, number of requests to the origin, and what is shown.
    fn ask(&self, fields: &str) -> String {
        let (asked, resolved) = (self.asked(), self.resolved.load(Ordering::SeqCst));
        let reply = self.server.ask(&self.text(fields));
        let shown = match fields.split_once("X-Show: ").map(|(_, name)| name) {
            Some("names") => Some((self.resolved.load(Ordering::SeqCst) - resolved).to_string()),
            Some("Age") => reply.field("Age").map(str::to_owned),
            Some(name) => self
                .server
                .origin
                .requests()
                .last()
                .and_then(|request| request.field(name).map(str::to_owned)),
            None => None,
        };
        let shown = shown.map_or_else(String::new, |shown| format!(" {shown}"));
        format!("{} {}{shown}", reply.status, self.asked() - asked)
    }

    /// What becomes of a request while the origin keeps the answer to another one back.
    fn ask_beside(&self) -> String {
        let mut first = self.server.client();
        first.send(&self.text("-"));
        crate::support::await_that("the origin is asked", || self.asked() == 1);
        let mut second = self.server.client();
        second.send(&self.text(""));
        let outcome = match self.said {
            Some(_) => second.reply().status.to_string(),
            None => {
                self.server.await_metric(Metric::CacheWaiters, 1);
                "waits".to_owned()
            }
        };
        self.gate.open();
        assert_eq!(first.reply().status, 200);
        outcome
    }
}

fn outcome(case: &Case, is_overridden: bool) -> String {
    let run = Run::new(case, is_overridden);
    if case.answer == SLOW {
        return run.ask_beside();
    }
    let requests: Vec<String> = case.requests.split('|').map(|fields| run.ask(fields)).collect();
    requests.join(", ")
}

#[test]
fn each_overridable_record_of_caching_has_its_effect_on_one_transaction() {
    let mut wrong = Vec::new();
    for case in &CASES {
        for (is_overridden, expected) in [(false, case.without), (true, case.with)] {
            let got = outcome(case, is_overridden);
            if got != expected {
                wrong.push(format!("{} {is_overridden}: {got} instead of {expected}", case.records));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_overridable_record_of_caching_is_tried() {
    let tried: BTreeSet<&str> =
        CASES.iter().filter_map(|case| case.records.split_once('=')).map(|(name, _)| name).collect();
    let short = |def: &tollgate_config::records::Def| def.name.strip_prefix("proxy.config.");
    let overridable = tollgate_config::records::defs().iter().filter(|def| def.override_key.is_some());
    let missing: Vec<&str> =
        overridable.filter_map(short).filter(|name| is_of_caching(name) && !tried.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let all: BTreeSet<&str> = tollgate_config::records::defs().iter().filter_map(short).collect();
    assert!(tried.iter().all(|name| all.contains(name)));
}
