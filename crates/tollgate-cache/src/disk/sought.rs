//! A key that is looked up: hashed and found in the index once, then read.
//!
//! Responsible for: everything that one look-up asks of a stripe, from the index to objects.
//! Not responsible for: records and their checksums (`read`), which stripe a key belongs to (`store`).
//! Invariants: what is found was not purged before the look-up began, as far as [`Sought::is_removed`] tells; a small
//! object takes the memory that it is kept in, and no more is cleared or copied on the way.

use super::body::{DiskBody, Parts};
use super::extent;
use super::index::FoundList;
use super::read::{Patience, ReadDocument};
use super::store::DiskStore;
use super::stripe::{Stripe, StripeKey};
use super::{DiskError, decode_head};
use crate::key::CacheKey;
use crate::object::{Body, StoredObject};
use bytes::Bytes;
use smallvec::SmallVec;
use std::cell::Cell;
use std::sync::Arc;

/// LIMIT: bytes of memory of each thread that reads: records up to this size are read into it.
const SCRATCH_BYTES: usize = 32 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Alternates with their positions, newest first.
pub(super) type Located = SmallVec<[(u64, StoredObject); 1]>;

/// A key that may be stored, and where.
#[derive(Debug)]
pub struct Sought<'s> {
    pub(super) stripe: &'s Arc<Stripe>,
    pub(super) hash: u128,
    pub(super) found: FoundList,
    removals: u64,
    losses: u64,
}

impl DiskStore {
    /// Looks the key up; `None`: nothing is stored under it. Memory only; seldom wrong when it finds something.
    pub fn seek(&self, key: &CacheKey) -> Option<Sought<'_>> {
        let sought = Sought::of(self.stripe_of(key)?, key);
        (!sought.found.is_empty()).then_some(sought)
    }
}

impl<'s> Sought<'s> {
    pub(super) fn of(stripe: &'s Arc<Stripe>, key: &CacheKey) -> Sought<'s> {
        let stripe_key = stripe.key(key.as_bytes());
        let (removals, losses) = (stripe.removals(stripe_key), stripe.losses());
        Sought { stripe, hash: stripe_key.hash, found: stripe.find(stripe_key), removals, losses }
    }

    /// The alternates stored under `key`, which was sought, newest first; of a large body only the whereabouts. `None`:
    /// something has to be waited for. Does not block.
    ///
    /// # Errors
    /// As [`DiskStore::load`].
    pub fn load_now(&self, key: &CacheKey) -> Option<Result<SmallVec<[StoredObject; 1]>, DiskError>> {
        match self.load(key, Patience::Now) {
            Err(DiskError::WouldWait) => None,
            Err(error) => Some(Err(error)),
            Ok(located) => Some(Ok(located.into_iter().map(|(_, object)| object).collect())),
        }
    }

    /// Whether the key (and sometimes another) was removed since it was sought.
    pub fn is_removed(&self) -> bool {
        self.stripe.removals(StripeKey { hash: self.hash, bytes: &[] }) != self.removals
    }

    pub(super) fn load(&self, key: &CacheKey, patience: Patience) -> Result<Located, DiskError> {
        let stripe_key = StripeKey { hash: self.hash, bytes: key.as_bytes() };
        let mut scratch = SCRATCH.take();
        if scratch.is_empty() {
            scratch.resize(SCRATCH_BYTES, 0);
        }
        let mut located = Located::new();
        let take = |document: ReadDocument<'_>| self.take(key, document, &mut located);
        let read = self.stripe.each_document(stripe_key, self.found.clone(), patience, &mut scratch, take);
        SCRATCH.set(scratch);
        read.map(|()| located)
    }

    fn take(&self, key: &CacheKey, document: ReadDocument<'_>, located: &mut Located) {
        let Some(head) = decode_head(document.payload.meta, key) else { return };
        head.mark().was_judged(document.judged, document.stale_since);
        let ReadDocument { lsn, is_assembly, .. } = document;
        // What has holes must say so.
        let is_complete =
            !is_assembly || extent::are_complete(&document.payload.extents, document.payload.body_len);
        let is_shadowed = located.iter().any(|(_, newer)| newer.head().is_same_variant(&head));
        if !is_complete && !head.is_part() {
            self.stripe.forget_at(StripeKey { hash: self.hash, bytes: key.as_bytes() }, lsn);
        } else if !is_shadowed {
            located.push((lsn, StoredObject::new(head, self.body_of(document))));
        }
    }

    fn body_of(&self, document: ReadDocument<'_>) -> Body {
        let ReadDocument { lsn, payload, is_assembly, bytes, .. } = document;
        if is_assembly || !payload.fragments.is_empty() {
            let extents = if is_assembly { payload.extents } else { extent::in_a_row(&payload.fragments, 0) };
            let parts = Parts {
                key: self.hash,
                lsn,
                losses: self.losses,
                extents,
                complete: payload.body_len,
                is_in_a_row: !is_assembly,
            };
            return Body::from_disk(Arc::new(DiskBody::new(Arc::clone(self.stripe), parts)));
        }
        // A small body does not keep the rest of the record.
        let is_small = payload.inline.len() < SCRATCH_BYTES;
        Body::from_bytes(if is_small {
            Bytes::copy_from_slice(payload.inline)
        } else {
            bytes.keep(payload.inline)
        })
    }
}

/// The alternates of a key in a stripe with their positions, newest first.
pub(super) fn located(
    stripe: &Arc<Stripe>,
    key: &CacheKey,
    patience: Patience,
) -> Result<Located, DiskError> {
    Sought::of(stripe, key).load(key, patience)
}
