//! `cargo xtask bench`: Tollgate beside the servers its users come from.
//!
//! Responsible for: the order of the runs and the report. The server has CPU 0, the origin and the load generator
//! CPU 1; repetitions are interleaved (A B C A B C), each on a quiet machine; figures are medians of valid runs.
//! Not responsible for: instruction counts ([`crate::instructions`]).
//!
//! Invariant: a run that broke a rule of its scenario never becomes a figure.

pub mod cpu;
pub mod idle;
pub mod kernel;
pub mod load;
pub mod measure;
pub mod scenario;
pub mod servers;
pub mod table;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::workspace::{self, built, cargo, command};
use crate::{dist, setup};
use load::{Generator, Order};
use measure::{Figures, Method, measure};
use scenario::{Load, Scenario};
use servers::{Contestant, Origin, OriginKind, Places};
use table::{About, Run};

/// How long to wait for a quiet machine before each run.
const QUIET_TIME: Duration = Duration::from_secs(25);

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub struct Options {
    /// Servers of bench/servers (tollgate, nginx, haproxy and trafficserver if none is named)
    servers: Vec<String>,
    /// Varnish and httpd too
    #[arg(long)]
    all: bool,
    /// Another server, as NAME=COMMAND: listens on 127.0.0.1:8080 (8081 with header edits), origin 127.0.0.1:9000
    #[arg(long, value_name = "NAME=COMMAND")]
    ext: Vec<String>,
    /// Scenarios (all but the fixed rates and the large set if none is named)
    #[arg(long, short, num_args = 1.., value_name = "NAME")]
    scenario: Vec<String>,
    /// Repetitions
    #[arg(long, default_value_t = 3)]
    reps: u32,
    /// Seconds of each run
    #[arg(long, default_value_t = 5.0)]
    secs: f64,
    /// Seconds of load before each run
    #[arg(long, default_value_t = 1.0)]
    warm: f64,
    /// Connections
    #[arg(long, default_value_t = 64)]
    conns: u32,
    /// Connections of the idle scenario
    #[arg(long, default_value_t = 5000)]
    idle: usize,
    /// store16k, spread16k: objects of the set
    #[arg(long, value_name = "N", default_value_t = 262_144)]
    set: u64,
    /// Load generator
    #[arg(long, value_enum, default_value = "wrk")]
    generator: Generator,
    /// Origin
    #[arg(long, value_enum, default_value = "nginx")]
    origin: OriginKind,
    /// rate_*: requests per second; without it, a part of what the closed loop reaches
    #[arg(long)]
    rate: Option<f64>,
    /// rate_*: that part
    #[arg(long, default_value_t = 0.5)]
    load: f64,
    /// Waits for a quiet machine, and repeats a disturbed run up to this many times
    #[arg(long, default_value_t = 2)]
    redo: u32,
    /// Another build of Tollgate
    #[arg(long, value_name = "PATH", conflicts_with = "dist")]
    tollgate: Option<PathBuf>,
    /// The binary of `cargo xtask dist`, built first, instead of the plain release build
    #[arg(long)]
    dist: bool,
    /// The report
    #[arg(long, default_value = "bench/RESULTS.md")]
    out: PathBuf,
}

