//! Validation of a stored response with the origin (RFC 9111 §4.3.1, §4.3.3, §4.3.4).

use super::preconditions::EntityTag;
use super::storing::{is_connection_field, is_named_by_connection};
use crate::object::StoredHead;
use crate::policy::SetCookiePolicy;
use smallvec::SmallVec;
use tollgate_http::{HeaderBlock, Known, Response, date, names};

/// The fields to add to a request that validates `stored`; empty when it has no validator. The client's own
/// conditional fields must be removed first.
pub fn conditional_headers(stored: &StoredHead) -> SmallVec<[(Known, &[u8]); 2]> {
    let headers = stored.fields();
    let mut fields = SmallVec::new();
    if let Some(tag) = headers.get(names::ETAG) {
        fields.push((names::IF_NONE_MATCH, tag));
    }
    // RFC 9111 §4.3.1: Last-Modified is sent as it was received, so that an origin comparing text is satisfied.
    if stored.meta().last_modified.is_some()
        && let Some(modified) = headers.get(names::LAST_MODIFIED)
    {
        fields.push((names::IF_MODIFIED_SINCE, modified));
    }
    fields
}

/// Whether a 304 speaks of `stored` (RFC 9111 §4.3.4): its validators, if it has any, do not contradict.
pub fn validates(stored: &StoredHead, response: &Response) -> bool {
    let new = response.headers.get(names::ETAG).and_then(EntityTag::parse);
    let old = stored.fields().get(names::ETAG).and_then(EntityTag::parse);
    match (new, old) {
        (Some(new), Some(old)) if new.is_strong() => new == old,
        (Some(new), Some(old)) => new.opaque() == old.opaque(),
        (Some(new), None) => !new.is_strong(),
        (None, _) => true,
    }
}

/// Whether the 200 to a HEAD request shows that `stored` is no longer what the origin has (RFC 9111 §4.3.5): a
/// validator or the length differs. The caller then removes it.
pub fn head_contradicts(stored: &StoredHead, response: &Response) -> bool {
    let differs = |name: Known| match (stored.fields().get(name), response.headers.get(name)) {
        (Some(old), Some(new)) => old != new,
        _ => false,
    };
    response.status == 200
        && [names::ETAG, names::LAST_MODIFIED, names::CONTENT_LENGTH].into_iter().any(differs)
}

/// The stored header updated by a 304 that came at `now` (RFC 9111 §3.2): fields of the 304 replace those of the
/// same name, except the ones that describe the stored content or the connection, and `Set-Cookie` unless it is
/// replayed.
pub fn merge_304(
    stored: &HeaderBlock,
    response: &HeaderBlock,
    now: i64,
    set_cookie: SetCookiePolicy,
) -> HeaderBlock {
    let updates = |name: &[u8], known: Option<Known>| {
        response.iter().any(|f| f.known == known && f.name.eq_ignore_ascii_case(name))
    };
    let mut merged = HeaderBlock::new();
    for field in stored.iter() {
        let replaced =
            field.known == Some(names::DATE) || is_updatable(field.known) && updates(field.name, field.known);
        if !replaced {
            merged.append(field.name, field.value);
        }
    }
    for field in response.iter() {
        let connection = is_connection_field(&field) || is_named_by_connection(field.name, response);
        let cookie = field.known == Some(names::SET_COOKIE) && set_cookie != SetCookiePolicy::Replay;
        if is_updatable(field.known) && !connection && !cookie {
            merged.append(field.name, field.value);
        }
    }
    // The 304's own time, else the old Date would count as its age.
    if !merged.has(names::DATE) {
        merged.append(names::DATE, date::format(now));
    }
    merged
}

/// Fields of a 304 that never replace the stored ones: they describe the stored bytes (RFC 9111 §3.2), or are
/// kept as numbers (`Age`).
fn is_updatable(known: Option<Known>) -> bool {
    !matches!(
        known,
        Some(
            names::CONTENT_LENGTH
                | names::CONTENT_ENCODING
                | names::CONTENT_RANGE
                | names::TRANSFER_ENCODING
                | names::AGE
        )
    )
}

/// The fields of a 304 made from `stored` (RFC 9110 §15.4.5): everything but the description of the content.
pub fn headers_for_304(stored: HeaderBlock) -> HeaderBlock {
    let mut headers = stored;
    let has_tag = headers.has(names::ETAG);
    headers.retain(|field| match field.known {
        Some(
            names::CONTENT_LENGTH
            | names::CONTENT_TYPE
            | names::CONTENT_ENCODING
            | names::CONTENT_LANGUAGE
            | names::CONTENT_RANGE
            | names::CONTENT_MD5
            | names::CONTENT_DISPOSITION
            | names::ACCEPT_RANGES,
        ) => false,
        Some(names::LAST_MODIFIED) => !has_tag,
        _ => true,
    });
    headers
}
