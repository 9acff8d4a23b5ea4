//! The index of a stripe: where in the log the documents of a key may be.
//!
//! Responsible for: eight bytes of memory per place, found by the key's hash; which places still count.
//! Not responsible for: whether a document is really that key's: the reader compares the whole key.
//! Invariants: a place whose part of the log has been given to new records is never found; a full pair of buckets
//! loses its oldest place, never the newest.
//!
//! A place is a `u64`: position in blocks (32 bits), whether it is pinned (1), tag out of the key's hash (19), whether and
//! since when it is stale (2, see `scan`), size class (8), the parity of the log's lap (1), used (1). A key belongs to one segment, and there to two buckets of eight places.

use super::record::BLOCK;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Places of a bucket.
const BUCKET: usize = 8;
/// Bytes of a place.
pub(super) const PLACE_BYTES: u64 = 8;
const TAG_BITS: u32 = 19;
const TAG_SHIFT: u32 = 12;
const STALE_SHIFT: u32 = 10;
const PINNED: u64 = 1 << 31;

/// The part of the log that counts: what was written less than one lap ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Bytes of a lap.
    pub(super) lap: u64,
    /// Where the next record goes.
    pub(super) frontier: u64,
}

impl Window {
    /// Whether what was written at `lsn` has not been given to new records.
    pub(super) fn holds(&self, lsn: u64) -> bool {
        lsn < self.frontier && lsn.saturating_add(self.lap) >= self.frontier
    }

    /// Bytes that may be written until what is at `lsn` goes.
    pub(super) fn left(&self, lsn: u64) -> u64 {
        if self.holds(lsn) { lsn + self.lap - self.frontier } else { 0 }
    }

    /// Where a place points to, if that still counts.
    fn lsn_of(&self, place: Place) -> Option<u64> {
        let lap = self.frontier / self.lap;
        let is_this_lap = place.parity() == (lap & 1 == 1);
        let lap = if is_this_lap { lap } else { lap.checked_sub(1)? };
        let lsn = lap * self.lap + place.block() * BLOCK;
        self.holds(lsn).then_some(lsn)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(u64);

impl Place {
    const FREE: Place = Place(0);

    fn new(lsn: u64, lap: u64, tag: u64, class: u8) -> Place {
        let block = (lsn % lap) / BLOCK;
        let parity = (lsn / lap) & 1;
        Place(block << 32 | tag << TAG_SHIFT | u64::from(class) << 2 | parity << 1 | 1)
    }

    fn is_used(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether it is used, by a key with this tag.
    fn is_used_for(self, tag: u64) -> bool {
        self.0 & (((1 << TAG_BITS) - 1) << TAG_SHIFT | 1) == tag << TAG_SHIFT | 1
    }

    fn parity(self) -> bool {
        self.0 & 2 != 0
    }

    fn class(self) -> u8 {
        (self.0 >> 2) as u8
    }

    fn stale(self) -> u8 {
        (self.0 >> STALE_SHIFT) as u8 & 3
    }

    fn with_stale(self, class: u8) -> Place {
        Place(self.0 & !(3 << STALE_SHIFT) | u64::from(class & 3) << STALE_SHIFT)
    }

    fn is_pinned(self) -> bool {
        self.0 & PINNED != 0
    }

    fn pinned(self, is_pinned: bool) -> Place {
        if is_pinned { Place(self.0 | PINNED) } else { self }
    }

    fn block(self) -> u64 {
        self.0 >> 32
    }
}

/// Sizes in steps of a sixteenth: 4 bits of exponent, 4 of mantissa. Never less than the size.
fn class_of(blocks: u64) -> u8 {
    let blocks = blocks.clamp(1, blocks_of(u8::MAX));
    let exponent = blocks.ilog2();
    let mantissa = (blocks * 16).div_ceil(1 << exponent) - 16;
    // A mantissa of 16 is the next exponent.
    u8::try_from(u64::from(exponent << 4) + mantissa).unwrap_or(u8::MAX)
}

fn blocks_of(class: u8) -> u64 {
    ((16 + u64::from(class & 15)) << (class >> 4)).div_ceil(16)
}

/// Where a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) lsn: u64,
    /// At least the blocks of the record.
    pub(super) blocks: u64,
    /// Which of the stripe's times it is stale since; 0: it is not.
    pub(super) stale: u8,
}

/// A place met in a walk through the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    segment: usize,
    slot: usize,
    pub(super) found: Found,
}

/// What was found, newest first.
pub(super) type FoundList = SmallVec<[Found; 4]>;

/// The buckets and the tag of a key.
struct Spot {
    segment: usize,
    buckets: [usize; 2],
    tag: u64,
}

/// The index.
pub(super) struct Index {
    segments: Box<[Mutex<Box<[Place]>>]>,
    buckets_per_segment: usize,
    used: AtomicU64,
    /// Whether places may be pinned.
    has_pinned: AtomicBool,
}

impl Index {
    /// An index without places in use.
    pub(super) fn new(segments: usize, buckets_per_segment: usize) -> Index {
        let segment = || Mutex::new(vec![Place::FREE; buckets_per_segment * BUCKET].into_boxed_slice());
        Index {
            segments: std::iter::repeat_with(segment).take(segments).collect(),
            buckets_per_segment,
            used: AtomicU64::new(0),
            has_pinned: AtomicBool::new(false),
        }
    }

