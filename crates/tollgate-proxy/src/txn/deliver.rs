//! From the origin's response to client and cache.
//!
//! Responsible for: what a response means for a stale object, whether it is stored, sharing it with others that wait,
//! reading on when the client has left, following redirects.
//! Not responsible for: asking the origin (`fetch`), sending (`respond`).
//! Invariants: an incomplete body is never stored; followers of an unshareable response are released before its body
//! is read; an object is in the store before any client has seen its last byte.

use super::cache::{Plan, stored_response};
use super::fetch::{Asked, OriginAnswer, is_get_like};
use super::forward::NextHop;
use super::{Exchange, Progress, Stop};
use crate::body::{ResponseBody, transformed};
use crate::client::ClientStream;
use crate::disk::{self, DiskSink};
use crate::error_page::ErrorKind;
use crate::limits;
use crate::thread::EngineThread;
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tollgate_cache::rules::{self, Preconditions, Stale};
use tollgate_cache::vary::variant_hash;
use tollgate_cache::{
    AbortReason, CacheKey, FillFollower, FillWriter, FollowerStart, StoreDecision, StoredHead, StoredMeta,
    StoredObject, Unshareable, part,
};
use tollgate_config::ids;
use tollgate_event::{clock, timer};
use tollgate_http::{Method, Response, Url, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::{CacheOutcome, CacheReason, TransactionEnd};
use tollgate_plugin::{BodyError, CacheLookup};

/// What waiting for another transaction's fetch led to.
enum Followed {
    Done(Progress),
    /// Its response is for other request fields. This is the key under which those like this one share theirs.
    OtherVariant(CacheKey),
    /// It ended without a response.
    Lost(AbortReason),
}

/// How a fill went.
enum Filled {
    Stored,
    NotStored,
    Aborted,
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
            Asked::Answer(answer) => self.deliver(answer, writer).await,
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

    async fn deliver(&mut self, answer: OriginAnswer, writer: Option<FillWriter>) -> Result<Progress, Stop> {
        let answer = match self.cache.completing.take() {
            Some(part) => match self.complete(&part, answer) {
                Some(answer) => answer,
                // The whole is asked for.
                None => return Box::pin(self.fetch(writer)).await,
            },
            None => answer,
        };
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
                self.cache.reason = Some(reason.into());
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
        Some(self.new_head(&answer.response, meta))
    }

    /// The head as it is stored under the transaction's key.
    fn new_head(&self, response: &Response, meta: StoredMeta) -> Arc<StoredHead> {
        let head = StoredHead::new(&self.txn.client_request, response, meta, self.cache.policy.set_cookie);
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
        let fresh = Arc::new(StoredObject::new(Arc::new(self.born(head)), object.body().clone()));
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
        if self.txn.has_response_transforms() && !self.txn.cache_untransformed {
            let transforms = self.txn.take_response_transforms();
            let (body, transformed_length) = transformed(Box::new(answer.body), length, transforms);
            (answer.body, length) = (ResponseBody::Plugin(body), transformed_length);
            set_length(&mut answer.response, length);
            head = self.new_head(&answer.response, *head.meta());
        }
        writer.publish_header(Arc::clone(&head));
        self.cache.stored = true;
        let reader = writer.reader().map_or(ResponseBody::Empty, ResponseBody::Fill);
        let thread = Rc::clone(&self.thread);
        let key = self.cache.key.clone();
        let threshold = self.txn.records.float(ids::HTTP_BACKGROUND_FILL_COMPLETED_THRESHOLD);
        let may_go_on = move |received| may_fill_behind(received, length, threshold);
        let sink = self.disk_sink(&head);
        let pump = pump(
            thread,
            key,
            Arc::clone(&head),
            Arriving { body: answer.body, length },
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
                    let mut not_modified = Box::new(stored_response(&head));
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
        let limit = limits::seconds(&self.txn.records, ids::TOLLGATE_HTTP_CACHE_COLLAPSE_WAIT_TIMEOUT);
        let start = timer::within(limit, poll_fn(|cx| follower.poll_header(cx))).await;
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
        let Ok(reader) = follower.into_reader(&self.txn.client_request.headers) else {
            self.thread.metrics.inc(Metric::CacheCollapseVary);
            let variant = variant_hash(head.headers(), &self.txn.client_request.headers);
            return Ok(match &self.cache.key {
                Some(key) => Followed::OtherVariant(key.for_variant(variant)),
                None => Followed::Done(self.fetch(None).await?),
            });
        };
        self.thread.metrics.inc(Metric::CacheCollapseHits);
        self.txn.cache_outcome = CacheOutcome::Collapsed;
        self.cache.reason = None;
        self.cache.stale = None;
        let age = head.meta().age(clock::unix_seconds());
        let (mut response, mut body, mut length) =
            (Box::new(stored_response(&head)), ResponseBody::Fill(reader), None);
        match rules::evaluate_preconditions(&self.txn.client_request, &head) {
            Preconditions::NotModified => {
                (response.status, response.reason) = (304, None);
                response.headers = rules::headers_for_304(head.headers());
                (body, length) = (ResponseBody::Empty, Some(0));
            }
            _ => length = tollgate_http::framing::content_length(&response.headers).ok().flatten().or(length),
        }
        self.respond(response, Some(age), length, body).await.map(Progress::Ended).map(Followed::Done)
    }

    /// Replaces the URL by a redirect's target, if redirects are to be followed.
    fn follow_redirect(&mut self, response: &Response) -> bool {
        if self.txn.redirect_url.is_some() {
            let is_followed = self.follow_plugins_redirect();
            if is_followed {
                self.remember_redirect(response);
            }
            return is_followed;
        }
        let Some(url) = self.redirect_of(response) else { return false };
        self.redirects += 1;
        self.remember_redirect(response);
        self.go_to(url);
        true
    }

    /// Where a redirect leads, if redirects are to be followed.
    fn redirect_of(&self, response: &Response) -> Option<Url> {
        let most = self.txn.records.int(ids::HTTP_NUMBER_OF_REDIRECTIONS);
        if self.txn.cache_lookup.is_none()
            || self.redirects >= most
            || !matches!(response.status, 301 | 302 | 303 | 307 | 308)
            || !is_get_like(&self.txn.client_request.method)
        {
            return None;
        }
        resolve(&self.txn.client_request.url, response.headers.get(names::LOCATION)?)
    }

    /// A response that handlers of SEND_RESPONSE_HDR have made a redirect is followed as one of the origin's is.
    pub(crate) fn note_redirect_made(&mut self, status_before: Option<u16>) {
        let Some(response) = &self.txn.proxy_response else { return };
        if status_before != Some(response.status) && self.txn.redirect_url.is_none() {
            self.txn.redirect_url = self.redirect_of(response).map(Box::new);
        }
    }

    /// Replaces the URL by the one a plugin has set, whatever the response is.
    fn follow_plugins_redirect(&mut self) -> bool {
        let Some(url) = self.txn.redirect_url.take() else { return false };
        let has_read_body = self.log.request_body_bytes > 0 || self.buffered.is_some();
        if self.txn.cache_lookup.is_none() || self.asked == Method::Connect || has_read_body {
            tracing::debug!("txn {}: redirect_url is not followed", self.txn.id());
            return false;
        }
        if self.redirects >= limits::PLUGIN_REDIRECTS {
            tracing::warn!("txn {}: too many redirects by plugins", self.txn.id());
            return false;
        }
        self.redirects += 1;
        self.go_to(*url);
        true
    }

    /// At SEND_RESPONSE_HDR: whether the response is dropped for the URL that a plugin has set. SEND_RESPONSE_HDR runs
    /// again, for the response that comes then.
    pub(crate) fn redirect_in_place_of_response(&mut self) -> bool {
        // ATS: a fresh object is served.
        let is_from_cache = self.txn.cache_lookup == Some(CacheLookup::HitFresh);
        if is_from_cache || !self.follow_plugins_redirect() {
            self.txn.redirect_url = None;
            return false;
        }
        if let Some(response) = self.txn.proxy_response.take() {
            self.remember_redirect(&response);
        }
        self.send_hook_ran = false;
        true
    }

    /// Makes `url` the one that is asked for.
    fn go_to(&mut self, url: Url) {
        self.txn.redirects = u32::try_from(self.redirects).unwrap_or(u32::MAX);
        let from = &self.txn.client_request.url;
        if (from.host != url.host && !from.host.eq_ignore_ascii_case(&url.host))
            || from.effective_port() != url.effective_port()
        {
            // RFC 9110 §15.4: credentials are for the origin that they were meant for.
            for secret in [names::AUTHORIZATION, names::COOKIE] {
                self.txn.client_request.headers.remove(secret);
            }
        }
        let mut host = Vec::new();
        url.write_host_port(&mut host);
        self.txn.client_request.headers.set(names::HOST, host);
        // Worked out again, with the checks that belong to it, when the origin is asked.
        (self.next_hop, self.resolved) = (NextHop::default(), None);
        if self.txn.records.flag(ids::HTTP_REDIRECT_USE_ORIG_CACHE_KEY) && self.txn.cache_url.is_none() {
            self.txn.cache_url = Some(Box::new(self.txn.client_request.url.clone()));
        }
        self.txn.client_request.url = url;
        self.txn.origin_addr = None;
        self.txn.origin_response = None;
        (self.txn.cached_response, self.txn.cached_response_time) = (None, None);
        self.cache.stale = None;
        (self.cache.redone, self.cache.origin_status, self.cache.ttl) = (0, None, None);
        self.cache.reason = None;
    }
}

/// An absolute or path-absolute Location.
fn resolve(base: &Url, location: &[u8]) -> Option<Url> {
    let location = Bytes::copy_from_slice(location);
    if location.first() != Some(&b'/') {
        return Url::parse_absolute(location).ok().filter(|u| u.scheme == Some(tollgate_http::Scheme::Http));
    }
    if location.starts_with(b"//") {
        return Url::parse_absolute([b"http:", &location[..]].concat().into()).ok();
    }
    let target = Url::parse_target(location, false).ok()?;
    Some(Url { path: target.path, query: target.query, ..base.clone() })
}

/// Content-Length of a body that was transformed; `None`: unknown.
pub(crate) fn set_length(response: &mut Response, length: Option<u64>) {
    response.headers.remove(names::CONTENT_LENGTH);
    response.headers.remove(names::CONTENT_MD5);
    if let Some(n) = length {
        response.headers.append(names::CONTENT_LENGTH, n.to_string());
    }
}

/// Runs the fill and the delivery to this client. The delivery's result counts; the fill may outlive the client.
/// A client that has left keeps its transaction; one that has its answer does not wait for a fill it does not read.
/// Also told: whether the fill went on without the client.
async fn run_both(
    pump: impl Future<Output = Filled> + 'static,
    deliver: impl Future<Output = Result<TransactionEnd, Stop>>,
) -> (Result<TransactionEnd, Stop>, bool) {
    let mut pump = Box::pin(pump);
    let mut deliver = pin!(deliver);
    let mut filled = None;
    let mut delivered = None;
    poll_fn(|cx| {
        if filled.is_none()
            && let Poll::Ready(result) = pump.as_mut().poll(cx)
        {
            filled = Some(result);
        }
        if delivered.is_none()
            && let Poll::Ready(result) = deliver.as_mut().poll(cx)
        {
            delivered = Some(result);
        }
        if filled.is_none() && delivered.is_some() {
            // The reader has just been dropped: the fill decides whether it goes on.
            if let Poll::Ready(result) = pump.as_mut().poll(cx) {
                filled = Some(result);
            }
        }
        let has_left = |end: &Result<TransactionEnd, Stop>| {
            matches!(end, Ok(TransactionEnd::ClientAborted | TransactionEnd::ClientTimeout))
        };
        match &delivered {
            Some(end) if filled.is_some() || !has_left(end) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    if filled.is_none() {
        tollgate_event::spawn_local(async move {
            // Its result is in the cache and the metrics.
            let _: Filled = pump.await;
        });
    }
    let left = matches!(delivered, Some(Ok(TransactionEnd::ClientAborted | TransactionEnd::ClientTimeout)));
    let went_on = left && !matches!(filled, Some(Filled::Aborted));
    let result = match (delivered, filled) {
        (Some(Ok(TransactionEnd::Completed)), Some(Filled::Aborted)) => Ok(TransactionEnd::OriginBodyAborted),
        (Some(result), _) => result,
        (None, _) => Ok(TransactionEnd::Internal),
    };
    (result, went_on)
}

/// Whether the fetch goes on when the client has left (`background_fill_completed_threshold`).
fn may_fill_behind(received: u64, length: Option<u64>, threshold: f64) -> bool {
    match length {
        Some(length) if length > 0 => received as f64 / length as f64 >= threshold,
        _ => threshold <= 0.0,
    }
}

/// A body and its length, if known.
struct Arriving {
    body: ResponseBody,
    length: Option<u64>,
}

/// Reads the body into the fill until its end, and stores the object.
async fn pump(
    thread: Rc<EngineThread>,
    key: Option<CacheKey>,
    head: Arc<StoredHead>,
    Arriving { mut body, length }: Arriving,
    mut writer: FillWriter,
    mut sink: Option<DiskSink>,
    may_go_on: impl Fn(u64) -> bool,
) -> Filled {
    let mut behind = None;
    let has_memory = thread.engine.store.settings().budget_bytes > 0;
    loop {
        if !writer.has_readers() && behind.is_none() {
            let received = writer.total_bytes();
            if length != Some(received) {
                let is_of_use = !writer.has_overflowed() || sink.as_ref().is_some_and(DiskSink::is_writing);
                if !is_of_use || !may_go_on(received) {
                    writer.abort(AbortReason::NoReaders);
                    thread.metrics.inc(Metric::CacheStoreAborts);
                    return Filled::NotStored;
                }
                thread.metrics.inc(Metric::BackgroundFills);
                behind = Some(thread.metrics.hold(Metric::BackgroundFillsActive));
            }
        }
        let next = next_piece(&mut body, &mut writer, behind.is_some()).await;
        match next {
            Next::Piece(piece) if length.is_some_and(|n| writer.total_bytes() + piece.len() as u64 > n) => {
                writer.abort(AbortReason::OriginBodyAborted);
                thread.metrics.inc(Metric::CacheStoreAborts);
                return Filled::Aborted;
            }
            Next::Piece(piece) => {
                let is_last = length == Some(writer.total_bytes() + piece.len() as u64);
                if let Some(open) = sink.take() {
                    let is_kept = has_memory && writer.keeps(piece.len() as u64);
                    sink = feed(open, &mut writer, piece, is_last, is_kept).await;
                } else {
                    writer.append(piece);
                }
                if let Some(key) = &key {
                    // Purges are kept for a while only: a long fetch is judged as it goes. What was found is acted
                    // on when the object is stored.
                    thread.engine.store.purges().judge(key, head.mark());
                }
            }
            Next::Readers => {}
            Next::End if length.is_none_or(|n| n == writer.total_bytes()) => break,
            Next::End | Next::Fault => {
                writer.abort(AbortReason::OriginBodyAborted);
                thread.metrics.inc(Metric::CacheStoreAborts);
                return Filled::Aborted;
            }
        }
    }
    if !(has_memory && writer.keeps(0))
        && let Some(sink) = sink.take()
    {
        sink.commit().await;
    }
    let stored = writer.finish(|object| {
        let Some(key) = &key else { return };
        let object = if object.head().is_part() {
            part::to_store(&thread.engine.store.alternates(key), object)
        } else {
            Some(Arc::clone(object))
        };
        if object.is_some_and(|object| thread.engine.store.insert(key, object).is_ok()) {
            thread.metrics.inc(Metric::CacheStores);
        }
    });
    if let Some(sink) = sink {
        sink.commit_behind();
    }
    if stored.is_some() { Filled::Stored } else { Filled::NotStored }
}

/// Gives a piece to the disk and to the readers. An object that only the disk keeps is found there before the readers
/// have its last piece.
async fn feed(
    mut sink: DiskSink,
    writer: &mut FillWriter,
    piece: Bytes,
    is_last: bool,
    is_kept: bool,
) -> Option<DiskSink> {
    if !is_last {
        writer.append(piece.clone());
        sink.take(piece).await;
        return Some(sink);
    }
    sink.take(piece.clone()).await;
    let left = if is_kept {
        Some(sink)
    } else {
        sink.commit().await;
        None
    };
    writer.append(piece);
    left
}

enum Next {
    Piece(Bytes),
    /// The last reader has gone.
    Readers,
    End,
    Fault,
}

/// The next piece once the fill may take it, or the news that nobody reads any more.
async fn next_piece(body: &mut ResponseBody, writer: &mut FillWriter, behind: bool) -> Next {
    let piece = |result: Result<Option<Bytes>, BodyError>| match result {
        Ok(Some(piece)) => Next::Piece(piece),
        Ok(None) => Next::End,
        Err(_) => Next::Fault,
    };
    if !body.can_poll() {
        poll_fn(|cx| writer.poll_ready(cx)).await;
        return piece(body.next_piece().await);
    }
    poll_fn(|cx| {
        if writer.poll_ready(cx).is_ready()
            && let Poll::Ready(result) = body.poll_next(cx)
        {
            return Poll::Ready(piece(result));
        }
        if !behind && writer.poll_no_readers(cx).is_ready() {
            return Poll::Ready(Next::Readers);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::with_pair;
    use std::cell::Cell;
    use tollgate_event::thread::yield_now;

    /// A fill that is over when `go` says so, and then says so.
    async fn fill(go: Rc<Cell<bool>>, done: Rc<Cell<bool>>, result: Filled) -> Filled {
        while !go.get() {
            yield_now().await;
        }
        done.set(true);
        result
    }

    fn flags() -> (Rc<Cell<bool>>, Rc<Cell<bool>>) {
        Default::default()
    }

    #[test]
    fn a_client_that_has_its_answer_does_not_wait_for_the_fill() {
        with_pair(|_, _| async {
            let (go, done) = flags();
            let pump = fill(Rc::clone(&go), Rc::clone(&done), Filled::Stored);
            let (ended, went_on) = run_both(pump, async { Ok(TransactionEnd::Completed) }).await;
            assert!(matches!(ended, Ok(TransactionEnd::Completed)) && !done.get() && !went_on);
            go.set(true);
            while !done.get() {
                yield_now().await;
            }
        });
    }

    #[test]
    fn a_client_that_has_left_keeps_its_transaction_until_the_fill_is_over() {
        for end in [TransactionEnd::ClientAborted, TransactionEnd::ClientTimeout] {
            with_pair(move |_, _| async move {
                let (go, done) = flags();
                let release = Rc::clone(&go);
                let pump = fill(go, Rc::clone(&done), Filled::NotStored);
                let deliver = async move {
                    tollgate_event::spawn_local(async move {
                        yield_now().await;
                        release.set(true);
                    });
                    Ok(end)
                };
                let (ended, went_on) = run_both(pump, deliver).await;
                assert!(matches!(ended, Ok(e) if e == end) && done.get() && went_on);
            });
        }
    }

    #[test]
    fn a_response_whose_fill_was_cut_off_is_not_complete() {
        with_pair(|_, _| async {
            let (go, done) = flags();
            go.set(true);
            let pump = fill(go, done, Filled::Aborted);
            let (ended, went_on) = run_both(pump, async { Ok(TransactionEnd::Completed) }).await;
            assert!(matches!(ended, Ok(TransactionEnd::OriginBodyAborted)) && !went_on);
        });
    }

    #[test]
    fn a_delivery_that_stops_does_not_wait_for_the_fill() {
        with_pair(|_, _| async {
            let (go, done) = flags();
            let pump = fill(go, Rc::clone(&done), Filled::Stored);
            let (ended, went_on) =
                run_both(pump, async { Err(Stop::Abort(TransactionEnd::PluginFailed)) }).await;
            assert!(
                matches!(ended, Err(Stop::Abort(TransactionEnd::PluginFailed))) && !done.get() && !went_on
            );
        });
    }
}
