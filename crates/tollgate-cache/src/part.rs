//! Stored parts: 206 responses, kept to answer ranges within them and to be completed (RFC 9111 §3.3, §3.4).
//!
//! Responsible for: which 206 may be kept, which ranges a part answers, what is missing, joining parts.
//! Not responsible for: complete objects ([`crate::range`]), freshness, asking the origin.
//! Invariants: a part never answers a request for the whole; bytes of two responses are joined only if both have the
//! same strong validator (RFC 9110 §15.3.7.3) and the length that their `Content-Range` says. Of a part whose length
//! contradicts its `Content-Range`, the first position and the bytes that came count.

use crate::disk::WrittenPart;
use crate::object::{Body, StoredHead, StoredObject};
use crate::policy::{SetCookiePolicy, SeveralRanges};
use crate::range::{self, RangeAnswer, RangeSpec, Ranges};
use crate::rules::{EntityTag, merge_304};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tollgate_http::{HeaderBlock, Method, Request, Response, framing, names};

/// LIMIT: bytes between missing ones that are asked for once more, beyond as many as the request wants.
const MOST_TOO_MUCH: u64 = 1 << 20;

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
    if let Some(body) = stored.body().on_disk() {
        let wanted = wanted(request, stored, several)?;
        let is_there = |range: &Range<u64>| body.missing(range.clone()).is_empty();
        let part = Part { first: 0, end: body.len(), complete: body.len() };
        return wanted.iter().all(is_there).then_some(PartAnswer { bytes: wanted, part });
    }
    let part = Part::of(&head.headers())?;
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

/// The bytes that a range request wants of a partly stored object; `None` if it is none, or wants something else.
fn wanted(request: &Request, stored: &StoredObject, several: SeveralRanges) -> Option<Ranges> {
    if !stored.head().is_part() {
        return None;
    }
    let whole = head_of_whole(stored.head(), stored.body().len());
    match range::evaluate(request, &whole, stored.body().len(), several) {
        RangeAnswer::Part(range) => Some(Ranges::from_elem(range, 1)),
        RangeAnswer::Parts(ranges) => Some(ranges),
        RangeAnswer::Whole | RangeAnswer::Unsatisfiable => None,
    }
}

/// What a partly stored object on the disk lacks to answer a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The ranges that the request asks for; `None`: the whole.
    pub wanted: Option<Ranges>,
    /// From the first to the last of the bytes that are missing.
    pub missing: Range<u64>,
    /// Bytes of the whole.
    pub complete: u64,
    /// The value of `If-Range`: a strong validator.
    pub validator: Bytes,
}

/// What has to be asked for to answer `request` from a partly stored object; `None` if that cannot be done, if nothing
/// that is stored is wanted, or if it would be much more than the request wants.
pub fn gap(request: &Request, stored: &StoredObject, several: SeveralRanges) -> Option<Gap> {
    let body = stored.body().on_disk().filter(|_| stored.head().is_part())?;
    let validator = Bytes::copy_from_slice(strong_validator(stored.head())?);
    let complete = body.len();
    let has_range = request.headers.has(names::RANGE);
    let wanted = match wanted(request, stored, several) {
        None if has_range && asks_for_range(request, stored) => return None,
        wanted => wanted,
    };
    let ranges = wanted.clone().unwrap_or_else(|| Ranges::from_elem(0..complete, 1));
    let holes = || ranges.iter().flat_map(|range| body.missing(range.clone()));
    let missing = holes().map(|hole| hole.start).min()?..holes().map(|hole| hole.end).max()?;
    let count = |ranges: Ranges| ranges.iter().map(|range| range.end - range.start).sum::<u64>();
    let asked = count(ranges.clone());
    // The origin may answer with the whole: for nothing that is stored that is not risked.
    if count(holes().collect()) == asked {
        return None;
    }
    let is_too_much = missing.end - missing.start > asked.saturating_add(MOST_TOO_MUCH);
    (request.method == Method::Get && !is_too_much).then_some(Gap { wanted, missing, complete, validator })
}

/// Whether the request's `Range` counts for the stored object.
fn asks_for_range(request: &Request, stored: &StoredObject) -> bool {
    let headers = &request.headers;
    !headers.has(names::IF_RANGE) || range::if_range_matches(headers, stored.head())
}

/// Why a 206 does not fill a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is of another version, or does not say that it is of the same.
    Version,
    /// It has other bytes than were asked for.
    Bytes,
}

/// The whole's response, from the header of a partly stored object and the 206 with what it lacks.
///
/// # Errors
/// Why the two are not put together.
pub fn filled(
    stored: &StoredObject,
    gap: &Gap,
    response: &Response,
    now: i64,
    set_cookie: SetCookiePolicy,
) -> Result<Response, Misfit> {
    let part = Part::of(&response.headers);
    if !has_validator(stored.head(), &response.headers) || part.is_some_and(|p| p.complete != gap.complete) {
        return Err(Misfit::Version);
    }
    let length = framing::content_length(&response.headers);
    let is_asked = |part: Part| {
        (part.first..part.end) == gap.missing && length.is_ok_and(|l| l.is_none_or(|n| n == part.len()))
    };
    if response.status != 206 || !part.is_some_and(is_asked) {
        return Err(Misfit::Bytes);
    }
    Ok(whole_of(stored, response, gap.complete, now, set_cookie))
}

