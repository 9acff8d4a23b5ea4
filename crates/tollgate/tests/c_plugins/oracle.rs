//! The installed Traffic Server with a plugin of this folder.

use crate::support::compile_with;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A running Traffic Server; killed at the end.
pub(crate) struct TrafficServer {
    dir: tempfile::TempDir,
    pub(crate) addr: SocketAddr,
    child: Child,
}

impl Drop for TrafficServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a server is told of itself, with one event thread.
fn configure(root: &Path, addr: SocketAddr, plugin: &str, remap: &str) {
    let etc = root.join("etc/trafficserver");
    for folder in ["etc/trafficserver", "run", "log", "cache"] {
        std::fs::create_dir_all(root.join(folder)).expect("a writable folder");
    }
    let (r, e) = (root.display(), etc.display());
    let write = |name: &str, text: String| std::fs::write(etc.join(name), text).expect("a writable folder");
    let runroot = format!(
        "prefix: /usr\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/bin\nsysconfdir: {e}\ndatadir: {r}/cache
includedir: /usr/include\nlibdir: /usr/lib/trafficserver\nlibexecdir: /usr/lib/trafficserver/modules
localstatedir: {r}\nruntimedir: {r}/run\nlogdir: {r}/log\ncachedir: {r}/cache\n"
    );
    std::fs::write(root.join("runroot.yaml"), runroot).expect("a writable folder");
    write(
        "records.config",
        format!(
            "CONFIG proxy.config.exec_thread.autoconfig INT 0\nCONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.crash_log_helper STRING NULL\nCONFIG proxy.config.http.connect_attempts_max_retries INT 0
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.http.server_ports STRING {}:ip-in=127.0.0.1\n",
            addr.port()
        ),
    );
    write("remap.config", remap.to_owned());
    write("plugin.config", plugin.to_owned());
    write("storage.config", format!("{r}/cache 32M\n"));
    write(
        "ip_allow.yaml",
        "ip_allow:\n  - {apply: in, ip_addrs: 0/0, action: allow, methods: ALL}\n".to_owned(),
    );
}

impl TrafficServer {
    /// Starts one with the plugin of that name, whose first argument is the report's path.
    pub(crate) fn start(plugin: &str, arguments: &str, remap: &str) -> TrafficServer {
        let dir = tempfile::tempdir().expect("a folder");
        let library = compile_with(dir.path(), plugin, &[]);
        let addr = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let report = dir.path().join("report");
        let line = format!("{} {} {arguments}\n", library.display(), report.display());
        let root = dir.path().join("root");
        configure(&root, addr, &line, remap);
        let child = Command::new("traffic_server")
            .arg(format!("--run-root={}", root.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Traffic Server is installed");
        let server = TrafficServer { dir, addr, child };
        server.wait("accept connections", || TcpStream::connect(addr).is_ok());
        let log = server.dir.path().join("root/log/diags.log");
        let is_ready = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("fully initialized"));
        server.wait("have its cache", is_ready);
        server
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < LIMIT, "Traffic Server does not {what}");
            std::thread::park_timeout(PAUSE);
        }
    }

    /// The report, as soon as `is_enough` says so.
    pub(crate) fn report(&self, is_enough: impl Fn(&str) -> bool) -> String {
        let path = self.dir.path().join("report");
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        self.wait("write its report", || is_enough(&read()));
        read()
    }
}
