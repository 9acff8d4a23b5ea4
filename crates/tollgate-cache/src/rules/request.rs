//! What a request allows the cache to do.

use crate::control::RequestControl;
use crate::policy::Policy;
use tollgate_http::{Known, Method, Request, Url, names};
use tollgate_obs::outcome::CacheReason;

/// What a request allows and demands. Directives that the policy ignores are already left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestPolicy {
    /// The cache may be looked up; `skip` says why not.
    pub lookup: bool,
    /// Why the cache is not looked up.
    pub skip: Option<CacheReason>,
    /// A response may be stored, as far as the request goes.
    pub store: bool,
    /// `only-if-cached`: answer 504 rather than ask the origin.
    pub only_if_cached: bool,
    /// The client wants validation (`no-cache`).
    pub no_cache: bool,
    /// The client's `no-store`.
    pub no_store: bool,
    /// Greatest age the client accepts, seconds.
    pub max_age: Option<u32>,
    /// Remaining lifetime the client demands, seconds.
    pub min_fresh: Option<u32>,
    /// Staleness the client accepts, seconds; `u32::MAX` for any.
    pub max_stale: Option<u32>,
    /// `stale-if-error` of the request, seconds.
    pub stale_if_error: Option<u32>,
    /// The method is HEAD.
    pub is_head: bool,
    /// The request carries `Range`.
    pub has_range: bool,
    /// The request carries `If-Modified-Since`.
    pub has_if_modified_since: bool,
}

/// Fields that a cache looks at in a request, but for those that choose among what is stored, and conditions on tags.
const TELLING: [Known; 8] = [
    names::CACHE_CONTROL,
    names::PRAGMA,
    names::RANGE,
    names::IF_MATCH,
    names::IF_UNMODIFIED_SINCE,
    names::IF_MODIFIED_SINCE,
    names::TRANSFER_ENCODING,
    names::CONTENT_LENGTH,
];

/// What `request` allows the cache to do under `policy`.
pub fn request_policy(request: &Request, policy: &Policy) -> RequestPolicy {
    // Most requests say nothing of it.
    let is_plain = request.method == Method::Get && !request.headers.has_any(&TELLING);
    if is_plain && policy.enabled && policy.cache_urls_that_look_dynamic {
        return RequestPolicy { lookup: true, store: true, ..RequestPolicy::default() };
    }
    all_that_is_said(request, policy)
}

fn all_that_is_said(request: &Request, policy: &Policy) -> RequestPolicy {
    let control = RequestControl::parse(&request.headers);
    let skip = lookup_skip(request, policy);
    let honours_no_cache = !policy.ignore_client_no_cache;
    let honours_age = !policy.ignore_client_cc_max_age;
    let storable_request = !matches!(
        skip,
        Some(
            CacheReason::Disabled
                | CacheReason::LooksDynamic
                | CacheReason::RequestBody
                | CacheReason::Method
                | CacheReason::Range
        )
    );
    let no_store = control.no_store && honours_no_cache;
    RequestPolicy {
        lookup: skip.is_none(),
        skip,
        store: storable_request && request.method == Method::Get && !no_store,
        only_if_cached: control.only_if_cached,
        no_cache: control.no_cache && honours_no_cache,
        no_store,
        max_age: control.max_age.filter(|_| honours_age),
        min_fresh: control.min_fresh.filter(|_| honours_age),
        max_stale: control.max_stale.filter(|_| honours_age),
        stale_if_error: control.stale_if_error,
        is_head: request.method == Method::Head,
        has_range: request.headers.has(names::RANGE),
        has_if_modified_since: request.headers.has(names::IF_MODIFIED_SINCE),
    }
}

fn lookup_skip(request: &Request, policy: &Policy) -> Option<CacheReason> {
    let headers = &request.headers;
    if !policy.enabled {
        Some(CacheReason::Disabled)
    } else if !matches!(request.method, Method::Get | Method::Head) {
        Some(CacheReason::Method)
    } else if has_body(request) {
        Some(CacheReason::RequestBody)
    } else if !policy.cache_urls_that_look_dynamic && looks_dynamic(&request.url) {
        Some(CacheReason::LooksDynamic)
    } else if !policy.range_lookup && headers.has(names::RANGE) {
        Some(CacheReason::Range)
    } else if headers.has(names::IF_MATCH) || headers.has(names::IF_UNMODIFIED_SINCE) {
        Some(CacheReason::OriginPrecondition)
    } else {
        None
    }
}

/// Whether the request announces content, which the cache key does not cover.
pub(super) fn has_body(request: &Request) -> bool {
    let headers = &request.headers;
    headers.has(names::TRANSFER_ENCODING)
        || headers.get(names::CONTENT_LENGTH).is_some_and(|v| v.iter().any(|b| *b != b'0'))
}

/// ATS: a query, `;`, or a path that ends in `cgi` or `.asp`.
pub(super) fn looks_dynamic(url: &Url) -> bool {
    let ends = |suffix: &[u8]| {
        url.path.len().checked_sub(suffix.len()).is_some_and(|at| url.path[at..].eq_ignore_ascii_case(suffix))
    };
    url.query.as_ref().is_some_and(|q| !q.is_empty())
        || url.path.contains(&b';')
        || ends(b"cgi")
        || ends(b".asp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_request_is_judged_as_if_all_fields_were_looked_at() {
        let mut compared = 0;
        for method in [Method::Get, Method::Head, Method::Post] {
            for known in Known::all() {
                for value in ["", "0", "no-cache", "no-store, max-age=3", "bytes=0-1"] {
                    let mut request = Request::new(method.clone(), "http://h/a?b".parse().expect("a URL"));
                    request.headers.append(known, value);
                    for (enabled, cache_urls_that_look_dynamic) in
                        [(true, true), (true, false), (false, true)]
                    {
                        let policy = Policy { enabled, cache_urls_that_look_dynamic, ..Policy::default() };
                        let (short, long) =
                            (request_policy(&request, &policy), all_that_is_said(&request, &policy));
                        assert_eq!(short, long, "{known:?}: {value}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 1000);
    }
}
