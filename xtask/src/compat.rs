//! `cargo xtask compat`: Debian's plugins in Traffic Server and in Tollgate.
//!
//! Responsible for: playing the experiments of `compat/` before both, and the table of the results
//! (`COMPATIBILITY.md`). Not responsible for: what is compared (`tollgate-testkit`).
//!
//! Invariants: the table holds what was just seen, the differences that are known included; a plugin without an
//! experiment that passes is never called compatible.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::setup;
use crate::steps::Steps;
use crate::test::{PROFILE, build_programs, judge};
use crate::workspace::{self, built, command};

/// Where the experiments are, a folder for each plugin.
const EXPERIMENTS: &str = "compat/";
/// The report.
const REPORT: &str = "COMPATIBILITY.md";
const PEER: &str = "trafficserver";

/// Options of `cargo xtask compat`.
#[derive(Args)]
pub struct Options {
    /// Only this experiment or folder; no report is written
    path: Option<PathBuf>,
}

/// Runs the chore.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut steps = Steps::default();
    steps.run("set-up", || setup::ensure(&setup::FOR_TESTS));
    if steps.run("build", build_programs) {
        match &options.path {
            Some(path) => steps.run("experiments", || compare(&path.to_string_lossy()).map(|_| ())),
            None => steps.run("experiments", compare_all),
        };
    }
    Ok(steps.finish())
}

/// Plays all experiments and writes the report.
fn compare_all() -> Result<()> {
    let output = play(EXPERIMENTS)?;
    let report = report(&results(&output.1));
    std::fs::write(workspace::root().join(REPORT), report).with_context(|| REPORT.to_owned())?;
    judge(output.0, &output.1)
}

/// Plays the experiments of a file or folder: every difference that is not known is a failure.
pub(crate) fn compare(path: &str) -> Result<String> {
    let (is_success, output) = play(path)?;
    judge(is_success, &output)?;
    Ok(output)
}

/// All experiments.
pub(crate) fn all() -> Result<()> {
    compare(EXPERIMENTS).map(|_| ())
}

fn play(path: &str) -> Result<(bool, String)> {
    let mut scenario = command(built(PROFILE, "scenario"));
    scenario.arg("--bin").arg(built(PROFILE, "tollgate")).args([
        "--compare",
        PEER,
        "--verbose",
        "--jobs",
        "2",
        path,
    ]);
    workspace::run_and_read(&mut scenario)
}

/// What was found out of one plugin.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    agree: usize,
    fail: Vec<String>,
    known: Vec<String>,
}

/// The results by plugin, from lines such as `ok   compat/PLUGIN/CASE.yaml (12 ms)`.
fn results(output: &str) -> BTreeMap<String, Found> {
    let mut plugins: BTreeMap<String, Found> = BTreeMap::new();
    for line in output.lines() {
        let Some((word, rest)) = line.split_once(' ') else { continue };
        let Some(path) = rest.trim_start().strip_prefix(EXPERIMENTS) else { continue };
        let Some((plugin, case)) = path.split_once('/') else { continue };
        let found = plugins.entry(plugin.to_owned()).or_default();
        let name = case.split(".yaml").next().unwrap_or_default().to_owned();
        match word {
            "ok" => found.agree += 1,
            "FAIL" => found.fail.push(name),
            "skip" => {
                let reason = case.split_once(": ").map_or("", |(_, reason)| reason);
                let reason = reason.strip_prefix("differs: ").unwrap_or(reason);
                let reason = reason.rsplit_once(" (").map_or(reason, |(reason, _)| reason);
                found.known.push(format!("{name}: {reason}"));
            }
            _ => {}
        }
    }
    plugins
}

fn report(plugins: &BTreeMap<String, Found>) -> String {
    let mut text = String::from(
        "# Compatibility with Traffic Server's plugins

Written by `cargo xtask compat`. Each experiment of [`compat/`](compat/) loads one of Debian 12's plugins, unmodified, into
Traffic Server 9.2 and into Tollgate, with the same configuration files, the same scripted origin and the same requests.
They agree if clients and origins receive the same: status, fields, bodies, in the same order. Not compared are the values
of Date, Via and Server, and what an experiment names with its reason.

| plugin | experiments that agree | that fail | known differences |
|---|--:|---|---|
",
    );
    let list = |items: &[String]| {
        if items.is_empty() { "none".to_owned() } else { items.join("; ").replace('|', "\\\\|") }
    };
    for (plugin, found) in plugins {
        // A text is written to a string without fail.
        let _ =
            writeln!(text, "| {plugin} | {} | {} | {} |", found.agree, list(&found.fail), list(&found.known));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_gathered_by_plugin() {
        let output = "ok   compat/a/one.yaml (12 ms)\nFAIL compat/a/two.yaml (3 ms)\n     at compat/a/x\n\
                      skip compat/b/three.yaml: differs: the page (client, message 1)\n1 passed, 1 failed, 1 skipped\n";
        let found = results(output);
        let a = Found { agree: 1, fail: vec!["two".into()], known: vec![] };
        let b = Found { known: vec!["three: the page".into()], ..Found::default() };
        assert_eq!(found, BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]));
        assert!(report(&found).contains("| a | 1 | two | none |\n| b | 0 | none | three: the page |\n"));
    }
}
