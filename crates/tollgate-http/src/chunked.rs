//! The chunked transfer coding (RFC 9112 §7.1).
//!
//! Responsible for: decoding incrementally with bounded memory, collecting trailers, writing chunk frames.
//! Not responsible for: where bytes come from; whether trailers are passed on.
//! Invariants: strict: sizes are 1 to 16 hex digits that fit 63 bits, lines end in CRLF, nothing stands between
//! a size and its extension or line end but an extension; extension and trailer bytes are limited.

use crate::HeaderBlock;
use crate::h1;
use bytes::Bytes;

/// LIMIT: bytes of all chunk extensions of one body.
pub const MAX_EXTENSION_BYTES: usize = 16 * 1024;
/// LIMIT: bytes of a trailer section.
pub const MAX_TRAILER_BYTES: usize = 32 * 1024;
/// LIMIT: fields in a trailer section.
pub const MAX_TRAILER_FIELDS: usize = 128;

/// Why a chunked body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// No or too many digits, or a byte that is none.
    #[error("malformed chunk size")]
    Size,
    /// A control character in an extension.
    #[error("malformed chunk extension")]
    Extension,
    /// A line or chunk does not end in CRLF.
    #[error("chunk is not terminated by CRLF")]
    Terminator,
    /// Extensions or trailers are over their limit.
    #[error("chunk extensions or trailers over the limit")]
    Limit,
    /// The trailer section cannot be parsed.
    #[error("malformed trailer section")]
    Trailer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u8 },
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    Done,
}

/// One step of decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that are dealt with, payload included.
    pub consumed: usize,
    /// Where in the input payload lies; empty if none.
    pub data: std::ops::Range<usize>,
    /// The body, trailers included, is complete.
    pub done: bool,
}

/// An incremental decoder for one body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    remaining: u64,
    extension_bytes: usize,
    trailer: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { state: State::Size { digits: 0 }, remaining: 0, extension_bytes: 0, trailer: Vec::new() }
    }
}

impl Decoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Decodes up to and including the next run of payload bytes. When `consumed` is the whole input and the body
    /// is not done, more input is needed.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, ChunkError> {
        let mut at = 0;
        while at < input.len() {
            let byte = input[at];
            match self.state {
                State::Data => {
                    let take = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len() - at);
                    self.remaining -= take as u64;
                    if self.remaining == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Decoded { consumed: at + take, data: at..at + take, done: false });
                }
                State::Trailer => {
                    at += self.take_trailer(&input[at..])?;
                    continue;
                }
                State::Done => break,
                State::Size { digits } => self.size_byte(digits, byte)?,
                State::Extension => self.extension_byte(byte)?,
                State::SizeLf => {
                    ensure(byte == b'\n', ChunkError::Terminator)?;
                    self.state = if self.remaining == 0 { State::Trailer } else { State::Data };
                }
                State::DataCr => {
                    ensure(byte == b'\r', ChunkError::Terminator)?;
                    self.state = State::DataLf;
                }
                State::DataLf => {
                    ensure(byte == b'\n', ChunkError::Terminator)?;
                    self.state = State::Size { digits: 0 };
                }
            }
            at += 1;
        }
        Ok(Decoded { consumed: at, data: 0..0, done: self.is_done() })
    }

    fn size_byte(&mut self, digits: u8, byte: u8) -> Result<(), ChunkError> {
        match (byte as char).to_digit(16) {
            Some(digit) => {
                ensure(digits < 16 && self.remaining <= (i64::MAX as u64) >> 4, ChunkError::Size)?;
                self.remaining = if digits == 0 { 0 } else { self.remaining << 4 } | u64::from(digit);
                self.state = State::Size { digits: digits + 1 };
            }
            None => {
                ensure(digits > 0, ChunkError::Size)?;
                self.state = match byte {
                    b';' => State::Extension,
                    b'\r' => State::SizeLf,
                    _ => return Err(ChunkError::Size),
                };
            }
        }
        Ok(())
    }

    fn extension_byte(&mut self, byte: u8) -> Result<(), ChunkError> {
        self.extension_bytes += 1;
        ensure(self.extension_bytes <= MAX_EXTENSION_BYTES, ChunkError::Limit)?;
        match byte {
            b'\r' => self.state = State::SizeLf,
            b'\t' => {}
            0..=31 | 127 => return Err(ChunkError::Extension),
            _ => {}
        }
        Ok(())
    }

    /// Takes trailer bytes up to the empty line; returns how many.
    fn take_trailer(&mut self, input: &[u8]) -> Result<usize, ChunkError> {
        for (i, &byte) in input.iter().enumerate() {
            self.trailer.push(byte);
            if byte == b'\n' {
                ensure(self.trailer.ends_with(b"\r\n"), ChunkError::Terminator)?;
                if self.trailer == b"\r\n" || self.trailer.ends_with(b"\r\n\r\n") {
                    self.state = State::Done;
                    return Ok(i + 1);
                }
            } else if self.trailer.len() >= 2 && self.trailer[self.trailer.len() - 2] == b'\r' {
                return Err(ChunkError::Terminator);
            }
            ensure(self.trailer.len() <= MAX_TRAILER_BYTES, ChunkError::Limit)?;
        }
        Ok(input.len())
    }

    /// The trailer fields, once the body is done. Framing and routing fields are dropped (RFC 9110 §6.5.1).
    pub fn trailers(&mut self) -> Result<HeaderBlock, ChunkError> {
        if self.trailer.len() <= 2 {
            return Ok(HeaderBlock::new());
        }
        let bytes = Bytes::from(std::mem::take(&mut self.trailer));
        let mut block = h1::parse_fields(bytes, MAX_TRAILER_FIELDS).map_err(|_| ChunkError::Trailer)?;
        block.retain(|field| field.known.is_none_or(|known| !h1::is_forbidden_trailer(known)));
        Ok(block)
    }
}

