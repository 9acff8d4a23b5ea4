//! Records on their way out: the tail in memory, and its writing.
//!
//! Responsible for: order and positions of records, wrapping, what is lost when a write fails.
//! Invariants: positions grow; a record never spans the end of the log's area; a place in the index is made under
//! the lock that orders records, so that replaying the log gives the same index; records of a tail whose write
//! failed are not found any more, and objects that had fragments in it are not published.

use super::DiskError;
use super::extent::Extent;
use super::record::{
    BLOCK, FragmentRef, HEADER_BYTES, Kind, Places, RecordHeader, blocks, checksum, document_front,
};
use super::stripe::{Order, Stripe, StripeKey, Ticket};
use bytes::Bytes;
use std::sync::atomic::Ordering;

/// What a document holds besides its key.
#[derive(Clone, Copy, Debug)]
pub struct NewDocument<'a> {
    /// Opaque bytes: the response's header.
    pub meta: &'a [u8],
    /// The body, or where it is.
    pub body: NewBody<'a>,
    /// Positions of the documents that it replaces.
    pub replaces: &'a [u64],
    /// Whether it is kept when the log comes round, for as long as its header says.
    pub is_pinned: bool,
}

/// The body of a document to be written.
#[derive(Clone, Copy, Debug)]
pub enum NewBody<'a> {
    /// In the document.
    Inline(&'a [Bytes]),
    /// In fragments written before.
    Fragments(&'a [FragmentRef]),
    /// In parts of fragments written at different times. There may be holes; the whole has `complete` bytes.
    Assembled {
        /// In order, without overlap.
        extents: &'a [Extent],
        /// Bytes of the whole.
        complete: u64,
    },
}

struct Draft<'a> {
    kind: Kind,
    key: u128,
    number: u32,
    is_pinned: bool,
    parts: &'a [&'a [u8]],
}

impl Stripe {
    /// LIMIT: bytes of a record's payload: what the buffer holds.
    pub fn max_payload_bytes(&self) -> usize {
        self.options.buffer_bytes - HEADER_BYTES
    }

    /// Writes part of a body. It means nothing until a document names it.
    ///
    /// # Errors
    /// Write errors; `Superseded` if the object can no longer be published; `TooLarge`.
    pub fn write_fragment(
        &self,
        key: StripeKey<'_>,
        ticket: Ticket,
        number: u32,
        data: &[Bytes],
    ) -> Result<FragmentRef, DiskError> {
        let parts: Vec<&[u8]> = data.iter().map(|piece| &piece[..]).collect();
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut order = self.order.lock();
        self.check(key, ticket)?;
        let draft = Draft { kind: Kind::Fragment, key: key.hash, number, is_pinned: false, parts: &parts };
        let lsn = self.append(&mut order, &draft)?;
        // Making room may have lost a tail with fragments of this object.
        self.check(key, ticket)?;
        Ok(FragmentRef { lsn, len: len as u32 })
    }

    /// Publishes an object: from now on it is found, in place of those it replaces. It is on the disk after a flush.
    ///
    /// # Errors
    /// Write errors; `Superseded` if it was purged meanwhile, if a write lost parts of it, or if the log has come round
    /// to its first fragment; `TooLarge`.
    pub fn write_document(
        &self,
        key: StripeKey<'_>,
        ticket: Ticket,
        document: &NewDocument<'_>,
    ) -> Result<u64, DiskError> {
        self.publish(key, ticket, document, None)
    }

    /// As [`Self::write_document`], if the document at `instead_of` is still found: it was not replaced meanwhile.
    ///
    /// # Errors
    /// As [`Self::write_document`]; `Superseded` if it is not.
    pub(super) fn rewrite_document(
        &self,
        key: StripeKey<'_>,
        ticket: Ticket,
        document: &NewDocument<'_>,
        instead_of: u64,
    ) -> Result<u64, DiskError> {
        self.publish(key, ticket, document, Some(instead_of))
    }

