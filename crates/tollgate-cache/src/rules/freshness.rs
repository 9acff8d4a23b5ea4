//! Age, lifetime and what may be done with a stale object (RFC 9111 §4.2, RFC 5861, RFC 8246).

use super::request::RequestPolicy;
use super::storing::is_heuristically_cacheable;
use crate::control::{MAX_DELTA_SECONDS, ResponseControl, parse_delta_seconds};
use crate::policy::{Policy, WhenToRevalidate};
use tollgate_http::{HeaderBlock, Response, date, names};
use tollgate_obs::outcome::CacheReason;
use tollgate_obs::tokens;

/// The facts about a stored response that the freshness rules need, read once when it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredMeta {
    /// The status code.
    pub status: u16,
    /// When the request that fetched it was sent.
    pub request_time: i64,
    /// When its header arrived.
    pub response_time: i64,
    /// Its `Date`; the time of arrival if missing or unparsable.
    pub date: i64,
    /// Its `Age`, seconds; 0 if missing or malformed.
    pub age_value: u32,
    /// `Expires` minus `Date`, seconds; 0 if expired or malformed; `None` without `Expires`.
    pub expires_after: Option<u32>,
    /// Its `Last-Modified`.
    pub last_modified: Option<i64>,
    /// Whether it has an `ETag`.
    pub has_etag: bool,
    /// Status or `public` allow a heuristic lifetime.
    pub heuristic_allowed: bool,
    /// Its directives.
    pub control: ResponseControl,
}

/// The terms of the age calculation (RFC 9111 §4.2.3), seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeParts {
    /// `apparent_age`: by the origin's clock.
    pub apparent: i64,
    /// `response_delay`: how long the response took to come.
    pub delay: i64,
    /// `resident_time`: since then.
    pub resident: i64,
}

impl AgeParts {
    /// The current age with this `Age`, seconds.
    pub fn age(&self, age_value: u32) -> u32 {
        let corrected = i64::from(age_value).saturating_add(self.delay);
        delta(self.apparent.max(corrected).saturating_add(self.resident))
    }
}

impl StoredMeta {
    /// Reads the facts from a response whose request was sent at `request_time` and which came at `response_time`.
    pub fn new(response: &Response, request_time: i64, response_time: i64) -> StoredMeta {
        StoredMeta::of(response.status, &response.headers, request_time, response_time)
    }

    /// As [`Self::new`], from status and fields.
    pub fn of(status: u16, headers: &HeaderBlock, request_time: i64, response_time: i64) -> StoredMeta {
        let control = ResponseControl::parse(headers);
        let parse = |value: &[u8]| date::parse(value, response_time);
        let date = headers.get(names::DATE).and_then(parse).unwrap_or(response_time);
        StoredMeta {
            status,
            request_time,
            response_time,
            date,
            age_value: age_value(headers),
            expires_after: expires(headers, response_time).map(|at| delta(at.saturating_sub(date))),
            last_modified: headers.get(names::LAST_MODIFIED).and_then(parse),
            has_etag: headers.has(names::ETAG),
            heuristic_allowed: is_heuristically_cacheable(status) || control.public,
            control,
        }
    }

    /// The lifetime the origin gave, in the order of RFC 9111 §4.2.1: `s-maxage`, `max-age`, `Expires`.
    pub fn explicit_lifetime(&self) -> Option<(u32, LifetimeSource)> {
        let control = &self.control;
        let expires = self.expires_after.filter(|_| !control.targeted);
        control
            .s_maxage
            .map(|s| (s, LifetimeSource::SMaxAge))
            .or(control.max_age.map(|s| (s, LifetimeSource::MaxAge)))
            .or(expires.map(|s| (s, LifetimeSource::Expires)))
    }

    /// The lifetime under `policy`, explicit or not, within the guaranteed bounds.
    pub fn lifetime(&self, policy: &Policy) -> (u32, LifetimeSource) {
        if let Some(ttl) = policy.ttl_in_cache {
            // Counted from the arrival here, not from the response's making.
            return (ttl.saturating_add(self.age(self.response_time)), LifetimeSource::Rule);
        }
        let by_rule = policy.revalidate_after.map(|seconds| (seconds, LifetimeSource::Rule));
        let (lifetime, source) =
            by_rule.or_else(|| self.explicit_lifetime()).unwrap_or_else(|| self.implied_lifetime(policy));
        let bounded = lifetime.min(policy.guaranteed_max_lifetime).max(policy.guaranteed_min_lifetime);
        (bounded, if bounded == lifetime { source } else { LifetimeSource::Guaranteed })
    }

