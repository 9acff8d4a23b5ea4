//! Opening a stripe: what was there before, and what of it counts.
//!
//! Responsible for: superblocks, choosing the copy of the index, replaying the log from where that copy was made.
//! Invariants: nothing is taken from a device that belongs to somebody else; the log ends at the first record that
//! does not check, and what was written after it never comes back: the next records carry a higher epoch. The log
//! has never passed the position of either copy of the index by a lap (`append` sees to that), so that what is found
//! at that position is of the same lap.

use super::device::Device;
use super::index::Window;
use super::layout::{Geometry, IndexPage, Judged, PAGE, Superblock};
use super::record::{BLOCK, DocumentPayload, HEADER_BYTES, Kind, RecordHeader, checksum};
use super::stripe::{Stripe, Synced};
use super::{DiskError, StripeOptions};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use twox_hash::XxHash3_64;

/// How a stripe was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The device was empty.
    New,
    /// With its objects.
    Warm,
    /// Its size, settings or format have changed: it begins empty.
    Resized,
    /// Its superblocks or both copies of its index are damaged: it begins empty.
    Damaged,
}

/// What opening a stripe has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// How the stripe was found.
    pub found: Found,
    /// Places of the index in use.
    pub documents: u64,
    /// Bytes of log that were replayed.
    pub replayed_bytes: u64,
}

impl Stripe {
    /// Opens the stripe of `len` bytes at `base`. A new one is given `seed`, which should be unpredictable.
    ///
    /// # Errors
    /// `Foreign` if the device holds something else; `TooSmall`; read and write errors.
    pub fn open(
        device: Arc<dyn Device>,
        base: u64,
        len: u64,
        options: StripeOptions,
        seed: u64,
    ) -> Result<(Stripe, Opened), DiskError> {
        let geometry = Geometry::of(len, &options)?;
        let read = |offset: u64| {
            let mut page = vec![0; PAGE as usize];
            device.read_at(&mut page, base + offset).map(|()| page).map_err(DiskError::Read)
        };
        let pages = [read(0)?, read(PAGE)?];
        let newest = pages.iter().filter_map(|page| Superblock::decode(page)).max_by_key(|s| s.epoch);
        let found = match &newest {
            Some(superblock) if superblock.geometry == geometry => Found::Warm,
            Some(_) => Found::Resized,
            None if !pages.iter().all(|page| Superblock::may_be_overwritten(page)) => {
                return Err(DiskError::Foreign);
            }
            None if pages.iter().flatten().all(|byte| *byte == 0) => Found::New,
            None if pages.iter().any(|page| Superblock::is_of_another_version(page)) => Found::Resized,
            None => Found::Damaged,
        };
        let epoch = newest.map_or(0, |s| s.epoch);
        let seed = newest.filter(|_| found == Found::Warm).map_or(seed, |s| s.seed);
        let mut stripe = Stripe::assemble(device, base, options, geometry, seed, epoch);
        let opened = stripe.recover(found)?;
        Ok((stripe, opened))
    }

    fn recover(&mut self, mut found: Found) -> Result<Opened, DiskError> {
        let start = match found {
            Found::Warm => self.load_index(),
            _ => None,
        };
        let mut replayed_bytes = 0;
        match start {
            Some(page) => {
                let end = self.replay(page);
                replayed_bytes = end - page.lsn;
                let IndexPage { serial, lsn, judged, .. } = page;
                self.begin_at(end, Synced { serial, lsn, lsn_before: lsn, judged });
            }
            None => {
                if found == Found::Warm {
                    found = Found::Damaged;
                }
                self.index.clear();
                let headers = [0, 1].map(|copy| self.index_header(copy));
                let serial = headers.iter().flatten().map(|page| page.serial).max().unwrap_or(0);
                let epoch = headers.iter().flatten().map(|page| page.epoch).max().unwrap_or(0);
                self.epoch = self.epoch.max(epoch);
                // Positions begin with the second lap: there is always one before.
                let lsn = self.geometry.log_len;
                self.begin_at(lsn, Synced { serial, lsn, lsn_before: lsn, judged: Judged::default() });
            }
        }
        self.epoch = self.epoch.wrapping_add(1);
        let superblock = Superblock { geometry: self.geometry, epoch: self.epoch, seed: self.seed };
        self.write_device(&superblock.encode(), u64::from(self.epoch % 2) * PAGE)?;
        self.sync_device()?;
        self.note_opened()?;
        if found != Found::Warm {
            self.sync()?;
        }
        Ok(Opened { found, documents: self.index.used(), replayed_bytes })
    }

