//! The recorded instruction counts and the comparison with them.
//!
//! Responsible for: `bench/instructions/baseline.json`, and the verdict on each case. Not responsible for:
//! measuring.
//!
//! Invariants: a case without a recorded figure is a failure, so that no case stays unwatched; so is a recorded
//! figure without its case.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Instructions per iteration, by case.
pub type Counts = BTreeMap<String, f64>;

/// Recorded counts by build profile.
pub type Baseline = BTreeMap<String, Counts>;

/// Reads the recorded counts.
pub fn read(path: &Path) -> Result<Baseline> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// Which cases were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Every,
    /// Some of them: what is recorded of the others stays.
    Chosen,
}

/// Writes the counts of one profile, keeping those of the others.
pub fn update(path: &Path, profile: &str, counts: &Counts, scope: Scope) -> Result<()> {
    let mut baseline = if path.exists() { read(path)? } else { Baseline::new() };
    let recorded = baseline.entry(profile.to_owned()).or_default();
    if scope == Scope::Every {
        recorded.clear();
    }
    recorded.extend(counts.iter().map(|(case, count)| (case.clone(), count.round())));
    let text = serde_json::to_string_pretty(&baseline)? + "\n";
    fs::write(path, text).with_context(|| format!("{}", path.display()))
}

/// What the comparison says about one case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Within the tolerance.
    Same,
    /// Fewer instructions than the tolerance allows: time to record the better figure.
    Better,
    /// More instructions than the tolerance allows.
    Worse,
    /// Measured but not recorded.
    NotRecorded,
}

/// Compares a count with the recorded one.
pub fn compare(count: f64, recorded: Option<f64>, tolerance: f64) -> Verdict {
    match recorded {
        None => Verdict::NotRecorded,
        Some(recorded) if count > recorded * (1.0 + tolerance) => Verdict::Worse,
        Some(recorded) if count < recorded * (1.0 - tolerance) => Verdict::Better,
        Some(_) => Verdict::Same,
    }
}

/// The report on a measurement: lines for the reader, and how many cases failed.
pub fn report(
    counts: &Counts,
    recorded: &Counts,
    tolerance_of: impl Fn(&str) -> f64,
) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    let mut failures = 0;
    for (case, count) in counts {
        let before = recorded.get(case).copied();
        let verdict = compare(*count, before, tolerance_of(case));
        let change =
            before.map_or(String::new(), |before| format!("{:+.1} %", (count / before - 1.0) * 100.0));
        let note = match verdict {
            Verdict::Same => "",
            Verdict::Better => "better: record it with --update",
            Verdict::Worse => "WORSE",
            Verdict::NotRecorded => "NOT RECORDED: record it with --update",
        };
        failures += usize::from(matches!(verdict, Verdict::Worse | Verdict::NotRecorded));
        lines.push(format!("{case:<28} {count:>12.0} {change:>9}  {note}"));
    }
    for case in recorded.keys().filter(|case| !counts.contains_key(*case)) {
        failures += 1;
        lines.push(format!("{case:<28} {:>12} {:>9}  RECORDED BUT NOT MEASURED", "-", ""));
    }
    (lines, failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_instructions_than_tolerated_fail_and_fewer_are_noted() {
        assert_eq!(compare(104.0, Some(100.0), 0.05), Verdict::Same);
        assert_eq!(compare(106.0, Some(100.0), 0.05), Verdict::Worse);
        assert_eq!(compare(94.0, Some(100.0), 0.05), Verdict::Better);
        assert_eq!(compare(94.0, None, 0.05), Verdict::NotRecorded);
    }

    #[test]
    fn the_report_counts_failures() {
        let counts = Counts::from([("a".to_owned(), 100.0), ("b".to_owned(), 200.0), ("c".to_owned(), 1.0)]);
        let recorded = Counts::from([("a".to_owned(), 100.0), ("b".to_owned(), 100.0)]);
        let (lines, failures) = report(&counts, &recorded, |_| 0.05);
        assert_eq!(failures, 2);
        assert!(lines[1].contains("+100.0 %") && lines[1].contains("WORSE"), "{lines:?}");
        assert!(lines[2].contains("NOT RECORDED"));
        let (lines, failures) = report(&Counts::new(), &recorded, |_| 0.05);
        assert_eq!((lines.len(), failures), (2, 2), "recorded cases that have gone");
    }

    #[test]
    fn an_update_keeps_what_was_not_measured() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("baseline.json");
        let write = |profile, case: &str, count, scope| {
            update(&path, profile, &Counts::from([(case.to_owned(), count)]), scope).expect("written");
        };
        write("release", "a", 1.4, Scope::Chosen);
        write("release", "b", 2.0, Scope::Chosen);
        write("fasttest", "a", 9.0, Scope::Every);
        let baseline = read(&path).expect("readable");
        assert_eq!(baseline["release"], Counts::from([("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]));
        assert_eq!(baseline["fasttest"]["a"], 9.0);
        write("release", "c", 3.0, Scope::Every);
        let baseline = read(&path).expect("readable");
        assert_eq!(baseline["release"], Counts::from([("c".to_owned(), 3.0)]));
    }
}
