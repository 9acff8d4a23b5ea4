//! Fields in two runs of bytes: a short table and the text as it is on the wire.
//!
//! Responsible for: the form in which header blocks are kept long and in great number, look-up in it, and the way back.
//! Not responsible for: where the bytes are kept. Who keeps a table longer than the program runs notes
//! [`FINGERPRINT`](crate::names::FINGERPRINT): numbers of well-known names are this program's own. The text outlives it.
//! Invariants: what was packed comes back with case, order and duplicates; any bytes at all are some list of fields,
//! without panic. The table has the number of fields, then for each field the number of its name (255 and a length
//! for others) and the length of its value: two bytes for most. The text has `Name: value CRLF` for each, also for
//! internal ones.

use super::{ADDED_FIELDS, CHUNK_BYTES, Field, HeaderBlock, OTHER, Seen, Slot, Span, write_field};
use crate::names::{FieldName, Known};
use bytes::Bytes;
use smallvec::SmallVec;

/// The chunk in which unpacked text lies.
const UNPACKED: u16 = 1;

/// Appends a length: seven bits for each byte.
#[inline]
pub fn push_len(out: &mut impl Extend<u8>, len: usize) {
    let mut rest = len;
    while rest > 127 {
        out.extend([rest as u8 | 128]);
        rest >>= 7;
    }
    out.extend([rest as u8]);
}

/// Takes a length off the front; a made-up one is something, but no panic.
#[inline]
pub fn take_len(input: &mut &[u8]) -> usize {
    match **input {
        [len @ 0..128, ref rest @ ..] => {
            *input = rest;
            usize::from(len)
        }
        [low, high @ 0..128, ref rest @ ..] => {
            *input = rest;
            usize::from(low & 127) | usize::from(high) << 7
        }
        _ => {
            let (len, next) = long_len_at(input, 0);
            *input = input.get(next..).unwrap_or_default();
            len
        }
    }
}

/// The length at `at`, and where it ends.
#[inline]
fn len_at(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes.get(at) {
        Some(len @ 0..128) => (usize::from(*len), at + 1),
        _ => long_len_at(bytes, at),
    }
}

/// Apart, so that the short way has all it needs in registers.
#[inline(never)]
fn long_len_at(bytes: &[u8], at: usize) -> (usize, usize) {
    let mut len = 0;
    let mut end = at;
    for shift in [0, 7, 14, 21, 28] {
        let Some(byte) = bytes.get(end) else { break };
        end += 1;
        len |= usize::from(byte & 127) << shift;
        if *byte < 128 {
            break;
        }
    }
    (len, end)
}

impl Slot {
    /// Nothing, in unpacked text.
    const NONE: Slot = {
        let nothing = Span { offset: 0, len: 0, chunk: UNPACKED };
        Slot { name: nothing, value: nothing, known: OTHER, canonical: false, on_wire: true }
    };
}

impl HeaderBlock {
    /// Appends the table of the fields; tells how long their text is.
    pub fn pack_table(&self, table: &mut impl Extend<u8>) -> usize {
        push_len(table, self.slots.len());
        let mut text_len = 0;
        for slot in &self.slots {
            let (name_len, value_len) = (self.name_bytes(slot).len(), slot.value.len as usize);
            table.extend([slot.known]);
            if slot.known == OTHER {
                push_len(table, name_len);
            }
            push_len(table, value_len);
            text_len += name_len + value_len + 4;
        }
        text_len
    }

    /// Appends the text that belongs to the table: as [`Self::write_to`], internal fields too.
    pub fn pack_text(&self, text: &mut Vec<u8>) {
        if self.slots.iter().all(|slot| self.name_bytes(slot).first() != Some(&b'@')) {
            return self.write_to(text);
        }
        self.iter().for_each(|field| write_field(field.name, field.value, text));
    }
}

/// Fields that are kept packed.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackedFields<'a> {
    table: &'a [u8],
    text: &'a [u8],
}

/// Lengths of the well-known names by their numbers; 0 where there is none.
static NAME_LENS: [u8; 256] = {
    let mut lens = [0; 256];
    let mut number = 0;
    while let Some(known) = Known::from_index(number) {
        lens[number as usize] = known.as_str().len() as u8;
        number += 1;
    }
    lens
};

