//! Bodies of stored objects.
//!
//! Responsible for: how a complete body is kept, and cutting ranges out of it.
//! Invariants: a body never changes; a small one is one exact allocation and nothing else, so that it costs no more
//! than its bytes; the chunks of a large one are shared by all readers.

use super::block_bytes;
use crate::disk::DiskBody;
use bytes::{Bytes, BytesMut};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Bodies up to this size are copied where a large one's chunks are shared.
const SMALL_BODY_BYTES: usize = 4096;
/// Bodies up to this size are kept in one exact allocation.
const ONE_CHUNK_BYTES: u64 = 256 * 1024;
/// Chunks smaller than this are joined with their neighbours.
const SMALL_CHUNK_BYTES: usize = 32 * 1024;
/// What [`Bytes`] keeps beside shared bytes.
const SHARED_BYTES: usize = 32;

/// Chunks of a body.
pub type Chunks = SmallVec<[Bytes; 1]>;

/// A complete body: bytes, chunks that many readers share, or fragments on the disk.
#[derive(Clone, Debug)]
pub struct Body(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Small(Box<[u8]>),
    Large(Box<Large>),
}

const _: () = assert!(size_of::<Body>() == 16, "what each object has");

#[derive(Clone, Debug)]
enum Large {
    One(Bytes),
    Many { chunks: Arc<[Bytes]>, len: u64 },
    OnDisk(Arc<DiskBody>),
}

impl Default for Body {
    fn default() -> Self {
        Body(Kept::Small(Box::default()))
    }
}

impl Body {
    fn large(large: Large) -> Body {
        Body(Kept::Large(Box::new(large)))
    }

    /// A body of one chunk, kept as it is unless it is small.
    pub fn from_bytes(bytes: Bytes) -> Body {
        match bytes.len() {
            ..=SMALL_BODY_BYTES => Body(Kept::Small(Vec::from(bytes).into())),
            _ => Body::large(Large::One(bytes)),
        }
    }

    /// A body of these chunks. Small bodies and small chunks are copied together, so that slices of receive
    /// buffers do not keep those buffers alive; large chunks are kept.
    pub fn from_chunks(chunks: &[Bytes]) -> Body {
        let len: u64 = chunks.iter().map(|c| c.len() as u64).sum();
        if len <= ONE_CHUNK_BYTES {
            let mut whole = Vec::with_capacity(len as usize);
            chunks.iter().for_each(|c| whole.extend_from_slice(c));
            return Body::from_bytes(whole.into());
        }
        Body::large(Large::Many { chunks: regrouped(chunks).into(), len })
    }

    /// A body that lies on the disk.
    pub fn from_disk(body: Arc<DiskBody>) -> Body {
        Body::large(Large::OnDisk(body))
    }

    fn as_large(&self) -> Option<&Large> {
        match &self.0 {
            Kept::Small(_) => None,
            Kept::Large(large) => Some(large),
        }
    }

    /// The body on the disk, if it is there: then it has no chunks.
    pub fn on_disk(&self) -> Option<&Arc<DiskBody>> {
        match self.as_large() {
            Some(Large::OnDisk(body)) => Some(body),
            _ => None,
        }
    }

    /// The whole, if it is small.
    pub(super) fn small(&self) -> Option<&[u8]> {
        match &self.0 {
            Kept::Small(bytes) => Some(bytes),
            Kept::Large(_) => None,
        }
    }

    /// The chunks of a large body in memory.
    pub(super) fn shared_chunks(&self) -> &[Bytes] {
        match self.as_large() {
            Some(Large::One(chunk)) => std::slice::from_ref(chunk),
            Some(Large::Many { chunks, .. }) => chunks,
            _ => &[],
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kept::Small(bytes) => bytes.len() as u64,
            Kept::Large(large) => match &**large {
                Large::One(chunk) => chunk.len() as u64,
                Large::Many { len, .. } => *len,
                Large::OnDisk(body) => body.len(),
            },
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chunks in order, a small body copied; none is empty unless the body is. None at all if the body lies on
    /// the disk. Who has the object asks it for a [`chunk`](super::StoredObject::chunk).
    pub fn chunks(&self) -> Chunks {
        match self.small() {
            Some(bytes) => smallvec![Bytes::copy_from_slice(bytes)],
            None => self.shared_chunks().into(),
        }
    }

    /// The bytes of `range` (first inclusive, end exclusive): copied from a small body, cut out of a large one's
    /// chunks.
    pub fn slice(&self, range: std::ops::Range<u64>) -> impl Iterator<Item = Bytes> {
        let cut = move |offset: u64, len: usize| {
            let from = range.start.max(offset);
            let to = range.end.min(offset + len as u64);
            (from < to).then(|| (from - offset) as usize..(to - offset) as usize)
        };
        let of_small =
            self.small().and_then(|bytes| Some(Bytes::copy_from_slice(&bytes[cut(0, bytes.len())?])));
        let mut offset = 0;
        of_small.into_iter().chain(self.shared_chunks().iter().filter_map(move |chunk| {
            let start = offset;
            offset += chunk.len() as u64;
            cut(start, chunk.len()).map(|range| chunk.slice(range))
        }))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let large = match &self.0 {
            Kept::Small(bytes) => return block_bytes(bytes.len()),
            Kept::Large(large) => large,
        };
        let shared = |chunk: &Bytes| block_bytes(chunk.len()) + SHARED_BYTES;
        block_bytes(size_of::<Large>())
            + match &**large {
                Large::One(chunk) => shared(chunk),
                Large::Many { chunks, .. } => {
                    let table = size_of_val(&**chunks) + 2 * size_of::<usize>();
                    block_bytes(table) + chunks.iter().map(shared).sum::<usize>()
                }
                Large::OnDisk(body) => size_of::<DiskBody>() + body.heap_bytes(),
            }
    }
}

/// Joins runs of small chunks.
fn regrouped(chunks: &[Bytes]) -> Vec<Bytes> {
    let mut out = Vec::new();
    let mut run = BytesMut::new();
    for chunk in chunks {
        let joins = chunk.len() < SMALL_CHUNK_BYTES;
        if !run.is_empty() && (!joins || run.len() + chunk.len() > ONE_CHUNK_BYTES as usize) {
            out.push(Bytes::copy_from_slice(&run));
            run.clear();
        }
        if joins {
            run.extend_from_slice(chunk);
        } else {
            out.push(chunk.clone());
        }
    }
    if !run.is_empty() {
        out.push(Bytes::copy_from_slice(&run));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_range_of_a_body_has_its_bytes(
            lens in prop::collection::vec(prop_oneof![0..300usize, 0..70_000usize], 0..12),
            from in 0u64..400_000,
            len in 0u64..400_000,
        ) {
            let bytes = |n: usize| (0..lens[n]).map(|i| (i * 7 + n) as u8).collect::<Vec<_>>();
            let chunks: Vec<Bytes> = (0..lens.len()).map(|n| bytes(n).into()).collect();
            let whole = chunks.concat();
            let body = Body::from_chunks(&chunks);
            prop_assert_eq!((body.len(), body.is_empty()), (whole.len() as u64, whole.is_empty()));
            prop_assert!(body.chunks().concat() == whole);
            let (start, end) = (whole.len().min(from as usize), whole.len().min((from + len) as usize));
            let cut: Vec<Bytes> = body.slice(from..from + len).collect();
            prop_assert!(cut.concat() == whole[start..end]);
            prop_assert!(body.memory_bytes() >= whole.len());
        }
    }
}
