//! The runner judges rightly: scenarios without a proxy, clients talking to the origin itself.

use tollgate_testkit::{Failure, Outcome, Target, check_file, run_text};

fn run(yaml: &str) -> Outcome {
    run_text(&format!("name: n\nwhy: w\ndeadline: 10\n{yaml}"), &Target::Direct)
}

fn first_failure(yaml: &str) -> Failure {
    match run(yaml) {
        Outcome::Failed { failures, .. } => failures[0].clone(),
        other => panic!("did not fail: {other}"),
    }
}

#[test]
fn exchange_that_meets_its_expectations_passes() {
    let outcome = run(r#"
origins:
  origin:
    connections:
      - - expect: {method: POST, target: /x, headers: {X-A: b}, absent: [X-B], body: hello}
        - send: {status: 201, headers: ["X-C: d"], body: made, chunked: true, trailers: ["X-T: 1"]}
        - expect_close
clients:
  client:
    - send: {method: POST, target: /x, headers: ["X-A: b"], body: hello}
    - expect: {status: 201, headers: {X-C: d}, body: made, trailers: {X-T: 1}}
expect: {requests: 1, complete_requests: 1, connections: 1}
"#);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn wrong_status_fails_with_step_expectation_and_transcript() {
    let outcome = run("clients: {client: [{get: /}, {expect: {status: 404}}]}\n");
    let Outcome::Failed { failures, transcript } = outcome else { panic!("did not fail") };
    assert_eq!(failures[0].at, "client client, step 2 (Expect)");
    assert_eq!(failures[0].expected, "status \"404\"");
    assert_eq!(failures[0].got, "\"200\"");
    assert!(transcript.contains("-> GET / HTTP/1.1\\r\\nHost: t.test"), "{transcript}");
}

#[test]
fn each_kind_of_unmet_expectation_fails() {
    let reply = "origins: {origin: {always: {send: {headers: ['X-A: b'], body: hello}}}}\n";
    for demand in [
        "headers: {X-A: c}",
        "headers: {X-Z: ''}",
        "absent: [x-a]",
        "body: hell",
        "body: {size: 5}",
        "body: {size: 6, any: true}",
        "body_lacks: [ell]",
        "version: HTTP/1.0",
        "raw: nonsense",
        "aborted: true",
        "trailers: {X-T: 1}",
    ] {
        let failure =
            first_failure(&format!("{reply}clients: {{client: [{{get: /}}, {{expect: {{{demand}}}}}]}}\n"));
        assert_eq!(failure.at, "client client, step 2 (Expect)", "{demand}");
    }
}

#[test]
fn too_many_or_too_few_requests_fail() {
    let clients = "clients: {client: [{get: /}, {expect: {status: 200}}]}\ndeadline: 1\n";
    let text = |n| format!("name: n\nwhy: w\n{clients}expect: {{requests: {n}}}\n");
    assert!(run_text(&text(0), &Target::Direct).is_failed());
    assert!(run_text(&text(2), &Target::Direct).is_failed());
    assert_eq!(run_text(&text(1), &Target::Direct), Outcome::Passed);
}

#[test]
fn checking_a_file_parses_it_and_starts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scenario.yaml");
    let check = |text: &str| {
        std::fs::write(&path, text).expect("written");
        check_file(&path)
    };
    // Run, the first one would fail: nothing is ever sent.
    let waits = "name: n\nwhy: w\nclients: {client: [{expect: {}}]}\n";
    assert_eq!(check(waits), Outcome::Passed);
    assert!(check("name: n\nwhy: w\n").is_failed(), "no client");
    assert!(check("name: n\nwhy: w\nclients: {client: [{gte: /}]}\n").is_failed(), "no such step");
    assert!(check_file(&folder.path().join("other.yaml")).is_failed(), "no such file");
}

#[test]
fn deadline_ends_a_scenario_that_waits_for_ever() {
    let text = "name: n\nwhy: w\ndeadline: 1\norigins: {origin: {connections: [[{expect: {}}, {expect: {}}]]}}\n\
                clients: {client: [{get: /}, {expect: {}}]}\n";
    let Outcome::Failed { failures, .. } = run_text(text, &Target::Direct) else { panic!("did not fail") };
    assert!(failures.iter().any(|f| f.expected.contains("deadline")), "{failures:?}");
}

