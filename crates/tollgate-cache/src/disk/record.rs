//! Records: what the log of a stripe is made of.
//!
//! Responsible for: the header of a record, its checksums, the payload of a document.
//! Not responsible for: where records lie (`append`, `recover`), what a document's fields mean (`codec`).
//! Invariants: a record is taken for one only if its header's checksum holds and it says the position it was found
//! at; its payload is used only if its own checksum holds. Numbers are little-endian.

use super::extent::{self, Extent};
use std::ops::Range;
use twox_hash::XxHash3_64;

/// Unit of positions in the log, bytes.
pub(super) const BLOCK: u64 = 512;
/// Bytes of a record before its payload.
pub(super) const HEADER_BYTES: usize = 64;

const MAGIC: u32 = u32::from_le_bytes(*b"TGR1");

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An object's key, its fields and its body, or where the fragments of its body are.
    Document = 1,
    /// A part of a body.
    Fragment = 2,
    /// Documents of the key that lie before it are removed.
    Tombstone = 3,
    /// The rest of the log's area is not used: the log goes on at its beginning.
    Pad = 4,
    /// The store was opened here.
    Opened = 5,
    /// As a document; its fragments come from different times, and some may be missing.
    Assembly = 6,
}

impl Kind {
    fn of(number: u8) -> Option<Kind> {
        let all = [Kind::Document, Kind::Fragment, Kind::Tombstone, Kind::Pad, Kind::Opened, Kind::Assembly];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: Kind,
    /// Position in the log, bytes since ever.
    pub(super) lsn: u64,
    /// How often the stripe had been opened when it was written.
    pub(super) epoch: u32,
    /// Bytes of payload.
    pub(super) len: u32,
    /// Hash of the key.
    pub(super) key: u128,
    /// Which fragment of its body.
    pub(super) number: u32,
    /// Of the payload.
    pub(super) checksum: u64,
    /// Of a document: it is pinned, its own header says for how long.
    pub(super) is_pinned: bool,
}

impl RecordHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4] = self.kind as u8;
        out[5] = u8::from(self.is_pinned);
        out[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        out[16..20].copy_from_slice(&self.epoch.to_le_bytes());
        out[20..24].copy_from_slice(&self.len.to_le_bytes());
        out[24..40].copy_from_slice(&self.key.to_le_bytes());
        out[40..48].copy_from_slice(&self.checksum.to_le_bytes());
        out[48..52].copy_from_slice(&self.number.to_le_bytes());
        let checksum = XxHash3_64::oneshot(&out[..56]);
        out[56..64].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The header at the front of `bytes`, if there is one.
    pub(super) fn decode(bytes: &[u8]) -> Option<RecordHeader> {
        let mut input = Input(bytes.get(..HEADER_BYTES)?);
        let checksum = XxHash3_64::oneshot(&bytes[..56]);
        if input.u32()? != MAGIC || bytes[56..64] != checksum.to_le_bytes() {
            return None;
        }
        let kinds = input.take(4)?;
        let (kind, is_pinned) = (Kind::of(kinds[0])?, kinds[1] != 0);
        let (lsn, epoch, len) = (input.u64()?, input.u32()?, input.u32()?);
        let (key, checksum, number) = (input.u128()?, input.u64()?, input.u32()?);
        Some(RecordHeader { kind, lsn, epoch, len, key, number, checksum, is_pinned })
    }

    /// Blocks that the record takes.
    pub(super) fn blocks(&self) -> u64 {
        blocks(self.len as usize)
    }
}

/// Blocks that a record with that many bytes of payload takes.
pub(super) fn blocks(payload: usize) -> u64 {
    ((HEADER_BYTES + payload) as u64).div_ceil(BLOCK)
}

/// Checksum of a payload in parts.
pub(super) fn checksum(parts: &[&[u8]]) -> u64 {
    match parts {
        [one] => XxHash3_64::oneshot(one),
        parts => {
            use std::hash::Hasher;
            let mut hasher = XxHash3_64::new();
            parts.iter().for_each(|part| hasher.write(part));
            hasher.finish()
        }
    }
}

