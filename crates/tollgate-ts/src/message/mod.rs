//! Header objects as C plugins see them: buffers, headers, fields, URLs, parsers.
//!
//! Responsible for: what Traffic Server's `TSMBuffer` and `TSMLoc` stand for, with its rules about field order,
//! duplicates, comma-separated values, dates, numbers and URLs; handles that are checked at every use; carrying
//! changes between these objects and the engine's requests and responses (`exchange`).
//! Not responsible for: HTTP on the wire (`tollgate-http`), when a hook may see which message.
//! Entry points: [`MessageTable`] (safe) and `ffi` (the C functions).
//! Invariants: a string that was handed out stays where it is until its buffer is destroyed; a handle is never
//! followed without its buffer, generation and kind having been compared; no `unsafe` outside `ffi`.

mod arena;
mod buffer;
pub mod dates;
mod edit;
pub mod encodings;
mod error;
mod exchange;

pub mod ffi;
mod fields;
mod lines;
pub mod numbers;
mod parse;
mod print;
mod starts;
mod table;
pub mod tokens;
mod url;
mod url_parse;
mod url_print;
pub mod uuid;
pub mod values;

pub use arena::{Arena, Span};
pub use buffer::{Access, Buffer, HeaderType};
pub use error::MessageError;
pub use exchange::Changed;
pub use fields::FieldState;
pub use lines::{LineScanner, Parsed};
pub use parse::Parser;
pub use table::{BufferId, Kind, Loc, MessageTable, messages};
pub use url::{Part, UrlKind};
