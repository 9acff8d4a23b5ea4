//! Sending a transformed request body.
//!
//! Responsible for: the body's framing, noticing an origin that answers before the body is over, interim responses
//! that come meanwhile.
//! Not responsible for: bodies that go on as they came (`fetch`), the transforms themselves (`body`).
//! Invariant: what is sent is as long as was announced, or the connection is not used again.

use super::forward::strip_hop_by_hop;
use crate::client::ClientStream;
use crate::limits;
use crate::wire::Wire;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use tollgate_http::h1::{self, Limits};
use tollgate_http::{Response, chunked, names};
use tollgate_plugin::{Body, BodyError, LocalBoxFuture};

/// Why a body was not sent to its end.
pub(super) enum SendError {
    /// Its source failed.
    Body(BodyError),
    /// The origin no longer takes it.
    Origin,
}

/// How sending a transformed body ended.
pub(super) enum BodySent {
    /// With its end.
    Whole,
    /// The origin did not wait for its end: it has answered, or closed.
    Answered,
}

/// Interim responses that have come while the body is sent, on their way to the client: its connection is the body's
/// source, which passes them on when it is asked for more.
pub(super) struct Interim {
    waiting: RefCell<VecDeque<Response>>,
    /// How many have come.
    count: Cell<i64>,
    /// How many may come.
    most: i64,
    limits: Limits,
}

impl Interim {
    pub(super) fn new(limits: Limits, most: i64) -> Interim {
        Interim { waiting: RefCell::default(), count: Cell::new(0), most, limits }
    }

    /// How many have come.
    pub(super) fn count(&self) -> i64 {
        self.count.get()
    }

    /// Whether one waits for being passed on.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// The next one to be passed on.
    pub(super) fn take(&self) -> Option<Response> {
        self.waiting.borrow_mut().pop_front()
    }

    /// Takes a whole interim response off `wire`. What is none, or one too many, is left for the reader of the final
    /// response to judge.
    fn take_off(&self, wire: &mut Wire) -> Taken {
        let unread = wire.unread();
        match unread.get("HTTP/1.1 ".len()) {
            None => return Taken::Nothing,
            Some(b'1') => {}
            Some(_) => return Taken::Other,
        }
        let Some(end) = memchr::memmem::find(unread, b"\r\n\r\n") else { return Taken::Nothing };
        let end = end + 4;
        let parsed = h1::parse_response(Bytes::copy_from_slice(&unread[..end]).into(), &self.limits);
        let Ok(mut response) = parsed else { return Taken::Other };
        if !(100..200).contains(&response.status) || response.status == 101 || self.count() >= self.most {
            return Taken::Other;
        }
        wire.skip_unread(end);
        self.count.set(self.count() + 1);
        // The source has asked the client to go on by itself.
        if response.status != 100 {
            strip_hop_by_hop(&mut response.headers);
            response.headers.remove(names::CONTENT_LENGTH);
            self.waiting.borrow_mut().push_back(response);
        }
        Taken::Interim
    }
}

enum Taken {
    /// An interim response.
    Interim,
    /// There is something else, or it cannot be waited for here.
    Other,
    /// Not yet enough to tell.
    Nothing,
}

/// The client's body as transforms and intercepts see it.
pub(super) struct RequestSource<'c, S> {
    pub(super) client: &'c mut S,
    pub(super) buffered: &'c mut Option<VecDeque<Bytes>>,
    pub(super) taken: &'c mut u64,
    /// `max_post_size`; 0: none.
    pub(super) most: u64,
    /// What the origin says meanwhile.
    pub(super) interim: Option<&'c Interim>,
}

impl<S: ClientStream> RequestSource<'_, S> {
    /// The body's next piece; interim responses go to the client meanwhile.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            while let Some(response) = self.interim.and_then(Interim::take) {
                self.client.send_interim(&response).await.map_err(|_| BodyError::Truncated)?;
            }
            let piece = poll_fn(|cx| match self.client.poll_body(cx) {
                Poll::Pending if self.interim.is_some_and(Interim::is_waiting) => Poll::Ready(None),
                piece => piece.map(Some),
            });
            if let Some(piece) = piece.await {
                return piece;
            }
        }
    }
}

