//! The allocator of the process: mimalloc, and a few blocks that event threads keep for themselves.
//!
//! Responsible for: which function of mimalloc serves a layout; the spare blocks of 1 to 8 KiB of a thread.
//! Not responsible for: what C code allocates (the C library's `malloc`).
//! Invariants: a block is always one of mimalloc's, of at least [`rounded`] bytes, and may be freed on any thread; only
//! a thread that holds [`SpareBlocks`] keeps blocks, at most [`KEPT`] of a size.

use libmimalloc_sys as mi;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

/// mimalloc. Layouts with the alignment of any C type go the short way through it; its aligned functions are slower
/// and take more than asked for above 1 KB.
///
/// Above 1 KB mimalloc has a longer way, too, which is where the memory of a transaction lies: event threads keep a few
/// blocks of these sizes when they are freed, and hand out the last one first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

/// mimalloc aligns every block of at least this size to it, as C demands of `malloc`.
const NATURAL: usize = 16;

const fn is_natural(size: usize, align: usize) -> bool {
    align <= NATURAL && align <= size
}

/// Blocks larger than this are kept, bytes: what mimalloc serves on its shortest way.
const SHORT_WAY: usize = 1024;
/// Blocks up to this size are kept, bytes.
const LARGEST: usize = 8192;
/// LIMIT: blocks of one size that a thread keeps.
const KEPT: u16 = 64;
/// Sizes, four to each power of two, as mimalloc has them.
const SIZES: usize = 12;

/// The number of the size that `size` is rounded up to, if blocks of it are kept.
#[inline]
const fn size_index(size: usize) -> Option<usize> {
    if size <= SHORT_WAY || size > LARGEST {
        return None;
    }
    let below = size - 1;
    let power = below.ilog2();
    Some((power as usize - 10) * 4 + (below >> (power - 2)) - 4)
}

/// `size`, or the size of its class.
#[inline]
const fn rounded(size: usize) -> usize {
    if size <= SHORT_WAY || size > LARGEST {
        return size;
    }
    let shift = (size - 1).ilog2() - 2;
    (((size - 1) >> shift) + 1) << shift
}

/// The kept blocks of one size, each holding the address of the next.
#[derive(Clone, Copy)]
struct Stack {
    top: *mut u8,
    room: u16,
}

struct Spares([Stack; SIZES]);

thread_local! {
    /// Without room: the thread keeps none.
    static SPARES: UnsafeCell<Spares> =
        const { UnsafeCell::new(Spares([Stack { top: ptr::null_mut(), room: 0 }; SIZES])) };
}

/// The stack for `size`, in this moment of this thread.
#[inline]
fn with_stack<R>(size: usize, act: impl FnOnce(&mut Stack) -> Option<R>) -> Option<R> {
    let index = size_index(size)?;
    SPARES.with(|spares| {
        // SAFETY: only this thread has the cell, and `act` is one of the three closures below, none of which allocates
        // or comes here again, so that no other reference to it exists meanwhile.
        let spares = unsafe { &mut *spares.get() };
        act(&mut spares.0[index])
    })
}

#[inline]
fn take(size: usize) -> Option<NonNull<u8>> {
    with_stack(size, |stack| {
        let block = NonNull::new(stack.top)?;
        // SAFETY: a kept block belongs to the stack and begins with the address of the next, written by `keep`.
        stack.top = unsafe { block.cast::<*mut u8>().read() };
        stack.room += 1;
        Some(block)
    })
}

/// Whether `block`, which was asked for with `size` bytes, is kept.
///
/// # Safety
///
/// The block is from [`Allocator`], with a natural alignment, and is not used any more.
#[inline]
unsafe fn keep(block: *mut u8, size: usize) -> bool {
    with_stack(size, |stack| {
        stack.room = stack.room.checked_sub(1)?;
        // SAFETY: the block is over 1 KB large, aligned to 16, and nobody else's.
        unsafe { block.cast::<*mut u8>().write(stack.top) };
        stack.top = block;
        Some(())
    })
    .is_some()
}

/// As long as it lives, its thread keeps blocks.
#[derive(Debug)]
pub(crate) struct SpareBlocks(PhantomData<*mut ()>);

