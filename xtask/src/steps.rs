//! The list of steps a chore goes through, and its summary.
//!
//! Responsible for: running each step, timing it, going on after a failed one, and printing the summary whose
//! last line is `N passed, N failed`. Not responsible for: what a step does.
//!
//! Invariant: a step that did not return `Ok` counts as failed; a chore without steps fails.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps run so far.
#[derive(Default)]
pub struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    error: Option<String>,
    took: Duration,
}

impl Steps {
    /// Runs one step and notes its outcome; says whether it passed.
    pub fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> bool {
        println!("\n==> {name}");
        let start = Instant::now();
        let error = step().err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            println!("FAILED {name}: {error}");
        }
        let passed = error.is_none();
        self.done.push(Step { name: name.to_owned(), error, took: start.elapsed() });
        passed
    }

    /// Notes steps that could not be tried because something they need failed.
    pub fn fail(&mut self, names: &[&str], why: &str) {
        for name in names {
            self.run(name, || Err(anyhow::anyhow!("not run: {why}")));
        }
    }

    /// The summary: one line per step, then `N passed, N failed`.
    pub fn summary(&self) -> String {
        let mut text = String::from("\n");
        for step in &self.done {
            let mark = if step.error.is_none() { "ok    " } else { "FAILED" };
            text += &format!("{mark} {:<34} {:7.1} s", step.name, step.took.as_secs_f64());
            if let Some(error) = &step.error {
                text += &format!("  {}", error.lines().next().unwrap_or_default());
            }
            text.push('\n');
        }
        let failed = self.done.iter().filter(|step| step.error.is_some()).count();
        text += &format!("{} passed, {failed} failed", self.done.len() - failed);
        text
    }

    /// Prints the summary; success only if there was a step and all passed.
    pub fn finish(self) -> ExitCode {
        println!("{}", self.summary());
        let all_passed = self.done.iter().all(|step| step.error.is_none());
        if all_passed && !self.done.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_passed_and_failed_steps() {
        let mut steps = Steps::default();
        assert!(steps.run("good", || Ok(())));
        assert!(!steps.run("bad", || Err(anyhow::anyhow!("broken\nin two lines"))));
        steps.fail(&["later"], "the build failed");
        let summary = steps.summary();
        assert_eq!(summary.lines().last(), Some("1 passed, 2 failed"));
        assert!(summary.contains("not run: the build failed"));
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn a_chore_without_steps_fails() {
        assert_eq!(Steps::default().finish(), ExitCode::FAILURE);
    }
}
