//! The state of one fill, shared by its writer and its readers.
//!
//! Invariants: `chunks` has the bytes from `released_bytes` on; a reader behind that finds its bytes in `spill`; wakers
//! are taken out under the lock and woken after it.

use super::{AbortReason, Around, FillLimits, FillPiece};
use crate::disk::Spill;
use crate::object::StoredHead;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};

/// The header as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Header {
    Awaited,
    Known(Arc<StoredHead>),
    Uncacheable,
}

impl ReaderState {
    pub(super) fn go_to(&mut self, position: u64) {
        (self.position, self.next_chunk) = (position, None);
    }
}

/// Whether more chunks will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Complete,
    Aborted(AbortReason),
}

/// One attached reader.
#[derive(Debug, Default)]
pub(super) struct ReaderState {
    /// The byte it takes next; it may not have come yet.
    pub(super) position: u64,
    /// Number of the chunk that begins there, if it is known.
    next_chunk: Option<u64>,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) header: Header,
    pub(super) end: End,
    pub(super) chunks: VecDeque<Bytes>,
    first_chunk: u64,
    /// Bytes of the chunks that have gone.
    released_bytes: u64,
    pub(super) total_bytes: u64,
    /// Too large to keep: chunks go once all readers have passed them.
    pub(super) overflowed: bool,
    /// The bytes that are on a disk.
    pub(super) spill: Option<Arc<Spill>>,
    /// All bytes come to `spill`: readers may lag, and begin at any time.
    pub(super) spills: bool,
    /// Bytes that may go from memory because they are in `spill`.
    pub(super) spilled_bytes: u64,
    /// What of the whole response is not in this fill.
    pub(super) around: Option<Arc<Around>>,
    pub(super) readers: SmallVec<[Option<ReaderState>; 2]>,
    pub(super) writer_waker: Option<Waker>,
    pub(super) idle_waker: Option<Waker>,
}

/// Wakers to be woken after the lock.
pub(super) type Wakers = SmallVec<[Waker; 4]>;

#[derive(Debug)]
pub(super) struct Fill {
    state: Mutex<State>,
    pub(super) limits: FillLimits,
}

impl Fill {
    pub(super) fn new(limits: FillLimits) -> Fill {
        let state = State {
            header: Header::Awaited,
            end: End::Open,
            chunks: VecDeque::new(),
            first_chunk: 0,
            released_bytes: 0,
            total_bytes: 0,
            overflowed: false,
            spill: None,
            spills: false,
            spilled_bytes: 0,
            around: None,
            readers: SmallVec::new(),
            writer_waker: None,
            idle_waker: None,
        };
        Fill { state: Mutex::new(state), limits }
    }

