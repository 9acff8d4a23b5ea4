//! Where the strings of one buffer live.
//!
//! Responsible for: storing bytes so that they never move; a NUL behind each string, because plugins forget that
//! strings have a length.
//! Invariant: a chunk is never grown beyond the capacity it was made with.

use super::tokens::{self, Token};

/// Chunk number of the well-known tokens.
const TOKENS: u32 = u32::MAX;
/// Smallest chunk, bytes.
const CHUNK_BYTES: usize = 1024;

/// A string of a buffer, or a well-known token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    chunk: u32,
    start: u32,
    len: u32,
}

impl Span {
    /// The token's own string.
    pub fn token(token: Token) -> Span {
        let (start, len) = tokens::place(token);
        Span { chunk: TOKENS, start, len }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// A part of this string.
    pub fn part(self, range: std::ops::Range<usize>) -> Span {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Span { chunk: self.chunk, start: self.start + start as u32, len: (end - start) as u32 }
    }
}

/// The strings of one buffer.
#[derive(Debug, Default)]
pub struct Arena {
    chunks: Vec<Vec<u8>>,
}

impl Arena {
    /// Copies `bytes`, and a NUL behind them.
    pub fn store(&mut self, bytes: &[u8]) -> Span {
        self.store_parts(&[bytes])
    }

    /// Copies the parts as one string.
    pub fn store_parts(&mut self, parts: &[&[u8]]) -> Span {
        let len: usize = parts.iter().map(|p| p.len()).sum();
        let fits = self.chunks.last().is_some_and(|c| c.capacity() - c.len() > len);
        if !fits {
            let double = self.chunks.last().map_or(0, |c| c.capacity() * 2).min(64 * CHUNK_BYTES);
            self.chunks.push(Vec::with_capacity((len + 1).max(CHUNK_BYTES).max(double)));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let start = chunk.len() as u32;
        for part in parts {
            chunk.extend_from_slice(part);
        }
        chunk.push(0);
        Span { chunk: number as u32, start, len: len as u32 }
    }

    /// The bytes of a string.
    pub fn get(&self, span: Span) -> &[u8] {
        let chunk = match span.chunk {
            TOKENS => tokens::heap(),
            n => self.chunks.get(n as usize).map_or(&[][..], |c| &c[..]),
        };
        chunk.get(span.start as usize..(span.start + span.len) as usize).unwrap_or_default()
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_never_move_and_end_with_nul() {
        let mut arena = Arena::default();
        let spans: Vec<(Span, *const u8, Vec<u8>)> = (0..2000)
            .map(|i| {
                let text = vec![b'a' + (i % 26) as u8; i % 97];
                let span = arena.store(&text);
                (span, arena.get(span).as_ptr(), text)
            })
            .collect();
        for (span, pointer, text) in spans {
            assert_eq!(arena.get(span), &text[..]);
            assert_eq!(arena.get(span).as_ptr(), pointer);
            let after = Span { start: span.start + span.len, len: 1, ..span };
            assert_eq!(arena.get(after), [0]);
        }
    }
}
