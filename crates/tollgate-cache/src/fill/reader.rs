//! The reading side of a fill: the leader's own client and the transactions that wait for the same object.

use super::state::{End, Fill, Header, Next};
use super::{AbortReason, FillAborted};
use crate::disk::{DiskBody, SpilledPiece};
use crate::negotiate::Negotiation;
use crate::object::StoredHead;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use tollgate_http::HeaderBlock;

/// The response's `Vary` does not let this request share it: it goes to the origin itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shared response was chosen by other request fields")]
pub struct VaryMismatch;

/// What a follower waited for.
#[derive(Clone, Debug)]
pub enum FollowerStart {
    /// The header; [`FillFollower::into_reader`] gives the body.
    Header(Arc<StoredHead>),
    /// The response is not to be shared: go to the origin, without joining again.
    Uncacheable,
    /// The fetch failed before its header: join again or go to the origin.
    Aborted(AbortReason),
}

/// A transaction that waits for another one's response header.
#[derive(Debug)]
pub struct FillFollower {
    reader: FillReader,
}

impl FillFollower {
    pub(super) fn new(reader: FillReader) -> FillFollower {
        FillFollower { reader }
    }

    pub(super) fn fill(&self) -> &Arc<Fill> {
        &self.reader.fill
    }

    /// Ready with the header, or with the news that there will be none.
    pub fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<FollowerStart> {
        let mut state = self.reader.fill.lock();
        let start = match (&state.header, state.end) {
            (Header::Known(head), _) => FollowerStart::Header(Arc::clone(head)),
            (Header::Uncacheable, _) => FollowerStart::Uncacheable,
            (Header::Awaited, End::Aborted(reason)) => FollowerStart::Aborted(reason),
            (Header::Awaited, End::Complete) => FollowerStart::Aborted(AbortReason::WriterDropped),
            (Header::Awaited, End::Open) => {
                state.wait_as_reader(self.reader.number, cx);
                return Poll::Pending;
            }
        };
        Poll::Ready(start)
    }

    /// Whether the header is there, so that the body can be read while it is written.
    pub fn has_header(&self) -> bool {
        self.reader.head().is_some()
    }

    /// The header, if it is there, of a fill that has the whole body.
    pub fn head_of_whole(&self) -> Option<Arc<StoredHead>> {
        let state = self.reader.fill.lock();
        match &state.header {
            Header::Known(head) if state.around.is_none() => Some(Arc::clone(head)),
            _ => None,
        }
    }

    /// Bytes that have come.
    pub fn total_bytes(&self) -> u64 {
        self.reader.fill.lock().total_bytes
    }

    /// The body, if a request with these fields may share the response whose header is known by now.
    pub fn into_reader(
        self,
        request: &HeaderBlock,
        negotiation: &Negotiation,
    ) -> Result<FillReader, VaryMismatch> {
        let shares = match &self.reader.fill.lock().header {
            Header::Known(head) => head.matches_by(request, negotiation),
            _ => false,
        };
        if shares { Ok(self.reader) } else { Err(VaryMismatch) }
    }
}

/// Bytes of a fill's body.
#[derive(Clone, Debug)]
pub enum FillPiece {
    /// Here they are.
    Memory(Bytes),
    /// They are on the disk, to be read where that may block.
    Disk(SpilledPiece),
}

/// The bytes of a response that were stored before: its fill has only those that were missing.
#[derive(Debug)]
pub struct Around {
    /// What is stored.
    pub body: Arc<DiskBody>,
    /// The bytes that the fill has.
    pub missing: Range<u64>,
}

/// Reads a fill's body from its first byte. Dropping it detaches it.
#[derive(Debug)]
pub struct FillReader {
    fill: Arc<Fill>,
    number: usize,
}

impl FillReader {
    pub(super) fn new(fill: Arc<Fill>, number: usize) -> FillReader {
        FillReader { fill, number }
    }

    /// The header, once it is published.
    pub fn head(&self) -> Option<Arc<StoredHead>> {
        match &self.fill.lock().header {
            Header::Known(head) => Some(Arc::clone(head)),
            _ => None,
        }
    }

    /// What of the whole response is not in this fill; `None`: nothing.
    pub fn around(&self) -> Option<Arc<Around>> {
        self.fill.lock().around.clone()
    }

    /// Another reader of the same fill, at its first byte; `None` if that byte cannot be had any more.
    pub fn another(&self) -> Option<FillReader> {
        Fill::attach(&self.fill)
    }

    /// Goes on from byte `position`, which may not have come yet.
    pub fn skip_to(&mut self, position: u64) {
        if let Some(reader) = self.fill.lock().reader_mut(self.number) {
            reader.go_to(position);
        }
    }

    /// The next piece, `None` after the last one, the error after the last piece of an aborted fill.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<FillPiece>, FillAborted>> {
        let (number, limits) = (self.number, self.fill.limits);
        self.fill.change(|state, wakers| {
            match state.next_of(number) {
                Next::Piece(piece) => {
                    state.release_passed(&limits, wakers);
                    return Poll::Ready(Ok(Some(piece)));
                }
                Next::Gone => return Poll::Ready(Err(FillAborted { reason: AbortReason::Cancelled })),
                Next::Awaited => {}
            }
            match state.end {
                End::Complete => Poll::Ready(Ok(None)),
                End::Aborted(reason) => Poll::Ready(Err(FillAborted { reason })),
                End::Open => {
                    state.wait_as_reader(number, cx);
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for FillReader {
    fn drop(&mut self) {
        let (number, limits) = (self.number, self.fill.limits);
        self.fill.change(|state, wakers| state.remove_reader(number, &limits, wakers));
    }
}
