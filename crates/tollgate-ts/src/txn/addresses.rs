//! Addresses of a transaction's peers.

use super::{TxnCell, change, get};
use crate::fence::{Misuse, fence};
use crate::slots::Handle;
use std::ffi::{c_char, c_int};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ptr::null;
use tollgate_plugin::{Transaction, TransactionHook};

/// An address as C knows it.
pub(crate) fn storage(addr: SocketAddr) -> libc::sockaddr_storage {
    // SAFETY: all bytes zero is a value of this plain structure.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    match addr {
        SocketAddr::V4(addr) => {
            let place = (&raw mut storage).cast::<libc::sockaddr_in>();
            // SAFETY: the storage has room for this kind of address and is aligned for it.
            unsafe {
                (*place).sin_family = libc::AF_INET as libc::sa_family_t;
                (*place).sin_port = addr.port().to_be();
                (*place).sin_addr.s_addr = u32::from_ne_bytes(addr.ip().octets());
            }
        }
        SocketAddr::V6(addr) => {
            let place = (&raw mut storage).cast::<libc::sockaddr_in6>();
            // SAFETY: as above.
            unsafe {
                (*place).sin6_family = libc::AF_INET6 as libc::sa_family_t;
                (*place).sin6_port = addr.port().to_be();
                (*place).sin6_flowinfo = addr.flowinfo();
                (*place).sin6_addr.s6_addr = addr.ip().octets();
                (*place).sin6_scope_id = addr.scope_id();
            }
        }
    }
    storage
}

/// An address from C.
///
/// # Safety
/// `addr` is null or points to an address that is as long as its family says.
pub(crate) unsafe fn address(addr: *const libc::sockaddr) -> Option<SocketAddr> {
    if addr.is_null() {
        return None;
    }
    // SAFETY: as the caller vouches.
    match c_int::from(unsafe { (*addr).sa_family }) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one of these.
            let addr = unsafe { addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(addr.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::from((ip, u16::from_be(addr.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that it is one of these.
            let addr = unsafe { addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(addr.sin6_addr.s6_addr);
            let port = u16::from_be(addr.sin6_port);
            Some(SocketAddrV6::new(ip, port, addr.sin6_flowinfo, addr.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// The client's address.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientAddrGet(txn: Handle) -> *const libc::sockaddr {
    fence("TSHttpTxnClientAddrGet", null(), || Ok::<_, Misuse>(TxnCell::find(txn)?.ssn().storages().0))
}

/// The address that the client connected to.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnIncomingAddrGet(txn: Handle) -> *const libc::sockaddr {
    fence("TSHttpTxnIncomingAddrGet", null(), || Ok::<_, Misuse>(TxnCell::find(txn)?.ssn().storages().1))
}

/// An address for C, kept as long as the transaction.
fn kept(
    function: &'static str,
    txn: Handle,
    of: fn(&Transaction) -> Option<SocketAddr>,
) -> *const libc::sockaddr {
    get(function, txn, null(), |txn, state| {
        let Some(addr) = of(txn) else { return Ok(null()) };
        let made = Box::new(storage(addr));
        // Kept as long as the transaction: the plugin may keep the pointer.
        let pointer = (&raw const *made).cast();
        state.addresses.push(made);
        Ok(pointer)
    })
}

/// The origin's address; null: not known yet.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerAddrGet(txn: Handle) -> *const libc::sockaddr {
    kept("TSHttpTxnServerAddrGet", txn, |txn| txn.origin_addr)
}

/// The next hop's address; null: not known yet.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnNextHopAddrGet(txn: Handle) -> *const libc::sockaddr {
    kept("TSHttpTxnNextHopAddrGet", txn, |txn| txn.origin_addr)
}

/// Our address on the origin's connection; null: there is none yet.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnOutgoingAddrGet(txn: Handle) -> *const libc::sockaddr {
    kept("TSHttpTxnOutgoingAddrGet", txn, |txn| txn.outgoing_addr)
}

/// Requests sent on the origin's connection before this transaction's.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerSsnTransactionCount(txn: Handle) -> c_int {
    get("TSHttpTxnServerSsnTransactionCount", txn, 0, |txn, _| Ok(txn.origin_uses as c_int))
}

/// Says where the origin is.
///
/// # Safety
/// `addr` is null or points to an address that is as long as its family says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnServerAddrSet(txn: Handle, addr: *const libc::sockaddr) -> c_int {
    change("TSHttpTxnServerAddrSet", txn, |txn, state| {
        // SAFETY: as the caller vouches.
        let addr = unsafe { address(addr) }.ok_or(Misuse::Text("it is no IP address"))?;
        if state.hook > TransactionHook::OsDns {
            return Err(Misuse::Text("the origin has been chosen already"));
        }
        txn.origin_addr = Some(addr);
        Ok(0)
    })
}

/// The next hop's name. The text lives as long as the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnNextHopNameGet(txn: Handle) -> *const c_char {
    get("TSHttpTxnNextHopNameGet", txn, null(), |txn, state| {
        let host = txn.client_request.url.host.to_vec();
        let text = std::ffi::CString::new(host).map_err(|_| Misuse::Text("the host's name has a NUL"))?;
        let pointer = text.as_ptr();
        state.texts.push(text);
        Ok(pointer)
    })
}

/// The next hop's port; -1: not known.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnNextHopPortGet(txn: Handle) -> c_int {
    get("TSHttpTxnNextHopPortGet", txn, -1, |txn, _| Ok(port_of(txn)))
}

fn port_of(txn: &Transaction) -> c_int {
    txn.origin_addr.map_or_else(|| txn.client_request.url.effective_port(), |addr| addr.port()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_to_c_and_back() {
        for text in ["192.0.2.1:8080", "[2001:db8::1]:443"] {
            let addr: SocketAddr = text.parse().expect("an address");
            let made = storage(addr);
            // SAFETY: the storage holds an address.
            assert_eq!(unsafe { address((&raw const made).cast()) }, Some(addr));
        }
        // SAFETY: null is allowed.
        assert_eq!(unsafe { address(null()) }, None);
    }
}
