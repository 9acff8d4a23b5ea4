//! From the origin's response to client and cache.
//!
//! Responsible for: what a response means for a stale object, whether it is stored, sharing it with others that wait.
//! Not responsible for: asking the origin (`fetch`), following redirects (`redirect`), reading the body for the store
//! (`pump`), sending (`respond`).
//! Invariant: followers of an unshareable response are released before its body is read.

use super::cache::{Plan, stored_response};
use super::fetch::{Asked, OriginAnswer};
use super::pump::{Arriving, may_fill_behind, pump, run_both};
use super::{Exchange, Progress, Stop};
use crate::body::{ResponseBody, transformed};
use crate::client::ClientStream;
use crate::disk::{self, DiskSink, FillBody, Patched};
use crate::error_page::ErrorKind;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use tollgate_cache::range::content_range;
use tollgate_cache::rules::{self, LifetimeSource, Preconditions, Stale};
use tollgate_cache::vary::variant_hash;
use tollgate_cache::{
    AbortReason, CacheKey, FillFollower, FillWriter, FollowerStart, StoreDecision, StoredHead, StoredMeta,
    StoredObject, Unshareable,
};
use tollgate_config::ids;
use tollgate_event::{clock, timer};
use tollgate_http::{Method, Response, date, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::{CacheOutcome, CacheReason, TransactionEnd};

/// What waiting for another transaction's fetch led to.
enum Followed {
    Done(Progress),
    /// Its response is for other request fields. This is the key under which those like this one share theirs.
    OtherVariant(CacheKey),
    /// It ended without a response.
    Lost(AbortReason),
}

impl<S: ClientStream> Exchange<'_, S> {
    /// Asks the origin and delivers its response. With `writer`, others wait for the same response.
    pub(crate) async fn fetch(&mut self, writer: Option<FillWriter>) -> Result<Progress, Stop> {
        self.cache.fills = writer.is_some();
        self.cache.disk = self.disk_writer().filter(|_| writer.is_some());
        self.cache.writer = writer;
        let asked = self.ask_origin().await;
        let writer = self.cache.writer.take();
        let asked = match asked {
            Ok(asked) => asked,
            Err(stop) => {
                if let Some(writer) = writer {
                    writer.abort(AbortReason::OriginFailed);
                }
                return Box::pin(self.origin_failed(stop)).await.map(Progress::Ended);
            }
        };
        match asked {
            Asked::Upgraded(response, conn) => {
                Box::pin(self.upgrade_tunnel(response, conn)).await.map(Progress::Ended)
            }
            Asked::Answer(answer) if self.cache.gap.is_none() && self.cache.completing.is_none() => {
                let delivery = pin!(self.deliver_answer(answer, writer));
                delivery.await
            }
            Asked::Answer(answer) => Box::pin(self.deliver_part(answer, writer)).await,
        }
    }

    /// No answer: a stale object may stand in.
    async fn origin_failed(&mut self, stop: Stop) -> Result<TransactionEnd, Stop> {
        // A plugin's own answer stands, whatever its status.
        let failed = matches!(&stop, Stop::Answer(answer) if answer.page.response.status >= 500
            && !matches!(answer.end, TransactionEnd::PluginResponded | TransactionEnd::PluginFailed));
        match self.cache.stale.take() {
            Some((object, Stale { if_unreachable, if_error, must_revalidate: false, .. }))
                if failed && (if_unreachable || if_error) =>
            {
                self.txn.cache_outcome = CacheOutcome::StaleOnError;
                self.cache.reason = Some(CacheReason::OriginUnreachable);
                self.hold_off();
                self.serve_stored(object).await
            }
            _ => Err(stop),
        }
    }

    /// Delivers what completes a stored part.
    async fn deliver_part(
        &mut self,
        answer: OriginAnswer,
        writer: Option<FillWriter>,
    ) -> Result<Progress, Stop> {
        if let Some(gap) = self.cache.gap.take() {
            return Box::pin(self.deliver_into_gap(*gap, answer, writer)).await;
        }
        let answer = match self.cache.completing.take() {
            Some(part) => match self.complete(&part, answer) {
                Some(answer) => answer,
                // The whole is asked for.
                None => return Box::pin(self.fetch(writer)).await,
            },
            None => answer,
        };
        self.deliver_answer(answer, writer).await
    }

    /// Delivers a response that stands for itself.
    pub(super) async fn deliver_answer(
        &mut self,
        answer: OriginAnswer,
        writer: Option<FillWriter>,
    ) -> Result<Progress, Stop> {
        if self.follow_redirect(&answer.response) {
            if let Some(writer) = writer {
                writer.uncacheable();
            }
            return Ok(Progress::Redirected);
        }
        self.cache.origin_status = Some(answer.response.status);
        self.invalidate(&answer.response);
        if let Some((object, stale)) = self.cache.stale.take() {
            if self.txn.ignores_origin_response {
                self.txn.cache_outcome = CacheOutcome::StaleOnError;
                let object = self.in_place_of_answer(&object);
                if let Some(writer) = writer {
                    writer.finish_with(&object);
                }
                return Box::pin(self.serve_stored(object)).await.map(Progress::Ended);
            }
            if answer.response.status == 304 {
                if rules::validates(object.head(), &answer.response) {
                    return Box::pin(self.revalidated(object, answer, writer)).await.map(Progress::Ended);
                }
            } else if self.may_replace(&stale, answer.response.status) {
                self.txn.cache_outcome = CacheOutcome::StaleOnError;
                self.cache.reason = Some(CacheReason::OriginError);
                self.hold_off();
                if let Some(writer) = writer {
                    writer.finish_with(&object);
                }
                return Box::pin(self.serve_stored(object)).await.map(Progress::Ended);
            }
            self.txn.cache_outcome = CacheOutcome::Refreshed;
        } else if self.cache.key.is_some() {
            self.txn.cache_outcome = CacheOutcome::Miss;
        }
        let writer = writer.or_else(|| self.writer_for_post(&answer.response));
        match self.store_head(&answer, writer.is_some()) {
            Some(head) => Box::pin(self.fill(answer, head, writer)).await.map(Progress::Ended),
            None => {
                self.release(&answer.response, writer);
                self.respond(answer.response, None, answer.length, answer.body).await.map(Progress::Ended)
            }
        }
    }

    /// Whether a stale object is served in place of an error: stale-if-error (RFC 5861 §4), or
    /// `negative_revalidating_enabled` (ATS) where the object may be served while the origin cannot be reached.
    fn may_replace(&self, stale: &Stale, status: u16) -> bool {
        let by_record = status >= 500
            && stale.if_unreachable
            && !stale.must_revalidate
            && self.txn.records.flag(ids::HTTP_NEGATIVE_REVALIDATING_ENABLED);
        stale.may_replace(status) || by_record
    }

    /// The head to store, if the response may be stored.
    fn store_head(&mut self, answer: &OriginAnswer, has_writer: bool) -> Option<Arc<StoredHead>> {
        if self.txn.no_store {
            self.cache.reason = Some(CacheReason::Plugin);
            return None;
        }
        if !has_writer {
            if self.cache.request.no_store {
                self.cache.reason = Some(CacheReason::RequestNoStore);
            }
            return None;
        }
        let now = clock::unix_seconds();
        let decision =
            rules::store_decision(&self.txn.client_request, &answer.response, now, &self.cache.policy);
        let mut meta = match decision {
            StoreDecision::Store { meta } => meta,
            StoreDecision::Dont(_) if self.txn.response_is_cacheable => {
                StoredMeta::new(&answer.response, now, now)
            }
            StoreDecision::Dont(reason) => {
                self.cache.reason = Some(reason);
                return None;
            }
        };
        if answer.response.status == 206 && self.txn.has_response_transforms() {
            self.cache.reason = Some(CacheReason::Partial);
            return None;
        }
        let most = self.largest_stored();
        if answer.length.is_some_and(|n| most > 0 && n > most) && !self.txn.has_response_transforms() {
            self.cache.reason = Some(CacheReason::TooLarge);
            return None;
        }
        meta.request_time = answer.request_time;
        if let (seconds, LifetimeSource::Negative) = meta.lifetime(&self.cache.policy) {
            // ATS: those that get the stored error are told for how long it stands.
            let mut stored = answer.response.clone();
            stored.headers.set(names::EXPIRES, date::format(now.saturating_add(i64::from(seconds))));
            return Some(self.new_head(&stored, meta));
        }
        Some(self.new_head(&answer.response, meta))
    }

    /// The head as it is stored under the transaction's key.
    pub(super) fn new_head(&self, response: &Response, meta: StoredMeta) -> Arc<StoredHead> {
        let head = StoredHead::new(&self.txn.client_request, response, meta, self.cache.policy.set_cookie)
            .chosen_by(&self.cache.policy.negotiation, self.cache.is_refused)
            .pinned_for(self.cache.policy.pin_in_cache);
        Arc::new(self.born(head))
    }

    /// Tells purges of `head` what they need.
    fn born(&self, head: StoredHead) -> StoredHead {
        match &self.cache.key {
            Some(key) => head.born_as(key, self.cache.born),
            None => head,
        }
    }

    /// Lets those that wait go to the origin themselves, and remembers that waiting is of no use for this key.
    fn release(&self, response: &Response, writer: Option<FillWriter>) {
        let Some(writer) = writer else { return };
        if let Some(key) = &self.cache.key
            && !self.cache.request.has_range
            && self.txn.client_request.method == Method::Get
        {
            let now = self.cache.now;
            let lifetime = self.txn.records.int(ids::TOLLGATE_HTTP_CACHE_HIT_FOR_MISS_LIFETIME);
            let reason = self.cache.reason.map_or("plugin_no_store", CacheReason::token);
            let known = Unshareable { reason, until: now.saturating_add(lifetime) };
            let request = &self.txn.client_request.headers;
            self.thread.engine.hit_for_miss.remember(key, request, &response.headers, known, now);
        }
        writer.uncacheable();
    }

    /// A 304 for a stale object.
    async fn revalidated(
        &mut self,
        object: Arc<StoredObject>,
        answer: OriginAnswer,
        writer: Option<FillWriter>,
    ) -> Result<TransactionEnd, Stop> {
        let now = clock::unix_seconds();
        let head = object.head().updated_by_304(&answer.response, answer.request_time, now);
        let fresh = Arc::new(StoredObject::new(self.born(head), object.body().clone()));
        if let Some(key) = &self.cache.key
            && !self.txn.no_store
        {
            self.thread.engine.store.update(key, &object, Arc::clone(&fresh));
            let disk = self.cache.disk.take();
            if let (Some(store), Some(writer)) = (self.thread.engine.disk.store(), disk) {
                disk::update(store, key, *writer, Arc::clone(&fresh)).await;
            }
            self.release_origin(key);
        }
        self.thread.metrics.inc(Metric::CacheRevalidations);
        self.txn.cache_outcome = CacheOutcome::Revalidated;
        self.cache.now = now;
        if let Some(writer) = writer {
            writer.finish_with(&fresh);
        }
        drop(answer);
        self.serve_stored(fresh).await
    }

    /// Stores the response while it is sent to this client and all that wait.
    async fn fill(
        &mut self,
        mut answer: OriginAnswer,
        head: Arc<StoredHead>,
        writer: Option<FillWriter>,
    ) -> Result<TransactionEnd, Stop> {
        let Some(writer) = writer else {
            return self.respond(answer.response, None, answer.length, answer.body).await;
        };
        if let Some(key) = &self.cache.key {
            self.thread.engine.hit_for_miss.forget(key, &self.txn.client_request.headers);
            self.release_origin(key);
        }
        let mut head = head;
        let mut length = answer.length;
        let mut is_kept_in_part = self.cache.policy.store_parts;
        if self.txn.has_response_transforms() && !self.txn.cache_untransformed {
            let transforms = self.txn.take_response_transforms();
            let (body, transformed_length) = transformed(Box::new(answer.body), length, transforms);
            (answer.body, length) = (ResponseBody::Plugin(body), transformed_length);
            set_length(&mut answer.response, length);
            head = self.new_head(&answer.response, head.meta());
            // The origin's ranges are not those of what is stored.
            is_kept_in_part = false;
        }
        let sink = self.disk_sink(&head, is_kept_in_part);
        if let Some(spill) = sink.as_ref().and_then(DiskSink::spill) {
            writer.spill_to(spill);
        }
        writer.publish_header(Arc::clone(&head));
        self.cache.stored = true;
        let reader = writer.reader().map_or(ResponseBody::Empty, |r| ResponseBody::Fill(FillBody::new(r)));
        let thread = Rc::clone(&self.thread);
        let key = self.cache.key.clone();
        let threshold = self.txn.records.float(ids::HTTP_BACKGROUND_FILL_COMPLETED_THRESHOLD);
        let may_go_on = move |received| may_fill_behind(received, length, threshold);
        let pump = pump(
            thread,
            key,
            Arc::clone(&head),
            Arriving { body: answer.body, length, is_kept_in_part },
            writer,
            sink,
            may_go_on,
        );
        // RFC 9110 §13: the client's own conditions were not sent to the origin; they are judged here.
        let response = answer.response;
        let condition = rules::evaluate_preconditions(&self.txn.client_request, &head);
        let deliver = async {
            match condition {
                Preconditions::NotModified => {
                    let mut not_modified = stored_response(&head);
                    (not_modified.status, not_modified.reason) = (304, None);
                    not_modified.headers = rules::headers_for_304(head.headers());
                    drop(reader);
                    self.respond(not_modified, None, Some(0), ResponseBody::Empty).await
                }
                _ => self.respond(response, None, length, reader).await,
            }
        };
        let (result, went_on) = run_both(pump, deliver).await;
        self.txn.fills_behind = went_on;
        result
    }

    /// Waits for another transaction's fetch and is served from it. If that one ends without a response, those that
    /// waited share the next one; an origin that fails a second time has failed for all of them.
    pub(crate) async fn follow(&mut self, follower: FillFollower) -> Result<Progress, Stop> {
        let mut follower = follower;
        let mut failures = 0;
        loop {
            self.thread.metrics.inc(Metric::CacheCollapsed);
            match self.follow_one(follower).await? {
                Followed::Done(progress) => return Ok(progress),
                Followed::OtherVariant(_) if self.cache.variant.is_some() => return self.fetch_alone().await,
                Followed::OtherVariant(key) => self.cache.variant = Some(key),
                Followed::Lost(reason) => {
                    self.thread.metrics.inc(Metric::CacheCollapseLost);
                    failures += u8::from(reason == AbortReason::OriginFailed);
                }
            }
            if failures > 1 {
                let stop = self.error(ErrorKind::OriginClosed, "a shared request failed twice", false);
                return Box::pin(self.origin_failed(stop)).await.map(Progress::Ended);
            }
            if let Some(object) = Box::pin(self.stored_on_disk_meanwhile()).await {
                return self.serve_stored(object).await.map(Progress::Ended);
            }
            follower = match self.plan_fetch()? {
                Plan::Follow(next) => next,
                Plan::Serve(object) => return self.serve_stored(object).await.map(Progress::Ended),
                Plan::Fetch(writer) => return self.fetch(writer).await,
            };
        }
    }

    /// The response is not shared, or that of another takes too long: this transaction asks for itself.
    async fn fetch_alone(&mut self) -> Result<Progress, Stop> {
        let writer = self.thread.engine.collapser.alone();
        if let Some(key) = &self.cache.key {
            self.cache.born = self.thread.engine.store.born(key);
        }
        self.fetch(Some(writer)).await
    }

    async fn follow_one(&mut self, mut follower: FillFollower) -> Result<Followed, Stop> {
        let waiting = self.thread.metrics.hold(Metric::CacheWaiters);
        let start = timer::within(self.wait_for_other(), poll_fn(|cx| follower.poll_header(cx))).await;
        drop(waiting);
        let head = match start {
            Ok(FollowerStart::Header(head)) => head,
            Ok(FollowerStart::Aborted(reason)) => return Ok(Followed::Lost(reason)),
            Ok(FollowerStart::Uncacheable) => {
                self.thread.metrics.inc(Metric::CacheCollapseUncacheable);
                return self.fetch_alone().await.map(Followed::Done);
            }
            Err(timer::Elapsed) => {
                self.thread.metrics.inc(Metric::CacheCollapseTimeouts);
                if let Some(stop) = self.refused_after_waiting() {
                    return Err(stop);
                }
                return self.fetch_alone().await.map(Followed::Done);
            }
        };
        let engine = &self.thread.engine;
        if let Some(key) = &self.cache.key
            && engine.store.is_overtaken(key, &head)
        {
            // It was asked for before a purge and this client may have come after: the next fetch is for it.
            engine.collapser.detach_from(self.cache.variant.as_ref().unwrap_or(key), &follower);
            return Ok(Followed::Lost(AbortReason::Purged));
        }
        let range = match self.cache.request.has_range {
            true => match self.range_of(&head).filter(|_| !head.is_part()) {
                Some(range) => Some(range),
                // It is another fetch than the one whose header was looked at, or the part that was fetched for it is
                // of another version.
                None => return self.fetch_alone().await.map(Followed::Done),
            },
            false => None,
        };
        let Ok(reader) =
            follower.into_reader(&self.txn.client_request.headers, &self.cache.policy.negotiation)
        else {
            self.thread.metrics.inc(Metric::CacheCollapseVary);
            let variant = variant_hash(&head.headers(), &self.txn.client_request.headers);
            return Ok(match &self.cache.key {
                Some(key) => Followed::OtherVariant(key.for_variant(variant)),
                None => Followed::Done(self.fetch(None).await?),
            });
        };
        self.thread.metrics.inc(Metric::CacheCollapseHits);
        self.txn.cache_outcome = CacheOutcome::Collapsed;
        self.cache.reason = None;
        self.cache.stale = None;
        let age = head.age(clock::unix_seconds());
        let mut response = stored_response(&head);
        let mut length = tollgate_http::framing::content_length(&response.headers).ok().flatten();
        let body = match (rules::evaluate_preconditions(&self.txn.client_request, &head), range) {
            (Preconditions::NotModified, _) => {
                (response.status, response.reason) = (304, None);
                response.headers = rules::headers_for_304(head.headers());
                length = Some(0);
                ResponseBody::Empty
            }
            (_, Some(range)) => {
                (response.status, response.reason) = (206, None);
                response
                    .headers
                    .set(names::CONTENT_RANGE, content_range(&range, length.unwrap_or(range.end)));
                length = Some(range.end - range.start);
                match reader.around() {
                    Some(around) => Patched::new(reader, around).into_body(range),
                    None => ResponseBody::Fill(FillBody::part(reader, range)),
                }
            }
            (_, None) => match reader.around() {
                Some(around) => Patched::new(reader, around).into_body(0..length.unwrap_or(u64::MAX)),
                None => ResponseBody::Fill(FillBody::new(reader)),
            },
        };
        self.respond(response, Some(age), length, body).await.map(Progress::Ended).map(Followed::Done)
    }
}

/// Content-Length of a body that was transformed; `None`: unknown.
pub(crate) fn set_length(response: &mut Response, length: Option<u64>) {
    response.headers.remove(names::CONTENT_LENGTH);
    response.headers.remove(names::CONTENT_MD5);
    if let Some(n) = length {
        response.headers.append(names::CONTENT_LENGTH, n.to_string());
    }
}
