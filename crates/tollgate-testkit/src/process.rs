//! The program under test: Tollgate, a peer, or none.
//!
//! Responsible for: starting it in a directory of its own, learning its ports, collecting its output, signals,
//! ending it. Not responsible for: peers' configuration files (see [`peers`](crate::peers)).
//! Invariant: dropping a [`Process`] ends the program and waits for it.

use crate::matcher::{Matcher, found};
use crate::metrics;
use crate::model::ProxySpec;
use crate::peers::ETC;
use crate::stage::{Stage, Stop};
use crate::text::bytes_of;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Record with the address of the admin listener.
const ADMIN_RECORD: &str = "proxy.config.tollgate.admin.listen";
/// Record with the path of the control socket.
const CONTROL_RECORD: &str = "proxy.config.tollgate.control.socket";
/// Record with the seconds that the proxy's time of day is ahead.
const CLOCK_RECORD: &str = "proxy.config.tollgate.clock_offset";
/// Record with the directory of the access log.
const LOG_DIR_RECORD: &str = "proxy.config.log.logfile_dir";
/// Records the runner sets unless the scenario does.
const DEFAULT_RECORDS: &[(&str, &str)] = &[("proxy.config.http.connect_attempts_max_retries", "0")];
/// Name of the plugin that writes hook sequences, one transaction per line, to the file it is given.
const HOOK_TRACE_PLUGIN: &str = "hook-trace";

/// Text collected from a pipe, and whether the pipe has ended.
type Lines = Arc<(Mutex<String>, AtomicBool)>;

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    command: Command,
    dir: TempDir,
    stdout: Lines,
    stderr: Lines,
    listeners: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    /// Seconds that the program's time of day was set ahead.
    ahead: AtomicU64,
}

/// What the clients talk to.
#[derive(Debug)]
pub enum Subject {
    /// The first origin itself: tests of the runner.
    Direct(SocketAddr),
    /// Tollgate.
    Tollgate(Process),
    /// A peer.
    Peer(Process),
}

/// What a scenario needs of Tollgate besides its own settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    /// Hook sequences are written.
    pub hooks: bool,
    /// Its time of day can be set.
    pub clock: bool,
}

impl Process {
    /// Starts `command` with the pipes collected; ports are not known yet.
    pub fn spawn(mut command: Command, dir: TempDir, stage: &Stage) -> Result<Self, Stop> {
        stage.transcript.note("runner", &format!("starts {command:?}"));
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let child = start(&mut command, &stdout, &stderr)?;
        Ok(Self {
            child: Mutex::new(child),
            command,
            dir,
            stdout,
            stderr,
            listeners: Vec::new(),
            admin: None,
            ahead: AtomicU64::new(0),
        })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the program with a signal and starts it again, with the same directory, ports and collected output.
    fn restart(&self, signal: Signal, stage: &Stage) -> Result<(), Stop> {
        let starts = || read(&self.stdout).lines().filter(|line| line.trim() == "ready").count();
        let before = starts();
        kill_process(self.pid(), signal).map_err(|e| Stop::failed("to end the proxy", e.to_string()))?;
        stage.poll(|| match self.exited() {
            Some(_) => Ok(()),
            None => Err((format!("the proxy to end after {signal:?}"), self.output())),
        })?;
        for lines in [&self.stdout, &self.stderr] {
            lines.1.store(false, Ordering::SeqCst);
        }
        let mut command = Command::new(self.command.get_program());
        command.args(self.arguments_with_ports());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.dir());
        stage.transcript.note("runner", &format!("starts again {command:?}"));
        let child = start(&mut command, &self.stdout, &self.stderr)?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
        stage.poll(|| {
            if starts() > before {
                return Ok(());
            }
            Err(("another line `ready` on standard output".into(), self.output()))
        })
    }

