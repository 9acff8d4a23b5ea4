//! What a handler may answer.

use bytes::Bytes;
use tollgate_http::{Response, names};

/// The answer of a transaction or session handler.
#[derive(Debug)]
pub enum Outcome {
    /// Go on with the next handler, then with the transaction (`TS_EVENT_HTTP_CONTINUE`).
    Continue,
    /// Stop here and answer the client with this response. The remaining handlers of this hook point are skipped;
    /// SEND_RESPONSE_HDR runs (unless this is it), then TXN_CLOSE.
    Respond(Box<LocalResponse>),
    /// Stop here with an error (`TS_EVENT_HTTP_ERROR`): the client gets [`Transaction::status_override`] if it is 400
    /// or more, else 500, with the body set by [`Transaction::set_error_body`].
    ///
    /// [`Transaction::status_override`]: crate::Transaction::status_override
    /// [`Transaction::set_error_body`]: crate::Transaction::set_error_body
    Fail,
}

impl Outcome {
    /// [`Outcome::Respond`] with a status, a content type and a body.
    pub fn respond(status: u16, content_type: &str, body: impl Into<Bytes>) -> Outcome {
        Outcome::Respond(Box::new(LocalResponse::new(status, content_type, body)))
    }
}

/// A complete response made by the proxy or a plugin.
#[derive(Clone, Debug)]
pub struct LocalResponse {
    /// Status and fields. Content-Length is set by the engine.
    pub response: Response,
    /// The body.
    pub body: Bytes,
}

impl LocalResponse {
    /// A response with a status, a content type and a body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> LocalResponse {
        let mut response = Response::new(status);
        if !content_type.is_empty() {
            response.headers.append(names::CONTENT_TYPE, content_type);
        }
        LocalResponse { response, body: body.into() }
    }
}