    fn publish(
        &self,
        key: StripeKey<'_>,
        ticket: Ticket,
        document: &NewDocument<'_>,
        instead_of: Option<u64>,
    ) -> Result<u64, DiskError> {
        let (inline, body): (&[Bytes], _) = match document.body {
            NewBody::Inline(pieces) => (pieces, Places::Fragments(&[])),
            NewBody::Fragments(fragments) => (&[], Places::Fragments(fragments)),
            NewBody::Assembled { extents, .. } => (&[], Places::Extents(extents)),
        };
        let (kind, body_len) = match document.body {
            NewBody::Inline(pieces) => (Kind::Document, pieces.iter().map(|piece| piece.len() as u64).sum()),
            NewBody::Fragments(list) => (Kind::Document, list.iter().map(|f| u64::from(f.len)).sum()),
            NewBody::Assembled { complete, .. } => (Kind::Assembly, complete),
        };
        let front = document_front(key.bytes.len(), document.meta.len(), body_len, document.replaces, body);
        let mut parts = vec![&front[..], key.bytes, document.meta];
        parts.extend(inline.iter().map(|piece| &piece[..]));
        let payload: usize = parts.iter().map(|part| part.len()).sum();
        let mut order = self.order.lock();
        let draft = Draft { kind, key: key.hash, number: 0, is_pinned: document.is_pinned, parts: &parts };
        self.make_room(&mut order, payload)?;
        // Only an object with fragments can have lost some.
        let ticket =
            Ticket { losses: if body.count() == 0 { self.losses() } else { ticket.losses }, ..ticket };
        self.check(key, ticket)?;
        let window = self.window();
        // The record itself takes room, too: nothing of the object may lie where it goes.
        let end = super::index::Window { frontier: window.frontier + blocks(payload) * BLOCK, ..window };
        let is_replaced = |old: u64| self.index.find(key.hash, window).iter().all(|found| found.lsn != old);
        if body.positions().any(|lsn| !end.holds(lsn)) || instead_of.is_some_and(is_replaced) {
            return Err(DiskError::Superseded);
        }
        let lsn = self.append(&mut order, &draft)?;
        let window = self.window();
        for replaced in document.replaces {
            self.index.remove_at(key.hash, *replaced, window);
        }
        self.index.insert(key.hash, lsn, blocks(payload), document.is_pinned, window);
        order.unwritten.push((key.hash, lsn));
        // Whoever removes the key stamps it first and looks into the index then.
        if self.ticket(key).stamp != ticket.stamp {
            self.index.remove_at(key.hash, lsn, window);
            return Err(DiskError::Superseded);
        }
        self.counters.documents_written.fetch_add(1, Ordering::Relaxed);
        Ok(lsn)
    }

    /// Makes [`Self::forget`] last: returns when it is on the disk.
    ///
    /// # Errors
    /// Write errors: what was purged may come back after a crash, unless a sync of the index comes first.
    pub fn write_tombstone(&self, key: StripeKey<'_>) -> Result<(), DiskError> {
        self.note_tombstone(key)?;
        self.sync_device()
    }

    /// As [`Self::write_tombstone`], but returns when the operating system has it: it outlives this process.
    ///
    /// # Errors
    /// Write errors.
    pub fn note_tombstone(&self, key: StripeKey<'_>) -> Result<(), DiskError> {
        let mut order = self.order.lock();
        self.append(
            &mut order,
            &Draft { kind: Kind::Tombstone, key: key.hash, number: 0, is_pinned: false, parts: &[] },
        )?;
        self.flush_tail(&mut order)
    }

    /// Marks the place where the log goes on after opening.
    pub(super) fn note_opened(&self) -> Result<(), DiskError> {
        let mut order = self.order.lock();
        self.append(
            &mut order,
            &Draft { kind: Kind::Opened, key: 0, number: 0, is_pinned: false, parts: &[] },
        )?;
        self.flush_tail(&mut order)
    }

    /// Hands what is in the buffer to the operating system; tells up to where the log is complete.
    ///
    /// # Errors
    /// Write errors: what was in the buffer is lost.
    pub fn flush(&self) -> Result<u64, DiskError> {
        let mut order = self.order.lock();
        self.flush_tail(&mut order)?;
        Ok(self.window().frontier)
    }

    /// Whether an object with this ticket may go on.
    fn check(&self, key: StripeKey<'_>, ticket: Ticket) -> Result<(), DiskError> {
        if self.is_offline() {
            return Err(DiskError::Offline);
        }
        let now = self.ticket(key);
        let holds = now.losses == ticket.losses && now.stamp == ticket.stamp;
        if holds { Ok(()) } else { Err(DiskError::Superseded) }
    }

