//! The clocks. Other crates get time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, UTC, as the kernel noted them at its last tick: up to 10 ms late, and without the cost of
/// asking the processor's counter.
pub fn unix_seconds() -> i64 {
    crate::sys::unix_seconds()
}

/// Time since 1970, UTC.
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A monotonic reading.
pub fn now() -> Instant {
    Instant::now()
}
