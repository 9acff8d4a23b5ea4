//! `TSUrl*`.

use super::{
    ERROR, Handle, SUCCESS, Text, buffer, change, fence, handle_of, messages, put, read, text, write_io,
};
use crate::message::error::MessageError;
use crate::message::table::{Loc, writable};
use crate::message::url::Part;
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    fn malloc(size: usize) -> *mut std::ffi::c_void;
}

/// A new URL.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUrlCreate(bufp: Handle, locp: *mut Handle) -> c_int {
    fence("TSUrlCreate", ERROR, || {
        let made = messages().with(buffer(bufp)?, |b| {
            writable(b)?;
            Ok(b.create_url())
        })?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, handle_of(made.raw())) };
        Ok(SUCCESS)
    })
}

/// Copies a URL into a new one.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUrlClone(
    dest_bufp: Handle,
    src_bufp: Handle,
    src_url: Handle,
    locp: *mut Handle,
) -> c_int {
    fence("TSUrlClone", ERROR, || {
        let taken = read(src_bufp, src_url, |b, l| Ok(b.take_url(b.url(l)?)))?;
        let made = messages().with(buffer(dest_bufp)?, |b| {
            writable(b)?;
            let url = b.new_url();
            b.put_url(url, &taken);
            Ok(b.url_loc(url))
        })?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, handle_of(made.raw())) };
        Ok(SUCCESS)
    })
}

/// Replaces a URL by a copy of another.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlCopy(dest_bufp: Handle, dest: Handle, src_bufp: Handle, src: Handle) -> c_int {
    fence("TSUrlCopy", ERROR, || {
        let taken = read(src_bufp, src, |b, l| Ok(b.take_url(b.url(l)?)))?;
        change(dest_bufp, dest, |b, l| {
            b.put_url(b.url(l)?, &taken);
            Ok(SUCCESS)
        })
    })
}

/// Writes the URL into an IO buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlPrint(bufp: Handle, offset: Handle, iobufp: Handle) {
    fence("TSUrlPrint", (), || {
        let printed = read(bufp, offset, |b, l| Ok(b.print_url(b.url(l)?)))?;
        write_io(iobufp, &printed)
    });
}

/// Empties the URL and parses text into it; `start` is advanced.
///
/// # Safety
/// `*start` to `end` is readable and `start` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUrlParse(
    bufp: Handle,
    offset: Handle,
    start: *mut *const c_char,
    end: *const c_char,
) -> c_int {
    fence("TSUrlParse", ERROR, || {
        // SAFETY: as the caller vouches.
        let input = unsafe { super::parsers::input(start, end) }?;
        let parsed = change(bufp, offset, |b, l| b.parse_url(b.url(l)?, input))?;
        // SAFETY: the parser consumes at most the input.
        unsafe { start.write((*start).add(parsed.consumed)) };
        Ok(if parsed.is_valid { SUCCESS } else { ERROR })
    })
}

/// Length of the URL as it is written.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlLengthGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSUrlLengthGet", 0, || read(bufp, offset, |b, l| Ok(b.url_len(b.url(l)?) as c_int)))
}

/// The URL as text that ends with NUL, to be freed by the caller. ATS: the buffer may be null.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUrlStringGet(_bufp: Handle, offset: Handle, length: *mut c_int) -> *mut c_char {
    fence("TSUrlStringGet", std::ptr::null_mut(), || {
        let loc = Loc::from_raw(offset.addr() as u64).ok_or(MessageError::WrongKind)?;
        let printed = messages().with_owner(loc, |b| Ok(b.url_text(b.url(loc)?)))?;
        // SAFETY: the block has room for the text and a NUL; `length` as the caller vouches.
        unsafe {
            let block: *mut c_char = malloc(printed.len() + 1).cast();
            if block.is_null() {
                return Err(MessageError::TooMany);
            }
            std::ptr::copy_nonoverlapping(printed.as_ptr().cast(), block, printed.len());
            block.add(printed.len()).write(0);
            put(length, printed.len() as c_int);
            Ok(block)
        }
    })
}