    /// The arguments of the first start, with the ports that it got.
    fn arguments_with_ports(&self) -> Vec<OsString> {
        let mut listeners = self.listeners.iter();
        let mut is_listen = false;
        let admin = format!("{ADMIN_RECORD}=");
        let arguments = self.command.get_args().map(|argument| {
            let text = argument.to_string_lossy();
            let ports = match (std::mem::replace(&mut is_listen, text == "--listen"), self.admin) {
                (true, _) => listeners.next().map(SocketAddr::to_string),
                (false, Some(addr)) if text.starts_with(&admin) => Some(format!("{admin}{addr}")),
                _ => None,
            };
            ports.map_or_else(|| argument.to_owned(), OsString::from)
        });
        arguments.collect()
    }

    /// Sets where clients connect.
    pub fn listening_on(mut self, listeners: Vec<SocketAddr>) -> Self {
        self.listeners = listeners;
        self
    }

    /// The directory with configuration and logs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Everything written to standard output and standard error.
    pub fn output(&self) -> String {
        format!("{}{}", read(&self.stdout), read(&self.stderr))
    }

    /// Whether the program has ended and all its output is collected, and how it ended.
    pub fn exited(&self) -> Option<ExitStatus> {
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok().flatten();
        status.filter(|_| self.stdout.1.load(Ordering::SeqCst) && self.stderr.1.load(Ordering::SeqCst))
    }

    /// Peak resident memory in kilobytes.
    pub fn peak_rss_kb(&self) -> Option<u64> {
        let pid = self.pid().as_raw_nonzero();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Waits until the program has printed `ready`, and takes the ports from its lines.
    fn await_ready(&mut self, stage: &Stage) -> Result<(), Stop> {
        stage.poll(|| {
            let text = read(&self.stdout);
            if text.lines().any(|line| line.trim() == "ready") || self.exited().is_some() {
                return Ok(());
            }
            Err(("the line `ready` on standard output".into(), self.output()))
        })?;
        let text = read(&self.stdout);
        if !text.lines().any(|line| line.trim() == "ready") {
            return Err(Stop::failed(
                "the proxy to start",
                format!("{:?}: {}", self.exited(), self.output()),
            ));
        }
        let addresses = |kind: &str| -> Vec<SocketAddr> {
            let prefix = format!("listening {kind} ");
            text.lines().filter_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok()).collect()
        };
        self.listeners = addresses("http");
        self.admin = addresses("admin").first().copied();
        Ok(())
    }

    /// Asks the program to end and waits for it; kills it when it does not.
    pub fn stop(&self, limit: Duration) -> Result<(), Stop> {
        if self.exited().is_some() {
            return Ok(());
        }
        kill_process(self.pid(), Signal::TERM).map_err(|e| Stop::failed("to send SIGTERM", e.to_string()))?;
        let until = Instant::now() + limit;
        while self.exited().is_none() {
            if Instant::now() >= until {
                return Err(Stop::failed(
                    format!("the program to end within {limit:?} of SIGTERM"),
                    "still there",
                ));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !matches!(child.try_wait(), Ok(Some(_))) && child.kill().is_ok() {
            // Only fails when the child is gone already, which is what is wanted.
            let _ = child.wait();
        }
    }
}

/// Starts a program whose output is collected.
fn start(command: &mut Command, stdout: &Lines, stderr: &Lines) -> Result<Child, Stop> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Stop::failed(format!("to start {command:?}"), e.to_string()))?;
    collect(child.stdout.take(), stdout);
    collect(child.stderr.take(), stderr);
    Ok(child)
}

fn collect(pipe: Option<impl Read + Send + 'static>, lines: &Lines) {
    let Some(pipe) = pipe else { return };
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            let mut all = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
        lines.1.store(true, Ordering::SeqCst);
    });
}

