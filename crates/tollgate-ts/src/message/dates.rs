//! Dates in field values, read and written as Traffic Server does.
//!
//! Responsible for: the four forms it reads, what it makes of junk, and the one form it writes.

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days before each month in a year that starts in March.
const DAYS_BEFORE: [i32; 12] = [305, 336, -1, 30, 60, 91, 121, 152, 183, 213, 244, 274];
/// Length of a written date.
pub const DATE_BYTES: usize = 29;

#[derive(Default)]
struct Parts {
    year: i32,
    month: usize,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
}

/// The time in seconds since 1970; 0 if the text is no date or lies before, the largest 32-bit number from 2038.
pub fn parse(text: &[u8]) -> i64 {
    let start = text.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(text.len());
    read(&text[start..]).map_or(0, |parts| seconds(&parts))
}

fn read(text: &[u8]) -> Option<Parts> {
    if text.len() >= DATE_BYTES && text[3] == b',' {
        return fixed(text);
    }
    let mut scan = Scan { rest: text };
    let mut parts = Parts::default();
    if !text.first()?.is_ascii_digit() {
        scan.word(&DAYS)?;
        scan.blanks();
    }
    if matches!(scan.rest.first(), Some(b',' | b'0'..=b'9')) {
        parts.day = scan.number()?;
        parts.month = scan.word(&MONTHS)?;
        parts.year = scan.year()?;
        scan.time(&mut parts)?;
    } else {
        parts.month = scan.word(&MONTHS)?;
        parts.day = scan.number()?;
        scan.time(&mut parts)?;
        parts.year = scan.year()?;
    }
    Some(parts)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` by position. ATS: digits are not checked.
fn fixed(text: &[u8]) -> Option<Parts> {
    prefix(text, &DAYS)?;
    let digit = |at: usize| i32::from(text[at]) - i32::from(b'0');
    let two = |at: usize| digit(at) * 10 + digit(at + 1);
    let month = MONTHS.iter().position(|m| m.as_bytes() == &text[8..11])?;
    if text[19] != b':' || text[22] != b':' {
        return None;
    }
    let year = two(12) * 100 + two(14) - 1900;
    Some(Parts { year, month, day: two(5), hour: two(17), minute: two(20), second: two(23) })
}

fn prefix(text: &[u8], names: &[&str]) -> Option<usize> {
    names.iter().position(|n| text.get(..n.len()).is_some_and(|t| t.eq_ignore_ascii_case(n.as_bytes())))
}

fn seconds(parts: &Parts) -> i64 {
    if parts.year > 137 {
        return i32::MAX.into();
    }
    if parts.year < 70 {
        return 0;
    }
    let year = if parts.month < 2 { parts.year - 1 } else { parts.year };
    let days = parts
        .day
        .wrapping_add(DAYS_BEFORE[parts.month])
        .wrapping_add(year * 365 + year / 4 - year / 100 + (year / 100 + 3) / 4)
        .wrapping_sub(25508);
    let hours = days.wrapping_mul(24).wrapping_add(parts.hour);
    let minutes = hours.wrapping_mul(60).wrapping_add(parts.minute);
    minutes.wrapping_mul(60).wrapping_add(parts.second).into()
}

struct Scan<'t> {
    rest: &'t [u8],
}

impl Scan<'_> {
    fn skip(&mut self, stop: impl Fn(u8) -> bool) {
        let at = self.rest.iter().position(|b| *b == 0 || stop(*b)).unwrap_or(self.rest.len());
        self.rest = &self.rest[at..];
    }

    fn blanks(&mut self) {
        self.skip(|b| b != b' ' && b != b'\t');
    }

    /// The next word, which starts with one of `names`.
    fn word(&mut self, names: &[&str]) -> Option<usize> {
        self.skip(|b| b.is_ascii_alphabetic());
        let found = prefix(self.rest, names)?;
        self.skip(|b| !b.is_ascii_alphabetic());
        Some(found)
    }

    fn number(&mut self) -> Option<i32> {
        self.skip(|b| b.is_ascii_digit() || b == b'-');
        self.rest.first().filter(|b| **b != 0)?;
        let number = super::numbers::int(self.rest);
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.skip(|b| !b.is_ascii_digit());
        Some(number)
    }

    fn year(&mut self) -> Option<i32> {
        self.skip(|b| b.is_ascii_digit());
        self.rest.first().filter(|b| **b != 0)?;
        let year = super::numbers::uint(self.rest) as i32;
        self.skip(|b| !b.is_ascii_digit());
        Some(match year {
            1900.. => year - 1900,
            ..70 => year.wrapping_add(100),
            _ => year,
        })
    }

    fn time(&mut self, parts: &mut Parts) -> Option<()> {
        parts.hour = self.number()?;
        parts.minute = self.number()?;
        parts.second = self.number()?;
        Some(())
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`. Times before 1970 are written as 1970.
pub fn format(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days from 0000-03-01, in eras of 400 years.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    format!(
        "{}, {day_of_month:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[((days + 4) % 7) as usize],
        MONTHS[month as usize],
        year % 10_000,
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_four_forms_are_one_time() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "6 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), 784_111_777, "{text}");
        }
        assert_eq!(parse(b"garbage"), 0);
    }

    proptest! {
        #[test]
        fn a_written_date_is_read_back(time in 0i64..2_145_916_800) {
            prop_assert_eq!(parse(format(time).as_bytes()), time);
        }

        #[test]
        fn any_bytes_are_read_without_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            parse(&text);
        }
    }
}
