//! Bodies: sources, transforms and sinks.
//!
//! Responsible for: the pull interface. Whoever needs the next piece asks the last transform, which asks the one
//! before it, and so on to the source: back-pressure needs no buffers of its own.
//! Invariants: after `Ok(None)` or an error a body is not asked again.

use crate::LocalBoxFuture;
use bytes::Bytes;
use std::collections::VecDeque;

/// Why a body ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The sender closed or reset early.
    #[error("body ended early")]
    Truncated,
    /// The sender's framing is malformed.
    #[error("malformed body: {0}")]
    Malformed(String),
    /// No byte came in time.
    #[error("body timed out")]
    Timeout,
    /// The body is over a limit.
    #[error("body over the limit of {0} bytes")]
    TooLarge(u64),
    /// A transform or other plugin code failed.
    #[error("plugin failed: {0}")]
    Plugin(String),
}

/// A source of body bytes.
pub trait Body {
    /// The next piece, never empty; `None` at the end.
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>>;

    /// How many bytes are still to come, if that is known.
    fn remaining(&self) -> Option<u64> {
        None
    }
}

/// A body that is all there.
impl Body for VecDeque<Bytes> {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(async { Ok(self.pop_front()) })
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.iter().map(|b| b.len() as u64).sum())
    }
}

/// A body that is one piece or nothing.
impl Body for Bytes {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        let piece = std::mem::take(self);
        Box::pin(async move { Ok((!piece.is_empty()).then_some(piece)) })
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

/// Reads a body to its end; over `limit` bytes is an error.
pub async fn collect(body: &mut dyn Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut all = Vec::new();
    while let Some(piece) = body.next().await? {
        if all.len() + piece.len() > limit {
            return Err(BodyError::TooLarge(limit as u64));
        }
        if all.is_empty() && body.remaining() == Some(0) {
            return Ok(piece);
        }
        all.extend_from_slice(&piece);
    }
    Ok(Bytes::from(all))
}

/// Changes a body on its way (TS_HTTP_REQUEST_TRANSFORM_HOOK, TS_HTTP_RESPONSE_TRANSFORM_HOOK). Several form a
/// chain in the order in which they were added.
pub trait BodyTransform {
    /// The next piece of output, never empty; `None` at the end. Asks `input` as often as it needs; must not ask it
    /// again after its end.
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>>;

    /// The length of the output, given that of the input. `None`: unknown; the response is then sent chunked (or
    /// until close), a request chunked.
    fn output_length(&self, input_length: Option<u64>) -> Option<u64> {
        let _ = input_length;
        None
    }
}

/// A transform made of a function over pieces; the function may return an empty piece for "nothing yet". It is called
/// with `None` once at the end, for what remains.
pub struct MapPieces<F> {
    map: F,
    ended: bool,
}

impl<F: FnMut(Option<Bytes>) -> Result<Bytes, BodyError>> MapPieces<F> {
    /// A transform over `map`.
    pub fn new(map: F) -> Self {
        MapPieces { map, ended: false }
    }
}

impl<F: FnMut(Option<Bytes>) -> Result<Bytes, BodyError>> BodyTransform for MapPieces<F> {
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        Box::pin(async move {
            while !self.ended {
                let piece = input.next().await?;
                self.ended = piece.is_none();
                let output = (self.map)(piece)?;
                if !output.is_empty() {
                    return Ok(Some(output));
                }
            }
            Ok(None)
        })
    }
}

/// Sees a copy of the body that goes to the client (TS_HTTP_RESPONSE_CLIENT_HOOK).
pub trait DataSink {
    /// The next piece, in order.
    fn data(&mut self, piece: &Bytes);

    /// The body is over; `is_complete` tells whether it came to its end.
    fn end(&mut self, is_complete: bool);

    /// Whether the body is to be read to its end even if the client has left.
    fn outlives_client(&self) -> bool {
        false
    }
}
