//! Memory of idle connections.
//!
//! Responsible for: opening many kept connections, each after one request, and dividing the growth of the server's
//! memory by their number. Not responsible for: starting the server, which must be fresh.
//!
//! Invariant: every connection must still be open at the end, or there is no figure.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use super::cpu::rss_kib;
use super::scenario::Scenario;
use crate::client::Connection;
use crate::process::{Process, Server, pause};

/// Connections opened before the first look, so that what a server sets up once is not counted.
const FIRST: usize = 50;

/// Figures of an idle run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdleFigures {
    /// Connections.
    pub connections: usize,
    /// Growth of resident memory for each of them, KiB.
    pub rss_kib_each: f64,
    /// Growth of proportional memory for each of them, KiB: shared pages are counted once.
    pub pss_kib_each: f64,
    /// Resident memory with all of them, KiB.
    pub rss_kib: u64,
}

/// Opens the connections and measures.
pub fn measure(scenario: &Scenario, server: &Server, connections: usize) -> Result<IdleFigures> {
    allow_many_files().context("the limit of open files")?;
    let mut kept = Vec::with_capacity(connections + FIRST);
    let open = || -> Result<Connection> {
        let mut connection = Connection::open(scenario.address())?;
        let response = connection.get(scenario.path)?;
        ensure!(response.status == 200, "status {}", response.status);
        Ok(connection)
    };
    for _ in 0..FIRST {
        kept.push(open()?);
    }
    pause(Duration::from_millis(500));
    let before = server.processes();
    let (rss_before, pss_before) = (rss_kib(&before), pss_kib(&before));
    for _ in 0..connections {
        kept.push(open().with_context(|| format!("connection {}", kept.len()))?);
    }
    // Time for the server to give back what it needed for the requests.
    pause(Duration::from_secs(2));
    let after = server.processes();
    let (rss, pss) = (rss_kib(&after), pss_kib(&after));
    let open = kept.iter().filter(|connection| is_open(connection)).count();
    ensure!(open == kept.len(), "only {open} of {} connections are open", kept.len());
    let each = |after: u64, before: u64| (after as f64 - before as f64) / connections as f64;
    Ok(IdleFigures {
        connections,
        rss_kib_each: each(rss, rss_before),
        pss_kib_each: each(pss, pss_before),
        rss_kib: rss,
    })
}

fn allow_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

fn is_open(connection: &Connection) -> bool {
    let stream = connection.stream();
    let would_wait = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
    stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_err_and(would_wait)
}

/// Proportional memory of these processes, KiB.
fn pss_kib(processes: &[Process]) -> u64 {
    let read = |process: &Process| fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).ok();
    processes.iter().filter_map(|process| parse_pss(&read(process)?)).sum()
}

fn parse_pss(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Origin;
    use crate::process::wait_until;

    #[test]
    fn proportional_memory_is_read_from_its_own_line() {
        assert_eq!(parse_pss("Rss:  10 kB\nPss:     7 kB\nPss_Dirty:  3 kB\n"), Some(7));
        assert_eq!(parse_pss("Rss: 10 kB\n"), None);
    }

    #[test]
    fn an_open_connection_is_told_from_a_closed_one() {
        let origin = Origin::start().expect("started");
        let mut kept = Connection::open(origin.address()).expect("connected");
        assert_eq!(kept.get("/u/1k").expect("answered").status, 200);
        assert!(is_open(&kept));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let closed = Connection::open(listener.local_addr().expect("bound")).expect("connected");
        drop(listener.accept().expect("accepted"));
        assert!(wait_until(Duration::from_secs(10), || !is_open(&closed)));
    }
}
