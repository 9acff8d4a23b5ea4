//! Finding, loading, starting plugins; what is said when that fails.

use crate::support::{Origin, Setup, compile, times};
use std::path::Path;
use std::process::Command;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok";

#[test]
fn a_plugin_is_started_with_its_arguments_and_hears_of_the_servers_life() {
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "probe");
    let report = setup.dir.path().join("report");
    setup.file("remap.config", "map / http://127.0.0.1:9/\n").file(
        "plugin.config",
        &format!("{} {} $proxy.config.task_threads # a comment\n", plugin.display(), report.display()),
    );
    let server = setup.start();
    server.await_file("report", |text| times(text, "every 2") == 1);
    assert!(server.ctl(&["plugin", "msg", "tag", "data"]).status.success());
    let log =
        server.await_file("report", |text| text.lines().any(|line| line.starts_with("message tag data")));
    assert!(log.starts_with("started with 3 arguments, 2\n"), "{log}");
    assert_eq!(times(&log, "TS_EVENT_LIFECYCLE_PORTS_READY"), 1);
    let dir = server.dir.path().join("report");
    let held = std::fs::File::open(dir).expect("a report");
    server.stop();
    let text = std::io::read_to_string(held).expect("a report");
    assert_eq!(times(&text, "TS_EVENT_LIFECYCLE_SHUTDOWN"), 1);
}

#[test]
fn a_name_without_a_folder_is_looked_for_in_the_plugin_folder() {
    let setup = Setup::new();
    compile(setup.dir.path(), "probe");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", "map / http://127.0.0.1:9/\n")
        .file("plugin.config", &format!("probe.so {}\n", report.display()));
    let folder = format!("proxy.config.plugin.plugin_dir={}", setup.dir.path().display());
    let server = setup.set(&folder).start();
    server.await_file("report", |text| text.starts_with("started with 2 arguments"));
}

#[test]
fn what_cannot_be_loaded_stops_the_start_and_says_why() {
    let setup = Setup::new();
    setup.file("remap.config", "map / http://127.0.0.1:9/\n").file("plugin.config", "/nowhere/none.so\n");
    let said = setup.fails();
    assert!(
        said.contains("plugin.config:1: plugin /nowhere/none.so: unable to load '/nowhere/none.so'"),
        "{said}"
    );
    let plugin = compile(setup.dir.path(), "unregistered");
    setup.file("plugin.config", &format!("\n{}\n", plugin.display()));
    let said = setup.fails();
    assert!(
        said.contains("plugin.config:2") && said.contains("not registered by calling TSPluginRegister"),
        "{said}"
    );
    let plugin = compile(setup.dir.path(), "undefined");
    setup.file("plugin.config", &format!("{}\n", plugin.display()));
    let said = setup.fails();
    assert!(said.contains("missing symbol nobody_has_this: no known package has it"), "{said}");
    let plugin = compile(setup.dir.path(), "rewrite");
    setup.file("plugin.config", &format!("{}\n", plugin.display()));
    let said = setup.fails();
    assert!(said.contains("unable to find TSPluginInit function"), "{said}");
}

#[test]
fn check_looks_at_plugins_without_starting_them() {
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "probe");
    let report = setup.dir.path().join("report");
    let rewrite = compile(setup.dir.path(), "rewrite");
    setup
        .file("remap.config", &format!("map / http://127.0.0.1:9/ @plugin={}\n", rewrite.display()))
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    let checked = setup.check();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    assert!(!report.exists(), "the plugin was started");
    setup.file("remap.config", &format!("map / http://127.0.0.1:9/ @plugin={}\n", plugin.display()));
    let checked = setup.check();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && said.contains("missing entry point TSRemapInit"), "{said}");
}

#[test]
fn single_files_are_looked_at_as_either_kind_of_plugin() {
    let setup = Setup::new();
    let global = compile(setup.dir.path(), "probe");
    let remap = compile(setup.dir.path(), "rewrite");
    let check = |option: &str, file: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["check", option])
            .arg(file)
            .output()
            .expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (option, good, bad, why) in [
        ("--global-plugin", &global, &remap, "unable to find TSPluginInit function"),
        ("--remap-plugin", &remap, &global, "missing entry point TSRemapInit"),
    ] {
        let (is_good, said) = check(option, good);
        assert!(is_good && said.ends_with(": can be loaded\n"), "{said}");
        let (is_good, said) = check(option, bad);
        assert!(!is_good && said.contains(why), "{said}");
        let (is_good, said) = check(option, &setup.dir.path().join("none.so"));
        assert!(!is_good && said.contains("none.so"), "{said}");
    }
}

#[test]
fn a_plugin_named_twice_is_started_twice_and_survives_reloads() {
    let origin = Origin::start(ANSWER);
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "probe");
    let report = setup.dir.path().join("report");
    let line = format!("{} {}", plugin.display(), report.display());
    setup
        .file("remap.config", &format!("map / http://{}/\n", origin.addr))
        .file("plugin.config", &format!("{line} first\n{line} second\n"));
    let server = setup.start();
    assert_eq!(server.get("/a").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 2);
    assert_eq!(times(&log, "TS_EVENT_HTTP_READ_REQUEST_HDR"), 2);
    assert!(server.ctl(&["config", "reload"]).status.success());
    assert_eq!(server.get("/b").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 4);
    assert_eq!(times(&log, "TS_EVENT_HTTP_READ_REQUEST_HDR"), 4);
    assert_eq!(log.lines().filter(|line| line.starts_with("started with 3 arguments")).count(), 2);
    // A line that is gone has no handlers any more.
    std::fs::write(server.dir.path().join("plugin.config"), format!("{line} second\n")).expect("written");
    assert!(server.ctl(&["config", "reload"]).status.success());
    assert_eq!(server.get("/c").status, 200);
    let log = server.await_file("report", |text| times(text, "TS_EVENT_HTTP_SSN_CLOSE") == 5);
    assert_eq!(times(&log, "TS_EVENT_HTTP_READ_REQUEST_HDR"), 5);
}
