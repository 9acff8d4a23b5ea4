//! One object on its way to the disk.
//!
//! Responsible for: cutting a body into fragments as it arrives, publishing the object at its end, or what there is of
//! it beside what was there before.
//! Invariants: memory holds one fragment of the body; nothing is found before the body is complete or kept as a part;
//! dropping the writer leaves nothing that could be found; bytes of two responses are put together only if both have
//! the same strong validator.

use super::append::{NewBody, NewDocument};
use super::codec::encode_head;
use super::extent::{are_complete, laid_over, newest};
use super::read::Document;
use super::record::EXTENT_BYTES;
use super::spill::Spill;
use super::store::DiskStore;
use super::stripe::{Stripe, StripeKey, Ticket};
use super::{DiskError, decode_head};
use crate::key::CacheKey;
use crate::object::{StoredHead, StoredObject};
use crate::part;
use bytes::Bytes;
use std::sync::Arc;

/// LIMIT: places in the log that an object is put together from: the list is written with each new one. The oldest go.
const MOST_EXTENTS: usize = 8192;

/// Writes one object. [`Self::push`] only gathers; the other methods block.
pub struct DiskWriter {
    stripe: Arc<Stripe>,
    key: CacheKey,
    /// Of the key, in the stripe.
    hash: u128,
    ticket: Ticket,
    fragment_bytes: usize,
    max_alternates: usize,
    pieces: Vec<Bytes>,
    gathered: usize,
    spill: Arc<Spill>,
}

/// Part of an object that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenPart {
    /// Where it begins in the whole.
    pub first: u64,
    /// Bytes of the whole.
    pub complete: u64,
}

impl DiskWriter {
    pub(super) fn new(store: &DiskStore, stripe: &Arc<Stripe>, key: &CacheKey) -> DiskWriter {
        let stripe_key = stripe.key(key.as_bytes());
        let ticket = stripe.ticket(stripe_key);
        DiskWriter {
            ticket,
            spill: Spill::new(stripe, stripe_key.hash, ticket),
            stripe: Arc::clone(stripe),
            key: key.clone(),
            hash: stripe_key.hash,
            fragment_bytes: store.options().fragment_bytes.min(stripe.max_payload_bytes()).max(1),
            max_alternates: store.options().max_alternates.max(1),
            pieces: Vec::new(),
            gathered: 0,
        }
    }

    /// The key of the object.
    pub fn key(&self) -> &CacheKey {
        &self.key
    }

