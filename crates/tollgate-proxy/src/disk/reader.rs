//! A body on its way from the disk to the client.

use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tollgate_cache::disk::{DiskBody, DiskError};
use tollgate_event::task::{self, Running};
use tollgate_plugin::BodyError;

/// LIMIT: fragments that are read ahead or wait to be sent.
const AHEAD: usize = 2;

/// Reads part of a body, fragment by fragment, some ahead.
pub(crate) struct DiskReader {
    body: Arc<DiskBody>,
    range: Range<u64>,
    /// Fragments not asked for yet.
    numbers: Range<usize>,
    reading: VecDeque<Running<Result<Bytes, DiskError>>>,
    delivered: u64,
}

impl DiskReader {
    pub(crate) fn new(body: Arc<DiskBody>, range: Range<u64>) -> DiskReader {
        let numbers = body.fragments_of(&range);
        DiskReader { body, range, numbers, reading: VecDeque::new(), delivered: 0 }
    }

    /// Bytes still to come.
    pub(crate) fn remaining(&self) -> u64 {
        (self.range.end - self.range.start).saturating_sub(self.delivered)
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        while self.reading.len() < AHEAD
            && let Some(number) = self.numbers.next()
        {
            let (body, range) = (Arc::clone(&self.body), self.range.clone());
            self.reading.push_back(task::start(move || body.read(number, &range)));
        }
        let Some(first) = self.reading.front_mut() else { return Poll::Ready(Ok(None)) };
        let read = ready!(Pin::new(first).poll(cx));
        self.reading.pop_front();
        match read {
            Some(Ok(piece)) => {
                self.delivered += piece.len() as u64;
                Poll::Ready(Ok(Some(piece)))
            }
            failed => {
                if let Some(Err(error)) = failed {
                    tracing::warn!("a stored body cannot be read on: {error}");
                }
                (self.numbers, self.reading) = (0..0, VecDeque::new());
                Poll::Ready(Err(BodyError::Truncated))
            }
        }
    }
}
