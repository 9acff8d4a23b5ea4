//! `multipart/byteranges` (RFC 9110 §14.6): several ranges of one object in one body.
//!
//! Responsible for: the lines before, between and behind the ranges, and the exact length of the whole. Not
//! responsible for: which ranges are sent ([`crate::range`]), their bytes.
//! Invariants: no byte of the object is copied or looked at, so that the boundary is a number that nobody can know
//! beforehand; what is sent is as long as [`Multipart::len`] says.

use crate::range::content_range;
use bytes::Bytes;
use std::ops::Range;

/// A range with the lines before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartPart {
    /// The boundary and the part's fields, to be sent as they are.
    pub head: Bytes,
    /// The bytes of the object, end exclusive.
    pub bytes: Range<u64>,
}

/// The frame of a body of several ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    boundary: u128,
    parts: Vec<MultipartPart>,
    end: Bytes,
    len: u64,
}

impl Multipart {
    /// The frame around `ranges` of an object of `complete` bytes. `boundary`: random.
    pub fn new(
        content_type: Option<&[u8]>,
        ranges: &[Range<u64>],
        complete: u64,
        boundary: u128,
    ) -> Multipart {
        let parts: Vec<MultipartPart> = ranges
            .iter()
            .enumerate()
            .map(|(number, bytes)| {
                let mut head = Vec::with_capacity(160);
                // RFC 2046 §5.1.1: the line end before a boundary belongs to the boundary; the first is at the start.
                head.extend_from_slice(if number == 0 { b"--" } else { b"\r\n--" });
                head.extend_from_slice(format!("{boundary:032x}\r\n").as_bytes());
                if let Some(content_type) = content_type {
                    head.extend_from_slice(b"Content-Type: ");
                    head.extend_from_slice(content_type);
                    head.extend_from_slice(b"\r\n");
                }
                let range = content_range(bytes, complete);
                head.extend_from_slice(format!("Content-Range: {range}\r\n\r\n").as_bytes());
                MultipartPart { head: head.into(), bytes: bytes.clone() }
            })
            .collect();
        let end = Bytes::from(format!("\r\n--{boundary:032x}--\r\n"));
        let part_len = |part: &MultipartPart| part.head.len() as u64 + (part.bytes.end - part.bytes.start);
        let len = parts.iter().map(part_len).sum::<u64>() + end.len() as u64;
        Multipart { boundary, parts, end, len }
    }

    /// The value of `Content-Type` of the response.
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={:032x}", self.boundary)
    }

    /// Bytes of the body.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The parts in order, and what is sent behind the last one.
    pub fn into_parts(self) -> (Vec<MultipartPart>, Bytes) {
        (self.parts, self.end)
    }
}
