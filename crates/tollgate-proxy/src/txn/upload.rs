//! Sending a transformed request body.
//!
//! Responsible for: the body's framing, noticing an origin that answers before the body is over.
//! Not responsible for: bodies that go on as they came (`fetch`), the transforms themselves (`body`).
//! Invariant: what is sent is as long as was announced, or the connection is not used again.

use crate::wire::Wire;
use std::future::poll_fn;
use std::task::{Context, Poll};
use tollgate_http::chunked;
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

/// Sends a transformed body until its end or the origin's final response. One that is longer or shorter than its
/// transforms have announced would frame another request: it is an error.
pub(super) async fn send_transformed(
    wire: &mut Wire,
    body: &mut (dyn Body + '_),
    length: Option<u64>,
) -> Result<BodySent, SendError> {
    let wrong =
        || SendError::Body(BodyError::Plugin("a transform's output has not the length it announced".into()));
    let mut left = length;
    loop {
        let Some(next) = unless_answered(wire, body.next()).await else {
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
        if let BodySent::Answered = write_unless_answered(wire, parts).await? {
            return Ok(BodySent::Answered);
        }
    }
    match left {
        None => write_unless_answered(wire, [b"0\r\n\r\n", &[], &[]]).await,
        Some(0) => Ok(BodySent::Whole),
        Some(_) => Err(wrong()),
    }
}

/// The body's next piece; `None`: the origin has answered first.
async fn unless_answered<T>(wire: &mut Wire, mut next: LocalBoxFuture<'_, T>) -> Option<T> {
    poll_fn(|cx| match next.as_mut().poll(cx) {
        Poll::Ready(piece) => Poll::Ready(Some(piece)),
        Poll::Pending if has_answered(wire, cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

async fn write_unless_answered(wire: &mut Wire, parts: [&[u8]; 3]) -> Result<BodySent, SendError> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let mut done = 0;
    while done < total {
        let written = poll_fn(|cx| match wire.poll_write_parts(cx, &parts, done) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending if has_answered(wire, cx) => Poll::Ready(None),
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
/// wait, unread, until the body is sent. How long the body may take is the client's affair, not the origin's.
fn has_answered(wire: &mut Wire, cx: &mut Context<'_>) -> bool {
    match wire.poll_some(cx) {
        Poll::Ready(Ok(true)) => wire.unread().get("HTTP/1.1 ".len()).is_some_and(|digit| *digit != b'1'),
        Poll::Ready(Ok(false)) => true,
        Poll::Ready(Err(error)) => error.kind() != std::io::ErrorKind::TimedOut,
        Poll::Pending => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::with_pair;
    use bytes::Bytes;
    use tollgate_event::thread::yield_now;

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
            let sent = send_transformed(&mut near, &mut body, None).await;
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
            let sent = write_unless_answered(&mut near, [&large, &[], &[]]).await;
            assert!(matches!(sent, Ok(BodySent::Answered)));
            assert!(matches!(send_transformed(&mut near, &mut body, None).await, Ok(BodySent::Answered)));
        });
    }

    #[test]
    fn an_origin_that_closes_is_not_sent_the_rest() {
        with_pair(|mut near, far| async move {
            drop(far);
            let mut body = Slow { pieces: vec!["one"], ends: false };
            let sent = send_transformed(&mut near, &mut body, None).await;
            assert!(matches!(sent, Ok(BodySent::Answered) | Err(SendError::Origin)));
        });
    }

    #[test]
    fn interim_responses_do_not_end_the_body() {
        with_pair(|mut near, mut far| async move {
            far.write_all([b"HTTP/1.1 103 Early Hints\r\n\r\n", b"", b""]).await.expect("room");
            let mut body = Slow { pieces: vec!["one", "three"], ends: true };
            assert!(matches!(send_transformed(&mut near, &mut body, None).await, Ok(BodySent::Whole)));
            let sent = "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n";
            assert_eq!(received(&mut far, sent.len()).await, sent);
            assert!(near.unread().starts_with(b"HTTP/1.1 103"));
        });
    }

    #[test]
    fn a_body_of_another_length_than_announced_is_an_error() {
        for length in [2, 4] {
            with_pair(move |mut near, far| async move {
                let _open = far;
                let mut body = Slow { pieces: vec!["one"], ends: true };
                let sent = send_transformed(&mut near, &mut body, Some(length)).await;
                assert!(matches!(sent, Err(SendError::Body(BodyError::Plugin(_)))), "{length}");
            });
        }
    }
}
