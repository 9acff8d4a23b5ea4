//! A body that other transactions, or this one, are still fetching.
//!
//! Responsible for: reading a fill, from memory and from the disk, whole or in part; what was stored before around what
//! is being fetched.
//! Not responsible for: fetching (`txn::pump`), which bytes are wanted.
//! Invariant: a body whose bytes are lost ends with an error.

use super::DiskReader;
use crate::body::ResponseBody;
use bytes::Bytes;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tollgate_cache::disk::{DiskBody, DiskError};
use tollgate_cache::{Around, FillPiece, FillReader};
use tollgate_event::task::{self, Running};
use tollgate_plugin::BodyError;

/// Reads a fill.
pub(crate) struct FillBody {
    reader: FillReader,
    /// Bytes still wanted.
    left: u64,
    reading: Option<Running<Result<Bytes, DiskError>>>,
}

impl FillBody {
    /// All of it.
    pub(crate) fn new(reader: FillReader) -> FillBody {
        FillBody { reader, left: u64::MAX, reading: None }
    }

    /// The bytes of `range`, some or all of which may not have come yet.
    pub(crate) fn part(mut reader: FillReader, range: Range<u64>) -> FillBody {
        reader.skip_to(range.start);
        FillBody { reader, left: range.end.saturating_sub(range.start), reading: None }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            if self.left == 0 {
                return Poll::Ready(Ok(None));
            }
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                return Poll::Ready(match read {
                    Some(Ok(piece)) => Ok(Some(self.cut(piece))),
                    failed => {
                        if let Some(Err(error)) = failed {
                            tracing::warn!("a body that is being stored cannot be read: {error}");
                        }
                        Err(BodyError::Truncated)
                    }
                });
            }
            match ready!(self.reader.poll_piece(cx)) {
                Ok(Some(FillPiece::Memory(piece))) => return Poll::Ready(Ok(Some(self.cut(piece)))),
                Ok(Some(FillPiece::Disk(piece))) => self.reading = Some(task::start(move || piece.read())),
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(_) => return Poll::Ready(Err(BodyError::Truncated)),
            }
        }
    }

    /// What of the piece is wanted.
    fn cut(&mut self, mut piece: Bytes) -> Bytes {
        if piece.len() as u64 > self.left {
            piece.truncate(self.left as usize);
        }
        // All of it is `u64::MAX` bytes, and no body comes near that.
        self.left -= piece.len() as u64;
        piece
    }
}

/// A response of which some bytes are stored and the others are being fetched.
pub(crate) struct Patched {
    reader: FillReader,
    around: Arc<Around>,
}

impl Patched {
    pub(crate) fn new(reader: FillReader, around: Arc<Around>) -> Patched {
        Patched { reader, around }
    }

    /// The bytes of `range`.
    pub(crate) fn into_body(self, range: Range<u64>) -> ResponseBody {
        let Patched { reader, around } = self;
        Patched::join(&around, range, |missing| FillBody::part(reader, missing))
    }

    /// Leaves the pace to those that read the bodies of [`Self::part`].
    pub(crate) fn stand_by(mut self) -> Patched {
        self.reader.skip_to(u64::MAX);
        self
    }

    /// The bytes of `range`, of several.
    pub(crate) fn part(&self, range: Range<u64>) -> ResponseBody {
        match self.reader.another() {
            Some(reader) => Patched::join(&self.around, range, |missing| FillBody::part(reader, missing)),
            None => ResponseBody::Lost,
        }
    }

    fn join(around: &Around, range: Range<u64>, fill: impl FnOnce(Range<u64>) -> FillBody) -> ResponseBody {
        let fetched = |range: Range<u64>| ResponseBody::Fill(fill(range));
        patched(&around.body, &around.missing, range, fetched)
    }
}

/// The bytes of `range`: the ones of `stored`, and between them those that are `missing` there, of which `fetched` gives
/// the ones that it is asked for, counted from the first.
pub(crate) fn patched(
    stored: &Arc<DiskBody>,
    missing: &Range<u64>,
    range: Range<u64>,
    fetched: impl FnOnce(Range<u64>) -> ResponseBody,
) -> ResponseBody {
    let stored = |range: Range<u64>| {
        let is_there = range.start < range.end;
        is_there.then(|| ResponseBody::Disk(DiskReader::new(Arc::clone(stored), range)))
    };
    let before = range.start..range.end.min(missing.start);
    let behind = range.start.max(missing.end)..range.end;
    let (first, last) = (range.start.max(missing.start), range.end.min(missing.end));
    let fetched = (first < last).then(|| fetched(first - missing.start..last - missing.start));
    let parts = [stored(before), fetched, stored(behind)];
    ResponseBody::Sequence(parts.into_iter().flatten().collect())
}
