//! Asking the origin.
//!
//! Responsible for: OS_DNS, connecting, SEND_REQUEST_HDR, sending header and body, reading the response header with
//! interim responses, READ_RESPONSE_HDR, retrying where that is safe, intercepts.
//! Not responsible for: what becomes of the response (`deliver`).
//! Invariants: a request is sent again only if nothing of the client's body is gone, its method is idempotent and the
//! connection was a kept one that closed before a byte of an answer; an origin that did answer is not asked twice.

use super::upload::{BodySent, Interim, RequestSource, SendError, send_transformed};
use super::{Exchange, Stop};
use crate::body::{ResponseBody, transformed};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::limits;
use crate::origin::connect::{self, ConnectError, Route};
use crate::origin::pool::Match;
use crate::origin::{OriginBody, OriginConn};
use crate::wire::{BodyReader, HeadReadError, Wire};
use bytes::Bytes;
use smallvec::smallvec;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use tollgate_config::ids;
use tollgate_config::ip_allow::Side;
use tollgate_event::dns::DnsError;
use tollgate_event::pool::ScratchVec;
use tollgate_event::timer::Watch;
use tollgate_http::framing::{self, Framing, FramingError};
use tollgate_http::h1::HeadError;
use tollgate_http::{Method, Response, Version, chunked, h1, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::milestones::Milestone;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{BodyError, TransactionHook};

/// A response header with its body still to come.
pub(crate) struct OriginAnswer {
    pub(crate) response: Box<Response>,
    pub(crate) body: ResponseBody,
    /// The body's length, if known.
    pub(crate) length: Option<u64>,
    /// Seconds since 1970 when the request was sent.
    pub(crate) request_time: i64,
}

/// What the origin did.
pub(crate) enum Asked {
    /// It answered.
    Answer(OriginAnswer),
    /// It switched protocols: both connections become a tunnel.
    Upgraded(Box<Response>, Box<OriginConn>),
}

/// Why there is no answer.
enum Fault {
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
    /// Sends the request to the origin (or the intercept) and reads the response header. Ends with the hook point
    /// READ_RESPONSE_HDR.
    pub(crate) async fn ask_origin(&mut self) -> Result<Asked, Stop> {
        if let Some(intercept) = self.txn.take_intercept() {
            return self.ask_intercept(intercept).await;
        }
        let order = match self.resolved.take() {
            Some(order) => order,
            None => self.resolve_with_hook().await?,
        };
        self.build_proxy_request();
        let asked = self.attempt(&order).await?;
        if let Asked::Answer(answer) = asked {
            return self.read_response_hook(answer).await;
        }
        Ok(asked)
    }

    /// With the cache off, or `doc_in_cache_skip_dns` 0, the name is looked up before the cache (ts-abi 2.4).
    pub(crate) fn resolves_early(&self) -> bool {
        let records = &self.txn.records;
        let is_late = records.flag(ids::HTTP_CACHE_HTTP) && records.flag(ids::HTTP_DOC_IN_CACHE_SKIP_DNS);
        !(is_late || self.txn.has_intercept())
    }

    /// Looks the name up before the cache, with its hook.
    pub(crate) async fn resolve_early(&mut self) -> Result<(), Stop> {
        self.resolved = Some(self.resolve_with_hook().await?);
        Ok(())
    }

    async fn resolve_with_hook(&mut self) -> Result<Route, Stop> {
        let order = self.resolve().await?;
        let mut order = self.keep_followed(order)?;
        self.hook(TransactionHook::OsDns).await?;
        // The other addresses stay in reserve unless a handler has chosen another one.
        if let Some(addr) = self.txn.origin_addr
            && order.first() != Some(&addr)
        {
            order = smallvec![addr];
        }
        self.keep_allowed(order)
    }

    /// The addresses that `ip_allow.yaml` lets requests go to.
    pub(crate) fn keep_allowed(&mut self, mut order: Route) -> Result<Route, Stop> {
        let Some(rules) = &self.generation.origin_access else { return Ok(order) };
        let method = self.txn.client_request.method.as_str();
        order.retain(|addr| rules.allows(Side::Out, addr.ip(), method));
        if order.is_empty() {
            return Err(self.error(ErrorKind::Denied, "ip_allow.yaml: the origin's address", false));
        }
        if self.txn.origin_addr.is_some_and(|addr| !order.contains(&addr)) {
            self.txn.origin_addr = order.first().copied();
        }
        Ok(order)
    }

    /// The addresses to try, in order.
    async fn resolve(&mut self) -> Result<Route, Stop> {
        self.take_next_hop()?;
        if let Some(addr) = self.txn.origin_addr {
            return Ok(smallvec![addr]);
        }
        self.mark(Milestone::DnsLookupBegin);
        self.thread.metrics.inc(Metric::DnsLookups);
        if let Some(ip) = self.next_hop.literal {
            self.thread.metrics.inc(Metric::DnsHits);
            self.mark(Milestone::DnsLookupEnd);
            let addr = SocketAddr::new(ip, self.next_hop.port);
            self.txn.origin_addr = Some(addr);
            return Ok(smallvec![addr]);
        }
        let host = Arc::clone(&self.next_hop.host);
        let addrs = match self.thread.dns.lookup_local(&host) {
            Some(addrs) => {
                self.thread.metrics.inc(Metric::DnsHits);
                addrs
            }
            None => match self.look_name_up(&host).await {
                Ok(answer) => {
                    if answer.is_cached {
                        self.thread.metrics.inc(Metric::DnsHits);
                    }
                    answer.addrs
                }
                Err(error) => {
                    self.thread.metrics.inc(Metric::DnsFailures);
                    let kind = if matches!(error, DnsError::Timeout(_)) {
                        ErrorKind::OriginTimeout
                    } else {
                        ErrorKind::DnsFailed
                    };
                    return Err(self.error(kind, &error.to_string(), false));
                }
            },
        };
        self.refresh_now();
        self.mark(Milestone::DnsLookupEnd);
        let order = self.thread.addresses.order(&addrs, self.next_hop.port, self.started);
        self.txn.origin_addr = order.first().copied();
        if order.len() > 1 && !self.txn.has_handlers(TransactionHook::OsDns) {
            self.txn.origin_addr = None;
        }
        Ok(order)
    }

    async fn ask_intercept(&mut self, intercept: Rc<dyn tollgate_plugin::Intercept>) -> Result<Asked, Stop> {
        if self.resolved.is_none() && self.txn.cache_lookup.is_some() {
            self.hook(TransactionHook::OsDns).await?;
        }
        self.build_proxy_request();
        self.hook(TransactionHook::SendRequestHdr).await?;
        let request_time = tollgate_event::clock::unix_seconds();
        let request =
            self.txn.proxy_request.clone().unwrap_or_else(|| Box::new(self.txn.client_request.clone()));
        let most = u64::try_from(self.txn.records.int(ids::HTTP_MAX_POST_SIZE)).unwrap_or(0);
        let taken = &mut self.log.request_body_bytes;
        let interim = None;
        let (client, buffered) = (&mut *self.client, &mut self.buffered);
        let mut body = RequestSource { client, buffered, taken, most, interim };
        let served = intercept.serve(&request, &mut body).await;
        match served {
            Ok(served) => {
                let length = framing::content_length(&served.response.headers)
                    .ok()
                    .flatten()
                    .or_else(|| served.body.remaining());
                let answer = OriginAnswer {
                    response: Box::new(served.response),
                    body: ResponseBody::Plugin(served.body),
                    length,
                    request_time,
                };
                self.log.hierarchy_is_none = true;
                self.read_response_hook(answer).await
            }
            Err(error) => Err(self.error(ErrorKind::InterceptFailed, &error.to_string(), false)),
        }
    }

    async fn read_response_hook(&mut self, mut answer: OriginAnswer) -> Result<Asked, Stop> {
        self.refresh_now();
        self.mark(Milestone::ServerReadHeaderDone);
        let is_seen = |hook| self.txn.has_handlers(hook);
        // Handlers of later points may ask what the origin said.
        if is_seen(TransactionHook::ReadResponseHdr) || is_seen(TransactionHook::SendResponseHdr) {
            self.txn.origin_response = Some(answer.response);
            self.hook(TransactionHook::ReadResponseHdr).await?;
            answer.response =
                self.txn.origin_response.clone().unwrap_or_else(|| Box::new(Response::new(502)));
        }
        Ok(Asked::Answer(answer))
    }

    /// A 101 is a response too: READ_RESPONSE_HDR runs.
    async fn upgraded(&mut self, response: Box<Response>, conn: Box<OriginConn>) -> Result<Asked, Stop> {
        self.mark(Milestone::ServerReadHeaderDone);
        self.txn.origin_response = Some(response);
        self.hook(TransactionHook::ReadResponseHdr).await?;
        let response = self.txn.origin_response.clone().unwrap_or_else(|| Box::new(Response::new(101)));
        Ok(Asked::Upgraded(response, conn))
    }

    /// Connects, sends, reads; again on another connection where that is safe.
    async fn attempt(&mut self, order: &[SocketAddr]) -> Result<Asked, Stop> {
        let mut fresh_only = false;
        loop {
            let mut conn = self.connection(order, fresh_only).await?;
            self.show_origin(&mut conn);
            self.hook(TransactionHook::SendRequestHdr).await?;
            self.settle_proxy_request()?;
            let kept = conn.used > 0;
            let request_time = tollgate_event::clock::unix_seconds();
            self.limit_origin(&mut conn);
            let mut sent = Sent::default();
            match self.send_and_receive(&mut conn, &mut sent).await {
                Ok(response) if response.status == 101 => {
                    return self.upgraded(response, conn).await;
                }
                Ok(response) => return self.answer_of(conn, response, &sent, request_time),
                Err(Fault::Closed)
                    if kept
                        && !sent.body_begun
                        && self.txn.client_request.method.is_idempotent()
                        && !fresh_only =>
                {
                    self.thread.metrics.inc(Metric::OriginRetries);
                    fresh_only = true;
                    // What handlers added for the first attempt is not added twice.
                    self.build_proxy_request();
                }
                Err(fault) => return Err(self.origin_fault(fault, &sent)),
            }
        }
    }

    async fn connection(&mut self, order: &[SocketAddr], fresh_only: bool) -> Result<Box<OriginConn>, Stop> {
        let host = Arc::clone(&self.next_hop.host);
        let is_post = matches!(self.txn.client_request.method, Method::Post | Method::Put);
        let timeout = if is_post {
            ids::HTTP_POST_CONNECT_ATTEMPTS_TIMEOUT
        } else {
            ids::HTTP_CONNECT_ATTEMPTS_TIMEOUT
        };
        let may_reuse = !is_post || self.txn.records.flag(ids::HTTP_KEEP_ALIVE_POST_OUT);
        let by = Match::parse(self.txn.records.str(ids::HTTP_SERVER_SESSION_SHARING_MATCH));
        if !fresh_only && may_reuse && by != Match::None && !self.is_upgrade() {
            let kept = order.iter().find_map(|addr| self.thread.pool.take(*addr, &host, by, &self.thread));
            if let Some(conn) = kept {
                return Ok(conn);
            }
        }
        self.mark(Milestone::ServerConnect);
        match connect::connect(&self.thread, order, &host, &self.dial(timeout)).await {
            Ok(conn) => {
                self.refresh_now();
                self.mark(Milestone::ServerConnectEnd);
                Ok(conn)
            }
            Err(ConnectError::Limited) => {
                Err(self.error(ErrorKind::Overloaded, "per_server.connection.max", false))
            }
            Err(error) => {
                let kind = if error == ConnectError::Timeout {
                    ErrorKind::ConnectTimeout
                } else {
                    ErrorKind::ConnectFailed
                };
                let addrs: Vec<String> = order.iter().map(SocketAddr::to_string).collect();
                Err(self.error(kind, &addrs.join(" "), false))
            }
        }
    }

    fn origin_fault(&mut self, fault: Fault, sent: &Sent) -> Stop {
        let metrics = &self.thread.metrics;
        let close = sent.body_begun && !sent.body_done;
        if close {
            self.keep = false;
        }
        match fault {
            Fault::Stop(stop) => stop,
            Fault::Closed | Fault::Partial => {
                metrics.inc(Metric::OriginConnectionsBroken);
                let reason = if matches!(fault, Fault::Closed) {
                    "closed before an answer"
                } else {
                    "closed within the header"
                };
                self.error(ErrorKind::OriginClosed, reason, close)
            }
            Fault::Timeout => {
                metrics.inc(Metric::OriginTimeouts);
                metrics.inc(Metric::OriginInactivityTimeouts);
                self.error(ErrorKind::OriginTimeout, "transaction_no_activity_timeout_out", close)
            }
            Fault::Head(error) => {
                metrics.inc(Metric::OriginBadResponses);
                self.error(ErrorKind::OriginBad, &error.to_string(), close)
            }
            Fault::Framing(error) => {
                metrics.inc(Metric::OriginBadResponses);
                self.error(ErrorKind::OriginBad, &error.to_string(), close)
            }
            Fault::TooManyInterim => {
                metrics.inc(Metric::OriginBadResponses);
                self.error(ErrorKind::OriginBad, "too many interim responses", close)
            }
        }
    }

    /// The final response with its body.
    fn answer_of(
        &mut self,
        conn: Box<OriginConn>,
        response: Box<Response>,
        sent: &Sent,
        request_time: i64,
    ) -> Result<Asked, Stop> {
        // The method that the origin was asked with: a plugin may have set another.
        let method = self.txn.proxy_request.as_ref().map_or(&self.txn.client_request.method, |r| &r.method);
        let framing = match framing::of_response(method, response.status, response.version, &response.headers)
        {
            Ok(framing) => framing,
            Err(error) => return Err(self.origin_fault(Fault::Framing(error), sent)),
        };
        let keep = response.version >= Version::Http11
            && framing != Framing::UntilClose
            && !response.headers.has_token(names::CONNECTION, "close")
            && sent.body_done
            && !self.is_private()
            && Match::parse(self.txn.records.str(ids::HTTP_SERVER_SESSION_SHARING_MATCH)) != Match::None
            && !self.txn.proxy_request.as_ref().is_some_and(|r| r.headers.has(names::CONNECTION));
        if !sent.body_done {
            // The rest of the request's body is still on the client's connection.
            self.keep = false;
        }
        let length = match framing {
            Framing::None => Some(0),
            Framing::Length(n) => Some(n),
            Framing::Chunked | Framing::UntilClose => None,
        };
        if let Some(facts) = &self.txn.origin_facts
            && self.log.request_body_bytes > 0
        {
            facts.set_request_body_bytes(self.log.request_body_bytes);
        }
        self.log.origin_addr = Some(conn.addr);
        self.cache.origin_status = Some(response.status);
        let body = OriginBody::new(conn, BodyReader::new(framing), keep, Rc::clone(&self.thread));
        let body = if framing == Framing::None && body.is_done() {
            ResponseBody::Empty
        } else {
            ResponseBody::Origin(Box::new(body))
        };
        Ok(Asked::Answer(OriginAnswer { response, body, length, request_time }))
    }

    /// Sends header and body and reads the final response header, or a 101 that was asked for.
    async fn send_and_receive(
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
            let mut response = Box::new(conn.read_response(&limits).await.map_err(head_fault)?);
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
struct Sent {
    /// Bytes of the client's body were taken.
    body_begun: bool,
    /// The whole body was sent, or there is none.
    body_done: bool,
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
    match conn.wire.write_all([&out, body, &[]]).await {
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

/// Whether a response to this method may be followed or repeated without another effect.
pub(crate) fn is_get_like(method: &Method) -> bool {
    matches!(method, Method::Get | Method::Head)
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
