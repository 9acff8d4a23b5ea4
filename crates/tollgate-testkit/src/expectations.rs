//! What must hold when all scripts of a scenario are done.
//!
//! Responsible for: comparing counters, metrics, logs, diagnostics, hook sequences, memory and exit status.
//! Invariant: values that settle late are polled until the deadline; a counter that is too high fails at once.

use crate::matcher::found;
use crate::model::{Counts, Expect};
use crate::process::{Process, Subject};
use crate::stage::{OriginCounts, Stage, Stop};
use std::sync::atomic::{AtomicU64, Ordering};

/// Checks everything; the first unmet expectation is the error.
pub fn judge(expect: &Expect, stage: &Stage, subject: &Subject) -> Result<(), Stop> {
    origins(expect, stage)?;
    if let Some(process) = subject.process() {
        alive_or_exited(expect, stage, process)?;
    }
    if let Subject::Tollgate(process) = subject {
        tollgate(expect, stage, subject, process)?;
    }
    Ok(())
}

fn origins(expect: &Expect, stage: &Stage) -> Result<(), Stop> {
    let main = Counts {
        requests: expect.requests,
        complete_requests: expect.complete_requests,
        connections: expect.connections,
    };
    let named = expect.origins.iter().map(|(name, counts)| (name.as_str(), counts));
    for (name, wanted) in named.chain([("origin", &main)]) {
        if *wanted == Counts::default() {
            continue;
        }
        let counts =
            stage.counts(name).ok_or_else(|| Stop::failed(format!("an origin called {name}"), "none"))?;
        settle(stage, &counts.requests, wanted.requests, &format!("requests at {name}"))?;
        settle(stage, &counts.complete, wanted.complete_requests, &format!("complete requests at {name}"))?;
        settle(stage, &counts.connections, wanted.connections, &format!("connections at {name}"))?;
        nothing_forwarded(wanted, counts, name)?;
    }
    Ok(())
}

fn settle(stage: &Stage, counter: &AtomicU64, wanted: Option<u64>, what: &str) -> Result<(), Stop> {
    let Some(wanted) = wanted else { return Ok(()) };
    let now = || counter.load(Ordering::SeqCst);
    stage.poll(
        || if now() < wanted { Err((format!("{wanted} {what}"), now().to_string())) } else { Ok(()) },
    )?;
    if now() > wanted {
        return Err(Stop::failed(format!("{wanted} {what}"), now().to_string()));
    }
    Ok(())
}

/// Where no request may arrive, no part of one may either.
fn nothing_forwarded(wanted: &Counts, counts: &OriginCounts, name: &str) -> Result<(), Stop> {
    let bytes = counts.bytes.load(Ordering::SeqCst);
    if wanted.requests == Some(0) && bytes > 0 {
        return Err(Stop::failed(format!("nothing sent to {name}"), format!("{bytes} bytes")));
    }
    Ok(())
}

fn alive_or_exited(expect: &Expect, stage: &Stage, process: &Process) -> Result<(), Stop> {
    match expect.exit {
        None => match process.exited() {
            None => Ok(()),
            Some(status) => {
                Err(Stop::failed("the proxy to be alive", format!("{status}: {}", process.output())))
            }
        },
        Some(code) => {
            let wanted = format!("the proxy to end with status {code}");
            stage.poll(|| {
                process.exited().map(|_| ()).ok_or_else(|| (wanted.clone(), "still running".into()))
            })?;
            match process.exited().and_then(|status| status.code()) {
                Some(got) if got == code => Ok(()),
                got => Err(Stop::failed(wanted, format!("{got:?}: {}", process.output()))),
            }
        }
    }
}

fn tollgate(expect: &Expect, stage: &Stage, subject: &Subject, process: &Process) -> Result<(), Stop> {
    if !expect.metrics.is_empty() {
        stage.poll(|| subject.unmet_metric(&expect.metrics))?;
    }
    for pattern in &expect.log {
        let pattern = stage.expand(pattern);
        stage.poll(|| {
            let log = subject.access_log();
            match log.lines().any(|line| found(&pattern, line.as_bytes())) {
                true => Ok(()),
                false => Err((format!("an access log line matching /{pattern}/"), log)),
            }
        })?;
    }
    for pattern in &expect.diagnostics {
        stage.poll(|| subject.unmet_diagnostics(&stage.expand(pattern)))?;
    }
    for pattern in expect.no_diagnostics.iter().map(String::as_str).chain(["panicked at"]) {
        if subject.unmet_diagnostics(pattern).is_ok() {
            return Err(Stop::failed(format!("no diagnostics matching /{pattern}/"), process.output()));
        }
    }
    for pattern in expect.output.iter().map(|pattern| stage.expand(pattern)) {
        stage.poll(|| {
            let output = process.output();
            match found(&format!("(?m){pattern}"), output.as_bytes()) {
                true => Ok(()),
                false => Err((format!("output matching /{pattern}/"), output)),
            }
        })?;
    }
    hooks(expect, stage, subject)?;
    memory(expect, process)
}

fn hooks(expect: &Expect, stage: &Stage, subject: &Subject) -> Result<(), Stop> {
    if expect.hooks.is_empty() {
        return Ok(());
    }
    let shown = |lines: &[String]| lines.join("\n         ");
    stage.poll(|| {
        let lines = subject.hook_lines();
        match lines.len() >= expect.hooks.len() {
            true => Ok(()),
            false => Err((format!("hooks {}", shown(&expect.hooks)), shown(&lines))),
        }
    })?;
    let lines = subject.hook_lines();
    if lines != expect.hooks {
        return Err(Stop::failed(format!("hooks {}", shown(&expect.hooks)), shown(&lines)));
    }
    Ok(())
}

fn memory(expect: &Expect, process: &Process) -> Result<(), Stop> {
    let Some(limit) = expect.rss_max_mb else { return Ok(()) };
    match process.peak_rss_kb() {
        Some(kb) if kb <= limit * 1024 => Ok(()),
        Some(kb) => Err(Stop::failed(format!("at most {limit} MB resident"), format!("{kb} kB"))),
        None => Err(Stop::failed("the proxy's memory figures", "none to be read")),
    }
}
