//! Stored parts: 206 responses, kept to answer ranges within them and to be completed (RFC 9111 §3.3, §3.4).
//!
//! Responsible for: which 206 may be kept, which ranges a part answers, what is missing, joining parts.
//! Not responsible for: complete objects ([`crate::range`]), freshness, asking the origin.
//! Invariants: a part never answers a request for the whole; bytes of two responses are joined only if both have the
//! same strong validator (RFC 9110 §15.3.7.3) and the length that their `Content-Range` says. Of a part whose length
//! contradicts its `Content-Range`, the first position and the bytes that came count.

use crate::object::{Body, StoredHead, StoredObject};
use crate::policy::{SetCookiePolicy, SeveralRanges};
use crate::range::{self, RangeSpec, Ranges};
use crate::rules::{EntityTag, merge_304};
use std::ops::Range;
use std::sync::Arc;
use tollgate_http::{HeaderBlock, Method, Request, Response, framing, names};

/// Where the bytes of a part stand, by its `Content-Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub first: u64,
    /// The byte behind the last one.
    pub end: u64,
    /// The length of the whole.
    pub complete: u64,
}

impl Part {
    /// The part that a 206 with these fields holds; `None` for several parts, an unknown length or a malformed field.
    pub fn of(headers: &HeaderBlock) -> Option<Part> {
        let mut values = headers.get_all(names::CONTENT_RANGE);
        match (values.next(), values.next()) {
            (Some(value), None) => Part::parse(value),
            _ => None,
        }
    }

    /// Reads `bytes first-last/complete` (RFC 9110 §14.4).
    pub fn parse(value: &[u8]) -> Option<Part> {
        let (unit, rest) = value.split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes ") {
            return None;
        }
        let dash = rest.iter().position(|b| *b == b'-')?;
        let slash = rest.iter().position(|b| *b == b'/')?;
        let first = number(rest.get(..dash)?)?;
        let last = number(rest.get(dash + 1..slash)?)?;
        let complete = number(&rest[slash + 1..])?;
        (first <= last && last < complete).then(|| Part { first, end: last + 1, complete })
    }

    fn len(self) -> u64 {
        self.end - self.first
    }

    fn reaches_end(self) -> bool {
        self.end == self.complete
    }
}

/// Digits; `None` if there are none or too many.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    text.parse().ok()
}

/// Whether this 206 to `request` may be kept as a part.
pub(crate) fn is_usable(request: &Request, response: &Response) -> bool {
    let Some(part) = Part::of(&response.headers) else { return false };
    let asked = request.headers.get(names::RANGE).and_then(range::parse);
    // A length that contradicts is only believed if it is stated: a body that merely ends may be cut off.
    let length = framing::content_length(&response.headers).ok().flatten();
    asked.is_some_and(|ranges| ranges.len() == 1) && length.is_none_or(|n| n > 0 && n <= part.len())
}

/// How a part answers a range request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAnswer {
    /// The bytes within the part's body, end exclusive, in the order in which they are sent: one range, or several for
    /// a [`Multipart`](crate::multipart::Multipart).
    pub bytes: Ranges,
    /// Where the part's body stands in the whole.
    pub part: Part,
}

impl PartAnswer {
    /// The bytes within the whole.
    pub fn ranges(&self) -> Ranges {
        let first = self.part.first;
        self.bytes.iter().map(|bytes| first + bytes.start..first + bytes.end).collect()
    }
}

/// What `request` gets from a stored part; `None` if it wants other bytes too.
pub fn answer(request: &Request, stored: &StoredObject, several: SeveralRanges) -> Option<PartAnswer> {
    let (headers, head) = (&request.headers, stored.head());
    let part = Part::of(head.headers())?;
    if request.method != Method::Get || !head.is_part() {
        return None;
    }
    if headers.has(names::IF_RANGE) && !range::if_range_matches(headers, head) {
        return None;
    }
    let specs = range::asked(headers)?;
    if specs.len() > 1 && several != SeveralRanges::Answer {
        return None;
    }
    let len = stored.body().len();
    // What the whole does not have is not asked for (RFC 9110 §14.2).
    let satisfiable = specs.iter().filter(|spec| spec.resolve(part.complete).is_some());
    let bytes: Option<Ranges> = satisfiable.map(|spec| within(*spec, part, len)).collect();
    let bytes = range::coalesced(bytes?);
    (!bytes.is_empty()).then_some(PartAnswer { bytes, part })
}

/// The bytes of the body of `len` bytes that a range names.
fn within(spec: RangeSpec, part: Part, len: u64) -> Option<Range<u64>> {
    let range = match spec {
        RangeSpec::From { first, last } => {
            let end = match last.map(|last| last.saturating_add(1)) {
                Some(end) if end < part.complete => end.checked_sub(part.first)?,
                _ if part.reaches_end() => len,
                _ => return None,
            };
            first.checked_sub(part.first)?..end
        }
        RangeSpec::Suffix(count) if part.reaches_end() => len.checked_sub(count)?..len,
        RangeSpec::Suffix(_) => return None,
    };
    (range.start < range.end && range.end <= len).then_some(range)
}

