//! Which protocols connections speak, as tags.

use super::{change, get};
use crate::fence::{Misuse, fence};
use crate::slots::Handle;
use crate::ssn::SsnCell;
use crate::symbols;
use std::ffi::{CStr, c_char, c_int};
use std::net::SocketAddr;
use std::ptr::null;
use tollgate_http::Version;
use tollgate_plugin::Transaction;

/// A tag: the pointer that a constant holds.
type Tag = *const c_char;

fn tag(name: &str) -> Tag {
    symbols::find(name).map_or(null(), |symbol| {
        // SAFETY: the names used here are those of `const char *` variables.
        unsafe { *symbol.address().cast::<Tag>() }
    })
}

fn http(version: Version) -> Tag {
    tag(match version {
        Version::Http10 => "TS_PROTO_TAG_HTTP_1_0",
        Version::Http11 => "TS_PROTO_TAG_HTTP_1_1",
        Version::Http2 => "TS_PROTO_TAG_HTTP_2_0",
    })
}

/// What carries HTTP, innermost first.
fn carriers(addr: SocketAddr) -> [Tag; 2] {
    let ip = if addr.is_ipv4() { "TS_PROTO_TAG_IPV4" } else { "TS_PROTO_TAG_IPV6" };
    [tag("TS_PROTO_TAG_TCP"), tag(ip)]
}

/// The protocols of the client's connection, innermost first.
fn of_client(txn: &Transaction) -> Vec<Tag> {
    let [tcp, ip] = carriers(txn.client_addr());
    vec![http(txn.client_request.version), tcp, ip]
}

/// The protocols of the origin's connection, which may have been given back already; `None`: there was none.
fn of_origin(txn: &Transaction) -> Option<Vec<Tag>> {
    let [tcp, ip] = carriers(txn.outgoing_addr?);
    let version = txn.proxy_request.as_ref().map_or(Version::Http11, |request| request.version);
    Some(vec![http(version), tcp, ip])
}

/// Gives C as many tags as it has room for.
///
/// # Safety
/// `result` has room for `count` pointers or is null; `actual` is null or writable.
unsafe fn give(tags: &[Tag], count: c_int, result: *mut Tag, actual: *mut c_int) -> Result<c_int, Misuse> {
    let room = usize::try_from(count).unwrap_or(0);
    if result.is_null() || room == 0 {
        return Err(Misuse::Text("there is no room for the protocols"));
    }
    let given = tags.len().min(room);
    for (index, tag) in tags.iter().take(given).enumerate() {
        // SAFETY: as the caller vouches.
        unsafe { result.add(index).write(*tag) };
    }
    if !actual.is_null() {
        // SAFETY: as the caller vouches.
        unsafe { actual.write(given as c_int) };
    }
    Ok(0)
}

/// The tag that begins with `wanted`; null: none does.
///
/// # Safety
/// `wanted` is null or ends with NUL.
unsafe fn find(tags: &[Tag], wanted: Tag) -> Result<Tag, Misuse> {
    if wanted.is_null() {
        return Err(Misuse::Null);
    }
    // SAFETY: as the caller vouches.
    let wanted = unsafe { CStr::from_ptr(wanted) }.to_bytes();
    let begins = |tag: &&Tag| {
        // SAFETY: constants end with NUL.
        !tag.is_null() && unsafe { CStr::from_ptr(**tag) }.to_bytes().starts_with(wanted)
    };
    Ok(tags.iter().find(begins).copied().unwrap_or(null()))
}

/// The protocols of the client's connection, innermost first.
///
/// # Safety
/// `result` has room for `count` pointers; `actual` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnClientProtocolStackGet(
    txn: Handle,
    count: c_int,
    result: *mut *const c_char,
    actual: *mut c_int,
) -> c_int {
    change("TSHttpTxnClientProtocolStackGet", txn, |txn, _| {
        // SAFETY: as the caller vouches.
        unsafe { give(&of_client(txn), count, result, actual) }
    })
}

/// The protocol of the client's connection that begins with `tag`; null: none does.
///
/// # Safety
/// `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnClientProtocolStackContains(
    txn: Handle,
    tag: *const c_char,
) -> *const c_char {
    get("TSHttpTxnClientProtocolStackContains", txn, null(), |txn, _| {
        // SAFETY: as the caller vouches.
        unsafe { find(&of_client(txn), tag) }
    })
}

/// The protocols of the origin's connection, innermost first: none while there is no connection.
///
/// # Safety
/// `result` has room for `count` pointers; `actual` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnServerProtocolStackGet(
    txn: Handle,
    count: c_int,
    result: *mut *const c_char,
    actual: *mut c_int,
) -> c_int {
    change("TSHttpTxnServerProtocolStackGet", txn, |txn, _| {
        // SAFETY: as the caller vouches.
        unsafe { give(&of_origin(txn).unwrap_or_default(), count, result, actual) }
    })
}

/// The protocol of the origin's connection that begins with `tag`; null: none does.
///
/// # Safety
/// `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnServerProtocolStackContains(
    txn: Handle,
    tag: *const c_char,
) -> *const c_char {
    get("TSHttpTxnServerProtocolStackContains", txn, null(), |txn, _| {
        // SAFETY: as the caller vouches.
        unsafe { find(&of_origin(txn).unwrap_or_default(), tag) }
    })
}

/// The protocols below HTTP of a session's connection, innermost first.
///
/// # Safety
/// `result` has room for `count` pointers; `actual` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpSsnClientProtocolStackGet(
    ssn: Handle,
    count: c_int,
    result: *mut *const c_char,
    actual: *mut c_int,
) -> c_int {
    fence("TSHttpSsnClientProtocolStackGet", -1, || {
        let tags = carriers(SsnCell::find(ssn)?.client_addr());
        // SAFETY: as the caller vouches.
        unsafe { give(&tags, count, result, actual) }
    })
}

/// The protocol below HTTP of a session's connection that begins with `tag`; null: none does.
///
/// # Safety
/// `tag` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpSsnClientProtocolStackContains(
    ssn: Handle,
    tag: *const c_char,
) -> *const c_char {
    fence("TSHttpSsnClientProtocolStackContains", null(), || {
        let tags = carriers(SsnCell::find(ssn)?.client_addr());
        // SAFETY: as the caller vouches.
        unsafe { find(&tags, tag) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_by_how_it_begins() {
        let tags = carriers(([192, 0, 2, 1], 80).into());
        // SAFETY: texts that end with NUL.
        unsafe {
            assert_eq!(find(&tags, c"ip".as_ptr()), Ok(tag("TS_PROTO_TAG_IPV4")));
            assert_eq!(find(&tags, c"udp".as_ptr()), Ok(null()));
            assert_eq!(find(&tags, null()), Err(Misuse::Null));
        }
    }

    #[test]
    fn no_more_tags_are_given_than_there_is_room_for() {
        let tags = carriers(([192, 0, 2, 1], 80).into());
        let (mut room, mut count) = ([null(); 1], 0);
        // SAFETY: room for one pointer.
        let given = unsafe { give(&tags, 1, room.as_mut_ptr(), &raw mut count) };
        assert_eq!((given, count, room[0]), (Ok(0), 1, tag("TS_PROTO_TAG_TCP")));
    }
}
