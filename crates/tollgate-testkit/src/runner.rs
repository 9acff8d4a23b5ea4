//! Runs one scenario from its file to its outcome.
//!
//! Responsible for: the order of things: origins listen, the proxy starts, clients run, expectations are judged,
//! everything ends. Not responsible for: any of these steps itself.
//! Entry points: [`run_file`], [`run_text`].

use crate::barrier::Barriers;
use crate::client::run_clients;
use crate::evidence;
use crate::expectations::judge;
use crate::matcher::found;
use crate::model::{OriginSpec, PeerSpec, Reply, Scenario};
use crate::origin::{Origin, bind_all};
use crate::outcome::{Failure, Outcome};
use crate::peers::{self, Peer};
use crate::process::{Given, Subject};
use crate::seen::{self, Seen};
use crate::stage::{Stage, Stop};
use crate::step::Step;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the proxy may take to end when it has nothing left to do.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What scenarios are run against.
#[derive(Clone, Debug)]
pub enum Target {
    /// The Tollgate binary.
    Tollgate(PathBuf),
    /// A peer program.
    Peer(Peer),
    /// No proxy: clients talk to the first origin.
    Direct,
}

impl Target {
    fn name(&self) -> &'static str {
        match self {
            Target::Tollgate(_) => "tollgate",
            Target::Peer(peer) => peer.name(),
            Target::Direct => "origin",
        }
    }
}

/// Runs the scenario in the file at `path`.
pub fn run_file(path: &Path, target: &Target) -> Outcome {
    match read(path) {
        Ok(text) => run_text(&text, target),
        Err(failure) => failed(failure, String::new()),
    }
}

/// Parses the scenario in the file at `path` without running it.
pub fn check_file(path: &Path) -> Outcome {
    match read(path).and_then(|text| parse(&text)) {
        Ok(_) => Outcome::Passed,
        Err(failure) => failed(failure, String::new()),
    }
}

/// Plays the scenario in the file at `path` before a peer and before Tollgate: each side must receive the same.
pub fn compare_file(path: &Path, bin: &Path, peer: Peer) -> Outcome {
    let scenario = match read(path).and_then(|text| parse(&text)) {
        Ok(scenario) => scenario,
        Err(failure) => return failed(failure, String::new()),
    };
    let compared = if scenario.compare.fails.is_empty() {
        compare(&scenario, bin, peer)
    } else {
        compare_failures(&scenario, bin, peer)
    };
    match (compared, &scenario.compare.differs) {
        (Outcome::Failed { failures, .. }, Some(reason)) => {
            let found: Vec<&str> = failures.iter().map(|failure| failure.at.as_str()).collect();
            Outcome::Skipped(format!("differs: {reason} ({})", found.join("; ")))
        }
        (Outcome::Passed, Some(reason)) => {
            failed(Failure::new("compare", format!("a difference: {reason}"), "none"), String::new())
        }
        (outcome, _) => outcome,
    }
}

fn compare(scenario: &Scenario, bin: &Path, peer: Peer) -> Outcome {
    let mut recordings = Vec::new();
    for target in [Target::Peer(peer), Target::Tollgate(bin.to_owned())] {
        match record(scenario, &target) {
            Ok(recording) => recordings.push(recording),
            Err(outcome) => return outcome,
        }
    }
    match &recordings[..] {
        [oracle, ours] => match seen::differences(&oracle.0, &ours.0) {
            failures if failures.is_empty() => Outcome::Passed,
            failures => Outcome::Failed {
                failures,
                transcript: format!("{}:\n{}\ntollgate:\n{}", peer.name(), oracle.1, ours.1),
            },
        },
        _ => failed(Failure::new("compare", "two recordings", "fewer"), String::new()),
    }
}

