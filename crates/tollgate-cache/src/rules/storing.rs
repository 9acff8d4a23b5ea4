//! Whether a response may be stored (RFC 9111 §3), and the header that is stored (§3.1).

use super::freshness::StoredMeta;
use super::invalidate::names_same_resource;
use super::request::{has_body, looks_dynamic};
use crate::control::RequestControl;
use crate::control::ResponseControl;
use crate::part;
use crate::policy::{Policy, RequiredHeaders, SetCookiePolicy};
use tollgate_http::{Field, HeaderBlock, Known, Method, Request, Response, date, list, names};
use tollgate_obs::outcome::CacheReason;

/// Whether a response is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StoreDecision {
    /// It is; `meta` has what the freshness rules will need. `request_time` is `now`: the caller sets it.
    Store {
        /// The facts about the response.
        meta: StoredMeta,
    },
    /// It is not.
    Dont(CacheReason),
}

impl StoreDecision {
    /// The reason against storing, if there is one.
    pub fn reason(&self) -> Option<CacheReason> {
        match self {
            StoreDecision::Store { .. } => None,
            StoreDecision::Dont(reason) => Some(*reason),
        }
    }
}

/// Whether `response`, received at `now` for `request`, may be stored and used again. `request` is the client's as
/// it came, before remapping: `Content-Location` speaks of its URL.
pub fn store_decision(request: &Request, response: &Response, now: i64, policy: &Policy) -> StoreDecision {
    // The most frequent refusal is told before dates are parsed.
    let is_heeded = !policy.ignore_server_no_cache && policy.ttl_in_cache.is_none();
    if request.method == Method::Get && policy.enabled && is_heeded {
        let control = ResponseControl::parse(&response.headers);
        if control.no_store && !control.must_understand {
            return StoreDecision::Dont(CacheReason::NoStore);
        }
    }
    let meta = StoredMeta::new(response, now, now);
    match refusal(request, response, &meta, policy) {
        Some(reason) => StoreDecision::Dont(reason),
        None => StoreDecision::Store { meta },
    }
}

fn refusal(
    request: &Request,
    response: &Response,
    meta: &StoredMeta,
    policy: &Policy,
) -> Option<CacheReason> {
    request_refusal(request, response, meta, policy)
        .or_else(|| status_refusal(response, meta))
        .or_else(|| range_refusal(request, response, policy))
        .or_else(|| directive_refusal(request, response, meta, policy))
        .or_else(|| reuse_refusal(response, meta, policy))
}

fn request_refusal(
    request: &Request,
    response: &Response,
    meta: &StoredMeta,
    policy: &Policy,
) -> Option<CacheReason> {
    if !policy.enabled {
        return Some(CacheReason::Disabled);
    }
    match request.method {
        Method::Get if has_body(request) => return Some(CacheReason::RequestBody),
        Method::Get => {}
        // RFC 9110 §9.3.3: a POST response with an explicit lifetime that names the target as its own location
        // may answer later GETs.
        Method::Post if meta.explicit_lifetime().is_some() && is_own_location(request, response) => {}
        _ => return Some(CacheReason::Method),
    }
    if !policy.cache_urls_that_look_dynamic && looks_dynamic(&request.url) {
        return Some(CacheReason::LooksDynamic);
    }
    let no_store = !policy.ignore_client_no_cache && RequestControl::parse(&request.headers).no_store;
    no_store.then_some(CacheReason::RequestNoStore)
}

fn is_own_location(request: &Request, response: &Response) -> bool {
    response.headers.get(names::CONTENT_LOCATION).is_some_and(|l| names_same_resource(request, l))
}

fn status_refusal(response: &Response, meta: &StoredMeta) -> Option<CacheReason> {
    match response.status {
        ..=199 => Some(CacheReason::Interim),
        304 => Some(CacheReason::NotModified),
        // RFC 9111 §5.2.2.3
        status if meta.control.must_understand && !is_understood(status) => {
            Some(CacheReason::StatusNotUnderstood)
        }
        _ => None,
    }
}

/// RFC 9111 §3.3: what a range request was answered with.
fn range_refusal(request: &Request, response: &Response, policy: &Policy) -> Option<CacheReason> {
    let has_range = request.headers.has(names::RANGE);
    match response.status {
        206 if !has_range || !policy.store_parts || !part::is_usable(request, response) => {
            Some(CacheReason::Partial)
        }
        206 => None,
        200 if policy.range_write => None,
        _ if has_range => Some(CacheReason::RangeRequest),
        _ => None,
    }
}

