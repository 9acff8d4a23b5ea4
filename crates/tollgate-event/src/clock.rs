//! The clocks. Other crates get time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds that the time of day is ahead of the system's.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Sets the time of day this many seconds ahead of the system's (record `proxy.config.tollgate.clock_offset`): what
/// is stored ages at once. Waits and timeouts are not touched.
pub fn set_ahead(seconds: i64) {
    AHEAD.store(seconds, Ordering::Relaxed);
}

/// Seconds since 1970, UTC, as the kernel noted them at its last tick: up to 10 ms late, and without the cost of
/// asking the processor's counter.
pub fn unix_seconds() -> i64 {
    crate::sys::unix_seconds().saturating_add(AHEAD.load(Ordering::Relaxed))
}

/// Time since 1970, UTC.
pub fn unix_time() -> Duration {
    let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match AHEAD.load(Ordering::Relaxed) {
        0 => system,
        ahead => system.saturating_add(Duration::from_secs(ahead.unsigned_abs())),
    }
}

/// Seconds since midnight in the machine's time zone, at `seconds` since 1970.
pub fn local_time_of_day(seconds: i64) -> u32 {
    crate::sys::local_time_of_day(seconds)
}

/// A monotonic reading.
pub fn now() -> Instant {
    Instant::now()
}
