//! A body that lies on the disk.
//!
//! Responsible for: which fragment holds which bytes, which bytes are there at all, reading.
//! Not responsible for: reading ahead, ranges (the caller asks for fragments in the order it needs them).

use super::DiskError;
use super::append::NewBody;
use super::extent::{self, Extent, holes};
use super::stripe::Stripe;
use crate::range::Ranges;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// The body of a large object, in fragments; some may be missing.
pub struct DiskBody {
    pub(super) stripe: Arc<Stripe>,
    key: u128,
    /// Position of the document.
    lsn: u64,
    /// [`Stripe::losses`] before the document was read.
    pub(super) losses: u64,
    pub(super) extents: Box<[Extent]>,
    /// Bytes of the whole.
    complete: u64,
    /// Whether they were written one after the other, for this object.
    is_in_a_row: bool,
}

/// What a body on the disk is made of.
pub(super) struct Parts {
    pub(super) key: u128,
    pub(super) lsn: u64,
    pub(super) losses: u64,
    pub(super) extents: Vec<Extent>,
    pub(super) complete: u64,
    pub(super) is_in_a_row: bool,
}

impl DiskBody {
    pub(super) fn new(stripe: Arc<Stripe>, parts: Parts) -> DiskBody {
        let Parts { key, lsn, losses, extents, complete, is_in_a_row } = parts;
        DiskBody { stripe, key, lsn, losses, extents: extents.into(), complete, is_in_a_row }
    }

    /// Bytes of the whole body, whether they are there or not.
    pub fn len(&self) -> u64 {
        self.complete
    }

    /// Whether the whole has no byte.
    pub fn is_empty(&self) -> bool {
        self.complete == 0
    }

    /// The bytes that are there.
    pub fn held(&self) -> Ranges {
        extent::held(&self.extents)
    }

    /// The bytes of `wanted` that are missing.
    pub fn missing(&self, wanted: Range<u64>) -> Ranges {
        holes(self.extents.iter().map(Extent::range), wanted)
    }

    /// Positions of the fragments.
    pub(super) fn positions(&self) -> impl Iterator<Item = u64> {
        self.extents.iter().map(|extent| extent.at.lsn)
    }

    /// The same body for another document.
    pub(super) fn as_new(&self) -> NewBody<'_> {
        NewBody::Assembled { extents: &self.extents, complete: self.complete }
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.is_in_a_row || extent::are_complete(&self.extents, self.complete)
    }

    /// The numbers of the fragments that hold bytes of `range`.
    pub fn fragments_of(&self, range: &Range<u64>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let first = self.extents.partition_point(|extent| extent.range().end <= range.start);
        let behind = self.extents.partition_point(|extent| extent.start < range.end);
        first..behind.max(first)
    }

    /// The bytes of `range` that fragment `number` holds. Reads the device. What cannot be read has the object forgotten.
    ///
    /// # Errors
    /// Read errors; `Gone` if newer objects lie there now; `Corrupt`.
    pub fn read(&self, number: usize, range: &Range<u64>) -> Result<Bytes, DiskError> {
        let extent = self.extents.get(number).ok_or(DiskError::Gone)?;
        let bytes = self.stripe.fragment(self.key, extent.number, extent.at);
        let bytes = bytes.inspect_err(|_| self.forget())?;
        let own = extent.range();
        let from = range.start.clamp(own.start, own.end) - own.start;
        let to = range.end.clamp(own.start, own.end) - own.start;
        let skip = u64::from(extent.skip);
        Ok(bytes.slice((skip + from) as usize..(skip + to.max(from)) as usize))
    }

    /// Has the object not be found any more: it turned out to be out of date, or damaged. Memory only: after a crash it
    /// may be found, and found out, again.
    pub fn forget(&self) {
        self.stripe.index.remove_at(self.key, self.lsn, self.stripe.window());
    }

    /// Bytes of memory beside the struct itself.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.extents)
    }
}

impl std::fmt::Debug for DiskBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskBody").field("len", &self.len()).field("fragments", &self.extents.len()).finish()
    }
}
