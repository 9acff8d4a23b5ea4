//! What a program leaves besides messages: text logs, diagnostics, statistics.
//!
//! Responsible for: waiting until as much of it is there as the scenario says, and recording it like messages, line by
//! line, so that two programs can be compared.
//! Not responsible for: comparing (see [`seen`](crate::seen)).
//! Invariant: numbers in text logs are never compared, only that there are numbers.

use crate::metrics;
use crate::model::CompareSpec;
use crate::process::{Process, Subject};
use crate::seen::Seen;
use crate::stage::{Stage, Stop};
use regex::Regex;
use std::path::PathBuf;

/// Traffic Server's log directory within the temporary directory.
const THEIR_LOGS: &str = "root/log";
/// Where Traffic Server writes its own messages.
const THEIR_DIAGNOSTICS: &str = "root/log/diags.log";
/// Tollgate's log directory within the temporary directory.
const OUR_LOGS: &str = "log";

/// Records what the scenario wants compared.
pub fn record(spec: &CompareSpec, stage: &Stage, subject: &Subject) -> Result<(), Stop> {
    let Some(process) = subject.process() else { return Ok(()) };
    if !spec.metrics.is_empty() {
        stage.poll(|| match metrics_of(subject) {
            Ok(values) => metrics::unmet(&values, &spec.metrics),
            Err(problem) => Err(("metrics".into(), problem)),
        })?;
    }
    for (name, count) in &spec.logs {
        let path = process.dir().join(logs(subject)).join(name);
        let lines = || std::fs::read_to_string(&path).unwrap_or_default();
        let all = enough(stage, *count, name, || lines().lines().map(without_numbers).collect())?;
        all.iter().for_each(|line| stage.saw(Seen::of_line(&format!("log {name}"), line)));
    }
    for (pattern, count) in &spec.diagnostics {
        let pattern = Regex::new(pattern).map_err(|e| Stop::failed("a regular expression", e.to_string()))?;
        let all = enough(stage, *count, pattern.as_str(), || matches(&pattern, &diagnostics(process)))?;
        all.iter().for_each(|line| stage.saw(Seen::of_line(&format!("diagnostics /{pattern}/"), line)));
    }
    Ok(())
}

/// Waits for so many lines.
fn enough(
    stage: &Stage,
    count: usize,
    what: &str,
    lines: impl Fn() -> Vec<String>,
) -> Result<Vec<String>, Stop> {
    let mut all = Vec::new();
    stage.poll(|| {
        all = lines();
        if all.len() >= count { Ok(()) } else { Err((format!("{count} lines of {what}"), all.join("\n"))) }
    })?;
    Ok(all)
}

fn logs(subject: &Subject) -> PathBuf {
    PathBuf::from(if matches!(subject, Subject::Peer(_)) { THEIR_LOGS } else { OUR_LOGS })
}

fn diagnostics(process: &Process) -> String {
    let theirs = std::fs::read_to_string(process.dir().join(THEIR_DIAGNOSTICS)).unwrap_or_default();
    process.output() + &theirs
}

/// The first group of each match, or the whole match of a pattern without groups.
fn matches(pattern: &Regex, text: &str) -> Vec<String> {
    let group = |found: regex::Captures<'_>| {
        found.get(1).or_else(|| found.get(0)).map_or_else(String::new, |part| part.as_str().to_owned())
    };
    pattern.captures_iter(text).map(group).collect()
}

fn metrics_of(subject: &Subject) -> Result<metrics::Values, String> {
    match subject {
        Subject::Peer(_) => {
            let addr = subject.listener(0).map_err(|stop| format!("{stop:?}"))?;
            metrics::fetch_from(addr, "/_stats")
        }
        _ => subject.metrics(),
    }
}

/// The line with `#` for each number.
fn without_numbers(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_a_log_line_becomes_one_sign() {
        assert_eq!(without_numbers("20240102.03h 127.0.0.1 a17 -"), "#.#h #.#.#.# a# -");
    }

    #[test]
    fn of_a_match_the_first_group_is_taken_if_there_is_one() {
        let text = "Received A on 1\nReceived B on 2\n";
        let found = |pattern| matches(&Regex::new(pattern).expect("a pattern"), text);
        assert_eq!(found(r"Received (\w+)"), ["A", "B"]);
        assert_eq!(found(r"on \d"), ["on 1", "on 2"]);
    }
}
