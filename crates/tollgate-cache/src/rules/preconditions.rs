//! A client's conditional request, judged against a stored response (RFC 9110 §8.8.3, §13; RFC 9111 §4.3.2).

use crate::object::StoredHead;
use tollgate_http::{HeaderBlock, Known, Method, Request, date, list, names};

/// An entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads `"opaque"` or `W/"opaque"`. Text without quotes, which some origins send, is a strong tag.
    pub fn parse(text: &'a [u8]) -> Option<EntityTag<'a>> {
        let text = text.trim_ascii();
        let (weak, rest) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let opaque = rest.strip_prefix(b"\"").and_then(|r| r.strip_suffix(b"\"")).unwrap_or(rest);
        (!rest.is_empty()).then_some(EntityTag { weak, opaque })
    }

    /// Whether it is a strong tag.
    pub fn is_strong(&self) -> bool {
        !self.weak
    }

    /// The text between the quotes.
    pub fn opaque(&self) -> &'a [u8] {
        self.opaque
    }

    /// Strong comparison: both strong and equal.
    pub fn strong_eq(&self, other: &EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison: equal, weakness aside.
    pub fn weak_eq(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// What a client's conditions say about the stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preconditions {
    /// Serve it.
    Serve,
    /// Answer 304.
    NotModified,
    /// Answer 412. Only for callers that judge for the origin: [`super::request_policy`] sends requests with
    /// `If-Match` or `If-Unmodified-Since` to the origin.
    PreconditionFailed,
}

/// Judges the conditions of `request` against `stored`, in the order of RFC 9110 §13.2.2. `Range` with `If-Range`
/// is judged by [`crate::range`].
pub fn evaluate_preconditions(request: &Request, stored: &StoredHead) -> Preconditions {
    let headers = &request.headers;
    const CONDITIONS: [Known; 4] =
        [names::IF_MATCH, names::IF_UNMODIFIED_SINCE, names::IF_NONE_MATCH, names::IF_MODIFIED_SINCE];
    // RFC 9110 §13.2.1: conditions are ignored when the plain answer would not be 2xx.
    if !headers.has_any(&CONDITIONS) || !(200..300).contains(&stored.status()) {
        return Preconditions::Serve;
    }
    if headers.has(names::IF_MATCH) {
        if !if_match(headers, stored) {
            return Preconditions::PreconditionFailed;
        }
    } else if headers.has(names::IF_UNMODIFIED_SINCE)
        && time_of(headers, names::IF_UNMODIFIED_SINCE, stored).is_some_and(|t| last_change(stored) > t)
    {
        return Preconditions::PreconditionFailed;
    }
    let is_read = matches!(request.method, Method::Get | Method::Head);
    let unchanged = if headers.has(names::IF_NONE_MATCH) {
        etag_list_matches(headers, names::IF_NONE_MATCH, stored.fields().get(names::ETAG))
    } else {
        is_read
            && headers.has(names::IF_MODIFIED_SINCE)
            && time_of(headers, names::IF_MODIFIED_SINCE, stored).is_some_and(|t| last_change(stored) <= t)
    };
    match (unchanged, is_read) {
        (false, _) => Preconditions::Serve,
        (true, true) => Preconditions::NotModified,
        (true, false) => Preconditions::PreconditionFailed,
    }
}

/// RFC 9110 §13.1.1: strong comparison.
fn if_match(headers: &HeaderBlock, stored: &StoredHead) -> bool {
    let tag = stored.fields().get(names::ETAG).and_then(EntityTag::parse);
    headers.list(names::IF_MATCH).any(|member| {
        member == b"*" || tag.is_some_and(|tag| EntityTag::parse(member).is_some_and(|m| m.strong_eq(&tag)))
    })
}

/// Whether a list of tags holds `*` or the stored tag by weak comparison (RFC 9110 §13.1.2).
pub fn etag_list_matches(headers: &HeaderBlock, name: tollgate_http::Known, tag: Option<&[u8]>) -> bool {
    let tag = tag.and_then(EntityTag::parse);
    headers.get_all(name).flat_map(list::members).any(|member| {
        member == b"*" || tag.is_some_and(|tag| EntityTag::parse(member).is_some_and(|m| m.weak_eq(&tag)))
    })
}

fn time_of(headers: &HeaderBlock, name: tollgate_http::Known, stored: &StoredHead) -> Option<i64> {
    headers.get(name).and_then(|v| date::parse(v, stored.response_time()))
}

/// RFC 9111 §4.3.2: without `Last-Modified`, the response's `Date` stands in.
fn last_change(stored: &StoredHead) -> i64 {
    let meta = stored.meta();
    meta.last_modified.unwrap_or(meta.date)
}
