//! The header block: an ordered list of fields over the received bytes plus an arena.
//!
//! Responsible for: keeping case, order and duplicates of fields; look-up, change and removal by name.
//! Not responsible for: parsing bytes into fields (`h1`), meaning of values (`list`, the caller).
//! Invariants: a string that was handed out keeps its address while the block lives (arena chunks never grow
//! in place); a value never holds CR, LF or NUL, so a block can always be serialised safely; fields whose name
//! starts with `@` are internal and never serialised (ATS: `@Ats-Internal`).

mod packed;

pub use packed::{PackedFields, push_len, take_len};

use crate::names::{FieldName, Known, is_token_byte};
use bytes::Bytes;
use smallvec::SmallVec;

/// Index of "not a well-known name" in a slot.
const OTHER: u8 = u8::MAX;
/// The chunk number of the received bytes; arena chunks count from 1.
const RECEIVED: u16 = 0;
/// Room for fields that a received block starts with.
const USUAL_FIELDS: usize = 12;
/// Room for fields added to a copy.
const ADDED_FIELDS: usize = 4;
/// Smallest arena chunk, bytes.
const CHUNK_BYTES: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Span {
    offset: u32,
    len: u32,
    chunk: u16,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    name: Span,
    value: Span,
    known: u8,
    /// The name is the table's spelling: `name` is not used.
    canonical: bool,
    /// The chunk holds the field as it is written: `Name: value CRLF`.
    on_wire: bool,
}

impl Slot {
    /// Where a field that is [`on_wire`](Self::on_wire) stands, above the number of its chunk in the upper half.
    #[inline]
    fn as_on_wire(&self) -> std::ops::Range<u64> {
        let chunk = u64::from(self.name.chunk) << 32;
        chunk | u64::from(self.name.offset)..chunk | u64::from(self.value.offset + self.value.len + 2)
    }
}

/// One field of a [`HeaderBlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name in the sender's spelling.
    pub name: &'a [u8],
    /// The interned name, if it is well known.
    pub known: Option<Known>,
    /// The value without surrounding white space.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value as text, if it is UTF-8.
    pub fn value_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value).ok()
    }
}

/// A name or value that cannot stand in a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidField {
    /// The name is not a token (RFC 9110 §5.1).
    #[error("field name is not a token")]
    Name,
    /// The value holds CR, LF or NUL (RFC 9110 §5.5).
    #[error("field value holds CR, LF or NUL")]
    Value,
}

/// An ordered list of header fields.
#[derive(Debug, Default)]
pub struct HeaderBlock {
    received: Bytes,
    /// Most blocks need no more than one chunk.
    arena: SmallVec<[Vec<u8>; 1]>,
    slots: Vec<Slot>,
    present: Present,
    /// Of `present`, those that may be there more than once.
    repeated: Present,
}

/// A set of well-known names, by [`Known::bit`]. In two words, so that the block needs no more alignment than they do.
#[derive(Clone, Copy, Debug, Default)]
struct Present([u64; 2]);

impl Present {
    fn of(bits: u128) -> Present {
        Present([bits as u64, (bits >> 64) as u64])
    }

    #[inline]
    fn bits(self) -> u128 {
        u128::from(self.0[0]) | u128::from(self.0[1]) << 64
    }

    #[inline]
    fn has(self, name: Known) -> bool {
        self.bits() & name.bit() != 0
    }

    fn remove(&mut self, name: Known) {
        *self = Present::of(self.bits() & !name.bit());
    }
}

/// What of the well-known names was seen, once and again.
#[derive(Debug, Default)]
struct Seen {
    once: [u64; 2],
    again: [u64; 2],
}

impl Seen {
    #[inline]
    fn add(&mut self, number: u8) {
        let (word, bit) = (usize::from(number >> 6), 1 << (number & 63));
        // The number of other names falls into no word.
        if let (Some(once), Some(again)) = (self.once.get_mut(word), self.again.get_mut(word)) {
            *again |= *once & bit;
            *once |= bit;
        }
    }