impl<S: ClientStream> Body for RequestSource<'_, S> {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
        Box::pin(async move {
            if let Some(pieces) = self.buffered {
                return Ok(pieces.pop_front());
            }
            self.client.send_continue().await.map_err(|_| BodyError::Truncated)?;
            let piece = self.next_piece().await?;
            *self.taken += piece.as_ref().map_or(0, |p| p.len() as u64);
            if self.most > 0 && *self.taken > self.most {
                return Err(BodyError::TooLarge(self.most));
            }
            Ok(piece)
        })
    }

    fn remaining(&self) -> Option<u64> {
        match &self.buffered {
            Some(pieces) => Some(pieces.iter().map(|p| p.len() as u64).sum()),
            None => self.client.body_remaining(),
        }
    }
}

/// Sends a transformed body until its end or the origin's final response. One that is longer or shorter than its
/// transforms have announced would frame another request: it is an error.
pub(super) async fn send_transformed(
    wire: &mut Wire,
    body: &mut (dyn Body + '_),
    length: Option<u64>,
    interim: &Interim,
) -> Result<BodySent, SendError> {
    let wrong =
        || SendError::Body(BodyError::Plugin("a transform's output has not the length it announced".into()));
    let mut left = length;
    loop {
        let Some(next) = unless_answered(wire, body.next(), interim).await else {
            return Ok(BodySent::Answered);
        };
        let Some(piece) = next.map_err(SendError::Body)? else { break };
        let size = chunked::chunk_header(piece.len());
        let parts: [&[u8]; 3] = match &mut left {
            None => [size.as_bytes(), &piece, b"\r\n"],
            Some(left) => {
                *left = left.checked_sub(piece.len() as u64).ok_or_else(wrong)?;
                [&piece, &[], &[]]
            }
        };
        if let BodySent::Answered = write_unless_answered(wire, parts, interim).await? {
            return Ok(BodySent::Answered);
        }
    }
    match left {
        None => write_unless_answered(wire, [b"0\r\n\r\n", &[], &[]], interim).await,
        Some(0) => Ok(BodySent::Whole),
        Some(_) => Err(wrong()),
    }
}

/// The body's next piece; `None`: the origin has answered first.
async fn unless_answered<T>(
    wire: &mut Wire,
    mut next: LocalBoxFuture<'_, T>,
    interim: &Interim,
) -> Option<T> {
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(piece) = next.as_mut().poll(cx) {
                return Poll::Ready(Some(piece));
            }
            let before = interim.count();
            if has_answered(wire, cx, interim) {
                return Poll::Ready(None);
            }
            if interim.count() == before {
                return Poll::Pending;
            }
            // The source passes on what has come.
        }
    })
    .await
}

async fn write_unless_answered(
    wire: &mut Wire,
    parts: [&[u8]; 3],
    interim: &Interim,
) -> Result<BodySent, SendError> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let mut done = 0;
    while done < total {
        let written = poll_fn(|cx| match wire.poll_write_parts(cx, &parts, done) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending if has_answered(wire, cx, interim) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match written.await {
            Some(Ok(n)) if n > 0 => done += n,
            Some(_) => return Err(SendError::Origin),
            None => return Ok(BodySent::Answered),
        }
    }
    Ok(BodySent::Whole)
}

