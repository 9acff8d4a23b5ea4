//! The way to the origin: its connection, its limits, what was sent and received on it.
//!
//! Not responsible for: addresses (`addresses`), what the records say (`overrides`).

use super::sockets::{set_mark, set_tos};
use super::{change, get};
use crate::diags::free_given;
use crate::fence::Misuse;
use crate::slots::Handle;
use crate::txn::addresses::address;
use bytes::Bytes;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::null;
use std::time::Duration;
use tollgate_config::ids;
use tollgate_config::records::IntRecord;
use tollgate_plugin::{OriginFacts, OriginWishes, Transaction, TransactionHook};

/// The descriptor of the origin's connection; -1: there is none.
fn fd_of(txn: &Transaction) -> c_int {
    txn.origin_facts.as_ref().map_or(-1, |facts| facts.fd())
}

/// The descriptor of the socket to the origin. An error while there is no connection.
///
/// # Safety
/// `fd` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnServerFdGet(txn: Handle, fd: *mut c_int) -> c_int {
    change("TSHttpTxnServerFdGet", txn, |txn, _| {
        if fd.is_null() {
            return Err(Misuse::Null);
        }
        let found = fd_of(txn);
        // SAFETY: not null, and the caller vouches that it may be written.
        unsafe { fd.write(found) };
        Ok(if found < 0 { -1 } else { 0 })
    })
}

/// Sets a record of the transaction, for connections still to be made.
fn set_record(txn: &mut Transaction, id: IntRecord, value: i64) -> Result<(), Misuse> {
    txn.records.set_int(id, value).map_err(|_| Misuse::Text("the value is out of range"))
}

fn set_service(txn: &mut Transaction, service: c_int) -> Result<c_int, Misuse> {
    set_record(txn, ids::NET_SOCK_PACKET_TOS_OUT, i64::from(service))?;
    let is_ipv4 = txn.outgoing_addr.is_none_or(|addr| addr.is_ipv4());
    Ok(match fd_of(txn) {
        -1 => 0,
        fd => set_tos(fd, is_ipv4, service),
    })
}

/// Sets the type of service of the packets to the origin.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerPacketTosSet(txn: Handle, tos: c_int) -> c_int {
    change("TSHttpTxnServerPacketTosSet", txn, |txn, _| set_service(txn, tos))
}

/// Sets the class of service (six bits of the type of service) of the packets to the origin.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerPacketDscpSet(txn: Handle, dscp: c_int) -> c_int {
    change("TSHttpTxnServerPacketDscpSet", txn, |txn, _| set_service(txn, dscp << 2))
}

/// Marks the packets to the origin, for the system's routing.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerPacketMarkSet(txn: Handle, mark: c_int) -> c_int {
    change("TSHttpTxnServerPacketMarkSet", txn, |txn, _| {
        set_record(txn, ids::NET_SOCK_PACKET_MARK_OUT, i64::from(mark.cast_unsigned()))?;
        Ok(match fd_of(txn) {
            -1 => 0,
            fd => set_mark(fd, mark),
        })
    })
}

/// Says which of our addresses connects to the origin.
///
/// # Safety
/// `addr` is null or points to an address that is as long as its family says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnOutgoingAddrSet(txn: Handle, addr: *const libc::sockaddr) -> c_int {
    change("TSHttpTxnOutgoingAddrSet", txn, |txn, _| {
        // SAFETY: as the caller vouches.
        let addr = unsafe { address(addr) }.ok_or(Misuse::Text("it is no IP address"))?;
        txn.origin_wishes_mut().source = Some(addr);
        Ok(0)
    })
}

/// Whether the origin is to see the client's address. This server does not take over addresses: an error, unless it
/// is not to.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnOutgoingTransparencySet(txn: Handle, flag: c_int) -> c_int {
    change("TSHttpTxnOutgoingTransparencySet", txn, |_, _| {
        if flag == 0 { Ok(0) } else { Err(Misuse::Text("connections are never transparent here")) }
    })
}

/// Keeps the origin's connection for this client. An error while there is none. It is closed after the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnPrivateSessionSet(txn: Handle, private: c_int) -> c_int {
    change("TSHttpTxnPrivateSessionSet", txn, |txn, _| {
        if fd_of(txn) < 0 {
            return Ok(-1);
        }
        txn.origin_wishes_mut().is_private = private != 0;
        Ok(0)
    })
}

/// Gives a body to a request that has none. The text now belongs to the server.
///
/// # Safety
/// `body` has `length` readable bytes or is null, and was allocated with `TSmalloc` or libc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnServerRequestBodySet(txn: Handle, body: *mut c_char, length: i64) {
    let bytes = usize::try_from(length).ok().filter(|n| *n > 0 && !body.is_null()).map(|length| {
        // SAFETY: as the caller vouches.
        Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(body.cast::<u8>(), length) })
    });
    // SAFETY: the caller has given it away.
    unsafe { free_given("TSHttpTxnServerRequestBodySet", body.cast()) };
    get("TSHttpTxnServerRequestBodySet", txn, (), |txn, _| {
        txn.origin_wishes_mut().body = bytes;
        Ok(())
    });
}

