//! How a stripe is laid out on its device.
//!
//! Responsible for: the areas of a stripe, its superblocks, the header and footer of a copy of the index.
//! Not responsible for: what lies in the log (`record`).
//! Invariants: both superblocks and both copies of the index are written in turn, so that one of each survives any
//! crash; each carries a serial number and a checksum. Numbers are little-endian.
//!
//! ```text
//! 0      superblock A   4 KiB
//! 4 KiB  superblock B   4 KiB
//! 8 KiB  index copy A   header 4 KiB, places, padded to 4 KiB, footer 4 KiB
//!        index copy B   the same
//!        log            records in units of 512 bytes, cyclic
//! ```

use super::index::{Index, PLACE_BYTES};
use super::record::{BLOCK, Input};
use super::{DiskError, StripeOptions};
use twox_hash::XxHash3_64;

pub(super) const PAGE: u64 = 4096;
const SUPERBLOCKS_BYTES: u64 = 2 * PAGE;
const VERSION: u32 = 3;
const SUPERBLOCK_MAGIC: &[u8; 16] = b"Tollgate stripe\0";
const INDEX_MAGIC: &[u8; 16] = b"Tollgate index \0";
/// LIMIT: bytes of one stripe's log: what 32 bits of blocks can tell apart.
pub const MAX_STRIPE_BYTES: u64 = BLOCK << 32;

/// The areas of a stripe, relative to its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) stripe_len: u64,
    pub(super) segments: usize,
    pub(super) buckets_per_segment: usize,
    /// Bytes of one copy of the index with header and footer.
    pub(super) index_len: u64,
    pub(super) log_start: u64,
    pub(super) log_len: u64,
}

impl Geometry {
    /// The areas of a stripe of `len` bytes.
    pub(super) fn of(len: u64, options: &StripeOptions) -> Result<Geometry, DiskError> {
        let len = len / PAGE * PAGE;
        let most = len.saturating_sub(SUPERBLOCKS_BYTES).min(MAX_STRIPE_BYTES);
        // A quarter more places than objects: the buckets fill unevenly.
        let objects = most / options.average_object_bytes.max(BLOCK);
        let (segments, buckets_per_segment) = Index::shape(objects + objects / 4);
        let places = (segments * buckets_per_segment * 8) as u64 * PLACE_BYTES;
        let index_len = 2 * PAGE + places.next_multiple_of(PAGE);
        let log_start = SUPERBLOCKS_BYTES + 2 * index_len;
        let log_len = len.saturating_sub(log_start).min(MAX_STRIPE_BYTES) / PAGE * PAGE;
        // The buffer, and what lies before it, must be a small part of a lap.
        let least = 4 * options.buffer_bytes as u64;
        if log_len < least {
            return Err(DiskError::TooSmall { bytes: len, least: log_start + least });
        }
        Ok(Geometry { stripe_len: len, segments, buckets_per_segment, index_len, log_start, log_len })
    }

    /// Where copy 0 or 1 of the index begins.
    pub(super) fn index_start(&self, copy: u64) -> u64 {
        SUPERBLOCKS_BYTES + copy % 2 * self.index_len
    }
}

/// What a stripe says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) geometry: Geometry,
    /// Times the stripe was opened.
    pub(super) epoch: u32,
    /// Mixed into the hash of keys.
    pub(super) seed: u64,
}

impl Superblock {
    pub(super) fn encode(&self) -> Vec<u8> {
        let g = &self.geometry;
        let mut out = SUPERBLOCK_MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        for number in [
            self.seed,
            g.stripe_len,
            g.segments as u64,
            g.buckets_per_segment as u64,
            g.index_len,
            g.log_start,
            g.log_len,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        sealed(out)
    }

    /// The superblock in a page, if it is one whose checksum holds.
    pub(super) fn decode(page: &[u8]) -> Option<Superblock> {
        let mut input = Input(unsealed(page)?);
        if input.take(16)? != SUPERBLOCK_MAGIC || input.u32()? != VERSION {
            return None;
        }
        let epoch = input.u32()?;
        let seed = input.u64()?;
        let geometry = Geometry {
            stripe_len: input.u64()?,
            segments: usize::try_from(input.u64()?).ok()?,
            buckets_per_segment: usize::try_from(input.u64()?).ok()?,
            index_len: input.u64()?,
            log_start: input.u64()?,
            log_len: input.u64()?,
        };
        Some(Superblock { geometry, epoch, seed })
    }

    /// Whether a page is a whole superblock of another version of this program.
    pub(super) fn is_of_another_version(page: &[u8]) -> bool {
        let version = |content: &[u8]| Input(content.strip_prefix(SUPERBLOCK_MAGIC)?).u32();
        unsealed(page).and_then(version).is_some_and(|version| version != VERSION)
    }

    /// Whether a page belongs to nobody: zeros, or a superblock whose checksum need not hold.
    pub(super) fn may_be_overwritten(page: &[u8]) -> bool {
        page.iter().all(|byte| *byte == 0) || Superblock::is_like(page)
    }

    /// Whether a page begins as a superblock does.
    pub(super) fn is_like(page: &[u8]) -> bool {
        page.starts_with(SUPERBLOCK_MAGIC)
    }
}

/// The page before, or after, the places of a copy of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexPage {
    /// Counts the copies written; the greater one is the newer.
    pub(super) serial: u64,
    /// Everything in the log before this position is in the index.
    pub(super) lsn: u64,
    pub(super) epoch: u32,
    /// In the footer: of all places. In the header: 0.
    pub(super) checksum: u64,
    /// What of the index has been judged by which purges.
    pub(super) judged: Judged,
}

/// What the log's documents have been judged by, beside what they say themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Documents before this position have been judged by the purges up to `number`.
    pub(super) lsn: u64,
    pub(super) number: u64,
    /// Since when places with the marks 1 to 3 are stale; 0: the mark is not used.
    pub(super) stale_since: [i64; 3],
}

impl IndexPage {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = INDEX_MAGIC.to_vec();
        out.extend_from_slice(&self.serial.to_le_bytes());
        out.extend_from_slice(&self.lsn.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.judged.lsn.to_le_bytes());
        out.extend_from_slice(&self.judged.number.to_le_bytes());
        self.judged.stale_since.iter().for_each(|at| out.extend_from_slice(&at.to_le_bytes()));
        sealed(out)
    }

    pub(super) fn decode(page: &[u8]) -> Option<IndexPage> {
        let mut input = Input(unsealed(page)?);
        if input.take(16)? != INDEX_MAGIC {
            return None;
        }
        let (serial, lsn, checksum) = (input.u64()?, input.u64()?, input.u64()?);
        let epoch = input.u32()?;
        let mut judged = Judged { lsn: input.u64()?, number: input.u64()?, ..Judged::default() };
        for at in &mut judged.stale_since {
            *at = input.u64()?.cast_signed();
        }
        Some(IndexPage { serial, lsn, checksum, epoch, judged })
    }
}

/// Fills a page up and closes it with a checksum.
fn sealed(mut page: Vec<u8>) -> Vec<u8> {
    page.resize(PAGE as usize - 8, 0);
    let checksum = XxHash3_64::oneshot(&page);
    page.extend_from_slice(&checksum.to_le_bytes());
    page
}

fn unsealed(page: &[u8]) -> Option<&[u8]> {
    let (content, checksum) = page.get(..PAGE as usize)?.split_last_chunk::<8>()?;
    (XxHash3_64::oneshot(content) == u64::from_le_bytes(*checksum)).then_some(content)
}