fn ensure(condition: bool, error: ChunkError) -> Result<(), ChunkError> {
    if condition { Ok(()) } else { Err(error) }
}

/// The line before `len` payload bytes (`len` > 0). The payload is followed by CRLF.
pub fn chunk_header(len: usize) -> ChunkHeader {
    let mut text = [0; 18];
    let mut at = 16;
    text[16..].copy_from_slice(b"\r\n");
    let mut rest = len;
    loop {
        at -= 1;
        text[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    ChunkHeader { text, start: at }
}

/// A chunk's size line.
#[derive(Clone, Copy, Debug)]
pub struct ChunkHeader {
    text: [u8; 18],
    start: usize,
}

impl ChunkHeader {
    /// The line's bytes, CRLF included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

/// The last chunk with its trailer section.
pub fn write_last_chunk(trailers: Option<&HeaderBlock>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        trailers.write_to(out);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_in_steps(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, Decoder), ChunkError> {
        let mut decoder = Decoder::new();
        let (mut body, mut used) = (Vec::new(), 0);
        for piece in input.chunks(step.max(1)) {
            let mut piece = piece;
            while !piece.is_empty() && !decoder.is_done() {
                let decoded = decoder.decode(piece)?;
                body.extend_from_slice(&piece[decoded.data]);
                used += decoded.consumed;
                piece = &piece[decoded.consumed..];
            }
        }
        Ok((body, used, decoder))
    }

    #[test]
    fn bytes_after_the_body_are_left() {
        let (body, used, decoder) = decode_in_steps(b"5\r\nhello\r\n0\r\n\r\nGET /", 100).expect("valid");
        assert!(decoder.is_done());
        assert_eq!((&body[..], used), (&b"hello"[..], 15));
    }

    #[test]
    fn trailers_are_collected_and_framing_fields_dropped() {
        let (_, _, mut decoder) =
            decode_in_steps(b"0\r\nX-Sum: 1\r\nContent-Length: 4\r\n\r\n", 3).expect("valid");
        let trailers = decoder.trailers().expect("valid");
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers.get("x-sum"), Some(&b"1"[..]));
    }

    #[test]
    fn malformed_bodies_are_refused() {
        use ChunkError::*;
        for (input, error) in [
            (&b"\r\n"[..], Size),
            (b"x\r\n", Size),
            (b"-5\r\nhello", Size),
            (b"0x5\r\nhello", Size),
            (b"5 \r\nhello", Size),
            (b" 5\r\nhello", Size),
            (b"10000000000000005\r\n", Size),
            (b"ffffffffffffffff\r\n", Size),
            (b"5\nhello", Size),
            (b"5\rhello", Terminator),
            (b"5;a\nb\r\n", Extension),
            (b"5\r\nhelloX\r\n", Terminator),
            (b"5\r\nhello\n0", Terminator),
            (b"0\r\nA: b\n\r\n", Terminator),
            (b"0\r\nA: b\rc\r\n\r\n", Terminator),
            (b"5;\0\r\n", Extension),
        ] {
            assert_eq!(
                decode_in_steps(input, 100).err(),
                Some(error),
                "{:?}",
                String::from_utf8_lossy(input)
            );
        }
        let long = [b"5;".to_vec(), vec![b'a'; MAX_EXTENSION_BYTES + 1]].concat();
        assert_eq!(decode_in_steps(&long, 1000).err(), Some(Limit));
    }

    #[test]
    fn size_lines_are_lower_case_hex() {
        for n in [1, 15, 16, 255, 4096, usize::MAX] {
            assert_eq!(chunk_header(n).as_bytes(), format!("{n:x}\r\n").as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..8), step in 1usize..40) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(chunk_header(chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            write_last_chunk(None, &mut wire);
            let (body, used, decoder) = decode_in_steps(&wire, step).expect("valid");
            prop_assert!(decoder.is_done());
            prop_assert_eq!(body, chunks.concat());
            prop_assert_eq!(used, wire.len());
        }

        #[test]
        fn decoding_never_panics_and_does_not_depend_on_segmentation(wire in "([0-9a-f;\r\n xyz]|\r\n){0,40}", step in 1usize..10) {
            let whole = decode_in_steps(wire.as_bytes(), 1000).map(|(b, u, _)| (b, u));
            let parts = decode_in_steps(wire.as_bytes(), step).map(|(b, u, _)| (b, u));
            prop_assert_eq!(whole, parts);
        }
    }
}
