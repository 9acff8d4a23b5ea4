//! One request and its response on a connection to the origin.
//!
//! Responsible for: sending header and body, interim responses, `100-continue`, the response's header.
//! Not responsible for: which connection, another attempt, what becomes of the response (`fetch`).
//! Invariant: the client's body is taken only as fast as the origin reads it.

use super::upload::{BodySent, Interim, RequestSource, SendError, send_transformed};
use super::{Exchange, Stop};
use crate::body::transformed;
use crate::client::ClientStream;
use crate::limits;
use crate::origin::OriginConn;
use crate::wire::{HeadReadError, Wire};
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use tollgate_config::ids;
use tollgate_event::pool::ScratchVec;
use tollgate_event::timer::Watch;
use tollgate_http::framing::FramingError;
use tollgate_http::h1::HeadError;
use tollgate_http::{Response, chunked, h1, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::BodyError;

/// Why there is no answer.
pub(super) enum Fault {
    /// The connection closed before a byte of an answer.
    Closed,
    /// It closed within a header.
    Partial,
    Timeout,
    Head(HeadError),
    Framing(FramingError),
    TooManyInterim,
    Stop(Stop),
}

impl<S: ClientStream> Exchange<'_, S> {
    /// Sends header and body and reads the final response header, or a 101 that was asked for.
    pub(super) async fn send_and_receive(
        &mut self,
        conn: &mut OriginConn,
        sent: &mut Sent,
    ) -> Result<Box<Response>, Fault> {
        let has_body =
            self.buffered.as_ref().is_some_and(|b| !b.is_empty()) || self.client.body_remaining() != Some(0);
        let transforms = if has_body { self.txn.take_request_transforms() } else { Vec::new() };
        if !transforms.is_empty() {
            let length = self
                .buffered
                .as_ref()
                .map(|b| b.iter().map(|p| p.len() as u64).sum())
                .or(self.client.body_remaining());
            let most = u64::try_from(self.txn.records.int(ids::HTTP_MAX_POST_SIZE)).unwrap_or(0);
            let taken = &mut self.log.request_body_bytes;
            let interim = Interim::new(
                limits::response_head(&self.txn.records),
                self.txn.records.int(ids::TOLLGATE_HTTP_MAX_INTERIM_RESPONSES),
            );
            let (client, buffered) = (&mut *self.client, &mut self.buffered);
            let source = RequestSource { client, buffered, taken, most, interim: Some(&interim) };
            let (mut body, length) = transformed(Box::new(source), length, transforms);
            if let Some(request) = &mut self.txn.proxy_request {
                super::forward::frame_by(&mut request.headers, length);
            }
            // The transforms are used up: there is no second attempt.
            sent.body_begun = true;
            send_head(conn, self.txn.proxy_request.as_deref(), &[]).await?;
            let result = send_transformed(&mut conn.wire, &mut *body, length, &interim).await;
            drop(body);
            sent.interim = interim.count();
            while let Some(response) = interim.take() {
                if self.client.send_interim(&response).await.is_err() {
                    return Err(Fault::Stop(Stop::Abort(TransactionEnd::ClientAborted)));
                }
            }
            match result {
                Ok(BodySent::Whole) => sent.body_done = true,
                // The origin may have answered before it stopped reading.
                Ok(BodySent::Answered) | Err(SendError::Origin) => sent.write_failed = true,
                Err(SendError::Body(error)) => return Err(Fault::Stop(self.body_refused(&error))),
            }
            self.thread.metrics.inc(Metric::OriginRequests);
            return self.receive(conn, sent).await;
        }
        let given = self.given_body().unwrap_or_default();
        send_head(conn, self.txn.proxy_request.as_deref(), &given).await?;
        self.thread.metrics.inc(Metric::OriginRequests);
        sent.body_done = !has_body;
        self.receive(conn, sent).await
    }

    /// Reads response headers, sending the request's body meanwhile, until the final one.
    async fn receive(&mut self, conn: &mut OriginConn, sent: &mut Sent) -> Result<Box<Response>, Fault> {
        let limits = limits::response_head(&self.txn.records);
        let most = self.txn.records.int(ids::TOLLGATE_HTTP_MAX_INTERIM_RESPONSES);
        let chunked =
            self.txn.proxy_request.as_ref().is_some_and(|r| r.headers.has(names::TRANSFER_ENCODING));
        let mut pump = Pump::new(chunked, self.client.awaits_continue() && !self.client.has_body_bytes());
        let half_open = self.txn.records.flag(ids::HTTP_ALLOW_HALF_OPEN);
        loop {
            self.until_response(conn, sent, &mut pump, half_open).await?;
            let mut response = conn.read_response(&limits).await.map_err(head_fault)?;
            self.thread.metrics.add(Metric::OriginRequestBytes, std::mem::take(&mut conn.wire.sent));
            if !(100..200).contains(&response.status) {
                return Ok(response);
            }
            if response.status == 101 {
                // RFC 9110 §15.2.2: to a protocol that was asked for, and not in the middle of a body.
                return if self.is_upgrade() && sent.body_done && self.asked_for(&response) {
                    Ok(response)
                } else {
                    Err(Fault::Head(HeadError::StartLine))
                };
            }
            sent.interim += 1;
            if sent.interim > most {
                return Err(Fault::TooManyInterim);
            }
            if response.status == 100 {
                pump.waits = None;
                if !self.client.awaits_continue() {
                    continue;
                }
            }
            if self.log.client_gone {
                // Others wait for the final response.
                continue;
            }
            super::forward::strip_hop_by_hop(&mut response.headers);
            response.headers.remove(names::CONTENT_LENGTH);
            if self.client.send_interim(&response).await.is_err() {
                return Err(Fault::Stop(Stop::Abort(TransactionEnd::ClientAborted)));
            }
        }
    }

    /// Whether the origin switches to a protocol that the client named.
    fn asked_for(&self, response: &Response) -> bool {
        let Some(protocol) = response.headers.list(names::UPGRADE).next() else { return false };
        self.txn.client_request.headers.list(names::UPGRADE).any(|p| p.eq_ignore_ascii_case(protocol))
    }

    /// Sends what there is of the request's body until bytes of a response are there.
    async fn until_response(
        &mut self,
        conn: &mut OriginConn,
        sent: &mut Sent,
        pump: &mut Pump,
        half_open: bool,
    ) -> Result<(), Fault> {
        loop {
            let event = poll_fn(|cx| self.poll_exchange(cx, conn, sent, pump, half_open)).await?;
            match event {
                Event::Response => return Ok(()),
                Event::Continue => {
                    pump.waits = None;
                    if self.client.send_continue().await.is_err() {
                        return Err(Fault::Stop(Stop::Abort(TransactionEnd::ClientAborted)));
                    }
                }
            }
        }
    }

    fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut OriginConn,
        sent: &mut Sent,
        pump: &mut Pump,
        half_open: bool,
    ) -> Poll<Result<Event, Fault>> {
        if conn.wire.has_unread() {
            return Poll::Ready(Ok(Event::Response));
        }
        if !sent.body_done {
            if let Some(watch) = &pump.waits {
                if watch.poll_expired(cx).is_ready() {
                    return Poll::Ready(Ok(Event::Continue));
                }
            } else {
                let client = &mut *self.client;
                let buffered = &mut self.buffered;
                let taken = &mut self.log.request_body_bytes;
                let most = u64::try_from(self.txn.records.int(ids::HTTP_MAX_POST_SIZE)).unwrap_or(0);
                let next = |cx: &mut Context<'_>| {
                    let next = match buffered {
                        Some(pieces) => Poll::Ready(Ok(pieces.pop_front())),
                        None => client.poll_body(cx),
                    };
                    if let Poll::Ready(Ok(Some(piece))) = &next {
                        *taken += piece.len() as u64;
                        if most > 0 && *taken > most {
                            return Poll::Ready(Err(BodyError::TooLarge(most)));
                        }
                    }
                    next
                };
                match pump.poll(cx, &mut conn.wire, sent, next) {
                    Poll::Ready(Ok(false)) => {
                        let trailers = self
                            .client
                            .take_trailers()
                            .filter(|_| !self.txn.records.flag(ids::HTTP_DROP_CHUNKED_TRAILERS));
                        pump.end(trailers.as_ref());
                        cx.waker().wake_by_ref();
                    }
                    Poll::Ready(Ok(true)) => sent.body_done = true,
                    // The origin may have answered before it stopped reading.
                    Poll::Ready(Err(SendError::Origin)) => sent.write_failed = true,
                    Poll::Ready(Err(SendError::Body(error))) => {
                        return Poll::Ready(Err(Fault::Stop(self.body_refused(&error))));
                    }
                    Poll::Pending => {}
                }
            }
        }
        match conn.wire.poll_some(cx) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Ok(Event::Response)),
            Poll::Ready(Ok(false)) => return Poll::Ready(Err(Fault::Closed)),
            Poll::Ready(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Poll::Ready(Err(Fault::Timeout));
            }
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Fault::Closed)),
            Poll::Pending => {}
        }
        if sent.body_done && !self.log.client_gone && self.client.poll_gone(cx, half_open).is_ready() {
            self.client.disconnect();
            self.log.client_gone = true;
            if self.cache.writer.as_ref().is_none_or(|writer| !writer.has_readers()) {
                return Poll::Ready(Err(Fault::Stop(Stop::Abort(TransactionEnd::ClientAborted))));
            }
        }
        Poll::Pending
    }
}

