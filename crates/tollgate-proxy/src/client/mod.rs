//! The client's side of a transaction.
//!
//! Responsible for: the trait through which a transaction talks to its client, whatever the protocol.
//! Not responsible for: sessions (`session`), what is sent (the transaction).

pub(crate) mod h1;
pub(crate) mod internal;

use bytes::Bytes;
use std::task::{Context, Poll};
use tollgate_config::records::TxnRecords;
use tollgate_http::framing::{Framing, FramingError};
use tollgate_http::h1::HeadError;
use tollgate_http::{HeaderBlock, Request, Response};
use tollgate_plugin::BodyError;

/// How a response body is delimited for this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutFraming {
    /// There is no body, whatever the fields say.
    None,
    /// Content-Length bytes.
    Length(u64),
    /// Chunked.
    Chunked,
    /// The connection closes at the end.
    UntilClose,
}

/// The client can no longer be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientGone {
    /// It closed or reset.
    Closed,
    /// It did not take bytes in time.
    Timeout,
}

/// Why no request was read.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// Malformed or over a limit.
    Head(HeadError),
    /// The body's framing is refused.
    Framing(FramingError),
    /// The client did not finish the header in time.
    Timeout,
    /// The client closed before or within the header.
    Closed,
}

/// What a tunnel needs of either side.
pub(crate) trait Duplex {
    /// The next bytes; empty at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<Bytes>>;
    /// Writes some of `bytes`.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>>;
    /// Ends the sending direction.
    async fn shutdown(&mut self) -> std::io::Result<()>;
    /// Limits each wait without progress.
    fn set_limit(&mut self, limit: std::time::Duration);
}

/// One request and its response on a client's connection or stream.
pub(crate) trait ClientStream: Duplex {
    /// Reads the request header into `request`, which is none (as [`tollgate_plugin::Transaction`] has it at first) if
    /// there is an error.
    async fn read_request(
        &mut self,
        records: &TxnRecords,
        request: &mut Request,
    ) -> Result<Framing, RequestError>;

    /// Whether the client waits for a 100 before it sends the body.
    fn awaits_continue(&self) -> bool;

    /// Tells the client to send its body, if it waits for that.
    async fn send_continue(&mut self) -> Result<(), ClientGone>;

    /// The next piece of the request body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>>;

    /// Whether bytes of the body are already there.
    fn has_body_bytes(&self) -> bool;

    /// The request body's length, if known. 0: there is none.
    fn body_remaining(&self) -> Option<u64>;

    /// Whether an unread rest of the request body is small enough to be taken off the connection: its length.
    fn can_discard_body(&self) -> Option<u64>;

    /// Takes that rest off; `false`: the connection cannot be used again.
    async fn discard_body(&mut self) -> bool;

    /// The trailers of the request body, after its end.
    fn take_trailers(&mut self) -> Option<HeaderBlock>;

    /// Sends an interim (1xx) response.
    async fn send_interim(&mut self, response: &Response) -> Result<(), ClientGone>;

    /// Sends the final response's header, with the body's first piece if it is there.
    async fn send_head(
        &mut self,
        response: &Response,
        framing: OutFraming,
        first: Option<Bytes>,
    ) -> Result<(), ClientGone>;

    /// Sends a further piece of the body.
    async fn send_piece(&mut self, piece: Bytes) -> Result<(), ClientGone>;

    /// Ends the body.
    async fn finish(&mut self, trailers: Option<&HeaderBlock>) -> Result<(), ClientGone>;

    /// Whether responses may be chunked.
    fn can_chunk(&self) -> bool;

    /// Ready when the client has gone: reset its connection, or closed it and `half_open` does not let a client that
    /// has only ended its own direction wait for the response. What it sends meanwhile is kept.
    fn poll_gone(&mut self, cx: &mut Context<'_>, half_open: bool) -> Poll<()>;

    /// Lets go of a client that has left while the transaction goes on.
    fn disconnect(&mut self);

    /// Bytes received and sent in this transaction.
    fn bytes(&self) -> (u64, u64);
}
