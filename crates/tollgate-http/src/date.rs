//! HTTP dates (RFC 9110 §5.6.7).
//!
//! Responsible for: writing IMF-fixdate, reading the three forms. Times are seconds since 1970 in UTC.
//! Reading is exact about shape (separators, widths, zone) and lenient about letter case, as caches need: a date
//! that is not understood must count as invalid, never as some other time.

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const LONG_DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days from 1970-01-01 to the given civil date (proleptic Gregorian).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Civil date (year, month, day) of a day number counted from 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The 29 bytes of IMF-fixdate for a time; years outside 0..=9999 are clamped.
pub fn format(seconds: i64) -> [u8; 29] {
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    out[..3].copy_from_slice(DAYS[(days + 4).rem_euclid(7) as usize].as_bytes());
    out[8..11].copy_from_slice(MONTHS[(month - 1) as usize].as_bytes());
    let mut two = |at: usize, value: i64| {
        out[at] = b'0' + (value / 10 % 10) as u8;
        out[at + 1] = b'0' + (value % 10) as u8;
    };
    two(5, day);
    two(12, year / 100);
    two(14, year % 100);
    two(17, second / 3600);
    two(20, second / 60 % 60);
    two(23, second % 60);
    out
}

/// The time of an HTTP date; `None` when the text is none of the three forms. `now` (seconds) places two-digit
/// years: a date that would be more than 50 years ahead is in the past (RFC 9110 §5.6.7).
pub fn parse(text: &[u8], now: i64) -> Option<i64> {
    let text = text.trim_ascii();
    if text.len() == 29 && text[3] == b',' {
        imf_fixdate(text)
    } else if memchr::memchr(b',', text).is_some() {
        rfc850(text, now)
    } else {
        asctime(text)
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<i64> {
    index_of(&DAYS, &text[..3])?;
    expect(text, &[(4, b' '), (7, b' '), (11, b' '), (16, b' '), (25, b' ')])?;
    gmt(&text[26..29])?;
    let month = index_of(&MONTHS, &text[8..11])?;
    time(digits(&text[12..16])?, month, digits(&text[5..7])?, &text[17..25])
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], now: i64) -> Option<i64> {
    let comma = memchr::memchr(b',', text)?;
    index_of(&LONG_DAYS, &text[..comma])?;
    let rest = &text[comma + 1..];
    if rest.len() != 23 {
        return None;
    }
    expect(rest, &[(0, b' '), (3, b'-'), (7, b'-'), (10, b' '), (19, b' ')])?;
    gmt(&rest[20..23])?;
    let month = index_of(&MONTHS, &rest[4..7])?;
    let (this_year, _, _) = civil_from_days(now.div_euclid(86_400));
    let mut year = this_year - this_year.rem_euclid(100) + digits(&rest[8..10])?;
    if year > this_year + 50 {
        year -= 100;
    }
    time(year, month, digits(&rest[1..3])?, &rest[11..19])
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<i64> {
    if text.len() != 24 {
        return None;
    }
    index_of(&DAYS, &text[..3])?;
    expect(text, &[(3, b' '), (7, b' '), (10, b' '), (19, b' ')])?;
    let month = index_of(&MONTHS, &text[4..7])?;
    let day = if text[8] == b' ' { digits(&text[9..10])? } else { digits(&text[8..10])? };
    time(digits(&text[20..24])?, month, day, &text[11..19])
}

fn time(year: i64, month: usize, day: i64, clock: &[u8]) -> Option<i64> {
    expect(clock, &[(2, b':'), (5, b':')])?;
    let (hour, minute, second) = (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..8])?);
    let month = month as i64 + 1;
    // A leap second (60) is legal and counts as the next one.
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day))
        .then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

fn index_of(names: &[&str], text: &[u8]) -> Option<usize> {
    names.iter().position(|n| n.as_bytes().eq_ignore_ascii_case(text))
}

fn expect(text: &[u8], bytes: &[(usize, u8)]) -> Option<()> {
    bytes.iter().all(|(at, byte)| text.get(*at) == Some(byte)).then_some(())
}

fn gmt(zone: &[u8]) -> Option<()> {
    zone.eq_ignore_ascii_case(b"GMT").then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn the_three_forms_name_one_time() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "SUN, 06 NOV 1994 08:49:37 gMT",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), Some(784_111_777), "{text}");
        }
        assert_eq!(&format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn two_digit_years_follow_the_fifty_year_rule() {
        let year = |text: &str| parse(text.as_bytes(), NOW).map(|s| civil_from_days(s / 86_400).0);
        assert_eq!(year("Sunday, 06-Nov-50 08:49:37 GMT"), Some(2050));
        assert_eq!(year("Sunday, 06-Nov-94 08:49:37 GMT"), Some(1994));
    }

    #[test]
    fn dates_of_another_shape_are_invalid() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Xxx, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in -10_000_000_000i64..250_000_000_000) {
            prop_assert_eq!(parse(&format(seconds), NOW), Some(seconds));
        }

        #[test]
        fn agrees_with_httpdate(seconds in 0u64..250_000_000_000) {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let text = httpdate::fmt_http_date(time);
            prop_assert_eq!(&format(seconds as i64)[..], text.as_bytes());
        }

        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _: Option<i64> = parse(&bytes, NOW);
        }
    }
}
