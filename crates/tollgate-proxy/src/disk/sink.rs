//! Objects on their way to the disk, beside their delivery.

use super::report;
use crate::engine::Engine;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tollgate_cache::disk::{DiskStore, DiskWriter, Errand, Next, Reservation, Spill, WrittenPart};
use tollgate_cache::purge::Standing;
use tollgate_cache::{CacheKey, StoredHead, StoredObject};
use tollgate_event::{spawn_local, task, timer};

/// How long the first of some objects waits for others to be written with it.
const GATHERING_TIME: Duration = Duration::from_millis(10);

/// Takes a body as it arrives. A fault ends the writing, not the delivery.
pub(crate) struct DiskSink {
    engine: Arc<Engine>,
    key: CacheKey,
    head: Arc<StoredHead>,
    writer: Option<DiskWriter>,
    /// Where the body belongs in its whole, if what came before a fault may be kept.
    place: Option<WrittenPart>,
    /// Whether the body is not the whole one.
    is_part: bool,
    /// LIMIT: `max_doc_size`.
    room: u64,
}

/// A body that has not come to its end.
pub(crate) struct Unfinished {
    engine: Arc<Engine>,
    key: CacheKey,
    head: Arc<StoredHead>,
    writer: DiskWriter,
    place: WrittenPart,
}

impl Unfinished {
    /// What came is found from now on, as a part of the object. Blocks.
    pub(crate) fn keep(self) {
        let Unfinished { engine, key, head, writer, place } = self;
        settle(&engine, &key);
        let purges = engine.store.purges();
        let holds = |old: &StoredHead| {
            // What only became stale is the same version: the origin has just said so.
            old.mark().judged() <= purges.newest() && purges.judge(&key, old.mark()) != Standing::Gone
        };
        if let Err(error) = writer.keep(&head, place, holds) {
            report(&key, &error);
        }
    }
}

/// What came of the key before is written before what comes now. Blocks.
fn settle(engine: &Engine, key: &CacheKey) {
    if let Some(store) = engine.disk.store() {
        store.settle(key, report);
    }
}

impl Drop for DiskSink {
    /// When the server stops, fetches are dropped: what came of them is kept before the disks are closed.
    fn drop(&mut self) {
        if self.engine.is_draining()
            && let Some(unfinished) = self.unfinished()
        {
            self.engine.disk.keep_later(unfinished);
        }
    }
}

impl DiskSink {
    /// Takes what is stored under `writer`'s key from now on; `max_bytes`: larger bodies are not stored, 0: no limit.
    pub(crate) fn new(
        engine: Arc<Engine>,
        key: CacheKey,
        head: Arc<StoredHead>,
        writer: DiskWriter,
        max_bytes: u64,
    ) -> DiskSink {
        let room = if max_bytes == 0 { u64::MAX } else { max_bytes };
        DiskSink { engine, key, head, writer: Some(writer), place: None, is_part: false, room }
    }

    /// Says where the body belongs in its whole: what comes of it may be kept even if that is not all.
    #[must_use]
    pub(crate) fn at(mut self, place: Option<WrittenPart>) -> DiskSink {
        self.place = place;
        if place.is_some_and(|place| place.complete > self.room) {
            self.writer = None;
        }
        self
    }

    /// Says that the body is not the whole one.
    #[must_use]
    pub(crate) fn of_part(mut self) -> DiskSink {
        self.is_part = true;
        self
    }

    /// Whether the body is not the whole one: then only the disk keeps it.
    pub(crate) fn is_part(&self) -> bool {
        self.is_part
    }

    /// What is written so far.
    pub(crate) fn spill(&self) -> Option<&Arc<Spill>> {
        self.writer.as_ref().map(DiskWriter::spill)
    }

    /// Whether the object can still be stored.
    pub(crate) fn is_writing(&self) -> bool {
        self.writer.is_some()
    }

