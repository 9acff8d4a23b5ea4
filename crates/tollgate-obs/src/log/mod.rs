//! The access log: one line per transaction, written off the event threads.
//!
//! Responsible for: what a line says ([`LogEntry`], [`LogField`]), how it looks ([`LogFormat`]), and bringing lines
//! from event threads to the log ([`AccessLog`], [`AccessLogHandle`]).
//! Not responsible for: when a transaction is logged, rotating files (it reopens them when told), diagnostics.
//! Entry points: [`AccessLog::open`], [`AccessLog::handle`] per event thread, [`AccessLogHandle::log`].
//! Invariants: an event thread never waits for the log: a full queue loses the batch and counts its entries; an
//! entry is formatted without allocating; nothing a peer sent can end a line or a quoted field.

mod entry;
mod escape;
mod field;
mod format;
mod sink;
mod time;
mod writer;

pub use self::entry::{CacheResult, Hierarchy, LogEntry};
pub use self::field::{FieldDef, LogField};
pub use self::format::{Formatter, LogFormat};
pub use self::sink::{FileSink, LogOpenError, LogSink};
pub use self::writer::{AccessLog, AccessLogHandle, AccessLogOptions, LogFault, Reopening};
