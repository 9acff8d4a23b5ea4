//! `cargo xtask test`: everything that must pass before a change goes in.
//!
//! Responsible for: the set-up, the unit tests, the scenarios against Tollgate and against the peers they name,
//! the fuzz smoke run and the instruction counts. Not responsible for: formatting and rules ([`crate::check`]).
//!
//! Invariants: a part that is missing fails its step; a scenario run in which nothing passed has failed.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::compat;
use crate::instructions;
use crate::readme;
use crate::setup;
use crate::steps::Steps;
use crate::workspace::{self, built, cargo, command};

/// Optimised enough for load, quick to build: what scenarios run against.
pub const PROFILE: &str = "fasttest";

/// Real servers that a scenario may name to be judged against.
const PEERS: [&str; 3] = ["nginx", "haproxy", "trafficserver"];

/// Inputs per fuzz target in the smoke run.
const FUZZ_INPUTS: &str = "20000";

/// Options of `cargo xtask test`.
#[derive(Args, Default)]
pub struct Options {
    /// Only the unit tests and the scenarios
    #[arg(long)]
    fast: bool,
    /// Only this scenario file or folder, against Tollgate
    #[arg(long, value_name = "PATH", conflicts_with = "fast")]
    scenario: Option<PathBuf>,
    /// Only the bodies of 10 GB each way, in bounded memory; not part of the usual run
    #[arg(long, conflicts_with_all = ["fast", "scenario"])]
    large: bool,
}

/// Scenarios that take too long for each run.
const LARGE: &str = "scenarios-large/";

/// Runs the chore.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut steps = Steps::default();
    let only = if options.large { Some(PathBuf::from(LARGE)) } else { options.scenario.clone() };
    if let Some(path) = &only {
        if steps.run("build for scenarios", build_programs) {
            steps.run("scenario", || scenarios(&Against::Tollgate, path));
        }
        return Ok(steps.finish());
    }
    if !options.fast {
        steps.run("set-up", || setup::ensure(&setup::FOR_TESTS));
    }
    steps.run("unit tests", || workspace::run(&mut cargo(["test", "--workspace", "--locked"])));
    let folder = PathBuf::from("scenarios/");
    let is_built = steps.run("build for scenarios", build_programs);
    if is_built {
        steps.run("the first command of the README", readme::first_command);
        steps.run("scenarios", || scenarios(&Against::Tollgate, &folder));
    } else {
        steps.fail(&["the first command of the README", "scenarios"], "the build failed");
    }
    if !options.fast {
        slow_steps(&mut steps, is_built, &folder);
    }
    Ok(steps.finish())
}

fn slow_steps(steps: &mut Steps, is_built: bool, folder: &std::path::Path) {
    steps.run("C functions beside Traffic Server", || {
        workspace::run(&mut cargo(["test", "--locked", "-p", "tollgate-ts", "--tests", "--", "--ignored"]))
    });
    steps.run("C plugins beside Traffic Server", || {
        let plugins = ["test", "--locked", "-p", "tollgate", "--test", "c_plugins", "--", "--ignored"];
        workspace::run(&mut cargo(plugins))
    });
    if is_built {
        for peer in PEERS {
            steps.run(&format!("scenarios against {peer}"), || scenarios(&Against::Peer(peer), folder));
        }
        steps.run("plugins beside Traffic Server", compat::all);
    } else {
        steps.fail(&["scenarios against peers"], "the build failed");
    }
    steps.run("fuzz smoke", fuzz_smoke);
    if is_built {
        steps.run("instruction counts", instructions::smoke);
    } else {
        steps.fail(&["instruction counts"], "the build failed");
    }
}

/// Builds what scenarios and instruction counts need.
pub(crate) fn build_programs() -> Result<()> {
    workspace::build(PROFILE, &["tollgate", "scenario", "operations"])
}

/// What the scenarios are run against.
enum Against {
    Tollgate,
    Peer(&'static str),
}

fn scenario_command(against: &Against, path: &std::path::Path) -> Command {
    let mut run = command(built(PROFILE, "scenario"));
    match against {
        Against::Tollgate => run.arg("--bin").arg(built(PROFILE, "tollgate")),
        Against::Peer(peer) => run.args(["--peer", peer]),
    };
    // Scenarios mostly wait for one another's bytes: more of them than processors may run.
    let jobs = 2 * thread::available_parallelism().map_or(1, std::num::NonZero::get);
    run.args(["--jobs", &jobs.to_string()]).arg(path);
    run
}

fn scenarios(against: &Against, path: &std::path::Path) -> Result<()> {
    let (is_success, output) = workspace::run_and_read(&mut scenario_command(against, path))?;
    judge(is_success, &output)
}

/// Judges a run by its exit and its last line, `N passed, N failed, N skipped`.
pub(crate) fn judge(is_success: bool, output: &str) -> Result<()> {
    let last = output.lines().last().unwrap_or_default();
    let counts = parse_counts(last).with_context(|| format!("no counts in the last line {last:?}"))?;
    ensure!(counts.failed == 0, "{} scenarios failed", counts.failed);
    ensure!(counts.passed > 0, "no scenario ran");
    if !is_success {
        bail!("the scenario runner failed");
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

fn parse_counts(line: &str) -> Option<Counts> {
    let count =
        |word: &str| line.split(',').find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok());
    Some(Counts { passed: count("passed")?, failed: count("failed")? })
}

fn fuzz_smoke() -> Result<()> {
    // Not optimised: overflows are noticed.
    workspace::build("dev", &["fuzz-smoke"])?;
    workspace::run(command(built("dev", "fuzz-smoke")).args(["--inputs", FUZZ_INPUTS]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_run_passes_only_if_something_passed_and_nothing_failed() {
        assert!(judge(true, "a ok\n3 passed, 0 failed, 1 skipped\n").is_ok());
        for (is_success, output) in [
            (true, "0 passed, 0 failed, 4 skipped"),
            (true, "3 passed, 1 failed, 0 skipped"),
            (false, "3 passed, 0 failed, 0 skipped"),
            (true, "3 passed, 0 failed, 0 skipped\nthen a crash"),
            (true, ""),
        ] {
            assert!(judge(is_success, output).is_err(), "{output}");
        }
    }

    #[test]
    fn a_peer_is_named_instead_of_a_program() {
        let spelled =
            |against| format!("{:?}", scenario_command(against, std::path::Path::new("scenarios/")));
        assert!(spelled(&Against::Peer("nginx")).contains("\"--peer\" \"nginx\" \"--jobs\""));
        assert!(spelled(&Against::Tollgate).contains("fasttest/tollgate"));
    }
}
