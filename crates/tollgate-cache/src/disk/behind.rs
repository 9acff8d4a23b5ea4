//! Complete objects that wait to be written, so that one errand of a task thread writes many.
//!
//! Responsible for: a queue for each stripe, when it is worth an errand, that one thread at a time works on it.
//! Not responsible for: how much may wait (the caller has a [`Reservation`]), threads and clocks: the caller has
//! [`Errand`]s run where blocking is allowed.
//! Invariants: objects of a stripe are written in the order in which they came, and one that does not wait is written
//! after those of its key that do ([`DiskStore::settle`]); what waits is written by an errand, or by
//! [`DiskStore::write_waiting`] at the latest.

use super::DiskError;
use super::store::{DiskStore, Reservation};
use super::writer::DiskWriter;
use crate::key::CacheKey;
use crate::object::StoredObject;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// So many bytes of bodies are worth an errand at once, if they are not more than a quarter of what may wait.
const ERRAND_BYTES: u64 = 1 << 20;
/// Counters of waiting objects, by hash of their keys; a power of two.
const COUNTERS: usize = 64;

/// What waits for a stripe.
pub(super) struct Behind {
    waiting: Mutex<Waiting>,
    /// Held by the thread that writes.
    work: Mutex<()>,
    /// Waiting or being written.
    counts: [AtomicU32; COUNTERS],
}

#[derive(Default)]
struct Waiting {
    objects: VecDeque<Late>,
    bytes: u64,
    /// Somebody will begin soon, or works on it.
    is_seen_to: bool,
    is_worked_on: bool,
}

struct Late {
    writer: DiskWriter,
    object: Arc<StoredObject>,
    _room: Reservation,
}

/// What is to be done about an object that was put into the queue.
#[derive(Debug)]
pub enum Next {
    /// Nothing: somebody sees to it.
    Nothing,
    /// [`Errand::run`] in some milliseconds: more may have come by then.
    Soon(Errand),
    /// [`Errand::run`] at once.
    Now(Errand),
}

/// Work on the queue of a stripe.
pub struct Errand {
    behind: Arc<Behind>,
}

impl DiskStore {
    /// Has an object written that is complete and in memory, under the key and with the ticket of `writer`, which has
    /// written nothing yet. Does not block.
    pub fn write_behind(&self, writer: DiskWriter, object: Arc<StoredObject>, room: Reservation) -> Next {
        let Some(member) = self.member_of(writer.key()) else { return Next::Nothing };
        let behind = &member.behind;
        let enough = match self.options().backlog_bytes {
            0 => ERRAND_BYTES,
            most => ERRAND_BYTES.min(most / 4),
        };
        behind.count_of(writer.key()).fetch_add(1, Ordering::AcqRel);
        let late = Late { writer: writer.emptied(), object, _room: room };
        let mut waiting = behind.waiting.lock();
        waiting.bytes += late.object.body().len();
        waiting.objects.push_back(late);
        if waiting.is_worked_on {
            return Next::Nothing;
        }
        let was_seen_to = std::mem::replace(&mut waiting.is_seen_to, true);
        let errand = Errand { behind: Arc::clone(behind) };
        if waiting.bytes >= enough {
            // It may take a while until this one begins: the next objects need no other.
            waiting.bytes = 0;
            Next::Now(errand)
        } else if was_seen_to {
            Next::Nothing
        } else {
            Next::Soon(errand)
        }
    }

    /// Writes all that waits; `failed` is told of what cannot be stored. Blocks.
    pub fn write_waiting(&self, mut failed: impl FnMut(&CacheKey, &DiskError)) {
        self.members.iter().for_each(|member| member.behind.write(&mut failed));
    }

    /// To be called before an object is written that does not wait: those of the same key that came before it are
    /// written now. Blocks.
    pub fn settle(&self, key: &CacheKey, mut failed: impl FnMut(&CacheKey, &DiskError)) {
        if let Some(member) = self.member_of(key)
            && member.behind.count_of(key).load(Ordering::Acquire) > 0
        {
            member.behind.write(&mut failed);
        }
    }
}

impl Errand {
    /// Writes what waits, until nothing does; `failed` is told of what cannot be stored. Blocks.
    pub fn run(self, mut failed: impl FnMut(&CacheKey, &DiskError)) {
        self.behind.write(&mut failed);
    }
}

impl Default for Behind {
    fn default() -> Self {
        let counts = std::array::from_fn(|_| AtomicU32::new(0));
        Behind { waiting: Mutex::default(), work: Mutex::default(), counts }
    }
}

impl Behind {
    fn count_of(&self, key: &CacheKey) -> &AtomicU32 {
        &self.counts[key.hash64() as usize % COUNTERS]
    }

    fn write(&self, failed: &mut impl FnMut(&CacheKey, &DiskError)) {
        let _work = self.work.lock();
        let _working = Working::on(self);
        while let Some(some) = self.take() {
            for Late { writer, object, _room } in some {
                let key = writer.key().clone();
                if let Err(error) = writer.write_object(&object) {
                    failed(&key, &error);
                }
                self.count_of(&key).fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// All that waits; `None`: nothing does, and what comes next finds nobody at work.
    fn take(&self) -> Option<VecDeque<Late>> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        if waiting.objects.is_empty() {
            (waiting.is_worked_on, waiting.is_seen_to) = (false, false);
            return None;
        }
        Some(std::mem::take(&mut waiting.objects))
    }
}

/// Says that somebody works on a queue, while it lives.
struct Working<'b>(&'b Behind);

impl<'b> Working<'b> {
    fn on(behind: &'b Behind) -> Self {
        behind.waiting.lock().is_worked_on = true;
        Working(behind)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock();
        // What is left, after a panic, is for the next one.
        (waiting.is_worked_on, waiting.is_seen_to) = (false, false);
    }
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Errand").finish_non_exhaustive()
    }
}
