//! The sweep through the cache for what was purged, a little at a time.
//!
//! Responsible for: that purges by prefix, expression, tag and group can be forgotten at last, and that what they have
//! hit does not take room until somebody asks for it; how much of a thread and of the disks that may take.
//! Not responsible for: judging objects (`tollgate-cache`); they are judged when they are found, too.

use crate::engine::Engine;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tollgate_cache::disk::{DiskScan, DiskStore};
use tollgate_cache::{RamStore, Sweep};
use tollgate_event::{clock, spawn_local, task};

/// LIMIT: comparisons of an object with a purge in one step, of which there are ten in a second: about a millisecond.
const COMPARISONS: usize = 20_000;
/// LIMIT: objects judged in one step.
const OBJECTS: (usize, usize) = (16, 4096);
/// LIMIT: how long purges are kept after all objects were judged by them, seconds: an object whose header took longer
/// to come than this is not stored if there was a purge meanwhile. The walk through the disks begins so long after a
/// purge, so that it meets what was on its way.
const KEPT_FOR: i64 = 60;
/// LIMIT: time that a step of the walk through the disks may take, of which there are at most ten in a second.
const DISK_STEP: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(crate) struct Sweeper {
    sweep: Sweep,
    /// Purges up to this number have judged all objects in memory.
    swept: u64,
    disk: DiskSweep,
}

impl Sweeper {
    /// Does a step, if there is something to do.
    pub(crate) fn tick(&mut self, engine: &Arc<Engine>) {
        let purges = engine.store.purges();
        if !purges.has_any() {
            return;
        }
        if self.swept != purges.newest() {
            self.sweep_memory(&engine.store);
        }
        let mut judged = self.swept;
        if let Some(store) = engine.disk.store() {
            self.disk.tick(engine, store);
            judged = judged.min(store.judged_for_good().unwrap_or(judged));
        }
        let forgotten = purges.stats().forgotten;
        purges.retire(judged, clock::unix_seconds() - KEPT_FOR);
        if purges.stats().forgotten != forgotten && engine.disk.store().is_some() {
            let engine = Arc::clone(engine);
            spawn_local(async move {
                // If the process is ending, the next start forgets them again.
                let _: Option<()> = task::run(move || engine.disk.write_anew(engine.store.purges())).await;
            });
        }
    }

    fn sweep_memory(&mut self, store: &RamStore) {
        let most = (COMPARISONS / (store.purges().stats().bans + 1)).clamp(OBJECTS.0, OBJECTS.1);
        if let Some(swept) = store.sweep(&mut self.sweep, most) {
            self.swept = swept;
        }
    }
}

/// The walk through the disks.
#[derive(Default)]
struct DiskSweep {
    /// A purge that the next walk is for, and when it was first seen.
    pending: Option<(u64, i64)>,
    walk: Rc<RefCell<Walk>>,
}

enum Walk {
    /// Documents have been judged up to this purge.
    Done(u64),
    /// Where the walk is that judges up to this purge.
    At(u64, DiskScan),
    /// A task thread has it. Lost if that panics: then no purge is forgotten any more but for lack of room.
    Stepping,
}

impl Default for Walk {
    fn default() -> Self {
        Walk::Done(0)
    }
}

impl DiskSweep {
    fn tick(&mut self, engine: &Arc<Engine>, store: &Arc<DiskStore>) {
        let newest = engine.store.purges().newest();
        let now = clock::unix_seconds();
        let mut walk = self.walk.borrow_mut();
        let (number, scan) = match std::mem::replace(&mut *walk, Walk::Stepping) {
            Walk::Stepping => return,
            Walk::At(number, scan) => (number, scan),
            Walk::Done(judged) => {
                *walk = Walk::Done(judged);
                // A walk before this process began counts, too.
                if judged == newest || store.judged_for_good() == Some(newest) {
                    return;
                }
                let (number, seen) = *self.pending.get_or_insert((newest, now));
                if now - seen <= KEPT_FOR {
                    return;
                }
                self.pending = None;
                (number, DiskScan::default())
            }
        };
        *walk = Walk::Stepping;
        drop(walk);
        let (engine, store, walk) = (Arc::clone(engine), Arc::clone(store), Rc::clone(&self.walk));
        spawn_local(async move {
            let step = move || {
                let (mut scan, began) = (scan, clock::now());
                let may_go_on = || clock::now().duration_since(began) < DISK_STEP;
                match store.judge_some(&mut scan, number, engine.store.purges(), may_go_on) {
                    true => Walk::Done(number),
                    false => Walk::At(number, scan),
                }
            };
            if let Some(next) = task::run(step).await {
                *walk.borrow_mut() = next;
            }
        });
    }
}
