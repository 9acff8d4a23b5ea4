//! A stripe: an index and a cyclic log on one part of a device.
//!
//! Responsible for: what a stripe is made of, its counters, looking up and removing in memory, syncing the index.
//! Not responsible for: records going out (`append`) and coming in (`read`), opening (`recover`), which stripe a key
//! belongs to (`store`).
//! Invariants: everything that touches the device is called on threads that may block; a look-up touches memory only.
//!
//! Locks, in the order in which they are taken: `syncing`, `order` (one appender or flusher; it only tries `syncing`),
//! `tail` (the bytes not yet written), a segment of the index. None is held while a caller's code runs, apart from `order` and `tail`
//! during writes to the device.

use super::device::Device;
use super::index::{FoundList, Index, Window};
use super::layout::{Geometry, IndexPage, Judged};
use super::pins::Pins;
use super::{DiskError, StripeOptions};
use parking_lot::{Mutex, RwLock};
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use twox_hash::{XxHash3_64, XxHash3_128};

/// Stamps that purges leave; a power of two.
const STAMPS: usize = 256;

/// A key as stripes know it.
#[derive(Clone, Copy, Debug)]
pub struct StripeKey<'a> {
    pub(super) hash: u128,
    pub(super) bytes: &'a [u8],
}

/// The bytes of the log that are not on the device yet.
pub(super) struct Tail {
    /// Position of the first.
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
}

/// What only one thread at a time does.
#[derive(Default)]
pub(super) struct Order {
    /// Documents in the tail.
    pub(super) unwritten: Vec<(u128, u64)>,
    /// The lap that the index has been swept for.
    pub(super) lap: u64,
}

/// What is known of the last sync.
#[derive(Debug)]
pub(super) struct Synced {
    pub(super) serial: u64,
    pub(super) lsn: u64,
    /// That of the copy before.
    pub(super) lsn_before: u64,
    /// What the copy says of purges.
    pub(super) judged: Judged,
}

/// Taken before an object is written; shows whether it may still be published.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    pub(super) losses: u64,
    pub(super) stamp: u64,
}

/// Counters of a stripe, since it was opened.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) documents_written: AtomicU64,
    pub(super) bytes_written: AtomicU64,
    pub(super) bytes_read: AtomicU64,
    pub(super) read_errors: AtomicU64,
    pub(super) write_errors: AtomicU64,
    pub(super) corrupt: AtomicU64,
    pub(super) laps: AtomicU64,
}

/// One part of a device.
pub struct Stripe {
    pub(super) device: Arc<dyn Device>,
    /// Where the stripe begins on the device.
    pub(super) base: u64,
    pub(super) options: StripeOptions,
    pub(super) geometry: Geometry,
    pub(super) seed: u64,
    pub(super) epoch: u32,
    pub(super) index: Index,
    pub(super) order: Mutex<Order>,
    pub(super) tail: RwLock<Tail>,
    /// Where the next record goes.
    pub(super) frontier: AtomicU64,
    /// Times that a tail was lost to a write error.
    pub(super) losses: AtomicU64,
    pub(super) errors_in_a_row: AtomicU32,
    pub(super) offline: AtomicBool,
    pub(super) syncing: Mutex<Synced>,
    /// What `syncing` says of both copies, for those who only look.
    pub(super) synced: AtomicU64,
    pub(super) synced_before: AtomicU64,
    /// What has been judged by which purges.
    pub(super) judged: RwLock<Judged>,
    /// Up to which purge everything has been judged, whichever copy of the index the next start finds.
    pub(super) judged_for_good: AtomicU64,
    pub(super) stamps: Box<[AtomicU64]>,
    pub(super) counters: Counters,
    pub(super) pins: Pins,
}

impl Stripe {
    pub(super) fn assemble(
        device: Arc<dyn Device>,
        base: u64,
        options: StripeOptions,
        geometry: Geometry,
        seed: u64,
        epoch: u32,
    ) -> Stripe {
        Stripe {
            device,
            base,
            geometry,
            seed,
            epoch,
            index: Index::new(geometry.segments, geometry.buckets_per_segment),
            order: Mutex::default(),
            tail: RwLock::new(Tail { start: 0, bytes: Vec::with_capacity(options.buffer_bytes + 4096) }),
            frontier: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            errors_in_a_row: AtomicU32::new(0),
            offline: AtomicBool::new(false),
            syncing: Mutex::new(Synced { serial: 0, lsn: 0, lsn_before: 0, judged: Judged::default() }),
            synced: AtomicU64::new(0),
            synced_before: AtomicU64::new(0),
            judged: RwLock::default(),
            judged_for_good: AtomicU64::new(0),
            stamps: std::iter::repeat_with(|| AtomicU64::new(0)).take(STAMPS).collect(),
            counters: Counters::default(),
            pins: Pins::default(),
            options,
        }
    }

