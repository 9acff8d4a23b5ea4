//! What Traffic Server's configuration says beyond the standard: `cache.config`, and what to do when another
//! transaction fetches the object or its origin has failed.
//!
//! Responsible for: `cache.config`, `open_write_fail_action` and how often opening is tried, `negative_revalidating_lifetime`,
//! `ims_on_client_no_cache`. Not responsible for: the rules themselves (`tollgate_cache`, `tollgate_config`).
//! Invariant: nothing that must be validated is served stale.

use super::{Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::limits;
use std::sync::Arc;
use std::time::Duration;
use tollgate_cache::policy::CookieCaching;
use tollgate_cache::rules::Stale;
use tollgate_cache::{CacheKey, StoredObject};
use tollgate_config::cache_config::CacheRequest;
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_http::names;
use tollgate_obs::outcome::{CacheOutcome, CacheReason};

/// Of `max_open_read_retries`: nobody has set it.
const DEFAULT_READ_RETRIES: i64 = -1;
/// Of `max_open_write_retries`.
const DEFAULT_WRITE_RETRIES: i64 = 1;

impl<S: ClientStream> Exchange<'_, S> {
    /// Lays what `cache.config` says of this request over the policy.
    pub(super) fn apply_cache_rules(&mut self) {
        let Some(rules) = &self.generation.cache_rules else { return };
        let request = &self.txn.client_request;
        let session = self.txn.session();
        let mut url = Vec::with_capacity(64);
        request.url.write_full(&mut url);
        let said = rules.treatment(&CacheRequest {
            scheme: request.url.scheme.map_or("http", |scheme| scheme.as_str()),
            host: &request.url.host,
            port: request.url.effective_port(),
            path: request.url.path.strip_prefix(b"/").unwrap_or(&request.url.path),
            url: &url,
            method: request.method.as_str().as_bytes(),
            client: session.client_addr().ip(),
            incoming_port: session.local_addr().port(),
            is_internal: session.is_internal(),
            time_of_day: clock::local_time_of_day(clock::unix_seconds()),
        });
        let policy = &mut self.cache.policy;
        policy.ignore_client_no_cache |= said.ignore_client_no_cache;
        policy.ignore_server_no_cache |= said.ignore_server_no_cache;
        policy.revalidate_after = said.revalidate_after;
        policy.ttl_in_cache = said.ttl_in_cache.filter(|seconds| *seconds > 0);
        if self.txn.records.flag(ids::CACHE_PERMIT_PINNING) {
            policy.pin_in_cache = said.pin_in_cache.unwrap_or(0);
        }
        if let Some(number) = said.responses_to_cookies {
            policy.cache_responses_to_cookies = CookieCaching::of(i64::from(number));
        }
        if said.never_cache {
            policy.enabled = false;
            self.cache.reason = Some(CacheReason::Rule);
        }
    }

    /// Whether a client's `no-cache` leaves the stored object unused, not even validated (`ims_on_client_no_cache`).
    pub(super) fn is_fetched_anew(&self) -> bool {
        let headers = &self.txn.client_request.headers;
        !self.txn.records.flag(ids::HTTP_CACHE_IMS_ON_CLIENT_NO_CACHE)
            && !headers.has(names::IF_MODIFIED_SINCE)
            && !headers.has(names::IF_NONE_MATCH)
    }

    /// Whether the origin is left alone, having failed to validate the object a short time ago.
    pub(super) fn is_held_off(&self, stale: &Stale) -> bool {
        self.holds_off_seconds() > 0
            && stale.if_unreachable
            && !stale.must_revalidate
            && self
                .cache
                .key
                .as_ref()
                .is_some_and(|key| self.thread.engine.holdoff.holds(key, self.cache.now))
    }

    /// Leaves the origin alone for a while: it has failed to validate the object.
    pub(super) fn hold_off(&self) {
        let seconds = self.holds_off_seconds();
        if seconds > 0
            && let Some(key) = &self.cache.key
        {
            self.thread.engine.holdoff.hold(key, self.cache.now, seconds);
        }
    }

    /// The origin has answered well: it may be asked again.
    pub(super) fn release_origin(&self, key: &CacheKey) {
        if self.holds_off_seconds() > 0 {
            self.thread.engine.holdoff.release(key);
        }
    }

    fn holds_off_seconds(&self) -> u32 {
        let records = &self.txn.records;
        if !records.flag(ids::HTTP_NEGATIVE_REVALIDATING_ENABLED) {
            return 0;
        }
        u32::try_from(records.int(ids::HTTP_NEGATIVE_REVALIDATING_LIFETIME)).unwrap_or(0)
    }

    /// Another transaction fetches the object: the stale one that `open_write_fail_action` has in place of its answer.
    pub(super) fn instead_of_following(&mut self) -> Option<Arc<StoredObject>> {
        if !matches!(self.open_write_fail_action(), 2 | 3) {
            return None;
        }
        match self.cache.stale.take() {
            Some((object, Stale { if_unreachable: true, must_revalidate: false, .. })) => {
                self.txn.cache_outcome = CacheOutcome::StaleWhileRevalidate;
                Some(object)
            }
            stale => {
                self.cache.stale = stale;
                None
            }
        }
    }

    /// How long the header of another transaction's fetch is waited for; zero: without limit.
    // ATS: opening for reading is tried until the writer has a header, then opening for writing, as often as the records
    // say.
    pub(super) fn wait_for_other(&self) -> Duration {
        let records = &self.txn.records;
        let reads = records.int(ids::HTTP_CACHE_MAX_OPEN_READ_RETRIES);
        let writes = records.int(ids::HTTP_CACHE_MAX_OPEN_WRITE_RETRIES);
        let is_set = reads != DEFAULT_READ_RETRIES || writes != DEFAULT_WRITE_RETRIES;
        if !is_set && !self.is_refused_after_waiting() {
            return limits::seconds(records, ids::TOLLGATE_HTTP_CACHE_COLLAPSE_WAIT_TIMEOUT);
        }
        let pause = records.int(ids::HTTP_CACHE_OPEN_READ_RETRY_TIME);
        let attempt = Attempt {
            retries: records.int(ids::CACHE_READ_WHILE_WRITER_MAX_RETRIES),
            delay: records.int(ids::CACHE_READ_WHILE_WRITER_RETRY_DELAY),
        };
        let all = match self.open_write_fail_action() {
            // Reading is tried again in place of writing.
            5 => attempt.reading(reads, pause).saturating_mul(2),
            _ => attempt.reading(reads, pause).saturating_add(writes.max(0).saturating_mul(pause)),
        };
        Duration::from_millis(all.max(1) as u64)
    }

    /// The answer to who has waited long enough, if `open_write_fail_action` does not have it ask the origin itself.
    pub(super) fn refused_after_waiting(&mut self) -> Option<Stop> {
        if !self.is_refused_after_waiting() {
            return None;
        }
        let mut stop = self.error(ErrorKind::ConnectFailed, "open_write_fail_action", false);
        if let Stop::Answer(answer) = &mut stop {
            // Plugins tell this page from others by the internal field (ATS: `MIME_FIELD_ATS_INTERNAL`).
            let action = self.open_write_fail_action().to_string();
            answer.page.response.headers.set("@Ats-Internal", action);
        }
        Some(stop)
    }

    fn is_refused_after_waiting(&self) -> bool {
        match self.open_write_fail_action() {
            1 | 3 => self.cache.stale.is_none(),
            4 => true,
            _ => false,
        }
    }

    fn open_write_fail_action(&self) -> i64 {
        self.txn.records.int(ids::HTTP_CACHE_OPEN_WRITE_FAIL_ACTION)
    }
}