    #[inline]
    fn present(&self) -> Present {
        Present(self.once)
    }

    #[inline]
    fn repeated(&self) -> Present {
        Present(self.again)
    }
}

/// Fields of received bytes, as the parser finds them.
#[derive(Debug)]
pub(crate) struct ReceivedFields {
    slots: Vec<Slot>,
    seen: Seen,
}

impl ReceivedFields {
    #[inline]
    pub(crate) fn new() -> Self {
        ReceivedFields { slots: Vec::with_capacity(USUAL_FIELDS), seen: Seen::default() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds a field. `on_wire` tells whether the line is `Name: value CRLF` with exactly these bytes, as
    /// [`HeaderBlock::write_to`] writes it.
    #[inline]
    pub(crate) fn push(
        &mut self,
        known: Option<Known>,
        name: std::ops::Range<usize>,
        value: std::ops::Range<usize>,
        on_wire: bool,
    ) {
        let span = |r: std::ops::Range<usize>| Span {
            offset: r.start as u32,
            len: (r.end - r.start) as u32,
            chunk: RECEIVED,
        };
        let known = known.map_or(OTHER, Known::index);
        self.slots.push(Slot { name: span(name), value: span(value), known, canonical: false, on_wire });
        self.seen.add(known);
    }
}

impl Clone for HeaderBlock {
    /// A copy with room for a few fields more: who copies a block adds to it.
    fn clone(&self) -> Self {
        let mut slots = Vec::with_capacity(self.slots.len() + ADDED_FIELDS);
        slots.extend_from_slice(&self.slots);
        HeaderBlock {
            received: self.received.clone(),
            arena: self.arena.clone(),
            slots,
            present: self.present,
            repeated: self.repeated,
        }
    }
}

impl HeaderBlock {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// A block of `fields`, which lie in `received`.
    pub(crate) fn over(received: Bytes, fields: ReceivedFields) -> Self {
        let ReceivedFields { slots, seen } = fields;
        let (present, repeated) = (seen.present(), seen.repeated());
        HeaderBlock { received, arena: SmallVec::new(), slots, present, repeated }
    }

    /// Number of fields (lines).
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes this block holds on the heap, for memory accounting.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<Slot>();
        self.received.len() + self.arena.iter().map(Vec::capacity).sum::<usize>() + slots
    }

    /// Whether a well-known field is present: one bit test.
    #[inline]
    pub fn has(&self, name: Known) -> bool {
        self.present.has(name)
    }

    /// Whether a well-known field may be present more than once: one bit test.
    #[inline]
    pub fn may_repeat(&self, name: Known) -> bool {
        self.repeated.has(name)
    }

    /// Whether any of these well-known fields is present: one test of bits.
    #[inline]
    pub fn has_any(&self, names: &[Known]) -> bool {
        self.present.bits() & names.iter().fold(0, |set, name| set | name.bit()) != 0
    }

    /// Whether any field of that name is present.
    pub fn contains<'n>(&self, name: impl Into<FieldName<'n>>) -> bool {
        self.position(name.into(), 0).is_some()
    }

