//! The walk through the disks for what was purged, a little at a time.
//!
//! Responsible for: that every document is judged by every purge of many objects at last, so that purges can be
//! forgotten and the memory for them stays bounded.
//! Not responsible for: when it is done and how fast (the caller stops it), judging (`purge`), purges of one key.
//! Invariants: what was hit loses its place in the index; what became stale is marked there; what cannot be read cannot
//! be judged, and loses its place, too. A purge may be forgotten once both copies of the index on the device are from
//! after a walk that began after the purge ([`DiskStore::judged_for_good`]): whatever copy the next start finds, what
//! was judged stays judged.
//!
//! A place has room for the number of one of three times of the stripe, not for a time. Each walk in which something
//! became stale takes a number for its earliest purge; when all are in use, the two oldest are made one, with the earlier
//! time: an object may then count as stale for longer than it was.

use super::index::Met;
use super::layout::Judged;
use super::read::Patience;
use super::record::{BLOCK, HEADER_BYTES, Kind, RecordHeader, key_and_meta};
use super::store::DiskStore;
use super::stripe::Stripe;
use super::{DiskError, decode_head};
use crate::key::CacheKey;
use crate::object::StoredHead;
use crate::purge::{Purges, Standing};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Where a walk is.
#[derive(Debug, Default)]
pub struct DiskScan {
    member: usize,
    stripe: Option<StripeScan>,
}

#[derive(Debug)]
struct StripeScan {
    /// What is before this position is judged.
    end: u64,
    losses: u64,
    /// The next segment.
    segment: usize,
    /// Of the segment before; the first to be judged is the last.
    met: Vec<Met>,
    /// The mark for what becomes stale, and the earliest time.
    class: u8,
    since: i64,
}

impl DiskStore {
    /// Judges documents by the purges so far, going on where `scan` was, until all are judged or `may_go_on` says no;
    /// tells whether all are. `number` is the newest purge of when the walk began: what is stored has been judged up to
    /// it then. At least one document is judged. Blocks.
    pub fn judge_some(
        &self,
        scan: &mut DiskScan,
        number: u64,
        purges: &Purges,
        may_go_on: impl Fn() -> bool,
    ) -> bool {
        while let Some(member) = self.members.get(scan.member) {
            let stripe = &member.stripe;
            if !stripe.is_offline() {
                let state = scan.stripe.get_or_insert_with(|| stripe.begin_scan());
                if !stripe.scan(state, purges, &may_go_on) {
                    return false;
                }
                if !stripe.end_scan(state, number) {
                    // A write has failed, and positions were given out again.
                    scan.stripe = None;
                    return false;
                }
            }
            (scan.member, scan.stripe) = (scan.member + 1, None);
        }
        *scan = DiskScan::default();
        true
    }

    /// Up to which purge all documents have been judged, also after a crash. Stripes that were given up do not count:
    /// if they come back, what they have not been judged by counts as purged. `None`: there is no stripe.
    pub fn judged_for_good(&self) -> Option<u64> {
        let online = self.members.iter().filter(|member| !member.stripe.is_offline());
        online.map(|member| member.stripe.judged_for_good.load(Ordering::Acquire)).min()
    }
}

impl Stripe {
    /// What a document at `found` was judged by and since when it is stale, beside what its header says.
    pub(super) fn judged_of(&self, found: super::index::Found) -> (u64, Option<i64>) {
        let judged = self.judged.read();
        let number = if found.lsn < judged.lsn { judged.number } else { 0 };
        let stale_since = usize::from(found.stale).checked_sub(1).map(|mark| judged.stale_since[mark]);
        (number, stale_since)
    }

    fn begin_scan(&self) -> StripeScan {
        let class = self.free_class();
        let losses = self.losses.load(Ordering::Acquire);
        let end = self.window().frontier;
        StripeScan { end, losses, segment: 0, met: Vec::new(), class, since: i64::MAX }
    }

