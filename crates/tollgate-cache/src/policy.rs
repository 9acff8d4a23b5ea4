//! The settings that steer the rules, named as Traffic Server's records.
//!
//! Responsible for: their types and defaults. The defaults are what serves best within the RFC, also where
//! Traffic Server ships a more timid value; the record gives the timid one back.
//! Not responsible for: reading records (`tollgate-config`).

use crate::negotiate::Negotiation;
use tollgate_http::{HeaderBlock, names};

/// `proxy.config.http.cache.required_headers`: what a response must carry to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequiredHeaders {
    /// 0: nothing beyond what the RFC demands.
    #[default]
    None,
    /// 1: an explicit lifetime or `Last-Modified`.
    LastModified,
    /// 2: an explicit lifetime.
    ExplicitLifetime,
}

/// `proxy.config.http.cache.when_to_revalidate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenToRevalidate {
    /// 0: when stale.
    #[default]
    WhenStale,
    /// 1: also whenever the lifetime is heuristic.
    IfHeuristic,
    /// 2: always.
    Always,
    /// 3: never, unless the response said `no-cache`.
    Never,
    /// 4: when stale, and always if the request carries `If-Modified-Since`.
    IfConditional,
}

/// `proxy.config.http.cache.cache_responses_to_cookies`: responses to requests with `Cookie`, or with `Set-Cookie`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieCaching {
    /// 0: not stored.
    None,
    /// 1: stored.
    #[default]
    All,
    /// 2: stored if an image.
    Images,
    /// 3: stored unless text.
    AllButText,
    /// 4: as 3; text too if it has no `Set-Cookie` or is `public`.
    AllButTextExt,
}

/// What becomes of `Set-Cookie` in a response that is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCookiePolicy {
    /// Stored and replayed (RFC 9111 §7.3 leaves it to the origin to forbid that).
    #[default]
    Replay,
    /// The response is stored without it.
    Strip,
    /// The response is not stored.
    DontStore,
}

/// `proxy.config.http.normalize_ae`: how `Accept-Encoding` is rewritten before key and origin see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NormalizeAe {
    /// 0: left as it is.
    Off,
    /// 1: `gzip`, or removed.
    #[default]
    Gzip,
    /// 2: `br`, else `gzip`, else removed.
    Br,
    /// 3: `br, gzip` if both are accepted, else the one that is, else removed.
    BrGzip,
}

/// `proxy.config.http.allow_multi_range`: what a request for several ranges of a stored object gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeveralRanges {
    /// 0: the whole object.
    Ignore,
    /// 1: the ranges.
    #[default]
    Answer,
    /// 2: 416.
    Refuse,
}

/// A set of status codes from 200 to 599.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusSet([u64; 7]);

impl StatusSet {
    /// The set of these codes; others than 200 to 599 are left out.
    pub const fn of(codes: &[u16]) -> StatusSet {
        let mut bits = [0; 7];
        let mut i = 0;
        while i < codes.len() {
            if codes[i] >= 200 && codes[i] < 600 {
                let at = (codes[i] - 200) as usize;
                bits[at / 64] |= 1 << (at % 64);
            }
            i += 1;
        }
        StatusSet(bits)
    }

    /// Whether `status` is in the set.
    pub const fn contains(&self, status: u16) -> bool {
        if status < 200 || status >= 600 {
            return false;
        }
        let at = (status - 200) as usize;
        self.0[at / 64] & (1 << (at % 64)) != 0
    }
}

