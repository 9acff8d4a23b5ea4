//! HTTP/1 on one connection, either side.
//!
//! Responsible for: reading message heads and bodies off a connection, keeping what was read too far, counting
//! bytes.
//! Not responsible for: what a message means; who closes when.
//! Invariants: bytes after a message stay for the next one; memory per connection is bounded by one read plus the
//! head limit; [`BodyReader::poll_next`] loses nothing when it is not polled again.

use crate::limits;
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tollgate_event::net::Conn;
use tollgate_event::pool::ScratchVec;
use tollgate_http::HeaderBlock;
use tollgate_http::chunked::Decoder;
use tollgate_http::framing::Framing;
use tollgate_http::h1::{self, Head, HeadError, HeadScanner, Limits};
use tollgate_plugin::BodyError;

/// A connection with what was read from it but not used yet.
#[derive(Debug)]
pub(crate) struct Wire {
    conn: Conn,
    unread: Bytes,
    /// Bytes read from the peer.
    pub(crate) received: u64,
    /// Bytes written to the peer.
    pub(crate) sent: u64,
}

/// Why no message head was read.
#[derive(Debug)]
pub(crate) enum HeadReadError {
    /// The head is malformed or over a limit.
    Bad(HeadError),
    /// The peer closed; `partial` tells whether it had begun a head.
    Closed { partial: bool },
    /// The limit on the wait ran out.
    Timeout,
    /// The connection broke.
    Io,
}

impl Wire {
    pub(crate) fn new(conn: Conn) -> Wire {
        Wire { conn, unread: Bytes::new(), received: 0, sent: 0 }
    }

