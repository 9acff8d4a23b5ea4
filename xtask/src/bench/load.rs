//! The load generators.
//!
//! Responsible for: the command lines of `wrk` and `bload`, both on their own CPU, and reading their results.
//! Not responsible for: the CPU time of the server ([`super::measure`]).
//!
//! Invariant: whatever a generator could not check is checked here; a result with an error is never silent.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::scenario::{Load, Scenario};
use super::servers::LOAD_CPU;
use crate::workspace::{self, built, command};

/// Most seconds for filling a cache with the set.
const FILL_SECONDS: &str = "600";

/// Which generator makes the load. Fixed rates and large sets are always asked for by `bload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Generator {
    /// wrk
    Wrk,
    /// `bload`, for servers that outrun wrk
    Bload,
}

/// The load to make.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// By which generator.
    pub generator: Generator,
    /// On how many connections.
    pub connections: u32,
    /// For how long.
    pub seconds: f64,
    /// At which rate, for [`Load::Rate`].
    pub rate: f64,
    /// How many objects the set of [`Load::Fill`] and [`Load::Spread`] has.
    pub objects: u64,
}

/// What the generator saw.
#[derive(Debug, Clone, Deserialize, PartialEq)]
pub struct Seen {
    /// Complete responses.
    pub requests: u64,
    /// Complete responses per second.
    pub rps: f64,
    /// Median latency.
    pub p50_us: f64,
    /// Latency that 1 % exceeded.
    pub p99_us: f64,
    /// Connections, reads and responses that went wrong.
    pub errors: u64,
    /// Which they were.
    #[serde(rename = "err")]
    pub error_kinds: String,
    /// Bytes received, if the generator does not check bodies itself.
    pub bytes: Option<u64>,
}

/// Makes the load and returns what the generator saw.
pub fn make(scenario: &Scenario, order: &Order) -> Result<Seen> {
    let output = workspace::read(&mut generator_command(scenario, order))?;
    parse(&output, scenario).with_context(|| format!("the generator's output was: {output}"))
}

fn generator_command(scenario: &Scenario, order: &Order) -> Command {
    let mut pinned = command("taskset");
    pinned.args(["-c", &LOAD_CPU.to_string()]);
    if order.generator == Generator::Wrk && scenario.load != Load::Rate && !scenario.is_of_set() {
        wrk(&mut pinned, scenario, order);
    } else {
        bload(&mut pinned, scenario, order);
    }
    pinned
}

fn wrk(command: &mut Command, scenario: &Scenario, order: &Order) {
    // wrk knows whole seconds only.
    let seconds = order.seconds.round().max(1.0);
    let connections = order.connections;
    command.args(["wrk", "-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"]);
    command.arg(workspace::root().join("bench/load/wrk.lua"));
    if scenario.load == Load::NewConnections {
        command.args(["-H", "Connection: close"]);
    }
    command.arg(format!("http://{}{}", scenario.address(), scenario.path));
}

fn bload(command: &mut Command, scenario: &Scenario, order: &Order) {
    command.arg(built("release", "bload"));
    command.args(["--addr", &scenario.address().to_string(), "--path", scenario.path]);
    command.args(["--body", &scenario.body.to_string(), "--conns", &order.connections.to_string()]);
    if scenario.load != Load::Fill {
        command.args(["--secs", &order.seconds.to_string()]);
    }
    match scenario.load {
        Load::NewConnections => _ = command.arg("--close"),
        Load::Rate => _ = command.args(["--rate", &order.rate.to_string()]),
        Load::Fill => {
            command.args(["--paths", &order.objects.to_string(), "--each-once"]);
            command.args(["--secs", FILL_SECONDS]);
        }
        Load::Spread => _ = command.args(["--paths", &order.objects.to_string()]),
        Load::Kept | Load::Idle => {}
    }
}

/// Reads the line of JSON that both generators print.
fn parse(output: &str, scenario: &Scenario) -> Result<Seen> {
    let line = output.lines().find_map(|line| line.strip_prefix("JSON "));
    let mut seen: Seen = serde_json::from_str(line.context("no result line")?).context("the result line")?;
    let too_few_bytes = |bytes: u64| bytes < seen.requests * scenario.body as u64;
    if seen.bytes.is_some_and(too_few_bytes) {
        seen.errors += 1;
        seen.error_kinds += " short bodies";
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::super::scenario::find;
    use super::*;

    const ORDER: Order =
        Order { generator: Generator::Wrk, connections: 64, seconds: 2.4, rate: 500.0, objects: 9 };

    fn spelled(scenario: &str, generator: Generator) -> String {
        let scenario = find(scenario).expect("known");
        format!("{:?}", generator_command(scenario, &Order { generator, ..ORDER }))
    }

    #[test]
    fn fixed_rates_are_made_by_bload() {
        assert!(spelled("hit1k", Generator::Wrk).contains("\"wrk\" \"-t1\" \"-c64\" \"-d2s\""));
        assert!(spelled("rate_hit1k", Generator::Wrk).contains("\"--rate\" \"500\""));
        assert!(spelled("newconn", Generator::Wrk).contains("Connection: close"));
        assert!(spelled("newconn", Generator::Bload).contains("--close"));
        assert!(spelled("hit1k", Generator::Bload).contains("\"--secs\" \"2.4\""));
    }

    #[test]
    fn a_large_set_is_asked_for_by_bload() {
        let fill = spelled("store16k", Generator::Wrk);
        assert!(fill.contains("\"--paths\" \"9\" \"--each-once\" \"--secs\" \"600\""), "{fill}");
        let spread = spelled("spread16k", Generator::Wrk);
        assert!(spread.contains("\"--secs\" \"2.4\" \"--paths\" \"9\""), "{spread}");
    }

    #[test]
    fn short_bodies_are_errors_even_if_the_generator_does_not_look() {
        let scenario = find("hit1k").expect("known");
        let output = |bytes| {
            format!(
                "Running\nJSON {{\"requests\":10,\"secs\":1.0,\"rps\":10.0,\"p50_us\":5,\"p99_us\":9,\
                 \"errors\":0,\"err\":\"\",\"bytes\":{bytes}}}\n"
            )
        };
        assert_eq!(parse(&output(12_000), scenario).expect("readable").errors, 0);
        assert_eq!(parse(&output(9_000), scenario).expect("readable").errors, 1);
        assert!(parse("nothing", scenario).is_err());
    }
}
