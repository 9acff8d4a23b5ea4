//! One measurement of one server in one scenario.
//!
//! Responsible for: proving first that the server does what the scenario says, then measuring CPU time per request
//! over the load, and judging whether the run is valid. Not responsible for: repetitions and medians.
//!
//! Invariant: figures exist only for a run without errors, with whole bodies and with the origin reached exactly as
//! often as the scenario says.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use super::cpu::{CpuLoad, rss_kib, time_ns};
use super::idle;
use super::load::{self, Order};
use super::scenario::{Load, Origin as Reaches, Scenario};
use super::servers::{LOAD_CPU, Origin, SERVER_CPU};
use crate::client;
use crate::process::{Process, Server, pause, wait_until};

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figures {
    /// Under load.
    Load(LoadFigures),
    /// With idle connections.
    Idle(idle::IdleFigures),
}

/// Figures of a run under load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadFigures {
    /// CPU time of the server's threads per request.
    pub cpu_us: f64,
    /// Everything that ran on the server's CPU, per request: more than `cpu_us` means a disturbed run.
    pub cpu0_us: f64,
    /// Requests per second.
    pub rps: f64,
    /// Median latency.
    pub p50_us: f64,
    /// Latency that 1 % exceeded.
    pub p99_us: f64,
    /// Resident memory of the server at the end.
    pub rss_kib: u64,
    /// Busy part of the server's CPU.
    pub cpu0_busy: f64,
    /// Busy part of the generator's CPU.
    pub cpu1_busy: f64,
    /// Part of the server's CPU taken by the host.
    pub stolen: f64,
    /// Requests.
    pub requests: u64,
    /// Requests that reached the origin.
    pub origin_requests: u64,
}

impl LoadFigures {
    /// Whether nothing but the server ran on its CPU.
    pub fn is_undisturbed(&self) -> bool {
        self.cpu0_us <= 1.08 * self.cpu_us + 0.1
    }
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// The load.
    pub order: Order,
    /// Seconds of the same load before the measured part.
    pub warm_up: f64,
    /// Connections of the idle scenario.
    pub idle_connections: usize,
}

/// Measures a running server.
pub fn measure(
    scenario: &Scenario,
    server: &mut Server,
    origin: &Origin,
    method: &Method,
) -> Result<Figures> {
    prove(scenario, origin)?;
    if scenario.load == Load::Idle {
        return idle::measure(scenario, server, method.idle_connections).map(Figures::Idle);
    }
    if scenario.load != Load::Fill {
        load::make(scenario, &Order { seconds: method.warm_up, ..method.order })?;
    }
    let before = Moment::now(server, origin)?;
    let seen = load::make(scenario, &method.order)?;
    let after = Moment::now(server, origin)?;
    ensure!(server.is_running(), "the server died");
    ensure!(seen.errors == 0, "{} errors: {}", seen.errors, seen.error_kinds);
    ensure!(seen.requests > 0, "no request was answered");
    if scenario.load == Load::Fill {
        let (stored, objects) = (seen.requests, method.order.objects);
        ensure!(stored == objects, "{stored} of {objects} objects were asked for in time");
    }
    // The second question for the count is counted too.
    let origin_requests = after.origin_requests - before.origin_requests - 1;
    judge_origin(scenario.origin, seen.requests, origin_requests)?;
    if scenario.load == Load::Rate {
        ensure!(seen.rps >= 0.97 * method.order.rate, "the rate was not reached: {:.0}/s", seen.rps);
    }
    let per_request = |microseconds: f64| microseconds / seen.requests as f64;
    let (cpu0, cpu1) = (after.cpu0.since(before.cpu0), after.cpu1.since(before.cpu1));
    Ok(Figures::Load(LoadFigures {
        cpu_us: per_request(after.time_ns.saturating_sub(before.time_ns) as f64 / 1e3),
        cpu0_us: per_request(cpu0.busy_us),
        rps: seen.rps,
        p50_us: seen.p50_us,
        p99_us: seen.p99_us,
        rss_kib: rss_kib(&after.processes),
        cpu0_busy: cpu0.busy_part(),
        cpu1_busy: cpu1.busy_part(),
        stolen: cpu0.stolen_part(),
        requests: seen.requests,
        origin_requests,
    }))
}

