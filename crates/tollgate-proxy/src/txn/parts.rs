//! Parts of objects: serving ranges from them, and completing them.
//!
//! Responsible for: whether a stored part answers a request, asking for the missing tail, joining it to what is there,
//! asking for the whole if that cannot be done; keeping the answer to a POST that is its own resource.
//! Not responsible for: what may be joined (`tollgate_cache::part`), sending, storing.
//! Invariant: bytes of two responses reach a client as one body only if the same strong validator proves that they
//! belong together.

use super::cache::{Plan, stored_response};
use super::fetch::OriginAnswer;
use super::{Exchange, Stop};
use crate::body::{RangesBody, RangesSource, ResponseBody};
use crate::client::ClientStream;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tollgate_cache::multipart::Multipart;
use tollgate_cache::part::Part;
use tollgate_cache::range::content_range;
use tollgate_cache::status::Forward;
use tollgate_cache::{FillWriter, Role, StoredObject, part};
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_http::{HeaderBlock, Method, Response, names};
use tollgate_obs::outcome::{CacheReason, TransactionEnd};

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether a stored part is all that the request wants.
    pub(super) fn is_answered_by(&self, object: &StoredObject) -> bool {
        // One on the disk can be validated as a whole; one in memory is asked for again.
        !self.txn.has_response_transforms()
            && (object.body().on_disk().is_some() || self.freshness(object).is_fresh())
            && part::answer(&self.txn.client_request, object, self.cache.policy.several_ranges).is_some()
    }

    /// A stored part that does not answer the request: the origin is asked, only for the rest if that is possible.
    pub(super) async fn missed_part(&mut self, object: Arc<StoredObject>) -> Result<Plan, Stop> {
        let freshness = self.freshness(&object);
        let is_fresh = freshness.is_fresh();
        self.cache.forward = Some(if is_fresh { Forward::Partial } else { Forward::Stale });
        let plan = self.missed().await?;
        let may_be_joined = !self.txn.has_response_transforms()
            && self.txn.client_request.method == Method::Get
            && !matches!(plan, Plan::Fetch(None));
        let is_refused = freshness.reason == CacheReason::ClientNoCache && self.is_fetched_anew();
        if may_be_joined && !is_refused {
            let gap = part::gap(&self.txn.client_request, &object, self.cache.policy.several_ranges);
            self.cache.gap = gap.map(|gap| Box::new((Arc::clone(&object), gap)));
        }
        let plan = self.share_gap(plan);
        let is_leader = matches!(plan, Plan::Fetch(_));
        if may_be_joined
            && is_leader
            && is_fresh
            && !self.cache.request.has_range
            && part::missing_tail(&object).is_some()
        {
            self.cache.completing = Some(object);
        }
        Ok(plan)
    }

    /// Joins the fetch of the same missing bytes for another request, or lets others join this one's. What they share is
    /// cut to each one's range.
    fn share_gap(&self, plan: Plan) -> Plan {
        let Plan::Fetch(Some(alone)) = plan else { return plan };
        let (Some((_, gap)), Some(key)) = (self.cache.gap.as_deref(), &self.cache.key) else {
            return Plan::Fetch(Some(alone));
        };
        let is_shared = gap.wanted.as_ref().is_some_and(|ranges| ranges.len() == 1)
            && self.txn.records.flag(ids::TOLLGATE_HTTP_CACHE_COLLAPSE_ENABLED);
        if !is_shared {
            return Plan::Fetch(Some(alone));
        }
        match self.thread.engine.collapser.join(&key.for_gap(&gap.missing, &gap.validator)) {
            Role::Leader(writer) => Plan::Fetch(Some(writer)),
            Role::Follower(follower) => Plan::Follow(follower),
        }
    }

    /// Makes the proxy request ask for what is missing of a part.
    pub(super) fn ask_for_missing(&self, headers: &mut HeaderBlock) {
        if let Some((_, gap)) = self.cache.gap.as_deref() {
            headers.set(names::RANGE, format!("bytes={}-{}", gap.missing.start, gap.missing.end - 1));
            headers.set(names::IF_RANGE, &gap.validator[..]);
            return;
        }
        let Some(tail) = self.cache.completing.as_deref().and_then(part::missing_tail) else { return };
        headers.set(names::RANGE, format!("bytes={}-", tail.first));
        if let Some(validator) = tail.validator {
            headers.set(names::IF_RANGE, validator);
        }
    }

    /// What the origin's answer makes of the part that was to be completed; `None`: the whole has to be asked for.
    pub(super) fn complete(&self, stored: &StoredObject, answer: OriginAnswer) -> Option<OriginAnswer> {
        match answer.response.status {
            206 => {}
            412 | 416 => return None,
            // The whole, or an error.
            _ => return Some(answer),
        }
        let now = clock::unix_seconds();
        let response = part::completed(stored, &answer.response, now, self.cache.policy.set_cookie)?;
        let length = tollgate_http::framing::content_length(&response.headers).ok().flatten();
        let first: Vec<_> = stored.body().chunks().to_vec();
        let body = ResponseBody::Joined { first: first.into_iter(), rest: Box::new(answer.body) };
        Some(OriginAnswer { response: Box::new(response), body, length, ..answer })
    }

    /// Serves ranges from a stored part.
    pub(super) async fn serve_part(
        &mut self,
        object: &Arc<StoredObject>,
        age: u32,
    ) -> Result<TransactionEnd, Stop> {
        let several = self.cache.policy.several_ranges;
        let Some(answer) = part::answer(&self.txn.client_request, object, several) else {
            // A handler has changed the request since.
            let complete = Part::of(&object.headers()).map_or(0, |part| part.complete);
            return self.unsatisfiable(complete).await;
        };
        let ranges = answer.ranges();
        let ([bytes], [range]) = (&answer.bytes[..], &ranges[..]) else {
            return self.serve_ranges(object, &ranges, answer.part, age).await;
        };
        let mut response = stored_response(object.head());
        response.headers.set(names::CONTENT_RANGE, content_range(range, answer.part.complete));
        let length = bytes.end - bytes.start;
        let body = ResponseBody::part_of(object, bytes.clone());
        self.respond(response, Some(age), Some(length), body).await
    }

    /// Serves several ranges of what is stored (RFC 9110 §15.3.7.2). `stored`: where its body stands in the whole.
    pub(super) async fn serve_ranges(
        &mut self,
        object: &Arc<StoredObject>,
        ranges: &[std::ops::Range<u64>],
        stored: Part,
        age: u32,
    ) -> Result<TransactionEnd, Stop> {
        let mut response = stored_response(object.head());
        let frame = frame_ranges(&mut response, ranges, stored.complete);
        let length = frame.len();
        let body = RangesBody::new(RangesSource::Stored(Arc::clone(object)), frame, stored.first);
        self.respond(response, Some(age), Some(length), ResponseBody::Ranges(Box::new(body))).await
    }

    /// Serves a range of a complete object.
    pub(super) async fn serve_range(
        &mut self,
        object: &StoredObject,
        bytes: std::ops::Range<u64>,
        age: u32,
    ) -> Result<TransactionEnd, Stop> {
        let mut response = stored_response(object.head());
        (response.status, response.reason) = (206, None);
        response.headers.set(names::CONTENT_RANGE, content_range(&bytes, object.body().len()));
        let length = bytes.end - bytes.start;
        self.respond(response, Some(age), Some(length), ResponseBody::part_of(object, bytes)).await
    }

    /// Answers a range that an object of `len` bytes does not have.
    pub(super) async fn unsatisfiable(&mut self, len: u64) -> Result<TransactionEnd, Stop> {
        let mut response = Box::new(Response::new(416));
        response.headers.set(names::CONTENT_RANGE, format!("bytes */{len}"));
        self.respond(response, None, Some(0), ResponseBody::Empty).await
    }

    /// A place for the answer to a POST that says to be what its URL stands for (RFC 9110 §9.3.3).
    pub(super) fn writer_for_post(&mut self, response: &Response) -> Option<FillWriter> {
        if self.txn.client_request.method != Method::Post
            || !self.cache.policy.enabled
            || !response.headers.has(names::CONTENT_LOCATION)
        {
            return None;
        }
        let key = self.key_of(&self.txn.client_request.url);
        // What the request itself has made invalid is gone by now.
        self.cache.born = self.thread.engine.store.born(&key);
        self.cache.key = Some(key);
        Some(self.thread.engine.collapser.alone())
    }
}

/// Makes a response one with several ranges of its body; gives the lines around them.
pub(super) fn frame_ranges(
    response: &mut Response,
    ranges: &[std::ops::Range<u64>],
    complete: u64,
) -> Multipart {
    (response.status, response.reason) = (206, None);
    let content_type = response.headers.get(names::CONTENT_TYPE);
    let frame = Multipart::new(content_type, ranges, complete, random_boundary());
    response.headers.remove(names::CONTENT_RANGE);
    response.headers.set(names::CONTENT_TYPE, frame.content_type());
    frame
}

/// A number that no author of a stored body can have known: the standard library's keyed hash, with keys of its own
/// for each call.
fn random_boundary() -> u128 {
    let half = |n: u8| u128::from(RandomState::new().hash_one(n));
    half(0) << 64 | half(1)
}
