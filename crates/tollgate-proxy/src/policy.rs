//! Records as cache policy.

use tollgate_cache::Policy;
use tollgate_cache::negotiate::{Mismatch, Negotiation};
use tollgate_cache::policy::{
    CookieCaching, NormalizeAe, RequiredHeaders, SetCookiePolicy, SeveralRanges, StatusSet, WhenToRevalidate,
};
use tollgate_config::ids;
use tollgate_config::{Records, TxnRecords};

fn clamped(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// The policy of a generation.
pub(crate) fn base(records: &Records) -> Policy {
    of(&TxnRecords::new(std::sync::Arc::new(records.clone())))
}

/// The policy of a transaction.
pub fn of(r: &TxnRecords) -> Policy {
    Policy {
        enabled: r.flag(ids::HTTP_CACHE_HTTP),
        ignore_client_no_cache: r.flag(ids::HTTP_CACHE_IGNORE_CLIENT_NO_CACHE),
        ignore_client_cc_max_age: r.flag(ids::HTTP_CACHE_IGNORE_CLIENT_CC_MAX_AGE),
        ignore_server_no_cache: r.flag(ids::HTTP_CACHE_IGNORE_SERVER_NO_CACHE),
        cache_responses_to_cookies: CookieCaching::of(r.int(ids::HTTP_CACHE_CACHE_RESPONSES_TO_COOKIES)),
        ignore_authentication: r.flag(ids::HTTP_CACHE_IGNORE_AUTHENTICATION),
        cache_urls_that_look_dynamic: r.flag(ids::HTTP_CACHE_CACHE_URLS_THAT_LOOK_DYNAMIC),
        required_headers: match r.int(ids::HTTP_CACHE_REQUIRED_HEADERS) {
            1 => RequiredHeaders::LastModified,
            2 => RequiredHeaders::ExplicitLifetime,
            _ => RequiredHeaders::None,
        },
        when_to_revalidate: match r.int(ids::HTTP_CACHE_WHEN_TO_REVALIDATE) {
            1 => WhenToRevalidate::IfHeuristic,
            2 => WhenToRevalidate::Always,
            3 => WhenToRevalidate::Never,
            4 => WhenToRevalidate::IfConditional,
            _ => WhenToRevalidate::WhenStale,
        },
        heuristic_min_lifetime: clamped(r.int(ids::HTTP_CACHE_HEURISTIC_MIN_LIFETIME)),
        heuristic_max_lifetime: clamped(r.int(ids::HTTP_CACHE_HEURISTIC_MAX_LIFETIME)),
        heuristic_lm_factor: r.float(ids::HTTP_CACHE_HEURISTIC_LM_FACTOR) as f32,
        guaranteed_min_lifetime: clamped(r.int(ids::HTTP_CACHE_GUARANTEED_MIN_LIFETIME)),
        guaranteed_max_lifetime: clamped(r.int(ids::HTTP_CACHE_GUARANTEED_MAX_LIFETIME)),
        max_stale_age: clamped(r.int(ids::HTTP_CACHE_MAX_STALE_AGE)),
        negative_caching_enabled: r.flag(ids::HTTP_NEGATIVE_CACHING_ENABLED),
        negative_caching_lifetime: clamped(r.int(ids::HTTP_NEGATIVE_CACHING_LIFETIME)),
        negative_caching_list: statuses(r.str(ids::HTTP_NEGATIVE_CACHING_LIST)),
        max_doc_size: u64::try_from(r.int(ids::CACHE_MAX_DOC_SIZE)).unwrap_or(0),
        normalize_ae: normalize_ae(r),
        set_cookie: match r.int(ids::TOLLGATE_HTTP_CACHE_SET_COOKIE) {
            1 => SetCookiePolicy::Strip,
            2 => SetCookiePolicy::DontStore,
            _ => SetCookiePolicy::Replay,
        },
        revalidate_after: None,
        ttl_in_cache: None,
        pin_in_cache: 0,
        range_lookup: r.flag(ids::HTTP_CACHE_RANGE_LOOKUP),
        range_write: r.flag(ids::HTTP_CACHE_RANGE_WRITE),
        negotiation: Negotiation {
            accept: Mismatch::of(r.int(ids::HTTP_CACHE_IGNORE_ACCEPT_MISMATCH)),
            charset: Mismatch::of(r.int(ids::HTTP_CACHE_IGNORE_ACCEPT_CHARSET_MISMATCH)),
            encoding: Mismatch::of(r.int(ids::HTTP_CACHE_IGNORE_ACCEPT_ENCODING_MISMATCH)),
            language: Mismatch::of(r.int(ids::HTTP_CACHE_IGNORE_ACCEPT_LANGUAGE_MISMATCH)),
        },
        several_ranges: match r.int(ids::HTTP_ALLOW_MULTI_RANGE) {
            0 => SeveralRanges::Ignore,
            2 => SeveralRanges::Refuse,
            _ => SeveralRanges::Answer,
        },
        store_parts: r.flag(ids::TOLLGATE_HTTP_CACHE_STORE_PARTS),
    }
}

/// What becomes of a request's Accept-Encoding.
pub(crate) fn normalize_ae(r: &TxnRecords) -> NormalizeAe {
    match r.int(ids::HTTP_NORMALIZE_AE) {
        0 => NormalizeAe::Off,
        2 => NormalizeAe::Br,
        3 => NormalizeAe::BrGzip,
        _ => NormalizeAe::Gzip,
    }
}

fn statuses(list: &str) -> StatusSet {
    let codes: Vec<u16> = list.split([' ', ',']).filter_map(|w| w.parse().ok()).collect();
    if codes.is_empty() { Policy::default().negative_caching_list } else { StatusSet::of(&codes) }
}