/// The places of the fields in the text.
struct Places<'a> {
    table: &'a [u8],
    /// Where the next one's lengths are.
    next: usize,
    /// Where it is in the text.
    at: usize,
}

/// Where one field is.
struct Place {
    known: u8,
    name: usize,
    name_len: usize,
    value_len: usize,
}

impl Place {
    /// Where the value begins.
    #[inline]
    fn value(&self) -> usize {
        self.name + self.name_len + 2
    }

    /// What follows the field.
    #[inline]
    fn end(&self) -> usize {
        self.value() + self.value_len + 2
    }
}

impl Iterator for Places<'_> {
    type Item = Place;

    #[inline]
    fn next(&mut self) -> Option<Place> {
        let known = *self.table.get(self.next)?;
        let (name_len, next) = match known {
            OTHER => len_at(self.table, self.next + 1),
            _ => (usize::from(NAME_LENS[usize::from(known)]), self.next + 1),
        };
        let (value_len, next) = len_at(self.table, next);
        let place = Place { known, name: self.at, name_len, value_len };
        (self.next, self.at) = (next, place.end());
        Some(place)
    }
}

impl<'a> PackedFields<'a> {
    /// The fields of this table and its text.
    pub fn new(table: &'a [u8], text: &'a [u8]) -> PackedFields<'a> {
        PackedFields { table, text }
    }

    /// The table and the text.
    pub fn parts(self) -> (&'a [u8], &'a [u8]) {
        (self.table, self.text)
    }

    /// Number of fields (lines).
    pub fn len(self) -> usize {
        take_len(&mut &*self.table)
    }

    /// Whether there is no field.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the table tells of all of the text and of no more.
    pub fn is_consistent(self) -> bool {
        let (mut count, mut end) = (0, 0);
        for place in self.places() {
            (count, end) = (count + 1, place.end());
            if end > self.text.len() {
                return false;
            }
        }
        count == self.len() && end == self.text.len()
    }

    #[inline]
    fn places(self) -> Places<'a> {
        Places { table: self.table, next: len_at(self.table, 0).1, at: 0 }
    }

    fn text(self, at: usize, len: usize) -> &'a [u8] {
        self.text.get(at..at + len).unwrap_or_default()
    }

    fn field(self, place: &Place) -> Field<'a> {
        Field {
            name: self.text(place.name, place.name_len),
            known: Known::from_index(place.known),
            value: self.text(place.value(), place.value_len),
        }
    }

    /// All fields in order.
    pub fn iter(self) -> impl Iterator<Item = Field<'a>> {
        self.places().map(move |place| self.field(&place))
    }

    /// Whether a well-known field is present.
    pub fn has(self, name: Known) -> bool {
        self.places().any(|place| place.known == name.index())
    }

    /// The value of the first field of that name.
    pub fn get<'n>(self, name: impl Into<FieldName<'n>>) -> Option<&'a [u8]> {
        let name = name.into();
        self.places().find(|place| self.is_named(place, name)).map(|place| self.field(&place).value)
    }

    /// The value of the first field of that name, if it is UTF-8.
    pub fn get_str<'n>(self, name: impl Into<FieldName<'n>>) -> Option<&'a str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether any field of that name is present.
    pub fn contains<'n>(self, name: impl Into<FieldName<'n>>) -> bool {
        self.get(name).is_some()
    }

    /// The values of all fields of that name, in order.
    pub fn get_all(self, name: Known) -> impl Iterator<Item = &'a [u8]> {
        let places = self.places().filter(move |place| place.known == name.index());
        places.map(move |place| self.field(&place).value)
    }

    /// The members of the comma-separated list that all fields of that name form together.
    pub fn list(self, name: Known) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).flat_map(crate::list::members)
    }

    fn is_named(self, place: &Place, name: FieldName<'_>) -> bool {
        match name {
            FieldName::Known(known) => place.known == known.index(),
            FieldName::Other(name) => {
                place.known == OTHER && self.text(place.name, place.name_len).eq_ignore_ascii_case(name)
            }
        }
    }

    /// A block of these fields, with room for a few more.
    pub fn to_block(self) -> HeaderBlock {
        let (table, text) = (self.table, self.text);
        let count = self.len().min(table.len());
        let mut slots = Vec::with_capacity(count + ADDED_FIELDS);
        slots.resize(count, Slot::NONE);
        let mut seen = Seen::default();
        let Places { mut next, mut at, .. } = self.places();
        let mut filled = 0;
        for slot in &mut slots {
            let Some(&known) = table.get(next) else { break };
            let mut name_len = usize::from(NAME_LENS[usize::from(known)]);
            next += 1;
            if known == OTHER {
                (name_len, next) = len_at(table, next);
                slot.on_wire = text.get(at) != Some(&b'@');
            }
            let value_len;
            (value_len, next) = len_at(table, next);
            let value = at + name_len + 2;
            seen.add(known);
            (slot.name.offset, slot.name.len) = (at as u32, name_len as u32);
            (slot.value.offset, slot.value.len) = (value as u32, value_len as u32);
            slot.known = known;
            at = value + value_len + 2;
            if at > text.len() {
                break;
            }
            filled += 1;
        }
        slots.truncate(filled);
        let mut chunk = Vec::with_capacity(text.len() + CHUNK_BYTES);
        chunk.extend_from_slice(text);
        HeaderBlock {
            received: Bytes::new(),
            arena: SmallVec::from_buf([chunk]),
            slots,
            present: seen.present(),
            repeated: seen.repeated(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(block: &HeaderBlock) -> (Vec<u8>, Vec<u8>) {
        let (mut table, mut text) = (Vec::new(), Vec::new());
        let text_len = block.pack_table(&mut table);
        block.pack_text(&mut text);
        assert_eq!(text_len, text.len());
        (table, text)
    }

    #[test]
    fn lengths_come_back() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 20, (1 << 32) - 1] {
            let mut bytes = Vec::new();
            push_len(&mut bytes, len);
            bytes.push(7);
            let mut input = &bytes[..];
            assert_eq!((take_len(&mut input), input), (len, &[7][..]));
        }
    }

    #[test]
    fn a_usual_field_takes_two_bytes_of_table() {
        let block: HeaderBlock = [("date", "x"), ("Content-Type", "text/html")].into_iter().collect();
        assert_eq!(packed(&block).0.len(), 1 + 2 * 2);
    }

    proptest! {
        #[test]
        fn packed_fields_are_those_of_the_block(
            fields in prop::collection::vec(("[@A-Za-z][a-z-]{0,12}|Date|date|Vary|Set-Cookie", "[ -~]{0,200}"), 0..12),
            asked in "[A-Za-z][a-z-]{0,3}|Date|VARY|Set-Cookie",
        ) {
            let pairs = || fields.iter().map(|(name, value)| (name.as_str(), value.trim()));
            let block: HeaderBlock = pairs().collect();
            let (table, text) = packed(&block);
            let fields = PackedFields::new(&table, &text);
            prop_assert!(fields.iter().eq(block.iter()));
            prop_assert_eq!((fields.len(), fields.is_empty()), (block.len(), block.is_empty()));
            prop_assert_eq!(fields.get(&asked), block.get(&asked));
            for known in Known::all() {
                prop_assert_eq!(fields.has(known), block.has(known));
                prop_assert!(fields.get_all(known).eq(block.get_all(known)));
            }
            let mut again = fields.to_block();
            prop_assert!(again.iter().eq(block.iter()));
            again.append("X-Added", "1");
            again.set("Date", "2");
            let mut changed = block.compact();
            changed.append("X-Added", "1");
            changed.set("Date", "2");
            let (mut one, mut other) = (Vec::new(), Vec::new());
            again.write_to(&mut one);
            changed.write_to(&mut other);
            prop_assert_eq!(one, other);
            // Packed again, it is the same.
            prop_assert_eq!(packed(&fields.to_block()), (table, text));
        }

        #[test]
        fn any_bytes_are_fields_without_panic(
            table in prop::collection::vec(any::<u8>(), 0..60),
            text in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let fields = PackedFields::new(&table, &text);
            let count = fields.iter().count();
            let block = fields.to_block();
            prop_assert!(block.iter().count() <= count);
            block.write_to(&mut Vec::new());
        }
    }
}
