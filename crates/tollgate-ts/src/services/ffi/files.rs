//! `TSfopen`, `TSfread` and the like.

use super::{Handle, bytes, c_text, fence, handle_of, number};
use crate::services::services;
use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `TSfopen`.
///
/// # Safety
/// Texts are null or end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSfopen(file: *const c_char, mode: *const c_char) -> Handle {
    let null = std::ptr::null_mut();
    fence("TSfopen", null, || {
        // SAFETY: as the caller vouches.
        let (file, mode) = unsafe { (c_text(file, "the name")?, c_text(mode, "the mode")?) };
        let path = Path::new(OsStr::from_bytes(file.to_bytes()));
        Ok(services().files.open(path, mode.to_bytes()).map_or(null, handle_of))
    })
}

/// `TSfclose`.
#[unsafe(no_mangle)]
pub extern "C" fn TSfclose(file: Handle) {
    fence("TSfclose", (), || services().files.close(number(file)).map(drop));
}

/// `TSfflush`.
#[unsafe(no_mangle)]
pub extern "C" fn TSfflush(file: Handle) {
    fence("TSfflush", (), || services().files.flush(number(file)).map(drop));
}

/// `TSfread`.
///
/// # Safety
/// `buffer` has `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSfread(file: Handle, buffer: *mut c_void, length: usize) -> isize {
    fence("TSfread", -1, || {
        let Some(read) = services().files.read(number(file), length)? else { return Ok(-1) };
        // SAFETY: no more was read than the caller has room for.
        unsafe { std::ptr::copy_nonoverlapping(read.as_ptr(), buffer.cast(), read.len()) };
        Ok(read.len() as isize)
    })
}

/// `TSfwrite`.
///
/// # Safety
/// `buffer` has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSfwrite(file: Handle, buffer: *const c_void, length: usize) -> isize {
    fence("TSfwrite", -1, || {
        // SAFETY: as the caller vouches.
        let written = services().files.write(number(file), unsafe { bytes(buffer.cast(), length) })?;
        Ok(written.map_or(-1, |n| n as isize))
    })
}

/// `TSfgets`.
///
/// # Safety
/// `buffer` has `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSfgets(file: Handle, buffer: *mut c_char, length: usize) -> *mut c_char {
    let null = std::ptr::null_mut();
    fence("TSfgets", null, || {
        let Some(room) = length.checked_sub(1) else { return Ok(null) };
        let Some(line) = services().files.line(number(file), room)? else { return Ok(null) };
        // SAFETY: the line leaves room for a NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(line.as_ptr().cast(), buffer, line.len());
            buffer.add(line.len()).write(0);
        }
        Ok(buffer)
    })
}