    fn implied_lifetime(&self, policy: &Policy) -> (u32, LifetimeSource) {
        if policy.negative_caching_enabled && policy.negative_caching_list.contains(self.status) {
            return (policy.negative_caching_lifetime, LifetimeSource::Negative);
        }
        if !self.heuristic_allowed {
            return (0, LifetimeSource::None);
        }
        // RFC 9111 §4.2.2: a fraction of the time since Last-Modified.
        let share = self.last_modified.map_or(0, |modified| {
            let since = delta(self.date.saturating_sub(modified));
            (f64::from(since) * f64::from(policy.heuristic_lm_factor)) as u32
        });
        let lifetime = share.min(policy.heuristic_max_lifetime).max(policy.heuristic_min_lifetime);
        (lifetime, if lifetime == 0 { LifetimeSource::None } else { LifetimeSource::Heuristic })
    }

    /// The current age, seconds (RFC 9111 §4.2.3).
    pub fn age(&self, now: i64) -> u32 {
        self.age_parts(now).age(self.age_value)
    }

    /// What the current age is made of, beside `age_value`.
    pub fn age_parts(&self, now: i64) -> AgeParts {
        AgeParts {
            apparent: self.response_time.saturating_sub(self.date).max(0),
            delay: self.response_time.saturating_sub(self.request_time).max(0),
            resident: now.saturating_sub(self.response_time).max(0),
        }
    }

    /// Whether a conditional request can validate it.
    pub fn has_validator(&self) -> bool {
        self.has_etag || self.last_modified.is_some()
    }

    /// RFC 9111 §4.2.4: nothing but a successful validation allows serving it stale. `s-maxage` implies
    /// `proxy-revalidate` (§5.2.2.10).
    pub fn must_revalidate(&self, policy: &Policy) -> bool {
        let c = &self.control;
        let no_cache = self.needs_validation(policy);
        c.must_revalidate || c.proxy_revalidate || no_cache || c.s_maxage.is_some()
    }

    /// The response's own `no-cache`, as far as it counts.
    fn needs_validation(&self, policy: &Policy) -> bool {
        self.control.no_cache && !policy.ignore_server_no_cache && !policy.sets_lifetime()
    }

    /// Whether there is any time at which it could be served without validation.
    pub(super) fn could_be_served(&self, policy: &Policy) -> bool {
        let needs_validation = self.needs_validation(policy);
        let fresh = self.lifetime(policy).0 > self.age(self.response_time);
        let windows = self.control.stale_while_revalidate.max(self.control.stale_if_error);
        !needs_validation && (fresh || windows.is_some_and(|w| w > 0))
    }
}

/// `Age`: the first member of the first line, ignored if it is not delta-seconds (RFC 9111 §5.1).
fn age_value(headers: &HeaderBlock) -> u32 {
    if !headers.has(names::AGE) {
        return 0;
    }
    headers.list(names::AGE).next().and_then(parse_delta_seconds).unwrap_or(0)
}

/// `Expires`; a malformed or contradictory one lies in the past (RFC 9111 §5.3).
fn expires(headers: &HeaderBlock, now: i64) -> Option<i64> {
    if !headers.has(names::EXPIRES) {
        return None;
    }
    let mut values = headers.get_all(names::EXPIRES).map(|v| date::parse(v, now));
    let first = values.next()?;
    let agreed = values.all(|v| v == first);
    Some(first.filter(|_| agreed).unwrap_or(i64::MIN))
}

fn delta(seconds: i64) -> u32 {
    seconds.clamp(0, i64::from(MAX_DELTA_SECONDS)) as u32
}

tokens! {
    /// Where a lifetime comes from.
    LifetimeSource {
        /// `s-maxage`
        SMaxAge = "s_maxage",
        /// `max-age`
        MaxAge = "max_age",
        /// `Expires` minus `Date`
        Expires = "expires",
        /// A share of the time since `Last-Modified`
        Heuristic = "heuristic",
        /// Negative caching
        Negative = "negative",
        /// A rule of `cache.config`
        Rule = "rule",
        /// A configured bound
        Guaranteed = "guaranteed",
        /// There is none
        None = "none",
    }
}

/// The verdict on one object for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Current age, seconds: the `Age` to send.
    pub age: u32,
    /// Lifetime, seconds.
    pub lifetime: u32,
    /// Where the lifetime comes from.
    pub source: LifetimeSource,
    /// May it be used as it is?
    pub state: FreshState,
    /// Why.
    pub reason: CacheReason,
}

/// Whether an object may be used without asking the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshState {
    /// It may.
    Fresh,
    /// It needs validation, unless one of the exceptions in [`Stale`] applies.
    Stale(Stale),
}

/// What a stale object may still be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Seconds past the lifetime; 0 if it is only the client or the configuration that wants validation.
    pub by: u32,
    /// Validation is the only way to use it.
    pub must_revalidate: bool,
    /// The client's `max-stale` accepts it as it is.
    pub client_accepts: bool,
    /// `stale-while-revalidate`: serve it now and refresh it behind the scenes.
    pub while_revalidate: bool,
    /// `stale-if-error`: serve it if the origin fails or answers 500, 502, 503 or 504.
    pub if_error: bool,
    /// Serve it if the origin cannot be reached (RFC 9111 §4.2.4, `max_stale_age`).
    pub if_unreachable: bool,
}

