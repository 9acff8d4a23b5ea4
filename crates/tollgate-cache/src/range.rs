//! Byte ranges (RFC 9110 §14): `Range`, `If-Range`, and which part of a complete stored object answers them.
//!
//! Responsible for: parsing and judging. Not responsible for: cutting the body ([`crate::Body::slice`]), partly
//! stored objects ([`crate::part`]), the lines between several ranges ([`crate::multipart`]).
//! Invariants: no input panics; a malformed `Range`, and one of more than [`MAX_RANGES`], is ignored (RFC 9110 §14.2);
//! no byte of the object is in two ranges of an answer, so that an answer is never much longer than the object.

use crate::object::StoredHead;
use crate::policy::SeveralRanges;
use crate::rules::EntityTag;
use smallvec::SmallVec;
use tollgate_http::{HeaderBlock, Method, Request, date, list, names};

/// More ranges than this in one request are ignored: the whole is the answer. LIMIT: RFC 9110 §14.2 warns of many small
/// ranges.
pub const MAX_RANGES: usize = 16;

/// One range as the client wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// `first-last`, both inclusive; `last` is `None` in `first-`.
    From {
        /// First byte.
        first: u64,
        /// Last byte.
        last: Option<u64>,
    },
    /// `-length`: the last bytes.
    Suffix(u64),
}

impl RangeSpec {
    /// The bytes of an object of `len` bytes, end exclusive; `None` if there is none.
    pub fn resolve(self, len: u64) -> Option<std::ops::Range<u64>> {
        let range = match self {
            RangeSpec::From { first, last } => {
                first..last.map_or(len, |last| last.saturating_add(1).min(len))
            }
            RangeSpec::Suffix(count) => len.saturating_sub(count)..len,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Ranges of an object, in the order in which they are sent.
pub type Ranges = SmallVec<[std::ops::Range<u64>; 2]>;

/// The same bytes in ranges that neither overlap nor touch (RFC 9110 §15.3.7.2), each where the first of those that it
/// is made of was.
pub fn coalesced(ranges: impl IntoIterator<Item = std::ops::Range<u64>>) -> Ranges {
    let mut apart = Ranges::new();
    for mut range in ranges {
        let mut at = apart.len();
        while let Some(other) = apart.iter().position(|r| r.start <= range.end && range.start <= r.end) {
            let removed = apart.remove(other);
            range = range.start.min(removed.start)..range.end.max(removed.end);
            at = at.min(other);
        }
        apart.insert(at, range);
    }
    apart
}

/// The ranges of a `Range` field value; `None` if the unit is not `bytes` or anything is malformed.
pub fn parse(value: &[u8]) -> Option<SmallVec<[RangeSpec; 2]>> {
    let (unit, set) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let mut ranges = SmallVec::new();
    for member in list::members(set) {
        if ranges.len() == MAX_RANGES {
            return None;
        }
        ranges.push(parse_one(member)?);
    }
    (!ranges.is_empty()).then_some(ranges)
}

fn parse_one(text: &[u8]) -> Option<RangeSpec> {
    let dash = text.iter().position(|b| *b == b'-')?;
    let (first, last) = (&text[..dash], &text[dash + 1..]);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => number(last).map(RangeSpec::Suffix),
        (false, true) => number(first).map(|first| RangeSpec::From { first, last: None }),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeSpec::From { first, last: Some(last) })
        }
    }
}

/// Digits; a number too large for 64 bits counts as the largest.
fn number(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0'))))
}

/// How a request for ranges is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeAnswer {
    /// With the whole object: no usable `Range`, or `If-Range` did not match.
    Whole,
    /// With 206 and these bytes, end exclusive.
    Part(std::ops::Range<u64>),
    /// With 206 and these ranges, at least two, in a [`Multipart`](crate::multipart::Multipart).
    Parts(Ranges),
    /// With 416 and `Content-Range: bytes */len`.
    Unsatisfiable,
}

/// The ranges that the one `Range` field asks for; `None` if there is none that can be used.
pub(crate) fn asked(headers: &HeaderBlock) -> Option<SmallVec<[RangeSpec; 2]>> {
    let mut values = headers.get_all(names::RANGE);
    match (values.next(), values.next()) {
        (Some(value), None) => parse(value),
        _ => None,
    }
}

/// How `request` is answered from the complete object `stored` of `len` body bytes.
pub fn evaluate(request: &Request, stored: &StoredHead, len: u64, several: SeveralRanges) -> RangeAnswer {
    let headers = &request.headers;
    // RFC 9110 §14.2: Range is defined for GET only and applies to a 200.
    if request.method != Method::Get || !headers.has(names::RANGE) || stored.status() != 200 {
        return RangeAnswer::Whole;
    }
    if headers.has(names::IF_RANGE) && !if_range_matches(headers, stored) {
        return RangeAnswer::Whole;
    }
    let Some(specs) = asked(headers) else { return RangeAnswer::Whole };
    if specs.len() > 1 {
        match several {
            SeveralRanges::Answer => {}
            SeveralRanges::Ignore => return RangeAnswer::Whole,
            SeveralRanges::Refuse => return RangeAnswer::Unsatisfiable,
        }
    }
    let mut ranges = coalesced(specs.iter().filter_map(|spec| spec.resolve(len)));
    match ranges.len() {
        0 => RangeAnswer::Unsatisfiable,
        1 => RangeAnswer::Part(ranges.swap_remove(0)),
        _ => RangeAnswer::Parts(ranges),
    }
}

/// RFC 9110 §13.1.5: a strong tag that matches, or exactly the stored `Last-Modified` if that is strong: at least
/// a second older than `Date`.
pub(crate) fn if_range_matches(headers: &HeaderBlock, stored: &StoredHead) -> bool {
    let Some(value) = headers.get(names::IF_RANGE) else { return false };
    let meta = stored.meta();
    if let Some(time) = date::parse(value, meta.response_time) {
        return meta.last_modified == Some(time) && meta.date > time;
    }
    let tag = stored.fields().get(names::ETAG).and_then(EntityTag::parse);
    EntityTag::parse(value).zip(tag).is_some_and(|(a, b)| a.strong_eq(&b))
}

/// The value of `Content-Range` for a part of an object of `len` bytes (RFC 9110 §14.4).
pub fn content_range(part: &std::ops::Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1))
}

/// The fields of the 206 that answers with `part` of a stored object of `len` bytes: all stored ones, with the
/// length of the part (RFC 9110 §15.3.7).
pub fn headers_for_206(stored: &HeaderBlock, part: &std::ops::Range<u64>, len: u64) -> HeaderBlock {
    let mut headers = stored.clone();
    headers.set(names::CONTENT_RANGE, content_range(part, len));
    headers.set(names::CONTENT_LENGTH, part.end.saturating_sub(part.start).to_string());
    headers
}
