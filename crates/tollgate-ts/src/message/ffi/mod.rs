//! The C functions on message objects.
//!
//! Responsible for: pointers and lengths from C, out-parameters, return codes; a panic never crosses.
//! Not responsible for: what a call does (the safe layer beside this folder).
//! Invariants: every function runs in [`fence`]; a faulty handle is reported once per call and answered with the
//! function's error value; strings given to C belong to their buffer.

// Names are those of the C interface.
pub mod buffers;
pub mod constants;
pub mod encode;
pub mod fields;
pub mod headers;
pub mod parsers;
mod symbols;
pub mod urls;
pub mod uuids;
pub mod values;

pub use constants::ConstPointer;
pub use symbols::{Symbol, symbols};

use super::arena::Span;
use super::buffer::Buffer;
use super::error::MessageError;
use super::table::{BufferId, Loc, messages};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// `TSMBuffer`, `TSMLoc`, parsers: numbers in pointers' clothes.
pub type Handle = *mut c_void;

const SUCCESS: c_int = 0;
const ERROR: c_int = -1;

/// What is told of a failed call: the function and why.
pub type Reporter = fn(&'static str, MessageError);
/// Appends bytes to a `TSIOBuffer`; whether that worked.
pub type IoWriter = fn(Handle, &[u8]) -> bool;

static REPORTER: OnceLock<Reporter> = OnceLock::new();
static IO_WRITER: OnceLock<IoWriter> = OnceLock::new();

/// Says who is told of failed calls, instead of the log. Only the first call counts.
pub fn set_reporter(reporter: Reporter) {
    let _already_set = REPORTER.set(reporter);
}

/// Says how `TSIOBuffer`s are written to. Only the first call counts.
pub fn set_io_writer(writer: IoWriter) {
    let _already_set = IO_WRITER.set(writer);
}

fn report(function: &'static str, error: MessageError) {
    match REPORTER.get() {
        Some(reporter) => reporter(function, error),
        None => crate::fence::report(function, &error),
    }
}

/// Runs the work of one C function: faults are reported, panics stopped; both give `failed`.
fn fence<R: Copy>(function: &'static str, failed: R, work: impl FnOnce() -> Result<R, MessageError>) -> R {
    crate::fence::fence(function, failed, || {
        Ok::<_, std::convert::Infallible>(work().unwrap_or_else(|error| {
            report(function, error);
            failed
        }))
    })
}

fn buffer(handle: Handle) -> Result<BufferId, MessageError> {
    BufferId::from_raw(handle.addr() as u64).ok_or(MessageError::NoBuffer)
}

fn loc(handle: Handle) -> Result<Loc, MessageError> {
    Loc::from_raw(handle.addr() as u64).ok_or(MessageError::WrongKind)
}

fn handle_of(raw: u64) -> Handle {
    std::ptr::without_provenance_mut(raw as usize)
}

/// Reads from the buffer that holds `at`.
fn read<R>(
    id: Handle,
    at: Handle,
    work: impl FnOnce(&mut Buffer, Loc) -> Result<R, MessageError>,
) -> Result<R, MessageError> {
    let at = loc(at)?;
    messages().with_loc(buffer(id)?, at, |b| work(b, at))
}

/// Changes the buffer that holds `at`.
fn change<R>(
    id: Handle,
    at: Handle,
    work: impl FnOnce(&mut Buffer, Loc) -> Result<R, MessageError>,
) -> Result<R, MessageError> {
    let at = loc(at)?;
    messages().change(buffer(id)?, at, |b| work(b, at))
}

/// Text from C: `length` bytes, or up to NUL if it is negative. `None` for null.
///
/// # Safety
/// `text` is null or has as many readable bytes as said.
unsafe fn text<'a>(text: *const c_char, length: c_int) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    match usize::try_from(length) {
        // SAFETY: the caller vouches for `length` readable bytes.
        Ok(length) => Some(unsafe { std::slice::from_raw_parts(text.cast(), length) }),
        // SAFETY: the caller vouches for a string that ends with NUL.
        Err(_) => Some(unsafe { CStr::from_ptr(text) }.to_bytes()),
    }
}

/// Writes to an out-parameter unless it is null.
///
/// # Safety
/// `out` is null or writable.
unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not null, and the caller vouches that it may be written.
        unsafe { out.write(value) };
    }
}

/// A string of a buffer as it is given to C: pointer and length.
#[derive(Clone, Copy)]
struct Text(*const c_char, c_int);

impl Text {
    const NULL: Text = Text(std::ptr::null(), 0);

    fn of(buffer: &Buffer, span: Option<Span>) -> Text {
        span.map_or(Text::NULL, |s| {
            let bytes = buffer.text(s);
            Text(bytes.as_ptr().cast(), bytes.len() as c_int)
        })
    }

    /// Writes the length and returns the pointer.
    ///
    /// # Safety
    /// `length` is null or writable.
    unsafe fn give(self, length: *mut c_int) -> *const c_char {
        // SAFETY: as the caller vouches.
        unsafe { put(length, self.1) };
        self.0
    }
}

/// Appends to a `TSIOBuffer`.
fn write_io(out: Handle, bytes: &[u8]) -> Result<(), MessageError> {
    let written = IO_WRITER.get().is_some_and(|write| write(out, bytes));
    if written { Ok(()) } else { Err(MessageError::NoBuffer) }
}
