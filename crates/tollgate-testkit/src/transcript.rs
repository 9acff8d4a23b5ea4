//! The record of everything the scripts sent and received, shown when a scenario fails.
//!
//! Responsible for: collecting events of all sides in the order in which the runner saw them, and printing them.
//! Not responsible for: judging. Invariant: bounded memory, also when gigabytes pass: after [`EVENT_LIMIT`] events
//! only their number is kept, and of each event only the first [`BYTES_SHOWN`] bytes.

use crate::text::escaped;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Events kept in full.
const EVENT_LIMIT: usize = 400;
/// Bytes of one event that are kept.
const BYTES_SHOWN: usize = 1500;

/// Which way bytes went, seen from the script that owns the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The script sent them.
    Sent,
    /// The script received them.
    Received,
}

/// Thread-safe collection of events.
#[derive(Debug)]
pub struct Transcript {
    start: Instant,
    events: Mutex<Events>,
}

#[derive(Debug, Default)]
struct Events {
    lines: Vec<String>,
    dropped: usize,
}

impl Default for Transcript {
    fn default() -> Self {
        Self { start: Instant::now(), events: Mutex::default() }
    }
}

impl Transcript {
    /// Records bytes that passed on the connection called `label`.
    pub fn bytes(&self, label: &str, way: Way, bytes: &[u8]) {
        let arrow = match way {
            Way::Sent => "->",
            Way::Received => "<-",
        };
        self.push(|| format!("{label} {arrow} {}", escaped(bytes, BYTES_SHOWN)));
    }

    /// Records anything else worth knowing (connect, close, barrier, process output).
    pub fn note(&self, label: &str, text: &str) {
        self.push(|| format!("{label} -- {text}"));
    }

    fn push(&self, line: impl FnOnce() -> String) {
        let ms = self.start.elapsed().as_millis();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.lines.len() < EVENT_LIMIT {
            events.lines.push(format!("{ms:>6} ms {}", line()));
        } else {
            events.dropped += 1;
        }
    }

    /// The whole record as text, one event per line.
    pub fn render(&self) -> String {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = events.lines.join("\n");
        if events.dropped > 0 {
            out.push_str(&format!("\n... and {} more events", events.dropped));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_beyond_the_limit_are_counted_not_kept() {
        let transcript = Transcript::default();
        for _ in 0..EVENT_LIMIT + 7 {
            transcript.bytes("c", Way::Sent, b"x\n");
        }
        let text = transcript.render();
        assert_eq!(text.lines().count(), EVENT_LIMIT + 1);
        assert!(text.ends_with("... and 7 more events"));
        assert!(text.contains("c -> x\\n"));
    }
}