/// What the scripts received before `target`, and the transcript.
fn record(scenario: &Scenario, target: &Target) -> Result<(Vec<Seen>, String), Outcome> {
    let stage = stage(scenario);
    if let Err(stop) = bind_all(&scenario.origins).map(|origins| play(scenario, target, &stage, &origins)) {
        stage.fail("start", stop);
    }
    let transcript = stage.transcript.render();
    let mut failures = stage.failures();
    if failures.is_empty() {
        return Ok((stage.seen(&scenario.compare.mask), transcript));
    }
    failures.iter_mut().for_each(|failure| failure.at = format!("{}, {}", target.name(), failure.at));
    Err(Outcome::Failed { failures, transcript })
}

/// Both programs must refuse to start, with messages that say the same.
fn compare_failures(scenario: &Scenario, bin: &Path, peer: Peer) -> Outcome {
    for target in [Target::Peer(peer), Target::Tollgate(bin.to_owned())] {
        let message = match record(scenario, &target) {
            Ok((_, transcript)) => {
                let at = target.name();
                return failed(Failure::new(at, "not to start", "it has started"), transcript);
            }
            Err(Outcome::Failed { failures, transcript }) => {
                failures.iter().map(|f| format!("{f}\n")).collect::<String>() + &transcript
            }
            Err(other) => return other,
        };
        let missing = scenario.compare.fails.iter().find(|pattern| !found(pattern, message.as_bytes()));
        if let Some(pattern) = missing {
            let failure = Failure::new(target.name(), format!("a message matching /{pattern}/"), message);
            return failed(failure, String::new());
        }
    }
    Outcome::Passed
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::new("the scenario file", "to be readable", e.to_string()))
}

/// Runs the scenario whose YAML is `text`.
pub fn run_text(text: &str, target: &Target) -> Outcome {
    let scenario = match parse(text) {
        Ok(scenario) => scenario,
        Err(failure) => return failed(failure, String::new()),
    };
    if let Target::Peer(peer) = target
        && !scenario.peers.get(peer.name()).is_some_and(|spec| spec.applies)
    {
        return Outcome::Skipped(format!("not applicable to {}", peer.name()));
    }
    match (run(&scenario, target), &scenario.optional) {
        (Outcome::Failed { .. }, Some(reason)) => Outcome::Skipped(format!("optional, not met: {reason}")),
        (outcome, _) => outcome,
    }
}

/// Parses and completes a scenario.
pub fn parse(text: &str) -> Result<Scenario, Failure> {
    let mut scenario: Scenario = serde_saphyr::from_str(text)
        .map_err(|e| Failure::new("the scenario file", "a valid scenario", e.to_string()))?;
    if scenario.origins.is_empty() {
        let spec = OriginSpec { always: vec![Reply::default()], ..OriginSpec::default() };
        scenario.origins.insert("origin".to_owned(), spec);
    }
    if scenario.clients.is_empty() && scenario.proxy.command.is_none() && scenario.expect.exit.is_none() {
        return Err(Failure::new("the scenario file", "at least one client", "none"));
    }
    Ok(scenario)
}

fn failed(failure: Failure, transcript: String) -> Outcome {
    Outcome::Failed { failures: vec![failure], transcript }
}

fn stage(scenario: &Scenario) -> Stage {
    let limit = Duration::from_secs(scenario.deadline);
    Stage::new(limit, barriers(scenario), scenario.origins.keys())
}

fn run(scenario: &Scenario, target: &Target) -> Outcome {
    let stage = stage(scenario);
    let result = bind_all(&scenario.origins).map(|origins| play(scenario, target, &stage, &origins));
    if let Err(stop) = result {
        stage.fail("start", stop);
    }
    match stage.failures() {
        failures if failures.is_empty() => Outcome::Passed,
        failures => Outcome::Failed { failures, transcript: stage.transcript.render() },
    }
}

fn play(scenario: &Scenario, target: &Target, stage: &Stage, origins: &[Origin]) {
    stage.with_vars(|vars| origins.iter().for_each(|o| vars.set_address(o.name(), o.addr)));
    std::thread::scope(|scope| {
        for origin in origins {
            scope.spawn(|| origin.run(stage));
        }
        match start(scenario, target, stage, origins) {
            Err(stop) => stage.fail("start of the program under test", stop),
            Ok(subject) => {
                if let Ok(addr) = subject.listener(0) {
                    stage.with_vars(|vars| vars.set_server("proxy", addr.port()));
                }
                perform(scenario, stage, &subject, origins);
                stage.finish();
                end(scenario, stage, &subject);
            }
        }
        stage.finish();
    });
}

