//! PURGE: what is stored for a URL is removed.
//!
//! Responsible for: the key, the removal, what handlers and the client are told. Who may send the method is decided
//! before (ip_allow, filters of rules). Not responsible for: what unsafe requests invalidate.

use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use bytes::Bytes;
use tollgate_http::Method;
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse, TransactionHook};

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether the request is for the cache alone.
    pub(crate) fn is_purge(&self) -> bool {
        self.txn.client_request.method == Method::Purge
    }

    /// Removes what is stored under the request's key: 200 if there was something, else 404.
    pub(crate) async fn purge(&mut self) -> Result<TransactionEnd, Stop> {
        let key = self.key_of(&self.txn.client_request.url);
        let was_stored = self.thread.engine.store.remove(&key) > 0;
        if was_stored {
            self.thread.metrics.inc(Metric::CacheInvalidations);
        }
        self.txn.cache_lookup = Some(if was_stored { CacheLookup::HitFresh } else { CacheLookup::Miss });
        self.hook(TransactionHook::CacheLookupComplete).await?;
        let page = LocalResponse::new(if was_stored { 200 } else { 404 }, "", Bytes::new());
        Err(Stop::Answer(Box::new(Answer { page, end: TransactionEnd::Completed, close: false })))
    }
}
