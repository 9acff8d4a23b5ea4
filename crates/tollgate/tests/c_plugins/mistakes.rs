//! What plugin authors get wrong: each mistake is answered with an error and named once, and the server goes on.

use crate::support::{Origin, Server, Setup, compile, times};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok";
const SIGABRT: i32 = 6;
const GIVEN: &str = "X-Given: one, two\r\n";

/// The plugin in a server of its own.
fn start(origin: &Origin, records: &[&str]) -> Server {
    let setup = records.iter().fold(Setup::new(), |setup, record| setup.set(record));
    let plugin = compile(setup.dir.path(), "mistakes");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", &format!("map / http://{}/\n", origin.addr))
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    setup.start()
}

/// What the log has of the plugin's mistakes.
fn faults(log: &str) -> Vec<&str> {
    const MARK: &str = "plugin mistakes: ";
    log.lines().filter_map(|line| line.split_once(MARK).map(|(_, fault)| fault)).collect()
}

/// Makes the mistakes one after the other; afterwards the server still serves. What was reported, and all faults.
fn made(paths: &[&str], records: &[&str]) -> (String, Vec<String>) {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, records);
    for path in paths {
        assert_eq!(server.get_with(path, GIVEN).status, 200, "{path}: {}", server.stderr());
    }
    assert_eq!(server.get("/innocent").body, "ok");
    let report = std::fs::read_to_string(server.dir.path().join("report")).expect("a report");
    let log = server.stop();
    (report, faults(&log).into_iter().map(str::to_owned).collect())
}

/// A test for each mistake: the paths that make it, what the plugin got, what the log says of it.
macro_rules! mistakes {
    ($($name:ident: $paths:expr => $got:expr, $faults:expr;)+) => {
        $(
            #[test]
            fn $name() {
                let (report, found) = made(&$paths, &[]);
                let got: &[&str] = &$got;
                assert_eq!(report.lines().collect::<Vec<_>>(), got, "{found:?}");
                let faults: &[&str] = &$faults;
                assert_eq!(found, faults, "{report}");
            }
        )+
    };
}

