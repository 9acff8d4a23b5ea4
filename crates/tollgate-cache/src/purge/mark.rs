//! What an object remembers about purges.

use super::Standing;
use super::tags::tags_of;
use crate::key::CacheKey;
use crate::object::StoredHead;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tollgate_http::PackedFields;

/// When the request for an object was sent, in terms of purges: what is purged later hits it. Taken from
/// [`RamStore::born`](crate::RamStore::born) before the origin is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Born {
    /// The newest purge then.
    pub purge: u64,
    /// The store's count of removals of this key, and some others, then; `None`: not known.
    pub removals: Option<u32>,
}

/// What purges have made of an object: kept with its head, the only thing there that changes.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The newest purge that the object was judged by.
    by: AtomicU64,
    /// 0: not stale by purge. Seconds since 1970, which suffices until 2106.
    stale_since: AtomicU32,
    /// See [`Born::removals`]; [`UNKNOWN`] for none.
    removals: u32,
}

/// "No count of removals".
const UNKNOWN: u32 = u32::MAX;

impl Clone for Judged {
    fn clone(&self) -> Self {
        Judged {
            by: AtomicU64::new(self.by.load(Ordering::Acquire)),
            stale_since: AtomicU32::new(self.stale_since.load(Ordering::Relaxed)),
            removals: self.removals,
        }
    }
}

impl Default for Judged {
    fn default() -> Self {
        Judged { by: AtomicU64::new(0), stale_since: AtomicU32::new(0), removals: UNKNOWN }
    }
}

impl Judged {
    pub(crate) fn new(born: Born) -> Judged {
        Judged {
            by: AtomicU64::new(born.purge),
            stale_since: AtomicU32::new(0),
            removals: born.removals.unwrap_or(UNKNOWN),
        }
    }
}

/// What an object remembers about purges.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a>(&'a StoredHead);

impl<'a> Mark<'a> {
    /// The mark of this head.
    #[inline]
    pub(crate) fn of(head: &'a StoredHead) -> Mark<'a> {
        Mark(head)
    }

    /// The hashes of the tags and groups of a response with these fields under `key`, of 8 bytes each.
    pub(crate) fn tags_of(key: &CacheKey, response: PackedFields<'_>) -> Vec<u8> {
        let tags = tags_of(key, response).unwrap_or_default();
        tags.iter().flat_map(|tag| tag.to_le_bytes()).collect()
    }

    /// The newest purge that the object was judged by.
    #[inline]
    pub fn judged(self) -> u64 {
        self.0.judged().by.load(Ordering::Acquire)
    }

    /// How it stood when it was judged.
    #[inline]
    pub(crate) fn standing(self) -> Standing {
        match self.0.judged().stale_since.load(Ordering::Relaxed) {
            0 => Standing::Untouched,
            since => Standing::Stale { since: i64::from(since) },
        }
    }

    /// Stale from `since` on, or from when it already was.
    pub(crate) fn make_stale(self, since: i64) {
        let since = u32::try_from(since).unwrap_or(u32::MAX).max(1);
        self.0.judged().stale_since.update(Ordering::Relaxed, Ordering::Relaxed, |old| match old {
            0 => since,
            old => old.min(since),
        });
    }

    /// A tier that outlives the process has found out since the head was written: judged by the purges up to `number`,
    /// and stale by them.
    pub(crate) fn was_judged(self, number: u64, stale_since: Option<i64>) {
        self.set_judged(number);
        if let Some(since) = stale_since {
            self.make_stale(since);
        }
    }

    /// Several threads may judge at once: the newest number stays.
    pub(super) fn set_judged(self, number: u64) {
        self.0.judged().by.fetch_max(number, Ordering::Release);
    }

    /// Whether its key was removed since it was asked for, now that `removals` are counted.
    pub(crate) fn is_removed_since(self, removals: u32) -> bool {
        let own = self.0.judged().removals;
        own != UNKNOWN && own != removals
    }

    pub(super) fn tags(self) -> impl ExactSizeIterator<Item = u64> {
        self.0.tag_bytes().as_chunks().0.iter().map(|tag| u64::from_le_bytes(*tag))
    }

    /// Number of tags and groups.
    pub fn tag_count(self) -> usize {
        self.tags().len()
    }
}
