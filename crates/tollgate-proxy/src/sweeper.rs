//! The sweep through the cache for what was purged, a little at a time.
//!
//! Responsible for: that purges by prefix, expression, tag and group can be forgotten at last, and that what they have
//! hit does not take room until somebody asks for it.
//! Not responsible for: judging objects (`tollgate-cache`); they are judged when they are found, too.

use tollgate_cache::{RamStore, Sweep};
use tollgate_event::clock;

/// LIMIT: comparisons of an object with a purge in one step, of which there are ten in a second: about a millisecond.
const COMPARISONS: usize = 20_000;
/// LIMIT: objects judged in one step.
const OBJECTS: (usize, usize) = (16, 4096);
/// LIMIT: how long purges are kept after all objects were judged by them, seconds: an object whose header took longer
/// to come than this is not stored if there was a purge meanwhile.
const KEPT_FOR: i64 = 60;

#[derive(Default)]
pub(crate) struct Sweeper {
    sweep: Sweep,
    /// Purges up to this number have judged all objects.
    swept: u64,
}

impl Sweeper {
    /// Does a step, if there is something to do.
    pub(crate) fn tick(&mut self, store: &RamStore) {
        let purges = store.purges();
        if !purges.has_any() {
            return;
        }
        if self.swept != purges.newest() {
            let most = (COMPARISONS / (purges.stats().bans + 1)).clamp(OBJECTS.0, OBJECTS.1);
            if let Some(swept) = store.sweep(&mut self.sweep, most) {
                self.swept = swept;
            }
        }
        purges.retire(self.swept, clock::unix_seconds() - KEPT_FOR);
    }
}
