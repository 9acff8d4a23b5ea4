//! The date in the common log format, formatted once per second.
//!
//! Responsible for: `[10/Oct/2000:13:55:36 +0000]`. Not responsible for: knowing the time.
//! Invariants: always UTC, so that logs of several machines compare and no time zone file is needed.

use std::time::{Duration, UNIX_EPOCH};

/// The last second that has a four-digit year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Remembers the text of the last second asked for.
#[derive(Debug)]
pub(super) struct ClfDate {
    second: u64,
    text: [u8; 28],
}

impl ClfDate {
    pub(super) fn new() -> Self {
        Self { second: 0, text: render(0) }
    }

    /// The bracketed date of this second after 1970-01-01 UTC.
    pub(super) fn text(&mut self, second: u64) -> &[u8] {
        if second != self.second {
            self.text = render(second);
            self.second = second;
        }
        &self.text
    }
}

fn render(second: u64) -> [u8; 28] {
    let time = UNIX_EPOCH + Duration::from_secs(second.min(LAST_SECOND));
    // "Tue, 10 Oct 2000 13:55:36 GMT": its parts have fixed places.
    let http = httpdate::fmt_http_date(time);
    let http = http.as_bytes();
    let mut text = *b"[dd/Mon/yyyy:hh:mm:ss +0000]";
    text[1..3].copy_from_slice(&http[5..7]);
    text[4..7].copy_from_slice(&http[8..11]);
    text[8..12].copy_from_slice(&http[12..16]);
    text[13..21].copy_from_slice(&http[17..25]);
    text
}

#[cfg(test)]
mod tests {
    use super::ClfDate;

    #[test]
    fn date_follows_the_second_asked_for() {
        let mut date = ClfDate::new();
        assert_eq!(date.text(0), b"[01/Jan/1970:00:00:00 +0000]");
        assert_eq!(date.text(971_186_136), b"[10/Oct/2000:13:55:36 +0000]");
        assert_eq!(date.text(971_186_137), b"[10/Oct/2000:13:55:37 +0000]");
        assert_eq!(date.text(971_186_136), b"[10/Oct/2000:13:55:36 +0000]");
        assert_eq!(date.text(u64::MAX), b"[31/Dec/9999:23:59:59 +0000]");
    }
}
