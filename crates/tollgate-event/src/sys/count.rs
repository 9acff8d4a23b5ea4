//! The allocator with a count of what it gives out: for measurements.

use super::Allocator;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// [`Allocator`] with a count of the bytes that its blocks take, rounding included: for measurements.
#[derive(Debug, Default)]
pub struct CountingAllocator(AtomicUsize);

unsafe extern "C" {
    /// How large a block of mimalloc really is.
    fn mi_usable_size(block: *const c_void) -> usize;
}

impl CountingAllocator {
    /// No blocks yet.
    pub const fn new() -> CountingAllocator {
        CountingAllocator(AtomicUsize::new(0))
    }

    /// Bytes of all blocks that were given out and are not freed.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn size_of(block: *const u8) -> usize {
        // SAFETY: `block` is one of mimalloc's, or null, of which the function says 0.
        unsafe { mi_usable_size(block.cast()) }
    }

    fn counted(&self, block: *mut u8) -> *mut u8 {
        self.0.fetch_add(Self::size_of(block), Ordering::Relaxed);
        block
    }

    fn uncount(&self, block: *const u8) {
        self.0.fetch_sub(Self::size_of(block), Ordering::Relaxed);
    }
}

// SAFETY: all is left to `Allocator`, which keeps the promises of the trait; counting touches no block.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that are asked for.
        self.counted(unsafe { Allocator.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        self.counted(unsafe { Allocator.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.uncount(block);
        // SAFETY: as for `alloc`.
        unsafe { Allocator.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let before = Self::size_of(block);
        // SAFETY: as for `alloc`.
        let new = unsafe { Allocator.realloc(block, layout, size) };
        // Without a new block the old one stays.
        if !new.is_null() {
            self.counted(new);
            self.0.fetch_sub(before, Ordering::Relaxed);
        }
        new
    }
}