impl Stale {
    /// Whether the object may be served instead of an answer with that status (RFC 5861 §4).
    pub fn may_replace(&self, status: u16) -> bool {
        self.if_error && matches!(status, 500 | 502 | 503 | 504)
    }
}

impl Freshness {
    /// Whether the object may be served without waiting for the origin.
    pub fn may_serve_now(&self) -> bool {
        match self.state {
            FreshState::Fresh => true,
            FreshState::Stale(stale) => stale.client_accepts || stale.while_revalidate,
        }
    }

    /// Whether it is fresh.
    pub fn is_fresh(&self) -> bool {
        self.state == FreshState::Fresh
    }

    /// Remaining lifetime in seconds, negative when stale: the `ttl` of `Cache-Status`.
    pub fn ttl(&self) -> i64 {
        i64::from(self.lifetime) - i64::from(self.age)
    }
}

/// Whether the object may be used for a request at `now`, and what its staleness allows.
pub fn freshness(meta: &StoredMeta, now: i64, request: &RequestPolicy, policy: &Policy) -> Freshness {
    freshness_in_place(meta, now, request, policy)
}

/// The same, as part of the caller: of facts made for this it takes what it needs.
#[inline(always)]
pub(crate) fn freshness_in_place(
    meta: &StoredMeta,
    now: i64,
    request: &RequestPolicy,
    policy: &Policy,
) -> Freshness {
    let age = meta.age(now);
    let (lifetime, source) = meta.lifetime(policy);
    let reason = reason(meta, age, lifetime, source, request, policy);
    let is_fresh = matches!(reason, CacheReason::Fresh | CacheReason::ConfigNeverStale);
    let state = if is_fresh {
        FreshState::Fresh
    } else {
        FreshState::Stale(staleness(meta, age, lifetime, reason, request, policy))
    };
    Freshness { age, lifetime, source, state, reason }
}

fn reason(
    meta: &StoredMeta,
    age: u32,
    lifetime: u32,
    source: LifetimeSource,
    request: &RequestPolicy,
    policy: &Policy,
) -> CacheReason {
    if policy.ttl_in_cache.is_some() {
        return if age < lifetime { CacheReason::Fresh } else { CacheReason::Expired };
    }
    if meta.needs_validation(policy) {
        return CacheReason::NoCache;
    }
    let demanded = match policy.when_to_revalidate {
        WhenToRevalidate::WhenStale => false,
        WhenToRevalidate::IfHeuristic => source == LifetimeSource::Heuristic,
        WhenToRevalidate::Always => true,
        WhenToRevalidate::Never => return CacheReason::ConfigNeverStale,
        WhenToRevalidate::IfConditional => request.has_if_modified_since,
    };
    if demanded {
        return CacheReason::ConfigRevalidate;
    }
    if request.no_cache {
        return CacheReason::ClientNoCache;
    }
    if age >= lifetime {
        return CacheReason::Expired;
    }
    // RFC 8246 §2: a reload (max-age=0) need not validate an immutable response that is fresh.
    let too_old = |max: u32| if max == 0 { !meta.control.immutable } else { age > max };
    if request.max_age.is_some_and(too_old) {
        return CacheReason::ClientMaxAge;
    }
    if request.min_fresh.is_some_and(|min| lifetime - age < min) {
        return CacheReason::ClientMinFresh;
    }
    CacheReason::Fresh
}

fn staleness(
    meta: &StoredMeta,
    age: u32,
    lifetime: u32,
    reason: CacheReason,
    request: &RequestPolicy,
    policy: &Policy,
) -> Stale {
    let by = age.saturating_sub(lifetime);
    let must_revalidate = meta.must_revalidate(policy);
    // A client's `no-cache` is for this request what the origin's is for all.
    if reason == CacheReason::ClientNoCache {
        return Stale { by, must_revalidate: true, ..Stale::default() };
    }
    if must_revalidate {
        return Stale { by, must_revalidate, ..Stale::default() };
    }
    let expired = reason == CacheReason::Expired;
    let error_window = meta.control.stale_if_error.max(request.stale_if_error);
    Stale {
        by,
        must_revalidate,
        client_accepts: expired
            && request.max_stale.is_some_and(|max| by <= max)
            && request.max_age.is_none_or(|max| age <= max),
        while_revalidate: expired && meta.control.stale_while_revalidate.is_some_and(|w| by < w),
        if_error: error_window.is_some_and(|window| by < window),
        if_unreachable: by <= policy.max_stale_age,
    }
}
