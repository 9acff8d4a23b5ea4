//! `TSHttpHdr*`.

use super::{
    ERROR, Handle, SUCCESS, Text, buffer, change, fence, handle_of, loc, messages, put, read, text, write_io,
};
use crate::message::buffer::HeaderType;
use crate::message::error::MessageError;
use crate::message::table::writable;
use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

/// A new header whose type is not yet said.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrCreate(bufp: Handle) -> Handle {
    fence("TSHttpHdrCreate", null_mut(), || {
        messages().with(buffer(bufp)?, |b| {
            writable(b)?;
            Ok(handle_of(b.create_header().raw()))
        })
    })
}

/// Nothing: a header lives as long as its buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrDestroy(bufp: Handle, offset: Handle) {
    fence("TSHttpHdrDestroy", (), || read(bufp, offset, |b, l| b.header(l).map(drop)));
}

/// Copies a header into a new one.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpHdrClone(
    dest_bufp: Handle,
    src_bufp: Handle,
    src_hdr: Handle,
    locp: *mut Handle,
) -> c_int {
    fence("TSHttpHdrClone", ERROR, || {
        let taken = read(src_bufp, src_hdr, |b, l| Ok(b.take_header(b.header(l)?)))?;
        let made = messages().with(buffer(dest_bufp)?, |b| {
            writable(b)?;
            let loc = b.create_header();
            b.put_header(b.header(loc)?, &taken)?;
            Ok(loc)
        })?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, handle_of(made.raw())) };
        Ok(SUCCESS)
    })
}

/// Replaces a header by a copy of another.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrCopy(dest_bufp: Handle, dest: Handle, src_bufp: Handle, src: Handle) -> c_int {
    fence("TSHttpHdrCopy", ERROR, || {
        let taken = read(src_bufp, src, |b, l| Ok(b.take_header(b.header(l)?)))?;
        change(dest_bufp, dest, |b, l| b.put_header(b.header(l)?, &taken).map(|()| SUCCESS))
    })
}

/// Writes the header into an IO buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrPrint(bufp: Handle, offset: Handle, iobufp: Handle) {
    fence("TSHttpHdrPrint", (), || {
        let mut out = Vec::new();
        read(bufp, offset, |b, l| b.print_header(b.header(l)?, &mut out))?;
        write_io(iobufp, &out)
    });
}

/// Length of the header as it is written.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrLengthGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSHttpHdrLengthGet", 0, || read(bufp, offset, |b, l| Ok(b.header_len(b.header(l)?)? as c_int)))
}

/// Request, response or unknown.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrTypeGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSHttpHdrTypeGet", 0, || read(bufp, offset, |b, l| Ok(b.header_type(b.header(l)?)? as c_int)))
}

/// Says what a new header is.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrTypeSet(bufp: Handle, offset: Handle, kind: c_int) -> c_int {
    fence("TSHttpHdrTypeSet", ERROR, || {
        let kinds = [HeaderType::Unknown, HeaderType::Request, HeaderType::Response];
        let kind = kinds.into_iter().find(|k| *k as c_int == kind).ok_or(MessageError::OutOfRange)?;
        change(bufp, offset, |b, l| b.set_header_type(b.header(l)?, kind).map(|()| SUCCESS))
    })
}

/// Major version in the upper, minor in the lower 16 bits.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrVersionGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSHttpHdrVersionGet", 0, || read(bufp, offset, |b, l| Ok(b.version(b.header(l)?)? as c_int)))
}

/// Sets the version.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrVersionSet(bufp: Handle, offset: Handle, version: c_int) -> c_int {
    fence("TSHttpHdrVersionSet", ERROR, || {
        change(bufp, offset, |b, l| b.set_version(b.header(l)?, version as u32).map(|()| SUCCESS))
    })
}

macro_rules! text_functions {
    (get { $($(#[$doc:meta])* $get:ident = $method:ident;)+ } set { $($(#[$set_doc:meta])* $set:ident = $setter:ident;)+ }) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// `length` is null or writable.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $get(bufp: Handle, offset: Handle, length: *mut c_int) -> *const c_char {
                let found = fence(stringify!($get), Text::NULL, || {
                    read(bufp, offset, |b, l| Ok(Text::of(b, b.$method(b.header(l)?)?)))
                });
                // SAFETY: as the caller vouches.
                unsafe { found.give(length) }
            }
        )+
        $(
            $(#[$set_doc])*
            ///
            /// # Safety
            /// `value` has `length` bytes or ends with NUL.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $set(bufp: Handle, offset: Handle, value: *const c_char, length: c_int) -> c_int {
                fence(stringify!($set), ERROR, || {
                    // SAFETY: as the caller vouches.
                    let value = unsafe { text(value, length) }.ok_or(MessageError::OutOfRange)?;
                    change(bufp, offset, |b, l| b.$setter(b.header(l)?, value).map(|()| SUCCESS))
                })
            }
        )+
    };
}

text_functions! {
    get {
    /// The method; a well-known one has its constant's address.
    TSHttpHdrMethodGet = method;
    /// The host that a request is for, without port.
    TSHttpHdrHostGet = request_host;
    /// The reason phrase.
    TSHttpHdrReasonGet = reason;
    }
    set {
    /// Sets the method.
    TSHttpHdrMethodSet = set_method;
    /// Sets the reason phrase.
    TSHttpHdrReasonSet = set_reason;
    }
}

/// The whole URL of a request: what its URL does not say is taken from the Host field. It is copied if there
/// is room for it; its length is told in any case.
///
/// # Safety
/// `bytes` has room for `size` bytes or is null; `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpHdrEffectiveUrlBufGet(
    bufp: Handle,
    offset: Handle,
    bytes: *mut c_char,
    size: i64,
    length: *mut i64,
) -> c_int {
    fence("TSHttpHdrEffectiveUrlBufGet", ERROR, || {
        let url = read(bufp, offset, |b, l| b.effective_url(b.header(l)?))?;
        // SAFETY: as the caller vouches.
        unsafe { put(length, url.len() as i64) };
        if !bytes.is_null() && usize::try_from(size).is_ok_and(|room| url.len() <= room) {
            // SAFETY: there is room, as the caller vouches.
            unsafe { std::ptr::copy_nonoverlapping(url.as_ptr(), bytes.cast::<u8>(), url.len()) };
        }
        Ok(SUCCESS)
    })
}

