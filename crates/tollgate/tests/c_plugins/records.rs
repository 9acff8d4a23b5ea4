//! Records of plugins' own and records that plugins set.

use crate::support::{Origin, Setup, compile};

#[test]
fn a_record_that_only_the_plugin_knows_has_the_files_value_and_a_set_record_takes_effect() {
    let origin = Origin::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "records");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", &format!("map / http://{}/\n", origin.addr))
        .file(
            "records.config",
            "CONFIG proxy.config.plugin.records.number INT 7\n\
             CONFIG proxy.config.plugin.records.text STRING of the file\n",
        )
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    let server = setup.start();
    let said = server.await_file("report", |text| text.contains("told "));
    assert!(said.starts_with("number 7 text of the file default 5\nset 0 unknown -1\n"), "{said}");
    assert!(said.ends_with("told via 2\n"), "{said}");
    let set = server.ctl(&["config", "get", "proxy.config.http.insert_request_via_str"]);
    assert!(String::from_utf8_lossy(&set.stdout).trim_end().ends_with(" 2"), "{set:?}");
}

#[test]
fn a_plugins_text_log_is_complete_when_the_server_has_stopped_and_begun_anew_after_a_reload() {
    let setup = Setup::new();
    let plugin = compile(setup.dir.path(), "records");
    let report = setup.dir.path().join("report");
    setup
        .file("remap.config", "map / http://127.0.0.1:1/\n")
        .file("plugin.config", &format!("{} {}\n", plugin.display(), report.display()));
    let server = setup.start();
    // The record that it sets has the configuration loaded once.
    server.await_file("report", |text| text.contains("told "));
    server.await_file("records.log", |text| text.contains("told"));
    let log = server.dir.path().join("records.log");
    std::fs::rename(&log, server.dir.path().join("old.log")).expect("moved");
    assert!(server.ctl(&["config", "reload"]).status.success());
    server.await_file("records.log", |text| text.contains("told"));
    let copy = tempfile::tempdir().expect("a folder that outlives the server's");
    std::fs::hard_link(&log, copy.path().join("log")).expect("linked");
    assert!(server.ctl(&["plugin", "msg", "write", ""]).status.success());
    server.stop();
    let lines = std::fs::read_to_string(copy.path().join("log")).expect("the log");
    assert_eq!(lines.matches("line ").count(), 1000, "{} bytes", lines.len());
}
