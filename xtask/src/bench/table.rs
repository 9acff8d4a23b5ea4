//! The report: medians as Markdown tables.
//!
//! Responsible for: choosing the runs that count, medians, and the text. Not responsible for: measuring.
//!
//! A run counts when it is valid, nothing else ran on the server's CPU and, in a closed loop, that CPU was at least
//! 90 % busy (a server that waits batches less and pays more per request). If no run is that clean, the valid ones
//! are shown and the row says so.

use std::fmt::Write;

use serde::Serialize;

use super::measure::{Figures, LoadFigures};
use super::scenario::{Load, SCENARIOS, Scenario};

/// One run of the benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The server's name.
    pub server: String,
    /// The scenario's name.
    pub scenario: &'static str,
    /// What it showed, or why it is not valid.
    pub result: Result<Figures, String>,
}

/// What was measured where.
#[derive(Debug, Clone, Default, Serialize)]
pub struct About {
    /// When.
    pub date: String,
    /// Processor.
    pub processor: String,
    /// Kernel.
    pub kernel: String,
    /// The servers' versions: name and version.
    pub versions: Vec<(String, String)>,
    /// Generator, origin, seconds and repetitions, in words.
    pub method: String,
}

/// The whole report.
pub fn report(about: &About, runs: &[Run]) -> String {
    let mut text = String::from("# Benchmark results\n\n");
    text += "Written by `cargo xtask bench`; [how it is measured](README.md).\n\n";
    for (what, value) in [
        ("Date", &about.date),
        ("Processor", &about.processor),
        ("Kernel", &about.kernel),
        ("Method", &about.method),
    ] {
        _ = writeln!(text, "* {what}: {value}");
    }
    for (name, version) in &about.versions {
        _ = writeln!(text, "* {name}: {version}");
    }
    for scenario in &SCENARIOS {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.scenario == scenario.name).collect();
        if !runs.is_empty() {
            _ = write!(text, "\n## {}\n\n{}\n\n{}", scenario.name, scenario.about, table(scenario, &runs));
        }
    }
    text
}

fn table(scenario: &Scenario, runs: &[&Run]) -> String {
    let mut servers: Vec<&str> = Vec::new();
    for run in runs {
        if !servers.contains(&run.server.as_str()) {
            servers.push(&run.server);
        }
    }
    let mut rows: Vec<(f64, String)> = servers
        .into_iter()
        .map(|server| {
            let own: Vec<&Run> = runs.iter().filter(|run| run.server == server).copied().collect();
            row(scenario, server, &own)
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let head = if scenario.load == Load::Idle {
        "| server | KiB RSS per connection | KiB PSS per connection | RSS MiB | runs |\n|---|--:|--:|--:|--:|\n"
    } else {
        "| server | CPU µs/request | req/s | p50 µs | p99 µs | RSS MiB | runs |\n|---|--:|--:|--:|--:|--:|--:|\n"
    };
    rows.into_iter().fold(head.to_owned(), |text, (_, row)| text + &row + "\n")
}

/// A row and the figure it is sorted by.
fn row(scenario: &Scenario, server: &str, runs: &[&Run]) -> (f64, String) {
    let figures: Vec<&Figures> = runs.iter().filter_map(|run| run.result.as_ref().ok()).collect();
    let loads: Vec<&LoadFigures> =
        figures.iter().filter_map(|f| if let Figures::Load(load) = f { Some(load) } else { None }).collect();
    let idles: Vec<_> =
        figures.iter().filter_map(|f| if let Figures::Idle(idle) = f { Some(idle) } else { None }).collect();
    if !loads.is_empty() {
        return load_row(scenario, server, &loads, runs.len());
    }
    if !idles.is_empty() {
        let each = median(idles.iter().map(|idle| idle.rss_kib_each));
        let pss = median(idles.iter().map(|idle| idle.pss_kib_each));
        let rss = median(idles.iter().map(|idle| idle.rss_kib as f64)) / 1024.0;
        let (valid, all) = (idles.len(), runs.len());
        return (each, format!("| {server} | {each:.2} | {pss:.2} | {rss:.0} | {valid}/{all} |"));
    }
    let why = runs.iter().rev().find_map(|run| run.result.as_ref().err());
    let why = why.map_or("", |why| why.lines().next().unwrap_or_default()).replace('|', "/");
    let empty = if scenario.load == Load::Idle { "| | | " } else { "| | | | | " };
    (f64::INFINITY, format!("| {server} | invalid: {why} {empty}| 0/{} |", runs.len()))
}

fn load_row(scenario: &Scenario, server: &str, valid: &[&LoadFigures], all: usize) -> (f64, String) {
    let is_saturating = scenario.load == Load::Kept;
    let is_clean = |load: &&LoadFigures| load.is_undisturbed() && (!is_saturating || load.cpu0_busy >= 0.9);
    let clean: Vec<&LoadFigures> = valid.iter().copied().filter(is_clean).collect();
    let (counted, note) = if clean.is_empty() { (valid, " (disturbed)") } else { (&clean[..], "") };
    let value = |of: fn(&LoadFigures) -> f64| median(counted.iter().map(|load| of(load)));
    let cpu = value(|load| load.cpu_us);
    let row = format!(
        "| {server} | {cpu:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {}/{all}{note} |",
        value(|load| load.rps),
        value(|load| load.p50_us),
        value(|load| load.p99_us),
        value(|load| load.rss_kib as f64) / 1024.0,
        counted.len(),
    );
    (cpu, row)
}

/// The middle of the values, 0 without values.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(server: &str, cpu_us: f64, cpu0_us: f64) -> Run {
        let figures = LoadFigures {
            cpu_us,
            cpu0_us,
            rps: 1e6 / cpu_us,
            p50_us: 100.0,
            p99_us: 200.0,
            rss_kib: 2048,
            cpu0_busy: 1.0,
            cpu1_busy: 0.7,
            stolen: 0.0,
            requests: 1000,
            origin_requests: 0,
        };
        Run { server: server.to_owned(), scenario: "hit1k", result: Ok(Figures::Load(figures)) }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn disturbed_runs_count_only_if_there_is_no_clean_one() {
        let mixed = [run("a", 10.0, 10.0), run("a", 20.0, 40.0)];
        let text = report(&About::default(), &mixed);
        assert!(text.contains("| a | 10.00 | 100000 | 100 | 200 | 2 | 1/2 |"), "{text}");
        let text = report(&About::default(), &mixed[1..]);
        assert!(text.contains("| a | 20.00 |") && text.contains("1/1 (disturbed)"), "{text}");
    }

    #[test]
    fn the_best_server_comes_first_and_invalid_ones_last() {
        let failed = Run { result: Err("status 502\nmore".to_owned()), ..run("c", 1.0, 1.0) };
        let text = report(&About::default(), &[failed, run("b", 9.0, 9.0), run("a", 7.0, 7.0)]);
        let place = |server: &str| text.find(&format!("\n| {server} |")).expect("a row");
        assert!(place("a") < place("b") && place("b") < place("c"), "{text}");
        assert!(text.contains("| c | invalid: status 502 | | | | | | 0/1 |"), "{text}");
    }
}
