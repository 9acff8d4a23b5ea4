//! Looking a request up and serving what is stored.

use super::disk::OnDisk;
use super::{Exchange, Mode, Stop};
use crate::body::ResponseBody;
use crate::client::ClientStream;
use crate::disk::{self, Survives};
use crate::engine::Engine;
use crate::error_page::ErrorKind;
use crate::{host, limits, policy};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tollgate_cache::disk::DiskWriter;
use tollgate_cache::part::{Gap, Part};
use tollgate_cache::purge::groups;
use tollgate_cache::range::{self, RangeAnswer};
use tollgate_cache::rules::{self, FreshState, Preconditions, Stale};
use tollgate_cache::status::Forward;
use tollgate_cache::{
    Born, CacheKey, Effect, FillFollower, FillWriter, Freshness, Lookup, Policy, RequestPolicy, Role,
    StoredHead, StoredObject, Target,
};
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_http::{Method, Response, Url, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::milestones::Milestone;
use tollgate_obs::outcome::{CacheOutcome, CacheReason, TransactionEnd};
use tollgate_plugin::{CacheLookup, FetchRequest, TransactionHook};

/// What the cache knows about a transaction.
#[derive(Default)]
pub(crate) struct CacheState {
    pub(crate) key: Option<CacheKey>,
    pub(crate) policy: Policy,
    pub(crate) request: RequestPolicy,
    /// The stored object that is being validated.
    pub(crate) stale: Option<(Arc<StoredObject>, Stale)>,
    /// The stored part in memory that is being completed.
    pub(crate) completing: Option<Arc<StoredObject>>,
    /// The partly stored object on the disk of which missing bytes are asked for.
    pub(crate) gap: Option<Box<(Arc<StoredObject>, Gap)>>,
    /// The response may be shared with others: it is asked for without the client's own conditions.
    pub(crate) fills: bool,
    /// Seconds since 1970 at the look-up.
    pub(crate) now: i64,
    /// When the origin was asked, in terms of purges.
    pub(crate) born: Born,
    /// For Cache-Status.
    pub(crate) forward: Option<Forward>,
    /// Seconds that the object found is still fresh; `None`: nothing was found.
    pub(crate) ttl: Option<i64>,
    pub(crate) stored: bool,
    /// Under which key the fetch is shared, if not under `key`: that of the variant.
    pub(crate) variant: Option<CacheKey>,
    /// The origin's status.
    pub(crate) origin_status: Option<u16>,
    /// The fetch that others may share, while its header is awaited.
    pub(crate) writer: Option<FillWriter>,
    /// Why the cache does what it does, as far as is known.
    pub(crate) reason: Option<CacheReason>,
    /// Writes to the disk what comes of the fetch, unless the key is purged meanwhile.
    pub(crate) disk: Option<Box<DiskWriter>>,
    /// How often a handler had the cache looked up again.
    pub(crate) redone: u8,
    /// Handlers of SELECT_ALT have refused something.
    pub(crate) is_refused: bool,
}

/// What becomes of an object that was found.
pub(super) enum Use {
    /// It is fresh.
    Serve,
    /// It is stale, and the client's `max-stale` accepts that.
    ServeAccepted,
    /// It is stale, and may be served while it is refreshed.
    ServeAndRefresh,
    /// It is stale, and its origin is left alone for a while.
    ServeHeldOff,
    /// It must be validated; this is what it may be used for if that fails.
    Validate(Stale),
    /// The client wants it fetched anew.
    Replace,
    /// Nothing: a handler calls it a miss.
    Ignore,
}

impl Use {
    /// A part is not refreshed behind the scenes: that would fetch the whole.
    fn for_object(self, object: &StoredObject, freshness: &Freshness) -> Use {
        match (self, freshness.state) {
            (Use::ServeAndRefresh, FreshState::Stale(stale)) if object.head().is_part() => {
                Use::Validate(stale)
            }
            (other, _) => other,
        }
    }
}

/// How the transaction goes on.
pub(crate) enum Plan {
    /// Serve this object.
    Serve(Arc<StoredObject>),
    /// Wait for the fetch of another transaction.
    Follow(FillFollower),
    /// Ask the origin; with a writer if the response may be shared.
    Fetch(Option<FillWriter>),
}

impl<S: ClientStream> Exchange<'_, S> {
    /// Looks the request up and fires the cache's hook points.
    pub(crate) async fn look_up(&mut self) -> Result<Plan, Stop> {
        self.prepare_look_up();
        if !self.is_looked_up() {
            let skip = self.cache.request.skip;
            self.cache.reason =
                self.cache.reason.or(skip).or_else(|| self.is_upgrade().then_some(CacheReason::Upgrade));
            self.txn.cache_lookup = Some(CacheLookup::Skipped);
            fire!(self, CacheLookupComplete);
            self.txn.redo_cache_lookup = None;
            return Ok(Plan::Fetch(None));
        }
        self.txn.cache_lookups += 1;
        let key = self.key_of(&self.txn.client_request.url);
        self.mark(Milestone::CacheOpenReadBegin);
        let mut found = self.find(&key);
        if found.is_none() {
            found = match self.find_on_disk_now(&key) {
                OnDisk::Known(known) => known,
                OnDisk::Waits => Box::pin(self.await_disk(&key)).await,
            };
        }
        self.mark(Milestone::CacheOpenReadEnd);
        self.thread.metrics.inc(Metric::CacheLookups);
        self.cache.key = Some(key);
        let Some(object) = found else {
            if self.is_miss_heard() {
                return Box::pin(self.missed()).await;
            }
            self.note_miss();
            return self.plan_fetch();
        };
        self.found(object).await
    }

    /// What the request and the records say of caching.
    pub(super) fn prepare_look_up(&mut self) {
        if self.txn.records.has_overrides() {
            self.cache.policy = policy::of(&self.txn.records);
        } else {
            self.cache.policy = self.generation.policy;
        }
        self.apply_cache_rules();
        self.cache.request = rules::request_policy(&self.txn.client_request, &self.cache.policy);
        self.cache.now = clock::unix_seconds();
    }

    /// The key of a URL after remapping. Where the origin is sent the client's own Host, that host is part of it.
    pub(super) fn key_of(&self, url: &Url) -> CacheKey {
        let generation = self.txn.records.int(ids::HTTP_CACHE_GENERATION);
        if let Some(url) = &self.txn.cache_url {
            return CacheKey::for_url(url, generation);
        }
        match &self.txn.pristine_url {
            Some(pristine)
                if self.rule.is_some()
                    // A redirect's target is asked for by its own host.
                    && self.redirects == 0
                    && self.txn.records.flag(ids::URL_REMAP_PRISTINE_HOST_HDR) =>
            {
                let url = Url {
                    scheme: pristine.scheme,
                    host: pristine.host.clone(),
                    port: pristine.port,
                    ..url.clone()
                };
                CacheKey::for_url(&url, generation)
            }
            _ => CacheKey::for_url(url, generation),
        }
    }

    pub(super) fn is_looked_up(&self) -> bool {
        (self.cache.request.lookup || self.txn.request_is_cacheable)
            && self.cache.policy.enabled
            && !self.is_upgrade()
    }

    /// The stored alternate for this request; handlers of SELECT_ALT weigh what there is.
    pub(super) fn find(&mut self, key: &CacheKey) -> Option<Arc<StoredObject>> {
        let store = &self.thread.engine.store;
        if !self.has_judges() {
            let negotiation = &self.cache.policy.negotiation;
            return match store.lookup_by(key, &self.txn.client_request, negotiation) {
                Lookup::Found(object) => Some(object),
                Lookup::VaryMiss => {
                    self.cache.forward = Some(Forward::VaryMiss);
                    None
                }
                Lookup::Miss => None,
            };
        }
        let alternates = store.alternates(key);
        self.choose(&alternates)
    }

    /// Whether handlers are told of a miss, or one has had a say in it.
    fn is_miss_heard(&self) -> bool {
        self.txn.has_handlers(TransactionHook::CacheLookupComplete) || self.txn.redo_cache_lookup.is_some()
    }

    fn note_miss(&mut self) {
        self.cache.reason = None;
        self.thread.metrics.inc(Metric::CacheMisses);
        self.cache.forward.get_or_insert(Forward::UriMiss);
        self.txn.cache_lookup = Some(CacheLookup::Miss);
    }

    pub(super) async fn missed(&mut self) -> Result<Plan, Stop> {
        self.note_miss();
        fire!(self, CacheLookupComplete);
        self.txn.cache_lookup = Some(CacheLookup::Miss);
        if self.is_redone() {
            return Box::pin(self.look_up()).await;
        }
        self.plan_fetch()
    }

    async fn found(&mut self, object: Arc<StoredObject>) -> Result<Plan, Stop> {
        if object.head().is_part() && !self.is_answered_by(&object) {
            return self.missed_part(object).await;
        }
        let freshness = self.freshness(&object);
        self.cache.ttl = Some(freshness.ttl());
        self.cache.reason = Some(freshness.reason);
        let status = if freshness.is_fresh() { CacheLookup::HitFresh } else { CacheLookup::HitStale };
        self.txn.cache_lookup = Some(status);
        if self.txn.has_handlers(TransactionHook::ReadCacheHdr)
            || self.txn.has_handlers(TransactionHook::CacheLookupComplete)
        {
            self.txn.cached_response = Some(stored_response(object.head()));
            self.txn.cached_response_time = Some(object.head().response_time());
            fire!(self, ReadCacheHdr);
            fire!(self, CacheLookupComplete);
            if self.is_redone() {
                return Box::pin(self.look_up()).await;
            }
        }
        let status = self.txn.cache_lookup.unwrap_or(CacheLookup::Miss);
        if status == CacheLookup::HitStale {
            self.thread.metrics.inc(Metric::CacheStale);
            self.cache.forward = Some(if freshness.ttl() > 0 { Forward::Request } else { Forward::Stale });
        }
        match self.use_of(status, &freshness).for_object(&object, &freshness) {
            Use::Serve => {
                self.thread.metrics.inc(Metric::CacheHits);
                self.note_hit(&object);
                self.txn.cache_outcome = CacheOutcome::Hit;
                Ok(Plan::Serve(self.with_plugins_header(object)))
            }
            Use::ServeAccepted => {
                self.cache.reason = Some(CacheReason::ClientMaxStale);
                self.txn.cache_outcome = CacheOutcome::Hit;
                Ok(Plan::Serve(object))
            }
            Use::ServeAndRefresh => {
                self.refresh_behind();
                self.txn.cache_outcome = CacheOutcome::StaleWhileRevalidate;
                Ok(Plan::Serve(object))
            }
            Use::ServeHeldOff => {
                self.cache.reason = Some(CacheReason::OriginError);
                self.txn.cache_outcome = CacheOutcome::StaleOnError;
                Ok(Plan::Serve(object))
            }
            Use::Validate(stale) => {
                if freshness.is_fresh() {
                    self.cache.reason = Some(CacheReason::Plugin);
                }
                self.cache.stale = Some((object, stale));
                self.plan_fetch()
            }
            Use::Replace => self.plan_fetch(),
            Use::Ignore => {
                self.txn.cached_response = None;
                self.txn.cached_response_time = None;
                self.txn.cache_lookup = Some(CacheLookup::Miss);
                self.plan_fetch()
            }
        }
    }

    /// What becomes of an object with this freshness that counts as `status`.
    pub(super) fn use_of(&self, status: CacheLookup, freshness: &Freshness) -> Use {
        let stale = match (status, freshness.state) {
            (CacheLookup::HitFresh, _) => return Use::Serve,
            (CacheLookup::Miss | CacheLookup::Skipped, _) => return Use::Ignore,
            (CacheLookup::HitStale, FreshState::Stale(stale)) => stale,
            // A handler made it stale.
            (CacheLookup::HitStale, FreshState::Fresh) => {
                Stale { if_unreachable: true, if_error: true, ..Stale::default() }
            }
        };
        match stale {
            stale if stale.client_accepts => Use::ServeAccepted,
            stale if stale.while_revalidate => Use::ServeAndRefresh,
            _ if freshness.reason == CacheReason::ClientNoCache && self.is_fetched_anew() => Use::Replace,
            stale if self.is_held_off(&stale) => Use::ServeHeldOff,
            stale => Use::Validate(stale),
        }
    }

    /// Whether a handler of CACHE_LOOKUP_COMPLETE wants another look-up: what this one found is put aside.
    fn is_redone(&mut self) -> bool {
        let Some(url) = self.txn.redo_cache_lookup.take() else { return false };
        if self.cache.redone == limits::CACHE_LOOKUPS_REDONE {
            tracing::warn!("txn {}: the cache is not looked up yet another time", self.txn.id());
            return false;
        }
        self.cache.redone += 1;
        self.txn.cache_url = Some(url);
        self.txn.cached_response = None;
        (self.cache.forward, self.cache.ttl, self.cache.reason) = (None, None, None);
        self.cache.is_refused = false;
        true
    }

    pub(crate) fn freshness(&self, object: &StoredObject) -> Freshness {
        let mut freshness = object.head().freshness(self.cache.now, &self.cache.request, &self.cache.policy);
        if self.mode == Mode::Refresh {
            let stale = Stale { while_revalidate: false, client_accepts: false, ..Stale::default() };
            freshness.state = match freshness.state {
                FreshState::Fresh => FreshState::Fresh,
                FreshState::Stale(s) => FreshState::Stale(Stale {
                    by: s.by,
                    if_error: s.if_error,
                    if_unreachable: s.if_unreachable,
                    must_revalidate: s.must_revalidate,
                    ..stale
                }),
            };
        }
        freshness
    }

    /// Joins a fetch under way, starts one that others may join, or goes alone.
    pub(super) fn plan_fetch(&mut self) -> Result<Plan, Stop> {
        if self.cache.request.only_if_cached {
            self.txn.cache_outcome = CacheOutcome::OnlyIfCachedMiss;
            return Err(self.error(ErrorKind::OnlyIfCached, "only-if-cached", false));
        }
        let is_storable = self.txn.client_request.method == Method::Get
            && self.cache.request.store
            && !self.txn.no_store
            && self.client.body_remaining() == Some(0);
        let Some(key) = self.cache.key.as_ref().filter(|_| is_storable) else { return Ok(Plan::Fetch(None)) };
        let engine = &self.thread.engine;
        self.cache.born = engine.store.born(key);
        if self.cache.request.has_range
            && let Some(follower) = self.fill_with_range(key)
        {
            return Ok(Plan::Follow(follower));
        }
        // What a range is answered with is no answer for others.
        if self.cache.request.has_range || !self.txn.records.flag(ids::TOLLGATE_HTTP_CACHE_COLLAPSE_ENABLED) {
            return Ok(Plan::Fetch(Some(engine.collapser.alone())));
        }
        if engine.hit_for_miss.find(key, &self.txn.client_request.headers, self.cache.now).is_some() {
            self.thread.metrics.inc(Metric::CacheHitForMiss);
            return Ok(Plan::Fetch(Some(engine.collapser.alone())));
        }
        match engine.collapser.join(self.cache.variant.as_ref().unwrap_or(key)) {
            Role::Leader(writer) => match self.stored_meanwhile(key) {
                Some(object) => {
                    writer.finish_with(&object);
                    self.txn.cache_outcome = CacheOutcome::Hit;
                    Ok(Plan::Serve(object))
                }
                None => Ok(Plan::Fetch(Some(writer))),
            },
            // Once it has begun, an object is read while it is written, whatever the record says (ATS).
            Role::Follower(follower) if follower.has_header() => Ok(Plan::Follow(follower)),
            Role::Follower(follower) => match self.instead_of_following() {
                Some(object) => Ok(Plan::Serve(object)),
                None => Ok(Plan::Follow(follower)),
            },
        }
    }

    /// The fetch of the whole that is under way, if it will soon have the range that is asked for.
    fn fill_with_range(&self, key: &CacheKey) -> Option<FillFollower> {
        let engine = &self.thread.engine;
        if !self.txn.records.flag(ids::TOLLGATE_HTTP_CACHE_COLLAPSE_ENABLED)
            || self.txn.has_response_transforms()
            || self.cache.stale.is_some()
        {
            return None;
        }
        let follower = engine.collapser.follow(key)?;
        let head = follower.head_of_whole()?;
        let shares = head.matches_by(&self.txn.client_request.headers, &self.cache.policy.negotiation)
            && !engine.store.is_overtaken(key, &head);
        let range = self.range_of(&head).filter(|_| shares)?;
        (range.start <= follower.total_bytes().saturating_add(limits::RANGE_AWAITED_BYTES))
            .then_some(follower)
    }

    /// The one range of the whole with this header that the request asks for.
    pub(super) fn range_of(&self, head: &StoredHead) -> Option<std::ops::Range<u64>> {
        let len = tollgate_http::framing::content_length(&head.headers()).ok().flatten()?;
        match range::evaluate(&self.txn.client_request, head, len, self.cache.policy.several_ranges) {
            RangeAnswer::Part(range) => Some(range),
            _ => None,
        }
    }

    /// Between the look-up and taking the lead another fetch may have ended: what it stored is served. Not so if a
    /// handler calls what was found a miss, or refuses it.
    fn stored_meanwhile(&self, key: &CacheKey) -> Option<Arc<StoredObject>> {
        let was_found = self.cache.ttl.is_some();
        if self.txn.cache_lookup != Some(CacheLookup::Miss) || was_found || self.cache.is_refused {
            return None;
        }
        let negotiation = &self.cache.policy.negotiation;
        match self.thread.engine.store.lookup_by(key, &self.txn.client_request, negotiation) {
            Lookup::Found(object) if !object.head().is_part() && self.freshness(&object).is_fresh() => {
                Some(object)
            }
            _ => None,
        }
    }

    /// Starts a validation that no client waits for, unless one is under way.
    fn refresh_behind(&self) {
        let Some(key) = &self.cache.key else { return };
        if self.thread.engine.collapser.is_filling(key) {
            return;
        }
        let Some(place) = self.refresh_place() else { return };
        let mut request = self.txn.client_request.clone();
        if let Some(url) = &self.txn.pristine_url {
            request.url = url.clone();
            let mut host = Vec::new();
            url.write_host_port(&mut host);
            request.headers.set(names::HOST, host);
        }
        request.method = Method::Get;
        // The client's conditions and directives speak of its own response, not of this one.
        for name in [
            names::IF_NONE_MATCH,
            names::IF_MODIFIED_SINCE,
            names::RANGE,
            names::IF_RANGE,
            names::CACHE_CONTROL,
            names::PRAGMA,
            names::EXPECT,
        ] {
            request.headers.remove(name);
        }
        let fetch = FetchRequest { request, body: bytes::Bytes::new(), client_addr: self.txn.client_addr() };
        let reader = host::start_internal(&self.thread, fetch, 0, Mode::Refresh);
        self.thread.metrics.inc(Metric::CacheRefreshes);
        tollgate_event::spawn_local(async move {
            let _place = place;
            // The result is in the cache; nobody reads the response itself.
            if let Ok(mut response) = reader.response().await {
                while let Ok(Some(_)) = response.body.next().await {}
            }
        });
    }

    /// A place among the refreshes behind the scenes, if there is one; a later request tries again.
    fn refresh_place(&self) -> Option<RefreshPlace> {
        let most = self.txn.records.int(ids::TOLLGATE_HTTP_CACHE_BACKGROUND_REVALIDATIONS);
        let place = RefreshPlace(Arc::clone(&self.thread.engine));
        let before = place.0.refreshes.fetch_add(1, Ordering::Relaxed);
        if before as i64 >= most {
            self.thread.metrics.inc(Metric::CacheRefreshesLimited);
            return None;
        }
        Some(place)
    }

    /// Serves a complete stored object: preconditions, ranges, the whole.
    pub(crate) async fn serve_stored(&mut self, object: Arc<StoredObject>) -> Result<TransactionEnd, Stop> {
        let head = object.head();
        let age = head.age(self.cache.now);
        self.log.is_ram_hit = true;
        match rules::evaluate_preconditions(&self.txn.client_request, head) {
            Preconditions::NotModified => {
                let mut response = stored_response(head);
                response.status = 304;
                response.reason = None;
                response.headers = rules::headers_for_304(head.headers());
                return self.respond(response, Some(age), Some(0), ResponseBody::Empty).await;
            }
            Preconditions::PreconditionFailed => {
                return Err(self.error(ErrorKind::PreconditionFailed, "precondition", false));
            }
            Preconditions::Serve => {}
        }
        if head.is_part() {
            return self.serve_part(&object, age).await;
        }
        let len = object.body().len();
        if self.cache.request.has_range && !self.txn.has_response_transforms() {
            match range::evaluate(&self.txn.client_request, head, len, self.cache.policy.several_ranges) {
                RangeAnswer::Whole => {}
                RangeAnswer::Part(bytes) => return self.serve_range(&object, bytes, age).await,
                RangeAnswer::Parts(ranges) => {
                    let whole = Part { first: 0, end: len, complete: len };
                    return self.serve_ranges(&object, &ranges, whole, age).await;
                }
                RangeAnswer::Unsatisfiable => return self.unsatisfiable(len).await,
            }
        }
        let response = stored_response(head);
        let body = match object.into_small_body() {
            Ok(bytes) => ResponseBody::Whole(bytes),
            Err(object) if object.body().on_disk().is_some() => ResponseBody::part_of(&object, 0..len),
            Err(object) => ResponseBody::Stored { object, next: 0 },
        };
        self.respond(response, Some(age), Some(len), body).await
    }

    /// Removes what an unsafe request has made invalid (RFC 9111 §4.4).
    pub(crate) fn invalidate(&mut self, response: &Response) {
        if self.txn.client_request.method.is_safe() {
            return;
        }
        for url in rules::invalidation_targets(&self.txn.client_request, response) {
            let key = self.key_of(&url);
            if self.thread.engine.remove(&key) > 0 {
                self.thread.metrics.inc(Metric::CacheInvalidations);
                let engine = Arc::clone(&self.thread.engine);
                tollgate_event::spawn_local(async move {
                    disk::make_removal_last(&engine, &key, Survives::Crash).await;
                });
            }
        }
        self.invalidate_groups(response);
    }

    /// RFC 9875 §3: groups of the same origin that the response to an unsafe request names.
    fn invalidate_groups(&self, response: &Response) {
        let groups = groups::members(&response.headers, groups::FIELD_INVALIDATION);
        if groups.is_empty() {
            return;
        }
        let key = self.key_of(&self.txn.client_request.url);
        for group in groups.iter().filter(|group| !group.is_empty()) {
            match self.thread.engine.purge_now(Target::group(&key, group), Effect::Hard) {
                Ok(purge) => {
                    let engine = Arc::clone(&self.thread.engine);
                    tollgate_event::spawn_local(async move { disk::make_purge_last(&engine, purge).await });
                }
                Err(error) => tracing::warn!("txn {}: group not invalidated: {error}", self.txn.id()),
            }
        }
    }
}

/// Counts against `background_revalidations` while it lives.
struct RefreshPlace(Arc<Engine>);

impl Drop for RefreshPlace {
    fn drop(&mut self) {
        self.0.refreshes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response header made of a stored one.
pub(crate) fn stored_response(head: &StoredHead) -> Box<Response> {
    Box::new(head.to_response())
}