#[test]
fn barrier_orders_two_clients() {
    let outcome = run(r#"
origins:
  origin:
    connections:
      - - expect: {target: /first}
        - send: {}
      - - expect: {target: /second}
        - send: {}
clients:
  second:
    - barrier: first is done
    - get: /second
    - expect: {status: 200}
  first:
    - get: /first
    - expect: {status: 200}
    - barrier: first is done
"#);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn expect_nothing_notices_early_bytes() {
    let script = |first: &str, second: &str| {
        format!(
            "origins: {{origin: {{connections: [[{{expect: {{}}}}, {first}, {second}]]}}}}\n\
             clients: {{client: [{{get: /}}, {{expect_nothing: now}}, {{expect: {{status: 200}}}}]}}\n"
        )
    };
    let outcome = run(&script("{barrier: now}", "{send: {}}"));
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
    let failure = first_failure(&script("{send: {}}", "{barrier: now}"));
    assert_eq!(failure.expected, "nothing before barrier now");
}

#[test]
fn truncated_bodies_are_aborted_bodies() {
    for framing in ["chunked: true, ", ""] {
        let origin = format!(
            "origins: {{origin: {{connections: [[{{expect: {{}}}}, \
             {{send: {{{framing}body: {{size: 1000}}, truncate: 500, close: true}}}}]]}}}}\n"
        );
        let outcome =
            run(&format!("{origin}clients: {{client: [{{get: /}}, {{expect: {{aborted: true}}}}]}}\n"));
        assert_eq!(outcome, Outcome::Passed, "{outcome}");
        let failure =
            first_failure(&format!("{origin}clients: {{client: [{{get: /}}, {{expect: {{}}}}]}}\n"));
        assert_eq!(failure.expected, "a complete body");
    }
}

#[test]
fn unscripted_connections_and_requests_fail() {
    let origin = "origins: {origin: {connections: [[{expect: {}}, {send: {}}]]}}\n";
    let again = "[{get: /}, {expect: {}}, {get: /}, {expect: {}}]";
    let failure = first_failure(&format!("{origin}clients: {{client: {again}}}\n"));
    assert_eq!(failure.expected, "nothing more on this connection");
    let anew = "[{get: /}, {expect: {}}, connect, {get: /}, {expect: {}}]";
    let failure = first_failure(&format!("{origin}clients: {{client: {anew}}}\n"));
    assert_eq!(failure.expected, "no further connection");
}

#[test]
fn connection_that_never_comes_fails() {
    let text = "name: n\nwhy: w\ndeadline: 1\n\
                origins: {origin: {connections: [[{expect: {}}, {send: {}}], [close]]}}\n\
                clients: {client: [{get: /}, {expect: {}}]}\n";
    assert!(run_text(text, &Target::Direct).is_failed());
}

#[test]
fn malformed_answers_of_the_program_under_test_fail() {
    for raw in [
        r#""HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n""#,
        r#""HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx""#,
        r#""HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n""#,
        r#""HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n""#,
        r#""nonsense\r\n\r\n""#,
    ] {
        let yaml = format!(
            "origins: {{origin: {{connections: [[{{expect: {{}}}}, {{send: {raw}}}, close]]}}}}\n\
             clients: {{client: [{{get: /}}, {{expect: {{status: 200}}}}]}}\n"
        );
        assert!(run(&yaml).is_failed(), "{raw}");
    }
}

#[test]
fn reset_close_and_half_close_are_seen_by_the_other_side() {
    let outcome = run(r#"
origins:
  origin:
    connections:
      - - expect_raw: ping
        - expect_close
        - send: pong
        - reset
clients:
  client:
    - send: ping
    - half_close
    - expect_raw: pong
    - expect_close
"#);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn refusing_origin_refuses() {
    let failure = first_failure("origins: {origin: {refuse: true}}\nclients: {client: [{get: /}]}\n");
    assert!(failure.got.contains("refused"), "{failure}");
}

#[test]
fn yaml_escapes_are_single_bytes_on_the_wire() {
    let outcome = run(r#"
origins: {origin: {connections: [[{expect_raw: "\0\xff\r\n"}, {send: "\x80"}, close]]}}
clients: {client: [{send: "\0\xff\r\n"}, {expect_raw: "\x80"}, expect_close]}
"#);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn misspelt_expectation_is_an_error() {
    let failure = first_failure("clients: {client: [{get: /}, {expect: {statsu: 200}}]}\n");
    assert_eq!(failure.at, "the scenario file");
    assert!(failure.got.contains("statsu"), "{failure}");
}

#[test]
fn optional_scenario_that_is_not_met_is_skipped_and_not_passed() {
    let outcome = run("optional: a nicety\nclients: {client: [{get: /}, {expect: {status: 404}}]}\n");
    assert_eq!(outcome, Outcome::Skipped("optional, not met: a nicety".to_owned()));
}
