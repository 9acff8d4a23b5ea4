//! Objects that are in use are written ahead of the log's head before it reaches them.
//!
//! Responsible for: which objects that is worth it for, how many at a time, writing them anew.
//! Not responsible for: what counts as use (the caller says that an object was hit).
//! Invariants: an object is replaced by itself or not at all: what was purged, replaced or made stale meanwhile stays
//! so; what was judged by purges stays judged.

use super::append::{NewBody, NewDocument};
use super::extent::Extent;
use super::read::Patience;
use super::sought::{Sought, located};
use super::store::{DiskStore, Reservation};
use super::stripe::{Stripe, StripeKey, Ticket};
use super::{DiskBody, DiskError, encode_head};
use crate::key::CacheKey;
use crate::object::StoredObject;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// LIMIT: objects that are being evacuated at a time.
const AT_A_TIME: usize = 16;

/// What is under way, and what was done.
#[derive(Debug, Default)]
pub(super) struct Evacuations {
    /// By the hash of their keys.
    under_way: Arc<Mutex<HashSet<u64>>>,
    pub(super) documents: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Leave to evacuate an object; given back when dropped.
#[derive(Debug)]
pub struct Evacuation {
    key: CacheKey,
    object: Arc<StoredObject>,
    under_way: Arc<Mutex<HashSet<u64>>>,
    _room: Reservation,
}

impl Drop for Evacuation {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.key.hash64());
    }
}

impl DiskStore {
    /// To be asked when an object was hit: leave to write it anew, if it is worth it and there is room. Memory only.
    pub fn evacuation(&self, key: &CacheKey, object: &Arc<StoredObject>) -> Option<Evacuation> {
        if self.options().evacuate_percent == 0 {
            return None;
        }
        self.evacuation_of(&self.seek(key)?, key, object)
    }

    /// As [`Self::evacuation`], of an object that was read from where it was `sought`.
    pub fn evacuation_of(
        &self,
        sought: &Sought<'_>,
        key: &CacheKey,
        object: &Arc<StoredObject>,
    ) -> Option<Evacuation> {
        let options = self.options();
        let (stripe, newest) = (sought.stripe, sought.found.first()?.lsn);
        let len = object.body().len();
        let is_small_enough = options.evacuate_bytes == 0 || len <= options.evacuate_bytes;
        if !is_small_enough || !stripe.is_near_end(first_of(object, newest), options.evacuate_percent) {
            return None;
        }
        let room = self.room_for(len)?;
        let mut under_way = self.evacuations.under_way.lock();
        if under_way.len() >= AT_A_TIME || !under_way.insert(key.hash64()) {
            return None;
        }
        drop(under_way);
        let under_way = Arc::clone(&self.evacuations.under_way);
        Some(Evacuation { key: key.clone(), object: Arc::clone(object), under_way, _room: room })
    }

    /// Writes the object anew, if it still is what was hit; tells whether it did. Blocks.
    ///
    /// # Errors
    /// Read and write errors: it stays where it is.
    pub fn evacuate(&self, evacuation: &Evacuation) -> Result<bool, DiskError> {
        let Evacuation { key, object, .. } = evacuation;
        let Some(stripe) = self.stripe_of(key) else { return Ok(false) };
        let stripe_key = stripe.key(key.as_bytes());
        let ticket = stripe.ticket(stripe_key);
        let stored = located(stripe, key, Patience::Waits)?;
        let Some((lsn, stored)) = stored.into_iter().find(|(_, stored)| is_same(stored, object)) else {
            return Ok(false);
        };
        if !stripe.is_near_end(first_of(&stored, lsn), self.options().evacuate_percent) {
            return Ok(false);
        }
        stored.head().mark().was_judged(object.head().mark().judged(), object.head().stale_since());
        match stripe.move_ahead(stripe_key, ticket, lsn, &stored) {
            Ok(()) => {
                self.evacuations.documents.fetch_add(1, Ordering::Relaxed);
                self.evacuations.bytes.fetch_add(stored.body().len(), Ordering::Relaxed);
                Ok(true)
            }
            Err(DiskError::Superseded | DiskError::Gone) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Stripe {
    fn is_near_end(&self, lsn: u64, percent: u8) -> bool {
        let window = self.window();
        window.holds(lsn) && window.left(lsn) < self.geometry.log_len / 100 * u64::from(percent)
    }

    pub(super) fn move_ahead(
        &self,
        key: StripeKey<'_>,
        ticket: Ticket,
        lsn: u64,
        object: &StoredObject,
    ) -> Result<(), DiskError> {
        let chunks = object.body().chunks();
        let extents;
        let body = match object.body().on_disk() {
            Some(body) => {
                extents = self.copy_extents(key, ticket, body)?;
                NewBody::Assembled { extents: &extents, complete: body.len() }
            }
            None => NewBody::Inline(&chunks),
        };
        let meta = encode_head(object.head());
        let document = NewDocument {
            meta: &meta,
            body,
            replaces: &[lsn],
            is_pinned: object.head().pinned_until().is_some(),
        };
        self.rewrite_document(key, ticket, &document, lsn).map(|_| ())
    }

    /// One after the other: memory holds one.
    fn copy_extents(
        &self,
        key: StripeKey<'_>,
        ticket: Ticket,
        body: &DiskBody,
    ) -> Result<Vec<Extent>, DiskError> {
        let whole = 0..body.len();
        let copy = |number: usize| {
            let piece = body.read(number, &whole)?;
            let at = self.write_fragment(key, ticket, number as u32, &[piece])?;
            Ok(Extent::whole(at, number as u32, body.extents[number].start))
        };
        body.fragments_of(&whole).map(copy).collect()
    }
}

/// Where the oldest part of an object lies whose document is at `lsn`.
fn first_of(object: &StoredObject, lsn: u64) -> u64 {
    let body = object.body().on_disk();
    body.and_then(|body| body.positions().min()).unwrap_or(lsn).min(lsn)
}

/// Whether both are the same response.
fn is_same(stored: &StoredObject, hit: &StoredObject) -> bool {
    let (one, other) = (stored.head(), hit.head());
    one.selecting().same_variant(&other.selecting())
        && (one.meta().response_time, one.meta().request_time)
            == (other.meta().response_time, other.meta().request_time)
        && stored.body().len() == hit.body().len()
        && one.fields().iter().eq(other.fields().iter())
}
