//! Instructions the whole server spends per request, for a hit and for a miss.
//!
//! Responsible for: running the built program under callgrind between a scripted client and a scripted origin.
//! Not responsible for: single operations (the package `bench-instructions`).
//!
//! The program is known only by its command line, so any build of it can be measured. A run sends `warm-up + n`
//! requests on one connection; two runs with different `n` cancel out the start and the end of the program.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::callgrind;
use crate::client::{Connection, Origin, free_address};
use crate::process::{Cpus, Server, shell_word};

/// Requests before the counted ones: they fill the cache and the origin pool.
const WARM_UP: u64 = 20;

/// Under valgrind a program starts slowly.
const START_TIME: Duration = Duration::from_secs(120);

/// One path through the server.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name in the report.
    pub name: &'static str,
    path: &'static str,
    /// Whether each request must reach the origin.
    reaches_origin: bool,
}

/// The cases.
pub const CASES: [Case; 2] = [
    Case { name: "server_hit", path: "/c/1k", reaches_origin: false },
    Case { name: "server_miss", path: "/u/1k", reaches_origin: true },
];

/// Instructions of a whole run with `requests` counted requests.
pub fn count(case: &Case, program: &Path, requests: u64, work: &Path) -> Result<u64> {
    let out = work.join(format!("{}.{requests}.out", case.name));
    let log = work.join(format!("{}.{requests}.log", case.name));
    let origin = Origin::start()?;
    let listen = free_address()?;
    let shell = format!(
        "cd {} && exec {} {} run --threads 1 --listen {listen} --map http://{listen}/ http://{}/",
        // Whatever the server writes to its folder belongs to the measurement.
        shell_word(&work.to_string_lossy()),
        callgrind::prefix(&out).iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "),
        shell_word(&program.to_string_lossy()),
        origin.address()
    );
    let mut server = Server::start(case.name, &shell, Cpus::Any, &log)?;
    let asked = (|| {
        server.wait_for(listen, START_TIME)?;
        ask(case, listen, requests, &origin)
    })();
    server.stop();
    asked.with_context(|| format!("{}: see {}", case.name, log.display()))?;
    callgrind::total(&out)
}

fn ask(case: &Case, address: std::net::SocketAddr, requests: u64, origin: &Origin) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let mut ask = || -> Result<()> {
        let response = connection.get(case.path)?;
        ensure!(response.status == 200, "status {}", response.status);
        ensure!(response.body.len() == 1024, "a body of {} bytes", response.body.len());
        Ok(())
    };
    for _ in 0..WARM_UP {
        ask()?;
    }
    let before = origin.requests();
    for _ in 0..requests {
        ask()?;
    }
    let reached = origin.requests() - before;
    let expected = if case.reaches_origin { requests } else { 0 };
    ensure!(reached == expected, "{reached} requests reached the origin instead of {expected}");
    Ok(())
}