/// Where a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRef {
    /// Position in the log.
    pub(super) lsn: u64,
    /// Bytes of the body in it.
    pub(super) len: u32,
}

/// The payload of a document or an assembly. Layout: lengths of key, meta and body; the numbers of entries of both
/// lists; the lists; key; meta; the body, unless there are fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DocumentPayload<'a> {
    pub(super) key: &'a [u8],
    pub(super) meta: &'a [u8],
    pub(super) body_len: u64,
    /// Positions of documents that this one replaces.
    pub(super) replaces: Vec<u64>,
    /// Empty if the body stands in the document itself.
    pub(super) fragments: Vec<FragmentRef>,
    /// Of an assembly: where its body is.
    pub(super) extents: Vec<Extent>,
    pub(super) inline: &'a [u8],
}

const DOCUMENT_PREFIX_BYTES: usize = 24;
/// Bytes of an entry of the list of fragments.
const FRAGMENT_BYTES: usize = 12;
/// Bytes of an entry of the list of extents.
pub(super) const EXTENT_BYTES: usize = 32;

/// Where the body of a document is that is not in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Places<'a> {
    Fragments(&'a [FragmentRef]),
    Extents(&'a [Extent]),
}

impl Places<'_> {
    pub(super) fn count(&self) -> usize {
        match self {
            Places::Fragments(list) => list.len(),
            Places::Extents(list) => list.len(),
        }
    }

    /// Positions of the fragments.
    pub(super) fn positions(&self) -> impl Iterator<Item = u64> {
        let (fragments, extents): (&[FragmentRef], &[Extent]) = match self {
            Places::Fragments(list) => (list, &[]),
            Places::Extents(list) => (&[], list),
        };
        fragments.iter().map(|at| at.lsn).chain(extents.iter().map(|extent| extent.at.lsn))
    }
}

/// The front of a document's payload, up to the key.
pub(super) fn document_front(
    key_len: usize,
    meta_len: usize,
    body_len: u64,
    replaces: &[u64],
    body: Places<'_>,
) -> Vec<u8> {
    let lists = replaces.len() * 8 + body.count() * EXTENT_BYTES;
    let mut out = Vec::with_capacity(DOCUMENT_PREFIX_BYTES + lists);
    out.extend_from_slice(&(key_len as u32).to_le_bytes());
    out.extend_from_slice(&(meta_len as u32).to_le_bytes());
    out.extend_from_slice(&body_len.to_le_bytes());
    out.extend_from_slice(&(replaces.len() as u32).to_le_bytes());
    out.extend_from_slice(&(body.count() as u32).to_le_bytes());
    replaces.iter().for_each(|lsn| out.extend_from_slice(&lsn.to_le_bytes()));
    match body {
        Places::Fragments(list) => list.iter().for_each(|at| put_fragment(&mut out, *at)),
        Places::Extents(list) => {
            for extent in list {
                put_fragment(&mut out, extent.at);
                out.extend_from_slice(&extent.number.to_le_bytes());
                out.extend_from_slice(&extent.start.to_le_bytes());
                out.extend_from_slice(&extent.skip.to_le_bytes());
                out.extend_from_slice(&extent.len.to_le_bytes());
            }
        }
    }
    out
}

fn put_fragment(out: &mut Vec<u8>, at: FragmentRef) {
    out.extend_from_slice(&at.lsn.to_le_bytes());
    out.extend_from_slice(&at.len.to_le_bytes());
}

