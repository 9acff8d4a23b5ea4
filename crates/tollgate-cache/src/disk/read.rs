//! Records on their way in.
//!
//! Responsible for: reading documents and fragments from the device or the tail, and believing only what checks.
//! Invariants: a document is returned only if its whole key is the one asked for and its checksum holds; a fragment
//! only if it says that it is that part of that key's object.

use super::DiskError;
use super::extent::Extent;
use super::index::{Found, FoundList};
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

/// The payload of a record that was read.
pub(super) enum Payload<'b> {
    /// In a buffer that others are read into later.
    Lent(&'b [u8]),
    /// By itself.
    Own(Bytes),
}

impl Payload<'_> {
    fn all(&self) -> &[u8] {
        match self {
            Payload::Lent(bytes) => bytes,
            Payload::Own(bytes) => bytes,
        }
    }

    /// Part of it for longer: copied only if it has to be.
    pub(super) fn keep(&self, part: &[u8]) -> Bytes {
        match self {
            Payload::Lent(_) => Bytes::copy_from_slice(part),
            Payload::Own(bytes) => bytes.slice_ref(part),
        }
    }
}

/// A document where it was read to.
pub(super) struct ReadDocument<'a> {
    pub(super) lsn: u64,
    pub(super) payload: DocumentPayload<'a>,
    pub(super) is_assembly: bool,
    pub(super) judged: u64,
    pub(super) stale_since: Option<i64>,
    pub(super) bytes: &'a Payload<'a>,
}

impl ReadDocument<'_> {
    fn into_document(self) -> Document {
        Document {
            lsn: self.lsn,
            meta: self.bytes.keep(self.payload.meta),
            body_len: self.payload.body_len,
            inline: self.bytes.keep(self.payload.inline),
            fragments: self.payload.fragments,
            extents: self.payload.extents,
            is_assembly: self.is_assembly,
            judged: self.judged,
            stale_since: self.stale_since,
        }
    }
}

impl Stripe {
    /// The documents stored under the key, newest first. What cannot be read is forgotten: then also what is older,
    /// because it may have been replaced by what cannot be read.
    ///
    /// # Errors
    /// Read errors, if nothing newer was read before.
    pub fn documents(&self, key: StripeKey<'_>) -> Result<Vec<Document>, DiskError> {
        let mut documents = Vec::new();
        let take = |read: ReadDocument<'_>| documents.push(read.into_document());
        self.each_document(key, self.find(key), Patience::Waits, &mut [], take)?;
        Ok(documents)
    }

