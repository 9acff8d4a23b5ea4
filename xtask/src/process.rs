//! Servers started for a measurement, and what the kernel says about their processes.
//!
//! Responsible for: starting a server in its own session on one CPU, finding all its processes, ending every one
//! of them, waiting for a condition. Not responsible for: which servers there are.
//!
//! Invariant: a [`Server`] ends its processes when it is dropped, however the measurement ended.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::workspace::command;

/// How long a server may take to end by itself.
const STOP_TIME: Duration = Duration::from_secs(5);

/// A running server with all the processes it made.
pub struct Server {
    name: String,
    child: Child,
}

/// Where a server runs.
#[derive(Debug, Clone, Copy)]
pub enum Cpus {
    /// On this CPU only.
    Only(u32),
    /// Wherever the kernel puts it.
    Any,
}

impl Server {
    /// Starts a shell command as a server; its output goes to the file `log`.
    pub fn start(name: &str, shell_command: &str, cpus: Cpus, log: &Path) -> Result<Self> {
        let log_file = File::create(log).with_context(|| log.display().to_string())?;
        let mut start = command("setsid");
        // If this chore is interrupted, the server must not stay behind.
        start.args(["setpriv", "--pdeathsig", "TERM"]);
        if let Cpus::Only(cpu) = cpus {
            start.args(["taskset", "-c", &cpu.to_string()]);
        }
        start.args(["bash", "-c", &format!("ulimit -n 20000; {shell_command}")]);
        start.stdin(Stdio::null()).stdout(log_file.try_clone()?).stderr(log_file);
        let child = start.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// Waits until the server accepts connections.
    pub fn wait_for(&mut self, address: SocketAddr, limit: Duration) -> Result<()> {
        let is_up = wait_until(limit, || !self.is_running() || TcpStream::connect(address).is_ok());
        if !is_up || !self.is_running() {
            bail!("{} did not start on {address}", self.name);
        }
        Ok(())
    }

    /// Whether the server's first process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The server's processes: the first, its session, and all their children.
    pub fn processes(&self) -> Vec<Process> {
        family(self.child.id(), &processes())
    }

    /// Asks the server to end and waits for it; what is left after that is killed.
    pub fn stop(&mut self) {
        let family = self.processes();
        if self.is_running() {
            signal(self.child.id(), Signal::TERM);
            wait_until(STOP_TIME, || !self.is_running());
        }
        for left in processes().iter().filter(|left| family.iter().any(|member| member.is_same(left))) {
            signal(left.pid, Signal::KILL);
        }
        wait_until(STOP_TIME, || !self.is_running());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It may be gone already: that is what was wanted.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

/// One line of the process table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its session.
    pub session: u32,
    /// When it started, in clock ticks since boot: with `pid` this names the process for good.
    pub started: u64,
    /// Resident memory, KiB.
    pub rss_kib: u64,
}

impl Process {
    fn is_same(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

/// All processes of the machine.
pub fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|entry| parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .collect()
}

/// Reads `/proc/PID/stat`, whose second field may hold spaces and brackets.
fn parse_stat(text: &str) -> Option<Process> {
    let (before, after) = text.rsplit_once(") ")?;
    let pid = before.split(' ').next()?.parse().ok()?;
    let fields: Vec<&str> = after.split(' ').collect();
    let number = |at: usize| fields.get(at)?.trim().parse::<u64>().ok();
    let page_kib = rustix::param::page_size() as u64 / 1024;
    Some(Process {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        session: u32::try_from(number(3)?).ok()?,
        started: number(19)?,
        rss_kib: number(21)? * page_kib,
    })
}

/// The process `first`, its session and all their descendants.
fn family(first: u32, all: &[Process]) -> Vec<Process> {
    let mut family: Vec<Process> =
        all.iter().filter(|process| process.pid == first || process.session == first).cloned().collect();
    loop {
        let is_known = |process: &Process| family.iter().any(|member| member.pid == process.pid);
        let is_child = |process: &&Process| family.iter().any(|member| member.pid == process.parent);
        let more: Vec<Process> =
            all.iter().filter(|process| !is_known(process)).filter(is_child).cloned().collect();
        if more.is_empty() {
            return family;
        }
        family.extend(more);
    }
}

/// Asks for `condition` again and again until it holds or `limit` has passed; says whether it held.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause(Duration::from_millis(20));
    }
}

/// A word as the shell reads it, whatever is in it.
pub fn shell_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Lets time pass in a measurement.
#[expect(clippy::disallowed_methods, reason = "chores run on their own thread and measure over time")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, session: u32) -> Process {
        Process { pid, parent, session, started: 1, rss_kib: 0 }
    }

    #[test]
    fn names_with_brackets_do_not_confuse_the_process_table() {
        let line = "7 (a) b) S 3 7 5 0 -1 0 0 0 0 0 11 12 0 0 20 0 1 0 99 1000 25 18446744073709551615";
        let process = parse_stat(line).expect("a line");
        assert_eq!((process.pid, process.parent, process.session, process.started), (7, 3, 5, 99));
        assert_eq!(process.rss_kib, 25 * rustix::param::page_size() as u64 / 1024);
        assert!(parse_stat("7 (a").is_none());
    }

    #[test]
    fn a_family_has_the_session_and_all_descendants() {
        let all = [
            process(1, 0, 1),
            process(10, 1, 10),
            process(11, 1, 10),
            process(12, 11, 12),
            process(13, 12, 13),
        ];
        let ids: Vec<u32> = family(10, &all).iter().map(|process| process.pid).collect();
        assert_eq!(ids, [10, 11, 12, 13]);
        assert!(family(99, &all).is_empty());
    }

    #[test]
    fn a_dropped_server_leaves_no_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "trap '' TERM; sleep 600 & exec sleep 600";
        let server =
            Server::start("sleeper", script, Cpus::Any, &folder.path().join("log")).expect("started");
        assert!(wait_until(Duration::from_secs(10), || server.processes().len() == 2));
        let family = server.processes();
        drop(server);
        let is_left = || processes().iter().any(|left| family.iter().any(|member| member.is_same(left)));
        assert!(wait_until(Duration::from_secs(10), || !is_left()), "{family:?}");
    }

    #[test]
    fn the_shell_reads_a_quoted_word_back() {
        let word = "a b'c\"d$e";
        let mut echo = command("sh");
        echo.args(["-c", &format!("printf %s {}", shell_word(word))]);
        assert_eq!(crate::workspace::read(&mut echo).expect("sh runs"), word);
    }

    #[test]
    fn a_condition_is_asked_until_it_holds() {
        let mut asked = 0;
        assert!(wait_until(Duration::from_secs(10), || {
            asked += 1;
            asked == 3
        }));
        assert!(!wait_until(Duration::ZERO, || false));
    }
}
