//! Has a C program of `tests/c` loaded by the installed Traffic Server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

fn configure(root: &Path, plugin: &str, more_records: &str) {
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
CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1\n{more_records}"
    );
    let write =
        |path: std::path::PathBuf, text: String| std::fs::write(path, text).expect("a writable directory");
    write(root.join("runroot.yaml"), runroot);
    write(etc.join("records.config"), records);
    write(etc.join("remap.config"), "map / http://127.0.0.1:1/\n".to_owned());
    write(etc.join("storage.config"), format!("{r}/cache 32M\n"));
    write(etc.join("plugin.config"), plugin.to_owned());
}

fn compile(library: &Path, program: &str) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let mut command = Command::new("cc");
    command.args(["-O1", "-fPIC", "-shared", "-o"]).arg(library);
    for entry in std::fs::read_dir(&sources).expect("the program's folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if (name.starts_with(program) || name == "report.c") && name.ends_with(".c") {
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

/// The report of the program whose files begin with that word. Its arguments are the report's path and the directory
/// of logs.
pub(crate) fn report(program: &str, more_records: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let (library, report) = (dir.path().join("program.so"), dir.path().join("report"));
    compile(&library, program);
    let logs = root.join("log");
    let plugin = format!("{} {} {}\n", library.display(), report.display(), logs.display());
    configure(&root, &plugin, more_records);
    let mut server = Command::new("traffic_server")
        .arg(format!("--run-root={}", root.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Traffic Server is installed");
    let got = wait_for(&report, &mut server);
    server.kill().expect("a child");
    server.wait().expect("a child");
    got
}