mistakes! {
    a_transaction_is_not_used_after_its_end: ["/keep", "/after-end"] => ["after-end -1"],
        ["TSHttpTxnClientReqGet: the transaction does not exist any more, or never did"];
    a_transaction_is_not_reenabled_after_its_end: ["/keep", "/reenable-after-end"] => [],
        ["TSHttpTxnReenable: the transaction does not exist any more, or never did"];
    a_second_reenable_is_ignored: ["/twice"] => [],
        ["TSHttpTxnReenable: it was reenabled already at this hook point; the second time is ignored"];
    an_event_that_means_nothing_goes_on: ["/odd-event"] => [],
        ["TSHttpTxnReenable: event 12345 means nothing: taken as TS_EVENT_HTTP_CONTINUE"];
    a_session_that_does_not_wait_is_not_reenabled: ["/session-twice"] => [],
        ["TSHttpSsnReenable: no hook point waits for it; the call is ignored"];
    a_global_transform_is_named: ["/global-transform"] => [],
        ["TSHttpHookAdd: hook 7 (TS_HTTP_RESPONSE_TRANSFORM_HOOK) is never called in this scope"];
    a_session_hook_of_a_transaction_is_named: ["/session-hook-of-txn"] => [],
        ["TSHttpTxnHookAdd: hook 12 (TS_HTTP_SSN_CLOSE_HOOK) is never called in this scope"];
    a_hook_that_a_session_has_passed_is_named: ["/start-hook-of-session"] => [],
        ["TSHttpSsnHookAdd: hook 11 (TS_HTTP_SSN_START_HOOK) is never called in this scope"];
    the_cache_is_looked_up_again_only_after_a_look_up: ["/redo-elsewhere"] => ["redo-elsewhere -1"],
        ["TSHttpTxnRedoCacheLookup: only at CACHE_LOOKUP_COMPLETE"];
    a_released_field_is_not_released_again: ["/double-release"] => ["double-release 0 -1"],
        ["TSHandleMLocRelease: the handle is stale"];
    a_field_is_not_released_with_another_parent: ["/wrong-parent"] => ["wrong-parent -1"],
        ["TSHandleMLocRelease: the field belongs to another header"];
    a_header_is_no_url: ["/wrong-kind"] => ["wrong-kind 1"], ["TSUrlHostGet: the handle is of another kind"];
    a_string_stays_after_its_field_has_changed: ["/kept-string"] => ["kept-string one, two"], [];
    strings_end_with_nul: ["/no-nul"] => ["no-nul 4"], [];
    a_stored_response_is_not_changed: ["/read-only", "/read-only"] => ["read-only -1"],
        ["TSHttpHdrStatusSet: the message is read-only"];
    a_transactions_buffer_is_not_destroyed: ["/destroy-foreign"] => ["destroy-foreign -1"],
        ["TSMBufferDestroy: the message is read-only"];
    a_url_goes_with_its_buffer: ["/url-after-buffer"] => ["url-after-buffer -1"],
        ["TSUrlHostSet: the buffer does not exist any more"];
    a_constant_as_request_body_is_not_freed: ["/literal-body"] => [],
        ["TSHttpTxnServerRequestBodySet: a text that is given away was never allocated; it is copied"];
    a_value_of_a_record_is_copied: ["/temporary-config"] => ["temporary-config temporary"], [];
    a_continuation_is_destroyed_once: ["/destroy-twice"] => [],
        ["TSContDestroy: the continuation does not exist any more, or never did"];
    no_more_is_consumed_than_there_is: ["/consume-too-much"] => ["consume-too-much 0"],
        ["TSIOBufferReaderConsume: more is consumed than there is"];
    a_buffer_may_have_more_readers_than_in_traffic_server: ["/six-readers"] => ["six-readers 4"], [];
    a_reader_goes_with_its_buffer: ["/read-after-end"] => ["read-after-end 0"],
        ["TSIOBufferReaderAvail: the reader does not exist any more, or never did"];
    a_destroyed_continuation_is_not_called: ["/call-destroyed"] => ["call-destroyed 0"],
        ["TSContCall: the continuation does not exist any more, or never did"];
    timers_go_with_their_continuation: ["/destroy-with-timer"] => [], [];
    an_action_that_has_fired_is_not_cancelled: ["/arm", "/cancel-fired"] => [],
        ["TSActionCancel: the action does not exist any more, or never did"];
    a_handler_may_cancel_its_own_action: ["/cancel-own"] => [], [];
    a_scheduled_continuation_without_a_mutex_gets_one: ["/without-mutex"] => [],
        ["TSContSchedule: the continuation has no mutex; it gets one"];
    a_call_waits_for_the_mutex: ["/call-held"] => ["call-held 1"], [];
    a_mutex_in_use_is_not_destroyed: ["/mutex-in-use"] => ["mutex-in-use 0"],
        ["TSMutexDestroy: a continuation still uses the mutex"];
    a_thread_of_the_plugins_own_may_call_and_is_named: ["/strange-thread"] => ["stranger -1"],
        ["TSHttpTxnClientReqGet: the handle is null"];
    an_index_of_other_objects_has_no_value: ["/other-index"] => ["other-index 1"],
        ["TSUserArgGet: the index is not one for this kind of object"];
    an_index_of_other_objects_is_not_set: ["/set-other-index"] => [],
        ["TSUserArgSet: the index is not one for this kind of object"];
    handlers_may_call_anything: ["/reenter"] => ["reenter 5", "own hook 60002", "after reenable 1"], [];
}

#[test]
fn a_handle_does_not_mean_a_later_transaction() {
    // More than are kept back before a place is used again.
    let mut paths = vec!["/keep"];
    paths.extend(["/innocent"; 100]);
    paths.extend(["/after-end", "/reenable-after-end"]);
    let (report, faults) = made(&paths, &[]);
    assert_eq!(report, "after-end -1\n");
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn every_handle_is_refused_where_another_belongs() {
    let (report, faults) = made(&["/confuse"], &[]);
    let (refused, of) = report
        .trim()
        .strip_prefix("confuse ")
        .and_then(|counts| counts.split_once(" of "))
        .unwrap_or_else(|| panic!("{report}"));
    assert_eq!(refused, of, "{faults:?}");
}

#[test]
fn a_constant_as_content_type_is_not_freed() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    let answer = server.get("/literal-type");
    assert_eq!((answer.status, answer.body.as_str()), (403, "not you"));
    assert!(answer.has("Content-Type: text/x-literal"), "{}", answer.head);
    assert_eq!(server.get("/innocent").status, 200);
    let fault = "TSHttpTxnErrorBodySet: a text that is given away was never allocated; it is copied";
    assert_eq!(faults(&server.stop()), [fault]);
}

