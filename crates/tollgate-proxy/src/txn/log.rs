//! The end of a transaction in log and metrics.

use super::Exchange;
use crate::client::ClientStream;
use std::borrow::Cow;
use std::net::SocketAddr;
use tollgate_event::clock;
use tollgate_hook::run_void;
use tollgate_http::{Version, names};
use tollgate_obs::log::{Hierarchy, LogEntry};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;

/// What the log wants to know and the transaction does not keep.
#[derive(Default)]
pub(crate) struct LogFacts {
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    /// A body was being sent.
    pub(crate) body_begun: bool,
    /// It was sent to its end.
    pub(crate) body_done: bool,
    /// The client was found to have left.
    pub(crate) client_gone: bool,
    /// Bytes of the request's body taken so far.
    pub(crate) request_body_bytes: u64,
    pub(crate) is_ram_hit: bool,
    pub(crate) origin_addr: Option<SocketAddr>,
    /// An intercept answered.
    pub(crate) hierarchy_is_none: bool,
}

impl<S: ClientStream> Exchange<'_, S> {
    /// Counts the transaction's end, tells LOG_TRANSACTION, writes the access log.
    pub(crate) fn write_log(&mut self, end: TransactionEnd) {
        let metrics = &self.thread.metrics;
        metrics.transaction_end(end);
        metrics.cache_outcome(self.txn.cache_outcome);
        if let Some(reason) = self.cache.reason {
            metrics.cache_reason(reason);
        }
        let (received, sent) = self.client.bytes();
        metrics.add(Metric::ClientRequestBytes, received);
        metrics.add(Metric::ClientResponseBytes, sent);
        if !self.generation.log.is_empty() {
            let txn = &self.txn;
            run_void(&self.generation.log, |handler| {
                let call = std::panic::AssertUnwindSafe(|| handler.call(txn));
                if let Err(panic) = std::panic::catch_unwind(call) {
                    metrics.inc(Metric::HandlerFaults);
                    tracing::error!(
                        "a LOG_TRANSACTION handler panicked: {}",
                        tollgate_plugin::hooks::panic_text(&*panic)
                    );
                }
            });
        }
        let mut log = self.thread.log.borrow_mut();
        let (Some(log), true) = (&mut *log, self.txn.is_logged) else { return };
        let request = &self.txn.client_request;
        let mut target = Vec::with_capacity(64);
        let pristine = self.txn.pristine_url.as_ref().unwrap_or(&request.url);
        pristine.write_origin_form(&mut target);
        let mut url = Vec::with_capacity(64);
        pristine.write_full(&mut url);
        let elapsed = self.thread.now().saturating_duration_since(self.started);
        let field = |name| request.headers.get(name).map(Cow::Borrowed);
        let asked_origin = self.log.origin_addr.is_some() && !self.log.hierarchy_is_none;
        log.log(&LogEntry {
            client_addr: self.txn.client_addr(),
            method: Cow::Borrowed(request.method.as_str().as_bytes()),
            request_target: Cow::Borrowed(&target),
            url: Cow::Borrowed(&url),
            version: if request.version == Version::Http10 { (1, 0) } else { (1, 1) },
            status: self.log.status,
            content_type: self
                .txn
                .proxy_response
                .as_ref()
                .and_then(|r| r.headers.get(names::CONTENT_TYPE))
                .map(Cow::Borrowed),
            request_bytes: received,
            response_bytes: sent,
            response_body_bytes: self.log.body_bytes,
            started_unix: clock::unix_time().saturating_sub(elapsed),
            elapsed,
            referer: field(names::REFERER),
            user_agent: field(names::USER_AGENT),
            end,
            cache_outcome: self.txn.cache_outcome,
            cache_reason: self.cache.reason,
            hierarchy: if asked_origin { Hierarchy::Direct } else { Hierarchy::None },
            next_hop: asked_origin.then(|| Cow::Borrowed(self.next_hop.host.as_bytes())),
            is_ram_hit: false,
            user: None,
        });
    }
}
