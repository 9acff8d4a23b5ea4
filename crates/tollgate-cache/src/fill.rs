//! One fetch for many: collapse of concurrent misses, streamed to every waiter.
//!
//! Responsible for: who fetches (the leader) and who waits (followers), the header and body chunks on their way from
//! the writer to all readers, pacing when an object is too large to keep, release of waiters when the answer turns
//! out not to be shareable. What a disk writer has written may go from memory: readers that lag find it there.
//! Not responsible for: fetching, deadlines, storing (the caller's closure in [`FillWriter::finish`]).
//! Entry point: [`Collapser::join`]. A leader looks the store up once more before it asks the origin: the
//! fetch it missed may just have ended.
//! Invariants: every attached reader gets the same bytes in the same order, then the end or the error; wakers are
//! registered under a short lock and woken outside it; a dropped writer aborts, a dropped reader detaches.

mod hit_for_miss;
mod reader;
mod state;
mod writer;

pub use hit_for_miss::{HitForMiss, Unshareable};
pub use reader::{Around, FillFollower, FillPiece, FillReader, FollowerStart, VaryMismatch};
pub use writer::FillWriter;

use crate::key::CacheKey;
use hashbrown::HashMap;
use parking_lot::Mutex;
use state::Fill;
use std::sync::Arc;
use tollgate_obs::tokens;

/// Number of shards of the table of fills.
const SHARDS: usize = 64;

/// Limits of one fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillLimits {
    /// The largest body that is kept whole while it arrives. A larger one is streamed without being kept: the
    /// fill *overflows*. If a disk keeps it, readers find there what memory no longer has; otherwise the fill takes no
    /// new followers, and the writer is paced.
    pub max_object_bytes: u64,
    /// After overflow: bytes that may lie ahead of the slowest reader, in memory.
    pub window_bytes: u64,
}

impl Default for FillLimits {
    fn default() -> Self {
        FillLimits { max_object_bytes: 4 << 20, window_bytes: 1 << 20 }
    }
}

tokens! {
    /// Why a fill ended early.
    AbortReason {
        /// The writer was dropped without an end.
        WriterDropped = "writer_dropped",
        /// The origin could not be reached or did not answer.
        OriginFailed = "origin_failed",
        /// The origin's body ended early.
        OriginBodyAborted = "origin_body_aborted",
        /// No client was left that wanted it.
        NoReaders = "no_readers",
        /// A plugin or the operator stopped it.
        Cancelled = "cancelled",
        /// It was purged under way.
        Purged = "purged",
        /// The server is draining.
        ShutDown = "shut_down",
    }
}

/// The fill ended before the body was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shared fetch aborted: {reason}")]
pub struct FillAborted {
    /// Why.
    pub reason: AbortReason,
}

/// The part a transaction plays in a fetch.
#[derive(Debug)]
pub enum Role {
    /// It fetches, for itself and all followers.
    Leader(FillWriter),
    /// Another one is fetching.
    Follower(FillFollower),
}

type Table = HashMap<CacheKey, Arc<Fill>, foldhash::fast::FixedState>;

/// The fetches under way, by key. Cheap to clone; shared by all threads.
#[derive(Clone)]
pub struct Collapser {
    shards: Arc<[Mutex<Table>]>,
    limits: FillLimits,
}

impl Collapser {
    /// A table without fetches whose fills have these limits.
    pub fn new(limits: FillLimits) -> Collapser {
        let shards = std::iter::repeat_with(|| Mutex::new(Table::default())).take(SHARDS).collect();
        Collapser { shards, limits }
    }

    /// Joins the fetch of `key`, or starts one.
    pub fn join(&self, key: &CacheKey) -> Role {
        let mut table = self.shard(key).lock();
        if let Some(fill) = table.get(key)
            && let Some(reader) = Fill::attach(fill)
        {
            return Role::Follower(FillFollower::new(reader));
        }
        let fill = Arc::new(Fill::new(self.limits));
        table.insert(key.clone(), Arc::clone(&fill));
        Role::Leader(FillWriter::joined(fill, (self.clone(), key.clone())))
    }

    /// Joins the fetch of `key` if one is under way.
    pub fn follow(&self, key: &CacheKey) -> Option<FillFollower> {
        let table = self.shard(key).lock();
        table.get(key).and_then(Fill::attach).map(FillFollower::new)
    }

    /// A fill of its own that no other transaction can join.
    pub fn alone(&self) -> FillWriter {
        FillWriter::alone(self.limits)
    }

    /// Whether a fetch of `key` is under way.
    pub fn is_filling(&self, key: &CacheKey) -> bool {
        self.shard(key).lock().contains_key(key)
    }

    /// Nobody joins the fetch of `key` that is under way, if there is one, any more.
    pub fn detach(&self, key: &CacheKey) {
        let removed = self.shard(key).lock().remove(key);
        drop(removed);
    }

    /// Nobody joins the fetch of `key` any more that `follower` follows.
    pub fn detach_from(&self, key: &CacheKey, follower: &FillFollower) {
        self.leave(key, follower.fill());
    }

    /// Number of fetches under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().len()).sum()
    }

    /// Whether no fetch is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `fill` out of the table, unless another one has taken its place.
    fn leave(&self, key: &CacheKey, fill: &Arc<Fill>) {
        let removed = {
            let mut table = self.shard(key).lock();
            match table.get(key) {
                Some(current) if Arc::ptr_eq(current, fill) => table.remove(key),
                _ => None,
            }
        };
        drop(removed);
    }

    fn shard(&self, key: &CacheKey) -> &Mutex<Table> {
        &self.shards[(key.hash64() >> 40) as usize % SHARDS]
    }
}

impl std::fmt::Debug for Collapser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collapser").field("limits", &self.limits).field("fills", &self.len()).finish()
    }
}