/// The counters at one moment.
struct Moment {
    origin_requests: u64,
    processes: Vec<Process>,
    time_ns: u64,
    cpu0: CpuLoad,
    cpu1: CpuLoad,
}

impl Moment {
    fn now(server: &Server, origin: &Origin) -> Result<Self> {
        let origin_requests = origin.requests()?;
        let processes = server.processes();
        let time_ns = time_ns(&processes);
        let (cpu0, cpu1) = (CpuLoad::read(SERVER_CPU)?, CpuLoad::read(LOAD_CPU)?);
        Ok(Self { origin_requests, processes, time_ns, cpu0, cpu1 })
    }
}

/// Fills the cache and checks that the third answer is what the scenario says.
fn prove(scenario: &Scenario, origin: &Origin) -> Result<()> {
    // Of two listeners one may be ready before the other.
    let is_listening = || TcpStream::connect(scenario.address()).is_ok();
    ensure!(wait_until(Duration::from_secs(10), is_listening), "nothing listens on {}", scenario.address());
    let probe = scenario.probe();
    // What is asked for once is not asked for before.
    let fills = if scenario.load == Load::Fill { 0 } else { 2 };
    for _ in 0..fills {
        client::get(scenario.address(), &probe)?;
        // Some servers write to their cache after they have answered.
        pause(Duration::from_millis(150));
    }
    let before = origin.requests()?;
    let response = client::get(scenario.address(), &probe)?;
    let reached = origin.requests()? - before - 1;
    ensure!(response.status == 200, "status {}", response.status);
    ensure!(response.body.len() == scenario.body, "a body of {} bytes", response.body.len());
    let expected = u64::from(scenario.origin == Reaches::EachTime);
    ensure!(reached == expected, "the origin was reached {reached} times instead of {expected}");
    if scenario.edits_headers() {
        let header = &response.header;
        let is_edited = header.contains("x-add-1: one") && header.contains("x-add-2: two");
        ensure!(is_edited && !header.contains("x-origin-junk"), "the header edits are missing:\n{header}");
    }
    Ok(())
}

/// Whether the origin was reached as often as the scenario says, with room for requests cut off at the end.
fn judge_origin(expected: Reaches, requests: u64, reached: u64) -> Result<()> {
    match expected {
        Reaches::Never if reached > 2 => bail!("{reached} hits reached the origin"),
        Reaches::EachTime if reached + 200 < requests || reached > requests + requests / 100 + 400 => {
            bail!("{reached} of {requests} requests reached the origin")
        }
        Reaches::Hardly if reached > requests / 100 + 2 => {
            bail!("{reached} of {requests} requests were no hits")
        }
        Reaches::Never | Reaches::EachTime | Reaches::Hardly => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_may_not_reach_the_origin() {
        assert!(judge_origin(Reaches::Never, 1000, 0).is_ok());
        assert!(judge_origin(Reaches::Never, 1000, 3).is_err());
    }

    #[test]
    fn few_of_a_large_set_may_reach_the_origin() {
        assert!(judge_origin(Reaches::Hardly, 1000, 12).is_ok());
        assert!(judge_origin(Reaches::Hardly, 1000, 13).is_err());
    }

    #[test]
    fn each_proxied_request_reaches_the_origin_once() {
        assert!(judge_origin(Reaches::EachTime, 100_000, 100_064).is_ok());
        assert!(judge_origin(Reaches::EachTime, 100_000, 50_000).is_err());
        assert!(judge_origin(Reaches::EachTime, 100_000, 102_000).is_err());
    }

    #[test]
    fn a_run_is_disturbed_when_something_else_ran_on_the_cpu() {
        let figures = |cpu0_us| LoadFigures {
            cpu_us: 10.0,
            cpu0_us,
            rps: 1.0,
            p50_us: 1.0,
            p99_us: 1.0,
            rss_kib: 1,
            cpu0_busy: 1.0,
            cpu1_busy: 1.0,
            stolen: 0.0,
            requests: 1,
            origin_requests: 0,
        };
        assert!(figures(10.5).is_undisturbed());
        assert!(!figures(11.5).is_undisturbed());
    }
}
