//! Records on their way in.
//!
//! Responsible for: reading documents and fragments from the device or the tail, and believing only what checks.
//! Invariants: a document is returned only if its whole key is the one asked for and its checksum holds; a fragment
//! only if it says that it is that part of that key's object.

use super::DiskError;
use super::extent::Extent;
use super::index::Found;
use super::record::{BLOCK, DocumentPayload, FragmentRef, HEADER_BYTES, Kind, RecordHeader, checksum};
use super::stripe::{Stripe, StripeKey};
use bytes::Bytes;
use std::sync::atomic::Ordering;

/// LIMIT: bytes of a record that are read by a thread that must not wait: copying takes time, too.
const READ_NOW_BYTES: u64 = 64 * 1024;

/// Whether a reader may wait for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Waits,
    Now,
}

/// A stored document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Position in the log.
    pub lsn: u64,
    /// Opaque bytes: the response's header.
    pub meta: Bytes,
    /// Bytes of the body.
    pub body_len: u64,
    /// The body, unless it is in fragments.
    pub inline: Bytes,
    /// Where the body is, if it is large and was written in one go.
    pub fragments: Vec<FragmentRef>,
    /// Where the bytes of the body are that are there, if it was put together.
    pub extents: Vec<Extent>,
    /// Whether it was put together: then it may have holes.
    pub is_assembly: bool,
    /// It was judged by the purges up to this number, at least.
    pub judged: u64,
    /// Since when it is stale by them, seconds since 1970, if its header does not say so.
    pub stale_since: Option<i64>,
}

impl Stripe {
    /// The documents stored under the key, newest first. What cannot be read is forgotten: then also what is older,
    /// because it may have been replaced by what cannot be read.
    ///
    /// # Errors
    /// Read errors, if nothing newer was read before.
    pub fn documents(&self, key: StripeKey<'_>) -> Result<Vec<Document>, DiskError> {
        self.documents_with(key, Patience::Waits)
    }

    pub(super) fn documents_with(
        &self,
        key: StripeKey<'_>,
        patience: Patience,
    ) -> Result<Vec<Document>, DiskError> {
        let mut documents: Vec<Document> = Vec::new();
        for found in self.find(key) {
            match self.document(key, found, patience) {
                Ok(Some(document)) => documents.push(document),
                Ok(None) => {}
                Err(DiskError::WouldWait) => return Err(DiskError::WouldWait),
                Err(DiskError::Gone) => self.forget_at(key, found.lsn),
                Err(error) => {
                    self.index.remove_before(key.hash, found.lsn + 1, self.window());
                    if documents.is_empty() {
                        return Err(error);
                    }
                    break;
                }
            }
        }
        Ok(documents)
    }

    /// The document at `found`; `None` if it is another key's, or parts of its body are gone or soon will be.
    fn document(
        &self,
        key: StripeKey<'_>,
        found: Found,
        patience: Patience,
    ) -> Result<Option<Document>, DiskError> {
        let (header, payload) = self.record(found.lsn, found.blocks, patience)?;
        let is_assembly = match header.kind {
            Kind::Document => false,
            Kind::Assembly => true,
            _ => return Err(DiskError::Gone),
        };
        let mut payload = DocumentPayload::decode(header.kind, &payload).ok_or_else(|| self.corrupt())?;
        if header.key != key.hash || payload.key[..] != *key.bytes {
            return Ok(None);
        }
        // It must not be overwritten while it is read.
        let margin = payload.body_len.min(self.geometry.log_len / 16);
        let window = self.window();
        let lasts = |at: &FragmentRef| window.left(at.lsn) >= margin.max(1);
        payload.extents.retain(|extent| lasts(&extent.at));
        if !payload.fragments.iter().all(lasts) || is_assembly && payload.extents.is_empty() {
            self.forget_at(key, found.lsn);
            return Ok(None);
        }
        let (judged, stale_since) = self.judged_of(found);
        Ok(Some(Document {
            judged,
            stale_since,
            lsn: found.lsn,
            meta: payload.meta,
            body_len: payload.body_len,
            inline: payload.inline,
            fragments: payload.fragments,
            extents: payload.extents,
            is_assembly,
        }))
    }

    /// Part `number` of a document's body.
    ///
    /// # Errors
    /// Read errors; `Gone` if it was overwritten, or there is no such part; `Corrupt`.
    pub fn document_fragment(
        &self,
        key: StripeKey<'_>,
        document: &Document,
        number: usize,
    ) -> Result<Bytes, DiskError> {
        let at = document.fragments.get(number).ok_or(DiskError::Gone)?;
        self.fragment(key.hash, number as u32, *at)
    }