enum Event {
    Response,
    Continue,
}

/// How much of the request has gone out.
#[derive(Default)]
pub(super) struct Sent {
    /// Bytes of the client's body were taken.
    pub(super) body_begun: bool,
    /// The whole body was sent, or there is none.
    pub(super) body_done: bool,
    /// The origin no longer takes bytes.
    write_failed: bool,
    /// Interim responses that have come.
    interim: i64,
}

fn head_fault(error: HeadReadError) -> Fault {
    match error {
        HeadReadError::Bad(error) => Fault::Head(error),
        HeadReadError::Closed { partial: false } => Fault::Closed,
        HeadReadError::Closed { partial: true } | HeadReadError::Io => Fault::Partial,
        HeadReadError::Timeout => Fault::Timeout,
    }
}

async fn send_head(
    conn: &mut OriginConn,
    request: Option<&tollgate_http::Request>,
    body: &[u8],
) -> Result<(), Fault> {
    let mut out = ScratchVec::take();
    if let Some(request) = request {
        h1::write_request(request, &mut out);
    }
    conn.show_sent(out.len(), body.len());
    let written = match body {
        [] => conn.wire.write_out(out).await,
        body => conn.wire.write_all([&out, body, &[]]).await,
    };
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(Fault::Timeout),
        Err(_) => Err(Fault::Closed),
    }
}

