//! The client's socket and its options.
//!
//! Invariant: options are set on the socket of a live session only: while the transaction is at a hook point.

use super::{change, with};
use crate::fence::{Misuse, fence};
use crate::slots::Handle;
use crate::ssn::SsnCell;
use std::ffi::{c_int, c_void};

/// The descriptor of the client's socket.
///
/// # Safety
/// `fd` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnClientFdGet(txn: Handle, fd: *mut c_int) -> c_int {
    change("TSHttpTxnClientFdGet", txn, |txn, _| {
        // SAFETY: as the caller vouches.
        unsafe { give(txn.session().client_fd(), fd) }
    })
}

/// The descriptor of the client's socket.
///
/// # Safety
/// `fd` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpSsnClientFdGet(ssn: Handle, fd: *mut c_int) -> c_int {
    fence("TSHttpSsnClientFdGet", -1, || {
        let own = SsnCell::find(ssn)?.client_fd().ok_or(Misuse::Text("only on the session's own thread"))?;
        // SAFETY: as the caller vouches.
        unsafe { give(own, fd) }
    })
}

/// # Safety
/// `place` is null or writable.
unsafe fn give(fd: c_int, place: *mut c_int) -> Result<c_int, Misuse> {
    if place.is_null() {
        return Err(Misuse::Null);
    }
    if fd < 0 {
        return Ok(-1);
    }
    // SAFETY: not null, and the caller vouches that it may be written.
    unsafe { place.write(fd) };
    Ok(0)
}

/// Sets an option whose value is a number.
fn set_option(fd: c_int, level: c_int, option: c_int, value: c_int) -> c_int {
    if fd < 0 {
        return -1;
    }
    let size = size_of::<c_int>() as libc::socklen_t;
    let place: *const c_void = (&raw const value).cast();
    // SAFETY: a descriptor that the session holds open, and a number of the size told.
    unsafe { libc::setsockopt(fd, level, option, place, size) }
}

/// The type of service is an option of the address family.
pub(super) fn set_tos(fd: c_int, is_ipv4: bool, tos: c_int) -> c_int {
    if is_ipv4 {
        set_option(fd, libc::IPPROTO_IP, libc::IP_TOS, tos)
    } else {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos)
    }
}

/// Marks the packets to the client, for the system's routing.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientPacketMarkSet(txn: Handle, mark: c_int) -> c_int {
    change("TSHttpTxnClientPacketMarkSet", txn, |txn, _| Ok(set_mark(txn.session().client_fd(), mark)))
}

/// Marks packets, for the system's routing.
pub(super) fn set_mark(fd: c_int, mark: c_int) -> c_int {
    set_option(fd, libc::SOL_SOCKET, libc::SO_MARK, mark)
}

/// Sets the type of service of the packets to the client.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientPacketTosSet(txn: Handle, tos: c_int) -> c_int {
    change("TSHttpTxnClientPacketTosSet", txn, |txn, _| {
        Ok(set_tos(txn.session().client_fd(), txn.client_addr().is_ipv4(), tos))
    })
}

/// Sets the class of service (six bits of the type of service) of the packets to the client.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientPacketDscpSet(txn: Handle, dscp: c_int) -> c_int {
    change("TSHttpTxnClientPacketDscpSet", txn, |txn, _| {
        Ok(set_tos(txn.session().client_fd(), txn.client_addr().is_ipv4(), dscp << 2))
    })
}

/// Says which URL parents are chosen by. It is kept and given back: this server has no parents yet.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnParentSelectionUrlSet(txn: Handle, _bufp: Handle, obj: Handle) -> c_int {
    fence("TSHttpTxnParentSelectionUrlSet", -1, || {
        let url = super::cache::engine_url(obj);
        with(txn, |_, state| {
            let is_url = url.is_some();
            state.parent_url = url;
            Ok(if is_url { 0 } else { -1 })
        })
    })
}

/// Copies the URL that parents are chosen by. An error if none was set.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnParentSelectionUrlGet(txn: Handle, bufp: Handle, obj: Handle) -> c_int {
    change("TSHttpTxnParentSelectionUrlGet", txn, |_, state| match &state.parent_url {
        Some(url) => super::cache::copy_url(url, bufp, obj),
        None => Ok(-1),
    })
}