/// Runs the chore.
pub fn run(options: &Options) -> Result<ExitCode> {
    let contestants = servers::choose(&options.servers, options.all, &options.ext)?;
    let scenarios = choose_scenarios(&options.scenario)?;
    setup::ensure(&setup::FOR_BENCH)?;
    if options.all {
        setup::ensure(&setup::FOR_ALL_PEERS)?;
    }
    build(options, &contestants)?;
    let tollgate = match &options.tollgate {
        // Servers are started in folders of their own.
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None if options.dist => dist::binary(),
        None => built("release", "tollgate"),
    };
    let mut bench = Bench {
        places: Places::create(tollgate)?,
        options,
        runs: Vec::new(),
        capacities: HashMap::new(),
        about: About::default(),
    };
    bench.about = bench.describe(&contestants)?;
    let _settings = kernel::Settings::raise();
    bench.run_all(&contestants, &scenarios)?;
    bench.write()?;
    let failed = bench.runs.iter().filter(|run| run.result.is_err()).count();
    println!("{} passed, {failed} failed", bench.runs.len() - failed);
    Ok(if failed == 0 && !bench.runs.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose_scenarios(names: &[String]) -> Result<Vec<&'static Scenario>> {
    let names: Vec<&str> =
        if names.is_empty() { scenario::USUAL.to_vec() } else { names.iter().map(String::as_str).collect() };
    names
        .into_iter()
        .map(|name| scenario::find(name).with_context(|| format!("no scenario {name}")))
        .collect()
}

fn build(options: &Options, contestants: &[Contestant]) -> Result<()> {
    workspace::run(&mut cargo(["build", "--locked", "--release", "-p", "bench-load", "--bins"]))?;
    let is_ours_run = contestants.iter().any(|contestant| contestant.name == "tollgate");
    if is_ours_run && options.dist {
        ensure!(dist::run(&dist::Options::default())? == ExitCode::SUCCESS, "cargo xtask dist failed");
    } else if is_ours_run && options.tollgate.is_none() {
        workspace::run(&mut cargo([
            "build",
            "--locked",
            "--release",
            "-p",
            "tollgate",
            "--bin",
            "tollgate",
        ]))?;
    }
    Ok(())
}

struct Bench<'a> {
    options: &'a Options,
    places: Places,
    about: About,
    runs: Vec<Run>,
    /// Requests per second of the closed loop, by server and scenario.
    capacities: HashMap<(String, &'static str), f64>,
}

impl Bench<'_> {
    fn run_all(&mut self, contestants: &[Contestant], scenarios: &[&'static Scenario]) -> Result<()> {
        let origin = Origin::start(self.options.origin, &self.places)?;
        let of = |is_meant: fn(&Scenario) -> bool| -> Vec<&'static Scenario> {
            scenarios.iter().copied().filter(|scenario| is_meant(scenario)).collect()
        };
        let idle = of(|scenario| scenario.load == Load::Idle);
        let set = of(Scenario::is_of_set);
        let loaded = of(|scenario| scenario.load != Load::Idle && !scenario.is_of_set());
        for repetition in 1..=self.options.reps {
            for contestant in contestants {
                // Memory of idle connections shows only on a server that has done nothing else, and a large set needs a
                // large cache.
                for group in [&loaded, &idle, &set].into_iter().filter(|group| !group.is_empty()) {
                    println!("repetition {repetition}: {}", contestant.name);
                    self.run_group(contestant, group, &origin);
                }
            }
            self.write()?;
        }
        Ok(())
    }

    /// Starts a server and takes it through scenarios; if it does not start, each of them has failed.
    fn run_group(&mut self, contestant: &Contestant, scenarios: &[&'static Scenario], origin: &Origin) {
        let mut server = if scenarios.iter().any(|scenario| scenario.is_of_set()) {
            contestant.start(&self.places.for_set(self.options.set * scenario::SET_OBJECT_BYTES))
        } else {
            contestant.start(&self.places)
        };
        for scenario in scenarios {
            let result = match &mut server {
                Ok(server) => self.best_of_attempts(contestant, scenario, server, origin),
                Err(error) => Err(anyhow::anyhow!("{error:#}")),
            };
            let result = result.map_err(|error| format!("{error:#}"));
            println!("{:<14} {:<13} {}", contestant.name, scenario.name, shown(&result));
            if let Ok(Figures::Load(load)) = &result {
                self.capacities.insert((contestant.name.clone(), scenario.name), load.rps);
            }
            self.runs.push(Run { server: contestant.name.clone(), scenario: scenario.name, result });
        }
    }

    /// Measures again while something else disturbed the run.
    fn best_of_attempts(
        &self,
        contestant: &Contestant,
        scenario: &Scenario,
        server: &mut crate::process::Server,
        origin: &Origin,
    ) -> Result<Figures> {
        let method = self.method(contestant, scenario)?;
        let mut attempts_left = self.options.redo;
        loop {
            if self.options.redo > 0 {
                cpu::wait_for_quiet(QUIET_TIME);
            }
            let figures = measure(scenario, server, origin, &method)?;
            let is_undisturbed = match &figures {
                Figures::Load(load) => load.is_undisturbed(),
                Figures::Idle(_) => true,
            };
            // A cache is filled once.
            if is_undisturbed || attempts_left == 0 || scenario.load == Load::Fill {
                return Ok(figures);
            }
            attempts_left -= 1;
        }
    }

    fn method(&self, contestant: &Contestant, scenario: &Scenario) -> Result<Method> {
        let options = self.options;
        let order = Order {
            generator: options.generator,
            connections: options.conns,
            seconds: options.secs,
            rate: 0.0,
            objects: options.set,
        };
        let rate = match (scenario.load, options.rate) {
            (Load::Rate, Some(rate)) => rate,
            (Load::Rate, None) => (self.capacity(contestant, scenario, &order)? * options.load).floor(),
            _ => 0.0,
        };
        Ok(Method { order: Order { rate, ..order }, warm_up: options.warm, idle_connections: options.idle })
    }

    /// What the closed loop of the same requests reaches.
    fn capacity(&self, contestant: &Contestant, scenario: &Scenario, order: &Order) -> Result<f64> {
        let closed = scenario.name.strip_prefix("rate_").and_then(scenario::find);
        let closed = closed.with_context(|| format!("{} has no closed loop", scenario.name))?;
        match self.capacities.get(&(contestant.name.clone(), closed.name)) {
            Some(rps) => Ok(*rps),
            None => Ok(load::make(closed, &Order { seconds: 3.0, ..*order })?.rps),
        }
    }

    fn describe(&self, contestants: &[Contestant]) -> Result<About> {
        let options = self.options;
        let mut versions = Vec::new();
        for contestant in contestants {
            let version = contestant.version(&self.places);
            versions.push((contestant.name.clone(), version.with_context(|| contestant.name.clone())?));
        }
        let one_line = |text: String| text.trim().to_owned();
        let processors = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(About {
            date: one_line(workspace::read(command("date").args(["-u", "+%Y-%m-%d %H:%M:%S UTC"]))?),
            processor: model.map_or("unknown", |(_, model)| model).to_owned(),
            kernel: one_line(workspace::read(command("uname").arg("-sr"))?),
            versions,
            method: format!(
                "{:?} with {} connections, origin {:?}, {} s, {} interleaved repetitions; tollgate: {}",
                options.generator,
                options.conns,
                options.origin,
                options.secs,
                options.reps,
                match &options.tollgate {
                    Some(_) => "a build named on the command line",
                    None if options.dist => "the build of `cargo xtask dist`",
                    None => "the plain release build",
                }
            )
            .to_lowercase(),
        })
    }

    /// Writes the report, and every run beside it as JSON.
    fn write(&self) -> Result<()> {
        let out = workspace::root().join(&self.options.out);
        if self.runs.is_empty() {
            bail!("nothing was measured");
        }
        fs::write(&out, table::report(&self.about, &self.runs)).with_context(|| out.display().to_string())?;
        let folder = workspace::root().join("bench/results");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let name = self.about.date.replace([' ', ':'], "-") + ".json";
        let all = serde_json::json!({ "about": self.about, "runs": self.runs });
        fs::write(folder.join(name), serde_json::to_string_pretty(&all)?)?;
        Ok(())
    }
}

fn shown(result: &Result<Figures, String>) -> String {
    match result {
        Ok(Figures::Load(load)) => format!(
            "cpu {:.2} us, all on cpu0 {:.2} us, {:.0}/s, p50 {:.0} us, p99 {:.0} us, cpu0 {:.2}, cpu1 {:.2}, {} MiB",
            load.cpu_us,
            load.cpu0_us,
            load.rps,
            load.p50_us,
            load.p99_us,
            load.cpu0_busy,
            load.cpu1_busy,
            load.rss_kib / 1024
        ),
        Ok(Figures::Idle(idle)) => format!("{:.2} KiB for each of {}", idle.rss_kib_each, idle.connections),
        Err(why) => format!("INVALID: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_name() {
        assert_eq!(choose_scenarios(&[]).expect("known").len(), scenario::USUAL.len());
        assert!(choose_scenarios(&["hit2k".to_owned()]).is_err());
    }

    #[test]
    fn an_invalid_run_is_shown_with_its_reason() {
        assert_eq!(shown(&Err("status 502".to_owned())), "INVALID: status 502");
    }
}