#[test]
fn a_url_on_the_stack_is_not_freed() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &["proxy.config.http.redirect.actions=self:follow,loopback:follow"]);
    // Nobody is there where the URL leads to.
    assert_eq!(server.get("/url-on-stack").status, 502);
    assert_eq!(server.get("/innocent").status, 200);
    let fault = "TSHttpTxnRedirectUrlSet: a text that is given away was never allocated; it is copied";
    assert_eq!(faults(&server.stop()), [fault]);
}

#[test]
fn a_plugin_that_does_not_go_on_is_named_with_hook_and_age_and_waited_for() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &["proxy.config.tollgate.plugin.handler_timeout=1"]);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| server.get("/never").status);
        let said = server.await_file("stderr", |text| text.contains("it is waited for"));
        let warning = said.lines().find(|line| line.contains("it is waited for")).expect("there");
        assert!(warning.contains("plugin mistakes has not gone on from READ_REQUEST_HDR in transaction "));
        let age = warning.split_once(" for ").and_then(|(_, age)| age.split(' ').next()?.parse::<f64>().ok());
        assert!(age.is_some_and(|seconds| seconds >= 1.0), "{warning}");
        assert!(server.ctl(&["plugin", "msg", "go"]).status.success());
        assert_eq!(answer.join().expect("answered"), 200);
    });
    assert_eq!(server.stop().matches("has not gone on from").count(), 1);
}

#[test]
fn a_session_that_is_not_gone_on_with_is_given_up_if_so_configured() {
    let origin = Origin::start(ANSWER);
    let setup = Setup::new()
        .set("proxy.config.tollgate.plugin.handler_timeout=1")
        .set("proxy.config.tollgate.plugin.handler_timeout_action=fail");
    let plugin = compile(setup.dir.path(), "mistakes");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", &format!("map / http://{}/\n", origin.addr))
        .file("plugin.config", &format!("{} {} session\n", plugin.display(), report.display()));
    let server = setup.start();
    assert_eq!(server.send("/never-read", ""), "");
    assert_eq!(server.get("/innocent").status, 200);
    let said = server.stop();
    let warnings =
        said.lines().filter(|line| line.contains("plugin mistakes has not gone on from SSN_START"));
    assert_eq!(warnings.collect::<Vec<_>>().len(), 1, "{said}");
}

#[test]
fn another_plugins_hook_point_is_not_completed() {
    let origin = Origin::start(ANSWER);
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "mistakes");
    let other = setup.dir.path().join("other.so");
    std::fs::copy(&plugin, &other).expect("copied");
    let report = setup.dir.path().join("report");
    setup.file("remap.config", &format!("map / http://{}/\n", origin.addr)).file(
        "plugin.config",
        &format!("{} {2}\n{} {2} wait\n", plugin.display(), other.display(), report.display()),
    );
    let server = setup.start();
    assert_eq!(server.get("/in-anothers-turn").status, 200);
    let fault = "TSHttpTxnReenable: the hook point that waits is another plugin's; the call is ignored";
    assert_eq!(faults(&server.stop()), [fault]);
}

#[test]
fn a_handler_that_blocks_is_named_once() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &["proxy.config.tollgate.ts.blocking_limit=300"]);
    assert_eq!(server.get("/block").status, 200);
    assert_eq!(server.get("/innocent").status, 200);
    let counted = server.ctl(&["metric", "get", "proxy.process.plugin.mistakes.misuses"]);
    assert_eq!(String::from_utf8_lossy(&counted.stdout), "proxy.process.plugin.mistakes.misuses 1\n");
    let said = server.stop();
    assert_eq!(
        said.matches("plugin mistakes blocks event thread 0: its handler runs for").count(),
        1,
        "{said}"
    );
}

#[test]
fn mutexes_taken_against_their_order_are_named_when_asked_for() {
    let paths = ["/lock-in-order", "/lock-in-order", "/lock-against-order", "/lock-against-order"];
    let fault = "TSMutexLock: a mutex is waited for that another thread may hold while it waits for one that is held here";
    assert_eq!(made(&paths, &["proxy.config.tollgate.ts.lock_order=1"]).1, [fault]);
    assert!(made(&paths, &[]).1.is_empty());
}

#[test]
fn what_a_client_that_has_left_was_is_still_known() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    server.send_and_leave("/after-client");
    server.await_file("report", |text| times(text, "after-client 1 1") == 1);
    assert_eq!(server.get("/innocent").status, 200);
    assert!(faults(&server.stop()).is_empty());
}

