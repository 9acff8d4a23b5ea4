//! What is asked of the system directly.
//!
//! Responsible for: socket options, clocks and the time zone, which no safe crate knows; the process's allocator
//! ([`alloc`]).
//! Invariants: the only module of this crate with `unsafe`; every use says why it is sound.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait, and so are calls of C")]

mod alloc;
mod count;

pub use alloc::Allocator;
pub(crate) use alloc::SpareBlocks;
pub use count::CountingAllocator;

use bytes::BytesMut;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use std::ffi::c_int;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd};

/// `TCP_DEFER_ACCEPT`: how long a listening socket keeps a connection back until bytes have come; 0: not at all.
pub(crate) fn set_defer_accept(socket: &impl AsRawFd, seconds: u16) -> io::Result<()> {
    let value = c_int::from(seconds);
    let size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the option is an int, and `value` is one that lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            std::ptr::from_ref(&value).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether [`set_defer_accept`] was asked to keep connections back.
pub(crate) fn has_defer_accept(socket: &impl AsRawFd) -> io::Result<bool> {
    let mut value: c_int = 0;
    let mut size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the option is an int, and `value` is one that lives through the call, of the size that is told.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(value > 0) } else { Err(io::Error::last_os_error()) }
}

/// Reads once into the room behind the bytes of `buffer` (`recv`). By a call of its own: the C library's is a point at
/// which threads can be cancelled, which costs as much as reading a small message.
pub(crate) fn receive(socket: &impl AsFd, buffer: &mut BytesMut) -> io::Result<usize> {
    let ((filled, _), _) = rustix::net::recv(socket, buffer.spare_capacity_mut(), RecvFlags::empty())?;
    let n = filled.len();
    // SAFETY: the kernel has written `n` bytes behind those that were there.
    unsafe { buffer.set_len(buffer.len() + n) };
    Ok(n)
}

/// Writes once (`send`, `sendmsg`). A peer that is gone is an error, not a signal.
pub(crate) fn send(socket: &impl AsFd, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let sent = match parts {
        [one] => rustix::net::send(socket, one, SendFlags::NOSIGNAL),
        several => {
            rustix::net::sendmsg(socket, several, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)
        }
    };
    Ok(sent?)
}

/// Seconds since 1970 at the kernel's last tick (`CLOCK_REALTIME_COARSE`).
pub(crate) fn unix_seconds() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is written through a pointer that is valid for the call. It cannot fail: every Linux has the clock.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut time) };
    time.tv_sec
}

/// Seconds since midnight in the machine's time zone, at `seconds` since 1970.
pub(crate) fn local_time_of_day(seconds: i64) -> u32 {
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both point to live values of the right types; all-zero bytes are a valid `tm`, whether or not the function
    // writes it.
    let parts = unsafe {
        libc::localtime_r(&seconds, parts.as_mut_ptr());
        parts.assume_init()
    };
    let seconds = parts.tm_hour * 3600 + parts.tm_min * 60 + parts.tm_sec;
    u32::try_from(seconds).unwrap_or(0)
}
