//! Buffers that are held only while a message is in flight.
//!
//! Responsible for: the thread's read buffer, the chunk that small reads share, and a few byte vectors for heads being
//! written.
//! Invariant: an idle connection holds none of them.

use bytes::{Bytes, BytesMut};
use std::cell::RefCell;

/// Bytes one read can deliver.
pub const READ_BYTES: usize = 128 * 1024;
/// Bytes a read can deliver at least, from a connection that delivers little at a time.
pub(crate) const LITTLE_BYTES: usize = 2 * 1024;
/// Of what came in a large read, pieces up to this size are copied into the chunk.
const SMALL_BYTES: usize = 512;
/// Size of the chunk into which small reads go.
const CHUNK_BYTES: usize = 8 * 1024;
/// Reads up to this size are copied out exactly; larger ones are handed over without copying.
const COPY_BYTES: usize = 16 * 1024;
/// LIMIT: vectors kept for reuse per thread, and their largest size.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static CHUNK: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static VECS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `fill` on the thread's read buffer, which is empty and has room for [`READ_BYTES`].
pub(crate) fn with_read_buffer<R>(fill: impl FnOnce(&mut BytesMut) -> R) -> R {
    READ.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.reserve(READ_BYTES);
        fill(buffer)
    })
}

/// Runs `fill` on what is left of the thread's chunk, at least [`LITTLE_BYTES`], and takes what it has put there. One
/// piece behind the other costs neither an allocation for each, nor another for sharing it, nor copying. Who keeps such
/// a piece for long copies it, for it keeps the whole chunk.
pub(crate) fn with_chunk<R>(fill: impl FnOnce(&mut BytesMut) -> R) -> (R, Bytes) {
    CHUNK.with_borrow_mut(|chunk| {
        if chunk.capacity() < LITTLE_BYTES {
            // Takes the old memory again if nobody holds a piece of it any more.
            chunk.reserve(CHUNK_BYTES);
        }
        let result = fill(chunk);
        (result, if chunk.is_empty() { Bytes::new() } else { chunk.split().freeze() })
    })
}

/// Takes what was read out of the buffer. Large reads are handed over, others copied: small ones into the chunk.
pub(crate) fn take_filled(buffer: &mut BytesMut) -> Bytes {
    match buffer.len() {
        0 => Bytes::new(),
        n if n <= SMALL_BYTES => with_chunk(|chunk| chunk.extend_from_slice(buffer)).1,
        n if n <= COPY_BYTES => Bytes::copy_from_slice(buffer),
        _ => buffer.split().freeze(),
    }
}

/// An empty byte vector, returned to the thread when dropped.
#[derive(Debug, Default)]
pub struct ScratchVec(Vec<u8>);

impl ScratchVec {
    /// Takes one from the thread's reserve.
    pub fn take() -> Self {
        ScratchVec(VECS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(2048)))
    }
}

impl std::ops::Deref for ScratchVec {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for ScratchVec {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for ScratchVec {
    fn drop(&mut self) {
        if self.0.capacity() > KEPT_BYTES {
            return;
        }
        let mut vec = std::mem::take(&mut self.0);
        vec.clear();
        // At the end of a thread the reserve may be gone: the vector is simply freed.
        let _: Result<(), std::thread::AccessError> = VECS.try_with(|vecs| {
            let mut vecs = vecs.borrow_mut();
            if vecs.len() < KEPT {
                vecs.push(vec);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_bytes_whatever_their_size_and_whoever_is_dropped() {
        let sizes =
            [0, 1, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, COPY_BYTES, COPY_BYTES + 1, READ_BYTES];
        let mut kept = Vec::new();
        for round in 0..100u8 {
            for (number, size) in sizes.into_iter().enumerate() {
                let text = vec![round ^ number as u8; size];
                let piece = with_read_buffer(|buffer| {
                    buffer.extend_from_slice(&text);
                    take_filled(buffer)
                });
                let start = text[..size.min(LITTLE_BYTES)].to_vec();
                let (_, small) = with_chunk(|chunk| chunk.extend_from_slice(&start));
                kept.extend([(text, piece), (start, small)]);
            }
            // Some go early, so that chunks are used again.
            kept.swap_remove(usize::from(round) % kept.len());
            assert!(kept.iter().all(|(text, piece)| piece == text));
        }
    }
}
