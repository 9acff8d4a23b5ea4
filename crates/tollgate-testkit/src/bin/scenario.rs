//! Runs scenario files: `scenario [--bin PATH] [--peer NAME | --compare NAME | --direct] [--jobs N] [FILES or folders...]`.
//!
//! With `--compare` each is played before the peer and before Tollgate, and what both sides receive must be the same.
//! With `--check` instead, the files are only parsed; nothing is started.
//! Responsible for: the command line, finding files, running several at once, one line per scenario.
//! Exit status: 0 when nothing failed, 1 when something did, 2 for a bad command line.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tollgate_testkit::peers::Peer;
use tollgate_testkit::{Outcome, Target, check_file, compare_file, run_file};

/// Environment variable with the path of the binary under test.
const BIN_VARIABLE: &str = "TOLLGATE_BIN";
/// Build folders in which the binary is looked for.
const PROFILES: [&str; 3] = ["fasttest", "release", "debug"];

/// What is done with each file.
enum Work {
    Check,
    Run(Target),
    /// Play before the peer and before this binary.
    Compare(PathBuf, Peer),
}

struct Options {
    work: Work,
    jobs: usize,
    verbose: bool,
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let (passed, failed, skipped) = run_all(&options);
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut bin, mut work, mut jobs, mut verbose, mut paths) = (None, None, 1, false, Vec::new());
    let mut compare = None;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--bin" => bin = Some(PathBuf::from(value()?)),
            "--check" => work = Some(Work::Check),
            "--peer" => work = Some(Work::Run(Target::Peer(value()?.parse()?))),
            "--compare" => compare = Some(value()?.parse()?),
            "--direct" => work = Some(Work::Run(Target::Direct)),
            "--jobs" => jobs = value()?.parse().map_err(|_| "--jobs needs a number".to_owned())?,
            "--verbose" => verbose = true,
            other if other.starts_with('-') => return Err(format!("unknown option {other}")),
            path => paths.push(PathBuf::from(path)),
        }
    }
    if paths.is_empty() {
        paths.push(PathBuf::from("scenarios"));
    }
    let mut files = Vec::new();
    for path in &paths {
        find_files(path, &mut files)?;
    }
    files.sort();
    let work = match (work, compare) {
        (Some(work), _) => work,
        (None, Some(peer)) => Work::Compare(binary(bin)?, peer),
        (None, None) => Work::Run(Target::Tollgate(binary(bin)?)),
    };
    Ok(Options { work, jobs, verbose, files })
}

fn binary(given: Option<PathBuf>) -> Result<PathBuf, String> {
    let given = given.or_else(|| std::env::var_os(BIN_VARIABLE).map(PathBuf::from));
    let built = || PROFILES.iter().map(|profile| Path::new("target").join(profile).join("tollgate"));
    let path = given
        .or_else(|| built().find(|path| path.is_file()))
        .ok_or_else(|| format!("no tollgate binary: build it, or give --bin or {BIN_VARIABLE}"))?;
    path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))
}

fn find_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let problem = |e: std::io::Error| format!("{}: {e}", path.display());
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(problem)? {
            let entry = entry.map_err(problem)?.path();
            if entry.is_dir() || entry.extension().is_some_and(|e| e == "yaml") {
                find_files(&entry, files)?;
            }
        }
        Ok(())
    } else if path.is_file() {
        files.push(path.to_owned());
        Ok(())
    } else {
        Err(format!("{}: no such file or folder", path.display()))
    }
}

fn run_all(options: &Options) -> (usize, usize, usize) {
    let (next, counts) = (AtomicUsize::new(0), Mutex::new((0, 0, 0)));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some(file) = options.files.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let start = Instant::now();
                    let outcome = match &options.work {
                        Work::Check => check_file(file),
                        Work::Run(target) => match (run_file(file, target), target) {
                            // What is judged is the scenario: a peer's own races are not its fault.
                            (first @ Outcome::Failed { .. }, Target::Peer(_)) => {
                                let first = indented(&first.to_string());
                                println!("once more {}, which failed:\n{first}", file.display());
                                run_file(file, target)
                            }
                            (outcome, _) => outcome,
                        },
                        Work::Compare(bin, peer) => compare_file(file, bin, *peer),
                    };
                    let mut counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match &outcome {
                        Outcome::Passed => counts.0 += 1,
                        Outcome::Failed { .. } => counts.1 += 1,
                        Outcome::Skipped(_) => counts.2 += 1,
                    }
                    let is_quiet = matches!(options.work, Work::Check) && outcome == Outcome::Passed;
                    if !is_quiet {
                        report(file, &outcome, start, options.verbose);
                    }
                }
            });
        }
    });
    counts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn report(file: &Path, outcome: &Outcome, start: Instant, verbose: bool) {
    let (file, ms) = (file.display(), start.elapsed().as_millis());
    match outcome {
        Outcome::Passed => println!("ok   {file} ({ms} ms)"),
        Outcome::Skipped(reason) if verbose => println!("skip {file}: {reason}"),
        Outcome::Skipped(_) => println!("skip {file}"),
        Outcome::Failed { .. } => println!("FAIL {file} ({ms} ms)\n{}", indented(&outcome.to_string())),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("     {line}\n")).collect()
}