/// Moves the request's body to the origin.
struct Pump {
    chunked: bool,
    queue: VecDeque<Bytes>,
    written: usize,
    /// The client's body is over.
    ended: bool,
    /// The body's end is in the queue.
    sealed: bool,
    /// The client waits for a 100: until the origin sends one, or this expires.
    waits: Option<Watch>,
}

impl Pump {
    fn new(chunked: bool, waits: bool) -> Pump {
        let waits = waits.then(|| {
            let watch = Watch::new();
            watch.set(limits::CONTINUE_WAIT);
            watch
        });
        Pump { chunked, queue: VecDeque::new(), written: 0, ended: false, sealed: false, waits }
    }

    /// Queues the body's end with its trailers.
    fn end(&mut self, trailers: Option<&tollgate_http::HeaderBlock>) {
        self.sealed = true;
        if self.chunked {
            let mut last = Vec::new();
            chunked::write_last_chunk(trailers, &mut last);
            self.queue.push_back(last.into());
        }
    }

    /// Moves what can be moved. `Ok(false)`: the client's body is over, [`Self::end`] is due; `Ok(true)`: all is sent.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
        sent: &mut Sent,
        mut next: impl FnMut(&mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>>,
    ) -> Poll<Result<bool, SendError>> {
        if sent.write_failed {
            return Poll::Pending;
        }
        loop {
            while let Some(front) = self.queue.front() {
                match wire.poll_write(cx, &front[self.written..]) {
                    Poll::Ready(Ok(n)) => {
                        self.written += n;
                        if self.written == front.len() {
                            self.queue.pop_front();
                            self.written = 0;
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(SendError::Origin)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if self.ended {
                return Poll::Ready(Ok(self.sealed));
            }
            match next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(SendError::Body(error))),
                Poll::Ready(Ok(Some(piece))) => {
                    sent.body_begun = true;
                    if self.chunked {
                        self.queue
                            .push_back(Bytes::copy_from_slice(chunked::chunk_header(piece.len()).as_bytes()));
                        self.queue.push_back(piece);
                        self.queue.push_back(Bytes::from_static(b"\r\n"));
                    } else {
                        self.queue.push_back(piece);
                    }
                }
                Poll::Ready(Ok(None)) => self.ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::with_pair;
    use std::task::Waker;

    #[test]
    fn a_body_is_taken_from_the_client_only_as_fast_as_the_origin_reads() {
        with_pair(|mut near, far| async move {
            let _open = far;
            let (mut pump, mut sent, mut taken) = (Pump::new(false, false), Sent::default(), 0);
            let piece = Bytes::from(vec![b'x'; 1 << 20]);
            let mut cx = Context::from_waker(Waker::noop());
            let poll = pump.poll(&mut cx, &mut near, &mut sent, |_| {
                taken += 1;
                assert!(taken < 1000, "the origin reads nothing");
                Poll::Ready(Ok(Some(piece.clone())))
            });
            assert!(poll.is_pending() && sent.body_begun && pump.queue.len() == 1);
        });
    }

    #[test]
    fn a_chunked_body_has_its_end_when_it_is_sent() {
        with_pair(|mut near, mut far| async move {
            let (mut pump, mut sent) = (Pump::new(true, false), Sent::default());
            let mut pieces = vec![Bytes::from_static(b"abc")];
            let mut poll = |pump: &mut Pump| {
                let mut cx = Context::from_waker(Waker::noop());
                pump.poll(&mut cx, &mut near, &mut sent, |_| Poll::Ready(Ok(pieces.pop())))
            };
            assert!(matches!(poll(&mut pump), Poll::Ready(Ok(false))), "its end is due");
            pump.end(None);
            assert!(matches!(poll(&mut pump), Poll::Ready(Ok(true))));
            let (wanted, mut all) = (b"3\r\nabc\r\n0\r\n\r\n", Vec::new());
            while all.len() < wanted.len() {
                assert!(far.fill().await.expect("open"));
                all.extend_from_slice(&far.take_unread());
            }
            assert_eq!(all, wanted);
        });
    }

    #[test]
    fn an_error_of_either_side_ends_the_pump() {
        with_pair(|mut near, far| async move {
            let _open = far;
            let mut cx = Context::from_waker(Waker::noop());
            let (mut pump, mut sent) = (Pump::new(false, false), Sent::default());
            let poll = pump.poll(&mut cx, &mut near, &mut sent, |_| Poll::Ready(Err(BodyError::Truncated)));
            assert!(matches!(poll, Poll::Ready(Err(SendError::Body(BodyError::Truncated)))));
            near.close();
            let whole = |_: &mut Context<'_>| Poll::Ready(Ok(Some(Bytes::from_static(b"abc"))));
            let poll = pump.poll(&mut cx, &mut near, &mut sent, whole);
            assert!(matches!(poll, Poll::Ready(Err(SendError::Origin))));
            sent.write_failed = true;
            assert!(pump.poll(&mut cx, &mut near, &mut sent, whole).is_pending(), "the answer is waited for");
        });
    }
}
