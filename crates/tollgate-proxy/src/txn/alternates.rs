//! Choosing among stored alternates in a transaction.
//!
//! Responsible for: SELECT_ALT, and the choice by what its handlers say and the request prefers.
//! Not responsible for: the choice where there are no handlers in memory (`tollgate_cache::store`), `Vary` and weights
//! themselves (`tollgate_cache`).
//! Invariants: without handlers nothing here runs for what memory has; what `Vary` does not let the request have is
//! chosen only if a handler says so for this one.

use super::Exchange;
use super::cache::stored_response;
use crate::client::ClientStream;
use std::cell::Cell;
use std::sync::Arc;
use tollgate_cache::negotiate::Preference;
use tollgate_cache::{StoredHead, StoredObject};
use tollgate_config::ids;
use tollgate_hook::run_void;
use tollgate_http::{FieldName, Method, Request, names};
use tollgate_plugin::hooks::Alternate;

/// Less than what any weights make: of an alternate that is served although the request does not accept it.
const LEAST: f32 = 1e-15;

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether handlers are asked about stored alternates.
    pub(super) fn has_judges(&self) -> bool {
        !self.generation.select_alt.is_empty() && self.txn.records.flag(ids::CACHE_SELECT_ALTERNATE)
    }

    /// Of `alternates`, newest first, that the request may have the one with the greatest quality; of equals that with
    /// the latest `Date`.
    pub(super) fn choose(&mut self, alternates: &[Arc<StoredObject>]) -> Option<Arc<StoredObject>> {
        if let [only] = alternates
            && !self.has_judges()
        {
            let is_fitting =
                only.head().matches_by(&self.txn.client_request.headers, &self.cache.policy.negotiation);
            return is_fitting.then(|| Arc::clone(only));
        }
        let mut best: Option<((f32, i64), &Arc<StoredObject>)> = None;
        // ATS: from the oldest on.
        for object in alternates.iter().rev() {
            let Some(quality) = self.quality(object.head()) else { continue };
            let rank = (quality, object.head().meta().date);
            if best.as_ref().is_none_or(|(of_best, _)| rank >= *of_best) {
                best = Some((rank, object));
            }
        }
        best.map(|(_, object)| Arc::clone(object))
    }

    /// How well a stored response suits the request; `None` if it must not be served.
    fn quality(&mut self, head: &StoredHead) -> Option<f32> {
        let client = &self.txn.client_request;
        let negotiation = &self.cache.policy.negotiation;
        let preference = || Preference::of(&client.headers, head.fields()).quality();
        if !self.has_judges() {
            return head.matches_by(&client.headers, negotiation).then(|| preference().max(LEAST));
        }
        if !head.is_accepted_by(&client.headers, negotiation) {
            return None;
        }
        let alternate = Alternate {
            transaction_id: self.txn.id(),
            client_request: client,
            cached_request: &stored_request(client, head),
            cached_response: &stored_response(head),
            matches_vary: head.matches_by(&client.headers, negotiation),
            preference: preference(),
            quality: Cell::new(1.0),
            ignores_vary: Cell::new(false),
        };
        run_void(&self.generation.select_alt, |handler| handler.call(&alternate));
        if !alternate.matches_vary && !alternate.ignores_vary.get() {
            return None;
        }
        let said = alternate.quality.get();
        let said = if said.is_nan() { 0.0 } else { said.clamp(0.0, 1.0) };
        let quality = said * alternate.preference.max(LEAST);
        self.cache.is_refused |= quality == 0.0;
        (quality > 0.0).then_some(quality)
    }
}

/// The request that a response was stored for, as far as it is kept.
fn stored_request(client: &Request, head: &StoredHead) -> Request {
    let mut request = Request::new(Method::Get, client.url.clone());
    for value in client.headers.get_all(names::HOST) {
        request.headers.append(names::HOST, value);
    }
    for (name, value) in head.selecting().iter() {
        // RFC 9111 §4.1: a field that was absent is known to have been absent.
        if let Some(value) = value.filter(|_| !name.eq_ignore_ascii_case(b"host")) {
            request.headers.append(FieldName::of(name), value);
        }
    }
    request
}
