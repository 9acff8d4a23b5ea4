//! Which hosts are marked as down, why, and until when.
//!
//! Responsible for: the marks. Not responsible for: who sets them, refusing to ask a host (`txn::wishes`).
//! Invariant: a host is down exactly while a reason for it stands, or it was marked for no known reason.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};

/// LIMIT: hosts with a mark.
const MOST_HOSTS: usize = 1 << 16;
/// `TS_HOST_STATUS_DOWN`.
const DOWN: i32 = 1;
/// `TS_HOST_STATUS_UP`.
const UP: i32 = 2;
/// Active, local, manual: the reasons that may end by themselves. Self-detection is the fourth.
const TIMED: usize = 3;
const ALL_REASONS: u32 = 15;

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    status: i32,
    reasons: u32,
    /// When each reason ends, in seconds since 1970; 0: never.
    until: [i64; TIMED],
}

impl Mark {
    fn clear(&mut self, reasons: u32, then: i32) {
        self.reasons &= !reasons;
        self.status = if self.reasons == 0 { then } else { DOWN };
    }

    fn at(mut self, now: i64) -> Mark {
        for (bit, until) in self.until.into_iter().enumerate() {
            if until != 0 && until <= now && self.reasons & 1 << bit != 0 {
                self.clear(1 << bit, UP);
            }
        }
        self
    }
}

/// The marks of all hosts.
#[derive(Debug, Default)]
pub struct HostStatuses {
    marks: RwLock<HashMap<String, Mark>>,
    /// There have been marks: else nobody has to look.
    is_used: AtomicBool,
}

/// The marks of this process.
pub fn hosts() -> &'static HostStatuses {
    static HOSTS: LazyLock<HostStatuses> = LazyLock::new(HostStatuses::default);
    &HOSTS
}

impl HostStatuses {
    /// Marks a host, for `seconds` (0: until it is marked again) from `now` (seconds since 1970).
    pub fn set(&self, host: &str, status: i32, seconds: u32, reason: u32, now: i64) {
        self.is_used.store(true, Ordering::Relaxed);
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= MOST_HOSTS && !marks.contains_key(host) {
            return;
        }
        let mark = marks.entry(host.to_owned()).or_default();
        if status != DOWN {
            mark.clear(reason, status);
            return;
        }
        mark.status = DOWN;
        mark.reasons |= reason & ALL_REASONS;
        for (bit, until) in mark.until.iter_mut().enumerate() {
            if reason & 1 << bit != 0 {
                *until = if seconds == 0 { 0 } else { now + i64::from(seconds) };
            }
        }
    }

    /// Status and reasons of a host that has been marked.
    pub fn get(&self, host: &str, now: i64) -> Option<(i32, u32)> {
        let mark = self.marks.read().unwrap_or_else(PoisonError::into_inner).get(host)?.at(now);
        Some((mark.status, mark.reasons))
    }

    /// Whether a host is marked as down.
    pub fn is_down(&self, host: &str, now: i64) -> bool {
        self.is_used.load(Ordering::Relaxed) && self.get(host, now).is_some_and(|(status, _)| status == DOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_up_when_the_last_reason_is_gone() {
        let hosts = HostStatuses::default();
        assert_eq!(hosts.get("a", 0), None);
        hosts.set("a", DOWN, 0, 4, 0);
        hosts.set("a", DOWN, 0, 1, 0);
        assert_eq!(hosts.get("a", i64::MAX), Some((DOWN, 5)));
        hosts.set("a", UP, 0, 4, 0);
        assert_eq!(hosts.get("a", 0), Some((DOWN, 1)));
        hosts.set("a", UP, 0, 15, 0);
        assert_eq!(hosts.get("a", 0), Some((UP, 0)));
    }

    #[test]
    fn a_reason_ends_when_its_time_is_over() {
        let hosts = HostStatuses::default();
        hosts.set("a", DOWN, 300, 2, 1000);
        assert!(hosts.is_down("a", 1299));
        assert!(!hosts.is_down("a", 1300));
        assert!(!hosts.is_down("b", 0));
    }
}