    /// Times that a buffer was lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    fn append(&self, order: &mut Order, draft: &Draft<'_>) -> Result<u64, DiskError> {
        let len: usize = draft.parts.iter().map(|part| part.len()).sum();
        self.make_room(order, len)?;
        let lsn = self.frontier.load(Ordering::Acquire);
        let header = RecordHeader {
            kind: draft.kind,
            lsn,
            epoch: self.epoch,
            len: len as u32,
            key: draft.key,
            number: draft.number,
            checksum: checksum(draft.parts),
            is_pinned: draft.is_pinned,
        };
        // First the old records count as gone, then the new one is there.
        self.frontier.store(lsn + header.blocks() * BLOCK, Ordering::Release);
        let mut tail = self.tail.write();
        tail.bytes.extend_from_slice(&header.encode());
        draft.parts.iter().for_each(|part| tail.bytes.extend_from_slice(part));
        let padded = tail.bytes.len().next_multiple_of(BLOCK as usize);
        tail.bytes.resize(padded, 0);
        Ok(lsn)
    }

    /// Sees to it that a record with that much payload fits into the tail and before the end of the log's area.
    fn make_room(&self, order: &mut Order, payload: usize) -> Result<(), DiskError> {
        if self.is_offline() {
            return Err(DiskError::Offline);
        }
        let need = blocks(payload) * BLOCK;
        if need > self.options.buffer_bytes as u64 {
            return Err(DiskError::TooLarge);
        }
        let lap = self.geometry.log_len;
        let frontier = self.frontier.load(Ordering::Acquire);
        let lap_end = (frontier / lap + 1) * lap;
        if frontier + need > lap_end {
            self.pad(order, frontier, lap_end)?;
        }
        let number = self.frontier.load(Ordering::Acquire) / lap;
        if order.lap != number {
            // A tail never spans the end of the area.
            self.flush_tail(order)?;
            order.lap = number;
            self.index.sweep(self.window());
            self.counters.laps.fetch_add(1, Ordering::Relaxed);
        }
        if self.tail.read().bytes.len() as u64 + need > self.options.buffer_bytes as u64 {
            self.flush_tail(order)?;
        }
        self.keep_synced(order, need)
    }

    /// Replaying begins where a copy of the index was made: the log must not come round to there.
    fn keep_synced(&self, order: &mut Order, need: u64) -> Result<(), DiskError> {
        let lap = self.geometry.log_len;
        // Whoever is syncing already does it for this thread, too.
        if self.unsynced_bytes() > lap / 4
            && let Some(mut synced) = self.syncing.try_lock()
        {
            self.flush_tail(order)?;
            self.sync_index(&mut synced, self.window().frontier)?;
        }
        if self.window().frontier + need > self.synced_before.load(Ordering::Acquire) + lap {
            return Err(DiskError::Write(std::io::Error::other(
                "the index could not be synced for a whole lap",
            )));
        }
        Ok(())
    }

    /// Gives up the rest of the lap, which is not empty.
    fn pad(&self, order: &mut Order, frontier: u64, lap_end: u64) -> Result<(), DiskError> {
        let pad = RecordHeader {
            kind: Kind::Pad,
            lsn: frontier,
            epoch: self.epoch,
            len: 0,
            key: 0,
            number: 0,
            checksum: checksum(&[]),
            is_pinned: false,
        };
        let mut tail = self.tail.write();
        tail.bytes.extend_from_slice(&pad.encode());
        let padded = tail.bytes.len().next_multiple_of(BLOCK as usize);
        tail.bytes.resize(padded, 0);
        drop(tail);
        self.flush_tail(order)?;
        self.frontier.store(lap_end, Ordering::Release);
        self.tail.write().start = lap_end;
        Ok(())
    }

    /// Writes the tail. If that fails its records are gone, and their positions are given out again.
    fn flush_tail(&self, order: &mut Order) -> Result<(), DiskError> {
        let written = {
            let tail = self.tail.read();
            if tail.bytes.is_empty() {
                return Ok(());
            }
            let offset = self.geometry.log_start + tail.start % self.geometry.log_len;
            self.write_device(&tail.bytes, offset).map(|()| tail.bytes.len() as u64)
        };
        if written.is_err() {
            let window = self.window();
            for (key, lsn) in order.unwritten.drain(..) {
                self.index.remove_at(key, lsn, window);
            }
            // The frontier goes back: what has died by it must not come back to life, least of all what was removed.
            self.index.sweep(window);
            self.losses.fetch_add(1, Ordering::AcqRel);
        }
        order.unwritten.clear();
        let mut tail = self.tail.write();
        tail.bytes.clear();
        match written {
            Ok(len) => {
                tail.start += len;
                self.counters.bytes_written.fetch_add(len, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.frontier.store(tail.start, Ordering::Release);
                // What comes to these positions next has not been judged.
                let mut judged = self.judged.write();
                judged.lsn = judged.lsn.min(tail.start);
                Err(error)
            }
        }
    }
}
