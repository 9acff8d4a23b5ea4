//! Where a response body comes from.
//!
//! Responsible for: one source for the tunnel, whatever produced the body; chains of plugin transforms.
//! Invariant: every variant but [`ResponseBody::Plugin`] can be polled, left, and polled again without loss.

use crate::disk::{DiskReader, FillBody, Patched};
use crate::origin::OriginBody;
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tollgate_cache::StoredObject;
use tollgate_cache::multipart::{Multipart, MultipartPart};
use tollgate_http::HeaderBlock;
use tollgate_plugin::{Body, BodyError, BodyTransform, LocalBoxFuture};

/// A response body being read.
pub(crate) enum ResponseBody {
    /// Nothing (more).
    Empty,
    /// One piece.
    Whole(Bytes),
    /// Part of a stored object's body, from a piece on.
    Stored { object: Arc<StoredObject>, next: usize },
    /// Pieces cut out of a stored object.
    Pieces(std::vec::IntoIter<Bytes>),
    /// Pieces that are there, then a body.
    Joined { first: std::vec::IntoIter<Bytes>, rest: Box<ResponseBody> },
    /// Part of a stored object's body that lies on the disk.
    Disk(DiskReader),
    /// Several ranges of a stored object.
    Ranges(Box<RangesBody>),
    /// A fetch shared with others.
    Fill(FillBody),
    /// Bodies one after another.
    Sequence(VecDeque<ResponseBody>),
    /// One that cannot be had any more.
    Lost,
    /// The origin's connection.
    Origin(Box<OriginBody>),
    /// Plugin code.
    Plugin(Box<dyn Body>),
}

impl ResponseBody {
    /// The bytes of `range` of a stored object.
    pub(crate) fn part_of(object: &StoredObject, range: std::ops::Range<u64>) -> ResponseBody {
        match object.body().on_disk() {
            Some(body) => ResponseBody::Disk(DiskReader::new(Arc::clone(body), range)),
            None => {
                let pieces: Vec<_> = object.body().slice(range).collect();
                ResponseBody::Pieces(pieces.into_iter())
            }
        }
    }

    /// Whether a pending read may be dropped.
    pub(crate) fn can_poll(&self) -> bool {
        match self {
            ResponseBody::Plugin(_) => false,
            ResponseBody::Joined { rest, .. } => rest.can_poll(),
            ResponseBody::Sequence(parts) => parts.iter().all(ResponseBody::can_poll),
            _ => true,
        }
    }

    /// The next piece of a body that can be polled.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            match self {
                ResponseBody::Empty | ResponseBody::Plugin(_) => return Poll::Ready(Ok(None)),
                ResponseBody::Whole(bytes) => {
                    let piece = std::mem::take(bytes);
                    *self = ResponseBody::Empty;
                    return Poll::Ready(Ok((!piece.is_empty()).then_some(piece)));
                }
                ResponseBody::Stored { object, next } => {
                    let piece = object.chunk(*next);
                    *next += 1;
                    match piece {
                        Some(piece) if piece.is_empty() => continue,
                        Some(piece) => return Poll::Ready(Ok(Some(piece))),
                        None => *self = ResponseBody::Empty,
                    }
                }
                ResponseBody::Pieces(pieces) => return Poll::Ready(Ok(pieces.next())),
                ResponseBody::Joined { first, rest } => match first.next() {
                    Some(piece) if piece.is_empty() => continue,
                    Some(piece) => return Poll::Ready(Ok(Some(piece))),
                    None => *self = std::mem::replace(&mut **rest, ResponseBody::Empty),
                },
                ResponseBody::Disk(reader) => return reader.poll_next(cx),
                ResponseBody::Ranges(body) => return body.poll_next(cx),
                ResponseBody::Fill(body) => return body.poll_next(cx),
                ResponseBody::Sequence(parts) => match parts.front_mut() {
                    Some(part) => match ready!(part.poll_next(cx))? {
                        Some(piece) => return Poll::Ready(Ok(Some(piece))),
                        None => _ = parts.pop_front(),
                    },
                    None => return Poll::Ready(Ok(None)),
                },
                ResponseBody::Lost => return Poll::Ready(Err(BodyError::Truncated)),
                ResponseBody::Origin(body) => {
                    let piece = ready!(body.poll_next(cx))?;
                    return Poll::Ready(Ok(piece));
                }
            }
        }
    }

    /// The next piece.
    pub(crate) async fn next_piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self {
            ResponseBody::Plugin(body) => body.next().await,
            ResponseBody::Joined { first, rest } if !rest.can_poll() => match first.next() {
                Some(piece) => Ok(Some(piece)),
                None => Box::pin(rest.next_piece()).await,
            },
            _ => poll_fn(|cx| self.poll_next(cx)).await,
        }
    }

    /// The trailers, after the end.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderBlock> {
        match self {
            ResponseBody::Origin(body) => body.take_trailers(),
            _ => None,
        }
    }
}

