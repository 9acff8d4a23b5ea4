//! Lines of rules in configuration files: `label=value label=value`.
//!
//! Responsible for: reading one line, ranges of IPv4 addresses, the ends of lines in a buffer.
//! Not responsible for: what rules mean.
//! Invariant: texts of a line stay where they are until it is read anew or destroyed.

use super::error::ServiceError;
use super::slots::{Slots, kind};
use parking_lot::Mutex;
use std::ffi::{CStr, CString, c_char};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// LIMIT: pairs of one line.
const MOST_PAIRS: usize = 40;

/// One line.
#[derive(Default)]
struct Line {
    pairs: Vec<(CString, CString)>,
}

/// The lines of all plugins.
pub struct Lines {
    lines: Slots<Mutex<Line>>,
}

impl Lines {
    pub(super) fn new() -> Lines {
        Lines { lines: Slots::new(kind::LINE) }
    }

    /// An empty line; `None`: there are too many.
    pub fn create(&self) -> Option<u64> {
        self.lines.insert(Arc::default())
    }

    /// Ends a line.
    ///
    /// # Errors
    /// If there is no such line.
    pub fn destroy(&self, line: u64) -> Result<(), ServiceError> {
        self.lines.remove(line).map(drop).ok_or(ServiceError::Gone("line"))
    }

    /// Reads a text with a source address into a line; what is wrong with it.
    ///
    /// # Errors
    /// If there is no such line.
    pub fn parse(&self, line: u64, text: &[u8]) -> Result<Option<&'static CStr>, ServiceError> {
        let line = self.lines.get(line).ok_or(ServiceError::Gone("line"))?;
        let (pairs, fault) = pairs(text);
        let fault = fault.or_else(|| source_fault(&pairs));
        line.lock().pairs = pairs;
        Ok(fault)
    }

    /// Label and value of a pair, null if there is none.
    ///
    /// # Errors
    /// If there is no such line.
    pub fn pair(&self, line: u64, at: i32) -> Result<Option<(*const c_char, *const c_char)>, ServiceError> {
        let line = self.lines.get(line).ok_or(ServiceError::Gone("line"))?;
        let line = line.lock();
        let pair = usize::try_from(at).ok().and_then(|at| line.pairs.get(at));
        Ok(pair.map(|(label, value)| (label.as_ptr(), value.as_ptr())))
    }
}

type Pairs = Vec<(CString, CString)>;

/// The pairs of a text, up to the first fault.
fn pairs(text: &[u8]) -> (Pairs, Option<&'static CStr>) {
    let mut found = Vec::new();
    let mut rest = text.trim_ascii();
    while !rest.is_empty() {
        let Some((pair, after)) = first_pair(rest) else { return (found, Some(c"Malformed entry")) };
        if found.len() == MOST_PAIRS {
            return (found, Some(c"Too many tokens"));
        }
        found.push(pair);
        rest = after.trim_ascii_start();
    }
    (found, None)
}

fn first_pair(text: &[u8]) -> Option<((CString, CString), &[u8])> {
    let equals = text.iter().position(|c| *c == b'=' || c.is_ascii_whitespace())?;
    if equals == 0 || text[equals] != b'=' {
        return None;
    }
    let value = &text[equals + 1..];
    let (value, rest) = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = memchr::memchr(b'"', quoted)?;
            (&quoted[..end], &quoted[end + 1..])
        }
        None => value.split_at(value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len())),
    };
    if value.is_empty() {
        return None;
    }
    Some(((CString::new(&text[..equals]).ok()?, CString::new(value).ok()?), rest))
}

/// A line names one source address.
fn source_fault(pairs: &Pairs) -> Option<&'static CStr> {
    let is_source = |label: &CStr| label.to_bytes().eq_ignore_ascii_case(b"src_ip");
    match pairs.iter().filter(|(label, _)| is_source(label)).count() {
        0 if pairs.is_empty() => None,
        0 => Some(c"No source specifier"),
        1 => None,
        _ => Some(c"Multiple Sources Specified"),
    }
}

/// First and last address of `1.2.3.4`, `1.2.3.4-1.2.3.9` or `1.2.3.0/24`.
///
/// # Errors
/// What is wrong, in the oracle's words.
pub fn range(text: &str) -> Result<(u32, u32), &'static CStr> {
    let address = |text: &str| text.trim().parse::<Ipv4Addr>().map(Ipv4Addr::to_bits);
    if let Some((base, bits)) = text.split_once('/') {
        let base = address(base).map_err(|_| c"malformed IP address")?;
        let bits: u32 = bits.trim().parse().ok().filter(|b| *b <= 32).ok_or(c"bad IP mask")?;
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        return Ok((base & mask, base | !mask));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, ""));
    let first = address(first).map_err(|_| c"malformed IP address")?;
    if last.is_empty() {
        return Ok((first, first));
    }
    let last = address(last).map_err(|_| c"malformed ip address at range end")?;
    if first > last { Err(c"range start greater than range end") } else { Ok((first, last)) }
}

/// What [`next_line`] found: where the line ends, and whether its end must become a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEnd {
    /// Where `last` points to afterwards, from the beginning of the text.
    pub last: usize,
    /// Whether there is an end of line there.
    pub is_newline: bool,
}

/// The end of the first line of a text. The last line counts without an end, too, unless it is a single character.
pub fn next_line(text: &[u8]) -> Option<LineEnd> {
    match memchr::memchr(b'\n', text) {
        Some(last) => Some(LineEnd { last, is_newline: true }),
        None if text.len() > 1 => Some(LineEnd { last: text.len() - 1, is_newline: false }),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_up_to_its_fault() {
        let read = |text: &str| {
            let (pairs, fault) = pairs(text.as_bytes());
            let labels: Vec<_> = pairs.into_iter().map(|(l, _)| l.into_string().expect("text")).collect();
            (labels.join(","), fault)
        };
        assert_eq!(read("src_ip=1.2.3.4  action=\"two words\" "), ("src_ip,action".to_owned(), None));
        assert_eq!(read("a=b c"), ("a".to_owned(), Some(c"Malformed entry")));
        for text in ["=b", "a=", "a=\"b", "a =b"] {
            assert_eq!(read(text), (String::new(), Some(c"Malformed entry")), "{text}");
        }
        assert_eq!(read(&"a=b ".repeat(41)).1, Some(c"Too many tokens"));
    }

    #[test]
    fn masks_are_ranges() {
        assert_eq!(range("10.1.2.3/8"), Ok((0x0a00_0000, 0x0aff_ffff)));
        assert_eq!(range("10.1.2.3/32"), Ok((0x0a01_0203, 0x0a01_0203)));
        assert_eq!(range("10.1.2.3/0"), Ok((0, u32::MAX)));
        assert_eq!(range("10.1.2.3/33"), Err(c"bad IP mask"));
    }
}
