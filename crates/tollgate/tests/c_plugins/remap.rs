//! Remap plugins.

use crate::support::{Origin, Setup, compile, times};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_rules_plugins_change_redirect_answer_and_stop() {
    let origin = Origin::start(ANSWER);
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "rewrite");
    let report = setup.dir.path().join("report");
    let with =
        |what: &str| format!("@plugin={} @pparam={} @pparam={what}", plugin.display(), report.display());
    let to = origin.addr;
    setup.file(
        "remap.config",
        &format!(
            "map /path http://{to}/target {}\nmap /redirect http://{to}/ {}\nmap /status http://{to}/ {}\n\
             map /stop http://{to}/ {} {}\nmap /none http://{to}/ {}\n",
            with("path"),
            with("redirect"),
            with("status"),
            with("stop"),
            with("path"),
            with("none"),
        ),
    );
    let server = setup.start();
    assert_eq!(server.get("/path/x").status, 200);
    assert!(origin.requests()[0].starts_with("GET /by/plugin HTTP/1.1\r\n"), "{:?}", origin.requests());
    let moved = server.get("/redirect/x");
    assert_eq!(moved.status, 301);
    assert!(moved.head.contains("Location: http://elsewhere.example"), "{}", moved.head);
    let gone = server.get("/status");
    assert_eq!((gone.status, gone.body.as_str()), (410, "gone by plugin"));
    assert_eq!(server.get("/stop").status, 200);
    assert!(origin.requests()[1].starts_with("GET / HTTP/1.1\r\n"), "{:?}", origin.requests());
    assert_eq!(server.get("/none").status, 200);
    let log = server.await_file("report", |text| text.contains("remap none"));
    assert_eq!(log.lines().filter(|line| line.starts_with("new ")).count(), 6);
    let line = format!("remap path to http://{to}/target pristine path/x");
    assert_eq!(times(&log, &line), 1, "{log}");
    assert_eq!(log.lines().filter(|line| line.starts_with("remap path")).count(), 1);
}

#[test]
fn instances_live_as_long_as_their_configuration() {
    let origin = Origin::start(ANSWER);
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "rewrite");
    let report = setup.dir.path().join("report");
    let rule = |what: &str| {
        format!(
            "map / http://{}/ @plugin={} @pparam={} @pparam={what}\n",
            origin.addr,
            plugin.display(),
            report.display()
        )
    };
    setup.file("remap.config", &rule("one"));
    let server = setup.start();
    assert_eq!(server.get("/").status, 200);
    std::fs::write(server.dir.path().join("remap.config"), rule("two")).expect("written");
    assert!(server.ctl(&["config", "reload"]).status.success());
    // The event thread takes the new generation with its next transaction, and lets the old one go.
    assert_eq!(server.get("/").status, 200);
    let log = server.await_file("report", |text| times(text, "delete one") == 1);
    assert_eq!((times(&log, "new one"), times(&log, "new two"), times(&log, "done")), (1, 1, 0));
    // At the start, and at the reload.
    assert_eq!(times(&log, "reloaded 1"), 2, "{log}");
}

#[test]
fn an_instance_that_cannot_be_made_is_an_error_with_its_place() {
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "rewrite");
    setup.file("remap.config", &format!("\nmap / http://127.0.0.1:9/ @plugin={}\n", plugin.display()));
    let said = setup.fails();
    assert!(said.contains("remap.config:2") && said.contains("say what to do, not 2 arguments"), "{said}");
}
