//! The state of one fill, shared by its writer and its readers.
//!
//! Invariants: `first_chunk` is the number of the chunk at the front of `chunks`; no reader is behind it; wakers
//! are taken out under the lock and woken after it.

use super::{AbortReason, FillLimits};
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
    /// Number of the chunk it takes next.
    pub(super) next_chunk: u64,
    /// Bytes it has taken.
    pub(super) taken_bytes: u64,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) header: Header,
    pub(super) end: End,
    pub(super) chunks: VecDeque<Bytes>,
    pub(super) first_chunk: u64,
    pub(super) total_bytes: u64,
    /// Too large to keep: chunks go once all readers have passed them.
    pub(super) overflowed: bool,
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
            total_bytes: 0,
            overflowed: false,
            readers: SmallVec::new(),
            writer_waker: None,
            idle_waker: None,
        };
        Fill { state: Mutex::new(state), limits }
    }

    /// A new reader at the first byte; `None` if that byte is gone or the fill has ended without an object.
    pub(super) fn attach(fill: &Arc<Fill>) -> Option<super::FillReader> {
        let mut state = fill.lock();
        let gone = state.overflowed
            || matches!(state.header, Header::Uncacheable)
            || matches!(state.end, End::Aborted(_));
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

    /// After overflow: drops the chunks that every reader has passed and wakes a paced writer that may go on.
    pub(super) fn release_passed(&mut self, limits: &FillLimits, wakers: &mut Wakers) {
        if !self.overflowed {
            return;
        }
        let end = self.first_chunk + self.chunks.len() as u64;
        let slowest = self.readers.iter().flatten().map(|r| r.next_chunk).min().unwrap_or(end);
        while self.first_chunk < slowest && self.chunks.pop_front().is_some() {
            self.first_chunk += 1;
        }
        if self.is_ready(limits) {
            wakers.extend(self.writer_waker.take());
        }
    }

    /// Whether the writer may append now.
    pub(super) fn is_ready(&self, limits: &FillLimits) -> bool {
        let slowest = self.readers.iter().flatten().map(|r| r.taken_bytes).min();
        !self.overflowed || slowest.is_none_or(|taken| self.total_bytes - taken < limits.window_bytes)
    }
}

/// Keeps the task's waker, without cloning one that is already there.
pub(super) fn register(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}
