//! Threads, scheduling and locks of plugins: the same library writes the same report in Traffic Server and here.
//!
//! Traffic Server's report is kept in `c/threads.expected`.

use crate::oracle::TrafficServer;
use crate::support::{Setup, assert_same, compile};

const EXPECTED: &str = include_str!("c/threads.expected");

fn is_complete(report: &str) -> bool {
    report.ends_with("\nend\n")
}

#[test]
fn threads_and_scheduling_are_as_in_traffic_server() {
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "threads");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", "map / http://127.0.0.1:1/\n")
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    let server = setup.start();
    let got = server.await_file("report", is_complete);
    assert_same("threads", &got, EXPECTED);
}

#[test]
#[ignore = "needs Traffic Server; `cargo xtask test` installs it and runs it"]
fn traffic_server_threads_and_scheduling_are_as_expected() {
    let server = TrafficServer::start("threads", "", "map / http://127.0.0.1:1/\n");
    assert_same("threads.ts", &server.report(is_complete), EXPECTED);
}