    /// Takes the next bytes of the body; waits while a fragment is being written.
    pub(crate) async fn take(&mut self, piece: Bytes) {
        let Some(mut writer) = self.writer.take() else { return };
        let Some(room) = self.room.checked_sub(piece.len() as u64) else { return };
        self.room = room;
        if !writer.push(piece) {
            self.writer = Some(writer);
            return;
        }
        let written = task::run(move || {
            let result = writer.write();
            (writer, result)
        });
        match written.await {
            Some((writer, Ok(()))) => self.writer = Some(writer),
            Some((_, Err(error))) => report(&self.key, &error),
            None => {}
        }
    }

    fn unfinished(&mut self) -> Option<Unfinished> {
        let (writer, place) = self.writer.take().zip(self.place)?;
        let (engine, key, head) = (Arc::clone(&self.engine), self.key.clone(), Arc::clone(&self.head));
        Some(Unfinished { engine, key, head, writer, place })
    }

    /// No more of the body will come: what came is found from now on, as a part of the object. Returns when it is, or
    /// cannot be.
    pub(crate) async fn keep(mut self) {
        if let Some(unfinished) = self.unfinished() {
            let _: Option<()> = task::run(move || unfinished.keep()).await;
        }
    }

    /// The body is not what it should be: nothing of it is kept.
    pub(crate) fn discard(mut self) {
        self.writer = None;
    }

    /// The body is complete: returns when the object is found on the disk, or cannot be.
    pub(crate) async fn commit(mut self) {
        if self.is_part {
            return self.keep().await;
        }
        let Some(writer) = self.writer.take() else { return };
        let (engine, head) = (Arc::clone(&self.engine), Arc::clone(&self.head));
        let written = task::run(move || {
            settle(&engine, writer.key());
            writer.commit(&head)
        });
        if let Some(Err(error)) = written.await {
            report(&self.key, &error);
        }
    }

    /// The body is complete and `object` in memory: the disk may have it later.
    pub(crate) fn commit_behind(mut self, object: Arc<StoredObject>) {
        let Some(store) = self.engine.disk.store().cloned() else { return };
        let Some(writer) = &self.writer else { return };
        let is_begun = !writer.spill().is_empty();
        let bytes = if is_begun { writer.gathered() as u64 } else { object.body().len() };
        let Some(room) = store.reserve(&self.key, bytes) else { return self.discard() };
        if !is_begun && let Some(writer) = self.writer.take() {
            return write_behind(&store, writer, object, room);
        }
        spawn_local(async move {
            self.commit().await;
            drop(room);
        });
    }
}

/// Has an object that is in memory written, with others that come meanwhile.
fn write_behind(store: &Arc<DiskStore>, writer: DiskWriter, object: Arc<StoredObject>, room: Reservation) {
    let start = |errand: Errand| {
        // Nobody waits for it: what is left when the server stops is written at the end.
        drop(task::start(move || errand.run(report)));
    };
    match store.write_behind(writer, object, room) {
        Next::Nothing => {}
        Next::Now(errand) => start(errand),
        Next::Soon(errand) => spawn_local(async move {
            timer::sleep(GATHERING_TIME).await;
            start(errand);
        }),
    }
}

/// Writes an object whose header has changed: at once if it is only on the disk, so that the next look-up finds the new
/// header; otherwise when there is time.
pub(crate) async fn update(
    store: &Arc<DiskStore>,
    key: &CacheKey,
    writer: DiskWriter,
    object: Arc<StoredObject>,
) {
    let is_only_there = object.body().on_disk().is_some();
    let room = store.reserve(key, if is_only_there { 0 } else { object.body().len() });
    let Some(room) = room else { return };
    if !is_only_there {
        return write_behind(store, writer, object, room);
    }
    let (key, store) = (key.clone(), Arc::clone(store));
    let written = task::run(move || {
        store.settle(writer.key(), report);
        writer.write_object(&object)
    });
    if let Some(Err(error)) = written.await {
        report(&key, &error);
    }
    drop(room);
}
