//! A global plugin's hooks: what it sees, changes, and may do wrong.

use crate::support::{Origin, Server, Setup, compile, times};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok";

fn start(origin: &Origin, set: &[&str]) -> Server {
    let mut setup = Setup::new();
    for record in set {
        setup = setup.set(record);
    }
    let plugin = compile(setup.dir.path(), "probe");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", &format!("map / http://{}/\n", origin.addr))
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    setup.start()
}

/// The hooks between the starts and ends of sessions, in order.
fn hooks(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| line.strip_prefix("TS_EVENT_HTTP_")).collect()
}

const MISS: [&str; 12] = [
    "SSN_START",
    "TXN_START",
    "READ_REQUEST_HDR",
    "PRE_REMAP",
    "POST_REMAP",
    "CACHE_LOOKUP_COMPLETE",
    "OS_DNS",
    "SEND_REQUEST_HDR",
    "READ_RESPONSE_HDR",
    "SEND_RESPONSE_HDR",
    "TXN_CLOSE",
    "SSN_CLOSE",
];

#[test]
fn hooks_are_called_in_order_for_a_miss_and_a_hit() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    let answer = server.get("/a");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert!(answer.has("X-To-Client: probe"), "{}", answer.head);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
    assert_eq!(hooks(&log), MISS);
    assert!(log.contains(&format!("lookup 0 http://{}/a internal 0", origin.addr)), "{log}");
    assert!(origin.requests()[0].contains("X-To-Origin: probe\r\n"));
    assert_eq!(server.get("/a").body, "ok");
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 2);
    let hit: Vec<&str> = hooks(&log)[12..].to_vec();
    assert_eq!(
        hit,
        [
            "SSN_START",
            "TXN_START",
            "READ_REQUEST_HDR",
            "PRE_REMAP",
            "POST_REMAP",
            "READ_CACHE_HDR",
            "CACHE_LOOKUP_COMPLETE",
            "SEND_RESPONSE_HDR",
            "TXN_CLOSE",
            "SSN_CLOSE"
        ]
    );
    assert!(log.contains("lookup 2 "), "{log}");
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn hooks_of_a_transaction_run_after_global_ones_and_once_each() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/own").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
    let own: Vec<&str> = log.lines().filter(|line| line.starts_with("own ")).collect();
    assert_eq!(
        own,
        [
            "own TS_EVENT_HTTP_READ_REQUEST_HDR data",
            "own TS_EVENT_HTTP_SEND_RESPONSE_HDR data",
            "own TS_EVENT_HTTP_TXN_CLOSE data"
        ]
    );
}

#[test]
fn an_error_reenable_answers_with_the_plugins_status_and_body() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    let answer = server.get("/deny");
    assert_eq!((answer.status, answer.body.as_str()), (403, "not you"));
    assert!(answer.has("Content-Type: text/plain"), "{}", answer.head);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
    assert_eq!(
        hooks(&log),
        ["SSN_START", "TXN_START", "READ_REQUEST_HDR", "SEND_RESPONSE_HDR", "TXN_CLOSE", "SSN_CLOSE"]
    );
    assert!(origin.requests().is_empty());
}

#[test]
fn a_second_reenable_is_ignored_and_named() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/double").status, 200);
    let said = server.await_file("stderr", |text| text.contains("reenabled already"));
    assert!(
        said.contains("plugin probe: TSHttpTxnReenable: it was reenabled already at this hook point"),
        "{said}"
    );
    server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
}

#[test]
fn a_transaction_goes_on_when_a_timer_a_task_or_a_plugins_thread_says_so() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/timer").status, 200);
    assert_eq!(server.get("/task").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 2);
    assert_eq!(times(&log, "timer 2 on event thread 1"), 1, "{log}");
    assert_eq!(times(&log, "timer 1 on event thread 0"), 1, "{log}");
    assert_eq!(server.get("/thread").status, 200);
    assert!(origin.requests()[2].contains("X-Thread: yes\r\n"), "{:?}", origin.requests());
}

