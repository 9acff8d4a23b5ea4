//! Pinned objects are written ahead of the log's head before it reaches them, for as long as they are pinned.
//!
//! Responsible for: finding them in time, how much of a stripe they may take.
//! Not responsible for: who may pin (the records), writing anew (`evacuate`), other objects that are in use.
//! Invariants: what was purged, replaced or made stale meanwhile stays so; a stripe without pinned objects costs one
//! load for each object that is written.
//!
//! The index knows of each place whether it is pinned, not for how long: that says the object's header. A walk through
//! the index finds those that come next, 32 times in a lap.

use super::DiskError;
use super::index::Met;
use super::read::Patience;
use super::sought::located;
use super::stripe::Stripe;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A walk begins when so much of a lap was written since the last one began.
const WALKS_PER_LAP: u64 = 32;
/// What is nearer to its end than such a part of a lap is written anew.
const NEAR_PARTS: u64 = 8;
/// LIMIT: the part of a stripe that may be taken by pinned objects that are written anew.
const PINNED_PARTS: u64 = 10;
/// For each so many bytes of log one byte of a pinned object may be written anew: in the seven eighths of a lap after
/// which they all come near their end again, about all that may be pinned.
const BYTES_PER_PINNED: u64 = 9;

/// What a stripe knows of its pinned objects.
#[derive(Debug, Default)]
pub(super) struct Pins {
    walk: Mutex<Walk>,
    /// Where the log's head was when the last walk began.
    walked_at: AtomicU64,
    /// The latest time that was heard of, seconds since 1970.
    now: AtomicI64,
    pub(super) kept: AtomicU64,
    pub(super) lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Walk {
    /// Where the log's head was.
    at: u64,
    /// Bytes that may be written anew.
    room: u64,
}

impl Pins {
    /// Says how late it is at least.
    pub(super) fn tell_time(&self, now: i64) {
        self.now.fetch_max(now, Ordering::Relaxed);
    }
}

impl Stripe {
    /// To be called after writing: writes pinned objects anew that would be overwritten soon. Blocks.
    ///
    /// # Errors
    /// Write errors: pinned objects may be lost.
    pub(super) fn keep_pinned(self: &Arc<Self>) -> Result<(), DiskError> {
        while self.index.has_pinned() && self.is_walk_due() {
            // Whoever is at it does it for this thread, too.
            let Some(mut walk) = self.pins.walk.try_lock() else { return Ok(()) };
            if self.is_offline() {
                return Ok(());
            }
            self.walk_pinned(&mut walk)?;
        }
        Ok(())
    }

    fn is_walk_due(&self) -> bool {
        let step = self.geometry.log_len / WALKS_PER_LAP;
        self.window().frontier.saturating_sub(self.pins.walked_at.load(Ordering::Acquire)) >= step
    }

    fn walk_pinned(self: &Arc<Self>, walk: &mut Walk) -> Result<(), DiskError> {
        let window = self.window();
        self.pins.walked_at.store(window.frontier, Ordering::Release);
        let earned = window.frontier.saturating_sub(walk.at) / BYTES_PER_PINNED;
        let room = walk.room.saturating_add(earned).min(self.geometry.log_len / PINNED_PARTS);
        *walk = Walk { at: window.frontier, room };
        let near = self.index.pinned_before_end(window, self.geometry.log_len / NEAR_PARTS);
        for met in near {
            match self.keep(&met, walk) {
                // It went meanwhile, or cannot be read.
                Ok(()) | Err(DiskError::Superseded | DiskError::Gone | DiskError::Corrupt) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn keep(self: &Arc<Self>, met: &Met, walk: &mut Walk) -> Result<(), DiskError> {
        let (key, head) = self.head_of(met)?;
        if head.pinned_until().is_none_or(|until| until <= self.pins.now.load(Ordering::Relaxed)) {
            // What is not pinned any more need not be looked at again.
            self.index.unpin(met, self.window());
            return Ok(());
        }
        let stripe_key = self.key(key.as_bytes());
        let ticket = self.ticket(stripe_key);
        let lsn = met.found.lsn;
        let stored = located(self, &key, Patience::Waits)?;
        let Some((_, object)) = stored.into_iter().find(|(at, _)| *at == lsn) else { return Ok(()) };
        let bytes = object.body().len() + object.head().fields().parts().1.len() as u64;
        if bytes > walk.room {
            self.pins.lost.fetch_add(1, Ordering::Relaxed);
            self.index.unpin(met, self.window());
            return Ok(());
        }
        self.move_ahead(stripe_key, ticket, lsn, &object)?;
        walk.room -= bytes;
        self.pins.kept.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