    /// The bytes of part `number` of a body that was put together, and where they begin in it.
    ///
    /// # Errors
    /// As [`Self::document_fragment`].
    pub fn document_extent(
        &self,
        key: StripeKey<'_>,
        document: &Document,
        number: usize,
    ) -> Result<(u64, Bytes), DiskError> {
        let extent = document.extents.get(number).ok_or(DiskError::Gone)?;
        let bytes = self.fragment(key.hash, extent.number, extent.at)?;
        Ok((extent.start, bytes.slice(extent.skip as usize..(extent.skip + extent.len) as usize)))
    }

    /// Part `number` of the body of the object whose key has this hash.
    ///
    /// # Errors
    /// Read errors; `Gone` if it was overwritten; `Corrupt`.
    pub(super) fn fragment(&self, key: u128, number: u32, at: FragmentRef) -> Result<Bytes, DiskError> {
        let (header, payload) =
            self.record(at.lsn, super::record::blocks(at.len as usize), Patience::Waits)?;
        let is_it = header.kind == Kind::Fragment && header.key == key && header.number == number;
        if is_it && header.len == at.len { Ok(payload) } else { Err(DiskError::Gone) }
    }

    /// The record at `lsn`, with its payload; at most `blocks` are thought to be needed.
    fn record(&self, lsn: u64, blocks: u64, patience: Patience) -> Result<(RecordHeader, Bytes), DiskError> {
        if self.is_offline() {
            return Err(DiskError::Offline);
        }
        if !self.window().holds(lsn) {
            return Err(DiskError::Gone);
        }
        let lap_left = self.geometry.log_len - lsn % self.geometry.log_len;
        let mut bytes = self.bytes_at(lsn, (blocks * BLOCK).min(lap_left), patience)?;
        let Some(header) = RecordHeader::decode(&bytes) else { return Err(self.not_as_written(lsn)) };
        let need = HEADER_BYTES + header.len as usize;
        if header.lsn != lsn || need as u64 > lap_left.min(self.options.buffer_bytes as u64) {
            return Err(self.not_as_written(lsn));
        }
        if bytes.len() < need {
            bytes = self.bytes_at(lsn, need as u64, patience)?;
        }
        if bytes.len() < need {
            return Err(DiskError::Gone);
        }
        bytes.truncate(need);
        let payload = Bytes::from(bytes).slice(HEADER_BYTES..);
        if checksum(&[&payload]) != header.checksum {
            return Err(self.not_as_written(lsn));
        }
        Ok((header, payload))
    }

    /// Bytes of the log from the tail or the device.
    pub(super) fn bytes_at(&self, lsn: u64, len: u64, patience: Patience) -> Result<Vec<u8>, DiskError> {
        {
            let tail = self.tail.read();
            if lsn >= tail.start {
                let from = (lsn - tail.start) as usize;
                let to = tail.bytes.len().min(from + len as usize);
                return tail.bytes.get(from..to).map(<[u8]>::to_vec).ok_or(DiskError::Gone);
            }
        }
        if patience == Patience::Now && len > READ_NOW_BYTES {
            return Err(DiskError::WouldWait);
        }
        let mut bytes = vec![0; len as usize];
        let offset = self.base + self.geometry.log_start + lsn % self.geometry.log_len;
        let read = match patience {
            Patience::Waits => self.device.read_at(&mut bytes, offset),
            Patience::Now if self.device.read_at_once(&mut bytes, offset) => Ok(()),
            Patience::Now => return Err(DiskError::WouldWait),
        };
        match read {
            Ok(()) => {
                self.succeeded();
                self.counters.bytes_read.fetch_add(len, Ordering::Relaxed);
                Ok(bytes)
            }
            Err(error) => {
                self.counters.read_errors.fetch_add(1, Ordering::Relaxed);
                self.failed();
                Err(DiskError::Read(error))
            }
        }
    }

    /// What was read is not what was written: overwritten meanwhile, or damaged.
    pub(super) fn not_as_written(&self, lsn: u64) -> DiskError {
        if self.window().holds(lsn) { self.corrupt() } else { DiskError::Gone }
    }

    pub(super) fn corrupt(&self) -> DiskError {
        self.counters.corrupt.fetch_add(1, Ordering::Relaxed);
        DiskError::Corrupt
    }
}