#[test]
fn a_handle_of_a_transaction_that_has_ended_is_refused_and_named() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/remember").status, 200);
    server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
    assert_eq!(server.get("/stale").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 2);
    assert_eq!(times(&log, "stale -1"), 1, "{log}");
    let said = server.stderr();
    for function in ["TSHttpTxnClientReqGet", "TSHttpTxnReenable"] {
        let line = format!("plugin probe: {function}: the transaction does not exist any more, or never did");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_function_that_is_missing_says_so_once() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/missing").status, 200);
    assert_eq!(server.get("/missing").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 2);
    assert_eq!(times(&log, "missing (nil)"), 2, "{log}");
    assert_eq!(
        server.stderr().matches("plugin probe calls TSNetAccept, which is not implemented").count(),
        1
    );
}

#[test]
fn a_plugin_that_does_not_reenable_is_named_and_given_up() {
    let origin = Origin::start(ANSWER);
    let server = start(
        &origin,
        &[
            "proxy.config.tollgate.plugin.handler_timeout=1",
            "proxy.config.tollgate.plugin.handler_timeout_action=fail",
        ],
    );
    assert_eq!(server.get("/never").status, 500);
    let said = server.stderr();
    assert!(said.contains("plugin probe has not gone on from READ_REQUEST_HDR"), "{said}");
    assert_eq!(server.get("/a").status, 200);
}

#[test]
fn records_and_urls_are_overridden_for_one_transaction() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/nocache").status, 200);
    assert_eq!(server.get("/nocache").status, 200);
    assert_eq!(origin.requests().len(), 2);
    assert_eq!(server.get("/move").status, 200);
    assert!(origin.requests()[2].starts_with("GET /moved HTTP/1.1\r\n"), "{:?}", origin.requests());
}

#[test]
fn a_handler_that_blocks_the_event_thread_is_named() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &["proxy.config.tollgate.ts.blocking_limit=100"]);
    assert_eq!(server.get("/block").status, 200);
    server.await_file("stderr", |text| {
        text.contains("plugin probe blocks event thread 0: its handler runs for")
    });
}

#[test]
fn a_global_hook_added_late_is_called_soon() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/late").status, 200);
    server.await_file("stderr", |text| text.contains("configuration generation 2 in use"));
    assert_eq!(server.get("/a").status, 200);
    server.await_file("report", |text| times(text, "late 60007") == 1);
}

#[test]
fn records_statistics_text_logs_and_user_arguments_are_the_servers() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/services").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
    let folder = format!("folder {}", server.dir.path().display());
    for line in [
        "user arg a transaction's, of the session (nil)",
        "record 0 2",
        "stack 3 http/1.1 tcp ipv4 same 1",
        "uuid 0 1",
        &folder,
    ] {
        assert_eq!(times(&log, line), 1, "{line} in {log}\n{}", server.stderr());
    }
    let said = server.ctl(&["metric", "get", "plugin.probe.count"]);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "plugin.probe.count 3\n");
    server.await_file("probe.log", |text| text == "line 1\n");
}

#[test]
fn mistakes_are_refused_and_named_and_harm_nobody() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    assert_eq!(server.get("/misuse").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 1);
    let refused = ["destroy -1", "release -1", "kind -1", "number -1", "null -1", "missing -1", "avail 0"];
    for line in refused {
        assert_eq!(times(&log, line), 1, "{line} in {log}");
    }
    assert!(!log.contains("called after its end"), "{log}");
    let said = server.stderr();
    for line in [
        "TSContDestroy: the continuation does not exist any more, or never did",
        "TSContDataSet: the continuation does not exist any more, or never did",
        "TSContCall: the continuation does not exist any more, or never did",
        "TSContSchedule: the continuation does not exist any more, or never did",
        "TSActionCancel: the action does not exist any more, or never did",
        "TSMutexUnlock: the mutex does not exist any more, or never did",
        "TSMutexLock: the handle is null",
        "TSMBufferDestroy: the message is read-only",
        "TSHttpTxnClientReqGet: the transaction does not exist any more, or never did",
        "TSHttpTxnClientReqGet: the handle is null",
        "TSIOBufferReaderConsume: more is consumed than there is",
        "TSIOBufferReaderAvail: the reader does not exist any more, or never did",
        "TSHttpTxnHookAdd: hook 99 (no hook point) is never called in this scope",
        "TSHttpTxnCacheLookupStatusSet: only at CACHE_LOOKUP_COMPLETE",
    ] {
        assert!(said.contains(&format!("plugin probe: {line}")), "{line} in {said}");
    }
    assert_eq!(server.get("/a").status, 200);
}