    /// The key whose bytes are `bytes`.
    pub fn key<'a>(&self, bytes: &'a [u8]) -> StripeKey<'a> {
        StripeKey { hash: XxHash3_128::oneshot_with_seed(self.seed, bytes), bytes }
    }

    pub(super) fn window(&self) -> Window {
        Window { lap: self.geometry.log_len, frontier: self.frontier.load(Ordering::Acquire) }
    }

    /// Where documents of the key may be. Memory only.
    pub(super) fn find(&self, key: StripeKey<'_>) -> FoundList {
        if self.is_offline() { FoundList::new() } else { self.index.find(key.hash, self.window()) }
    }

    /// Whether something may be stored under the key. Memory only; seldom wrong when it says yes.
    pub fn may_have(&self, key: StripeKey<'_>) -> bool {
        !self.find(key).is_empty()
    }

    /// Begins to write an object.
    pub fn ticket(&self, key: StripeKey<'_>) -> Ticket {
        Ticket {
            losses: self.losses.load(Ordering::Acquire),
            stamp: self.stamp(key.hash).load(Ordering::Acquire),
        }
    }

    /// Makes what is stored under the key unreachable, and what is being written under it, too. Memory only: it comes
    /// back after a crash unless [`Self::write_tombstone`] follows. Tells how many documents there were.
    pub fn forget(&self, key: StripeKey<'_>) -> usize {
        self.stamp_anew(key);
        let window = self.window();
        self.index.remove_before(key.hash, window.frontier, window)
    }

    /// Spoils what is being written under the key.
    pub(super) fn stamp_anew(&self, key: StripeKey<'_>) {
        self.stamp(key.hash).fetch_add(1, Ordering::AcqRel);
    }

    /// Changes with each [`Self::forget`] of the key (and sometimes of others).
    pub(super) fn removals(&self, key: StripeKey<'_>) -> u64 {
        self.stamp(key.hash).load(Ordering::Acquire)
    }

    /// Forgets one document that turned out not to be readable.
    pub(super) fn forget_at(&self, key: StripeKey<'_>, lsn: u64) {
        self.index.remove_at(key.hash, lsn, self.window());
    }

    pub(super) fn stamp(&self, hash: u128) -> &AtomicU64 {
        &self.stamps[hash as usize % STAMPS]
    }

    /// Whether the stripe was given up after too many errors.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Relaxed)
    }

    /// Counts an error of the device; too many in a row and the stripe is given up.
    pub(super) fn failed(&self) {
        let errors = self.errors_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if self.options.max_errors > 0 && errors >= self.options.max_errors {
            self.offline.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn succeeded(&self) {
        self.errors_in_a_row.store(0, Ordering::Relaxed);
    }

    /// Bytes of log written since the index was last synced.
    pub fn unsynced_bytes(&self) -> u64 {
        self.window().frontier.saturating_sub(self.synced.load(Ordering::Acquire))
    }

    /// Writes what is in the buffer, then the index, beside the copy before.
    ///
    /// # Errors
    /// Write errors; the copy before stays good.
    pub fn sync(&self) -> Result<(), DiskError> {
        let mut synced = self.syncing.lock();
        let lsn = self.flush()?;
        self.sync_index(&mut synced, lsn)
    }

    /// Writes a copy of the index to which the log up to `lsn` belongs.
    pub(super) fn sync_index(&self, synced: &mut Synced, lsn: u64) -> Result<(), DiskError> {
        self.sync_device()?;
        let serial = synced.serial + 1;
        // What will be replayed from `lsn` on must not count as judged.
        let judged = Some(*self.judged.read()).filter(|judged| judged.lsn <= lsn).unwrap_or(synced.judged);
        self.write_index(serial, lsn, judged)?;
        self.sync_device()?;
        let judged_before = synced.judged.number;
        self.has_synced(synced, Synced { serial, lsn, lsn_before: synced.lsn, judged });
        self.judged_for_good.store(judged.number.min(judged_before), Ordering::Release);
        Ok(())
    }

    /// Whether syncing would let more purges be forgotten.
    pub(super) fn has_unsynced_judgement(&self) -> bool {
        self.judged.read().number > self.judged_for_good.load(Ordering::Acquire)
    }

    pub(super) fn has_synced(&self, synced: &mut Synced, now: Synced) {
        self.synced_before.store(now.lsn_before, Ordering::Release);
        self.synced.store(now.lsn, Ordering::Release);
        *synced = now;
    }

    fn write_index(&self, serial: u64, lsn: u64, judged: Judged) -> Result<(), DiskError> {
        let start = self.geometry.index_start(serial);
        let mut page = IndexPage { serial, lsn, epoch: self.epoch, checksum: 0, judged };
        self.write_device(&page.encode(), start)?;
        let mut at = start + super::layout::PAGE;
        let mut hasher = XxHash3_64::new();
        let mut places = Vec::with_capacity(self.index.segment_bytes());
        for segment in 0..self.index.segments() {
            places.clear();
            self.index.write_segment(segment, &mut places);
            hasher.write(&places);
            self.write_device(&places, at)?;
            at += places.len() as u64;
        }
        page.checksum = hasher.finish();
        self.write_device(&page.encode(), start + self.geometry.index_len - super::layout::PAGE)
    }

    pub(super) fn sync_device(&self) -> Result<(), DiskError> {
        self.device.sync().map_err(|error| self.write_failed(error))
    }

    pub(super) fn write_device(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.device.write_at(bytes, self.base + offset).map_err(|error| self.write_failed(error))?;
        self.succeeded();
        Ok(())
    }

    fn write_failed(&self, error: std::io::Error) -> DiskError {
        self.counters.write_errors.fetch_add(1, Ordering::Relaxed);
        self.failed();
        DiskError::Write(error)
    }
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe").field("geometry", &self.geometry).field("counters", &self.counters).finish()
    }
}
