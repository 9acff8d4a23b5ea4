//! Compiled plugins, a server of its own for each test, an origin, a client.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for.
const LIMIT: Duration = Duration::from_secs(20);

/// Between two looks at what a test waits for.
const PAUSE: Duration = Duration::from_millis(5);

/// Puts a plugin of this folder, compiled, into `dir`. Each is compiled once.
pub(crate) fn compile(dir: &Path, name: &str) -> PathBuf {
    static COMPILED: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let out = dir.join(format!("{name}.so"));
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    match compiled.get(name) {
        Some(file) => std::fs::write(&out, file).expect("written"),
        None => {
            run_compiler(name, &out, OWN_HEADERS);
            compiled.insert(name.to_string(), std::fs::read(&out).expect("compiled"));
        }
    }
    out
}

/// Compiles a plugin of this folder with these arguments, such as where the headers are.
pub(crate) fn compile_with(dir: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let out = dir.join(format!("{name}.so"));
    run_compiler(name, &out, arguments);
    out
}

/// The project's own headers come before the system's.
const OWN_HEADERS: &[&str] = &["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/../../include")];

fn run_compiler(name: &str, out: &Path, arguments: &[&str]) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = here.join("tests/c_plugins/c").join(name);
    let is_c = source.with_extension("c").exists();
    let (compiler, standard, ending) = if is_c { ("cc", "gnu11", "c") } else { ("c++", "gnu++17", "cc") };
    let compiled = Command::new(compiler)
        .arg(format!("-std={standard}"))
        .args(["-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"])
        .arg(out)
        .arg(source.with_extension(ending))
        .args(arguments)
        .output()
        .expect("a compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

/// An origin that gives every request the same answer and remembers the requests.
pub(crate) struct Origin {
    pub(crate) addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    pub(crate) fn start(answer: &str) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&requests), answer.to_string());
        std::thread::spawn(move || {
            for conn in listener.incoming() {
                let Ok(conn) = conn else { return };
                let (kept, answer) = (Arc::clone(&kept), answer.clone());
                std::thread::spawn(move || serve(conn, &kept, &answer));
            }
        });
        Origin { addr, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

fn serve(conn: TcpStream, requests: &Mutex<Vec<String>>, answer: &str) {
    let mut out = conn.try_clone().expect("a second handle");
    let mut lines = BufReader::new(conn);
    while let Some(head) = read_head(&mut lines) {
        requests.lock().expect("requests").push(head);
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A request's head, its empty line included; `None` at the end of the connection.
pub(crate) fn read_head(lines: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if !lines.read_line(&mut head).is_ok_and(|n| n > 0) {
            return None;
        }
    }
    Some(head)
}

/// A running server; killed at the end if it still runs.
pub(crate) struct Server {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) addr: SocketAddr,
    child: Child,
}

/// What a server is started with.
pub(crate) struct Setup {
    pub(crate) dir: tempfile::TempDir,
    sets: Vec<String>,
}

impl Setup {
    pub(crate) fn new() -> Setup {
        Setup { dir: tempfile::tempdir().expect("a folder"), sets: Vec::new() }
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> &Setup {
        std::fs::write(self.dir.path().join(name), text).expect("written");
        self
    }

    pub(crate) fn set(mut self, record: &str) -> Setup {
        self.sets.push(record.to_string());
        self
    }

    fn command(&self, command: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        program.arg(command).arg("--config").arg(self.dir.path());
        for set in &self.sets {
            program.args(["--set", set]);
        }
        program
    }

    /// `tollgate check`.
    pub(crate) fn check(&self) -> Output {
        self.command("check").output().expect("run")
    }

    /// A start that is expected to fail: what it says.
    pub(crate) fn fails(&self) -> String {
        let output = self.command("run").args(["--listen", "127.0.0.1:0"]).output().expect("run");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub(crate) fn start(self) -> Server {
        let errors = std::fs::File::create(self.dir.path().join("stderr")).expect("a file");
        let mut child = self
            .command("run")
            .args(["--listen", "127.0.0.1:0", "--threads", "1"])
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("start");
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        let mut addr = None;
        for line in out.lines().map_while(Result::ok) {
            if let Some(text) = line.strip_prefix("listening http ") {
                addr = text.parse().ok();
            }
            if line == "ready" {
                break;
            }
        }
        let said = std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default();
        let server = Server { addr: addr.unwrap_or(([0, 0, 0, 0], 0).into()), dir: self.dir, child };
        assert!(addr.is_some(), "the server did not start: {said}");
        server
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn has(&self, line: &str) -> bool {
        self.head.lines().any(|l| l.eq_ignore_ascii_case(line))
    }
}

impl Server {
    /// One request on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    pub(crate) fn get_with(&self, path: &str, fields: &str) -> Answer {
        let text = self.send(path, fields);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Answer { status, head: head.to_string(), body: body.to_string() }
    }

    /// Sends a request; what comes back until the connection ends.
    pub(crate) fn send(&self, path: &str, fields: &str) -> String {
        let mut conn = TcpStream::connect(self.addr).expect("connect");
        conn.set_read_timeout(Some(LIMIT)).expect("a limit");
        let request = format!("GET {path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n{fields}\r\n");
        conn.write_all(request.as_bytes()).expect("send");
        let mut text = String::new();
        let ended = conn.read_to_string(&mut text);
        // A request that nobody reads is answered with a reset.
        let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(ended.as_ref().err().is_none_or(is_reset), "{ended:?}");
        text
    }

    /// Sends a request and is gone before the answer is there.
    pub(crate) fn send_and_leave(&self, path: &str) {
        let mut conn = TcpStream::connect(self.addr).expect("connect");
        conn.write_all(format!("GET {path} HTTP/1.1\r\nHost: site\r\n\r\n").as_bytes()).expect("send");
    }

    /// The signal that the server ends with by itself.
    pub(crate) fn died_of(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return std::os::unix::process::ExitStatusExt::signal(&status);
            }
            assert!(start.elapsed() < LIMIT, "the server does not end");
            std::thread::park_timeout(PAUSE);
        }
    }

    /// A file of the server's folder, as soon as `is_enough` says so.
    pub(crate) fn await_file(&self, name: &str, is_enough: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
            if is_enough(&text) {
                return text;
            }
            assert!(start.elapsed() < LIMIT, "{name} stays {text}\n{}", self.stderr());
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Waits until something is so; `else_said` tells how it is instead.
    pub(crate) fn eventually(&self, is_so: impl Fn() -> bool, else_said: impl Fn() -> String) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < LIMIT, "{}\n{}", else_said(), self.stderr());
            std::thread::park_timeout(PAUSE);
        }
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()
    }

    pub(crate) fn ctl(&self, args: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_tollgate");
        Command::new(program).args(["ctl", "--config"]).arg(self.dir.path()).args(args).output().expect("run")
    }

    /// Ends the server in good order; what it wrote to standard error.
    pub(crate) fn stop(mut self) -> String {
        assert!(self.ctl(&["server", "stop"]).status.success());
        let start = Instant::now();
        while self.child.try_wait().expect("a child").is_none() {
            assert!(start.elapsed() < LIMIT, "the server does not stop");
            std::thread::park_timeout(PAUSE);
        }
        self.stderr()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `line` stands in `text` as often as said.
pub(crate) fn times(text: &str, line: &str) -> usize {
    text.lines().filter(|l| *l == line).count()
}

/// A text equals what is expected; else the first lines that do not are told, and where the text is kept.
pub(crate) fn assert_same(name: &str, got: &str, wanted: &str) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if got != wanted {
        std::fs::write(&kept, got).expect("written");
    }
    let lines = wanted.lines().zip(got.lines()).enumerate();
    let differences: Vec<String> = lines
        .filter(|(_, (want, have))| want != have)
        .map(|(at, (want, have))| format!("{}: wanted {want:?}, got {have:?}", at + 1))
        .take(10)
        .collect();
    assert!(differences.is_empty(), "{}\nall of it is in {}", differences.join("\n"), kept.display());
    assert_eq!(got.lines().count(), wanted.lines().count(), "lines");
}