    /// Limits each wait from now on to `limit` without progress; zero: no limit.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.conn.set_timeout(limit);
    }

    /// Limits the wait for the next message; the process may cut it short when it wants to be rid of idle connections.
    pub(crate) fn set_idle_limit(&mut self, limit: Duration) {
        self.conn.set_idle_timeout(limit);
    }

    /// Limits all waits together, beside the limit on each; zero: no limit.
    pub(crate) fn set_total_limit(&mut self, limit: Duration) {
        self.conn.set_deadline(limit);
    }

    /// Closes at once.
    pub(crate) fn close(&mut self) {
        self.unread = Bytes::new();
        self.conn.close();
    }

    /// Limits everything from now on to one absolute deadline, whatever the progress.
    pub(crate) fn set_deadline(&mut self, limit: Duration) {
        self.conn.set_only_deadline(limit);
    }

    pub(crate) fn conn(&self) -> &Conn {
        &self.conn
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// What was read but not used.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    pub(crate) fn unread_len(&self) -> usize {
        self.unread.len()
    }

    /// Lets go of the first `n` bytes that were read but not used.
    pub(crate) fn skip_unread(&mut self, n: usize) {
        self.unread = self.unread.slice(n.min(self.unread.len())..);
    }

    /// Takes what was read but not used.
    pub(crate) fn take_unread(&mut self) -> Bytes {
        std::mem::take(&mut self.unread)
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let bytes = ready!(self.conn.poll_read(cx))?;
        self.received += bytes.len() as u64;
        Poll::Ready(Ok(bytes))
    }

    /// Waits for the first bytes of the next message; `false`: the peer closed instead.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        if self.unread.is_empty() {
            self.unread = poll_fn(|cx| self.poll_read(cx)).await?;
        }
        Ok(!self.unread.is_empty())
    }

    /// Ready with `true` once bytes are there, with `false` at the end of the stream.
    pub(crate) fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.unread.is_empty() {
            self.unread = ready!(self.poll_read(cx))?;
        }
        Poll::Ready(Ok(!self.unread.is_empty()))
    }

    /// Ready when the peer has closed or reset. Bytes that it sends meanwhile are kept, up to a limit; a peer that has
    /// sent more is no longer watched.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unread.len() < limits::READ_AHEAD_BYTES {
            let bytes = ready!(self.poll_read(cx))?;
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.unread =
                if self.unread.is_empty() { bytes } else { [&self.unread[..], &bytes].concat().into() };
        }
        Poll::Pending
    }

    /// Reads one message head, its empty line included. Empty lines before it are skipped.
    pub(crate) async fn read_head(
        &mut self,
        limits: &Limits,
        may_start: fn(&[u8]) -> bool,
    ) -> Result<Head, HeadReadError> {
        if let Some(head) = self.take_whole_head(limits, may_start) {
            return Ok(head);
        }
        self.read_head_in_pieces(limits, may_start).await.map(Head::from)
    }

    /// The message head, if it is there as a whole and nothing is wrong with it. Usually it came in one read and is a
    /// slice of it.
    pub(crate) fn take_whole_head(&mut self, limits: &Limits, may_start: fn(&[u8]) -> bool) -> Option<Head> {
        if !may_start(&self.unread) {
            return None;
        }
        let lines = h1::find_lines(&self.unread, limits)?;
        Some(Head::with_lines(self.take_head(lines.len), lines))
    }

    async fn read_head_in_pieces(
        &mut self,
        limits: &Limits,
        may_start: fn(&[u8]) -> bool,
    ) -> Result<Bytes, HeadReadError> {
        let mut scanner = HeadScanner::default();
        if !self.unread.is_empty() || self.first_read().await? {
            self.skip_empty_lines();
            if let Some(end) = self.scan(&mut scanner, limits, may_start)? {
                return Ok(self.take_head(end));
            }
        }
        let mut partial = BytesMut::from(&self.take_unread()[..]);
        loop {
            let more =
                poll_fn(|cx| self.poll_read(cx)).await.map_err(|e| read_error(&e, !partial.is_empty()))?;
            if more.is_empty() {
                return Err(HeadReadError::Closed { partial: !partial.is_empty() });
            }
            partial.extend_from_slice(&more);
            let skip = if scanner.is_fresh() { h1::skip_empty_lines(&partial) } else { 0 };
            let _: BytesMut = partial.split_to(skip);
            if partial[..] == b"\r"[..] {
                continue;
            }
            if !may_start(&partial) {
                return Err(HeadReadError::Bad(HeadError::Method));
            }
            if let Some(end) = scanner.find_end(&partial, limits).map_err(HeadReadError::Bad)? {
                let head = partial.split_to(end).freeze();
                self.unread = partial.freeze();
                return Ok(head);
            }
        }
    }

    /// The first `end` bytes. Copied out of a large read, whose buffer would otherwise be kept as long as the head.
    fn take_head(&mut self, end: usize) -> Bytes {
        let head = self.unread.split_to(end);
        if self.unread.len() > limits::LARGE_READ_BYTES { Bytes::copy_from_slice(&head) } else { head }
    }

    async fn first_read(&mut self) -> Result<bool, HeadReadError> {
        match self.fill().await {
            Ok(true) => Ok(true),
            Ok(false) => Err(HeadReadError::Closed { partial: false }),
            Err(e) => Err(read_error(&e, false)),
        }
    }

    fn skip_empty_lines(&mut self) {
        let skip = h1::skip_empty_lines(&self.unread);
        if skip > 0 {
            self.unread = self.unread.slice(skip..);
        }
    }

    fn scan(
        &self,
        scanner: &mut HeadScanner,
        limits: &Limits,
        may_start: fn(&[u8]) -> bool,
    ) -> Result<Option<usize>, HeadReadError> {
        if !may_start(&self.unread) {
            return Err(HeadReadError::Bad(HeadError::Method));
        }
        if self.unread.is_empty() || self.unread[..] == b"\r"[..] {
            return Ok(None);
        }
        scanner.find_end(&self.unread, limits).map_err(HeadReadError::Bad)
    }

    /// Writes the parts completely.
    pub(crate) async fn write_all(&mut self, parts: [&[u8]; 3]) -> io::Result<()> {
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let mut done = 0;
        while done < total {
            let n = poll_fn(|cx| self.conn.poll_write_parts(cx, &parts, done)).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            done += n;
            self.sent += n as u64;
        }
        Ok(())
    }

    /// Writes what is in `out` completely.
    pub(crate) async fn write_out(&mut self, out: ScratchVec) -> io::Result<()> {
        let bytes = out.len() as u64;
        match self.conn.write_later(out) {
            Ok(()) => {
                self.sent += bytes;
                Ok(())
            }
            Err(out) => self.write_all([&out, &[], &[]]).await,
        }
    }

    /// Writes some of `bytes`.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_parts(cx, &[bytes, &[], &[]], 0)
    }

    /// Writes some of what is left of `parts` after `done` bytes.
    pub(crate) fn poll_write_parts(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[&[u8]; 3],
        done: usize,
    ) -> Poll<io::Result<usize>> {
        let n = ready!(self.conn.poll_write_parts(cx, parts, done))?;
        self.sent += n as u64;
        Poll::Ready(Ok(n))
    }

    pub(crate) async fn shutdown_write(&mut self) -> io::Result<()> {
        self.conn.shutdown_write().await
    }
}

