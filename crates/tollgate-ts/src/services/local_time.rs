//! The local time of day, in the forms of log files.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time in the machine's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalTime {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    /// How far the time zone is ahead of UTC.
    pub(super) offset_sec: i64,
}

/// Seconds since 1970, now.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl LocalTime {
    /// The local time at `seconds` since 1970.
    pub(super) fn at(seconds: i64) -> LocalTime {
        let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both point to live values of the right types; all-zero bytes are a valid `tm`, whether or not the
        // function writes it.
        let parts = unsafe {
            libc::localtime_r(&seconds, parts.as_mut_ptr());
            parts.assume_init()
        };
        LocalTime {
            year: parts.tm_year + 1900,
            month: parts.tm_mon + 1,
            day: parts.tm_mday,
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
            offset_sec: parts.tm_gmtoff,
        }
    }

    /// `20260102.03h04m05s`.
    pub(super) fn stamp(self) -> String {
        let LocalTime { year, month, day, hour, minute, second, .. } = self;
        format!("{year:04}{month:02}{day:02}.{hour:02}h{minute:02}m{second:02}s")
    }

    /// `Jan 02 03:04:05`.
    pub(super) fn diagnostic(self) -> String {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = usize::try_from(self.month - 1).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"???");
        format!("{month} {:02} {:02}:{:02}:{:02}", self.day, self.hour, self.minute, self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_have_fixed_widths() {
        let time = LocalTime { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, offset_sec: 0 };
        assert_eq!(time.stamp(), "20260102.03h04m05s");
        assert_eq!(time.diagnostic(), "Jan 02 03:04:05");
    }

    #[test]
    fn local_time_is_utc_and_its_offset() {
        let time = LocalTime::at(86_400 * 365);
        let seconds = i64::from(time.hour * 3600 + time.minute * 60 + time.second);
        assert_eq!((seconds - time.offset_sec).rem_euclid(86_400), 0);
    }
}
