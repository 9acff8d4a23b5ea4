//! One object on its way to the disk.
//!
//! Responsible for: cutting a body into fragments as it arrives, publishing the object at its end.
//! Invariants: memory holds one fragment of the body; nothing is found before the body is complete; dropping the
//! writer leaves nothing that could be found.

use super::append::{NewBody, NewDocument};
use super::codec::encode_head;
use super::record::FragmentRef;
use super::store::DiskStore;
use super::stripe::{Stripe, Ticket};
use super::{DiskError, decode_head};
use crate::key::CacheKey;
use crate::object::{StoredHead, StoredObject};
use bytes::Bytes;
use std::sync::Arc;

/// Writes one object. [`Self::push`] only gathers; the other methods block.
pub struct DiskWriter {
    stripe: Arc<Stripe>,
    key: CacheKey,
    ticket: Ticket,
    fragment_bytes: usize,
    max_alternates: usize,
    pieces: Vec<Bytes>,
    gathered: usize,
    fragments: Vec<FragmentRef>,
}

impl DiskWriter {
    pub(super) fn new(store: &DiskStore, stripe: &Arc<Stripe>, key: &CacheKey) -> DiskWriter {
        DiskWriter {
            ticket: stripe.ticket(stripe.key(key.as_bytes())),
            stripe: Arc::clone(stripe),
            key: key.clone(),
            fragment_bytes: store.options().fragment_bytes.min(stripe.max_payload_bytes()).max(1),
            max_alternates: store.options().max_alternates.max(1),
            pieces: Vec::new(),
            gathered: 0,
            fragments: Vec::new(),
        }
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
        if !self.fragments.is_empty() && self.gathered > 0 {
            let rest = self.cut();
            self.write_fragment(&rest)?;
        }
        let body = match &self.fragments[..] {
            [] => NewBody::Inline(&self.pieces),
            fragments => NewBody::Fragments(fragments),
        };
        self.publish(head, body)
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
            return self.publish(object.head(), NewBody::Fragments(&body.fragments));
        }
        for chunk in object.body().chunks() {
            if self.push(chunk.clone()) {
                self.write()?;
            }
        }
        self.commit(object.head())
    }

    fn publish(&self, head: &StoredHead, body: NewBody<'_>) -> Result<(), DiskError> {
        let key = self.stripe.key(self.key.as_bytes());
        let replaces = self.replaced_by(head);
        let meta = encode_head(head);
        let document = NewDocument { meta: &meta, body, replaces: &replaces };
        let written = self.stripe.write_document(key, self.ticket, &document);
        written.map(|_| ()).inspect_err(|_| self.forget_older())
    }

    /// What it should have replaced is out of date, unless a purge has seen to that.
    fn forget_older(&self) {
        let key = self.stripe.key(self.key.as_bytes());
        if self.stripe.removals(key) == self.ticket.stamp {
            self.stripe.forget(key);
        }
    }

    /// Stored alternates that go when this one comes: the same variant, and the oldest above the limit.
    fn replaced_by(&self, head: &StoredHead) -> Vec<u64> {
        let key = self.stripe.key(self.key.as_bytes());
        // What cannot be read has been forgotten by the attempt.
        let documents = self.stripe.documents(key).unwrap_or_default();
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

    fn write_fragment(&mut self, data: &[Bytes]) -> Result<(), DiskError> {
        let key = self.stripe.key(self.key.as_bytes());
        let number = self.fragments.len() as u32;
        let written = self.stripe.write_fragment(key, self.ticket, number, data);
        self.fragments.push(written.inspect_err(|_| self.forget_older())?);
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
        f.debug_struct("DiskWriter")
            .field("key", &self.key)
            .field("fragments", &self.fragments.len())
            .finish()
    }
}
