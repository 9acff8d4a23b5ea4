//! Filling the gap of a partly stored object.
//!
//! Responsible for: what the answer to a request for missing bytes means for what is stored, delivering both as one
//! response while the missing bytes are stored.
//! Not responsible for: which bytes are missing (`tollgate_cache::part`), asking for them (`parts`).
//! Invariants: bytes of two responses reach a client as one body only if the same strong validator proves that they
//! belong together; what turned out to be of another version is not found any more; the origin is asked once more at
//! most, for what the client asked for.

use super::fetch::OriginAnswer;
use super::parts::frame_ranges;
use super::pump::{Arriving, may_fill_behind, pump, run_both};
use super::{Exchange, Progress, Stop};
use crate::body::{RangesBody, RangesSource, ResponseBody};
use crate::client::ClientStream;
use crate::disk::{DiskSink, Patched, patched};
use std::rc::Rc;
use std::sync::Arc;
use tollgate_cache::disk::{DiskBody, WrittenPart};
use tollgate_cache::part::{self, Gap, Misfit};
use tollgate_cache::range::content_range;
use tollgate_cache::rules::{self, Preconditions};
use tollgate_cache::{Around, FillReader, FillWriter, Policy, StoreDecision, StoredHead, StoredObject};
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_http::{Response, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::{CacheOutcome, TransactionEnd};

/// A gap with what is around it.
struct Parts {
    stored: Arc<DiskBody>,
    gap: Gap,
    /// The header of the whole.
    whole: Response,
}

/// What the missing bytes go to.
struct Filling {
    /// The header of the whole.
    head: Arc<StoredHead>,
    writer: FillWriter,
    sink: Option<DiskSink>,
}

impl<S: ClientStream> Exchange<'_, S> {
    /// Delivers what the origin answered to a request for the missing bytes of a stored object.
    pub(super) async fn deliver_into_gap(
        &mut self,
        (object, gap): (Arc<StoredObject>, Gap),
        answer: OriginAnswer,
        writer: Option<FillWriter>,
    ) -> Result<Progress, Stop> {
        let Some(stored) = object.body().on_disk() else { return self.deliver_answer(answer, writer).await };
        let now = clock::unix_seconds();
        let set_cookie = self.cache.policy.set_cookie;
        match (answer.response.status, part::filled(&object, &gap, &answer.response, now, set_cookie)) {
            (206, Ok(whole)) => {
                self.cache.origin_status = Some(206);
                let parts = Parts { stored: Arc::clone(stored), gap, whole };
                let place = WrittenPart { first: parts.gap.missing.start, complete: parts.gap.complete };
                let filling = self.head_of_filled(&parts.whole, &answer).zip(writer).map(|(head, writer)| {
                    let sink = self.disk_sink_at(&head, Some(place)).map(DiskSink::of_part);
                    Filling { head, writer, sink: sink.filter(DiskSink::is_writing) }
                });
                let is_kept = filling.as_ref().is_some_and(|filling| filling.sink.is_some());
                // Several ranges cannot be cut out of a body that is not kept.
                if !is_kept && parts.gap.wanted.as_ref().is_some_and(|ranges| ranges.len() > 1) {
                    drop(answer);
                    return self.fetch(filling.map(|filling| filling.writer)).await;
                }
                return match filling {
                    Some(filling) => self.fill_gap(parts, filling, answer).await,
                    None => self.deliver_unstored(parts, answer).await,
                }
                .map(Progress::Ended);
            }
            (206, Err(Misfit::Version)) | (416, _) => stored.forget(),
            (206, Err(Misfit::Bytes)) | (412, _) => {}
            (status, _) => {
                // The object has changed, or is no longer there.
                if matches!(status, 200 | 404 | 410) {
                    stored.forget();
                }
                return self.deliver_answer(answer, writer).await;
            }
        }
        drop(answer);
        self.fetch(writer).await
    }

    async fn fill_gap(
        &mut self,
        Parts { stored, gap, whole }: Parts,
        Filling { head, mut writer, sink }: Filling,
        answer: OriginAnswer,
    ) -> Result<TransactionEnd, Stop> {
        self.thread.metrics.inc(Metric::CacheGapsFilled);
        self.txn.cache_outcome = CacheOutcome::Miss;
        if let Some(key) = &self.cache.key {
            self.release_origin(key);
        }
        if let Some(spill) = sink.as_ref().and_then(DiskSink::spill) {
            writer.spill_to(spill);
        }
        let reader = writer.reader();
        let around = Around { body: stored, missing: gap.missing.clone() };
        let around = writer.fills_gap(around);
        writer.publish_header(Arc::clone(&head));
        self.cache.stored = sink.is_some();
        let length = gap.missing.end - gap.missing.start;
        let threshold = self.txn.records.float(ids::HTTP_BACKGROUND_FILL_COMPLETED_THRESHOLD);
        let pump = pump(
            Rc::clone(&self.thread),
            self.cache.key.clone(),
            Arc::clone(&head),
            Arriving { body: answer.body, length: Some(length), is_kept_in_part: false },
            writer,
            sink,
            move |received| may_fill_behind(received, Some(length), threshold),
        );
        let deliver = self.deliver_patched(&head, gap, whole, reader, around);
        let (result, went_on) = run_both(pump, deliver).await;
        self.txn.fills_behind = went_on;
        result
    }

    /// Delivers a response that may no longer be stored.
    async fn deliver_unstored(
        &mut self,
        Parts { stored, gap, whole }: Parts,
        answer: OriginAnswer,
    ) -> Result<TransactionEnd, Stop> {
        self.txn.cache_outcome = CacheOutcome::Miss;
        stored.forget();
        let mut response = Box::new(whole);
        let mut range = 0..gap.complete;
        if let Some([wanted]) = gap.wanted.as_deref() {
            make_part(&mut response, wanted, gap.complete);
            range = wanted.clone();
        }
        let length = range.end - range.start;
        let body = patched(&stored, &gap.missing, range, |_| answer.body);
        self.respond(response, None, Some(length), body).await
    }

    /// The header of the whole, if what came of it may be stored.
    fn head_of_filled(&self, whole: &Response, answer: &OriginAnswer) -> Option<Arc<StoredHead>> {
        let now = clock::unix_seconds();
        // It stands for a 206, which has been asked for because of what is stored.
        let policy = Policy { range_write: true, ..self.cache.policy };
        let decision = rules::store_decision(&self.txn.client_request, whole, now, &policy);
        let StoreDecision::Store { mut meta } = decision else { return None };
        if self.txn.no_store {
            return None;
        }
        meta.request_time = answer.request_time;
        Some(self.new_head(whole, meta))
    }

    async fn deliver_patched(
        &mut self,
        head: &StoredHead,
        gap: Gap,
        whole: Response,
        reader: Option<FillReader>,
        around: Arc<Around>,
    ) -> Result<TransactionEnd, Stop> {
        let mut response = Box::new(whole);
        // RFC 9110 §13: the client's own conditions were not sent to the origin; they are judged here.
        if rules::evaluate_preconditions(&self.txn.client_request, head) == Preconditions::NotModified {
            (response.status, response.headers) = (304, rules::headers_for_304(head.headers()));
            drop(reader);
            return self.respond(response, None, Some(0), ResponseBody::Empty).await;
        }
        let Some(reader) = reader else {
            return self.respond(response, None, Some(gap.complete), ResponseBody::Lost).await;
        };
        let patched = Patched::new(reader, around);
        let Some(ranges) = gap.wanted else {
            let body = patched.into_body(0..gap.complete);
            return self.respond(response, None, Some(gap.complete), body).await;
        };
        if let [range] = &ranges[..] {
            make_part(&mut response, range, gap.complete);
            let body = patched.into_body(range.clone());
            return self.respond(response, None, Some(range.end - range.start), body).await;
        }
        let frame = frame_ranges(&mut response, &ranges, gap.complete);
        let length = frame.len();
        let body = RangesBody::new(RangesSource::Patched(patched.stand_by()), frame, 0);
        self.respond(response, None, Some(length), ResponseBody::Ranges(Box::new(body))).await
    }
}

fn make_part(response: &mut Response, range: &std::ops::Range<u64>, complete: u64) {
    response.status = 206;
    response.headers.set(names::CONTENT_RANGE, content_range(range, complete));
}
