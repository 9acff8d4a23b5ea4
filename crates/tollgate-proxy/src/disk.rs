//! The disk tier in the engine: opening it, and its work on task threads.
//!
//! Responsible for: from records and configuration files to a [`DiskStore`], reading ahead, writing while a body
//! streams, upkeep, metrics, what is logged of faults.
//! Not responsible for: formats and recovery (`tollgate-cache`), when a transaction asks (`txn`).
//! Invariants: an event thread never waits for a disk; a fault of a disk costs its objects and nothing else.

mod filling;
mod open;
mod reader;
mod sink;

pub(crate) use filling::{FillBody, Patched, patched};
pub use open::check;
pub(crate) use reader::DiskReader;
pub(crate) use sink::{DiskSink, Unfinished, update};

use crate::engine::Engine;
use crate::thread::EngineThread;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tollgate_cache::CacheKey;
use tollgate_cache::disk::{DiskError, DiskStats, DiskStore, Evacuation, Journal, Sought};
use tollgate_cache::purge::journal::Entry;
use tollgate_cache::purge::{self, Purge, Purges, Standing};
use tollgate_config::storage::Storage;
use tollgate_config::{Problem, Records};
use tollgate_event::{clock, spawn_local, task};
use tollgate_obs::metrics::{Metric, Metrics};

/// LIMIT: bytes of the journal of purges before it is written anew.
const JOURNAL_BYTES: u64 = 8 << 20;

/// The disk tier, if there is one.
#[derive(Default)]
pub(crate) struct Disk {
    store: OnceLock<Arc<DiskStore>>,
    /// What was purged by tag, prefix or expression.
    journal: Mutex<Option<Journal>>,
    published: Mutex<DiskStats>,
    /// Bodies that were under way when the event threads ended.
    unfinished: Mutex<Vec<Unfinished>>,
}

impl Disk {
    pub(crate) fn store(&self) -> Option<&Arc<DiskStore>> {
        self.store.get()
    }

    /// The store, if it may have something under the key. Memory only.
    pub(crate) fn holder_of(&self, key: &CacheKey) -> Option<&Arc<DiskStore>> {
        self.store().filter(|store| store.may_have(key))
    }

    /// Looks the key up in the store; `None`: nothing is stored under it. Memory only.
    pub(crate) fn seek(&self, key: &CacheKey) -> Option<(&Arc<DiskStore>, Sought<'_>)> {
        let store = self.store()?;
        Some((store, store.seek(key)?))
    }

    /// Keeps what came of a body when the event threads have ended.
    fn keep_later(&self, unfinished: Unfinished) {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).push(unfinished);
    }

    /// Sees to it that a purge holds after a restart, too. Waits for the disk: purges of many objects are few.
    pub(crate) fn write_down(&self, purge: &Purge, all: &Purges) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(journal) = &mut *journal else { return };
        let written = if journal.len() > JOURNAL_BYTES {
            rewrite(journal, all)
        } else {
            let mut bytes = Vec::new();
            purge::journal::append(&mut bytes, &Entry::Purge(purge.clone()));
            journal.append(0, &bytes)
        };
        if let Err(error) = written {
            tracing::error!("a purge is not written down and will not hold after a restart: {error}");
        }
    }

    /// Takes what was forgotten out of the journal.
    pub(crate) fn write_anew(&self, all: &Purges) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(journal) = &mut *journal else { return };
        if let Err(error) = rewrite(journal, all) {
            tracing::warn!("purges that were forgotten are still written down: {error}");
        }
    }

    /// Takes up the purges of earlier processes, and writes down those of this one.
    fn open_journal(&self, path: &Path, all: &Purges) -> Result<(), DiskError> {
        let (mut journal, records) = Journal::open(path)?;
        all.restore(records.iter().flat_map(|record| purge::journal::read(&record.bytes).0));
        rewrite(&mut journal, all)?;
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = Some(journal);
        Ok(())
    }

    /// Brings the metrics up to date.
    pub(crate) fn publish(&self, metrics: &Metrics) {
        let Some(store) = self.store() else { return };
        let now = store.stats();
        let mut before = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        for (metric, now, before) in [
            (Metric::CacheDiskStores, now.documents_written, before.documents_written),
            (Metric::CacheDiskWritten, now.bytes_written, before.bytes_written),
            (Metric::CacheDiskRead, now.bytes_read, before.bytes_read),
            (Metric::CacheDiskCorrupt, now.corrupt, before.corrupt),
            (Metric::CacheDiskReadErrors, now.read_errors, before.read_errors),
            (Metric::CacheDiskWriteErrors, now.write_errors, before.write_errors),
            (Metric::CacheDiskBacklogRefusals, now.backlog_refusals, before.backlog_refusals),
            (Metric::CacheDiskEvacuated, now.evacuated, before.evacuated),
            (Metric::CacheDiskPinnedKept, now.pinned_kept, before.pinned_kept),
            (Metric::CacheDiskPinnedLost, now.pinned_lost, before.pinned_lost),
        ] {
            metrics.add(metric, now.saturating_sub(before));
        }
        if now.pinned_lost > 0 && before.pinned_lost == 0 {
            tracing::warn!(
                "more is pinned than a tenth of a disk: the rest is overwritten like other objects"
            );
        }
        for (metric, now) in [
            (Metric::CacheDiskObjects, now.documents),
            (Metric::CacheDiskBytes, now.log_bytes),
            (Metric::CacheDiskIndexBytes, now.index_bytes),
            (Metric::CacheDiskOnline, now.stripes),
            (Metric::CacheDiskOffline, now.offline),
        ] {
            metrics.set(metric, i64::try_from(now).unwrap_or(i64::MAX));
        }
        *before = now;
    }
}

