//! A plugin's own request: the client side of an internal transaction.
//!
//! Responsible for: handing the prepared request to the transaction and its response to the plugin, piece by piece
//! with back-pressure (one piece in flight).
//! Invariant: when the plugin drops the response, the transaction sees its client gone.

use super::{ClientGone, ClientStream, Duplex, OutFraming, RequestError};
use bytes::Bytes;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tollgate_config::records::TxnRecords;
use tollgate_http::framing::Framing;
use tollgate_http::{HeaderBlock, Request, Response};
use tollgate_plugin::{Body, BodyError, FetchError, FetchResponse, LocalBoxFuture};

#[derive(Default)]
struct Pipe {
    head: Option<Response>,
    piece: Option<Bytes>,
    /// The transaction will send no more; `Ok` if the body came to its end.
    ended: Option<Result<(), BodyError>>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

/// The transaction's end.
pub(crate) struct InternalClient {
    request: Option<Request>,
    body: Bytes,
    pipe: Rc<RefCell<Pipe>>,
    sent: u64,
}

/// The plugin's end.
pub(crate) struct InternalReader(Rc<RefCell<Pipe>>);

/// Both ends for one request.
pub(crate) fn pair(request: Request, body: Bytes) -> (InternalClient, InternalReader) {
    let pipe = Rc::<RefCell<Pipe>>::default();
    (InternalClient { request: Some(request), body, pipe: Rc::clone(&pipe), sent: 0 }, InternalReader(pipe))
}

impl InternalReader {
    /// Waits for the response header.
    pub(crate) async fn response(self) -> Result<FetchResponse, FetchError> {
        let head = poll_fn(|cx| {
            let mut pipe = self.0.borrow_mut();
            match (pipe.head.take(), &pipe.ended) {
                (Some(head), _) => Poll::Ready(Ok(head)),
                (None, Some(_)) => Poll::Ready(Err(FetchError::NoResponse)),
                (None, None) => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        });
        let response = head.await?;
        Ok(FetchResponse { response, body: Box::new(self) })
    }
}

impl Body for InternalReader {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(poll_fn(|cx| {
            let mut pipe = self.0.borrow_mut();
            if let Some(piece) = pipe.piece.take() {
                if let Some(waker) = pipe.writer.take() {
                    waker.wake();
                }
                return Poll::Ready(Ok(Some(piece)));
            }
            match pipe.ended.clone() {
                Some(end) => Poll::Ready(end.map(|()| None)),
                None => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

impl Drop for InternalReader {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.reader_gone = true;
        if let Some(waker) = pipe.writer.take() {
            waker.wake();
        }
    }
}

impl Drop for InternalClient {
    fn drop(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.ended.get_or_insert(Err(BodyError::Truncated));
        pipe.wake_reader();
    }
}

impl Duplex for InternalClient {
    fn poll_read(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        Poll::Ready(Ok(std::mem::take(&mut self.body)))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        // Plugins have no use for blind tunnels: their requests cannot be CONNECT or Upgrade.
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_limit(&mut self, _: Duration) {}
}

impl ClientStream for InternalClient {
    async fn read_request(&mut self, _: &TxnRecords, request: &mut Request) -> Result<Framing, RequestError> {
        *request = self.request.take().ok_or(RequestError::Closed)?;
        let is_empty = self.body.is_empty();
        Ok(if is_empty { Framing::None } else { Framing::Length(self.body.len() as u64) })
    }

    fn awaits_continue(&self) -> bool {
        false
    }

    async fn send_continue(&mut self) -> Result<(), ClientGone> {
        Ok(())
    }

    fn poll_body(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let piece = std::mem::take(&mut self.body);
        Poll::Ready(Ok((!piece.is_empty()).then_some(piece)))
    }

    fn has_body_bytes(&self) -> bool {
        !self.body.is_empty()
    }

    fn body_remaining(&self) -> Option<u64> {
        Some(self.body.len() as u64)
    }

    fn can_discard_body(&self) -> Option<u64> {
        None
    }

    async fn discard_body(&mut self) -> bool {
        false
    }

    fn take_trailers(&mut self) -> Option<HeaderBlock> {
        None
    }

    async fn send_interim(&mut self, _: &Response) -> Result<(), ClientGone> {
        Ok(())
    }

    async fn send_head(
        &mut self,
        response: &Response,
        _: OutFraming,
        first: Option<Bytes>,
    ) -> Result<(), ClientGone> {
        {
            let mut pipe = self.pipe.borrow_mut();
            pipe.head = Some(response.clone());
            pipe.wake_reader();
        }
        match first {
            Some(piece) => self.send_piece(piece).await,
            None => Ok(()),
        }
    }

    async fn send_piece(&mut self, piece: Bytes) -> Result<(), ClientGone> {
        let len = piece.len() as u64;
        let mut piece = Some(piece);
        poll_fn(|cx| {
            let mut pipe = self.pipe.borrow_mut();
            if pipe.reader_gone {
                return Poll::Ready(Err(ClientGone::Closed));
            }
            if pipe.piece.is_some() {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            pipe.piece = piece.take();
            pipe.wake_reader();
            Poll::Ready(Ok(()))
        })
        .await?;
        self.sent += len;
        Ok(())
    }

    async fn finish(&mut self, _: Option<&HeaderBlock>) -> Result<(), ClientGone> {
        let mut pipe = self.pipe.borrow_mut();
        pipe.ended = Some(Ok(()));
        pipe.wake_reader();
        Ok(())
    }

    fn can_chunk(&self) -> bool {
        true
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>, _: bool) -> Poll<()> {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.reader_gone {
            return Poll::Ready(());
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn disconnect(&mut self) {}

    fn bytes(&self) -> (u64, u64) {
        (0, self.sent)
    }
}
