//! The disk tier in a transaction.
//!
//! Responsible for: asking the disks when memory has nothing, taking small objects from there into memory, what writes
//! the response to the disk.
//! Not responsible for: the work itself (`crate::disk`).
//! Invariants: a request that memory can answer does not touch the disk tier; what is purged while it is being read
//! from the disk is not taken into memory.

use super::Exchange;
use crate::client::ClientStream;
use crate::disk::{self, DiskSink};
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::Arc;
use tollgate_cache::disk::{DiskError, DiskStore, DiskWriter, Sought, WrittenPart};
use tollgate_cache::part;
use tollgate_cache::purge::Standing;
use tollgate_cache::{CacheKey, InsertError, Lookup, StoredHead, StoredObject};
use tollgate_config::ids;
use tollgate_event::task;
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::CacheOutcome;

/// What a look-up that does not wait has found.
pub(super) enum OnDisk {
    /// This, or nothing.
    Known(Option<Arc<StoredObject>>),
    /// The disk has to be waited for.
    Waits,
}

impl<S: ClientStream> Exchange<'_, S> {
    /// The alternate for this request that lies on a disk, if nothing has to be waited for. A small one is in memory
    /// afterwards.
    pub(super) fn find_on_disk_now(&mut self, key: &CacheKey) -> OnDisk {
        let thread = Rc::clone(&self.thread);
        let Some((store, sought)) = thread.engine.disk.seek(key) else { return OnDisk::Known(None) };
        match sought.load_now(key) {
            Some(loaded) => OnDisk::Known(self.take_from_disk(key, store, &sought, loaded)),
            None => OnDisk::Waits,
        }
    }

    /// The alternate for this request that lies on a disk.
    async fn find_on_disk(&mut self, key: &CacheKey) -> Option<Arc<StoredObject>> {
        match self.find_on_disk_now(key) {
            OnDisk::Known(known) => known,
            OnDisk::Waits => self.await_disk(key).await,
        }
    }

    /// As [`Self::find_on_disk_now`], when that has said that the disk has to be waited for.
    pub(super) async fn await_disk(&mut self, key: &CacheKey) -> Option<Arc<StoredObject>> {
        let thread = Rc::clone(&self.thread);
        let (store, sought) = thread.engine.disk.seek(key)?;
        let (reader, wanted) = (Arc::clone(store), key.clone());
        let loaded = task::run(move || reader.load(&wanted)).await?;
        self.take_from_disk(key, store, &sought, loaded.map(SmallVec::from_vec))
    }

    /// What becomes of what was read.
    fn take_from_disk(
        &mut self,
        key: &CacheKey,
        store: &Arc<DiskStore>,
        sought: &Sought<'_>,
        loaded: Result<SmallVec<[StoredObject; 1]>, DiskError>,
    ) -> Option<Arc<StoredObject>> {
        let objects = match loaded {
            Ok(objects) => objects,
            Err(error) => {
                tracing::warn!("{key:?} cannot be read from the disk: {error}");
                return None;
            }
        };
        let purges = self.thread.engine.store.purges();
        let standing = |object: &StoredObject| purges.judge(key, object.head().mark());
        // Judged by a purge that nobody remembers: the journal is another one.
        let is_known = |object: &StoredObject| object.head().mark().judged() <= purges.newest();
        let left =
            objects.into_iter().filter(|object| is_known(object) && standing(object) != Standing::Gone);
        let left: SmallVec<[_; 1]> = left.map(Arc::new).collect();
        let object = self.choose(&left)?;
        if sought.is_removed() {
            return None;
        }
        self.thread.metrics.inc(Metric::CacheDiskHits);
        if let Some(evacuation) = store.evacuation_of(sought, key, &object) {
            disk::evacuate_behind(store, evacuation);
        }
        self.cache.forward = None;
        // Without memory there is nothing to take it into.
        if self.thread.engine.store.settings().budget_bytes == 0 {
            return Some(object);
        }
        self.promote(key, &object, &left);
        // Look again: a purge sees to the disk first and to memory then.
        if sought.is_removed() {
            self.thread.engine.store.remove(key);
            return None;
        }
        Some(object)
    }

    /// Takes what was chosen into memory, unless a newer one has come there meanwhile. If memory has nothing of the key,
    /// the other alternates come with it, so that later requests have the same choice.
    fn promote(&self, key: &CacheKey, chosen: &Arc<StoredObject>, all: &[Arc<StoredObject>]) {
        let store = &self.thread.engine.store;
        let insert = |object: &Arc<StoredObject>| {
            if object.body().on_disk().is_none() {
                // One that is too large for memory is served all the same; the store counts the refusal.
                let _: Result<(), InsertError> = store.insert(key, Arc::clone(object));
            }
        };
        if !store.contains(key) {
            all.iter().rev().for_each(insert);
        } else if !matches!(
            store.lookup_by(key, &self.txn.client_request, &self.cache.policy.negotiation),
            Lookup::Found(_)
        ) {
            insert(chosen);
        }
    }

    /// An object in memory was hit: what is used lies on the disk for longer, too.
    #[inline]
    pub(super) fn note_hit(&self, object: &Arc<StoredObject>) {
        if let Some(store) = self.thread.engine.disk.store()
            && self.thread.samples_hit()
            && let Some(key) = &self.cache.key
            && let Some(evacuation) = store.evacuation(key, object)
        {
            disk::evacuate_behind(store, evacuation);
        }
    }

    /// A fresh object that another transaction's fetch has put on a disk, and only there.
    pub(super) async fn stored_on_disk_meanwhile(&mut self) -> Option<Arc<StoredObject>> {
        let key = self.cache.key.clone()?;
        let object = self.find_on_disk(&key).await?;
        if object.head().is_part() || !self.freshness(&object).is_fresh() {
            return None;
        }
        self.cache.stale = None;
        self.txn.cache_outcome = CacheOutcome::Hit;
        Some(object)
    }

    /// What would write the response of a fetch that begins now.
    pub(super) fn disk_writer(&self) -> Option<Box<DiskWriter>> {
        self.thread.engine.disk.store()?.writer(self.cache.key.as_ref()?).map(Box::new)
    }

    /// What writes the response to the disk while it is delivered. `is_kept_in_part`: what comes of it is kept if that
    /// is not all.
    pub(super) fn disk_sink(&mut self, head: &Arc<StoredHead>, is_kept_in_part: bool) -> Option<DiskSink> {
        self.cache.disk.as_ref()?;
        let place = if is_kept_in_part { part::place_of(head) } else { None };
        self.disk_sink_at(head, place)
    }

    /// The same. `place`: where the body belongs in the whole, if it may be kept in part.
    pub(super) fn disk_sink_at(
        &mut self,
        head: &Arc<StoredHead>,
        place: Option<WrittenPart>,
    ) -> Option<DiskSink> {
        // A part that cannot be joined with others is for memory.
        let writer = self.cache.disk.take().filter(|_| !head.is_part() || place.is_some())?;
        let engine = &self.thread.engine;
        let key = self.cache.key.clone()?;
        let most = u64::try_from(self.txn.records.int(ids::CACHE_MAX_DOC_SIZE)).unwrap_or(0);
        let sink = DiskSink::new(Arc::clone(engine), key, Arc::clone(head), *writer, most).at(place);
        Some(if head.is_part() { sink.of_part() } else { sink })
    }

    /// Has the disk take over an object that is in memory already, when there is time.
    pub(super) fn store_on_disk_soon(&self, key: &CacheKey, object: &Arc<StoredObject>) {
        let Some(store) = self.thread.engine.disk.store() else { return };
        let Some(writer) = store.writer(key).filter(|_| !object.head().is_part()) else { return };
        let (store, key, object) = (Arc::clone(store), key.clone(), Arc::clone(object));
        tollgate_event::spawn_local(async move { disk::update(&store, &key, writer, object).await });
    }

    /// Bytes of the largest body that is stored; 0: no limit.
    pub(super) fn largest_stored(&self) -> u64 {
        match self.thread.engine.disk.store() {
            Some(_) => u64::try_from(self.txn.records.int(ids::CACHE_MAX_DOC_SIZE)).unwrap_or(0),
            None => self.thread.engine.store.settings().cutoff_bytes,
        }
    }
}
