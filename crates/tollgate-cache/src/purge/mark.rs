//! What an object remembers about purges.

use super::Standing;
use super::tags::tags_of;
use crate::key::CacheKey;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tollgate_http::HeaderBlock;

/// When the request for an object was sent, in terms of purges: what is purged later hits it. Taken from
/// [`RamStore::born`](crate::RamStore::born) before the origin is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Born {
    /// The newest purge then.
    pub purge: u64,
    /// The store's count of removals of this key, and some others, then; `None`: not known.
    pub removals: Option<u32>,
}

/// Kept with a stored head.
#[derive(Debug)]
pub struct Mark {
    /// The newest purge that the object was judged by.
    judged: AtomicU64,
    /// 0: not stale by purge. Seconds since 1970, which suffices until 2106.
    stale_since: AtomicU32,
    /// See [`Born::removals`]; [`UNKNOWN`] for none.
    removals: u32,
    tags: Option<Box<Tags>>,
}

/// "No count of removals".
const UNKNOWN: u32 = u32::MAX;

/// Behind a thin pointer: few objects have tags.
#[derive(Clone, Debug)]
struct Tags(Box<[u64]>);

impl Clone for Mark {
    fn clone(&self) -> Self {
        Mark {
            judged: AtomicU64::new(self.judged()),
            stale_since: AtomicU32::new(self.stale_since.load(Ordering::Relaxed)),
            removals: self.removals,
            tags: self.tags.clone(),
        }
    }
}

impl Default for Mark {
    fn default() -> Self {
        Mark { judged: AtomicU64::new(0), stale_since: AtomicU32::new(0), removals: UNKNOWN, tags: None }
    }
}

impl Mark {
    /// The mark of a response with these fields under `key`.
    pub(crate) fn new(key: &CacheKey, response: &HeaderBlock, born: Born) -> Mark {
        Mark {
            judged: AtomicU64::new(born.purge),
            stale_since: AtomicU32::new(0),
            removals: born.removals.unwrap_or(UNKNOWN),
            tags: tags_of(key, response).map(|tags| Box::new(Tags(tags))),
        }
    }

    /// The newest purge that the object was judged by.
    #[inline]
    pub fn judged(&self) -> u64 {
        self.judged.load(Ordering::Acquire)
    }

    /// How it stood when it was judged.
    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        match self.stale_since.load(Ordering::Relaxed) {
            0 => Standing::Untouched,
            since => Standing::Stale { since: i64::from(since) },
        }
    }

    /// Stale from `since` on, or from when it already was.
    pub(crate) fn make_stale(&self, since: i64) {
        let since = u32::try_from(since).unwrap_or(u32::MAX).max(1);
        self.stale_since.update(Ordering::Relaxed, Ordering::Relaxed, |old| match old {
            0 => since,
            old => old.min(since),
        });
    }

    /// A tier that outlives the process has found out since the head was written: judged by the purges up to `number`,
    /// and stale by them.
    pub(crate) fn was_judged(&self, number: u64, stale_since: Option<i64>) {
        self.set_judged(number);
        if let Some(since) = stale_since {
            self.make_stale(since);
        }
    }

    /// Several threads may judge at once: the newest number stays.
    pub(super) fn set_judged(&self, number: u64) {
        self.judged.fetch_max(number, Ordering::Release);
    }

    /// Whether its key was removed since it was asked for, now that `removals` are counted.
    pub(crate) fn is_removed_since(&self, removals: u32) -> bool {
        self.removals != UNKNOWN && self.removals != removals
    }

    pub(super) fn tags(&self) -> &[u64] {
        self.tags.as_ref().map_or(&[], |tags| &tags.0)
    }

    /// Number of tags and groups.
    pub fn tag_count(&self) -> usize {
        self.tags().len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(self.tags()) + self.tags.as_ref().map_or(0, |_| size_of::<Tags>())
    }
}