impl Body for ResponseBody {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(self.next_piece())
    }

    fn remaining(&self) -> Option<u64> {
        match self {
            ResponseBody::Empty => Some(0),
            ResponseBody::Whole(bytes) => Some(bytes.len() as u64),
            ResponseBody::Stored { object, next: 0 } => Some(object.body().len()),
            ResponseBody::Pieces(pieces) => Some(pieces.as_slice().iter().map(|p| p.len() as u64).sum()),
            ResponseBody::Disk(reader) => Some(reader.remaining()),
            ResponseBody::Ranges(body) => Some(body.remaining),
            ResponseBody::Origin(body) => body.remaining(),
            ResponseBody::Plugin(body) => body.remaining(),
            _ => None,
        }
    }
}

/// Ranges of a stored object, one after another, with the lines of their multipart frame.
pub(crate) struct RangesBody {
    source: RangesSource,
    /// Parts that have not begun.
    parts: std::vec::IntoIter<MultipartPart>,
    /// The bytes of the part that has.
    current: ResponseBody,
    /// What follows the last part.
    end: Bytes,
    remaining: u64,
}

/// Where several ranges come from.
pub(crate) enum RangesSource {
    /// A stored object.
    Stored(Arc<StoredObject>),
    /// One that is stored in part, and the fetch of what is missing.
    Patched(Patched),
}

impl RangesSource {
    fn part(&self, range: std::ops::Range<u64>) -> ResponseBody {
        match self {
            RangesSource::Stored(object) => ResponseBody::part_of(object, range),
            RangesSource::Patched(patched) => patched.part(range),
        }
    }
}

impl RangesBody {
    /// `frame`: around ranges of the body of `source`, which begins `offset` bytes behind what the frame counts from.
    pub(crate) fn new(source: RangesSource, frame: Multipart, offset: u64) -> RangesBody {
        let remaining = frame.len();
        let (mut parts, end) = frame.into_parts();
        for part in &mut parts {
            part.bytes = part.bytes.start.saturating_sub(offset)..part.bytes.end.saturating_sub(offset);
        }
        RangesBody { source, parts: parts.into_iter(), current: ResponseBody::Empty, end, remaining }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let piece = loop {
            match ready!(self.current.poll_next(cx))? {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => break piece,
                None => match self.parts.next() {
                    Some(part) => {
                        self.current = self.source.part(part.bytes);
                        break part.head;
                    }
                    // Empty once it was sent.
                    None => break std::mem::take(&mut self.end),
                },
            }
        };
        self.remaining = self.remaining.saturating_sub(piece.len() as u64);
        Poll::Ready(Ok((!piece.is_empty()).then_some(piece)))
    }
}

/// A transform with its input.
struct Transformed<'b> {
    input: Box<dyn Body + 'b>,
    transform: Box<dyn BodyTransform>,
}

impl Body for Transformed<'_> {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        let Transformed { input, transform } = self;
        Box::pin(async move {
            loop {
                match transform.next(&mut **input).await? {
                    Some(piece) if piece.is_empty() => {}
                    other => return Ok(other),
                }
            }
        })
    }
}

/// Puts `transforms` behind `source`, in order, and works out the length of the output.
pub(crate) fn transformed<'b>(
    source: Box<dyn Body + 'b>,
    length: Option<u64>,
    transforms: Vec<Box<dyn BodyTransform>>,
) -> (Box<dyn Body + 'b>, Option<u64>) {
    transforms.into_iter().fold((source, length), |(input, length), transform| {
        let length = transform.output_length(length);
        (Box::new(Transformed { input, transform }) as Box<dyn Body + 'b>, length)
    })
}