impl<'a> DocumentPayload<'a> {
    /// The document or assembly in `payload`; `None` if the lengths in it do not add up, and for other kinds.
    pub(super) fn decode(kind: Kind, payload: &'a [u8]) -> Option<DocumentPayload<'a>> {
        let mut input = Input(payload);
        let (key_len, meta_len) = (input.u32()? as usize, input.u32()? as usize);
        let body_len = input.u64()?;
        let (replaced, entries) = (input.u32()? as usize, input.u32()? as usize);
        let entry_bytes = entry_bytes(kind)?;
        let lists = replaced.checked_mul(8)?.checked_add(entries.checked_mul(entry_bytes)?)?;
        if lists > input.0.len() {
            return None;
        }
        let replaces = (0..replaced).map(|_| input.u64()).collect::<Option<Vec<_>>>()?;
        let (mut fragments, mut extents) = (Vec::new(), Vec::new());
        for _ in 0..entries {
            let at = FragmentRef { lsn: input.u64()?, len: input.u32()? };
            if kind == Kind::Document {
                fragments.push(at);
                continue;
            }
            let (number, start) = (input.u32()?, input.u64()?);
            extents.push(Extent { at, number, start, skip: input.u32()?, len: input.u32()? });
        }
        let (key, meta) = (input.take(key_len)?, input.take(meta_len)?);
        let inline = input.0;
        let adds_up = match kind {
            Kind::Assembly => inline.is_empty() && extent::are_sound(&extents, body_len),
            _ if fragments.is_empty() => inline.len() as u64 == body_len,
            _ => inline.is_empty() && fragments.iter().map(|f| u64::from(f.len)).sum::<u64>() == body_len,
        };
        adds_up.then_some(DocumentPayload { key, meta, body_len, replaces, fragments, extents, inline })
    }
}

/// Where key and meta lie in the payload of a document that begins with `front`.
pub(super) fn key_and_meta(kind: Kind, front: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let mut input = Input(front.get(..DOCUMENT_PREFIX_BYTES)?);
    let (key_len, meta_len) = (input.u32()? as usize, input.u32()? as usize);
    let _body_len = input.u64()?;
    let (replaced, fragmented) = (input.u32()? as usize, input.u32()? as usize);
    let entry_bytes = entry_bytes(kind)?;
    let lists = replaced.checked_mul(8)?.checked_add(fragmented.checked_mul(entry_bytes)?)?;
    let key = DOCUMENT_PREFIX_BYTES.checked_add(lists)?;
    let meta = key.checked_add(key_len)?;
    Some((key..meta, meta..meta.checked_add(meta_len)?))
}

/// Bytes of an entry of the list that says where the body is; `None` for records without one.
fn entry_bytes(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Document => Some(FRAGMENT_BYTES),
        Kind::Assembly => Some(EXTENT_BYTES),
        _ => None,
    }
}

/// Reads numbers off the front of bytes.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(len: u32) -> RecordHeader {
        RecordHeader {
            kind: Kind::Fragment,
            lsn: 4096,
            epoch: 7,
            len,
            key: 1 << 99,
            number: 3,
            checksum: 9,
            is_pinned: len % 2 == 1,
        }
    }

    #[test]
    fn a_header_with_any_bit_turned_is_none() {
        let good = header(77).encode();
        assert_eq!(RecordHeader::decode(&good), Some(header(77)));
        for bit in 0..HEADER_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&bad), None, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn documents_are_read_as_written(
            key in prop::collection::vec(any::<u8>(), 0..40),
            meta in prop::collection::vec(any::<u8>(), 0..40),
            body in prop::collection::vec(any::<u8>(), 0..40),
            replaces in prop::collection::vec(any::<u64>(), 0..4),
        ) {
            let front = document_front(key.len(), meta.len(), body.len() as u64, &replaces, Places::Fragments(&[]));
            let payload = [&front[..], &key, &meta, &body].concat();
            let document = DocumentPayload::decode(Kind::Document, &payload).expect("as written");
            prop_assert_eq!((document.key, document.meta), (&key[..], &meta[..]));
            prop_assert_eq!((document.replaces, document.inline), (replaces, &body[..]));
        }

        #[test]
        fn any_bytes_are_a_document_or_not_but_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for kind in [Kind::Document, Kind::Assembly] {
                let _: Option<DocumentPayload<'_>> = DocumentPayload::decode(kind, &bytes);
            }
            let _: Option<RecordHeader> = RecordHeader::decode(&bytes);
        }
    }
}
