//! The C functions of these services.
//!
//! Responsible for: pointers and lengths from C, out-parameters, return codes; a panic never crosses.
//! Not responsible for: what a call does (the safe layer beside this folder).
//! Invariants: every function that can fail runs in [`fence`]; a misuse is reported once per call and answered with
//! the function's error value; memory that the plugin frees is libc's.

// Names are those of the C interface.
pub mod args;
pub mod configs;
pub mod files;
pub mod hosts;
pub mod logs;
pub mod matcher;
pub mod places;
pub mod records;
pub mod stats;
mod symbols;
pub mod tags;

pub use symbols::{Symbol, symbols};

use super::error::ServiceError;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// `TSTextLogObject`, `TSConfig`, `TSFile` …: numbers in pointers' clothes.
pub type Handle = *mut c_void;

const SUCCESS: c_int = 0;
const ERROR: c_int = -1;

/// What is told of a misuse: the function and why.
pub type Reporter = fn(&'static str, ServiceError);

static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// Says who is told of misuses, instead of the log. Only the first call counts.
pub fn set_reporter(reporter: Reporter) {
    let _already_set = REPORTER.set(reporter);
}

fn report(function: &'static str, error: ServiceError) {
    match REPORTER.get() {
        Some(reporter) => reporter(function, error),
        None => crate::fence::report(function, &error),
    }
}

/// Runs the work of one C function: misuses are reported, panics stopped; both give `failed`.
fn fence<R: Copy>(function: &'static str, failed: R, work: impl FnOnce() -> Result<R, ServiceError>) -> R {
    crate::fence::fence(function, failed, || {
        Ok::<_, std::convert::Infallible>(work().unwrap_or_else(|error| {
            report(function, error);
            failed
        }))
    })
}

fn code(worked: bool) -> c_int {
    if worked { SUCCESS } else { ERROR }
}

fn number<T>(handle: *mut T) -> u64 {
    handle.addr() as u64
}

fn handle_of(raw: u64) -> Handle {
    std::ptr::without_provenance_mut(raw as usize)
}

/// Text from C that ends with NUL.
///
/// # Safety
/// `text` is null or ends with NUL.
unsafe fn c_text<'a>(text: *const c_char, what: &'static str) -> Result<&'a CStr, ServiceError> {
    if text.is_null() {
        return Err(ServiceError::Null(what));
    }
    // SAFETY: not null, and the caller vouches for the NUL.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// Text from C as a name; bytes that are no UTF-8 are replaced.
///
/// # Safety
/// `text` is null or ends with NUL.
unsafe fn name<'a>(text: *const c_char) -> Result<Cow<'a, str>, ServiceError> {
    // SAFETY: as the caller vouches.
    Ok(unsafe { c_text(text, "the name") }?.to_string_lossy())
}

/// Bytes from C; none for null.
///
/// # Safety
/// `bytes` is null or has `length` readable bytes.
unsafe fn bytes<'a>(bytes: *const c_char, length: usize) -> &'a [u8] {
    if bytes.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the length.
    unsafe { std::slice::from_raw_parts(bytes.cast(), length) }
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

/// A copy that ends with NUL and is freed with libc's `free`; null if there is no memory.
fn copy_for_c(text: &[u8]) -> *mut c_char {
    // SAFETY: a plain allocation with room for the bytes and a NUL.
    unsafe {
        let block = libc::malloc(text.len() + 1).cast::<u8>();
        if !block.is_null() {
            std::ptr::copy_nonoverlapping(text.as_ptr(), block, text.len());
            block.add(text.len()).write(0);
        }
        block.cast()
    }
}