    /// A mark that no place has.
    fn free_class(&self) -> u8 {
        // No copy of the index is made meanwhile.
        let _syncing = self.syncing.lock();
        let used = self.index.stale_classes();
        let mut judged = self.judged.write();
        let times = judged.stale_since;
        let kept = (1..=3).filter(|class| used[*class]);
        let kept: Vec<usize> = kept.collect();
        let mut to = [0; 4];
        let mut stale_since = [0; 3];
        let merged = usize::from(kept.len() == 3);
        for (at, class) in kept.iter().enumerate() {
            let new = at.saturating_sub(merged);
            to[*class] = new as u8 + 1;
            stale_since[new] = match stale_since[new] {
                0 => times[class - 1],
                other => other.min(times[class - 1]),
            };
        }
        if to != [0, 1, 2, 3] {
            self.index.reclass_stale(to);
        }
        judged.stale_since = stale_since;
        (kept.len() - merged) as u8 + 1
    }

    /// Judges on; tells whether all is judged.
    fn scan(&self, state: &mut StripeScan, purges: &Purges, may_go_on: &impl Fn() -> bool) -> bool {
        loop {
            let Some(met) = state.met.pop() else {
                if state.segment == self.index.segments() || self.is_offline() {
                    return true;
                }
                state.met = self.index.met_before(state.segment, state.end, self.window());
                state.segment += 1;
                continue;
            };
            self.judge_met(state, &met, purges);
            if !may_go_on() {
                return false;
            }
        }
    }

    fn judge_met(&self, state: &mut StripeScan, met: &Met, purges: &Purges) {
        let window = self.window();
        let Ok((key, head)) = self.head_of(met) else {
            return self.index.free(met, window);
        };
        // Its header may say it, or its place.
        let was_stale = head.stale_since().is_some() || met.found.stale != 0;
        let (judged, stale_since) = self.judged_of(met.found);
        head.mark().was_judged(judged, stale_since);
        if head.mark().judged() > purges.newest() {
            return self.index.free(met, window);
        }
        match purges.judge(&key, head.mark()) {
            Standing::Untouched => {}
            Standing::Gone => self.index.free(met, window),
            Standing::Stale { .. } if was_stale => {}
            Standing::Stale { since } => {
                if since < state.since {
                    state.since = since;
                    self.judged.write().stale_since[usize::from(state.class) - 1] = since;
                }
                self.index.make_stale(met, state.class, window);
            }
        }
    }

    /// Notes that all before the walk's beginning has been judged; `false` if that is not so.
    fn end_scan(&self, state: &StripeScan, number: u64) -> bool {
        let mut judged = self.judged.write();
        if self.losses.load(Ordering::Acquire) != state.losses {
            return false;
        }
        *judged = Judged { lsn: state.end, number, stale_since: judged.stale_since };
        true
    }

    /// Key and header of the document that was met, without its body: the checksum is not verified. Whoever is served
    /// the document verifies it, and what was judged by a damaged header is damaged still.
    pub(super) fn head_of(&self, met: &Met) -> Result<(CacheKey, StoredHead), DiskError> {
        let lsn = met.found.lsn;
        let mut bytes = self.front_of(met, met.found.blocks.min(16) * BLOCK)?;
        let header = RecordHeader::decode(&bytes).ok_or_else(|| self.not_as_written(lsn))?;
        if header.lsn != lsn || !matches!(header.kind, Kind::Document | Kind::Assembly) {
            return Err(DiskError::Gone);
        }
        let spans = bytes.get(HEADER_BYTES..).and_then(|front| key_and_meta(header.kind, front));
        let (key, meta) = spans.ok_or_else(|| self.corrupt())?;
        let need = HEADER_BYTES + meta.end;
        if need > bytes.len() && meta.end <= header.len as usize {
            bytes = self.front_of(met, need as u64)?;
        }
        let part = |span: Range<usize>| bytes.get(HEADER_BYTES + span.start..HEADER_BYTES + span.end);
        let (Some(key), Some(meta)) = (part(key), part(meta)) else { return Err(self.corrupt()) };
        let key = CacheKey::of_bytes(key);
        let head = decode_head(meta, &key).ok_or_else(|| self.corrupt())?;
        Ok((key, head))
    }

    fn front_of(&self, met: &Met, len: u64) -> Result<Vec<u8>, DiskError> {
        let lsn = met.found.lsn;
        if !self.window().holds(lsn) {
            return Err(DiskError::Gone);
        }
        let lap_left = self.geometry.log_len - lsn % self.geometry.log_len;
        self.bytes_at(lsn, len.min(lap_left), Patience::Waits)
    }
}