/// The response that a 206 makes of the header of what is stored.
fn whole_of(
    stored: &StoredObject,
    part: &Response,
    complete: u64,
    now: i64,
    set_cookie: SetCookiePolicy,
) -> Response {
    let mut response = Response::new(200);
    response.headers = merge_304(&stored.headers(), &part.headers, now, set_cookie);
    response.headers.remove(names::CONTENT_RANGE);
    response.headers.set(names::CONTENT_LENGTH, complete.to_string());
    if let Some(age) = part.headers.get(names::AGE) {
        response.headers.append(names::AGE, age);
    }
    response
}

/// Where the body of this response belongs in its whole, and how long that is, if it may be kept in parts: it has a
/// strong validator, and says its length.
pub fn place_of(head: &StoredHead) -> Option<WrittenPart> {
    strong_validator(head)?;
    let headers = head.headers();
    let length = framing::content_length(&headers).ok().flatten();
    match head.status() {
        200 => length.map(|complete| WrittenPart { first: 0, complete }),
        206 => {
            let part = Part::of(&headers)?;
            let place = WrittenPart { first: part.first, complete: part.complete };
            length.is_none_or(|n| n == part.len()).then_some(place)
        }
        _ => None,
    }
}

/// The part in memory that the beginning of a body makes, if it may be kept.
pub fn cut_off(head: &StoredHead, chunks: &[Bytes]) -> Option<StoredObject> {
    let WrittenPart { first, complete } = place_of(head)?;
    let body = Body::from_chunks(chunks);
    if body.is_empty() || body.len() >= complete {
        return None;
    }
    let mut headers = head.headers();
    headers.set(names::CONTENT_RANGE, range::content_range(&(first..first + body.len()), complete));
    headers.set(names::CONTENT_LENGTH, body.len().to_string());
    let head = head.with_status(206, &headers);
    Some(StoredObject::new(head, body))
}

/// What is missing behind a part that begins at the first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTail<'a> {
    /// The first missing byte.
    pub first: u64,
    /// The value of `If-Range`, if there is a strong validator.
    pub validator: Option<&'a [u8]>,
}

/// What has to be asked for to make a part in memory whole; `None` if its beginning is missing too.
pub fn missing_tail(stored: &StoredObject) -> Option<MissingTail<'_>> {
    let part = exact(stored)?;
    (part.first == 0 && !part.reaches_end())
        .then(|| MissingTail { first: part.end, validator: strong_validator(stored.head()) })
}

/// The part, if the body has the length that it says.
fn exact(stored: &StoredObject) -> Option<Part> {
    let part = Part::of(&stored.headers()).filter(|_| stored.head().is_part())?;
    (part.len() == stored.body().len()).then_some(part)
}

/// RFC 9110 §8.8.1: a strong tag, else a `Last-Modified` more than a second older than `Date`.
fn strong_validator(head: &StoredHead) -> Option<&[u8]> {
    let headers = head.fields();
    if let Some(tag) = headers.get(names::ETAG) {
        return EntityTag::parse(tag).filter(EntityTag::is_strong).map(|_| tag);
    }
    let meta = head.meta();
    let is_strong = meta.last_modified.is_some_and(|modified| meta.date > modified);
    headers.get(names::LAST_MODIFIED).filter(|_| is_strong)
}

/// Whether a response with these fields is of the same representation, without doubt.
fn has_validator(head: &StoredHead, headers: &HeaderBlock) -> bool {
    let name = if head.fields().has(names::ETAG) { names::ETAG } else { names::LAST_MODIFIED };
    strong_validator(head).is_some_and(|own| headers.get(name) == Some(own))
}

/// Whether both are headers of the same representation, without doubt.
pub(crate) fn is_same_version(one: &StoredHead, other: &StoredHead) -> bool {
    has_validator(one, &other.headers())
}

/// The header of the whole, of `complete` bytes, that `head` is the header of a part of, or of the whole.
pub(crate) fn head_of_whole(head: &StoredHead, complete: u64) -> StoredHead {
    let mut headers = head.headers();
    headers.remove(names::CONTENT_RANGE);
    headers.set(names::CONTENT_LENGTH, complete.to_string());
    head.with_status(200, &headers)
}

/// The header of a part that does not say which one it is.
pub(crate) fn head_of_part(head: &StoredHead) -> StoredHead {
    let mut headers = head.headers();
    headers.remove(names::CONTENT_RANGE);
    headers.remove(names::CONTENT_LENGTH);
    head.with_status(206, &headers)
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
    Some(whole_of(stored, tail, own.complete, now, set_cookie))
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
    if !touch || !has_validator(old.head(), &new.headers()) {
        return None;
    }
    let union = Part { first: a.first.min(b.first), end: a.end.max(b.end), complete: a.complete };
    // What came last counts where both have bytes; they are the same.
    let before = old.body().slice(0..b.first.saturating_sub(a.first));
    let behind = old.body().slice(b.end.clamp(a.first, a.end) - a.first..a.len());
    let chunks: Vec<_> = before.chain(new.body().slice(0..b.len())).chain(behind).collect();
    let mut headers = new.headers();
    headers.set(names::CONTENT_LENGTH, union.len().to_string());
    let status = if union.len() == union.complete {
        headers.remove(names::CONTENT_RANGE);
        200
    } else {
        headers.set(names::CONTENT_RANGE, range::content_range(&(union.first..union.end), union.complete));
        206
    };
    let head = new.head().with_status(status, &headers);
    Some(StoredObject::new(head, Body::from_chunks(&chunks)))
}
