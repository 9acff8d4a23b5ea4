//! HTTP messages, as bytes in and bytes out.
//!
//! Responsible for: the header block (case and order kept, strings never move), methods, URLs, dates, HTTP/1
//! parsing and serialising, and the framing rules, which are decided here for every protocol.
//! Not responsible for: sockets, the clock, threads, what a message means to a cache.
//! Entry points: [`h1::parse_request`], [`h1::parse_response`], [`framing`], [`HeaderBlock`].
//! Invariants: no function here panics on any input; nothing here does I/O or reads a clock.
#![forbid(unsafe_code)]

pub mod chunked;
pub mod date;
pub mod framing;
pub mod h1;
pub mod headers;
pub mod list;
mod marks;
pub mod message;
pub mod method;
pub mod names;
pub mod status;
pub mod url;

pub use headers::{Field, HeaderBlock, PackedFields};
pub use message::{Request, Response, Version};
pub use method::Method;
pub use names::{FieldName, Known};
pub use url::{Scheme, Url};
