//! `TSMatcher*`.

use super::{Handle, c_text, copy_for_c, fence, handle_of, number, put};
use crate::services::error::ServiceError;
use crate::services::{matcher, services};
use std::ffi::{OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `TSMatcherReadIntoBuffer`: names are relative to the directory of configuration files.
///
/// # Safety
/// `file` is null or ends with NUL, `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMatcherReadIntoBuffer(file: *mut c_char, length: *mut c_int) -> *mut c_char {
    let null = std::ptr::null_mut();
    fence("TSMatcherReadIntoBuffer", null, || {
        // SAFETY: as the caller vouches.
        let file = unsafe { c_text(file, "the name") }?;
        let path = services().host().directories().config.join(Path::new(OsStr::from_bytes(file.to_bytes())));
        let Ok(text) = std::fs::read(path) else { return Ok(null) };
        // SAFETY: as the caller vouches.
        unsafe { put(length, text.len() as c_int) };
        Ok(copy_for_c(&text))
    })
}

/// `TSMatcherTokLine`: ends the first line of a buffer with NUL.
///
/// # Safety
/// `buffer` is null or ends with NUL and is writable, `last` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMatcherTokLine(buffer: *mut c_char, last: *mut *mut c_char) -> *mut c_char {
    let null = std::ptr::null_mut();
    fence("TSMatcherTokLine", null, || {
        // SAFETY: as the caller vouches.
        let end = matcher::next_line(unsafe { c_text(buffer, "the buffer") }?.to_bytes());
        let Some(end) = end else { return Ok(null) };
        // SAFETY: the end lies within the buffer, which may be written.
        unsafe {
            if end.is_newline {
                buffer.add(end.last).write(0);
            }
            put(last, buffer.add(end.last));
        }
        Ok(buffer)
    })
}

/// `TSMatcherExtractIPRange`.
///
/// # Safety
/// `text` is null or ends with NUL, the other pointers are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMatcherExtractIPRange(
    text: *mut c_char,
    first: *mut u32,
    last: *mut u32,
) -> *mut c_char {
    fence("TSMatcherExtractIPRange", c"malformed IP address".as_ptr().cast_mut(), || {
        // SAFETY: as the caller vouches.
        match matcher::range(&unsafe { c_text(text, "the range") }?.to_string_lossy()) {
            Ok((from, to)) => {
                // SAFETY: as the caller vouches.
                unsafe {
                    put(first, from);
                    put(last, to);
                }
                Ok(std::ptr::null_mut())
            }
            Err(fault) => Ok(fault.as_ptr().cast_mut()),
        }
    })
}

/// `TSMatcherLineCreate`.
#[unsafe(no_mangle)]
pub extern "C" fn TSMatcherLineCreate() -> Handle {
    fence("TSMatcherLineCreate", std::ptr::null_mut(), || {
        services().lines.create().map(handle_of).ok_or(ServiceError::TooMany("lines"))
    })
}

/// `TSMatcherLineDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn TSMatcherLineDestroy(line: Handle) {
    fence("TSMatcherLineDestroy", (), || services().lines.destroy(number(line)));
}

/// `TSMatcherParseSrcIPConfigLine`: what is wrong with the line, null if nothing is.
///
/// # Safety
/// `text` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMatcherParseSrcIPConfigLine(text: *mut c_char, line: Handle) -> *const c_char {
    fence("TSMatcherParseSrcIPConfigLine", c"Malformed entry".as_ptr(), || {
        // SAFETY: as the caller vouches.
        let text = unsafe { c_text(text, "the line") }?;
        let fault = services().lines.parse(number(line), text.to_bytes())?;
        Ok(fault.map_or(std::ptr::null(), std::ffi::CStr::as_ptr))
    })
}

/// `TSMatcherLineName`.
#[unsafe(no_mangle)]
pub extern "C" fn TSMatcherLineName(line: Handle, element: c_int) -> *mut c_char {
    let null = std::ptr::null_mut();
    fence("TSMatcherLineName", null, || {
        Ok(services().lines.pair(number(line), element)?.map_or(null, |(label, _)| label.cast_mut()))
    })
}

/// `TSMatcherLineValue`.
#[unsafe(no_mangle)]
pub extern "C" fn TSMatcherLineValue(line: Handle, element: c_int) -> *mut c_char {
    let null = std::ptr::null_mut();
    fence("TSMatcherLineValue", null, || {
        Ok(services().lines.pair(number(line), element)?.map_or(null, |(_, value)| value.cast_mut()))
    })
}
