//! What plugins ask of the way to the origin and of what is stored.
//!
//! Responsible for: limits, source and privacy of origin connections, another proxy in the origin's place, hosts that
//! are marked as down, showing handlers what is known of a connection, stored headers that plugins replace.
//! Not responsible for: asking the origin (`fetch`), what its answer means (`deliver`).
//! Invariant: without wishes everything is as the records say.

use super::forward::NextHop;
use super::{Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::host_status;
use crate::limits;
use crate::origin::connect::Dial;
use crate::origin::{OriginConn, Seen};
use std::sync::Arc;
use tollgate_cache::{StoredHead, StoredMeta, StoredObject};
use tollgate_config::ids;
use tollgate_config::records::IntRecord;
use tollgate_event::dns::{Answer, DnsError};
use tollgate_event::{clock, timer};
use tollgate_http::{date, names};
use tollgate_plugin::{OriginWishes, TransactionHook};

impl<S: ClientStream> Exchange<'_, S> {
    fn wishes(&self) -> Option<&OriginWishes> {
        self.txn.origin_wishes.as_deref()
    }

    /// How a connection to the origin is opened.
    pub(crate) fn dial(&self, timeout: IntRecord) -> Dial<'_> {
        let wishes = self.wishes();
        Dial {
            records: &self.txn.records,
            timeout: wishes
                .and_then(|w| w.connect_timeout)
                .unwrap_or_else(|| limits::seconds(&self.txn.records, timeout)),
            outgoing: &self.generation.outgoing,
            source: wishes.and_then(|w| w.source),
        }
    }

    /// Looks a name up, within the time that a plugin may have set.
    pub(crate) async fn look_name_up(&self, host: &str) -> Result<Answer, DnsError> {
        let limit = self.wishes().and_then(|w| w.dns_timeout).unwrap_or_default();
        let looked_up = timer::within(limit, self.thread.dns.lookup(host)).await;
        looked_up.unwrap_or_else(|timer::Elapsed| Err(DnsError::Timeout(host.to_string())))
    }

    /// Sets the limits on the exchange with the origin.
    pub(crate) fn limit_origin(&self, conn: &mut OriginConn) {
        let (records, wishes) = (&self.txn.records, self.wishes());
        let silence = wishes
            .and_then(|w| w.silence_timeout)
            .unwrap_or_else(|| limits::seconds(records, ids::HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_OUT));
        let total = wishes
            .and_then(|w| w.active_timeout)
            .unwrap_or_else(|| limits::seconds(records, ids::HTTP_TRANSACTION_ACTIVE_TIMEOUT_OUT));
        conn.wire.set_limit(silence);
        conn.wire.set_total_limit(total);
    }

    /// Whether the connection may serve other transactions.
    pub(crate) fn is_private(&self) -> bool {
        self.wishes().is_some_and(|w| w.is_private)
    }

    /// The body that a plugin has given to a request without one.
    pub(crate) fn given_body(&self) -> Option<bytes::Bytes> {
        let has_own = match &self.buffered {
            Some(pieces) => !pieces.is_empty(),
            None => self.client.body_remaining() != Some(0),
        };
        self.wishes().filter(|_| !has_own).and_then(|w| w.body.clone())
    }

    /// The proxy that a plugin wants to be asked in the origin's place.
    pub(crate) fn parent(&self) -> Option<NextHop> {
        let (host, port) = self.wishes()?.parent.as_ref()?;
        Some(NextHop::new(host.as_bytes(), *port))
    }

    /// Whether the request goes to another proxy.
    pub(crate) fn goes_to_parent(&self) -> bool {
        self.wishes().is_some_and(|w| w.parent.is_some())
    }

    /// A host that is marked as down is not asked.
    pub(crate) fn refuse_host_that_is_down(&self) -> Result<(), Stop> {
        if host_status::hosts().is_down(&self.next_hop.host, clock::unix_seconds()) {
            return Err(self.error(ErrorKind::HostDown, "the host is marked as down", false));
        }
        Ok(())
    }

    /// Tells handlers of the connection, where somebody may ask.
    pub(crate) fn show_origin(&mut self, conn: &mut OriginConn) {
        self.txn.origin_uses = conn.used;
        let hooks = [
            TransactionHook::SendRequestHdr,
            TransactionHook::ReadResponseHdr,
            TransactionHook::SendResponseHdr,
            TransactionHook::TxnClose,
        ];
        if !hooks.into_iter().any(|hook| self.txn.has_handlers(hook)) {
            return;
        }
        // It is a call to the system.
        self.txn.outgoing_addr = conn.wire.conn().local_addr().ok();
        let facts = Arc::clone(self.txn.origin_facts.get_or_insert_default());
        facts.set_fd(conn.wire.conn().raw_fd());
        conn.seen = Some(Seen(facts));
    }

    /// A stored object that is served, with the header that a plugin has made of its own.
    pub(crate) fn with_plugins_header(&mut self, object: Arc<StoredObject>) -> Arc<StoredObject> {
        match self.txn.updated_cached_response.take() {
            Some(response) => self.replace_header(&object, &response),
            None => object,
        }
    }

    /// A stored object that is served in place of the origin's answer: it expires after a while.
    pub(crate) fn in_place_of_answer(&self, object: &Arc<StoredObject>) -> Arc<StoredObject> {
        let now = clock::unix_seconds();
        let lifetime = match self.txn.records.int(ids::HTTP_NEGATIVE_REVALIDATING_LIFETIME) {
            0 => limits::SERVED_INSTEAD_SECONDS,
            seconds => seconds,
        };
        let mut response = super::cache::stored_response(object.head());
        response.headers.set(names::EXPIRES, date::format(now + lifetime));
        self.replace_header(object, &response)
    }

    fn replace_header(
        &self,
        object: &Arc<StoredObject>,
        response: &tollgate_http::Response,
    ) -> Arc<StoredObject> {
        let old = object.head().meta();
        let meta = StoredMeta::new(response, old.request_time, old.response_time);
        let head = StoredHead::new(&self.txn.client_request, response, meta, self.cache.policy.set_cookie)
            .purged_as(object.head());
        let updated = Arc::new(StoredObject::new(head, object.body().clone()));
        if let Some(key) = &self.cache.key {
            let is_there = self.thread.engine.store.update(key, object, Arc::clone(&updated));
            let is_on_disk = updated.body().on_disk().is_some();
            if is_there || is_on_disk && self.thread.engine.disk.holder_of(key).is_some() {
                self.store_on_disk_soon(key, &updated);
            }
        }
        updated
    }
}