    /// Segments and buckets of each for that many places.
    pub(super) fn shape(places: u64) -> (usize, usize) {
        let buckets = usize::try_from(places.div_ceil(BUCKET as u64)).unwrap_or(usize::MAX).max(2);
        let segments = (buckets / 64).clamp(1, 64);
        (segments, buckets.div_ceil(segments))
    }

    /// Places in use.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> u64 {
        (self.segments.len() * self.buckets_per_segment * BUCKET) as u64 * PLACE_BYTES
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    fn spot(&self, key: u128) -> Spot {
        let (high, low) = ((key >> 64) as u64, key as u64);
        let part = |bits: u64, of: usize| (((bits & 0xffff_ffff) * of as u64) >> 32) as usize;
        let n = self.buckets_per_segment;
        let first = part(high, n);
        let second = part(low >> 32, n);
        let second = if second == first { (first + 1) % n } else { second };
        Spot {
            segment: part(high >> 32, self.segments.len()),
            buckets: [first, second],
            tag: low & ((1 << TAG_BITS) - 1),
        }
    }

    /// Where documents of the key may be.
    pub(super) fn find(&self, key: u128, window: Window) -> FoundList {
        let spot = self.spot(key);
        let mut found = FoundList::new();
        let places = self.segments[spot.segment].lock();
        for bucket in spot.buckets {
            for place in &places[bucket * BUCKET..(bucket + 1) * BUCKET] {
                if place.is_used_for(spot.tag)
                    && let Some(lsn) = window.lsn_of(*place)
                {
                    found.push(Found { lsn, blocks: blocks_of(place.class()), stale: place.stale() });
                }
            }
        }
        drop(places);
        if found.len() > 1 {
            found.sort_unstable_by_key(|f| std::cmp::Reverse(f.lsn));
        }
        found
    }

    /// Notes a document of `blocks` at `lsn`.
    pub(super) fn insert(&self, key: u128, lsn: u64, blocks: u64, is_pinned: bool, window: Window) {
        let spot = self.spot(key);
        let new = Place::new(lsn, window.lap, spot.tag, class_of(blocks)).pinned(is_pinned);
        let mut places = self.segments[spot.segment].lock();
        let is_free = |place: Place| !place.is_used() || window.lsn_of(place).is_none();
        let free_in = |bucket: usize| {
            places[bucket * BUCKET..][..BUCKET].iter().filter(|place| is_free(**place)).count()
        };
        let [one, other] = spot.buckets;
        let order = if free_in(one) >= free_in(other) { [one, other] } else { [other, one] };
        let slots = || order.into_iter().flat_map(|bucket| bucket * BUCKET..(bucket + 1) * BUCKET);
        let slot = slots()
            .find(|at| places[*at].with_stale(0) == new && window.lsn_of(new) == Some(lsn))
            .or_else(|| slots().find(|at| is_free(places[*at])))
            .or_else(|| slots().min_by_key(|at| window.lsn_of(places[*at])));
        let Some(slot) = slot else { return };
        if !places[slot].is_used() {
            self.used.fetch_add(1, Ordering::Relaxed);
        }
        places[slot] = new;
        drop(places);
        // After the place is there: a walk that has not met it does not say that there are none.
        if is_pinned {
            self.has_pinned.store(true, Ordering::Release);
        }
    }

    /// Forgets the places of the key that point below `lsn`; tells how many there were.
    pub(super) fn remove_before(&self, key: u128, lsn: u64, window: Window) -> usize {
        self.remove_if(key, window, |at| at < lsn)
    }

    /// Forgets the place of the key that points to `lsn`.
    pub(super) fn remove_at(&self, key: u128, lsn: u64, window: Window) -> bool {
        self.remove_if(key, window, |at| at == lsn) > 0
    }

    fn remove_if(&self, key: u128, window: Window, goes: impl Fn(u64) -> bool) -> usize {
        let spot = self.spot(key);
        let mut removed = 0;
        let mut places = self.segments[spot.segment].lock();
        for at in spot.places() {
            let place = places[at];
            if place.is_used_for(spot.tag) && window.lsn_of(place).is_some_and(&goes) {
                places[at] = Place::FREE;
                removed += 1;
            }
        }
        drop(places);
        self.used.fetch_sub(removed as u64, Ordering::Relaxed);
        removed
    }