#[test]
fn what_a_plugin_leaks_is_shown() {
    let origin = Origin::start(ANSWER);
    let server = start(&origin, &[]);
    let list = || String::from_utf8(server.ctl(&["plugin", "list"]).stdout).expect("text");
    let metric = |item: &str| {
        let name = format!("proxy.process.plugin.mistakes.{item}");
        let said = server.ctl(&["metric", "get", &name]);
        String::from_utf8_lossy(&said.stdout).trim().strip_prefix(&name).map(|n| n.trim().to_owned())
    };
    assert_eq!(
        list(),
        "mistakes: 2 continuations, 2 mutexes, 0 buffers, 0 io buffers, 0 timers, 0 leaked fields, 0 misuses\n"
    );
    assert_eq!(server.get_with("/leak", GIVEN).status, 200);
    assert_eq!(server.get("/destroy-twice").status, 200);
    let shown = "mistakes: 4 continuations, 3 mutexes, 1 buffers, 1 io buffers, 1 timers, 3 leaked fields, 1 misuses\n";
    server.eventually(|| list() == shown, list);
    assert_eq!(metric("continuations").as_deref(), Some("4"));
    assert_eq!(metric("leaked_fields").as_deref(), Some("3"));
    assert_eq!(server.get_with("/leak", GIVEN).status, 200);
    server.eventually(|| metric("leaked_fields").as_deref() == Some("6"), list);
    assert_eq!(metric("continuations").as_deref(), Some("6"));
}

/// A server with a rule for each of these words, which the plugin of the rule gets.
fn rules(origin: &Origin, words: &[&str]) -> Server {
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "mistakes");
    let report = setup.dir.path().join("report");
    setup.file("remap.config", &rules_text(origin, words, &plugin, &report));
    setup.start()
}

fn rules_text(origin: &Origin, words: &[&str], plugin: &std::path::Path, report: &std::path::Path) -> String {
    let rule = |word: &&str| {
        let (to, plugin, report) = (origin.addr, plugin.display(), report.display());
        format!("map /{word} http://{to}/ @plugin={plugin} @pparam={report} @pparam={word}\n")
    };
    words.iter().map(rule).collect()
}

#[test]
fn arguments_of_a_rules_plugin_stay() {
    let origin = Origin::start(ANSWER);
    let server = rules(&origin, &["arguments"]);
    assert_eq!(server.get("/arguments").status, 200);
    server.await_file("report", |text| times(text, "arguments 4 arguments") == 1);
}

#[test]
fn an_answer_of_a_rules_plugin_that_means_nothing_goes_on() {
    let origin = Origin::start(ANSWER);
    let server = rules(&origin, &["garbage", "negative"]);
    assert_eq!(server.get("/garbage").status, 200);
    assert_eq!(server.get("/negative").status, 200);
    let said = server.stop();
    let failed = said.lines().filter(|line| line.contains("remap plugin") && line.ends_with("failed"));
    assert_eq!(failed.collect::<Vec<_>>().len(), 1, "{said}");
}

#[test]
fn a_rules_plugin_has_nothing_to_reenable() {
    let origin = Origin::start(ANSWER);
    let server = rules(&origin, &["reenable"]);
    assert_eq!(server.get("/reenable").status, 200);
    assert_eq!(
        faults(&server.stop()),
        ["TSHttpTxnReenable: no hook point waits for it; the call is ignored"]
    );
}

#[test]
fn what_a_rules_plugin_leaves_behind_is_named_when_it_goes() {
    let origin = Origin::start(ANSWER);
    let server = rules(&origin, &["leave-behind"]);
    assert_eq!(server.get("/leave-behind").status, 200);
    std::fs::write(server.dir.path().join("remap.config"), format!("map / http://{}/\n", origin.addr))
        .expect("written");
    assert!(server.ctl(&["config", "reload"]).status.success());
    // The event thread takes the new generation with its next transaction, and lets the old one go.
    assert_eq!(server.get("/").status, 200);
    let said = server.await_file("stderr", |text| text.contains("leaves behind"));
    assert!(said.contains("plugin mistakes is done and leaves behind: 1 continuations, 1 mutexes"), "{said}");
}

#[test]
fn an_exception_ends_the_server_with_the_plugins_name() {
    let origin = Origin::start(ANSWER);
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "throws");
    setup
        .file("remap.config", &format!("map / http://{}/\n", origin.addr))
        .file("plugin.config", &format!("{}\n", plugin.display()));
    let mut server = setup.start();
    server.send_and_leave("/");
    assert_eq!(server.died_of(), Some(SIGABRT));
    let fault = "plugin throws: an exception has left its code; the server cannot go on";
    assert_eq!(server.stderr().matches(fault).count(), 1, "{}", server.stderr());
}
