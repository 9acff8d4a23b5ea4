//! What is asked of the system directly.
//!
//! Responsible for: the process's allocator; socket options, clocks and the time zone, which no safe crate knows.
//! Invariants: the only module of this crate with `unsafe`; every use says why it is sound.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait, and so are calls of C")]

use bytes::BytesMut;
use libmimalloc_sys as mi;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use std::alloc::{GlobalAlloc, Layout};
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

/// mimalloc. Layouts with the alignment of any C type go the short way through it; its aligned functions are slower
/// and take more than asked for above 1 KB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

/// mimalloc aligns every block of at least this size to it, as C demands of `malloc`.
const NATURAL: usize = 16;

const fn is_natural(size: usize, align: usize) -> bool {
    align <= NATURAL && align <= size
}

// SAFETY: the functions of mimalloc keep the promises of the trait; blocks of all of them are freed by `mi_free`.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: plain C functions; the size is not zero by the trait's contract.
        unsafe {
            if is_natural(size, align) {
                mi::mi_malloc(size).cast()
            } else {
                mi::mi_malloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as for `alloc`.
        unsafe {
            if is_natural(size, align) {
                mi::mi_zalloc(size).cast()
            } else {
                mi::mi_zalloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the block came from one of the functions above.
        unsafe { mi::mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align();
        // SAFETY: the block came from one of the functions above.
        unsafe {
            if is_natural(size, align) {
                mi::mi_realloc(block.cast(), size).cast()
            } else {
                mi::mi_realloc_aligned(block.cast(), size, align).cast()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_as_asked_and_keep_their_bytes() {
        for size in (1..200).chain([1000, 1025, 2864, 4048, 5000, 65_537, 131_080, 3_000_001]) {
            for align in [1, 2, 4, 8, 16, 32, 64, 128, 4096] {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                // SAFETY: every block is used within its size and freed once with its layout.
                unsafe {
                    let block = Allocator.alloc(layout);
                    assert!(
                        !block.is_null() && (block as usize).is_multiple_of(align),
                        "{size} bytes, aligned to {align}"
                    );
                    block.write_bytes(7, size);
                    let grown = Allocator.realloc(block, layout, size * 2);
                    assert!((grown as usize).is_multiple_of(align), "{size} bytes grown, aligned to {align}");
                    assert!((0..size).all(|i| *grown.add(i) == 7));
                    Allocator.dealloc(grown, Layout::from_size_align(size * 2, align).expect("a layout"));
                    let zeroed = Allocator.alloc_zeroed(layout);
                    assert!(
                        (zeroed as usize).is_multiple_of(align) && (0..size).all(|i| *zeroed.add(i) == 0)
                    );
                    Allocator.dealloc(zeroed, layout);
                }
            }
        }
    }
}
