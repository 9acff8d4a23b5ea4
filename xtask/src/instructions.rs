//! `cargo xtask instructions`: instruction counts, which a noisy machine cannot blur.
//!
//! Responsible for: building what is counted, running each case with N and 2N iterations under callgrind, and
//! comparing the difference per iteration with `bench/instructions/baseline.json`. Not responsible for: time
//! ([`crate::bench`]).
//!
//! Invariant: a case that needs more instructions than recorded, beyond the tolerance, fails the chore.

pub mod baseline;
pub mod callgrind;
pub mod whole_server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::setup;
use crate::test::PROFILE;
use crate::workspace::{self, built, command};
use baseline::{Counts, Scope};

/// Accepted change of a single operation's count.
const TOLERANCE: f64 = 0.05;

/// Accepted change of a whole-server case: how the kernel cuts bytes and when timers tick is not always the same.
/// Repetitions on one machine differ by less than 1 %.
const SERVER_TOLERANCE: f64 = 0.08;

/// Counted requests of the whole server.
const REQUESTS: u64 = 1000;
const SMOKE_REQUESTS: u64 = 200;

/// Iterations of a single operation.
const ITERATIONS: u64 = 2000;

/// Options of `cargo xtask instructions`.
#[derive(Args)]
pub struct Options {
    /// Only cases whose name contains one of these
    cases: Vec<String>,
    /// Build profile
    #[arg(long, default_value = PROFILE)]
    profile: String,
    /// Record the counts instead of comparing them
    #[arg(long)]
    update: bool,
    /// Counted requests of the whole-server cases
    #[arg(long, default_value_t = REQUESTS)]
    requests: u64,
    /// Another build of Tollgate for the whole-server cases
    #[arg(long, value_name = "PATH")]
    tollgate: Option<PathBuf>,
}

struct Measurement<'a> {
    profile: &'a str,
    requests: u64,
    cases: &'a [String],
    tollgate: PathBuf,
    work: PathBuf,
}

/// Runs the chore.
pub fn run(options: &Options) -> Result<ExitCode> {
    setup::ensure(&setup::FOR_INSTRUCTIONS)?;
    workspace::build(&options.profile, &["tollgate", "operations"])?;
    let mut measurement = Measurement::new(&options.profile, options.requests, &options.cases)?;
    if let Some(path) = &options.tollgate {
        measurement.tollgate.clone_from(path);
    }
    let counts = measurement.counts()?;
    ensure!(!counts.is_empty(), "no case has such a name");
    if options.update {
        let scope = if options.cases.is_empty() { Scope::Every } else { Scope::Chosen };
        baseline::update(&baseline_path(), &options.profile, &counts, scope)?;
    }
    let (compared, failures) = measurement.compare(&counts)?;
    println!("{} passed, {failures} failed", compared - failures);
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A short run of what was built with the tests' profile, for `cargo xtask test`.
pub fn smoke() -> Result<()> {
    let measurement = Measurement::new(PROFILE, SMOKE_REQUESTS, &[])?;
    let (_, failures) = measurement.compare(&measurement.counts()?)?;
    ensure!(failures == 0, "{failures} counts are outside their limits");
    Ok(())
}

fn baseline_path() -> PathBuf {
    workspace::root().join("bench/instructions/baseline.json")
}

impl<'a> Measurement<'a> {
    fn new(profile: &'a str, requests: u64, cases: &'a [String]) -> Result<Self> {
        let work = workspace::target().join("instructions");
        fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
        Ok(Self { profile, requests, cases, tollgate: built(profile, "tollgate"), work })
    }

    fn is_wanted(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|part| case.contains(part.as_str()))
    }

    /// Prints the comparison with the recorded counts; returns how many cases there are and how many failed.
    fn compare(&self, counts: &Counts) -> Result<(usize, usize)> {
        let mut recorded = baseline::read(&baseline_path())?.remove(self.profile).unwrap_or_default();
        recorded.retain(|case, _| self.is_wanted(case));
        let (lines, failures) = baseline::report(counts, &recorded, tolerance_of);
        println!("{:<28} {:>12}", "case", "instructions");
        for line in &lines {
            println!("{line}");
        }
        Ok((lines.len(), failures))
    }

    fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::new();
        let operations = built(self.profile, "operations");
        let listed = workspace::read(command(&operations).arg("--list"))?;
        for case in listed.lines().filter(|case| self.is_wanted(case)) {
            let count = |n| count_operation(&operations, case, n, &self.work);
            counts.insert(case.to_owned(), per_iteration(ITERATIONS, count)?);
        }
        for case in whole_server::CASES.iter().filter(|case| self.is_wanted(case.name)) {
            let count = |n| whole_server::count(case, &self.tollgate, n, &self.work);
            counts.insert(case.name.to_owned(), per_iteration(self.requests, count)?);
        }
        Ok(counts)
    }
}

/// Operations on hash tables with a seed of each process's own: their counts differ by 10 % from run to run.
const SEEDED: [&str; 1] = ["remap_20000"];
const SEEDED_TOLERANCE: f64 = 0.15;

fn tolerance_of(case: &str) -> f64 {
    let is_server = whole_server::CASES.iter().any(|server| server.name == case);
    match case {
        _ if is_server => SERVER_TOLERANCE,
        _ if SEEDED.contains(&case) => SEEDED_TOLERANCE,
        _ => TOLERANCE,
    }
}

/// Instructions per iteration: what N more iterations cost.
fn per_iteration(n: u64, count: impl Fn(u64) -> Result<u64>) -> Result<f64> {
    let (once, twice) = (count(n)?, count(2 * n)?);
    ensure!(n > 0 && twice > once, "{} iterations took no more instructions than {n}", 2 * n);
    Ok((twice - once) as f64 / n as f64)
}

fn count_operation(program: &Path, case: &str, n: u64, work: &Path) -> Result<u64> {
    let out = work.join(format!("{case}.{n}.out"));
    let prefix = callgrind::prefix(&out);
    let mut valgrind = command(&prefix[0]);
    valgrind.args(&prefix[1..]).arg(program).args([case, &n.to_string()]);
    workspace::read(&mut valgrind)?;
    callgrind::total(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_end_cancel_out() {
        let count = per_iteration(100, |n| Ok(5_000_000 + 30 * n)).expect("a count");
        assert!((count - 30.0).abs() < 1e-9);
    }

    #[test]
    fn the_whole_server_may_differ_more_than_an_operation() {
        assert!(tolerance_of("server_hit") > tolerance_of("parse_request"));
    }

    #[test]
    fn a_case_that_does_nothing_is_an_error() {
        assert!(per_iteration(100, |_| Ok(5)).is_err());
        assert!(per_iteration(0, Ok).is_err());
    }
}