/// The URL of a request.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpHdrUrlGet(bufp: Handle, offset: Handle, locp: *mut Handle) -> c_int {
    fence("TSHttpHdrUrlGet", ERROR, || {
        let url = read(bufp, offset, |b, l| match b.request_url(b.header(l)?) {
            Ok(url) => Ok(Some(b.url_loc(url))),
            Err(MessageError::WrongType) => Ok(None),
            Err(other) => Err(other),
        })?;
        let Some(url) = url else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe { put(locp, handle_of(url.raw())) };
        Ok(SUCCESS)
    })
}

/// Gives a request another URL. One of another buffer is copied.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrUrlSet(bufp: Handle, offset: Handle, url: Handle) -> c_int {
    fence("TSHttpHdrUrlSet", ERROR, || {
        let url = loc(url)?;
        let taken = messages().with_owner(url, |b| Ok(b.take_url(b.url(url)?)))?;
        change(bufp, offset, |b, l| {
            let header = b.header(l)?;
            let own = if url.stamp() == l.stamp() {
                b.url(url)?
            } else {
                let made = b.new_url();
                b.put_url(made, &taken);
                made
            };
            b.set_request_url(header, own).map(|()| SUCCESS)
        })
    })
}

/// The status of a response; 0 for a request.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrStatusGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSHttpHdrStatusGet", 0, || read(bufp, offset, |b, l| Ok(b.status(b.header(l)?)?.into())))
}

/// Sets the status of a response.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrStatusSet(bufp: Handle, offset: Handle, status: c_int) -> c_int {
    fence("TSHttpHdrStatusSet", ERROR, || {
        let status = u16::try_from(status).map_err(|_| MessageError::OutOfRange)?;
        change(bufp, offset, |b, l| b.set_status(b.header(l)?, status).map(|()| SUCCESS))
    })
}

/// The standard phrase of a status; null if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHdrReasonLookup(status: c_int) -> *const c_char {
    let phrase = match status {
        0 => c"None",
        100 => c"Continue",
        101 => c"Switching Protocols",
        102 => c"Processing",
        103 => c"Early Hints",
        200 => c"OK",
        201 => c"Created",
        202 => c"Accepted",
        203 => c"Non - Authoritative Information",
        204 => c"No Content",
        205 => c"Reset Content",
        206 => c"Partial Content",
        207 => c"Multi - Status",
        208 => c"Already Reported",
        226 => c"IM Used",
        300 => c"Multiple Choices",
        301 => c"Moved Permanently",
        302 => c"Found",
        303 => c"See Other",
        304 => c"Not Modified",
        305 => c"Use Proxy",
        307 => c"Temporary Redirect",
        308 => c"Permanent Redirect",
        400 => c"Bad Request",
        401 => c"Unauthorized",
        402 => c"Payment Required",
        403 => c"Forbidden",
        404 => c"Not Found",
        405 => c"Method Not Allowed",
        406 => c"Not Acceptable",
        407 => c"Proxy Authentication Required",
        408 => c"Request Timeout",
        409 => c"Conflict",
        410 => c"Gone",
        411 => c"Length Required",
        412 => c"Precondition Failed",
        413 => c"Request Entity Too Large",
        414 => c"Request - URI Too Long",
        415 => c"Unsupported Media Type",
        416 => c"Requested Range Not Satisfiable",
        417 => c"Expectation Failed",
        422 => c"Unprocessable Entity",
        423 => c"Locked",
        424 => c"Failed Dependency",
        426 => c"Upgrade Required",
        428 => c"Precondition Required",
        429 => c"Too Many Requests",
        431 => c"Request Header Fields Too Large",
        500 => c"Internal Server Error",
        501 => c"Not Implemented",
        502 => c"Bad Gateway",
        503 => c"Service Unavailable",
        504 => c"Gateway Timeout",
        505 => c"HTTP Version Not Supported",
        506 => c"Variant Also Negotiates",
        507 => c"Insufficient Storage",
        508 => c"Loop Detected",
        510 => c"Not Extended",
        511 => c"Network Authentication Required",
        _ => return std::ptr::null(),
    };
    phrase.as_ptr()
}
