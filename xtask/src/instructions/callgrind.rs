//! Running a program under callgrind and reading its instruction count.
//!
//! Responsible for: the valgrind command line and the total in callgrind's output file. Not responsible for: what
//! is counted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The start of a command line that counts instructions into the file `out`.
///
/// Nothing but the instructions is simulated; one thread runs at a time, in turns.
pub fn prefix(out: &Path) -> Vec<String> {
    let out = format!("--callgrind-out-file={}", out.display());
    ["valgrind", "--quiet", "--tool=callgrind", "--cache-sim=no", "--fair-sched=yes", &out]
        .map(str::to_owned)
        .to_vec()
}

/// The instructions counted in callgrind's output file.
pub fn total(out: &Path) -> Result<u64> {
    let text = fs::read_to_string(out).with_context(|| format!("{}", out.display()))?;
    parse_total(&text).with_context(|| format!("no total in {}", out.display()))
}

fn parse_total(text: &str) -> Option<u64> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    // `totals` covers every thread; older files have only `summary`.
    value("totals:").or_else(|| value("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_either_line() {
        assert_eq!(parse_total("events: Ir\nsummary: 12\n\ntotals: 34\n"), Some(34));
        assert_eq!(parse_total("events: Ir\nsummary: 12\n"), Some(12));
        assert_eq!(parse_total("events: Ir\n"), None);
    }
}
