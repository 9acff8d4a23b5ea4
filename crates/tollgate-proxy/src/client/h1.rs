//! An HTTP/1 client connection, one transaction at a time.

use super::{ClientGone, ClientStream, Duplex, OutFraming, RequestError};
use crate::limits;
use crate::session::OpenConnection;
use crate::wire::{BodyReader, HeadReadError, Wire};
use bytes::Bytes;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;
use tollgate_config::ids;
use tollgate_config::records::TxnRecords;
use tollgate_event::pool::ScratchVec;
use tollgate_http::framing::{self, Framing};
use tollgate_http::{HeaderBlock, Method, Request, Response, Url, Version, chunked, h1, names};
use tollgate_plugin::BodyError;

/// The connection with the state of its current transaction.
#[derive(Debug)]
pub(crate) struct H1Client {
    pub(crate) wire: Wire,
    /// Counts the connection as open; given back when it is closed.
    open: Option<OpenConnection>,
    body: BodyReader,
    trailers: Option<Box<HeaderBlock>>,
    version: Version,
    awaits_continue: bool,
    /// The client has ended its direction.
    half_closed: bool,
    out: OutFraming,
    base: (u64, u64),
}

impl H1Client {
    pub(crate) fn new(wire: Wire, open: OpenConnection) -> H1Client {
        H1Client {
            wire,
            open: Some(open),
            body: BodyReader::Done,
            trailers: None,
            version: Version::Http11,
            awaits_continue: false,
            half_closed: false,
            out: OutFraming::None,
            base: (0, 0),
        }
    }

    /// Whether another request can follow: the request's body is out of the way.
    pub(crate) fn is_at_message_end(&self) -> bool {
        self.body.is_done() && !self.awaits_continue
    }

    async fn write(&mut self, parts: [&[u8]; 3]) -> Result<(), ClientGone> {
        self.wire.write_all(parts).await.map_err(|e| gone(&e))
    }

    async fn write_out(&mut self, out: ScratchVec) -> Result<(), ClientGone> {
        self.wire.write_out(out).await.map_err(|e| gone(&e))
    }
}

fn no_request(error: HeadReadError) -> RequestError {
    match error {
        HeadReadError::Bad(error) => RequestError::Head(error),
        HeadReadError::Timeout => RequestError::Timeout,
        HeadReadError::Closed { .. } | HeadReadError::Io => RequestError::Closed,
    }
}

fn gone(error: &io::Error) -> ClientGone {
    if error.kind() == io::ErrorKind::TimedOut { ClientGone::Timeout } else { ClientGone::Closed }
}

impl Duplex for H1Client {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.wire.has_unread() {
            return Poll::Ready(Ok(self.wire.take_unread()));
        }
        self.wire.poll_read(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.poll_write(cx, bytes)
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        self.wire.shutdown_write().await
    }

    fn set_limit(&mut self, limit: Duration) {
        self.wire.set_limit(limit);
    }
}

impl ClientStream for H1Client {
    async fn read_request(
        &mut self,
        records: &TxnRecords,
        request: &mut Request,
    ) -> Result<Framing, RequestError> {
        self.base = (self.wire.received - self.wire.unread_len() as u64, self.wire.sent);
        self.wire.set_deadline(limits::seconds(records, ids::TOLLGATE_HTTP_REQUEST_HEADER_TIMEOUT));
        let limits = limits::request_head(records);
        let head = match self.wire.take_whole_head(&limits, h1::may_start_request) {
            Some(head) => head,
            None => {
                Box::pin(self.wire.read_head(&limits, h1::may_start_request)).await.map_err(no_request)?
            }
        };
        self.wire.set_limit(limits::seconds(records, ids::HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_IN));
        h1::parse_request_into(head, &limits, request).map_err(RequestError::Head)?;
        let framing = match framing::of_request(request.version, &request.headers) {
            Ok(framing) => framing,
            Err(error) => {
                *request = Request::new(Method::Get, Url::origin(Bytes::new(), None));
                return Err(RequestError::Framing(error));
            }
        };
        self.version = request.version;
        self.body = BodyReader::new(framing);
        self.trailers = None;
        // RFC 9110 §10.1.1: ignored in HTTP/1.0 and without a body.
        self.awaits_continue = request.headers.has(names::EXPECT)
            && self.version >= Version::Http11
            && framing != Framing::None
            && request.headers.has_token(names::EXPECT, "100-continue");
        Ok(framing)
    }

    fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }

    async fn send_continue(&mut self) -> Result<(), ClientGone> {
        if !std::mem::take(&mut self.awaits_continue) {
            return Ok(());
        }
        self.write([b"HTTP/1.1 100 Continue\r\n\r\n", &[], &[]]).await
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.body.poll_next(&mut self.wire, cx, &mut self.trailers)
    }

    fn has_body_bytes(&self) -> bool {
        !self.body.is_done() && self.wire.has_unread()
    }

    fn body_remaining(&self) -> Option<u64> {
        self.body.remaining()
    }

    fn can_discard_body(&self) -> Option<u64> {
        let left = self.body.remaining().filter(|n| *n <= limits::DISCARD_BYTES as u64);
        left.filter(|_| !self.awaits_continue)
    }

    async fn discard_body(&mut self) -> bool {
        if self.awaits_continue {
            return false;
        }
        let mut left = limits::DISCARD_BYTES;
        loop {
            match std::future::poll_fn(|cx| self.poll_body(cx)).await {
                Ok(None) => return true,
                Ok(Some(piece)) if piece.len() <= left => left -= piece.len(),
                _ => return false,
            }
        }
    }

    fn take_trailers(&mut self) -> Option<HeaderBlock> {
        self.trailers.take().map(|fields| *fields)
    }

    async fn send_interim(&mut self, response: &Response) -> Result<(), ClientGone> {
        if self.version < Version::Http11 {
            return Ok(());
        }
        if response.status == 100 {
            self.awaits_continue = false;
        }
        let mut out = ScratchVec::take();
        h1::write_response(response, Version::Http11, &mut out);
        self.write_out(out).await
    }

    async fn send_head(
        &mut self,
        response: &Response,
        framing: OutFraming,
        first: Option<Bytes>,
    ) -> Result<(), ClientGone> {
        self.out = framing;
        let mut out = ScratchVec::take();
        h1::write_response(response, Version::Http11, &mut out);
        let Some(first) = first else {
            return self.write_out(out).await;
        };
        match framing {
            OutFraming::Chunked => {
                out.extend_from_slice(chunked::chunk_header(first.len()).as_bytes());
                self.write([&out, &first, b"\r\n"]).await
            }
            OutFraming::None => self.write_out(out).await,
            OutFraming::Length(_) | OutFraming::UntilClose if first.len() <= limits::COPIED_BODY_BYTES => {
                // One buffer: to copy little costs less than the way of several through the kernel.
                out.extend_from_slice(&first);
                self.write_out(out).await
            }
            OutFraming::Length(_) | OutFraming::UntilClose => self.write([&out, &first, &[]]).await,
        }
    }

    async fn send_piece(&mut self, piece: Bytes) -> Result<(), ClientGone> {
        match self.out {
            OutFraming::Chunked => {
                self.write([chunked::chunk_header(piece.len()).as_bytes(), &piece, b"\r\n"]).await
            }
            OutFraming::None => Ok(()),
            OutFraming::Length(_) | OutFraming::UntilClose => self.write([&piece, &[], &[]]).await,
        }
    }

    async fn finish(&mut self, trailers: Option<&HeaderBlock>) -> Result<(), ClientGone> {
        if self.out != OutFraming::Chunked {
            return Ok(());
        }
        let mut out = ScratchVec::take();
        chunked::write_last_chunk(trailers, &mut out);
        self.write_out(out).await
    }

    fn can_chunk(&self) -> bool {
        self.version >= Version::Http11
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>, half_open: bool) -> Poll<()> {
        if !self.body.is_done() || self.half_closed {
            return Poll::Pending;
        }
        match self.wire.poll_closed(cx) {
            // A limit on this wait is the origin's affair.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Poll::Pending,
            Poll::Ready(Ok(())) if half_open => {
                self.half_closed = true;
                Poll::Pending
            }
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    fn disconnect(&mut self) {
        self.wire.close();
        self.open = None;
    }

    fn bytes(&self) -> (u64, u64) {
        (self.wire.received - self.wire.unread_len() as u64 - self.base.0, self.wire.sent - self.base.1)
    }
}
