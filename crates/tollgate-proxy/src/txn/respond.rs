//! The response to the client.
//!
//! Responsible for: which fields go out, what the proxy adds, framing, SEND_RESPONSE_HDR, sending header and body,
//! answers that the proxy makes itself.
//! Invariants: framing and connection fields are the proxy's own, whatever handlers set; SEND_RESPONSE_HDR runs at
//! most once; an aborted body never looks complete to the client.

use super::forward::strip_hop_by_hop;
use super::{Answer, Exchange, Stop};
use crate::body::{ResponseBody, transformed};
use crate::client::{ClientGone, ClientStream, OutFraming};
use bytes::Bytes;
use std::future::poll_fn;
use std::task::Poll;
use tollgate_cache::status::{CacheStatusDetails, Forward, cache_status};
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_http::{Method, Response, Version, date, framing, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::milestones::Milestone;
use tollgate_obs::outcome::{CacheOutcome, CacheReason, TransactionEnd};
use tollgate_plugin::{BodyError, DataSink, LocalResponse};

impl<S: ClientStream> Exchange<'_, S> {
    /// Sends `response` with `body` to the client. `age`: seconds, for a response from the cache. `length`: of the
    /// body, if known.
    pub(crate) async fn respond(
        &mut self,
        mut response: Box<Response>,
        age: Option<u32>,
        length: Option<u64>,
        body: ResponseBody,
    ) -> Result<TransactionEnd, Stop> {
        strip_hop_by_hop(&mut response.headers);
        self.add_fields(&mut response, age);
        let (body, length) = self.transform(&mut response, body, length);
        self.txn.proxy_response = Some(response);
        self.hook_send_response().await?;
        let mut response = self.txn.proxy_response.take().unwrap_or_else(|| Box::new(Response::new(500)));
        let out = self.frame(&mut response, length);
        let result = self.send(&response, out, body).await;
        self.txn.proxy_response = Some(response);
        result
    }

    async fn hook_send_response(&mut self) -> Result<(), Stop> {
        if std::mem::replace(&mut self.send_hook_ran, true) {
            return Ok(());
        }
        let status = self.txn.proxy_response.as_ref().map(|response| response.status);
        fire!(self, SendResponseHdr);
        self.note_redirect_made(status);
        if self.txn.redirect_url.is_some() && self.redirect_in_place_of_response() {
            return Err(Stop::Redirect);
        }
        Ok(())
    }

    /// Puts the plugins' transforms behind the body.
    fn transform(
        &mut self,
        response: &mut Response,
        body: ResponseBody,
        length: Option<u64>,
    ) -> (ResponseBody, Option<u64>) {
        if !self.txn.has_response_transforms() {
            return (body, length);
        }
        let is_bodiless = !framing::may_have_body(&self.asked, response.status);
        if !is_bodiless && matches!(body, ResponseBody::Empty) {
            return (body, length);
        }
        let transforms = self.txn.take_response_transforms();
        if is_bodiless {
            // RFC 9110 §8.6: the length that a GET's response would have, or none.
            if let Some(input) = framing::content_length(&response.headers).ok().flatten() {
                let mut output = Some(input);
                for transform in &transforms {
                    output = transform.output_length(output);
                }
                super::deliver::set_length(response, output);
            }
            return (body, length);
        }
        let (body, length) = transformed(Box::new(body), length, transforms);
        (ResponseBody::Plugin(body), length)
    }

    fn add_fields(&self, response: &mut Response, age: Option<u32>) {
        let records = &self.txn.records;
        let headers = &mut response.headers;
        if headers.has(names::SURROGATE_KEY) && !records.flag(ids::TOLLGATE_HTTP_SEND_SURROGATE_KEY) {
            headers.remove(names::SURROGATE_KEY);
        }
        if let Some(age) = age
            && records.flag(ids::HTTP_INSERT_AGE_IN_RESPONSE)
        {
            headers.set(names::AGE, decimal(u64::from(age)).as_bytes());
        }
        if !headers.has(names::DATE) {
            headers.append(names::DATE, date::format(clock::unix_seconds()));
        }
        match records.int(ids::HTTP_RESPONSE_SERVER_ENABLED) {
            1 => headers.set(names::SERVER, &self.generation.server),
            2 if !headers.has(names::SERVER) => headers.append(names::SERVER, &self.generation.server),
            _ => {}
        }
        if records.flag(ids::HTTP_INSERT_RESPONSE_VIA_STR) {
            super::forward::append_via(headers, "1.1", &self.thread.engine.via_id);
        }
        if headers.has(names::LOCATION)
            && let Some(location) = headers.get(names::LOCATION).and_then(|l| self.reverse_location(l))
        {
            headers.set(names::LOCATION, location);
        }
        if records.flag(ids::TOLLGATE_HTTP_CACHE_STATUS_ENABLED) {
            self.add_cache_status(response);
        }
    }

    fn add_cache_status(&self, response: &mut Response) {
        let outcome = self.txn.cache_outcome;
        let reason = self.cache.reason;
        let forward = match (outcome, reason) {
            (CacheOutcome::Skipped, Some(CacheReason::Method)) => Some(Forward::Method),
            (CacheOutcome::Skipped, _) => None,
            _ => self.cache.forward,
        };
        // `hit` and `fwd=stale` say these already.
        let is_plain = |reason: &CacheReason| matches!(reason, CacheReason::Fresh | CacheReason::Expired);
        let details = CacheStatusDetails {
            forward,
            forward_status: self.cache.origin_status.filter(|_| outcome == CacheOutcome::Revalidated),
            stored: self.cache.stored,
            ttl: self.cache.ttl.filter(|_| {
                !matches!(outcome, CacheOutcome::Miss | CacheOutcome::Skipped | CacheOutcome::Collapsed)
            }),
            detail: reason.filter(|reason| !is_plain(reason)).map(CacheReason::token),
            ..CacheStatusDetails::default()
        };
        response.headers.append(names::CACHE_STATUS, cache_status("Tollgate", outcome, &details));
    }

    /// Decides how the body is delimited and sets the fields that say so.
    fn frame(&mut self, response: &mut Response, length: Option<u64>) -> OutFraming {
        self.settle_status(response);
        let headers = &mut response.headers;
        headers.remove(names::TRANSFER_ENCODING);
        headers.remove(names::CONNECTION);
        let is_old = self.txn.client_request.version < Version::Http11;
        let out = if !framing::may_have_body(&self.asked, response.status) {
            // A HEAD's or 304's Content-Length speaks of the representation; 204 and 1xx have none (RFC 9110 §8.6).
            if response.status == 204 {
                headers.remove(names::CONTENT_LENGTH);
            }
            OutFraming::None
        } else if let Some(n) = length {
            let digits = decimal(n);
            let is_said = !headers.may_repeat(names::CONTENT_LENGTH)
                && headers.get(names::CONTENT_LENGTH) == Some(digits.as_bytes());
            if !is_said {
                headers.set(names::CONTENT_LENGTH, digits.as_bytes());
            }
            if n == 0 { OutFraming::None } else { OutFraming::Length(n) }
        } else {
            headers.remove(names::CONTENT_LENGTH);
            if self.client.can_chunk() && self.txn.records.flag(ids::HTTP_CHUNKING_ENABLED) {
                headers.append(names::TRANSFER_ENCODING, "chunked");
                OutFraming::Chunked
            } else {
                self.keep = false;
                OutFraming::UntilClose
            }
        };
        if self.keep && (self.thread.is_draining() || self.client.body_remaining() != Some(0)) {
            self.keep = self.client.can_discard_body().is_some() && !self.thread.is_draining();
        }
        self.keep &= !self.txn.closes_client;
        if !self.keep {
            headers.append(names::CONNECTION, "close");
        } else if is_old {
            headers.append(names::CONNECTION, "keep-alive");
        }
        out
    }

    /// A final response has a final status and a reason of one line, whatever handlers set.
    fn settle_status(&mut self, response: &mut Response) {
        if !(200..=999).contains(&response.status) {
            tracing::error!("txn {}: a plugin set status {}", self.txn.id(), response.status);
            (response.status, response.reason) = (500, None);
        }
        let is_control = |b: &u8| (*b < b' ' && *b != b'\t') || *b == 0x7f;
        if response.reason.as_ref().is_some_and(|reason| reason.iter().any(is_control)) {
            response.reason = None;
        }
        if self.asked == Method::Connect && response.status < 300 {
            // To the client this opens a tunnel: what follows is no request.
            self.keep = false;
        }
    }

    async fn send(
        &mut self,
        response: &Response,
        out: OutFraming,
        mut body: ResponseBody,
    ) -> Result<TransactionEnd, Stop> {
        self.mark(Milestone::UaBeginWrite);
        self.thread.metrics.response_status(response.status);
        self.log.status = response.status;
        let mut sinks = self.txn.take_sinks();
        let first = self.first_piece(out, &mut body).await;
        let (first, fault) = match first {
            Ok(first) => (first, None),
            Err(error) => (None, Some(error)),
        };
        let (first, fault) = match (first, out) {
            (Some(piece), OutFraming::Length(n)) if piece.len() as u64 > n => (None, Some(too_long())),
            (first, _) => (first, fault),
        };
        if let Some(piece) = &first {
            self.log.body_bytes += piece.len() as u64;
            sinks.iter_mut().for_each(|s| s.data(piece));
        }
        self.head_sent = true;
        self.log.body_begun = out != OutFraming::None;
        if let Err(gone) = self.client.send_head(response, out, first).await {
            return self.client_left(gone, &mut body, &mut sinks).await;
        }
        if let Some(error) = fault {
            return Ok(self.body_fault(&error, &mut sinks));
        }
        if out == OutFraming::None {
            // What the body of a HEAD or 304 would have been is not read; a connection with it on is closed.
            sinks.iter_mut().for_each(|s| s.end(true));
            return self.finished(None).await;
        }
        self.send_rest(out, body, sinks).await
    }

    /// The body's first piece, if it is there already: it goes out with the header in one write.
    async fn first_piece(
        &mut self,
        out: OutFraming,
        body: &mut ResponseBody,
    ) -> Result<Option<Bytes>, BodyError> {
        if out == OutFraming::None || !body.can_poll() {
            return Ok(None);
        }
        poll_fn(|cx| match body.poll_next(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending => Poll::Ready(Ok(None)),
        })
        .await
    }

    async fn send_rest(
        &mut self,
        out: OutFraming,
        mut body: ResponseBody,
        mut sinks: Vec<Box<dyn DataSink>>,
    ) -> Result<TransactionEnd, Stop> {
        loop {
            if let OutFraming::Length(n) = out
                && self.log.body_bytes == n
                && sinks.is_empty()
                && body.can_poll()
            {
                break;
            }
            let next = match self.next_or_gone(&mut body, &sinks).await {
                Some(next) => next,
                None => return self.client_left(ClientGone::Closed, &mut body, &mut sinks).await,
            };
            match next {
                // An empty chunk would end the body.
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => {
                    self.log.body_bytes += piece.len() as u64;
                    if let OutFraming::Length(n) = out
                        && self.log.body_bytes > n
                    {
                        return Ok(self.body_fault(&too_long(), &mut sinks));
                    }
                    sinks.iter_mut().for_each(|s| s.data(&piece));
                    if let Err(gone) = self.client.send_piece(piece).await {
                        return self.client_left(gone, &mut body, &mut sinks).await;
                    }
                }
                Ok(None) => break,
                Err(error) => return Ok(self.body_fault(&error, &mut sinks)),
            }
        }
        if let OutFraming::Length(n) = out
            && self.log.body_bytes < n
        {
            return Ok(self.body_fault(&BodyError::Truncated, &mut sinks));
        }
        sinks.iter_mut().for_each(|s| s.end(true));
        let trailers =
            body.take_trailers().filter(|_| !self.txn.records.flag(ids::HTTP_DROP_CHUNKED_TRAILERS));
        self.finished(trailers).await
    }

    /// The body's next piece; `None`: the client has left. Plugin code that a sink wants to hear to its end is not
    /// interrupted: that the client has left shows when the piece is sent.
    async fn next_or_gone(
        &mut self,
        body: &mut ResponseBody,
        sinks: &[Box<dyn DataSink>],
    ) -> Option<Result<Option<Bytes>, BodyError>> {
        if !body.can_poll() && sinks.iter().any(|sink| sink.outlives_client()) {
            return Some(body.next_piece().await);
        }
        let half_open = self.txn.records.flag(ids::HTTP_ALLOW_HALF_OPEN);
        if let ResponseBody::Plugin(body) = body {
            let mut next = body.next();
            return poll_fn(|cx| match next.as_mut().poll(cx) {
                Poll::Ready(piece) => Poll::Ready(Some(piece)),
                Poll::Pending => self.client.poll_gone(cx, half_open).map(|()| None),
            })
            .await;
        }
        poll_fn(|cx| match body.poll_next(cx) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending => self.client.poll_gone(cx, half_open).map(|()| None),
        })
        .await
    }

    async fn finished(
        &mut self,
        trailers: Option<tollgate_http::HeaderBlock>,
    ) -> Result<TransactionEnd, Stop> {
        if self.client.finish(trailers.as_ref()).await.is_err() {
            return Ok(TransactionEnd::ClientAborted);
        }
        self.mark(Milestone::UaClose);
        self.log.body_done = true;
        if self.keep && self.client.body_remaining() != Some(0) {
            self.keep = self.client.discard_body().await;
        }
        Ok(TransactionEnd::Completed)
    }

    /// The body's source failed: the client must see that the body is not complete.
    fn body_fault(&mut self, error: &BodyError, sinks: &mut [Box<dyn DataSink>]) -> TransactionEnd {
        sinks.iter_mut().for_each(|s| s.end(false));
        self.keep = false;
        self.thread.metrics.inc(Metric::OriginConnectionsBroken);
        if *error == BodyError::Timeout {
            self.thread.metrics.inc(Metric::OriginInactivityTimeouts);
        }
        tracing::warn!(
            "txn {}: {}: response body aborted: {error}",
            self.txn.id(),
            self.txn.client_request.url.to_text()
        );
        TransactionEnd::OriginBodyAborted
    }

    /// The client left. The body is read on if a sink wants the rest.
    async fn client_left(
        &mut self,
        gone: ClientGone,
        body: &mut ResponseBody,
        sinks: &mut [Box<dyn DataSink>],
    ) -> Result<TransactionEnd, Stop> {
        self.keep = false;
        self.client.disconnect();
        let end = match gone {
            ClientGone::Closed => TransactionEnd::ClientAborted,
            ClientGone::Timeout => {
                self.thread.metrics.inc(Metric::ClientInactivityTimeouts);
                TransactionEnd::ClientTimeout
            }
        };
        let mut complete = false;
        if sinks.iter().any(|s| s.outlives_client()) {
            loop {
                match body.next_piece().await {
                    Ok(Some(piece)) => sinks.iter_mut().for_each(|s| s.data(&piece)),
                    Ok(None) => {
                        complete = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
        sinks.iter_mut().for_each(|s| s.end(complete));
        Ok(end)
    }

    /// Sends a response that the proxy or a plugin made.
    pub(crate) async fn answer(&mut self, answer: Answer) -> Result<TransactionEnd, Stop> {
        let Answer { page, end, close } = answer;
        self.keep &= !close;
        let LocalResponse { response, body } = page;
        let mut response = Box::new(response);
        if self.asked == Method::Head {
            response.headers.set(names::CONTENT_LENGTH, decimal(body.len() as u64).as_bytes());
        }
        if !response.headers.has(names::DATE) {
            response.headers.append(names::DATE, date::format(clock::unix_seconds()));
        }
        if !response.headers.has(names::SERVER)
            && self.txn.records.int(ids::HTTP_RESPONSE_SERVER_ENABLED) != 0
        {
            response.headers.append(names::SERVER, &self.generation.server);
        }
        if self.txn.records.flag(ids::TOLLGATE_HTTP_CACHE_STATUS_ENABLED)
            && self.txn.cache_outcome != CacheOutcome::Skipped
        {
            self.add_cache_status(&mut response);
        }
        self.txn.proxy_response = Some(response);
        self.hook_send_response().await?;
        let mut response = self.txn.proxy_response.take().unwrap_or_else(|| Box::new(Response::new(500)));
        let body = match self.txn.take_error_body() {
            Some((content_type, body)) => {
                if !content_type.is_empty() {
                    response.headers.set(names::CONTENT_TYPE, content_type);
                }
                body
            }
            None => body,
        };
        drop(self.txn.take_response_transforms());
        let out = self.frame(&mut response, Some(body.len() as u64));
        let sent = self.send(&response, out, ResponseBody::Whole(body)).await;
        self.txn.proxy_response = Some(response);
        match sent? {
            TransactionEnd::Completed => Ok(end),
            other => Ok(other),
        }
    }
}

fn too_long() -> BodyError {
    BodyError::Plugin("body is longer than its Content-Length".into())
}

/// Decimal digits without an allocation.
pub(crate) fn decimal(mut n: u64) -> Decimal {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return Decimal { digits, at };
        }
    }
}

/// The digits of a number.
pub(crate) struct Decimal {
    digits: [u8; 20],
    at: usize,
}

impl Decimal {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for n in [0, 7, 10, 1024, u64::MAX] {
            assert_eq!(decimal(n).as_bytes(), n.to_string().as_bytes());
        }
    }
}
