//! The writing side of a fill: the transaction that fetches.

use super::state::{End, Fill, Header, register};
use super::{AbortReason, Around, Collapser, FillLimits, FillReader};
use crate::disk::Spill;
use crate::key::CacheKey;
use crate::object::{Body, StoredHead, StoredObject};
use bytes::Bytes;
use std::cell::OnceCell;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Publishes a response to all readers of a fill. Dropping it without [`finish`](Self::finish) aborts the fill.
#[derive(Debug)]
pub struct FillWriter {
    /// Made at first use: a response that nobody waits for is often not to be shared, and needs none.
    fill: OnceCell<Arc<Fill>>,
    limits: FillLimits,
    /// Where the fill can be joined, as long as it can.
    entry: Option<(Collapser, CacheKey)>,
    ended: bool,
}

impl FillWriter {
    /// A writer that others may join by `entry`.
    pub(super) fn joined(fill: Arc<Fill>, entry: (Collapser, CacheKey)) -> FillWriter {
        FillWriter { limits: fill.limits, fill: OnceCell::from(fill), entry: Some(entry), ended: false }
    }

    /// A writer that nobody can join.
    pub(super) fn alone(limits: FillLimits) -> FillWriter {
        FillWriter { fill: OnceCell::new(), limits, entry: None, ended: false }
    }

    fn fill(&self) -> &Arc<Fill> {
        self.fill.get_or_init(|| Arc::new(Fill::new(self.limits)))
    }

    /// A reader from the first byte on, for the leader's own client; `None` after an overflow.
    pub fn reader(&self) -> Option<FillReader> {
        Fill::attach(self.fill())
    }

    /// Makes the header known to all followers.
    pub fn publish_header(&self, head: Arc<StoredHead>) {
        self.fill().change(|state, wakers| {
            state.header = Header::Known(head);
            state.wake_readers(wakers);
        });
    }

    /// Appends body bytes. They should not be a slice of a much larger buffer: readers may keep them long.
    pub fn append(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        let limits = self.limits;
        let overflows = self.fill().change(|state, wakers| {
            state.total_bytes += chunk.len() as u64;
            state.chunks.push_back(chunk);
            let overflows = !state.overflowed && state.total_bytes > limits.max_object_bytes;
            state.overflowed |= overflows;
            state.release_passed(&limits, wakers);
            state.wake_readers(wakers);
            overflows && !state.spills
        });
        if overflows {
            self.leave();
        }
    }

    /// The body that will be appended comes to `spill`, too, piece after piece: after [`Self::note_spilled`] memory need
    /// not have it any more.
    pub fn spill_to(&self, spill: &Arc<Spill>) {
        let mut state = self.fill().lock();
        (state.spill, state.spills) = (Some(Arc::clone(spill)), true);
    }

    /// More has come to the spill.
    pub fn note_spilled(&mut self) {
        let limits = self.limits;
        let closes = self.fill().change(|state, wakers| {
            let Some(spill) = state.spill.as_ref().filter(|_| state.spills) else { return false };
            if !spill.is_lasting() {
                return true;
            }
            state.spilled_bytes = spill.len();
            state.release_passed(&limits, wakers);
            false
        });
        if closes {
            self.end_spill();
        }
    }

    /// Nothing more comes to the spill: what is not there yet is kept for all readers.
    pub fn end_spill(&mut self) {
        let limits = self.limits;
        let overflowed = self.fill().change(|state, wakers| {
            state.spills = false;
            state.release_passed(&limits, wakers);
            state.overflowed
        });
        if overflowed {
            self.leave();
        }
    }

    /// The fill has only the missing bytes of a response; what is stored is around them. It never becomes an object of
    /// its own. To be called before the header is published.
    pub fn fills_gap(&mut self, around: Around) -> Arc<Around> {
        let around = Arc::new(around);
        let leaves = {
            let mut state = self.fill().lock();
            state.around = Some(Arc::clone(&around));
            state.overflowed = true;
            !state.spills
        };
        if leaves {
            self.leave();
        }
        around
    }

    /// Streams without keeping from now on: as if the object had outgrown its limit. For a response that may be
    /// shared by those already waiting but is known to be too large to store.
    pub fn overflow(&mut self) {
        let limits = self.limits;
        self.fill().change(|state, wakers| {
            state.overflowed = true;
            state.release_passed(&limits, wakers);
        });
        self.leave();
    }

