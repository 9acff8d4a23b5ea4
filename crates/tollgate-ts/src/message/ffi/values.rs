//! `TSMimeHdrFieldValue*`, `TSMimeParseDate`, `TSMimeFormatDate`.

use super::fields::field;
use super::{ERROR, Handle, SUCCESS, Text, change, fence, put, read, text};
use crate::message::dates;
use crate::message::error::MessageError;
use crate::message::numbers;
use std::ffi::{c_char, c_int, c_uint};

/// Room that `TSMimeFormatDate` asks for (ATS).
const DATE_ROOM: c_int = 33;

/// Removes the value.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldValuesClear(bufp: Handle, hdr: Handle, loc: Handle) -> c_int {
    fence("TSMimeHdrFieldValuesClear", ERROR, || {
        change(bufp, loc, |b, l| b.set_value(field(b, hdr, l)?, None).map(|()| SUCCESS))
    })
}

/// Number of elements.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldValuesCount(bufp: Handle, hdr: Handle, loc: Handle) -> c_int {
    fence("TSMimeHdrFieldValuesCount", 0, || {
        read(bufp, loc, |b, l| Ok(b.count_elements(field(b, hdr, l)?) as c_int))
    })
}

/// An element, or the whole value for a negative index.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldValueStringGet(
    bufp: Handle,
    hdr: Handle,
    loc: Handle,
    idx: c_int,
    length: *mut c_int,
) -> *const c_char {
    let value = fence("TSMimeHdrFieldValueStringGet", Text::NULL, || {
        read(bufp, loc, |b, l| Ok(Text::of(b, b.value_at(field(b, hdr, l)?, idx))))
    });
    // SAFETY: as the caller vouches.
    unsafe { value.give(length) }
}

/// Appends bytes to an element.
///
/// # Safety
/// `value` has `length` bytes or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldValueAppend(
    bufp: Handle,
    hdr: Handle,
    loc: Handle,
    idx: c_int,
    value: *const c_char,
    length: c_int,
) -> c_int {
    fence("TSMimeHdrFieldValueAppend", ERROR, || {
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, length) }.ok_or(MessageError::OutOfRange)?;
        let index = usize::try_from(idx).map_err(|_| MessageError::OutOfRange)?;
        change(bufp, loc, |b, l| b.extend_value(field(b, hdr, l)?, index, value).map(|()| SUCCESS))
    })
}

/// Removes an element.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldValueDelete(bufp: Handle, hdr: Handle, loc: Handle, idx: c_int) -> c_int {
    fence("TSMimeHdrFieldValueDelete", ERROR, || {
        let index = usize::try_from(idx).map_err(|_| MessageError::OutOfRange)?;
        change(bufp, loc, |b, l| b.remove_value(field(b, hdr, l)?, index).map(|()| SUCCESS))
    })
}

fn set(bufp: Handle, hdr: Handle, loc: Handle, idx: c_int, value: &[u8]) -> Result<c_int, MessageError> {
    change(bufp, loc, |b, l| b.set_value_at(field(b, hdr, l)?, idx, value).map(|()| SUCCESS))
}

fn insert(bufp: Handle, hdr: Handle, loc: Handle, idx: c_int, value: &[u8]) -> Result<c_int, MessageError> {
    change(bufp, loc, |b, l| b.insert_value(field(b, hdr, l)?, idx, value).map(|()| SUCCESS))
}

/// Replaces an element, or the whole value for a negative index.
///
/// # Safety
/// `value` has `length` bytes or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldValueStringSet(
    bufp: Handle,
    hdr: Handle,
    loc: Handle,
    idx: c_int,
    value: *const c_char,
    length: c_int,
) -> c_int {
    fence("TSMimeHdrFieldValueStringSet", ERROR, || {
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, length) }.ok_or(MessageError::OutOfRange)?;
        set(bufp, hdr, loc, idx, value)
    })
}

/// Inserts an element, at the end for a negative index.
///
/// # Safety
/// `value` has `length` bytes or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldValueStringInsert(
    bufp: Handle,
    hdr: Handle,
    loc: Handle,
    idx: c_int,
    value: *const c_char,
    length: c_int,
) -> c_int {
    fence("TSMimeHdrFieldValueStringInsert", ERROR, || {
        // SAFETY: as the caller vouches.
        let value = unsafe { text(value, length) }.ok_or(MessageError::OutOfRange)?;
        insert(bufp, hdr, loc, idx, value)
    })
}