    /// The value of the first field of that name.
    pub fn get<'n>(&self, name: impl Into<FieldName<'n>>) -> Option<&[u8]> {
        self.position(name.into(), 0).map(|i| self.bytes(self.slots[i].value))
    }

    /// The value of the first field of that name as shared bytes: not copied if it is as received.
    pub fn get_bytes<'n>(&self, name: impl Into<FieldName<'n>>) -> Option<Bytes> {
        let value = self.slots[self.position(name.into(), 0)?].value;
        Some(match value.chunk {
            RECEIVED => self.received.slice(value.offset as usize..(value.offset + value.len) as usize),
            _ => Bytes::copy_from_slice(self.bytes(value)),
        })
    }

    /// The value of the first field of that name, if it is UTF-8.
    pub fn get_str<'n>(&self, name: impl Into<FieldName<'n>>) -> Option<&str> {
        self.get(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// The values of all fields of that name, in order.
    pub fn get_all<'s, 'n: 's>(&'s self, name: impl Into<FieldName<'n>>) -> impl Iterator<Item = &'s [u8]> {
        let name = name.into();
        let mut from = 0;
        std::iter::from_fn(move || {
            let at = self.position(name, from)?;
            from = if self.is_single(name) { self.slots.len() } else { at + 1 };
            Some(self.bytes(self.slots[at].value))
        })
    }

    /// The members of the comma-separated list that all fields of that name form together.
    pub fn list<'s, 'n: 's>(&'s self, name: impl Into<FieldName<'n>>) -> impl Iterator<Item = &'s [u8]> {
        self.get_all(name).flat_map(crate::list::members)
    }

    /// Whether `token` is a member of the list in all fields of that name, without regard to case.
    pub fn has_token(&self, name: Known, token: &str) -> bool {
        self.has(name)
            && self.get_all(name).any(|value| {
                // Most lists have one member, and this is it.
                value.eq_ignore_ascii_case(token.as_bytes())
                    || (value.len() > token.len()
                        && crate::list::has_token(crate::list::members(value), token))
            })
    }

    /// All fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Field<'_>> {
        self.slots.iter().map(|slot| self.field(slot))
    }

    /// Appends a field. Bytes that cannot stand there are replaced: CR, LF and NUL in the value by SP (RFC 9110
    /// §5.5), non-token bytes in the name by `_`. Use [`Self::try_append`] for input that should be refused.
    pub fn append<'n>(&mut self, name: impl Into<FieldName<'n>>, value: impl AsRef<[u8]>) {
        let slot = self.make_slot(name.into(), value.as_ref());
        if let Some(known) = Known::from_index(slot.known) {
            let (present, bit) = (self.present.bits(), known.bit());
            self.repeated = Present::of(self.repeated.bits() | (present & bit));
            self.present = Present::of(present | bit);
        }
        self.slots.push(slot);
    }

    /// Appends a field, or says why it cannot stand in a message.
    pub fn try_append<'n>(
        &mut self,
        name: impl Into<FieldName<'n>>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), InvalidField> {
        let name = name.into();
        if let FieldName::Other(bytes) = name {
            let token = bytes.strip_prefix(b"@").unwrap_or(bytes);
            if !crate::names::is_token(token) {
                return Err(InvalidField::Name);
            }
        }
        if value.as_ref().iter().any(|b| is_forbidden(*b)) {
            return Err(InvalidField::Value);
        }
        self.append(name, value);
        Ok(())
    }

    /// Sets a field: the first of that name gets the value and keeps its place, others of that name go; appended
    /// if there is none. Bytes are replaced as in [`Self::append`].
    pub fn set<'n>(&mut self, name: impl Into<FieldName<'n>>, value: impl AsRef<[u8]>) {
        let name = name.into();
        let Some(first) = self.position(name, 0) else {
            return self.append(name, value);
        };
        self.slots[first].value = self.store_value(value.as_ref());
        self.slots[first].on_wire = false;
        if self.is_single(name) {
            return;
        }
        while let Some(next) = self.position(name, first + 1) {
            self.slots.remove(next);
        }
    }

    /// Removes all fields of that name; returns how many there were.
    pub fn remove<'n>(&mut self, name: impl Into<FieldName<'n>>) -> usize {
        let name = name.into();
        let Some(first) = self.position(name, 0) else { return 0 };
        let before = self.slots.len();
        self.slots.remove(first);
        if !self.is_single(name) {
            while let Some(i) = self.position(name, first) {
                self.slots.remove(i);
            }
        }
        if let FieldName::Known(known) = name {
            self.present.remove(known);
            self.repeated.remove(known);
        }
        before - self.slots.len()
    }

    /// Keeps only the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) {
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|slot| keep(self.field(slot)));
        let mut seen = Seen::default();
        slots.iter().for_each(|slot| seen.add(slot.known));
        (self.present, self.repeated) = (seen.present(), seen.repeated());
        self.slots = slots;
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The same fields with all strings in one allocation of their own: for blocks that are kept long.
    pub fn compact(&self) -> Self {
        // Laid out as on the wire: writing the block again copies runs of fields at once.
        let total: usize =
            self.slots.iter().map(|s| self.name_bytes(s).len() + s.value.len as usize + 4).sum();
        let mut bytes = Vec::with_capacity(total);
        let mut slots = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let mut put = |text: &[u8], end: &[u8]| {
                let span = Span { offset: bytes.len() as u32, len: text.len() as u32, chunk: RECEIVED };
                bytes.extend_from_slice(text);
                bytes.extend_from_slice(end);
                span
            };
            let name = put(self.name_bytes(slot), b": ");
            let value = put(self.bytes(slot.value), b"\r\n");
            slots.push(Slot {
                name,
                value,
                known: slot.known,
                canonical: false,
                on_wire: self.name_bytes(slot).first() != Some(&b'@'),
            });
        }
        let (present, repeated) = (self.present, self.repeated);
        HeaderBlock { received: bytes.into(), arena: SmallVec::new(), slots, present, repeated }
    }

    /// Appends the fields as `Name: value CRLF`, internal (`@`) ones left out.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (received, arena) = (&self.received[..], &self.arena[..]);
        let text = |span: Span| in_chunks(received, arena, span);
        let text_of_run = |run: std::ops::Range<u64>| {
            let (offset, len) = (run.start as u32, (run.end - run.start) as u32);
            text(Span { offset, len, chunk: (run.start >> 32) as u16 })
        };
        // Fields that lie in a chunk as they are written, one after the other, are copied together.
        let mut run = 0..0;
        for slot in &self.slots {
            if slot.on_wire {
                let wire = slot.as_on_wire();
                if wire.start == run.end {
                    run.end = wire.end;
                    continue;
                }
                let before = std::mem::replace(&mut run, wire);
                if !before.is_empty() {
                    out.extend_from_slice(text_of_run(before));
                }
                continue;
            }
            if !run.is_empty() {
                out.extend_from_slice(text_of_run(std::mem::take(&mut run)));
            }
            let name = match Known::from_index(slot.known) {
                Some(known) if slot.canonical => known.as_str().as_bytes(),
                _ => text(slot.name),
            };
            if slot.known != OTHER || name.first() != Some(&b'@') {
                write_field(name, text(slot.value), out);
            }
        }
        out.extend_from_slice(text_of_run(run));
    }

    fn field<'s>(&'s self, slot: &Slot) -> Field<'s> {
        Field {
            name: self.name_bytes(slot),
            known: Known::from_index(slot.known),
            value: self.bytes(slot.value),
        }
    }

    #[inline]
    fn position(&self, name: FieldName<'_>, from: usize) -> Option<usize> {
        // The usual answer for a well-known name is no: told without a call.
        match name {
            FieldName::Known(known) if !self.has(known) => None,
            _ => self.scan(name, from),
        }
    }

    /// Whether a field of that name, which is there, is surely the only one.
    #[inline]
    fn is_single(&self, name: FieldName<'_>) -> bool {
        matches!(name, FieldName::Known(known) if !self.may_repeat(known))
    }

    fn scan(&self, name: FieldName<'_>, from: usize) -> Option<usize> {
        let slots = self.slots.get(from..)?;
        let at = match name {
            FieldName::Known(known) => slots.iter().position(|s| s.known == known.index()),
            FieldName::Other(name) => slots.iter().position(|s| {
                s.known == OTHER
                    && s.name.len as usize == name.len()
                    && self.bytes(s.name).eq_ignore_ascii_case(name)
            }),
        };
        at.map(|i| i + from)
    }

    fn name_bytes(&self, slot: &Slot) -> &[u8] {
        match (slot.canonical, Known::from_index(slot.known)) {
            (true, Some(known)) => known.as_str().as_bytes(),
            _ => self.bytes(slot.name),
        }
    }

    fn bytes(&self, span: Span) -> &[u8] {
        in_chunks(&self.received, &self.arena, span)
    }

    fn make_slot(&mut self, name: FieldName<'_>, value: &[u8]) -> Slot {
        let value = self.store_value(value);
        match name {
            FieldName::Known(known) => {
                Slot { name: value, value, known: known.index(), canonical: true, on_wire: false }
            }
            FieldName::Other(name) => {
                let internal = name.first() == Some(&b'@');
                let stored_name = self.store(name);
                self.replace(stored_name, |b| !(is_token_byte(b) || internal && b == b'@'), b'_');
                Slot { name: stored_name, value, known: OTHER, canonical: false, on_wire: false }
            }
        }
    }

    fn store_value(&mut self, value: &[u8]) -> Span {
        let span = self.store(value);
        // What cannot stand in a value is among the controls: mostly there is none.
        if has_control(value) {
            self.replace(span, is_forbidden, b' ');
        }
        span
    }

    /// Puts `replacement` for each byte that is `bad` of what was stored last.
    fn replace(&mut self, stored: Span, bad: impl Fn(u8) -> bool, replacement: u8) {
        let Some(chunk) = self.arena.last_mut() else { return };
        for byte in &mut chunk[stored.offset as usize..] {
            if bad(*byte) {
                *byte = replacement;
            }
        }
    }

    /// Copies `bytes` into the arena.
    fn store(&mut self, bytes: &[u8]) -> Span {
        let fits = self.arena.last().is_some_and(|c| c.capacity() - c.len() >= bytes.len());
        if !fits {
            self.arena.push(Vec::with_capacity(bytes.len().max(CHUNK_BYTES)));
        }
        let chunk_number = self.arena.len() as u16;
        let Some(chunk) = self.arena.last_mut() else { return Span { offset: 0, len: 0, chunk: RECEIVED } };
        let offset = chunk.len();
        chunk.extend_from_slice(bytes);
        Span { offset: offset as u32, len: bytes.len() as u32, chunk: chunk_number }
    }
}

