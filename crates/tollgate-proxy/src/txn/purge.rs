//! PURGE: what is stored for a URL is removed.
//!
//! Responsible for: the key, the removal, what handlers and the client are told; without an `ip_allow.yaml`, who may
//! send the method. Not responsible for: what that file and the filters of rules refuse, which is decided before; what
//! unsafe requests invalidate.

use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use crate::disk::{self, Survives};
use crate::error_page::ErrorKind;
use bytes::Bytes;
use std::net::IpAddr;
use tollgate_http::Method;
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse, TransactionHook};

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether the request is for the cache alone.
    pub(crate) fn is_purge(&self) -> bool {
        self.txn.client_request.method == Method::Purge
    }

    /// Without an `ip_allow.yaml` only this machine may change what is stored.
    pub(super) fn refuse_from_afar(&self, reason: &str) -> Result<(), Stop> {
        let session = self.txn.session();
        if self.generation.has_ip_allow || is_near(session.client_addr().ip(), session.is_internal()) {
            return Ok(());
        }
        Err(self.error(ErrorKind::Denied, reason, false))
    }

    /// Removes what is stored under the request's key: 200 if there was something, else 404.
    pub(crate) async fn purge(&mut self) -> Result<TransactionEnd, Stop> {
        self.refuse_from_afar("PURGE from afar, without an ip_allow.yaml")?;
        let key = self.key_of(&self.txn.client_request.url);
        let was_stored = self.thread.engine.remove_stored(&key);
        disk::make_removal_last(&self.thread.engine, &key, Survives::PowerFailure).await;
        if was_stored {
            self.thread.metrics.inc(Metric::CacheInvalidations);
        }
        self.txn.cache_lookup = Some(if was_stored { CacheLookup::HitFresh } else { CacheLookup::Miss });
        self.hook(TransactionHook::CacheLookupComplete).await?;
        let page = LocalResponse::new(if was_stored { 200 } else { 404 }, "", Bytes::new());
        Err(Stop::Answer(Box::new(Answer { page, end: TransactionEnd::Completed, close: false })))
    }
}

/// Whether a client is this machine. The `ip_allow.yaml` that Traffic Server comes with lets PURGE in from there alone.
fn is_near(client: IpAddr, is_internal: bool) -> bool {
    is_internal || client.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_a_file_says_otherwise_only_this_machine_may_purge() {
        for (client, allowed) in
            [("127.0.0.1", true), ("::ffff:127.0.0.9", true), ("::1", true), ("10.0.0.1", false)]
        {
            let client: IpAddr = client.parse().expect("an address");
            assert_eq!((is_near(client, false), is_near(client, true)), (allowed, true), "{client}");
        }
    }
}