fn directive_refusal(
    request: &Request,
    response: &Response,
    meta: &StoredMeta,
    policy: &Policy,
) -> Option<CacheReason> {
    let control = &meta.control;
    if !policy.ignore_server_no_cache && policy.ttl_in_cache.is_none() {
        // RFC 9111 §5.2.2.3: with must-understand and a known status, no-store is to be ignored.
        if control.no_store && !control.must_understand {
            return Some(CacheReason::NoStore);
        }
        if control.private {
            return Some(CacheReason::Private);
        }
    }
    let shared = control.public || control.must_revalidate || control.s_maxage.is_some();
    if request.headers.has(names::AUTHORIZATION) && !policy.ignore_authentication && !shared {
        return Some(CacheReason::Authorization);
    }
    if has_vary_star(&response.headers) {
        return Some(CacheReason::VaryStar);
    }
    if policy.cache_responses_to_cookies.forbids(&request.headers, &response.headers, control.public) {
        return Some(CacheReason::Cookies);
    }
    let has_set_cookie = response.headers.has(names::SET_COOKIE);
    (has_set_cookie && policy.set_cookie == SetCookiePolicy::DontStore).then_some(CacheReason::SetCookie)
}

fn has_vary_star(headers: &HeaderBlock) -> bool {
    headers.has(names::VARY) && headers.list(names::VARY).any(|m| m == b"*")
}

fn reuse_refusal(response: &Response, meta: &StoredMeta, policy: &Policy) -> Option<CacheReason> {
    let explicit = meta.explicit_lifetime();
    let negative = policy.negative_caching_enabled && policy.negative_caching_list.contains(meta.status);
    let by_rule = policy.sets_lifetime();
    if explicit.is_none() && !meta.heuristic_allowed && !negative && !by_rule {
        return Some(CacheReason::NoLifetime);
    }
    let missing = match policy.required_headers {
        RequiredHeaders::None => false,
        RequiredHeaders::LastModified => explicit.is_none() && meta.last_modified.is_none() && !negative,
        RequiredHeaders::ExplicitLifetime => explicit.is_none() && !negative,
    };
    if missing && policy.ttl_in_cache.is_none() {
        return Some(CacheReason::RequiredHeaders);
    }
    if !meta.has_validator() && !meta.could_be_served(policy) {
        return Some(CacheReason::NothingToReuse);
    }
    let length = response.headers.get_str(names::CONTENT_LENGTH).and_then(|v| v.parse::<u64>().ok());
    let too_large = policy.max_doc_size != 0 && length.is_some_and(|l| l > policy.max_doc_size);
    too_large.then_some(CacheReason::TooLarge)
}

/// The final status codes of RFC 9110 §15 and RFC 6585, whose meaning for a cache is known here.
fn is_understood(status: u16) -> bool {
    matches!(status, 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 428 | 429 | 431 | 451)
        || matches!(status, 500..=505 | 511)
}

/// The status codes that allow heuristic freshness (RFC 9110 §15.1).
pub(super) fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The header as it is stored (RFC 9111 §3.1): without connection fields, without `Age` (kept as a number in
/// [`StoredMeta`] and generated anew), `Set-Cookie` by policy, with a `Date` (RFC 9110 §6.6.1).
pub fn stored_headers(
    received: &HeaderBlock,
    response_time: i64,
    set_cookie: SetCookiePolicy,
) -> HeaderBlock {
    let mut headers = received.clone();
    headers.retain(|field| is_stored(&field, received, set_cookie));
    if !headers.has(names::DATE) {
        headers.append(names::DATE, date::format(response_time));
    }
    headers
}

fn is_stored(field: &Field<'_>, received: &HeaderBlock, set_cookie: SetCookiePolicy) -> bool {
    match field.known {
        Some(names::AGE) => return false,
        Some(names::SET_COOKIE) if set_cookie == SetCookiePolicy::Strip => return false,
        _ => {}
    }
    !is_connection_field(field) && !is_named_by_connection(field.name, received)
}

/// Fields that concern one connection or the next proxy only (RFC 9110 §7.6.1, RFC 9111 §3.1).
pub(super) fn is_connection_field(field: &Field<'_>) -> bool {
    const NAMES: [Known; 8] = [
        names::CONNECTION,
        names::KEEP_ALIVE,
        names::PROXY_AUTHENTICATE,
        names::PROXY_AUTHORIZATION,
        names::PROXY_CONNECTION,
        names::TE,
        names::TRANSFER_ENCODING,
        names::UPGRADE,
    ];
    match field.known {
        Some(known) => NAMES.contains(&known),
        None => field.name.eq_ignore_ascii_case(b"Proxy-Authentication-Info"),
    }
}

pub(super) fn is_named_by_connection(name: &[u8], headers: &HeaderBlock) -> bool {
    headers.has(names::CONNECTION)
        && headers.get_all(names::CONNECTION).any(|v| list::members(v).any(|m| m.eq_ignore_ascii_case(name)))
}
