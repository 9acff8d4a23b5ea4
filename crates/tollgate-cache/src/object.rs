//! What is stored: a response header with the facts about it, and a body.
//!
//! Responsible for: the immutable object that the store and many transactions share; its memory size.
//! Not responsible for: deciding whether it is stored or fresh (`rules`).
//! Invariants: an object never changes, but for what it remembers of purges; one whose body has holes is a part.
//!
//! In memory an object is three blocks: itself, the packed head with its key, the body. Whoever wants its fields as a
//! header block gets a copy; look-up in them copies nothing.

mod body;
mod head;
mod packed;

pub use body::{Body, Chunks};
pub use head::StoredHead;
pub(crate) use packed::{Draft, Facts, Source};

use crate::key::CacheKey;
use crate::rules::StoredMeta;
use bytes::Bytes;
use std::sync::Arc;
use tollgate_http::{HeaderBlock, PackedFields, Response};

/// Bytes that a block of so many takes. For an allocator with four sizes between powers of two, as the program's
/// own has; with others it is an estimate.
pub(crate) fn block_bytes(len: usize) -> usize {
    match len {
        0 => 0,
        1..=64 => len.next_multiple_of(16),
        _ => len.next_multiple_of(1 << ((len - 1).ilog2() - 2)),
    }
}

/// A stored response: head and complete body.
#[derive(Debug)]
pub struct StoredObject {
    head: StoredHead,
    body: Body,
}

/// A small body, kept by its object.
struct SmallBody(Arc<StoredObject>);

impl AsRef<[u8]> for SmallBody {
    fn as_ref(&self) -> &[u8] {
        self.0.body.small().unwrap_or_default()
    }
}

impl StoredObject {
    /// An object of this head and complete body.
    pub fn new(head: StoredHead, body: Body) -> StoredObject {
        // Whatever its header says, one with holes is a part.
        let has_holes = body.on_disk().is_some_and(|body| !body.is_complete());
        let head = match has_holes && !head.is_part() {
            true => head.with_status(206, &head.headers()),
            false => head,
        };
        StoredObject { head, body }
    }

    /// The object that a 304 makes of this one: new header, same body (RFC 9111 §4.3.4).
    pub fn updated_by_304(&self, response: &Response, request_time: i64, response_time: i64) -> StoredObject {
        let head = self.head.updated_by_304(response, request_time, response_time);
        StoredObject::new(head, self.body.clone())
    }

    /// The same under another key.
    #[must_use]
    pub fn under(&self, key: &CacheKey) -> StoredObject {
        StoredObject { head: self.head.under(key), body: self.body.clone() }
    }

    /// The head.
    pub fn head(&self) -> &StoredHead {
        &self.head
    }

    /// The facts for the freshness rules.
    pub fn meta(&self) -> StoredMeta {
        self.head.meta()
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// The stored fields, without `Age` and connection fields.
    pub fn fields(&self) -> PackedFields<'_> {
        self.head.fields()
    }

    /// A copy of the stored fields.
    pub fn headers(&self) -> HeaderBlock {
        self.head.headers()
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, not copied, if it is small.
    ///
    /// # Errors
    /// The object, if it is large.
    #[inline]
    pub fn into_small_body(self: Arc<Self>) -> Result<Bytes, Arc<Self>> {
        match self.body.small() {
            Some(_) => Ok(Bytes::from_owner(SmallBody(self))),
            None => Err(self),
        }
    }

    /// Chunk `number` of the body, not copied; `None` behind the last one, or if the body lies on the disk.
    pub fn chunk(self: &Arc<Self>, number: usize) -> Option<Bytes> {
        match self.body.small() {
            Some(_) => (number == 0).then(|| Bytes::from_owner(SmallBody(Arc::clone(self)))),
            None => self.body.shared_chunks().get(number).cloned(),
        }
    }

    /// Bytes of memory that this object takes: header, body and overhead.
    pub fn memory_bytes(&self) -> usize {
        // With two reference counts.
        let own = block_bytes(size_of::<StoredObject>() + 2 * size_of::<usize>());
        own + self.head.heap_bytes() + self.body.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_large_as_the_next_size_of_the_allocator() {
        let sizes =
            [(0, 0), (1, 16), (16, 16), (17, 32), (64, 64), (65, 80), (128, 128), (129, 160), (256, 256)];
        for (len, size) in sizes.into_iter().chain([(257, 320), (1024, 1024), (1025, 1280), (1400, 1536)]) {
            assert_eq!(block_bytes(len), size, "{len}");
        }
    }
}
