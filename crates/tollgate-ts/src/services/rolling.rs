//! When a text log is set aside and a new one begun, and how the old one is called.
//!
//! Invariant: pure; the writing thread asks before it writes.

use super::local_time::LocalTime;

const MEGABYTE: u64 = 1 << 20;

/// What decides. The defaults are Traffic Server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rolling {
    /// 0: never, 1: by time, 2: by size, 3: by either, 4: by both together.
    pub(super) mode: i32,
    pub(super) interval_sec: i32,
    pub(super) offset_hr: i32,
    pub(super) size_mb: i32,
}

impl Default for Rolling {
    fn default() -> Rolling {
        Rolling { mode: 1, interval_sec: 86_400, offset_hr: 0, size_mb: 10 }
    }
}

impl Rolling {
    /// Whether a log that was begun at `begun` (seconds since 1970) and has `size` bytes is to be set aside now.
    pub(super) fn is_due(&self, begun: i64, size: u64, now: i64, offset_sec: i64) -> bool {
        let by_size = u64::try_from(self.size_mb).is_ok_and(|mb| mb > 0 && size >= mb * MEGABYTE);
        let by_time = self.period(begun, offset_sec) != self.period(now, offset_sec);
        match self.mode {
            1 => by_time,
            2 => by_size,
            3 => by_time || by_size,
            4 => by_time && by_size,
            _ => false,
        }
    }

    /// Periods are counted in local time, from the offset's hour on.
    fn period(&self, at: i64, offset_sec: i64) -> i64 {
        let interval = i64::from(self.interval_sec.max(1));
        (at + offset_sec - i64::from(self.offset_hr) * 3600).div_euclid(interval)
    }
}

/// The name of a log that is set aside: with the machine's name, and the times of its beginning and end.
pub(super) fn old_name(name: &str, machine: &str, begun: i64, ended: i64) -> String {
    format!("{name}.{machine}.{}-{}.old", LocalTime::at(begun).stamp(), LocalTime::at(ended).stamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn time_is_over_at_the_local_offset() {
        let daily = Rolling { offset_hr: 3, ..Rolling::default() };
        assert!(!daily.is_due(DAY, 0, DAY + 3 * 3600 - 1, 0));
        assert!(daily.is_due(DAY, 0, DAY + 3 * 3600, 0));
        assert!(daily.is_due(DAY, 0, DAY + 2 * 3600, 3600));
    }

    #[test]
    fn modes_combine_time_and_size() {
        let due = |mode, now, size| {
            let rolling = Rolling { mode, size_mb: 1, ..Rolling::default() };
            rolling.is_due(0, size, now, 0)
        };
        let cases =
            |mode| [(0, 0), (DAY, 0), (0, MEGABYTE), (DAY, MEGABYTE)].map(|(now, size)| due(mode, now, size));
        assert_eq!(cases(0), [false; 4]);
        assert_eq!(cases(1), [false, true, false, true]);
        assert_eq!(cases(2), [false, false, true, true]);
        assert_eq!(cases(3), [false, true, true, true]);
        assert_eq!(cases(4), [false, false, false, true]);
        assert_eq!(cases(9), [false; 4]);
    }

    #[test]
    fn the_old_name_has_both_times() {
        let name = old_name("a.log", "machine", 0, DAY);
        assert!(name.starts_with("a.log.machine.") && name.ends_with(".old"), "{name}");
        assert_eq!(name.len(), "a.log.machine.20260102.03h04m05s-20260102.03h04m05s.old".len());
    }
}