    /// A new reader at the first byte; `None` if that byte cannot be had or the fill has ended without an object.
    pub(super) fn attach(fill: &Arc<Fill>) -> Option<super::FillReader> {
        let mut state = fill.lock();
        // An end leaves what is on the disk where it is.
        let is_whole = !state.overflowed || state.spills;
        let gone =
            !is_whole || matches!(state.header, Header::Uncacheable) || matches!(state.end, End::Aborted(_));
        if gone {
            return None;
        }
        let number = state.add_reader();
        drop(state);
        Some(super::FillReader::new(Arc::clone(fill), number))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes the state and wakes whom `change` names, after the lock.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State, &mut Wakers) -> R) -> R {
        let mut wakers = Wakers::new();
        let result = change(&mut self.lock(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl State {
    fn add_reader(&mut self) -> usize {
        let free = self.readers.iter().position(Option::is_none);
        let reader = Some(ReaderState::default());
        match free {
            Some(number) => {
                self.readers[number] = reader;
                number
            }
            None => {
                self.readers.push(reader);
                self.readers.len() - 1
            }
        }
    }

    pub(super) fn reader_mut(&mut self, number: usize) -> Option<&mut ReaderState> {
        self.readers.get_mut(number)?.as_mut()
    }

    pub(super) fn has_readers(&self) -> bool {
        self.readers.iter().any(Option::is_some)
    }

    /// Notes that this reader waits.
    pub(super) fn wait_as_reader(&mut self, number: usize, cx: &Context<'_>) {
        if let Some(reader) = self.reader_mut(number) {
            register(&mut reader.waker, cx);
        }
    }

    /// Takes the wakers of all waiting readers.
    pub(super) fn wake_readers(&mut self, wakers: &mut Wakers) {
        wakers.extend(self.readers.iter_mut().flatten().filter_map(|r| r.waker.take()));
    }

    /// Detaches a reader; may free chunks and let the writer go on.
    pub(super) fn remove_reader(&mut self, number: usize, limits: &FillLimits, wakers: &mut Wakers) {
        if let Some(reader) = self.readers.get_mut(number) {
            *reader = None;
        }
        self.release_passed(limits, wakers);
        if !self.has_readers() {
            wakers.extend(self.idle_waker.take());
        }
    }

    /// What a reader gets next.
    pub(super) fn next_of(&mut self, number: usize) -> Next {
        let Some(reader) = self.readers.get_mut(number).and_then(Option::as_mut) else { return Next::Gone };
        if reader.position < self.released_bytes {
            let Some(piece) = self.spill.as_ref().and_then(|spill| spill.piece_at(reader.position)) else {
                return Next::Gone;
            };
            (reader.position, reader.next_chunk) = (reader.position + piece.len(), None);
            return Next::Piece(FillPiece::Disk(piece));
        }
        if let Some(next) = reader.next_chunk {
            let Some(chunk) = self.chunks.get(next.saturating_sub(self.first_chunk) as usize) else {
                return Next::Awaited;
            };
            reader.position += chunk.len() as u64;
            reader.next_chunk = Some(next + 1);
            return Next::Piece(FillPiece::Memory(chunk.clone()));
        }
        let mut start = self.released_bytes;
        for (number, chunk) in (self.first_chunk..).zip(&self.chunks) {
            let end = start + chunk.len() as u64;
            if reader.position < end {
                let piece = chunk.slice((reader.position - start) as usize..);
                (reader.position, reader.next_chunk) = (end, Some(number + 1));
                return Next::Piece(FillPiece::Memory(piece));
            }
            start = end;
        }
        Next::Awaited
    }

    /// After overflow: drops the chunks that every reader has passed, and those beyond the window that are on the disk;
    /// wakes a paced writer that may go on.
    pub(super) fn release_passed(&mut self, limits: &FillLimits, wakers: &mut Wakers) {
        if !self.overflowed {
            return;
        }
        let slowest = self.readers.iter().flatten().map(|r| r.position).min().unwrap_or(u64::MAX);
        while let Some(chunk) = self.chunks.front() {
            let end = self.released_bytes + chunk.len() as u64;
            let is_spilled = end <= self.spilled_bytes;
            let is_passed = end <= slowest && (is_spilled || !self.spills);
            let is_too_much = is_spilled && self.total_bytes - self.released_bytes > limits.window_bytes;
            if !is_passed && !is_too_much {
                break;
            }
            self.chunks.pop_front();
            self.first_chunk += 1;
            self.released_bytes = end;
        }
        if self.is_ready(limits) {
            wakers.extend(self.writer_waker.take());
        }
    }

    /// Whether the writer may append now.
    pub(super) fn is_ready(&self, limits: &FillLimits) -> bool {
        let slowest = self.readers.iter().flatten().map(|r| r.position).min();
        let lag = slowest.map_or(0, |position| self.total_bytes.saturating_sub(position));
        !self.overflowed || self.spills || lag < limits.window_bytes
    }
}

/// What a reader gets.
pub(super) enum Next {
    Piece(FillPiece),
    /// Nothing yet.
    Awaited,
    /// Its bytes are lost.
    Gone,
}

/// Keeps the task's waker, without cloning one that is already there.
pub(super) fn register(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}