fn read(lines: &Lines) -> String {
    lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Subject {
    /// Starts Tollgate for a scenario. `first_origin` is where everything goes unless the scenario maps.
    pub fn tollgate(
        bin: &Path,
        spec: &ProxySpec,
        first_origin: Option<SocketAddr>,
        given: Given,
        stage: &Stage,
    ) -> Result<Self, Stop> {
        let dir = TempDir::new().map_err(|e| Stop::failed("a temporary directory", e.to_string()))?;
        let command = tollgate_command(bin, spec, first_origin, given, dir.path(), stage)?;
        let mut process = Process::spawn(command, dir, stage)?;
        if spec.command.is_none() {
            process.await_ready(stage)?;
        }
        Ok(Self::Tollgate(process))
    }

    /// The address of a listener.
    pub fn listener(&self, index: usize) -> Result<SocketAddr, Stop> {
        match self {
            Self::Direct(addr) => Ok(*addr),
            Self::Tollgate(p) | Self::Peer(p) => p
                .listeners
                .get(index)
                .copied()
                .ok_or_else(|| Stop::failed(format!("listener {index}"), "none")),
        }
    }

    /// The program, if there is one.
    pub fn process(&self) -> Option<&Process> {
        match self {
            Self::Direct(_) => None,
            Self::Tollgate(p) | Self::Peer(p) => Some(p),
        }
    }

    fn tollgate_process(&self) -> Result<&Process, Stop> {
        match self {
            Self::Tollgate(p) => Ok(p),
            _ => Err(Stop::failed("Tollgate as the program under test", "another one")),
        }
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) -> Result<(), Stop> {
        let signal = match name {
            "HUP" => Signal::HUP,
            "INT" => Signal::INT,
            "TERM" => Signal::TERM,
            other => return Err(Stop::failed("HUP, INT or TERM", other)),
        };
        let pid = self.tollgate_process()?.pid();
        kill_process(pid, signal).map_err(|e| Stop::failed(format!("to send SIG{name}"), e.to_string()))
    }

    /// Ends Tollgate by `TERM` or `KILL` and starts it again with the same directory and ports.
    pub fn restart(&self, name: &str, stage: &Stage) -> Result<(), Stop> {
        let signal = match name {
            "TERM" => Signal::TERM,
            "KILL" => Signal::KILL,
            other => return Err(Stop::failed("TERM or KILL", other)),
        };
        let process = self.tollgate_process()?;
        process.restart(signal, stage)?;
        match process.ahead.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => self.advance(0),
        }
    }

    /// Sets Tollgate's time of day `seconds` further ahead, by its control socket; the next request sees it.
    pub fn advance(&self, seconds: u64) -> Result<(), Stop> {
        let process = self.tollgate_process()?;
        let ahead = process.ahead.fetch_add(seconds, Ordering::SeqCst) + seconds;
        let program = Path::new(process.command.get_program());
        let output = Command::new(program)
            .args(["ctl", "--socket"])
            .arg(control_socket(process.dir()))
            .args(["config", "set", CLOCK_RECORD, &ahead.to_string()])
            .output()
            .map_err(|e| Stop::failed(format!("to run {} ctl", program.display()), e.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Stop::failed("the clock to be set", String::from_utf8_lossy(&output.stderr)))
    }

    /// Writes a file of the configuration directory, replacing the old one at once.
    pub fn write_file(&self, name: &str, text: &str) -> Result<(), Stop> {
        let config = match self {
            Self::Peer(peer) => peer.dir().join(ETC),
            _ => config_dir(self.tollgate_process()?.dir()),
        };
        let aside = config.join(".new");
        std::fs::write(&aside, bytes_of(text))
            .and_then(|()| std::fs::rename(&aside, config.join(name)))
            .map_err(|e| Stop::failed(format!("to write {name}"), e.to_string()))
    }

    /// What the diagnostics do not contain, as (expected, got).
    pub fn unmet_diagnostics(&self, pattern: &str) -> Result<(), (String, String)> {
        let text = self.process().map(|p| read(&p.stderr)).unwrap_or_default();
        match found(&format!("(?m){pattern}"), text.as_bytes()) {
            true => Ok(()),
            false => Err((format!("diagnostics matching /{pattern}/"), text)),
        }
    }

    /// The first metric that has not the demanded value, as (expected, got).
    pub fn unmet_metric(&self, demands: &BTreeMap<String, Matcher>) -> Result<(), (String, String)> {
        match self.metrics() {
            Ok(values) => metrics::unmet(&values, demands),
            Err(e) => Err(("metrics".into(), e)),
        }
    }

    /// All metrics of Tollgate.
    pub fn metrics(&self) -> Result<metrics::Values, String> {
        let admin = self.process().and_then(|p| p.admin).ok_or("no admin listener")?;
        metrics::fetch(admin)
    }

    /// The hook sequences written so far.
    pub fn hook_lines(&self) -> Vec<String> {
        let path = self.process().map(|p| hook_file(p.dir()));
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The text of all access logs.
    pub fn access_log(&self) -> String {
        let Some(process) = self.process() else { return String::new() };
        let Ok(entries) = std::fs::read_dir(log_dir(process.dir())) else { return String::new() };
        let texts = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
        texts.collect()
    }
}

fn config_dir(dir: &Path) -> PathBuf {
    dir.join("config")
}

/// Where `advance` reaches the program.
fn control_socket(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

fn log_dir(dir: &Path) -> PathBuf {
    dir.join("log")
}

fn hook_file(dir: &Path) -> PathBuf {
    dir.join("hooks")
}

fn tollgate_command(
    bin: &Path,
    spec: &ProxySpec,
    first_origin: Option<SocketAddr>,
    given: Given,
    dir: &Path,
    stage: &Stage,
) -> Result<Command, Stop> {
    let config = config_dir(dir);
    stage.with_vars(|vars| vars.set("config", config.display().to_string()));
    let mut files = spec.files.clone();
    if given.hooks {
        let rest = files.remove("plugin.config").unwrap_or_default();
        let text = format!("{HOOK_TRACE_PLUGIN} {}\n{rest}", hook_file(dir).display());
        files.insert("plugin.config".to_owned(), text);
    }
    write_files(dir, &files, stage).map_err(|e| Stop::failed("to write the configuration", e.to_string()))?;

    let mut command = Command::new(bin);
    command.current_dir(dir).envs(spec.env.iter().map(|(k, v)| (k, stage.expand(v))));
    match &spec.command {
        Some(words) => {
            command.args(words);
            if words.first().is_some_and(|word| word == "check") || !files.is_empty() {
                command.arg("--config").arg(&config);
            }
        }
        None => {
            command.arg("run").args(["--threads", &spec.threads.unwrap_or(1).to_string()]);
            (0..spec.listeners.unwrap_or(1)).for_each(|_| {
                command.args(["--listen", "127.0.0.1:0"]);
            });
            add_settings(&mut command, spec, dir, stage);
            if given.clock {
                let socket = control_socket(dir);
                command.arg("--set").arg(format!("{CONTROL_RECORD}={}", socket.display()));
            }
            add_maps(&mut command, spec, first_origin, stage);
            if !files.is_empty() {
                command.arg("--config").arg(&config);
            }
        }
    }
    command.args(spec.args.iter().map(|arg| stage.expand(arg)));
    Ok(command)
}

fn write_files(dir: &Path, files: &BTreeMap<String, String>, stage: &Stage) -> std::io::Result<()> {
    std::fs::create_dir_all(log_dir(dir))?;
    std::fs::create_dir_all(config_dir(dir))?;
    for (name, text) in files {
        let path = config_dir(dir).join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, bytes_of(&stage.expand(text)))?;
    }
    Ok(())
}

fn add_settings(command: &mut Command, spec: &ProxySpec, dir: &Path, stage: &Stage) {
    let mut set = |name: &str, value: &str| {
        command.arg("--set").arg(format!("{name}={value}"));
    };
    set(ADMIN_RECORD, "127.0.0.1:0");
    set(LOG_DIR_RECORD, &log_dir(dir).display().to_string());
    for (name, value) in DEFAULT_RECORDS.iter().filter(|(name, _)| !spec.set.contains_key(*name)) {
        set(name, value);
    }
    for (name, value) in &spec.set {
        if let Matcher::Exact(value) = value {
            set(name, &stage.expand(value));
        }
    }
}

fn add_maps(command: &mut Command, spec: &ProxySpec, first_origin: Option<SocketAddr>, stage: &Stage) {
    if spec.forward {
        command.arg("--forward");
    }
    match (&spec.map, first_origin) {
        (Some(maps), _) => {
            for (from, to) in maps {
                command.args(["--map", &stage.expand(from), &stage.expand(to)]);
            }
        }
        (None, Some(origin)) if !spec.forward && !spec.files.contains_key("remap.config") => {
            command.args(["--map", "/", &format!("http://{origin}/")]);
        }
        _ => {}
    }
}
