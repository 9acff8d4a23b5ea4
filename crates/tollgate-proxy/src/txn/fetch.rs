//! Asking the origin.
//!
//! Responsible for: OS_DNS, connecting, SEND_REQUEST_HDR, READ_RESPONSE_HDR, retrying where that is safe, intercepts.
//! Not responsible for: sending and receiving on the connection (`origin_exchange`), what becomes of the response
//! (`deliver`).
//! Invariants: a request is sent again only if nothing of the client's body is gone, its method is idempotent and the
//! connection was a kept one that closed before a byte of an answer; an origin that did answer is not asked twice.

use super::origin_exchange::{Fault, Sent};
use super::upload::RequestSource;
use super::{Exchange, Stop};
use crate::body::ResponseBody;
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::origin::connect::{self, ConnectError, Route};
use crate::origin::pool::Match;
use crate::origin::{OriginBody, OriginConn};
use crate::wire::BodyReader;
use smallvec::smallvec;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tollgate_config::ids;
use tollgate_config::ip_allow::Side;
use tollgate_event::dns::DnsError;
use tollgate_http::framing::{self, Framing};
use tollgate_http::{Method, Response, Version, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::milestones::Milestone;
use tollgate_plugin::TransactionHook;

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
        fire!(self, OsDns);
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
            None => match Box::pin(self.look_name_up(&host)).await {
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
            fire!(self, OsDns);
        }
        self.build_proxy_request();
        fire!(self, SendRequestHdr);
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
            fire!(self, ReadResponseHdr);
            answer.response =
                self.txn.origin_response.clone().unwrap_or_else(|| Box::new(Response::new(502)));
        }
        Ok(Asked::Answer(answer))
    }

    /// A 101 is a response too: READ_RESPONSE_HDR runs.
    async fn upgraded(&mut self, response: Box<Response>, conn: Box<OriginConn>) -> Result<Asked, Stop> {
        self.mark(Milestone::ServerReadHeaderDone);
        self.txn.origin_response = Some(response);
        fire!(self, ReadResponseHdr);
        let response = self.txn.origin_response.clone().unwrap_or_else(|| Box::new(Response::new(101)));
        Ok(Asked::Upgraded(response, conn))
    }

    /// Connects, sends, reads; again on another connection where that is safe.
    async fn attempt(&mut self, order: &[SocketAddr]) -> Result<Asked, Stop> {
        let mut fresh_only = false;
        loop {
            let mut conn = self.connection(order, fresh_only).await?;
            self.show_origin(&mut conn);
            fire!(self, SendRequestHdr);
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
        let is_post = matches!(self.txn.client_request.method, Method::Post | Method::Put);
        let timeout = if is_post {
            ids::HTTP_POST_CONNECT_ATTEMPTS_TIMEOUT
        } else {
            ids::HTTP_CONNECT_ATTEMPTS_TIMEOUT
        };
        let may_reuse = !is_post || self.txn.records.flag(ids::HTTP_KEEP_ALIVE_POST_OUT);
        let by = Match::parse(self.txn.records.str(ids::HTTP_SERVER_SESSION_SHARING_MATCH));
        if !fresh_only && may_reuse && by != Match::None && !self.is_upgrade() {
            let (pool, host) = (&self.thread.pool, &self.next_hop.host);
            let kept = order.iter().find_map(|addr| pool.take(*addr, host, by, &self.thread));
            if let Some(conn) = kept {
                return Ok(conn);
            }
        }
        self.mark(Milestone::ServerConnect);
        let host = Arc::clone(&self.next_hop.host);
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
}

/// Whether a response to this method may be followed or repeated without another effect.
pub(crate) fn is_get_like(method: &Method) -> bool {
    matches!(method, Method::Get | Method::Head)
}