/// The scheme, or the one that is implied.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUrlSchemeGet(bufp: Handle, offset: Handle, length: *mut c_int) -> *const c_char {
    let found = fence("TSUrlSchemeGet", Text::NULL, || {
        read(bufp, offset, |b, l| Ok(Text::of(b, b.url_scheme(b.url(l)?))))
    });
    // SAFETY: as the caller vouches.
    unsafe { found.give(length) }
}

macro_rules! part_functions {
    ($($get:ident $(/ $set:ident)? = $part:ident;)+) => {
        $(
            /// A part of the URL; null if it is absent.
            ///
            /// # Safety
            /// `length` is null or writable.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $get(bufp: Handle, offset: Handle, length: *mut c_int) -> *const c_char {
                let found = fence(stringify!($get), Text::NULL, || {
                    read(bufp, offset, |b, l| Ok(Text::of(b, b.url_part(b.url(l)?, Part::$part))))
                });
                // SAFETY: as the caller vouches.
                unsafe { found.give(length) }
            }
            $(
                /// Sets a part of the URL; null removes it.
                ///
                /// # Safety
                /// `value` is null, has `length` bytes or ends with NUL.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $set(bufp: Handle, offset: Handle, value: *const c_char, length: c_int) -> c_int {
                    fence(stringify!($set), ERROR, || {
                        // SAFETY: as the caller vouches.
                        let value = unsafe { text(value, length) };
                        change(bufp, offset, |b, l| b.set_url_part(b.url(l)?, Part::$part, value).map(|()| SUCCESS))
                    })
                }
            )?
        )+
    };
}

part_functions! {
    TSUrlRawSchemeGet / TSUrlSchemeSet = Scheme;
    TSUrlUserGet / TSUrlUserSet = User;
    TSUrlPasswordGet / TSUrlPasswordSet = Password;
    TSUrlHostGet / TSUrlHostSet = Host;
    TSUrlPathGet / TSUrlPathSet = Path;
    TSUrlHttpParamsGet / TSUrlHttpParamsSet = Params;
    TSUrlHttpQueryGet / TSUrlHttpQuerySet = Query;
    TSUrlHttpFragmentGet / TSUrlHttpFragmentSet = Fragment;
}

/// The port, the default one if none is set.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlPortGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSUrlPortGet", 0, || read(bufp, offset, |b, l| Ok(b.url_port(b.url(l)?).into())))
}

/// The port that is set, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlRawPortGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSUrlRawPortGet", 0, || read(bufp, offset, |b, l| Ok(b.url_raw_port(b.url(l)?).into())))
}

/// Sets the port; 0 removes it.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlPortSet(bufp: Handle, offset: Handle, port: c_int) -> c_int {
    fence("TSUrlPortSet", ERROR, || {
        let Ok(port) = u32::try_from(port) else { return Ok(ERROR) };
        change(bufp, offset, |b, l| {
            b.set_url_port(b.url(l)?, port);
            Ok(SUCCESS)
        })
    })
}

/// The type code of an FTP URL.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlFtpTypeGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSUrlFtpTypeGet", 0, || read(bufp, offset, |b, l| Ok(b.ftp_type(b.url(l)?))))
}

/// Sets the type code of an FTP URL.
#[unsafe(no_mangle)]
pub extern "C" fn TSUrlFtpTypeSet(bufp: Handle, offset: Handle, kind: c_int) -> c_int {
    fence("TSUrlFtpTypeSet", ERROR, || {
        change(bufp, offset, |b, l| b.set_ftp_type(b.url(l)?, kind).map(|()| SUCCESS))
    })
}

/// The URL percent-encoded.
///
/// # Safety
/// `dst` has `dst_size` bytes of room, `length` is null or writable, `map` is null or has 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUrlPercentEncode(
    bufp: Handle,
    offset: Handle,
    dst: *mut c_char,
    dst_size: usize,
    length: *mut usize,
    map: *const [u8; 32],
) -> c_int {
    fence("TSUrlPercentEncode", ERROR, || {
        let printed = read(bufp, offset, |b, l| Ok(b.url_text(b.url(l)?)))?;
        // SAFETY: as the caller vouches.
        Ok(unsafe { super::encode::percent(&printed, dst, dst_size, length, map) })
    })
}