/// The bytes of a span.
#[inline]
fn in_chunks<'s>(received: &'s [u8], arena: &'s [Vec<u8>], span: Span) -> &'s [u8] {
    let chunk = match span.chunk {
        RECEIVED => received,
        n => arena.get(n as usize - 1).map_or(&[][..], |chunk| &chunk[..]),
    };
    chunk.get(span.offset as usize..(span.offset + span.len) as usize).unwrap_or_default()
}

/// Appends a field as it is on the wire.
#[inline]
fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a byte may be below 0x20; `false` is certain. Eight bytes at a time.
#[inline]
fn has_control(bytes: &[u8]) -> bool {
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    let below = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        word.wrapping_sub(SPACES) & !word & HIGHS != 0
    };
    words.iter().any(below) || rest.iter().any(|byte| *byte < b' ')
}

/// Bytes that no field value may hold (RFC 9110 §5.5).
const fn is_forbidden(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

impl<'n, N: Into<FieldName<'n>>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderBlock {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut block = HeaderBlock::new();
        for (name, value) in fields {
            block.append(name, value);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;
    use proptest::prelude::*;

    fn text(block: &HeaderBlock) -> String {
        let mut out = Vec::new();
        block.write_to(&mut out);
        String::from_utf8(out).expect("test values are text")
    }

    #[test]
    fn case_and_order_are_kept() {
        let block: HeaderBlock = [("x-One", "1"), ("HOST", "a"), ("X-oNE", "2")].into_iter().collect();
        assert_eq!(text(&block), "x-One: 1\r\nHost: a\r\nX-oNE: 2\r\n");
        assert_eq!(block.get_all("x-one").collect::<Vec<_>>(), [b"1", b"2"]);
    }

    #[test]
    fn set_keeps_the_place_and_drops_duplicates() {
        let mut block: HeaderBlock = [("A", "1"), ("B", "2"), ("a", "3")].into_iter().collect();
        block.set("A", "9");
        assert_eq!(text(&block), "A: 9\r\nB: 2\r\n");
    }

    #[test]
    fn removing_a_known_name_clears_its_presence() {
        let mut block: HeaderBlock = [("Age", "1"), ("Age", "2"), ("Date", "x")].into_iter().collect();
        assert_eq!(block.remove(names::AGE), 2);
        assert!(!block.has(names::AGE) && block.has(names::DATE));
    }

    #[test]
    fn a_value_cannot_split_the_message() {
        let mut block = HeaderBlock::new();
        block.append("X", "a\r\nSet-Cookie: b\0");
        block.append("na me:", "v");
        assert_eq!(text(&block), "X: a  Set-Cookie: b \r\nna_me_: v\r\n");
        assert_eq!(block.try_append("X", "a\nb"), Err(InvalidField::Value));
        assert_eq!(block.try_append("a b", "c"), Err(InvalidField::Name));
    }

    #[test]
    fn internal_fields_are_not_serialised() {
        let block: HeaderBlock = [("@Internal", "1"), ("A", "2")].into_iter().collect();
        assert_eq!(block.get("@internal"), Some(&b"1"[..]));
        assert_eq!(text(&block), "A: 2\r\n");
    }

    #[test]
    fn strings_do_not_move_when_fields_are_added() {
        let mut block: HeaderBlock = [("X-First", "value")].into_iter().collect();
        let before = block.get("X-First").map(<[u8]>::as_ptr);
        for i in 0..500 {
            block.append("X-More", i.to_string());
        }
        assert_eq!(block.get("X-First").map(<[u8]>::as_ptr), before);
    }

    proptest! {
        #[test]
        fn a_control_is_never_missed(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(has_control(&bytes) || bytes.iter().all(|byte| *byte >= b' '));
        }

        #[test]
        fn text_has_no_control(text in "[ -~]{0,40}") {
            prop_assert!(!has_control(text.as_bytes()));
        }

        #[test]
        fn block_agrees_with_a_list_of_pairs(ops in prop::collection::vec((0u8..4, "[A-Ca-c]|Host|AGE|age", "[a-z]{0,6}"), 0..40)) {
            let mut block = HeaderBlock::new();
            let mut model: Vec<(String, String)> = Vec::new();
            for (op, name, value) in ops {
                let same = |n: &str| n.eq_ignore_ascii_case(&name);
                match op {
                    0 | 1 => { block.append(&name, &value); model.push((name.clone(), value)); }
                    2 => {
                        block.set(&name, &value);
                        match model.iter().position(|(n, _)| same(n)) {
                            Some(i) => {
                                model[i].1 = value;
                                let mut at = 0;
                                model.retain(|(n, _)| { at += 1; at - 1 <= i || !same(n) });
                            }
                            None => model.push((name.clone(), value)),
                        }
                    }
                    _ => {
                        let gone = model.iter().filter(|(n, _)| same(n)).count();
                        prop_assert_eq!(block.remove(&name), gone);
                        model.retain(|(n, _)| !same(n));
                    }
                }
                prop_assert_eq!(block.contains(&name), model.iter().any(|(n, _)| n.eq_ignore_ascii_case(&name)));
                prop_assert_eq!(text(&block).to_lowercase(), text(&block.compact()).to_lowercase());
            }
            let fields: Vec<_> = block.iter().map(|f| (String::from_utf8_lossy(f.name).to_lowercase(), String::from_utf8_lossy(f.value).into_owned())).collect();
            let model: Vec<_> = model.into_iter().map(|(n, v)| (n.to_lowercase(), v)).collect();
            prop_assert_eq!(fields, model);
        }
    }
}
