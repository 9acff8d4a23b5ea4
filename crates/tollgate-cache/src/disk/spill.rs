//! The written bytes of an object that is still being written.
//!
//! Responsible for: which fragment has which bytes so far, reading them while the object grows.
//! Not responsible for: who reads (`fill`), writing (`writer`).
//! Invariants: bytes are told of only when they can be read; what was lost with a buffer is not read.

use super::DiskError;
use super::extent::{Extent, in_a_row};
use super::record::FragmentRef;
use super::stripe::{Stripe, Ticket};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;

/// The fragments of an object so far.
pub struct Spill {
    stripe: Arc<Stripe>,
    key: u128,
    ticket: Ticket,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    fragments: Vec<FragmentRef>,
    /// Where each ends.
    ends: Vec<u64>,
}

impl Spill {
    pub(super) fn new(stripe: &Arc<Stripe>, key: u128, ticket: Ticket) -> Arc<Spill> {
        Arc::new(Spill { stripe: Arc::clone(stripe), key, ticket, written: Mutex::default() })
    }

    pub(super) fn push(&self, at: FragmentRef) {
        let mut written = self.written.lock();
        let end = written.ends.last().copied().unwrap_or(0) + u64::from(at.len);
        written.fragments.push(at);
        written.ends.push(end);
    }

    /// How many fragments there are.
    pub(super) fn count(&self) -> usize {
        self.written.lock().fragments.len()
    }

    pub(super) fn fragments(&self) -> Vec<FragmentRef> {
        self.written.lock().fragments.clone()
    }

    /// The fragments as part of a body, from its byte `first` on.
    pub(super) fn extents(&self, first: u64) -> Vec<Extent> {
        in_a_row(&self.written.lock().fragments, first)
    }

    /// Bytes written.
    pub fn len(&self) -> u64 {
        self.written.lock().ends.last().copied().unwrap_or(0)
    }

    /// Whether nothing is written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether what comes next will not overwrite the first bytes before somebody can have read them.
    pub fn is_lasting(&self) -> bool {
        let first = self.written.lock().fragments.first().copied();
        let lap = self.stripe.geometry.log_len;
        first.is_none_or(|first| self.stripe.window().left(first.lsn) > lap / 4)
    }

    /// The bytes from `position` on that lie in one fragment; `None` if they are not written.
    pub fn piece_at(self: &Arc<Spill>, position: u64) -> Option<SpilledPiece> {
        let written = self.written.lock();
        let number = written.ends.partition_point(|end| *end <= position);
        let (at, end) = (*written.fragments.get(number)?, *written.ends.get(number)?);
        let skip = u64::from(at.len) - (end - position);
        Some(SpilledPiece { spill: Arc::clone(self), at, number: number as u32, skip: skip as usize })
    }
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").field("len", &self.len()).finish()
    }
}

/// Bytes on the disk.
#[derive(Clone, Debug)]
pub struct SpilledPiece {
    spill: Arc<Spill>,
    at: FragmentRef,
    number: u32,
    skip: usize,
}

impl SpilledPiece {
    /// How many bytes.
    pub fn len(&self) -> u64 {
        u64::from(self.at.len) - self.skip as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads them. Blocks.
    ///
    /// # Errors
    /// Read errors; `Gone` if they were lost or overwritten; `Corrupt`.
    pub fn read(&self) -> Result<Bytes, DiskError> {
        let spill = &self.spill;
        let bytes = spill.stripe.fragment(spill.key, self.number, self.at)?;
        // Positions of a lost buffer are given out again.
        if spill.stripe.losses() != spill.ticket.losses {
            return Err(DiskError::Gone);
        }
        Ok(bytes.slice(self.skip..))
    }
}
