//! How a scenario ended.
//!
//! Responsible for: the result type of the runner and the form in which a failure is shown.

use std::fmt;

/// One expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The script and step, such as `client a, step 3 (expect)`.
    pub at: String,
    /// What the scenario demanded.
    pub expected: String,
    /// What happened instead.
    pub got: String,
}

impl Failure {
    /// A failure of the part of the scenario called `at`.
    pub fn new(at: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { at: at.into(), expected: expected.into(), got: got.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at       {}\nexpected {}\ngot      {}", self.at, self.expected, self.got)
    }
}

/// The result of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every expectation was met.
    Passed,
    /// At least one was not.
    Failed {
        /// The failures, the first one first.
        failures: Vec<Failure>,
        /// What passed on the wire, escaped, one event per line.
        transcript: String,
    },
    /// The scenario does not apply to this target, with the reason.
    Skipped(String),
}

impl Outcome {
    /// Whether the scenario counts as failed.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed { failures, transcript } => {
                for failure in failures {
                    writeln!(f, "{failure}")?;
                }
                write!(f, "transcript:\n{transcript}")
            }
        }
    }
}