/// The settings of one transaction. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// `http.cache.http`: whether the cache is used at all.
    pub enabled: bool,
    /// `http.cache.ignore_client_no_cache`: a client's `no-cache`, `no-store` and `Pragma` have no effect.
    pub ignore_client_no_cache: bool,
    /// `http.cache.ignore_client_cc_max_age`: a client's `max-age`, `min-fresh` and `max-stale` have no effect.
    pub ignore_client_cc_max_age: bool,
    /// `http.cache.ignore_server_no_cache`: `no-store`, `no-cache` and `private` of a response have no effect.
    pub ignore_server_no_cache: bool,
    /// `http.cache.cache_responses_to_cookies`
    pub cache_responses_to_cookies: CookieCaching,
    /// What becomes of `Set-Cookie` when storing.
    pub set_cookie: SetCookiePolicy,
    /// `http.cache.ignore_authentication`: `Authorization` in the request has no effect on storing.
    pub ignore_authentication: bool,
    /// `http.cache.cache_urls_that_look_dynamic`
    pub cache_urls_that_look_dynamic: bool,
    /// `http.cache.required_headers`
    pub required_headers: RequiredHeaders,
    /// `http.cache.when_to_revalidate`
    pub when_to_revalidate: WhenToRevalidate,
    /// `http.cache.heuristic_min_lifetime`: lower bound of a heuristic lifetime, and the whole of it where there is
    /// no `Last-Modified`. 0, the default, means that a response with neither lifetime nor validator is not reused.
    pub heuristic_min_lifetime: u32,
    /// `http.cache.heuristic_max_lifetime`
    pub heuristic_max_lifetime: u32,
    /// `http.cache.heuristic_lm_factor`: share of the time since `Last-Modified`.
    pub heuristic_lm_factor: f32,
    /// `http.cache.guaranteed_min_lifetime`
    pub guaranteed_min_lifetime: u32,
    /// `http.cache.guaranteed_max_lifetime`
    pub guaranteed_max_lifetime: u32,
    /// `http.cache.max_stale_age`: how long past its lifetime an object may be served when the origin cannot be
    /// reached, unless the origin forbids it.
    pub max_stale_age: u32,
    /// `http.negative_caching_enabled`
    pub negative_caching_enabled: bool,
    /// `http.negative_caching_lifetime`
    pub negative_caching_lifetime: u32,
    /// `http.negative_caching_list`
    pub negative_caching_list: StatusSet,
    /// `cache.max_doc_size`, bytes; 0 is no limit.
    pub max_doc_size: u64,
    /// `http.normalize_ae`
    pub normalize_ae: NormalizeAe,
    /// A rule's `revalidate`: the lifetime, whatever the origin says, seconds.
    pub revalidate_after: Option<u32>,
    /// A rule's `ttl-in-cache`: stored and fresh for so long, whatever origin and client say, seconds.
    pub ttl_in_cache: Option<u32>,
    /// A rule's `pin-in-cache`, if `cache.permit.pinning` lets it count: what is stored is not evicted for so many seconds.
    pub pin_in_cache: u32,
    /// `http.cache.range.lookup`: range requests are looked up.
    pub range_lookup: bool,
    /// `http.cache.range.write`: the whole object, come in answer to a range request, is stored.
    pub range_write: bool,
    /// `http.cache.ignore_accept_mismatch` and its like.
    pub negotiation: Negotiation,
    /// `http.allow_multi_range`
    pub several_ranges: SeveralRanges,
    /// `tollgate.http.cache.store_parts`: 206 responses are stored as parts.
    pub store_parts: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            enabled: true,
            ignore_client_no_cache: false,
            ignore_client_cc_max_age: false,
            ignore_server_no_cache: false,
            cache_responses_to_cookies: CookieCaching::All,
            set_cookie: SetCookiePolicy::Replay,
            ignore_authentication: false,
            cache_urls_that_look_dynamic: true,
            required_headers: RequiredHeaders::None,
            when_to_revalidate: WhenToRevalidate::WhenStale,
            heuristic_min_lifetime: 0,
            heuristic_max_lifetime: 86_400,
            heuristic_lm_factor: 0.10,
            guaranteed_min_lifetime: 0,
            guaranteed_max_lifetime: 31_536_000,
            max_stale_age: 604_800,
            negative_caching_enabled: false,
            negative_caching_lifetime: 1800,
            negative_caching_list: StatusSet::of(&[204, 305, 403, 404, 414, 500, 501, 502, 503, 504]),
            max_doc_size: 0,
            normalize_ae: NormalizeAe::Gzip,
            revalidate_after: None,
            ttl_in_cache: None,
            pin_in_cache: 0,
            range_lookup: true,
            range_write: true,
            negotiation: Negotiation::default(),
            several_ranges: SeveralRanges::Answer,
            store_parts: true,
        }
    }
}

impl Policy {
    /// Whether a rule sets the lifetime in place of the origin.
    pub(crate) fn sets_lifetime(&self) -> bool {
        self.revalidate_after.is_some_and(|seconds| seconds > 0) || self.ttl_in_cache.is_some()
    }
}

impl CookieCaching {
    /// The value with this number; storing for one that there is not.
    pub fn of(number: i64) -> CookieCaching {
        match number {
            0 => CookieCaching::None,
            2 => CookieCaching::Images,
            3 => CookieCaching::AllButText,
            4 => CookieCaching::AllButTextExt,
            _ => CookieCaching::All,
        }
    }

    /// Whether cookies in the exchange forbid storing the response.
    pub(crate) fn forbids(self, request: &HeaderBlock, response: &HeaderBlock, public: bool) -> bool {
        if self == CookieCaching::All || !(request.has(names::COOKIE) || response.has(names::SET_COOKIE)) {
            return false;
        }
        let media_type = response.get(names::CONTENT_TYPE).unwrap_or_default();
        let is = |prefix: &[u8]| {
            media_type.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        match self {
            CookieCaching::None => true,
            CookieCaching::All => false,
            CookieCaching::Images => !is(b"image/"),
            CookieCaching::AllButText => is(b"text/"),
            CookieCaching::AllButTextExt => is(b"text/") && response.has(names::SET_COOKIE) && !public,
        }
    }
}