    /// Calls `take` for each of the documents at `found`, newest first. Those that fit are read into `scratch`.
    ///
    /// # Errors
    /// As [`Self::documents`].
    pub(super) fn each_document(
        &self,
        key: StripeKey<'_>,
        found: FoundList,
        patience: Patience,
        scratch: &mut [u8],
        mut take: impl FnMut(ReadDocument<'_>),
    ) -> Result<(), DiskError> {
        let mut has_any = false;
        for found in found {
            match self.document(key, found, patience, scratch, &mut take) {
                Ok(is_taken) => has_any |= is_taken,
                Err(DiskError::WouldWait) => return Err(DiskError::WouldWait),
                Err(DiskError::Gone) => self.forget_at(key, found.lsn),
                Err(error) => {
                    self.index.remove_before(key.hash, found.lsn + 1, self.window());
                    if !has_any {
                        return Err(error);
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// Gives the document at `found` to `take`; not if it is another key's, or parts of its body are gone or soon will
    /// be. Tells whether it did.
    fn document(
        &self,
        key: StripeKey<'_>,
        found: Found,
        patience: Patience,
        scratch: &mut [u8],
        take: &mut impl FnMut(ReadDocument<'_>),
    ) -> Result<bool, DiskError> {
        let (header, bytes) = self.record(found.lsn, found.blocks, patience, scratch)?;
        let is_assembly = match header.kind {
            Kind::Document => false,
            Kind::Assembly => true,
            _ => return Err(DiskError::Gone),
        };
        let mut payload = DocumentPayload::decode(header.kind, bytes.all()).ok_or_else(|| self.corrupt())?;
        if header.key != key.hash || payload.key != key.bytes {
            return Ok(false);
        }
        // It must not be overwritten while it is read.
        let margin = payload.body_len.min(self.geometry.log_len / 16);
        let window = self.window();
        let lasts = |at: &FragmentRef| window.left(at.lsn) >= margin.max(1);
        payload.extents.retain(|extent| lasts(&extent.at));
        if !payload.fragments.iter().all(lasts) || is_assembly && payload.extents.is_empty() {
            self.forget_at(key, found.lsn);
            return Ok(false);
        }
        let (judged, stale_since) = self.judged_of(found);
        take(ReadDocument { lsn: found.lsn, payload, is_assembly, judged, stale_since, bytes: &bytes });
        Ok(true)
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
        let blocks = super::record::blocks(at.len as usize);
        let (header, payload) = self.record(at.lsn, blocks, Patience::Waits, &mut [])?;
        let is_it = header.kind == Kind::Fragment && header.key == key && header.number == number;
        if is_it && header.len == at.len { Ok(payload.keep(payload.all())) } else { Err(DiskError::Gone) }
    }

    /// The record at `lsn`, with its payload, in `scratch` if it fits; at most `blocks` are thought to be needed.
    fn record<'b>(
        &self,
        lsn: u64,
        blocks: u64,
        patience: Patience,
        scratch: &'b mut [u8],
    ) -> Result<(RecordHeader, Payload<'b>), DiskError> {
        if self.is_offline() {
            return Err(DiskError::Offline);
        }
        if !self.window().holds(lsn) {
            return Err(DiskError::Gone);
        }
        let lap_left = self.geometry.log_len - lsn % self.geometry.log_len;
        let mut len = (blocks * BLOCK).min(lap_left);
        if let Some((room, _)) = scratch.split_at_mut_checked(len as usize) {
            let got = self.read_log(room, lsn, patience)?;
            let (header, end) = self.header_in(&room[..got], lsn)?;
            if end <= got {
                let payload = &room[HEADER_BYTES..end];
                self.verify(&header, payload)?;
                return Ok((header, Payload::Lent(payload)));
            }
            len = end as u64;
        }
        let mut bytes = self.bytes_at(lsn, len, patience)?;
        let (header, end) = self.header_in(&bytes, lsn)?;
        if bytes.len() < end {
            bytes = self.bytes_at(lsn, end as u64, patience)?;
        }
        if bytes.len() < end {
            return Err(DiskError::Gone);
        }
        bytes.truncate(end);
        let payload = Bytes::from(bytes).slice(HEADER_BYTES..);
        self.verify(&header, &payload)?;
        Ok((header, Payload::Own(payload)))
    }

    /// The header of the record at `lsn`, and where the record ends in `bytes`, which begin with it.
    fn header_in(&self, bytes: &[u8], lsn: u64) -> Result<(RecordHeader, usize), DiskError> {
        let lap_left = self.geometry.log_len - lsn % self.geometry.log_len;
        let Some(header) = RecordHeader::decode(bytes) else { return Err(self.not_as_written(lsn)) };
        let end = HEADER_BYTES + header.len as usize;
        if header.lsn != lsn || end as u64 > lap_left.min(self.options.buffer_bytes as u64) {
            return Err(self.not_as_written(lsn));
        }
        Ok((header, end))
    }

    fn verify(&self, header: &RecordHeader, payload: &[u8]) -> Result<(), DiskError> {
        let is_as_written = checksum(&[payload]) == header.checksum;
        if is_as_written { Ok(()) } else { Err(self.not_as_written(header.lsn)) }
    }

    /// At most `len` bytes of the log from the tail or the device.
    pub(super) fn bytes_at(&self, lsn: u64, len: u64, patience: Patience) -> Result<Vec<u8>, DiskError> {
        let mut bytes = vec![0; len as usize];
        let got = self.read_log(&mut bytes, lsn, patience)?;
        bytes.truncate(got);
        Ok(bytes)
    }

    /// Fills `buf` from the tail or the device, from `lsn` on; tells how many bytes there were.
    fn read_log(&self, buf: &mut [u8], lsn: u64, patience: Patience) -> Result<usize, DiskError> {
        {
            let tail = self.tail.read();
            if lsn >= tail.start {
                let rest = tail.bytes.get((lsn - tail.start) as usize..).ok_or(DiskError::Gone)?;
                let got = rest.len().min(buf.len());
                buf[..got].copy_from_slice(&rest[..got]);
                return Ok(got);
            }
        }
        let len = buf.len() as u64;
        if patience == Patience::Now && len > READ_NOW_BYTES {
            return Err(DiskError::WouldWait);
        }
        let offset = self.base + self.geometry.log_start + lsn % self.geometry.log_len;
        let read = match patience {
            Patience::Waits => self.device.read_at(buf, offset),
            Patience::Now if self.device.read_at_once(buf, offset) => Ok(()),
            Patience::Now => return Err(DiskError::WouldWait),
        };
        match read {
            Ok(()) => {
                self.succeeded();
                self.counters.bytes_read.fetch_add(len, Ordering::Relaxed);
                Ok(buf.len())
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
