//! A body that lies on the disk.
//!
//! Responsible for: which fragment holds which bytes, and reading one.
//! Not responsible for: reading ahead, ranges (the caller asks for fragments in the order it needs them).

use super::DiskError;
use super::record::FragmentRef;
use super::stripe::Stripe;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// The body of a large object, in fragments.
pub struct DiskBody {
    pub(super) stripe: Arc<Stripe>,
    key: u128,
    pub(super) fragments: Box<[FragmentRef]>,
    /// Where each fragment ends in the body.
    ends: Box<[u64]>,
}

impl DiskBody {
    pub(super) fn new(stripe: Arc<Stripe>, key: u128, fragments: Vec<FragmentRef>) -> DiskBody {
        let mut end = 0;
        let ends = fragments.iter().map(|fragment| {
            end += u64::from(fragment.len);
            end
        });
        let ends = ends.collect();
        DiskBody { stripe, key, fragments: fragments.into(), ends }
    }

    /// Bytes of the body.
    pub fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the fragments that hold bytes of `range`.
    pub fn fragments_of(&self, range: &Range<u64>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let first = self.ends.partition_point(|end| *end <= range.start);
        let last = self.ends.partition_point(|end| *end < range.end);
        first..self.ends.len().min(last + 1)
    }

    /// The bytes of `range` that fragment `number` holds. Reads the device.
    ///
    /// # Errors
    /// Read errors; `Gone` if newer objects lie there now; `Corrupt`.
    pub fn read(&self, number: usize, range: &Range<u64>) -> Result<Bytes, DiskError> {
        let (Some(at), Some(end)) = (self.fragments.get(number), self.ends.get(number)) else {
            return Err(DiskError::Gone);
        };
        let bytes = self.stripe.fragment(self.key, number as u32, *at)?;
        let start = end - u64::from(at.len);
        let from = range.start.clamp(start, *end) - start;
        let to = range.end.clamp(start, *end) - start;
        Ok(bytes.slice(from as usize..to.max(from) as usize))
    }

    /// Bytes of memory beside the struct itself.
    pub fn heap_bytes(&self) -> usize {
        self.fragments.len() * (size_of::<FragmentRef>() + size_of::<u64>())
    }
}

impl std::fmt::Debug for DiskBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskBody")
            .field("len", &self.len())
            .field("fragments", &self.fragments.len())
            .finish()
    }
}
