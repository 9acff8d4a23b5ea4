//! Requests and responses.

use crate::{HeaderBlock, Method, Url, status};
use bytes::Bytes;

/// The HTTP version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As written in a start line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2",
        }
    }
}

/// A request header.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The request target, parsed.
    pub url: Url,
    /// The sender's version.
    pub version: Version,
    /// The fields.
    pub headers: HeaderBlock,
}

impl Request {
    /// A request for `url` without fields.
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, version: Version::Http11, headers: HeaderBlock::new() }
    }
}

/// A response header.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code, 100..=999.
    pub status: u16,
    /// The sender's version.
    pub version: Version,
    /// The reason phrase; `None` stands for the standard one of the status.
    pub reason: Option<Bytes>,
    /// The fields.
    pub headers: HeaderBlock,
}

impl Response {
    /// A response with that status and no fields.
    pub fn new(status: u16) -> Self {
        Response { status, version: Version::Http11, reason: None, headers: HeaderBlock::new() }
    }

    /// The reason phrase to write.
    pub fn reason(&self) -> &[u8] {
        self.reason.as_deref().unwrap_or_else(|| status::reason(self.status).as_bytes())
    }
}
