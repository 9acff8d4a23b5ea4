//! `tollgate ctl` against a running server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const TTL: &str = "proxy.config.http.cache.max_stale_age";

/// A server with a configuration directory of its own; killed at the end if it still runs.
struct Server {
    dir: tempfile::TempDir,
    child: Child,
}

impl Server {
    fn start() -> Server {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("remap.config"), "map / http://127.0.0.1:9/\n").expect("write");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["run", "--listen", "127.0.0.1:0", "--threads", "1", "--config"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start");
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        let server = Server { dir, child };
        assert!(
            out.lines().map_while(Result::ok).any(|line| line == "ready"),
            "the server did not get ready"
        );
        server
    }

    fn ctl(&self, args: &[&str]) -> (i32, String, String) {
        parts(&ctl(Path::new(env!("CARGO_BIN_EXE_tollgate")), &["ctl"], self.dir.path(), args))
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("run/tollgate.sock")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn ctl(program: &Path, first: &[&str], dir: &Path, args: &[&str]) -> Output {
    Command::new(program).args(first).arg("--config").arg(dir).args(args).output().expect("run")
}

fn parts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit status"), text(&output.stdout), text(&output.stderr))
}

fn done(text: &str) -> (i32, String, String) {
    (0, text.to_owned(), String::new())
}

#[test]
fn a_set_record_is_in_force_and_survives_reloads() {
    let server = Server::start();
    assert_eq!(server.ctl(&["config", "get", TTL]), done(&format!("{TTL}: 604800\n")));
    assert_eq!(
        server.ctl(&["config", "set", TTL, "77"]),
        done(&format!("set {TTL}, restart is not required\n"))
    );
    assert_eq!(server.ctl(&["config", "reload"]), done(""));
    assert_eq!(server.ctl(&["config", "match", "cache.max_stale_age$"]), done(&format!("{TTL}: 77\n")));
    let (code, text, _) = server.ctl(&["config", "describe", TTL]);
    assert_eq!(code, 0);
    for line in ["Current Value   : 77", "Default Value   : 604800", "Source          : control socket"] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    let (code, text, _) = server.ctl(&["config", "status"]);
    assert!(code == 0 && text.contains("Configuration is current, generation 3"), "{text}");
}

#[test]
fn what_cannot_be_set_says_why_and_changes_nothing() {
    let server = Server::start();
    let refused = |args: &[&str], why: &str| {
        let (code, out, err) = server.ctl(args);
        assert!(code == 2 && out.is_empty() && err.contains(why), "{args:?}: {code} {out} {err}");
    };
    refused(&["config", "set", TTL, "soon"], "is not an integer");
    refused(&["config", "set", "proxy.config.http.cache.http", "2"], "expected 0 to 1");
    refused(&["config", "set", "proxy.config.task_threads", "4"], "restart tollgate");
    refused(&["config", "get", "proxy.config.http.cache.max_stale_agee"], &format!("did you mean {TTL}?"));
    refused(&["config", "match", "("], "failed to fetch");
    refused(&["metric", "zero", "proxy.process.http.current_client_connections"], "gauge");
    std::fs::write(server.dir.path().join("remap.config"), "map nonsense\n").expect("write");
    refused(&["config", "reload"], "the running one stays");
    refused(&["config", "set", TTL, "77"], "remap.config:1");
    assert_eq!(server.ctl(&["config", "get", TTL]), done(&format!("{TTL}: 604800\n")));
}

#[test]
fn metrics_are_read_zeroed_and_monitored() {
    let server = Server::start();
    let name = "proxy.process.config.reloads";
    assert_eq!(server.ctl(&["config", "reload"]), done(""));
    assert_eq!(server.ctl(&["metric", "get", name]), done(&format!("{name} 1\n")));
    assert_eq!(server.ctl(&["metric", "zero", name]), done(""));
    let zero = format!("{name} 0\n");
    assert_eq!(server.ctl(&["metric", "match", "config.reloads$"]), done(&zero));
    assert_eq!(server.ctl(&["metric", "monitor", name, "-i", "0", "-c", "3"]), done(&zero.repeat(3)));
    assert_eq!(server.ctl(&["config", "reload"]), done(""));
    assert_eq!(server.ctl(&["metric", "get", name]), done(&format!("{name} 1\n")));
    let started = server.ctl(&["metric", "get", "proxy.process.start_time"]);
    assert_eq!(started.0, 0);
    assert_eq!(server.ctl(&["metric", "clear"]), done(""));
    assert_eq!(server.ctl(&["metric", "get", name]), done(&zero));
    assert_eq!(server.ctl(&["metric", "get", "proxy.process.start_time"]), started, "a gauge stays");
}

/// The shapes are those of Traffic Server 9.2's `traffic_ctl`, taken down from a running one.
#[test]
fn records_and_metrics_are_printed_in_the_shapes_of_traffic_ctl() {
    let server = Server::start();
    let (cache, factor) = ("proxy.config.http.cache.http", "proxy.config.http.cache.heuristic_lm_factor");
    let agent = "proxy.config.http.global_user_agent_header";
    let get = |flags: &[&str], names: &[&str]| server.ctl(&[&["config", "get"], flags, names].concat());
    assert_eq!(
        get(&[], &[cache, factor, agent]),
        done(&format!("{cache}: 1\n{factor}: 0.100000\n{agent}: NULL\n"))
    );
    assert_eq!(
        get(&["--records"], &[cache, factor, agent]),
        done(&format!("CONFIG {cache} INT 1\nCONFIG {factor} FLOAT 0.100000\nCONFIG {agent} STRING NULL\n"))
    );
    let found = format!("{cache}: 1\n{factor}: 0.100000\n");
    assert_eq!(server.ctl(&["config", "match", "cache.http$", "lm_factor"]), done(&found));
    assert_eq!(server.ctl(&["config", "match", "nothing_at_all"]), done(""));
    assert_eq!(server.ctl(&["metric", "match", "nothing_at_all"]), done(""));
    // What stands before an unknown name is printed.
    let (code, out, err) = get(&[], &[cache, "proxy.config.nonsense", factor]);
    assert_eq!((code, out), (2, format!("{cache}: 1\n")));
    assert!(err.contains("failed to fetch proxy.config.nonsense: "), "{err}");
    let (code, out, err) = server.ctl(&["config", "describe", "proxy.config.nonsense"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("failed to describe proxy.config.nonsense: "), "{err}");
    let (code, out, _) = server.ctl(&["config", "describe", cache]);
    let shape = [
        "Name            : proxy.config.http.cache.http",
        "Current Value   : 1",
        "Default Value   : 1",
        "Record Type     : standard config",
        "Data Type       : INT",
        "Access Control  : default",
        "Update Type     : dynamic, no restart",
        "Source          : built in default",
        "Overridable     : yes int",
        "Syntax Check    : integer with a specified range",
    ];
    assert_eq!((code, out.lines().take(shape.len()).collect::<Vec<_>>()), (0, shape.to_vec()));
}

#[test]
fn what_differs_from_the_defaults_is_shown_with_both() {
    let server = Server::start();
    assert_eq!(server.ctl(&["config", "set", TTL, "77"]).0, 0);
    let (code, out, _) = server.ctl(&["config", "diff"]);
    let changed = format!("{TTL} has changed\n\tCurrent Value: 77\n\tDefault Value: 604800\n");
    assert!(code == 0 && out.contains(&changed) && !out.contains("proxy.config.http.cache.http "), "{out}");
    let (_, out, _) = server.ctl(&["config", "diff", "--records"]);
    assert!(out.lines().any(|l| l == format!("CONFIG {TTL} INT 77 # default: 604800")), "{out}");
    let (code, out, _) = server.ctl(&["config", "defaults"]);
    assert!(code == 0 && out.lines().any(|l| l == format!("{TTL}: 604800")), "{out}");
    let (_, out, _) = server.ctl(&["config", "defaults", "--records"]);
    assert!(out.lines().any(|l| l == format!("CONFIG {TTL} INT 604800")), "{out}");
}

#[test]
fn a_server_is_drained_and_stopped() {
    let mut server = Server::start();
    let keep_alive = "proxy.config.http.keep_alive_enabled_in";
    assert_eq!(server.ctl(&["plugin", "msg", "tag", "data"]), done(""));
    assert_eq!(server.ctl(&["server", "drain"]), done(""));
    assert!(server.ctl(&["server", "status"]).1.contains("\"state\": \"draining\""));
    assert_eq!(server.ctl(&["config", "get", keep_alive]), done(&format!("{keep_alive}: 0\n")));
    assert_eq!(server.ctl(&["server", "drain", "--undo"]), done(""));
    assert!(server.ctl(&["server", "status"]).1.contains("\"state\": \"running\""));
    assert_eq!(server.ctl(&["config", "get", keep_alive]), done(&format!("{keep_alive}: 1\n")));
    assert_eq!(server.ctl(&["server", "stop"]), done(""));
    assert!(server.child.wait().expect("end").success());
    assert!(!server.socket().exists());
    let (code, _, err) = server.ctl(&["server", "status"]);
    assert!(code == 2 && err.contains("no server at"), "{err}");
}

#[test]
fn called_as_traffic_ctl_it_is_the_same_command_with_its_exit_status() {
    let server = Server::start();
    let link = server.dir.path().join("traffic_ctl");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tollgate"), &link).expect("link");
    let run = |args: &[&str]| parts(&ctl(&link, &[], server.dir.path(), args));
    assert_eq!(run(&["config", "get", TTL]), done(&format!("{TTL}: 604800\n")));
    assert_eq!(run(&["config", "nonsense"]).0, 64);
    let (code, out, _) = run(&["--json", "config", "get", TTL]);
    assert!(code == 0 && out.contains("\"value\": \"604800\""), "{out}");
}