/// Writes the journal anew, with what is remembered.
fn rewrite(journal: &mut Journal, all: &Purges) -> Result<(), DiskError> {
    let mut records = Vec::new();
    for entry in all.snapshot() {
        let mut bytes = Vec::new();
        purge::journal::append(&mut bytes, &entry);
        records.push(bytes);
    }
    journal.rewrite(records.iter().map(|bytes| (0, &bytes[..])))
}

impl Engine {
    /// Opens the cache's devices. What cannot be opened is told and left out: the server works without it.
    pub fn open_disk(&self, records: &Records, storage: &Storage, dir: &Path) -> Vec<Problem> {
        let (store, mut problems) = open::open(records, storage, dir);
        if let Some(store) = store {
            let path = open::journal_path(storage, dir);
            if let Err(error) = self.disk.open_journal(&path, self.store.purges()) {
                // Without it purges of earlier processes are unknown: what they may have hit is not to be found.
                store.clear();
                let file: Arc<str> = path.display().to_string().into();
                let message = format!("the purges are not known, the cache begins empty: {error}");
                problems.push(Problem::error(&file, 0, message));
            }
            // Opened once, at the start.
            let _: Result<(), _> = self.disk.store.set(Arc::new(store));
            self.disk.publish(&self.metrics);
        }
        problems
    }

    /// Writes what the disks do not have yet. Event threads must have ended.
    pub fn close_disk(&self) {
        let unfinished =
            std::mem::take(&mut *self.disk.unfinished.lock().unwrap_or_else(PoisonError::into_inner));
        unfinished.into_iter().for_each(Unfinished::keep);
        if let Some(store) = self.disk.store() {
            store.write_waiting(report);
            store.sync().iter().for_each(|(name, error)| tracing::error!("cache {name}: {error}"));
        }
    }
}

/// What a removal survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    /// A crash of this process.
    Crash,
    /// A failure of the machine, too. Takes as long as the disk takes.
    PowerFailure,
}

/// Returns when a removal would survive what it must.
pub(crate) async fn make_removal_last(engine: &Arc<Engine>, key: &CacheKey, what: Survives) {
    let Some(store) = engine.disk.store().cloned() else { return };
    let key = key.clone();
    let work = move || match what {
        Survives::Crash => store.note_removal(&key),
        Survives::PowerFailure => store.persist_removal(&key),
    };
    if let Some(Err(error)) = task::run(work).await {
        tracing::error!(
            "a removal is not on the disk, what was removed may come back after a crash: {error}"
        );
    }
}

/// Makes what lies on the disk under the key stale; returns when that would survive a failure of the machine. Tells how
/// many objects there are.
pub(crate) async fn soften(engine: &Arc<Engine>, key: &CacheKey) -> usize {
    let Some(store) = engine.disk.store().cloned() else { return 0 };
    let (engine, key, now) = (Arc::clone(engine), key.clone(), clock::unix_seconds());
    let work = move || {
        let purges = engine.store.purges();
        store.soften(&key, now, |object| purges.judge(&key, object.head().mark()) == Standing::Gone)
    };
    match task::run(work).await {
        Some(Ok(softened)) => softened,
        Some(Err(error)) => {
            tracing::error!("what was purged softly is removed from the disk: {error}");
            0
        }
        None => 0,
    }
}

/// Returns when a purge of many objects would survive a failure of the machine.
pub(crate) async fn make_purge_last(engine: &Arc<Engine>, purge: Purge) {
    if engine.disk.store().is_none() {
        return;
    }
    let engine = Arc::clone(engine);
    if task::run(move || engine.disk.write_down(&purge, engine.store.purges())).await.is_none() {
        tracing::error!(
            "a purge is not written down and will not hold after a restart: the process is ending"
        );
    }
}

/// Writes an object that was hit and would be overwritten soon anew, when there is time.
pub(crate) fn evacuate_behind(store: &Arc<DiskStore>, evacuation: Evacuation) {
    let store = Arc::clone(store);
    spawn_local(async move {
        if let Some(Err(error)) = task::run(move || store.evacuate(&evacuation)).await {
            tracing::warn!("an object in use is not written anew: {error}");
        }
    });
}

/// Every second: buffers are written, and indexes now and then.
pub(crate) fn maintain(thread: &Rc<EngineThread>) {
    let Some(store) = thread.engine.disk.store().cloned() else { return };
    let now = clock::unix_seconds();
    spawn_local(async move {
        let work = move || {
            store.write_waiting(report);
            store.maintain(now)
        };
        for (name, error) in task::run(work).await.unwrap_or_default() {
            tracing::error!("cache {name}: {error}");
        }
    });
}

/// Says what went wrong with an object that was being written.
fn report(key: &CacheKey, error: &DiskError) {
    match error {
        DiskError::Superseded | DiskError::TooLarge | DiskError::Offline => {
            tracing::debug!("{key:?} is not stored on a disk: {error}");
        }
        _ => tracing::warn!("{key:?} is not stored on a disk: {error}"),
    }
}