    /// Whether the object has outgrown its limit and can no longer be stored.
    pub fn has_overflowed(&self) -> bool {
        self.fill().lock().overflowed
    }

    /// Whether the object is still whole in memory when `more` bytes are appended.
    pub fn keeps(&self, more: u64) -> bool {
        let state = self.fill().lock();
        !state.overflowed && state.total_bytes + more <= self.limits.max_object_bytes
    }

    /// Bytes appended so far.
    pub fn total_bytes(&self) -> u64 {
        self.fill().lock().total_bytes
    }

    /// Ready when the next chunk may be appended: at once, except after an overflow when the slowest reader is a
    /// whole window behind.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.fill().lock();
        if state.is_ready(&self.limits) {
            return Poll::Ready(());
        }
        register(&mut state.writer_waker, cx);
        Poll::Pending
    }

    /// Whether any reader or follower is attached.
    pub fn has_readers(&self) -> bool {
        self.fill.get().is_some_and(|fill| fill.lock().has_readers())
    }

    /// Ready when no reader or follower is attached.
    pub fn poll_no_readers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.fill().lock();
        if !state.has_readers() {
            return Poll::Ready(());
        }
        register(&mut state.idle_waker, cx);
        Poll::Pending
    }

    /// The body is complete. The object is given to `store` before any reader learns of the end, so that a client
    /// that has read to the end and asks again finds it stored. `None`, and `store` is not called, after an
    /// overflow or without a header: there is nothing to store.
    pub fn finish(mut self, store: impl FnOnce(&Arc<StoredObject>)) -> Option<Arc<StoredObject>> {
        let object = self.so_far().map(|(head, chunks)| {
            Arc::new(StoredObject::new(StoredHead::clone(&head), Body::from_chunks(&chunks)))
        });
        if let Some(object) = &object {
            store(object);
        }
        self.end(End::Complete);
        object
    }

    /// Gives a complete object to all readers: the stored one, after a 304 or a second look-up found it. If its body
    /// lies on the disk they are released instead, to find it there themselves.
    pub fn finish_with(mut self, object: &Arc<StoredObject>) {
        if object.body().on_disk().is_some() {
            return self.end(End::Aborted(AbortReason::Cancelled));
        }
        self.fill().change(|state, wakers| {
            state.header = Header::Known(Arc::new(object.head().clone()));
            state.chunks.extend((0..).map_while(|n| object.chunk(n)).filter(|c| !c.is_empty()));
            state.total_bytes += object.body().len();
            state.wake_readers(wakers);
        });
        self.end(End::Complete);
    }

    /// The header and all that came so far, if it is still whole in memory.
    pub fn so_far(&self) -> Option<(Arc<StoredHead>, Vec<Bytes>)> {
        let state = self.fill().lock();
        match &state.header {
            Header::Known(head) if !state.overflowed => {
                Some((Arc::clone(head), state.chunks.iter().cloned().collect()))
            }
            _ => None,
        }
    }

    /// Ends the fill early: readers get the bytes so far and then the error.
    pub fn abort(mut self, reason: AbortReason) {
        self.end(End::Aborted(reason));
    }

    /// The response is not to be shared: followers are released at once and go to the origin themselves.
    pub fn uncacheable(mut self) {
        self.leave();
        if let Some(fill) = self.fill.get() {
            fill.change(|state, wakers| {
                state.header = Header::Uncacheable;
                state.wake_readers(wakers);
            });
        }
        self.end(End::Aborted(AbortReason::Cancelled));
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        self.leave();
        let Some(fill) = self.fill.get() else { return };
        fill.change(|state, wakers| {
            state.end = end;
            state.writer_waker = None;
            state.idle_waker = None;
            state.wake_readers(wakers);
        });
    }

    fn leave(&mut self) {
        if let Some((collapser, key)) = self.entry.take() {
            collapser.leave(&key, self.fill());
        }
    }
}

impl Drop for FillWriter {
    fn drop(&mut self) {
        if !self.ended {
            self.end(End::Aborted(AbortReason::WriterDropped));
        }
    }
}
