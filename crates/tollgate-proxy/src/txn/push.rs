//! PUSH: the body of the request is a response, which is stored for its URL.
//!
//! Responsible for: `push_method_enabled`, reading the pushed response, storing it, what the client is told.
//! Not responsible for: what `ip_allow.yaml` and the filters of rules refuse, which is decided before.
//! Invariants: what is stored passes the same rules as a response of the origin; a pushed body that is cut off or larger
//! than the largest object is not stored.

use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::limits;
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::sync::Arc;
use tollgate_cache::{Body, StoreDecision, StoredHead, StoredObject, rules};
use tollgate_config::ids;
use tollgate_event::clock;
use tollgate_http::framing::{self, Framing};
use tollgate_http::{Method, Request, Response, h1, names};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::{CacheReason, TransactionEnd};
use tollgate_plugin::LocalResponse;

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether the request brings a response for the cache.
    pub(crate) fn is_push(&self) -> bool {
        matches!(&self.txn.client_request.method, Method::Other(name) if &**name == "PUSH")
    }

    /// Stores the pushed response: 201, or 400 with the reason why it is not stored.
    pub(crate) async fn push(&mut self) -> Result<TransactionEnd, Stop> {
        if !self.txn.records.flag(ids::HTTP_PUSH_METHOD_ENABLED) {
            return Err(self.error(ErrorKind::Denied, "push_method_enabled", true));
        }
        self.refuse_from_afar("PUSH from afar, without an ip_allow.yaml")?;
        let pushed = self.pushed_bytes().await?;
        let Some((response, body)) = self.pushed_response(pushed) else {
            return Err(self.error(ErrorKind::BadRequest, "the pushed response is malformed", false));
        };
        self.cache.policy = crate::policy::of(&self.txn.records);
        self.apply_cache_rules();
        let mut request = Request::new(Method::Get, self.txn.client_request.url.clone());
        request.headers = self.txn.client_request.headers.clone();
        // These speak of the pushed bytes, not of the request that the response answers.
        for name in [names::CONTENT_LENGTH, names::TRANSFER_ENCODING, names::CONTENT_TYPE, names::EXPECT] {
            request.headers.remove(name);
        }
        let now = clock::unix_seconds();
        let meta = match rules::store_decision(&request, &response, now, &self.cache.policy) {
            StoreDecision::Store { meta } => meta,
            StoreDecision::Dont(reason) => {
                self.cache.reason = Some(reason);
                return Err(self.error(ErrorKind::BadRequest, reason.token(), false));
            }
        };
        let key = self.key_of(&request.url);
        let head = StoredHead::new(&request, &response, meta, self.cache.policy.set_cookie)
            .born_as(&key, self.thread.engine.store.born(&key));
        let object = Arc::new(StoredObject::new(head, Body::from_chunks(&[body])));
        if self.thread.engine.store.insert(&key, Arc::clone(&object)).is_err() {
            self.cache.reason = Some(CacheReason::TooLarge);
            return Err(self.error(ErrorKind::BodyTooLarge, "ram_cache_cutoff", false));
        }
        self.store_on_disk_soon(&key, &object);
        self.thread.metrics.inc(Metric::CacheStores);
        let page = LocalResponse::new(201, "", Bytes::new());
        Err(Stop::Answer(Box::new(Answer { page, end: TransactionEnd::Completed, close: false })))
    }

    /// The whole body of the request.
    async fn pushed_bytes(&mut self) -> Result<Bytes, Stop> {
        let settings = self.thread.engine.store.settings();
        let most = if settings.cutoff_bytes > 0 { settings.cutoff_bytes } else { settings.budget_bytes };
        if self.client.send_continue().await.is_err() {
            return Err(Stop::Abort(TransactionEnd::ClientAborted));
        }
        let mut all = BytesMut::new();
        loop {
            let piece = match self.buffered.as_mut().map(std::collections::VecDeque::pop_front) {
                Some(piece) => Ok(piece),
                None => poll_fn(|cx| self.client.poll_body(cx)).await,
            };
            match piece {
                Ok(None) => return Ok(all.freeze()),
                Ok(Some(piece)) if (all.len() + piece.len()) as u64 > most => {
                    return Err(self.error(ErrorKind::BodyTooLarge, "ram_cache_cutoff", true));
                }
                Ok(Some(piece)) => all.extend_from_slice(&piece),
                Err(error) => return Err(self.body_refused(&error)),
            }
        }
    }

    /// The response with its body; `None` if that is not what the bytes are.
    fn pushed_response(&self, bytes: Bytes) -> Option<(Response, Bytes)> {
        let limits = limits::response_head(&self.txn.records);
        let end = h1::HeadScanner::default().find_end(&bytes, &limits).ok().flatten()?;
        let response = h1::parse_response(bytes.slice(..end).into(), &limits).ok()?;
        let body = bytes.slice(end..);
        let framing =
            framing::of_response(&Method::Get, response.status, response.version, &response.headers).ok()?;
        let is_whole = match framing {
            Framing::None => body.is_empty(),
            Framing::Length(n) => body.len() as u64 == n,
            Framing::UntilClose => true,
            Framing::Chunked => false,
        };
        is_whole.then_some((response, body))
    }
}
