//! `TSStringPercent*`, `TSBase64*`.

use super::{ERROR, SUCCESS, fence, put, text};
use crate::message::encodings;
use crate::message::error::MessageError;
use std::ffi::{c_char, c_int};

/// Writes `bytes` and a NUL if there is room for them and `room` bytes; the length is 0 if not.
///
/// # Safety
/// `dst` has `dst_size` bytes of room, `length` is null or writable.
unsafe fn give(bytes: &[u8], room: usize, dst: *mut c_char, dst_size: usize, length: *mut usize) -> c_int {
    let fits = !dst.is_null() && dst_size >= room.max(bytes.len() + 1);
    if fits {
        // SAFETY: the room was compared; the caller vouches for it.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), dst, bytes.len());
            dst.add(bytes.len()).write(0);
        }
    }
    // SAFETY: as the caller vouches.
    unsafe { put(length, if fits { bytes.len() } else { 0 }) };
    if fits { SUCCESS } else { ERROR }
}

/// Percent-encodes into `dst`.
///
/// # Safety
/// As [`give`]; `map` is null or has 32 bytes.
pub(super) unsafe fn percent(
    bytes: &[u8],
    dst: *mut c_char,
    dst_size: usize,
    length: *mut usize,
    map: *const [u8; 32],
) -> c_int {
    // SAFETY: as the caller vouches.
    let encoded = encodings::percent_encode(bytes, unsafe { map.as_ref() });
    // SAFETY: as the caller vouches.
    unsafe { give(&encoded, 0, dst, dst_size, length) }
}

/// Percent-encodes text.
///
/// # Safety
/// `value` has `value_len` bytes or ends with NUL; `dst`, `length` and `map` as [`percent`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSStringPercentEncode(
    value: *const c_char,
    value_len: c_int,
    dst: *mut c_char,
    dst_size: usize,
    length: *mut usize,
    map: *const [u8; 32],
) -> c_int {
    fence("TSStringPercentEncode", ERROR, || {
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, value_len) }.ok_or(MessageError::OutOfRange)?;
        // SAFETY: as the caller vouches.
        Ok(unsafe { percent(value, dst, dst_size, length, map) })
    })
}

/// Decodes percent-encoded text, as much as there is room for. Length 0 means up to NUL.
///
/// # Safety
/// `value` has `value_len` bytes; `dst` has `dst_size` bytes of room; `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSStringPercentDecode(
    value: *const c_char,
    value_len: usize,
    dst: *mut c_char,
    dst_size: usize,
    length: *mut usize,
) -> c_int {
    fence("TSStringPercentDecode", ERROR, || {
        let len = if value_len == 0 {
            -1
        } else {
            c_int::try_from(value_len).map_err(|_| MessageError::OutOfRange)?
        };
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, len) }.ok_or(MessageError::OutOfRange)?;
        let room = dst_size.checked_sub(1).ok_or(MessageError::OutOfRange)?;
        let mut decoded = encodings::percent_decode(value);
        decoded.truncate(room);
        // SAFETY: as the caller vouches.
        Ok(unsafe { give(&decoded, 0, dst, dst_size, length) })
    })
}

/// Encodes bytes as base64.
///
/// # Safety
/// `value` has `value_len` bytes; `dst` has `dst_size` bytes of room; `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSBase64Encode(
    value: *const c_char,
    value_len: usize,
    dst: *mut c_char,
    dst_size: usize,
    length: *mut usize,
) -> c_int {
    fence("TSBase64Encode", ERROR, || {
        let len = c_int::try_from(value_len).map_err(|_| MessageError::OutOfRange)?;
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, len) }.ok_or(MessageError::OutOfRange)?;
        // SAFETY: as the caller vouches.
        Ok(unsafe {
            give(&encodings::base64_encode(value), encodings::base64_room(value_len), dst, dst_size, length)
        })
    })
}

/// Decodes base64.
///
/// # Safety
/// `value` has `value_len` bytes; `dst` has `dst_size` bytes of room; `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSBase64Decode(
    value: *const c_char,
    value_len: usize,
    dst: *mut u8,
    dst_size: usize,
    length: *mut usize,
) -> c_int {
    fence("TSBase64Decode", ERROR, || {
        let len = c_int::try_from(value_len).map_err(|_| MessageError::OutOfRange)?;
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, len) }.ok_or(MessageError::OutOfRange)?;
        let room = encodings::base64_decoded_room(value_len);
        // SAFETY: as the caller vouches.
        Ok(unsafe { give(&encodings::base64_decode(value), room, dst.cast(), dst_size, length) })
    })
}
