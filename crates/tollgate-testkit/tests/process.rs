//! The runner's side of the contract with the program under test, shown with a stand-in for it.
//!
//! The stand-in is a shell script that announces two sockets of this test, says `ready` and waits for a signal.
#![expect(clippy::unwrap_used, reason = "a broken set-up must fail the test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;
use tollgate_testkit::{Outcome, Target, run_text};

const METRICS: &str = r#"[{"name":"proxy.process.http.current_client_transactions","value":0}]"#;

/// A socket on which every connection gets the same answer; its thread ends with the test process.
fn answering(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|n| n > 0) {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        }
    });
    addr
}

struct StandIn {
    _dir: TempDir,
    path: PathBuf,
}

fn stand_in(last: &str) -> StandIn {
    let (http, admin) = (answering("hello"), answering(METRICS));
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("stand-in");
    let script = format!(
        "#!/bin/sh\necho \"arguments: $*\" >&2\necho listening http {http}\necho listening admin {admin}\n{last}\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    StandIn { _dir: dir, path }
}

fn run(program: &StandIn, yaml: &str) -> Outcome {
    let text = format!("name: n\nwhy: w\ndeadline: 10\n{yaml}");
    run_text(&text, &Target::Tollgate(program.path.clone()))
}

const SERVE: &str = "echo ready; exec sleep 600";
const CLIENT: &str = "clients: {client: [{get: /}, {expect: {status: 200, body: hello}}]}\n";

#[test]
fn ports_metrics_arguments_and_files_follow_the_contract() {
    let program = stand_in(SERVE);
    let yaml = format!(
        "proxy: {{set: {{proxy.config.x: 7}}, forward: true, threads: 3, files: {{a.config: 'x ${{origin}}'}}}}\n\
         {CLIENT}\
         expect:\n  metrics: {{http.current_client_transactions: 0}}\n  diagnostics:\n    \
         - 'arguments: run --threads 3 --listen 127\\.0\\.0\\.1:0 .*--set proxy\\.config\\.x=7 --forward --config /.*/config$'\n"
    );
    let outcome = run(&program, &yaml);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn everything_is_mapped_to_the_origin_unless_the_scenario_maps() {
    let program = stand_in(SERVE);
    let yaml = format!("{CLIENT}expect: {{diagnostics: ['--map / ${{origin}}/']}}\n");
    let outcome = run(&program, &yaml);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
    let yaml = format!(
        "{CLIENT}proxy: {{map: [['http://a.test/', '${{origin}}/b']]}}\nexpect: {{diagnostics: ['--map http://a.test/ ${{origin}}/b']}}\n"
    );
    let outcome = run(&program, &yaml);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn wrong_metric_and_missing_diagnostics_fail() {
    let program = stand_in(SERVE);
    let deadline = CLIENT.to_owned();
    for expect in [
        "metrics: {http.current_client_transactions: 1}",
        "diagnostics: [nowhere]",
        "no_diagnostics: [arguments]",
    ] {
        let text = format!("name: n\nwhy: w\ndeadline: 1\n{deadline}expect: {{{expect}}}\n");
        assert!(run_text(&text, &Target::Tollgate(program.path.clone())).is_failed(), "{expect}");
    }
}

#[test]
fn panic_in_the_diagnostics_fails() {
    let program = stand_in(&format!("echo \"thread 'x' panicked at y\" >&2; {SERVE}"));
    assert!(run(&program, CLIENT).is_failed());
}

#[test]
fn program_that_ends_by_itself_fails_unless_expected() {
    let program = stand_in("echo ready; exit 3");
    assert!(run(&program, "clients: {client: [{await_diagnostics: arguments}]}\n").is_failed());
    let expected = "clients: {client: [{await_diagnostics: arguments}]}\nexpect: {exit: 3}\n";
    let outcome = run(&program, expected);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
}

#[test]
fn program_that_does_not_get_ready_fails_with_its_output() {
    let program = stand_in("echo cannot bind >&2; exit 1");
    let Outcome::Failed { failures, .. } = run(&program, CLIENT) else { panic!("did not fail") };
    assert!(failures[0].got.contains("cannot bind"), "{failures:?}");
}

#[test]
fn subcommand_is_judged_by_status_and_output() {
    let program = stand_in("cat \"$3\"/remap.config; exit 1");
    let yaml =
        "proxy: {command: [check], files: {remap.config: 'oops'}}\nexpect: {exit: 1, output: [oops]}\n";
    let outcome = run(&program, yaml);
    assert_eq!(outcome, Outcome::Passed, "{outcome}");
    assert!(run(&program, &yaml.replace("exit: 1", "exit: 0")).is_failed());
}
