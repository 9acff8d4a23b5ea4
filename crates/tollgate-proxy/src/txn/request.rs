//! Reading a request and deciding whether it is one we serve.

use super::{Answer, Exchange, Stop};
use crate::client::{ClientStream, RequestError};
use crate::error_page::ErrorKind;
use crate::{limits, policy};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use tollgate_cache::policy::NormalizeAe;
use tollgate_cache::vary::normalized_accept_encoding;
use tollgate_config::ids;
use tollgate_http::framing::{Framing, FramingError};
use tollgate_http::h1::{self, HeadError};
use tollgate_http::url::{Form, Scheme, split_host_port};
use tollgate_http::{Method, Request, Version, list, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::milestones::Milestone;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{BodyError, LocalResponse};

impl<S: ClientStream> Exchange<'_, S> {
    /// Reads and checks the request header.
    pub(crate) async fn read_request(&mut self) -> Result<(), Stop> {
        let txn = &mut self.txn;
        let framing = match self.client.read_request(&txn.records, &mut txn.client_request).await {
            Ok(framing) => framing,
            Err(error) => return Err(self.refuse(error)),
        };
        self.mark(Milestone::UaReadHeaderDone);
        self.thread.metrics.inc(Metric::IncomingRequests);
        let request = &self.txn.client_request;
        self.thread.metrics.request_method(request.method.as_str().as_bytes());
        self.keep = wants_keep_alive(request) && self.txn.records.flag(ids::HTTP_KEEP_ALIVE_ENABLED_IN);
        self.asked = request.method.clone();
        self.settle_host()?;
        self.txn.pristine_url = Some(self.txn.client_request.url.clone());
        self.check_request(framing)
    }

    /// A place under `net.max_requests_in`, held until the transaction ends.
    pub(crate) fn admit_request(&mut self) -> Result<Option<Admitted>, Stop> {
        let most = usize::try_from(self.txn.records.int(ids::NET_MAX_REQUESTS_IN)).unwrap_or(0);
        if most == 0 {
            return Ok(None);
        }
        let admitted = Admitted(std::sync::Arc::clone(&self.thread.engine));
        if admitted.0.requests.fetch_add(1, Ordering::Relaxed) >= most {
            self.thread.metrics.inc(Metric::TransactionsLimited);
            return Err(self.error(ErrorKind::Overloaded, "max_requests_in", false));
        }
        Ok(Some(admitted))
    }

    fn refuse(&mut self, error: RequestError) -> Stop {
        self.keep = false;
        let (kind, reason) = match error {
            RequestError::Closed => return Stop::Abort(TransactionEnd::ClientAborted),
            RequestError::Timeout => {
                self.thread.metrics.inc(Metric::RequestHeaderTimeouts);
                return self.error(ErrorKind::RequestTimeout, "request header timeout", true);
            }
            RequestError::Head(error) => {
                let kind = match error {
                    HeadError::Version => ErrorKind::Version,
                    HeadError::StartLineTooLong => ErrorKind::UriTooLong,
                    HeadError::TooLarge | HeadError::TooManyFields => ErrorKind::HeaderTooLarge,
                    _ => ErrorKind::BadRequest,
                };
                match error {
                    HeadError::StartLineTooLong => self.thread.metrics.inc(Metric::RequestLineLimited),
                    HeadError::TooLarge => self.thread.metrics.inc(Metric::HeaderSizeLimited),
                    HeadError::TooManyFields => self.thread.metrics.inc(Metric::HeaderFieldsLimited),
                    _ => {}
                }
                (kind, error.to_string())
            }
            RequestError::Framing(FramingError::UnknownCoding) => {
                (ErrorKind::UnknownCoding, FramingError::UnknownCoding.to_string())
            }
            RequestError::Framing(error) => (ErrorKind::BadRequest, error.to_string()),
        };
        self.thread.metrics.inc(Metric::BadRequests);
        tracing::info!("client {}: request refused: {reason}", self.txn.client_addr());
        self.error(kind, &reason, true)
    }

    fn bad(&mut self, kind: ErrorKind, reason: &str) -> Stop {
        self.thread.metrics.inc(Metric::BadRequests);
        self.error(kind, reason, true)
    }

    /// RFC 9112 §3.2: exactly one valid Host; the URL's authority wins over it. Afterwards the URL is absolute and
    /// Host agrees with it.
    fn settle_host(&mut self) -> Result<(), Stop> {
        let (host, doubled) = {
            let headers = &self.txn.client_request.headers;
            (
                headers.get_bytes(names::HOST),
                headers.may_repeat(names::HOST) && headers.get_all(names::HOST).nth(1).is_some(),
            )
        };
        if doubled {
            return Err(self.bad(ErrorKind::NoHost, "more than one Host field"));
        }
        let Some(mut host) = host else {
            if self.txn.client_request.version >= Version::Http11 {
                return Err(self.bad(ErrorKind::NoHost, "no Host field"));
            }
            self.txn.client_request.url.scheme.get_or_insert(Scheme::Http);
            return Ok(());
        };
        let (len, port) = match split_host_port(&host) {
            Ok((name, port)) if !name.is_empty() => (name.len(), port),
            _ => return Err(self.bad(ErrorKind::NoHost, "malformed Host field")),
        };
        let request = &mut self.txn.client_request;
        match request.url.form {
            Form::Origin | Form::Asterisk => {
                request.url.scheme = Some(Scheme::Http);
                host.truncate(len);
                request.url.host = host;
                request.url.port = port.unwrap_or(0);
            }
            Form::Absolute | Form::Authority => {
                let mut own = Vec::new();
                request.url.write_host_port(&mut own);
                request.headers.set(names::HOST, own);
            }
        }
        Ok(())
    }

    fn check_request(&mut self, framing: Framing) -> Result<(), Stop> {
        let request = &self.txn.client_request;
        if request.method == Method::Trace && framing != Framing::None {
            return Err(self.bad(ErrorKind::BadRequest, "TRACE with a body"));
        }
        if request.headers.has(names::EXPECT)
            && request.version >= Version::Http11
            && !request.headers.has_token(names::EXPECT, "100-continue")
        {
            return Err(self.bad(ErrorKind::Expectation, "unknown expectation"));
        }
        let most = u64::try_from(self.txn.records.int(ids::HTTP_MAX_POST_SIZE)).unwrap_or(0);
        if let Framing::Length(n) = framing
            && most > 0
            && n > most
        {
            return Err(self.bad(ErrorKind::BodyTooLarge, "max_post_size"));
        }
        if request.headers.has(names::VIA) {
            let own = &self.thread.engine.via_id;
            let passes = request
                .headers
                .list(names::VIA)
                .filter(|v| memchr::memmem::find(v, own.as_bytes()).is_some())
                .count();
            if passes as i64 > self.txn.records.int(ids::HTTP_MAX_PROXY_CYCLES) {
                return Err(self.bad(ErrorKind::Cycle, "own name in Via"));
            }
        }
        Ok(())
    }

    /// `normalize_ae`: fewer values of Accept-Encoding make fewer alternates of responses that vary by it.
    pub(crate) fn normalize_accept_encoding(&mut self) {
        let headers = &mut self.txn.client_request.headers;
        if !headers.has(names::ACCEPT_ENCODING) {
            return;
        }
        let mode = policy::normalize_ae(&self.txn.records);
        if mode == NormalizeAe::Off {
            return;
        }
        match normalized_accept_encoding(headers, mode) {
            Some(value) if headers.get(names::ACCEPT_ENCODING) == Some(value.as_bytes()) => {}
            Some(value) => headers.set(names::ACCEPT_ENCODING, value),
            None => {
                headers.remove(names::ACCEPT_ENCODING);
            }
        }
    }

    /// RFC 9110 §7.6.2: TRACE and OPTIONS with Max-Forwards 0 are answered here.
    pub(crate) fn answer_max_forwards(&mut self) -> Result<(), Stop> {
        let request = &self.txn.client_request;
        if !matches!(request.method, Method::Trace | Method::Options)
            || !request.headers.has(names::MAX_FORWARDS)
        {
            return Ok(());
        }
        let left = request
            .headers
            .get_str(names::MAX_FORWARDS)
            .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|t| t.parse::<u64>().ok());
        let page = match left {
            None => return Err(self.bad(ErrorKind::MaxForwards, "Max-Forwards")),
            Some(0) if request.method == Method::Trace => {
                LocalResponse::new(200, "message/http", echo(request))
            }
            Some(0) => {
                let mut page = LocalResponse::new(200, "", Bytes::new());
                page.response
                    .headers
                    .append(names::ALLOW, "GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, CONNECT");
                page
            }
            Some(n) => {
                self.txn.client_request.headers.set(names::MAX_FORWARDS, (n - 1).to_string());
                return Ok(());
            }
        };
        Err(Stop::Answer(Box::new(Answer { page, end: TransactionEnd::LocalResponse, close: false })))
    }

    /// Whether the request body is read before anything else.
    pub(crate) fn buffers_request(&self) -> bool {
        self.txn.records.flag(ids::HTTP_REQUEST_BUFFER_ENABLED) && self.client.body_remaining() != Some(0)
    }

    /// Reads the whole request body and fires its hook.
    pub(crate) async fn buffer_request(&mut self) -> Result<(), Stop> {
        if !self.txn.records.flag(ids::HTTP_REQUEST_BUFFER_ENABLED) || self.client.body_remaining() == Some(0)
        {
            return Ok(());
        }
        if self.client.send_continue().await.is_err() {
            return Err(Stop::Abort(TransactionEnd::ClientAborted));
        }
        let mut pieces = VecDeque::new();
        let mut total = 0;
        loop {
            match std::future::poll_fn(|cx| self.client.poll_body(cx)).await {
                Ok(None) => break,
                Ok(Some(piece)) => {
                    total += piece.len();
                    if total > limits::BUFFERED_BODY_BYTES {
                        return Err(self.bad(ErrorKind::BodyTooLarge, "request_buffer_enabled"));
                    }
                    pieces.push_back(piece);
                }
                Err(error) => return Err(self.body_refused(&error)),
            }
        }
        self.txn.buffered_body = pieces.iter().cloned().collect();
        self.buffered = Some(pieces);
        fire!(self, RequestBufferReadComplete);
        Ok(())
    }

    /// What a fault in the request body means.
    pub(crate) fn body_refused(&mut self, error: &BodyError) -> Stop {
        self.keep = false;
        match error {
            BodyError::Truncated => Stop::Abort(TransactionEnd::ClientAborted),
            BodyError::Timeout => {
                self.thread.metrics.inc(Metric::ClientInactivityTimeouts);
                self.error(ErrorKind::RequestTimeout, "request body", true)
            }
            BodyError::TooLarge(_) => self.bad(ErrorKind::BodyTooLarge, &error.to_string()),
            BodyError::Malformed(_) => self.bad(ErrorKind::BadRequest, &error.to_string()),
            BodyError::Plugin(_) => self.error(ErrorKind::TransformFailed, &error.to_string(), true),
        }
    }
}

/// A request counted against the limit.
pub(crate) struct Admitted(std::sync::Arc<crate::engine::Engine>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// RFC 9112 §9.3.
pub(crate) fn wants_keep_alive(request: &Request) -> bool {
    let tokens =
        || request.headers.list(names::CONNECTION).chain(request.headers.list(names::PROXY_CONNECTION));
    match request.version {
        Version::Http10 => list::has_token(tokens(), "keep-alive") && !list::has_token(tokens(), "close"),
        _ => !request.headers.has_token(names::CONNECTION, "close"),
    }
}

/// The request as it was received, for TRACE; fields that may hold secrets are left out (RFC 9110 §9.3.8).
fn echo(request: &Request) -> Vec<u8> {
    let mut copy = request.clone();
    for secret in [names::AUTHORIZATION, names::PROXY_AUTHORIZATION, names::COOKIE] {
        copy.headers.remove(secret);
    }
    let mut out = Vec::new();
    h1::write_request(&copy, &mut out);
    out
}