/// What is missing behind a part that begins at the first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTail<'a> {
    /// The first missing byte.
    pub first: u64,
    /// The value of `If-Range`, if there is a strong validator.
    pub validator: Option<&'a [u8]>,
}

/// What has to be asked for to make a stored part whole; `None` if its beginning is missing too.
pub fn missing_tail(stored: &StoredObject) -> Option<MissingTail<'_>> {
    let part = exact(stored)?;
    (part.first == 0 && !part.reaches_end())
        .then(|| MissingTail { first: part.end, validator: strong_validator(stored.head()) })
}

/// The part, if the body has the length that it says.
fn exact(stored: &StoredObject) -> Option<Part> {
    let part = Part::of(stored.headers()).filter(|_| stored.head().is_part())?;
    (part.len() == stored.body().len()).then_some(part)
}

/// RFC 9110 §8.8.1: a strong tag, else a `Last-Modified` more than a second older than `Date`.
fn strong_validator(head: &StoredHead) -> Option<&[u8]> {
    let headers = head.headers();
    if let Some(tag) = headers.get(names::ETAG) {
        return EntityTag::parse(tag).filter(EntityTag::is_strong).map(|_| tag);
    }
    let meta = head.meta();
    let is_strong = meta.last_modified.is_some_and(|modified| meta.date > modified);
    headers.get(names::LAST_MODIFIED).filter(|_| is_strong)
}

/// Whether a response with these fields is of the same representation, without doubt.
fn has_validator(head: &StoredHead, headers: &HeaderBlock) -> bool {
    let name = if head.headers().has(names::ETAG) { names::ETAG } else { names::LAST_MODIFIED };
    strong_validator(head).is_some_and(|own| headers.get(name) == Some(own))
}

/// The complete response that a 206 with the missing tail makes of a stored part; `None` if it does not fit.
pub fn completed(
    stored: &StoredObject,
    tail: &Response,
    now: i64,
    set_cookie: SetCookiePolicy,
) -> Option<Response> {
    let (own, other) = (exact(stored)?, Part::of(&tail.headers)?);
    let fits = tail.status == 206
        && own.first == 0
        && other.first == own.end
        && other.complete == own.complete
        && other.reaches_end()
        && framing::content_length(&tail.headers).ok()?.is_none_or(|n| n == other.len());
    if !fits || !has_validator(stored.head(), &tail.headers) {
        return None;
    }
    let mut response = Response::new(200);
    response.headers = merge_304(stored.headers(), &tail.headers, now, set_cookie);
    response.headers.remove(names::CONTENT_RANGE);
    response.headers.set(names::CONTENT_LENGTH, own.complete.to_string());
    if let Some(age) = tail.headers.get(names::AGE) {
        response.headers.append(names::AGE, age);
    }
    Some(response)
}

/// What is stored of `new`, a part that has just come, beside the `alternates` of its key: `None` if the whole is
/// there, the two joined if they touch, else `new` itself.
pub fn to_store(alternates: &[Arc<StoredObject>], new: &Arc<StoredObject>) -> Option<Arc<StoredObject>> {
    let same = |old: &&Arc<StoredObject>| new.head().is_same_variant(old.head());
    match alternates.iter().find(same) {
        Some(old) if !old.head().is_part() => None,
        Some(old) => Some(joined(old, new).map_or_else(|| Arc::clone(new), Arc::new)),
        None => Some(Arc::clone(new)),
    }
}

fn joined(old: &StoredObject, new: &StoredObject) -> Option<StoredObject> {
    let (a, b) = (exact(old)?, exact(new)?);
    let touch = a.complete == b.complete && a.first <= b.end && b.first <= a.end;
    if !touch || !has_validator(old.head(), new.headers()) {
        return None;
    }
    let union = Part { first: a.first.min(b.first), end: a.end.max(b.end), complete: a.complete };
    // What came last counts where both have bytes; they are the same.
    let before = old.body().slice(0..b.first.saturating_sub(a.first));
    let behind = old.body().slice(b.end.clamp(a.first, a.end) - a.first..a.len());
    let chunks: Vec<_> = before.chain(new.body().slice(0..b.len())).chain(behind).collect();
    let mut headers = new.headers().clone();
    headers.set(names::CONTENT_LENGTH, union.len().to_string());
    let status = if union.len() == union.complete {
        headers.remove(names::CONTENT_RANGE);
        200
    } else {
        headers.set(names::CONTENT_RANGE, range::content_range(&(union.first..union.end), union.complete));
        206
    };
    let head = new.head().with_status(status, headers.compact());
    Some(StoredObject::new(Arc::new(head), Body::from_chunks(&chunks)))
}