impl SpareBlocks {
    /// Begins to keep what this thread frees.
    pub(crate) fn keep() -> SpareBlocks {
        set_room(KEPT);
        SpareBlocks(PhantomData)
    }
}

impl Drop for SpareBlocks {
    fn drop(&mut self) {
        for index in 0..SIZES {
            let size = SHORT_WAY + (index % 4 + 1) * (SHORT_WAY / 4);
            while let Some(block) = take(size << (index / 4)) {
                // SAFETY: the block is mimalloc's and nobody else's any more.
                unsafe { mi::mi_free(block.as_ptr().cast()) };
            }
        }
        set_room(0);
    }
}

/// Sets the room of all stacks, which are empty.
fn set_room(room: u16) {
    for index in 0..SIZES {
        let size = SHORT_WAY + (index % 4 + 1) * (SHORT_WAY / 4);
        with_stack(size << (index / 4), |stack| {
            stack.room = room;
            Some(())
        });
    }
}

// SAFETY: the functions of mimalloc keep the promises of the trait; blocks of all of them are freed by `mi_free`.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: plain C functions; the size is not zero by the trait's contract.
        unsafe {
            if !is_natural(size, align) {
                mi::mi_malloc_aligned(size, align).cast()
            } else if let Some(block) = take(size) {
                block.as_ptr()
            } else {
                mi::mi_malloc(rounded(size)).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as for `alloc`.
        unsafe {
            if is_natural(size, align) {
                mi::mi_zalloc(rounded(size)).cast()
            } else {
                mi::mi_zalloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from one of the functions above and is given up.
        unsafe {
            if !is_natural(layout.size(), layout.align()) || !keep(block, layout.size()) {
                mi::mi_free(block.cast());
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align();
        // SAFETY: the block came from one of the functions above.
        unsafe {
            if is_natural(size, align) {
                if layout.size() > SHORT_WAY && rounded(size) == rounded(layout.size()) {
                    return block;
                }
                mi::mi_realloc(block.cast(), rounded(size)).cast()
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
    fn sizes_are_rounded_to_the_least_that_holds_them() {
        assert_eq!((rounded(1024), size_index(1024)), (1024, None));
        assert_eq!((rounded(8193), size_index(8193)), (8193, None));
        let mut last = 0;
        for size in SHORT_WAY + 1..=LARGEST {
            let index = size_index(size).expect("a size that is kept");
            let (up, step) = (rounded(size), (SHORT_WAY / 4) << (index / 4));
            assert!(up >= size && up - size < step && up % step == 0, "{size}: {up}");
            assert!((last..=last + 1).contains(&index), "{size}: {index}");
            assert_eq!(up, (SHORT_WAY + (index % 4 + 1) * (SHORT_WAY / 4)) << (index / 4), "{size}");
            last = index;
        }
        assert_eq!(last, SIZES - 1);
    }

    #[test]
    fn a_thread_that_keeps_blocks_gets_the_last_one_back_and_others_do_not() {
        let layout = Layout::from_size_align(4000, 8).expect("a layout");
        let other = Layout::from_size_align(4090, 8).expect("a layout of the same size");
        // SAFETY: each block is freed once with its layout.
        unsafe {
            let spares = SpareBlocks::keep();
            let blocks: Vec<*mut u8> = (0..KEPT + 10).map(|_| Allocator.alloc(layout)).collect();
            blocks.iter().for_each(|block| block.write_bytes(7, 4000));
            blocks.iter().rev().for_each(|block| Allocator.dealloc(*block, layout));
            let room = with_stack(4000, |stack| Some(stack.room));
            assert_eq!(room, Some(0), "no more than that is kept");
            Allocator.dealloc(Allocator.alloc(other), other);
            // The last that found room.
            assert_eq!(Allocator.alloc(other), blocks[10]);
            assert_eq!(Allocator.alloc(layout), blocks[11]);
            Allocator.dealloc(blocks[11], layout);
            Allocator.dealloc(blocks[10], other);
            drop(spares);
            assert_eq!(with_stack(4000, |stack| Some((stack.room, stack.top))), Some((0, ptr::null_mut())));
        }
    }

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
