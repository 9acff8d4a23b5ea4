//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably does not do what its writer meant.
    Warning,
}

/// A problem with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, or another name of the source such as `--set`.
    pub file: Arc<str>,
    /// Line from 1; 0 if the source has no lines or the problem concerns all of it.
    pub line: u32,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// An error.
    pub fn error(file: &Arc<str>, line: u32, message: impl Into<String>) -> Self {
        Problem { file: Arc::clone(file), line, severity: Severity::Error, message: message.into() }
    }

    /// A warning.
    pub fn warning(file: &Arc<str>, line: u32, message: impl Into<String>) -> Self {
        Problem { file: Arc::clone(file), line, severity: Severity::Warning, message: message.into() }
    }

    /// Whether it keeps the configuration from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    /// `file:line: message`, without the line if there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}