fn start(scenario: &Scenario, target: &Target, stage: &Stage, origins: &[Origin]) -> Result<Subject, Stop> {
    let first = main_origin(origins);
    match target {
        Target::Direct => first.map(Subject::Direct).ok_or_else(|| Stop::failed("an origin", "none")),
        Target::Tollgate(bin) => {
            let given = Given { hooks: !scenario.expect.hooks.is_empty(), clock: sets_clock(scenario) };
            Subject::tollgate(bin, &scenario.proxy, first, given, stage)
        }
        Target::Peer(peer) => {
            let stats = !scenario.compare.metrics.is_empty();
            let for_both =
                PeerSpec { applies: true, cache: true, plugins: true, stats, ..PeerSpec::default() };
            let spec = scenario.peers.get(peer.name()).cloned().unwrap_or(for_both);
            let first = first.ok_or_else(|| Stop::failed("an origin", "none"))?;
            peers::start(*peer, &spec, &scenario.proxy, first, stage)
        }
    }
}

/// Whether a client sets the proxy's time of day.
fn sets_clock(scenario: &Scenario) -> bool {
    let mut steps = scenario.clients.values().flat_map(|client| &client.steps);
    steps.any(|step| matches!(step, Step::Advance(_)))
}

/// The origin called `origin`, else the first by name.
fn main_origin(origins: &[Origin]) -> Option<SocketAddr> {
    origins.iter().find(|o| o.name() == "origin").or_else(|| origins.first()).map(|o| o.addr)
}

fn perform(scenario: &Scenario, stage: &Stage, subject: &Subject, origins: &[Origin]) {
    run_clients(&scenario.clients, stage, subject);
    if stage.is_cancelled() {
        return;
    }
    for origin in origins {
        let waited = stage.poll(|| match origin.unplayed() {
            0 => Ok(()),
            n => Err(("all scripted connections played to their end".into(), format!("{n} are not"))),
        });
        if let Err(stop) = waited {
            return stage.fail(&format!("origin {}", origin.name()), stop);
        }
    }
    if let Err(stop) = judge(&scenario.expect, stage, subject) {
        return stage.fail("expect", stop);
    }
    if let Err(stop) = evidence::record(&scenario.compare, stage, subject) {
        stage.fail("compare", stop);
    }
}

fn end(scenario: &Scenario, stage: &Stage, subject: &Subject) {
    let Some(process) = subject.process() else { return };
    if scenario.expect.exit.is_none()
        && !stage.is_cancelled()
        && let Err(stop) = process.stop(STOP_LIMIT)
        && matches!(subject, Subject::Tollgate(_))
    {
        stage.fail("end of the program under test", stop);
    }
    if stage.is_cancelled() {
        stage.transcript.note("program", &format!("wrote:\n{}", process.output()));
    }
}

/// The barriers of a scenario: how many steps name each, and how many of these watch a connection meanwhile.
/// A client that runs several times counts as often.
fn barriers(scenario: &Scenario) -> Barriers {
    let (mut parties, mut watchers) = (BTreeMap::new(), BTreeMap::new());
    let mut count = |steps: &[Step], times: usize| {
        for step in steps {
            if let Step::Barrier(name) | Step::ExpectNothing(name) = step {
                *parties.entry(name.clone()).or_insert(0) += times;
            }
            if let Step::ExpectNothing(name) = step {
                *watchers.entry(name.clone()).or_insert(0) += times;
            }
        }
    };
    for client in scenario.clients.values() {
        count(&client.steps, client.count);
    }
    for origin in scenario.origins.values() {
        origin.connections.iter().for_each(|steps| count(steps, 1));
    }
    Barriers::new(parties, watchers)
}