fn read_error(error: &io::Error, partial: bool) -> HeadReadError {
    match error.kind() {
        io::ErrorKind::TimedOut => HeadReadError::Timeout,
        _ if partial => HeadReadError::Io,
        _ => HeadReadError::Closed { partial },
    }
}

/// What a read error in a body means.
pub(crate) fn body_error(error: &io::Error) -> BodyError {
    match error.kind() {
        io::ErrorKind::TimedOut => BodyError::Timeout,
        _ => BodyError::Truncated,
    }
}

/// The state of one message body being read.
#[derive(Debug)]
pub(crate) enum BodyReader {
    /// Complete, or there is none.
    Done,
    /// That many bytes are to come.
    Length(u64),
    /// Chunked.
    Chunked(Box<Decoder>),
    /// Everything until the peer closes.
    UntilClose,
    /// Broken: the connection cannot be used again.
    Failed,
}

impl BodyReader {
    pub(crate) fn new(framing: Framing) -> BodyReader {
        match framing {
            Framing::None => BodyReader::Done,
            Framing::Length(n) => BodyReader::Length(n),
            Framing::Chunked => BodyReader::Chunked(Box::default()),
            Framing::UntilClose => BodyReader::UntilClose,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, BodyReader::Done)
    }

    /// Bytes still to come, if known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            BodyReader::Done => Some(0),
            BodyReader::Length(n) => Some(*n),
            _ => None,
        }
    }

    /// The next piece; `None` at the end. `trailers` gets the trailer fields of a chunked body.
    pub(crate) fn poll_next(
        &mut self,
        wire: &mut Wire,
        cx: &mut Context<'_>,
        trailers: &mut Option<Box<HeaderBlock>>,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        let result = ready!(self.poll_piece(wire, cx, trailers));
        if result.is_err() {
            *self = BodyReader::Failed;
        }
        Poll::Ready(result)
    }

    fn poll_piece(
        &mut self,
        wire: &mut Wire,
        cx: &mut Context<'_>,
        trailers: &mut Option<Box<HeaderBlock>>,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            match self {
                BodyReader::Done => return Poll::Ready(Ok(None)),
                BodyReader::Failed => return Poll::Ready(Err(BodyError::Truncated)),
                _ => {}
            }
            if wire.unread.is_empty() {
                let bytes = ready!(wire.poll_read(cx)).map_err(|e| body_error(&e))?;
                if bytes.is_empty() {
                    let complete = matches!(self, BodyReader::UntilClose);
                    *self = BodyReader::Done;
                    return Poll::Ready(if complete { Ok(None) } else { Err(BodyError::Truncated) });
                }
                wire.unread = bytes;
            }
            if let Some(piece) = self.take(&mut wire.unread, trailers)? {
                return Poll::Ready(Ok(Some(piece)));
            }
        }
    }

    /// Takes payload out of `unread`; `None`: none there yet, or the end.
    fn take(
        &mut self,
        unread: &mut Bytes,
        trailers: &mut Option<Box<HeaderBlock>>,
    ) -> Result<Option<Bytes>, BodyError> {
        match self {
            BodyReader::Length(remaining) => {
                let n = usize::try_from(*remaining).unwrap_or(usize::MAX).min(unread.len());
                *remaining -= n as u64;
                if *remaining == 0 {
                    *self = BodyReader::Done;
                }
                Ok(Some(unread.split_to(n)))
            }
            BodyReader::Chunked(decoder) => {
                let malformed = |e: tollgate_http::chunked::ChunkError| BodyError::Malformed(e.to_string());
                let decoded = decoder.decode(unread).map_err(malformed)?;
                let piece = unread.slice(decoded.data);
                *unread = unread.slice(decoded.consumed..);
                if decoded.done {
                    let fields = decoder.trailers().map_err(malformed)?;
                    *trailers = (!fields.is_empty()).then(|| Box::new(fields));
                    *self = BodyReader::Done;
                }
                Ok((!piece.is_empty()).then_some(piece))
            }
            BodyReader::UntilClose => Ok(Some(std::mem::take(unread))),
            BodyReader::Done | BodyReader::Failed => Ok(None),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tollgate_event::EventThread;
    use tollgate_event::net::{self, ConnectOptions};

    /// Runs `test` on an event thread with the two ends of a connection.
    pub(crate) fn with_pair<F: Future<Output = ()> + 'static>(
        test: impl FnOnce(Wire, Wire) -> F + Send + 'static,
    ) {
        let main = move || async move {
            let (near, far) = pair().await;
            test(near, far).await;
        };
        EventThread::spawn(0, 1, main).expect("a thread").join().expect("no panic");
    }

    /// The two ends of a connection.
    pub(crate) async fn pair() -> (Wire, Wire) {
        let listeners = net::bind((Ipv4Addr::LOCALHOST, 0).into(), 1, 1).expect("a free port");
        let listener = listeners.into_iter().next().expect("one").attach().expect("a listener");
        let near = net::connect(listener.addr(), &ConnectOptions::default()).await.expect("connects");
        let (far, _) = listener.accept().await.expect("accepts");
        (Wire::new(near), Wire::new(far))
    }

    async fn text(reader: &mut BodyReader, wire: &mut Wire) -> Result<String, BodyError> {
        let (mut all, mut trailers) = (Vec::new(), None);
        while let Some(piece) = poll_fn(|cx| reader.poll_next(wire, cx, &mut trailers)).await? {
            all.extend_from_slice(&piece);
        }
        Ok(String::from_utf8(all).expect("text"))
    }

    #[test]
    fn a_chunked_body_ends_at_its_end_and_leaves_what_follows() {
        with_pair(|mut near, mut far| async move {
            for piece in ["3\r", "\nabc\r\n", "2;x=y\r\nd", "e\r\n0\r\nT: 1\r\n\r", "\nGET"] {
                far.write_all([piece.as_bytes(), b"", b""]).await.expect("room");
                tollgate_event::yield_now().await;
            }
            let mut reader = BodyReader::new(Framing::Chunked);
            assert_eq!(text(&mut reader, &mut near).await, Ok("abcde".to_string()));
            assert!(reader.is_done() && near.fill().await.expect("bytes"));
            assert!(b"GET".starts_with(&near.take_unread()));
        });
    }

    #[test]
    fn a_body_that_ends_early_is_an_error_for_good() {
        for framing in [Framing::Length(5), Framing::Chunked] {
            with_pair(move |mut near, mut far| async move {
                far.write_all([b"4\r\n", b"", b""]).await.expect("room");
                drop(far);
                let mut reader = BodyReader::new(framing);
                assert_eq!(text(&mut reader, &mut near).await, Err(BodyError::Truncated), "{framing:?}");
                assert_eq!(text(&mut reader, &mut near).await, Err(BodyError::Truncated), "{framing:?}");
            });
        }
    }

    #[test]
    fn a_malformed_chunk_is_an_error_for_good() {
        with_pair(|mut near, mut far| async move {
            far.write_all([b"xyz\r\n", b"", b""]).await.expect("room");
            let mut reader = BodyReader::new(Framing::Chunked);
            assert!(matches!(text(&mut reader, &mut near).await, Err(BodyError::Malformed(_))));
            assert!(text(&mut reader, &mut near).await.is_err() && !reader.is_done());
        });
    }

    #[test]
    fn the_time_in_which_nobody_waits_does_not_count() {
        with_pair(|mut near, far| async move {
            let _open = far;
            near.set_limit(Duration::from_millis(100));
            tollgate_event::timer::sleep(Duration::from_millis(400)).await;
            let first = poll_fn(|cx| Poll::Ready(near.poll_read(cx).is_pending())).await;
            assert!(first, "the wait has only begun");
            let error = poll_fn(|cx| near.poll_read(cx)).await.expect_err("nothing was sent");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }
}
