//! Intercepts: a plugin answers as the origin.

use crate::{Body, LocalBoxFuture};
use tollgate_http::{Request, Response};

/// Answers requests in the origin's place (TSHttpTxnIntercept, TSHttpTxnServerIntercept).
pub trait Intercept {
    /// Answers `request`; `body` is the client's body. The response goes through READ_RESPONSE_HDR and
    /// transforms like an origin's, a server intercept's also through the cache.
    fn serve<'a>(
        &'a self,
        request: &'a Request,
        body: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<InterceptResponse, InterceptError>>;
}

/// An intercept's answer.
pub struct InterceptResponse {
    /// Status and fields. A Content-Length, if set, must be right.
    pub response: Response,
    /// The body.
    pub body: Box<dyn Body>,
}

/// An intercept that could not answer; the client gets 502.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InterceptError(pub String);