/// Has another proxy asked in the origin's place. Up to OS_DNS.
///
/// # Safety
/// `host` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnParentProxySet(txn: Handle, host: *const c_char, port: c_int) {
    get("TSHttpTxnParentProxySet", txn, (), |txn, state| {
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        if host.is_null() {
            return Err(Misuse::Null);
        }
        if state.hook > TransactionHook::OsDns {
            return Err(Misuse::Text("the origin has been chosen already"));
        }
        // SAFETY: as the caller vouches.
        let host = unsafe { CStr::from_ptr(host) }.to_string_lossy();
        let port = port.ok_or(Misuse::Text("it is no port"))?;
        txn.origin_wishes_mut().parent = Some((host.into(), port));
        Ok(())
    });
}

/// The proxy that [`TSHttpTxnParentProxySet`] named: null and -1 if none. The text lives as long as the transaction.
///
/// # Safety
/// `host` and `port` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnParentProxyGet(
    txn: Handle,
    host: *mut *const c_char,
    port: *mut c_int,
) -> c_int {
    change("TSHttpTxnParentProxyGet", txn, |txn, state| {
        if host.is_null() || port.is_null() {
            return Err(Misuse::Null);
        }
        let parent = txn.origin_wishes.as_ref().and_then(|wishes| wishes.parent.as_ref());
        let (name, number) = match parent {
            Some((name, number)) => {
                let text = CString::new(&**name).map_err(|_| Misuse::Text("the name has a NUL"))?;
                let pointer = text.as_ptr();
                state.texts.push(text);
                (pointer, c_int::from(*number))
            }
            None => (null(), -1),
        };
        // SAFETY: not null, and the caller vouches that they may be written.
        unsafe {
            host.write(name);
            port.write(number);
        }
        Ok(0)
    })
}

/// `LookingUp`: whose name is looked up, the origin's or another proxy's.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnLookingUpTypeGet(txn: Handle) -> c_int {
    const ORIGIN: c_int = 0;
    const PARENT: c_int = 2;
    get("TSHttpTxnLookingUpTypeGet", txn, 0, |txn, _| {
        let has_parent = txn.origin_wishes.as_ref().is_some_and(|wishes| wishes.parent.is_some());
        Ok(if has_parent { PARENT } else { ORIGIN })
    })
}

macro_rules! timeouts {
    ($($(#[doc = $doc:literal])+ $name:ident = $field:ident;)+) => {
        $(
            $(#[doc = $doc])+
            #[unsafe(no_mangle)]
            pub extern "C" fn $name(txn: Handle, milliseconds: c_int) {
                get(stringify!($name), txn, (), |txn, _| {
                    set_timeout(txn, milliseconds, |wishes| &mut wishes.$field)
                });
            }
        )+
    };
}

/// Sets a limit; 0 stands for none.
fn set_timeout(
    txn: &mut Transaction,
    milliseconds: c_int,
    which: fn(&mut OriginWishes) -> &mut Option<Duration>,
) -> Result<(), Misuse> {
    let limit = u64::try_from(milliseconds).map_err(|_| Misuse::Text("it is no time"))?;
    *which(txn.origin_wishes_mut()) = Some(Duration::from_millis(limit));
    Ok(())
}

timeouts! {
    /// How long the exchange with the origin may take.
    TSHttpTxnActiveTimeoutSet = active_timeout;
    /// How long an attempt to connect may take.
    TSHttpTxnConnectTimeoutSet = connect_timeout;
    /// How long the origin may say nothing.
    TSHttpTxnNoActivityTimeoutSet = silence_timeout;
    /// How long looking the origin's name up may take.
    TSHttpTxnDNSTimeoutSet = dns_timeout;
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident = $type:ty, $of:ident;)+) => {
        $(
            $(#[doc = $doc])+
            #[unsafe(no_mangle)]
            pub extern "C" fn $name(txn: Handle) -> $type {
                get(stringify!($name), txn, 0, |txn, _| {
                    Ok(txn.origin_facts.as_deref().map_or(0, OriginFacts::$of) as $type)
                })
            }
        )+
    };
}

counts! {
    /// Bytes of the header of the request to the origin.
    TSHttpTxnServerReqHdrBytesGet = c_int, request_header_bytes;
    /// Bytes of the body of the request to the origin.
    TSHttpTxnServerReqBodyBytesGet = i64, request_body_bytes;
    /// Bytes of the header of the origin's response.
    TSHttpTxnServerRespHdrBytesGet = c_int, response_header_bytes;
    /// Bytes of the body of the origin's response.
    TSHttpTxnServerRespBodyBytesGet = i64, response_body_bytes;
}

/// Bytes of the header of a response that a client has pushed: none, as pushing is not served.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnPushedRespHdrBytesGet(txn: Handle) -> c_int {
    get("TSHttpTxnPushedRespHdrBytesGet", txn, 0, |_, _| Ok(0))
}

/// Bytes of the body of a response that a client has pushed: none, as pushing is not served.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnPushedRespBodyBytesGet(txn: Handle) -> i64 {
    get("TSHttpTxnPushedRespBodyBytesGet", txn, 0, |_, _| Ok(0))
}