macro_rules! number_functions {
    (get { $($get:ident $parse:path => $type:ty;)+ } set { $($set:ident: $set_type:ty;)+ } insert { $($insert:ident: $insert_type:ty;)+ }) => {
        $(
            /// An element, or the whole value for a negative index, as a number; 0 without one.
            #[unsafe(no_mangle)]
            pub extern "C" fn $get(bufp: Handle, hdr: Handle, loc: Handle, idx: c_int) -> $type {
                fence(stringify!($get), 0, || {
                    read(bufp, loc, |b, l| {
                        let value = b.value_at(field(b, hdr, l)?, idx);
                        Ok(value.map_or(0, |v| $parse(b.text(v))))
                    })
                })
            }
        )+
        $(
            /// Replaces an element, or the whole value for a negative index, by a number.
            #[unsafe(no_mangle)]
            pub extern "C" fn $set(bufp: Handle, hdr: Handle, loc: Handle, idx: c_int, value: $set_type) -> c_int {
                fence(stringify!($set), ERROR, || set(bufp, hdr, loc, idx, value.to_string().as_bytes()))
            }
        )+
        $(
            /// Inserts a number as an element, at the end for a negative index.
            #[unsafe(no_mangle)]
            pub extern "C" fn $insert(bufp: Handle, hdr: Handle, loc: Handle, idx: c_int, value: $insert_type) -> c_int {
                fence(stringify!($insert), ERROR, || insert(bufp, hdr, loc, idx, value.to_string().as_bytes()))
            }
        )+
    };
}

number_functions! {
    get {
    TSMimeHdrFieldValueIntGet numbers::int => c_int;
    TSMimeHdrFieldValueUintGet numbers::uint => c_uint;
    TSMimeHdrFieldValueInt64Get numbers::int64 => i64;
    }
    set {
    TSMimeHdrFieldValueIntSet: c_int;
    TSMimeHdrFieldValueUintSet: c_uint;
    TSMimeHdrFieldValueInt64Set: i64;
    }
    insert {
    TSMimeHdrFieldValueIntInsert: c_int;
    TSMimeHdrFieldValueUintInsert: c_uint;
    }
}

/// The value as a date; 0 without one.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldValueDateGet(bufp: Handle, hdr: Handle, loc: Handle) -> i64 {
    fence("TSMimeHdrFieldValueDateGet", 0, || {
        read(bufp, loc, |b, l| {
            let value = b.value(field(b, hdr, l)?);
            Ok(value.map_or(0, |v| dates::parse(b.text(v))))
        })
    })
}

/// Replaces the value by a date.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldValueDateSet(bufp: Handle, hdr: Handle, loc: Handle, value: i64) -> c_int {
    fence("TSMimeHdrFieldValueDateSet", ERROR, || set(bufp, hdr, loc, -1, dates::format(value).as_bytes()))
}

/// Replaces the value by a date: a date is no list.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldValueDateInsert(bufp: Handle, hdr: Handle, loc: Handle, value: i64) -> c_int {
    fence("TSMimeHdrFieldValueDateInsert", ERROR, || set(bufp, hdr, loc, -1, dates::format(value).as_bytes()))
}

/// Reads a date; 0 if it is none.
///
/// # Safety
/// `value` is null or has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeParseDate(value: *const c_char, length: c_int) -> i64 {
    // SAFETY: as the caller vouches.
    fence("TSMimeParseDate", 0, || Ok(unsafe { text(value, length) }.map_or(0, dates::parse)))
}

/// Writes a date with a NUL behind it; `length` says the room and then the date's length.
///
/// # Safety
/// `value` has as much room as `length` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeFormatDate(time: i64, value: *mut c_char, length: *mut c_int) -> c_int {
    fence("TSMimeFormatDate", ERROR, || {
        // SAFETY: checked for null first; the caller vouches for the rest.
        if value.is_null() || length.is_null() || unsafe { *length } < DATE_ROOM {
            return Ok(ERROR);
        }
        let date = dates::format(time);
        // SAFETY: a date with its NUL is shorter than the room that was checked.
        unsafe {
            std::ptr::copy_nonoverlapping(date.as_ptr().cast(), value, date.len());
            value.add(date.len()).write(0);
            put(length, date.len() as c_int);
        }
        Ok(SUCCESS)
    })
}
