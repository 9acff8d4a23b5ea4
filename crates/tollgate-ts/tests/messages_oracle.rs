//! The report that the C program's twin test compares with is what the installed Traffic Server writes.
//!
//! Run where Traffic Server is installed: `cargo test -p tollgate-ts --test messages_oracle -- --ignored`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

fn configure(root: &Path, library: &Path, report: &Path) {
    let etc = root.join("etc/trafficserver");
    for folder in ["etc/trafficserver", "run", "log", "cache"] {
        std::fs::create_dir_all(root.join(folder)).expect("a writable directory");
    }
    let (r, e) = (root.display(), etc.display());
    let runroot = format!(
        "prefix: /usr\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/bin\nsysconfdir: {e}\ndatadir: {r}/cache
includedir: /usr/include\nlibdir: /usr/lib/trafficserver\nlibexecdir: /usr/lib/trafficserver/modules
localstatedir: {r}\nruntimedir: {r}/run\nlogdir: {r}/log\ncachedir: {r}/cache\n"
    );
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let records = format!(
        "CONFIG proxy.config.exec_thread.autoconfig INT 0\nCONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.crash_log_helper STRING NULL\nCONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1\n"
    );
    let write =
        |path: std::path::PathBuf, text: String| std::fs::write(path, text).expect("a writable directory");
    write(root.join("runroot.yaml"), runroot);
    write(etc.join("records.config"), records);
    write(etc.join("remap.config"), "map / http://127.0.0.1:1/\n".to_owned());
    write(etc.join("storage.config"), format!("{r}/cache 32M\n"));
    write(etc.join("plugin.config"), format!("{} {}\n", library.display(), report.display()));
}

fn compile(library: &Path) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let mut command = Command::new("cc");
    command.args(["-O1", "-fPIC", "-shared", "-o"]).arg(library);
    for entry in std::fs::read_dir(&sources).expect("the program's folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with("messages") && name.ends_with(".c") {
            command.arg(&path);
        }
    }
    assert!(command.status().expect("a C compiler").success(), "the C program compiles");
}

/// The report once its last line is there, or what there is when the server has ended.
fn wait_for(report: &Path, server: &mut Child) -> String {
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(report).unwrap_or_default();
        let ended = server.try_wait().expect("a child").is_some();
        if text.ends_with("\nend\n") || ended || started.elapsed() > DEADLINE {
            return text;
        }
        std::thread::yield_now();
    }
}

#[test]
#[ignore = "needs Traffic Server; `cargo xtask test` installs it and runs it"]
fn traffic_server_writes_the_expected_report() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let (library, report) = (dir.path().join("messages.so"), dir.path().join("report"));
    compile(&library);
    configure(&root, &library, &report);
    let mut server = Command::new("traffic_server")
        .arg(format!("--run-root={}", root.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Traffic Server is installed");
    let got = wait_for(&report, &mut server);
    server.kill().expect("a child");
    server.wait().expect("a child");
    assert!(got == include_str!("c/messages.expected"), "the report differs from messages.expected");
}