    fn stripe_key(&self) -> StripeKey<'_> {
        StripeKey { hash: self.hash, bytes: self.key.as_bytes() }
    }

    /// Without what was gathered.
    pub(super) fn emptied(mut self) -> DiskWriter {
        self.pieces = Vec::new();
        self.gathered = 0;
        self
    }

    /// Takes the next bytes of the body; tells whether [`Self::write`] must be called before the next ones.
    pub fn push(&mut self, piece: Bytes) -> bool {
        self.gathered += piece.len();
        self.pieces.push(piece);
        self.gathered > self.fragment_bytes
    }

    /// Bytes gathered and not written.
    pub fn gathered(&self) -> usize {
        self.gathered
    }

    /// What is written so far, to be read while more is.
    pub fn spill(&self) -> &Arc<Spill> {
        &self.spill
    }

    /// Writes whole fragments of what was gathered.
    ///
    /// # Errors
    /// Those of [`Stripe::write_fragment`]: the object cannot be stored any more.
    pub fn write(&mut self) -> Result<(), DiskError> {
        while self.gathered > self.fragment_bytes {
            let fragment = self.cut();
            self.write_fragment(&fragment)?;
        }
        Ok(())
    }

    /// The body is complete: the object is found from now on.
    ///
    /// # Errors
    /// Those of [`Stripe::write_document`].
    pub fn commit(mut self, head: &StoredHead) -> Result<(), DiskError> {
        self.write()?;
        if !self.spill.is_empty() {
            self.write_rest()?;
        }
        let fragments = self.spill.fragments();
        let body = match &fragments[..] {
            [] => NewBody::Inline(&self.pieces),
            fragments => NewBody::Fragments(fragments),
        };
        self.publish_alone(head, &body)
    }

    /// Nothing more comes: what was written is found from now on as a part of the object, with what is stored of it
    /// already; as the whole if nothing is missing. `head`: the header of the whole. A whole that is stored stays, and
    /// parts of other versions go. `holds`: whether what is stored with this header has not been purged.
    ///
    /// # Errors
    /// Those of [`Self::write`] and [`Stripe::write_document`].
    pub fn keep(
        mut self,
        head: &StoredHead,
        written: WrittenPart,
        holds: impl Fn(&StoredHead) -> bool,
    ) -> Result<(), DiskError> {
        self.write()?;
        self.write_rest()?;
        let WrittenPart { first, complete } = written;
        let mut extents = self.spill.extents(first);
        if extents.is_empty() {
            return Ok(());
        }
        let key = self.stripe_key();
        let documents = self.stripe.documents(key).unwrap_or_default();
        for (document, old) in self.with_heads(&documents) {
            old.mark().was_judged(document.judged, document.stale_since);
            if !head.is_same_variant(&old) || !holds(&old) {
                continue;
            }
            if !old.is_part() {
                // It is either the same or to be validated: both are better than a part.
                return Ok(());
            }
            if document.body_len == complete && part::is_same_version(&old, head) {
                extents = laid_over(&extents, &document.extents);
            }
        }
        // A list that is too long for a record would cost all of it.
        let room = self.stripe.max_payload_bytes() / 2 / EXTENT_BYTES;
        extents = newest(extents, room.clamp(1, MOST_EXTENTS));
        let head = match are_complete(&extents, complete) {
            true => part::head_of_whole(head, complete),
            false => part::head_of_part(head),
        };
        self.publish(&head, &NewBody::Assembled { extents: &extents, complete }, &documents)
    }

    /// Writes an object that is complete: one whose header has changed, too, if its body lies on the disk.
    ///
    /// # Errors
    /// Those of [`Stripe::write_fragment`] and [`Stripe::write_document`].
    pub fn write_object(mut self, object: &StoredObject) -> Result<(), DiskError> {
        if let Some(body) = object.body().on_disk() {
            if !Arc::ptr_eq(&body.stripe, &self.stripe) {
                return Err(DiskError::Gone);
            }
            if body.losses != self.ticket.losses {
                return Err(DiskError::Superseded);
            }
            return self.publish_alone(object.head(), &body.as_new());
        }
        for chunk in object.body().chunks() {
            if self.push(chunk) {
                self.write()?;
            }
        }
        self.commit(object.head())
    }

    fn publish_alone(&self, head: &StoredHead, body: &NewBody<'_>) -> Result<(), DiskError> {
        let key = self.stripe_key();
        // What cannot be read has been forgotten by the attempt.
        let documents = self.stripe.documents(key).unwrap_or_default();
        self.publish(head, body, &documents)
    }

    /// Publishes the object beside `documents`, those that are stored under the key.
    fn publish(
        &self,
        head: &StoredHead,
        body: &NewBody<'_>,
        documents: &[Document],
    ) -> Result<(), DiskError> {
        let key = self.stripe_key();
        let replaces = self.replaced_by(head, documents);
        let meta = encode_head(head);
        let document = NewDocument {
            meta: &meta,
            body: *body,
            replaces: &replaces,
            is_pinned: head.pinned_until().is_some(),
        };
        let written = self.stripe.write_document(key, self.ticket, &document);
        written.inspect_err(|_| self.forget_older())?;
        self.stripe.pins.tell_time(head.meta().response_time);
        self.keep_pinned();
        Ok(())
    }

    /// What goes wrong with others is no fault of this object: it shows in the stripe's counters.
    fn keep_pinned(&self) {
        let _: Result<(), DiskError> = self.stripe.keep_pinned();
    }

    /// What it should have replaced is out of date, unless a purge has seen to that.
    fn forget_older(&self) {
        let key = self.stripe_key();
        if self.stripe.removals(key) == self.ticket.stamp {
            self.stripe.forget(key);
        }
    }

    /// Stored alternates that go when this one comes: the same variant, and the oldest above the limit.
    fn replaced_by(&self, head: &StoredHead, documents: &[Document]) -> Vec<u64> {
        let mut kept = 1;
        let mut replaced = Vec::new();
        for document in documents {
            let is_other =
                decode_head(&document.meta, &self.key).is_some_and(|old| !head.is_same_variant(&old));
            if is_other && kept < self.max_alternates {
                kept += 1;
            } else {
                replaced.push(document.lsn);
            }
        }
        replaced
    }

    /// The documents whose headers can be read.
    fn with_heads<'d>(&self, documents: &'d [Document]) -> impl Iterator<Item = (&'d Document, StoredHead)> {
        documents.iter().filter_map(|document| Some((document, decode_head(&document.meta, &self.key)?)))
    }

    fn write_rest(&mut self) -> Result<(), DiskError> {
        if self.gathered == 0 {
            return Ok(());
        }
        let rest = self.cut();
        self.write_fragment(&rest)
    }

    fn write_fragment(&mut self, data: &[Bytes]) -> Result<(), DiskError> {
        let key = self.stripe_key();
        let number = self.spill.count() as u32;
        let written = self.stripe.write_fragment(key, self.ticket, number, data);
        self.spill.push(written.inspect_err(|_| self.forget_older())?);
        self.keep_pinned();
        Ok(())
    }

    /// Takes at most one fragment's bytes off the front.
    fn cut(&mut self) -> Vec<Bytes> {
        let mut room = self.fragment_bytes;
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for mut piece in std::mem::take(&mut self.pieces) {
            let part = piece.split_to(piece.len().min(room));
            room -= part.len();
            if !part.is_empty() {
                taken.push(part);
            }
            if !piece.is_empty() {
                rest.push(piece);
            }
        }
        self.gathered -= self.fragment_bytes - room;
        self.pieces = rest;
        taken
    }
}

impl std::fmt::Debug for DiskWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskWriter").field("key", &self.key).field("spill", &self.spill).finish()
    }
}