    /// Frees the places that no longer count. Must run once per lap, or old places would count again.
    pub(super) fn sweep(&self, window: Window) {
        for segment in &self.segments {
            let mut freed = 0;
            for place in &mut **segment.lock() {
                if place.is_used() && window.lsn_of(*place).is_none() {
                    *place = Place::FREE;
                    freed += 1;
                }
            }
            self.used.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    /// The places of a segment that point below `lsn`, those written first at the end.
    pub(super) fn met_before(&self, segment: usize, lsn: u64, window: Window) -> Vec<Met> {
        let places = self.segments[segment].lock();
        let met =
            places.iter().enumerate().filter(|(_, place)| place.is_used()).filter_map(|(slot, place)| {
                let at = window.lsn_of(*place).filter(|at| *at < lsn)?;
                let found = Found { lsn: at, blocks: blocks_of(place.class()), stale: place.stale() };
                Some(Met { segment, slot, found })
            });
        let mut met: Vec<Met> = met.collect();
        met.sort_unstable_by_key(|met| std::cmp::Reverse(met.found.lsn));
        met
    }

    /// Whether places may be pinned.
    pub(super) fn has_pinned(&self) -> bool {
        self.has_pinned.load(Ordering::Acquire)
    }

    /// The pinned places with less than `left` bytes of log before their end, those that end first first.
    pub(super) fn pinned_before_end(&self, window: Window, left: u64) -> Vec<Met> {
        // Who pins one meanwhile says so again.
        self.has_pinned.store(false, Ordering::Release);
        let mut near = Vec::new();
        let mut has_any = false;
        for (segment, places) in self.segments.iter().enumerate() {
            for (slot, place) in places.lock().iter().enumerate() {
                let is_pinned = place.is_used() && place.is_pinned();
                if is_pinned && let Some(lsn) = window.lsn_of(*place) {
                    has_any = true;
                    let found = Found { lsn, blocks: blocks_of(place.class()), stale: place.stale() };
                    near.extend((window.left(lsn) < left).then_some(Met { segment, slot, found }));
                }
            }
        }
        if has_any {
            self.has_pinned.store(true, Ordering::Release);
        }
        near.sort_unstable_by_key(|met| met.found.lsn);
        near
    }

    /// Frees a place, if it still is what was met.
    pub(super) fn free(&self, met: &Met, window: Window) {
        let mut places = self.segments[met.segment].lock();
        let place = &mut places[met.slot];
        if place.is_used() && window.lsn_of(*place) == Some(met.found.lsn) {
            *place = Place::FREE;
            self.used.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Makes a place one that is not pinned, if it still is what was met.
    pub(super) fn unpin(&self, met: &Met, window: Window) {
        let mut places = self.segments[met.segment].lock();
        let place = &mut places[met.slot];
        if place.is_used() && window.lsn_of(*place) == Some(met.found.lsn) {
            place.0 &= !PINNED;
        }
    }

    /// Marks a place as stale, if it still is what was met.
    pub(super) fn make_stale(&self, met: &Met, class: u8, window: Window) {
        let mut places = self.segments[met.segment].lock();
        let place = &mut places[met.slot];
        if place.is_used() && window.lsn_of(*place) == Some(met.found.lsn) {
            *place = place.with_stale(class);
        }
    }

    /// Which marks of staleness are in use.
    pub(super) fn stale_classes(&self) -> [bool; 4] {
        let mut used = [false; 4];
        for segment in &self.segments {
            segment
                .lock()
                .iter()
                .filter(|place| place.is_used())
                .for_each(|p| used[usize::from(p.stale())] = true);
        }
        used
    }

    /// Replaces each mark of staleness by that which `to` has at its number.
    pub(super) fn reclass_stale(&self, to: [u8; 4]) {
        for segment in &self.segments {
            for place in segment.lock().iter_mut().filter(|place| place.stale() != 0) {
                *place = place.with_stale(to[usize::from(place.stale())]);
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for segment in &self.segments {
            let mut places = segment.lock();
            let used = places.iter().filter(|place| place.is_used()).count() as u64;
            places.fill(Place::FREE);
            self.used.fetch_sub(used, Ordering::Relaxed);
        }
    }

    /// Appends a segment's places to `out`, as they are written to the disk.
    pub(super) fn write_segment(&self, segment: usize, out: &mut Vec<u8>) {
        for place in &**self.segments[segment].lock() {
            out.extend_from_slice(&place.0.to_le_bytes());
        }
    }

    /// Bytes of each segment on the disk.
    pub(super) fn segment_bytes(&self) -> usize {
        self.buckets_per_segment * BUCKET * PLACE_BYTES as usize
    }

    /// Takes over a segment's places from the disk.
    pub(super) fn read_segment(&self, segment: usize, bytes: &[u8]) {
        let mut places = self.segments[segment].lock();
        let mut used = 0;
        for (place, bytes) in places.iter_mut().zip(bytes.chunks_exact(PLACE_BYTES as usize)) {
            place.0 = bytes.try_into().map_or(0, u64::from_le_bytes);
            used += u64::from(place.is_used());
            if place.is_used() && place.is_pinned() {
                self.has_pinned.store(true, Ordering::Release);
            }
        }
        self.used.fetch_add(used, Ordering::Relaxed);
    }
}

impl Spot {
    fn places(&self) -> impl Iterator<Item = usize> {
        self.buckets.into_iter().flat_map(|bucket| bucket * BUCKET..(bucket + 1) * BUCKET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use twox_hash::XxHash3_128;

    const LAP: u64 = 1 << 20;

    fn key(number: u64) -> u128 {
        XxHash3_128::oneshot(&number.to_le_bytes())
    }

    #[test]
    fn classes_are_never_smaller_than_the_size_and_at_most_a_sixteenth_larger() {
        for blocks in 1..100_000u64 {
            let read = blocks_of(class_of(blocks));
            assert!(
                blocks > 63_488 || read >= blocks && read <= blocks + blocks / 16 + 1,
                "{blocks}: {read}"
            );
        }
    }

    #[test]
    fn nearly_as_many_objects_as_places_fit() {
        let (segments, buckets) = Index::shape(10_000);
        let index = Index::new(segments, buckets);
        let window = Window { lap: 1 << 40, frontier: 1 << 40 | 1 << 30 };
        let objects = index.bytes() / PLACE_BYTES * 8 / 10;
        for n in 0..objects {
            index.insert(key(n), (1 << 40) + n * BLOCK, 1, false, window);
        }
        let lost = (0..objects).filter(|n| index.find(key(*n), window).is_empty()).count() as u64;
        assert!(lost * 200 < objects, "{lost} of {objects} lost");
        assert!(index.bytes() <= objects * 11, "bytes per object");
    }

    #[test]
    fn a_full_pair_of_buckets_loses_the_oldest() {
        let index = Index::new(1, 2);
        let window = Window { lap: LAP, frontier: LAP + 100 * BLOCK };
        for n in 0..17 {
            index.insert(key(7), LAP + n * BLOCK, 1, false, window);
        }
        let found = index.find(key(7), window);
        assert_eq!((found.len(), found[0].lsn, found[15].lsn), (16, LAP + 16 * BLOCK, LAP + BLOCK));
        assert_eq!(index.used(), 16);
    }

    proptest! {
        #[test]
        fn what_is_found_was_inserted_less_than_a_lap_ago_and_not_removed(
            steps in prop::collection::vec((0..40u64, 1..40u64, any::<bool>()), 1..400),
        ) {
            let index = Index::new(2, 16);
            let mut window = Window { lap: 64 * 1024, frontier: 64 * 1024 };
            let mut model: Vec<(u64, u64)> = Vec::new();
            for (number, blocks, removes) in steps {
                // As the log does it: no record spans the end of a lap, and each lap begins with a sweep.
                let lap_end = (window.frontier / window.lap + 1) * window.lap;
                if window.frontier + blocks * BLOCK > lap_end {
                    window.frontier = lap_end;
                    index.sweep(window);
                }
                let lsn = window.frontier;
                window.frontier += blocks * BLOCK;
                if window.frontier == lap_end {
                    index.sweep(window);
                }
                if removes {
                    index.remove_before(key(number), lsn, window);
                    model.retain(|(n, _)| *n != number);
                } else {
                    index.insert(key(number), lsn, blocks, number % 3 == 0, window);
                    model.push((number, lsn));
                }
                for n in 0..40 {
                    for found in index.find(key(n), window) {
                        prop_assert!(model.contains(&(n, found.lsn)), "{} {}", n, found.lsn);
                        prop_assert!(found.lsn + window.lap >= window.frontier);
                    }
                }
                let pinned = index.pinned_before_end(window, window.lap / 2);
                prop_assert!(pinned.is_sorted_by_key(|met| met.found.lsn));
                for met in pinned {
                    let is_it = |(n, lsn): &(u64, u64)| n % 3 == 0 && *lsn == met.found.lsn;
                    prop_assert!(model.iter().any(is_it) && window.left(met.found.lsn) < window.lap / 2);
                }
            }
        }
    }
}
