//! Host states and addresses.

use super::{ERROR, SUCCESS, bytes, code, fence, put};
use crate::services::{addresses, services};
use std::ffi::{c_char, c_int, c_uint};
use std::net::SocketAddr;

fn now() -> i64 {
    services().host().now_ns() / 1_000_000_000
}

/// `TSHostStatusGet`.
///
/// # Safety
/// `host` has `length` readable bytes, the other pointers are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHostStatusGet(
    host: *const c_char,
    length: usize,
    status: *mut c_int,
    reason: *mut c_uint,
) -> c_int {
    fence("TSHostStatusGet", ERROR, || {
        // SAFETY: as the caller vouches.
        let host = String::from_utf8_lossy(unsafe { bytes(host, length) });
        let Some((found, reasons)) = services().host_status.get(&host, now()) else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe {
            put(status, found);
            put(reason, reasons);
        }
        Ok(SUCCESS)
    })
}

/// `TSHostStatusSet`.
///
/// # Safety
/// `host` has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHostStatusSet(
    host: *const c_char,
    length: usize,
    status: c_int,
    seconds: c_uint,
    reason: c_uint,
) {
    fence("TSHostStatusSet", (), || {
        // SAFETY: as the caller vouches.
        let host = String::from_utf8_lossy(unsafe { bytes(host, length) });
        services().host_status.set(&host, status, seconds, reason, now());
        Ok(())
    });
}

/// `TSHostnameIsSelf`.
///
/// # Safety
/// `host` has `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHostnameIsSelf(host: *const c_char, length: usize) -> c_int {
    fence("TSHostnameIsSelf", ERROR, || {
        // SAFETY: as the caller vouches.
        let host = String::from_utf8_lossy(unsafe { bytes(host, length) });
        Ok(code(services().host().is_self(&host)))
    })
}

/// `TSIpStringToAddr`.
///
/// # Safety
/// `text` has `length` readable bytes, `address` is null or has room for an address of either family.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSIpStringToAddr(
    text: *const c_char,
    length: usize,
    address: *mut libc::sockaddr,
) -> c_int {
    fence("TSIpStringToAddr", ERROR, || {
        // SAFETY: as the caller vouches.
        let text = std::str::from_utf8(unsafe { bytes(text, length) }).unwrap_or_default();
        let Some(parsed) = addresses::parse(text) else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe {
            match parsed {
                SocketAddr::V4(v4) => put(address.cast(), sockaddr_in(v4)),
                SocketAddr::V6(v6) => put(address.cast(), sockaddr_in6(v6)),
            }
        }
        Ok(SUCCESS)
    })
}

fn sockaddr_in(address: std::net::SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn sockaddr_in6(address: std::net::SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: address.port().to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
        sin6_scope_id: 0,
    }
}