    fn begin_at(&mut self, lsn: u64, synced: Synced) {
        *self.judged.get_mut() = synced.judged;
        *self.judged_for_good.get_mut() = synced.judged.number;
        self.has_synced(&mut self.syncing.lock(), synced);
        self.frontier.store(lsn, Ordering::Release);
        self.tail.get_mut().start = lsn;
        self.order.get_mut().lap = lsn / self.geometry.log_len;
        self.index.sweep(self.window());
    }

    fn index_header(&self, copy: u64) -> Option<IndexPage> {
        let page = self.read_area(self.geometry.index_start(copy), PAGE as usize)?;
        IndexPage::decode(&page)
    }

    fn read_area(&self, offset: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.device.read_at(&mut bytes, self.base + offset).ok()?;
        Some(bytes)
    }

    /// Loads the newest copy of the index that is whole.
    fn load_index(&self) -> Option<IndexPage> {
        let mut copies: Vec<(u64, IndexPage)> =
            [0, 1].into_iter().filter_map(|copy| Some((copy, self.index_header(copy)?))).collect();
        copies.sort_by_key(|(_, page)| std::cmp::Reverse(page.serial));
        copies.into_iter().find_map(|(copy, header)| self.load_copy(copy, header))
    }

    fn load_copy(&self, copy: u64, header: IndexPage) -> Option<IndexPage> {
        use std::hash::Hasher;
        self.index.clear();
        let start = self.geometry.index_start(copy);
        let footer = self.read_area(start + self.geometry.index_len - PAGE, PAGE as usize)?;
        let footer = IndexPage::decode(&footer)?;
        if (footer.serial, footer.lsn) != (header.serial, header.lsn) || !header.lsn.is_multiple_of(BLOCK) {
            return None;
        }
        let mut hasher = XxHash3_64::new();
        let mut at = start + PAGE;
        for segment in 0..self.index.segments() {
            let places = self.read_area(at, self.index.segment_bytes())?;
            hasher.write(&places);
            self.index.read_segment(segment, &places);
            at += places.len() as u64;
        }
        let is_whole = hasher.finish() == footer.checksum && header.lsn >= self.geometry.log_len;
        is_whole.then_some(header)
    }

    /// Brings the index from the state of `page` to the end of the log; tells where that is.
    fn replay(&mut self, page: IndexPage) -> u64 {
        let lap = self.geometry.log_len;
        let chunk_bytes = self.options.buffer_bytes.max(1 << 20) as u64;
        let mut epoch = page.epoch;
        let (mut lsn, mut chunk, mut chunk_lsn) = (page.lsn, Bytes::new(), page.lsn);
        // More than a lap cannot be there, whatever the records say.
        while lsn - page.lsn <= lap {
            let record = match record_in(&chunk, lsn - chunk_lsn) {
                Some(record) => Some(record),
                None => {
                    let len = chunk_bytes.min(lap - lsn % lap);
                    chunk = self
                        .read_area(self.geometry.log_start + lsn % lap, len as usize)
                        .unwrap_or_default()
                        .into();
                    chunk_lsn = lsn;
                    record_in(&chunk, 0)
                }
            };
            let Some((header, payload)) = record.filter(|(h, _)| h.lsn == lsn && h.epoch >= epoch) else {
                break;
            };
            epoch = header.epoch;
            let next = match header.kind {
                Kind::Pad => (lsn / lap + 1) * lap,
                _ => lsn + header.blocks() * BLOCK,
            };
            let window = Window { lap, frontier: next };
            match header.kind {
                Kind::Document | Kind::Assembly => self.replay_document(&header, &payload, window),
                Kind::Tombstone => {
                    self.index.remove_before(header.key, lsn, window);
                }
                Kind::Fragment | Kind::Pad | Kind::Opened => {}
            }
            if next / lap != lsn / lap {
                self.index.sweep(window);
            }
            lsn = next;
        }
        self.epoch = self.epoch.max(epoch);
        lsn
    }

    fn replay_document(&self, header: &RecordHeader, payload: &[u8], window: Window) {
        let Some(document) = DocumentPayload::decode(header.kind, payload) else { return };
        for replaced in document.replaces {
            self.index.remove_at(header.key, replaced, window);
        }
        self.index.insert(header.key, header.lsn, header.blocks(), header.is_pinned, window);
    }
}

/// The record at `offset` of a piece of log, if it is there whole and checks.
fn record_in(chunk: &Bytes, offset: u64) -> Option<(RecordHeader, Bytes)> {
    let rest = chunk.get(usize::try_from(offset).ok()?..)?;
    let header = RecordHeader::decode(rest)?;
    let payload = rest.get(HEADER_BYTES..HEADER_BYTES + header.len as usize)?;
    (checksum(&[payload]) == header.checksum).then(|| (header, chunk.slice_ref(payload)))
}