/// How long an attempt to read waits for the writer's header.
#[derive(Clone, Copy)]
struct Attempt {
    retries: i64,
    /// Milliseconds; twice that from the third time on.
    delay: i64,
}

impl Attempt {
    /// Milliseconds of an attempt and `retries` more, with a pause before each of these.
    fn reading(self, retries: i64, pause: i64) -> i64 {
        let one = self.delay.saturating_mul(self.retries.saturating_mul(2) - self.retries.min(2));
        let more = retries.max(0);
        one.saturating_mul(more.saturating_add(1)).saturating_add(more.saturating_mul(pause))
    }
}

#[cfg(test)]
mod tests {
    use super::Attempt;

    #[test]
    fn an_attempt_to_read_and_more_of_them_take_what_they_take_in_traffic_server() {
        let attempt = Attempt { retries: 10, delay: 50 };
        assert_eq!(attempt.reading(-1, 10), 900);
        assert_eq!(attempt.reading(0, 10), 900);
        assert_eq!(attempt.reading(5, 100), 6 * 900 + 500);
        assert_eq!(Attempt { retries: 0, delay: 50 }.reading(3, 20), 60);
        assert_eq!(Attempt { retries: 2, delay: 50 }.reading(0, 20), 100);
        assert_eq!(attempt.reading(i64::MAX, i64::MAX), i64::MAX);
    }
}
