//! A soft purge of one key: what lies on the disk becomes stale there.
//!
//! Responsible for: writing the documents anew with headers that say since when they are stale; bodies in fragments
//! stay where they are.
//! Not responsible for: memory, purges of many objects (`scan`).
//! Invariants: when it returns, what is found is stale, also after a crash, and what was being written when it began is
//! not published; what cannot be made stale is removed.

use super::append::{NewBody, NewDocument};
use super::read::Patience;
use super::sought::located;
use super::store::DiskStore;
use super::stripe::{Stripe, StripeKey};
use super::{DiskError, encode_head};
use crate::key::CacheKey;
use crate::object::StoredObject;
use std::sync::Arc;

impl DiskStore {
    /// Makes the alternates of the key stale from `now` on, but those that `is_gone` says are purged already; tells how
    /// many there are. Returns when that survives a failure of the machine. Blocks.
    ///
    /// # Errors
    /// Read and write errors: nothing is found under the key any more, and it may come back after a crash.
    pub fn soften(
        &self,
        key: &CacheKey,
        now: i64,
        is_gone: impl Fn(&StoredObject) -> bool,
    ) -> Result<usize, DiskError> {
        let Some(stripe) = self.stripe_of(key) else { return Ok(0) };
        let stripe_key = stripe.key(key.as_bytes());
        let softened = stripe.soften(key, stripe_key, now, is_gone);
        if softened.is_err() {
            stripe.forget(stripe_key);
            stripe.write_tombstone(stripe_key)?;
        }
        softened
    }
}

impl Stripe {
    fn soften(
        self: &Arc<Self>,
        key: &CacheKey,
        stripe_key: StripeKey<'_>,
        now: i64,
        is_gone: impl Fn(&StoredObject) -> bool,
    ) -> Result<usize, DiskError> {
        // Spoils what is being written.
        self.stamp_anew(stripe_key);
        let ticket = self.ticket(stripe_key);
        let mut softened = 0;
        // Oldest first, so that their order stays.
        for (lsn, object) in located(self, key, Patience::Waits)?.iter().rev() {
            if is_gone(object) {
                continue;
            }
            object.head().mark().make_stale(now);
            let meta = encode_head(object.head());
            let chunks = object.body().chunks();
            let body = match object.body().on_disk() {
                Some(body) => body.as_new(),
                None => NewBody::Inline(&chunks),
            };
            let document = NewDocument {
                meta: &meta,
                body,
                replaces: &[*lsn],
                is_pinned: object.head().pinned_until().is_some(),
            };
            match self.rewrite_document(stripe_key, ticket, &document, *lsn) {
                Ok(_) => softened += 1,
                // It went meanwhile: overwritten, purged, or replaced by what was asked for after this began.
                Err(DiskError::Superseded) if self.find(stripe_key).iter().all(|found| found.lsn != *lsn) => {
                }
                Err(error) => return Err(error),
            }
        }
        // Who has read it as it was before does not take it into memory.
        self.stamp_anew(stripe_key);
        if softened > 0 {
            self.flush()?;
            self.sync_device()?;
        }
        Ok(softened)
    }
}