/// Whether the origin has begun its final response, or closed, although the request is not over. Interim responses
/// are put aside. How long the body may take is the client's affair, not the origin's.
fn has_answered(wire: &mut Wire, cx: &mut Context<'_>, interim: &Interim) -> bool {
    loop {
        let has_closed = match wire.poll_closed(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => error.kind() != std::io::ErrorKind::TimedOut,
            Poll::Pending => false,
        };
        match interim.take_off(wire) {
            // There may be more, and reading on is only now possible where the limit had been reached.
            Taken::Interim => {}
            Taken::Other => return true,
            Taken::Nothing => return has_closed || wire.unread_len() >= limits::READ_AHEAD_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::with_pair;
    use tollgate_event::yield_now;

    /// Gives its pieces, each after a while, then ends, or has no end.
    struct Slow {
        pieces: Vec<&'static str>,
        ends: bool,
    }

    impl Body for Slow {
        fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
            Box::pin(async {
                for _ in 0..20 {
                    yield_now().await;
                }
                if !self.pieces.is_empty() {
                    return Ok(Some(Bytes::from_static(self.pieces.remove(0).as_bytes())));
                }
                if !self.ends {
                    std::future::pending::<()>().await;
                }
                Ok(None)
            })
        }
    }

    fn interim() -> Interim {
        Interim::new(Limits { start_line_bytes: 1000, head_bytes: 1000, fields: 10, field_bytes: 1000 }, 10)
    }

    async fn received(wire: &mut Wire, n: usize) -> String {
        let mut all = Vec::new();
        while all.len() < n {
            assert!(wire.fill().await.expect("open"), "ended after {all:?}");
            all.extend_from_slice(&wire.take_unread());
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn a_body_without_end_is_left_when_the_origin_answers() {
        with_pair(|mut near, mut far| async move {
            far.write_all([b"HTTP/1.1 413 x\r\n", b"", b""]).await.expect("room");
            let mut body = Slow { pieces: vec!["one"], ends: false };
            let sent = send_transformed(&mut near, &mut body, None, &interim()).await;
            assert!(matches!(sent, Ok(BodySent::Answered)));
            assert!(near.unread().starts_with(b"HTTP/1.1 413"), "the answer is still to be read");
        });
    }

    #[test]
    fn a_body_that_the_origin_does_not_read_is_left_when_it_answers() {
        with_pair(|mut near, mut far| async move {
            let mut body = Slow { pieces: vec!["x"; 3], ends: false };
            far.write_all([b"HTTP/1.1 200 OK\r\n", b"", b""]).await.expect("room");
            let large = vec![b'x'; 64 << 20];
            let sent = write_unless_answered(&mut near, [&large, &[], &[]], &interim()).await;
            assert!(matches!(sent, Ok(BodySent::Answered)));
            assert!(matches!(
                send_transformed(&mut near, &mut body, None, &interim()).await,
                Ok(BodySent::Answered)
            ));
        });
    }

    #[test]
    fn an_origin_that_closes_is_not_sent_the_rest() {
        with_pair(|mut near, far| async move {
            drop(far);
            let mut body = Slow { pieces: vec!["one"], ends: false };
            let sent = send_transformed(&mut near, &mut body, None, &interim()).await;
            assert!(matches!(sent, Ok(BodySent::Answered) | Err(SendError::Origin)));
        });
    }

    #[test]
    fn interim_responses_do_not_end_the_body() {
        with_pair(|mut near, mut far| async move {
            let hints =
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102";
            far.write_all([hints, b"", b""]).await.expect("room");
            tollgate_event::yield_now().await;
            let mut body = Slow { pieces: vec!["one", "three"], ends: true };
            let interim = interim();
            assert!(matches!(
                send_transformed(&mut near, &mut body, None, &interim).await,
                Ok(BodySent::Whole)
            ));
            let sent = "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n";
            assert_eq!(received(&mut far, sent.len()).await, sent);
            assert_eq!(interim.take().expect("passed on").status, 103);
            assert!(interim.take().is_none(), "the source asks for the body by itself");
            assert_eq!((interim.count(), near.unread()), (2, &b"HTTP/1.1 102"[..]));
        });
    }

    #[test]
    fn interim_responses_without_end_end_the_body() {
        with_pair(|mut near, mut far| async move {
            let hints = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(11);
            far.write_all([&hints, b"", b""]).await.expect("room");
            let mut body = Slow { pieces: vec![], ends: false };
            let interim = interim();
            let sent = send_transformed(&mut near, &mut body, None, &interim).await;
            assert!(matches!(sent, Ok(BodySent::Answered)));
            assert!(
                near.unread().starts_with(b"HTTP/1.1 103"),
                "it is judged by the final response's reader"
            );
        });
    }

    #[test]
    fn a_body_of_another_length_than_announced_is_an_error() {
        for length in [2, 4] {
            with_pair(move |mut near, far| async move {
                let _open = far;
                let mut body = Slow { pieces: vec!["one"], ends: true };
                let sent = send_transformed(&mut near, &mut body, Some(length), &interim()).await;
                assert!(matches!(sent, Err(SendError::Body(BodyError::Plugin(_)))), "{length}");
            });
        }
    }
}
