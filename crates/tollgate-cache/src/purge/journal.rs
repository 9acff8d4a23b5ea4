//! How purges are written down, so that what was purged stays purged after a restart.
//!
//! Responsible for: one record per purge, appended one after the other, and reading them back.
//! Not responsible for: files, when they are synced, when a journal is written anew (from
//! [`Purges::snapshot`](super::Purges::snapshot)).
//! Invariants: a record is taken whole or not at all; reading ends at the first one that is cut off or damaged, and
//! says where that was; no input panics.
//!
//! Layout, all numbers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 4 | length of what follows the checksum |
//! | 4 | CRC-32C of what follows |
//! | 1 | version, 1 |
//! | 1 | kind: 0 key, 1 prefix, 2 regular expression, 3 tag, 4 group, 5 everything, 6 state |
//! | 1 | effect: 0 soft, 1 hard |
//! | 8 | number; of a state that of the newest purge |
//! | 8 | time, seconds since 1970; of a state the newest number that was forgotten |
//! | 4 | for a group: length of its origin, which precedes the name; else 0 |
//! | rest | the key, prefix, expression, tag; of a group the origin and the name |
//!
//! Keys are [`CacheKey::as_bytes`](crate::CacheKey::as_bytes).

use super::{Effect, Purge, Target};

const VERSION: u8 = 1;
const FRAME_BYTES: usize = 8;
const FIXED_BYTES: usize = 23;
/// LIMIT: bytes of a record; longer ones are not believed.
const MAX_RECORD: usize = 1 << 20;

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A purge.
    Purge(Purge),
    /// How far purges had come. The first entry of a journal that was written anew.
    State {
        /// The newest purge's number.
        newest: u64,
        /// Purges up to this number have been forgotten: what was not judged by them counts as purged.
        forgotten: u64,
    },
}

/// Appends an entry to `journal`.
pub fn append(journal: &mut Vec<u8>, entry: &Entry) {
    let start = journal.len();
    journal.extend_from_slice(&[0; FRAME_BYTES]);
    match entry {
        Entry::Purge(purge) => append_purge(journal, purge),
        Entry::State { newest, forgotten } => {
            append_fixed(journal, 6, Effect::Hard, *newest, forgotten.cast_signed(), 0);
        }
    }
    let body = start + FRAME_BYTES;
    let checksum = crc32c(&journal[body..]);
    let len = (journal.len() - body) as u32;
    journal[start..start + 4].copy_from_slice(&len.to_le_bytes());
    journal[start + 4..body].copy_from_slice(&checksum.to_le_bytes());
}

fn append_purge(journal: &mut Vec<u8>, purge: &Purge) {
    let (kind, origin, text): (u8, &[u8], &[u8]) = match &purge.target {
        Target::Key(key) => (0, &[], key),
        Target::Prefix(key) => (1, &[], key),
        Target::Regex(text) => (2, &[], text.as_bytes()),
        Target::Tag(name) => (3, &[], name),
        Target::Group { origin, name } => (4, origin, name),
        Target::Everything => (5, &[], &[]),
    };
    append_fixed(journal, kind, purge.effect, purge.number, purge.at, origin.len() as u32);
    journal.extend_from_slice(origin);
    journal.extend_from_slice(text);
}

fn append_fixed(journal: &mut Vec<u8>, kind: u8, effect: Effect, number: u64, at: i64, origin: u32) {
    journal.extend_from_slice(&[VERSION, kind, u8::from(effect == Effect::Hard)]);
    journal.extend_from_slice(&number.to_le_bytes());
    journal.extend_from_slice(&at.to_le_bytes());
    journal.extend_from_slice(&origin.to_le_bytes());
}

/// The entries of a journal up to its end or its first fault, and how many bytes they take: where the next one
/// is to be appended.
pub fn read(journal: &[u8]) -> (Vec<Entry>, usize) {
    let mut entries = Vec::new();
    let mut read = 0;
    while let Some((entry, len)) = first(&journal[read..]) {
        entries.push(entry);
        read += len;
    }
    (entries, read)
}

fn first(journal: &[u8]) -> Option<(Entry, usize)> {
    let (len, rest) = journal.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len) as usize;
    if len > MAX_RECORD {
        return None;
    }
    let body = rest.get(..len)?;
    if crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    Some((parse(body)?, FRAME_BYTES + len))
}

fn parse(body: &[u8]) -> Option<Entry> {
    let (fixed, text) = body.split_first_chunk::<FIXED_BYTES>()?;
    let number = u64::from_le_bytes(fixed[3..11].try_into().ok()?);
    let at = i64::from_le_bytes(fixed[11..19].try_into().ok()?);
    let origin = u32::from_le_bytes(fixed[19..].try_into().ok()?) as usize;
    let effect = match fixed[2] {
        0 => Effect::Soft,
        1 => Effect::Hard,
        _ => return None,
    };
    let target = match (fixed[0], fixed[1]) {
        (VERSION, 0) => Target::Key(text.into()),
        (VERSION, 1) => Target::Prefix(text.into()),
        (VERSION, 2) => Target::Regex(std::str::from_utf8(text).ok()?.into()),
        (VERSION, 3) => Target::Tag(text.into()),
        (VERSION, 4) => {
            let (origin, name) = text.split_at_checked(origin)?;
            Target::Group { origin: origin.into(), name: name.into() }
        }
        (VERSION, 5) => Target::Everything,
        (VERSION, 6) => return Some(Entry::State { newest: number, forgotten: at.cast_unsigned() }),
        _ => return None,
    };
    Some(Entry::Purge(Purge { number, at, effect, target }))
}

/// CRC-32C (Castagnoli), bit by bit: records are short and rare.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // RFC 3720 B.4
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    fn bytes() -> impl Strategy<Value = Box<[u8]>> {
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
    }

    fn target() -> impl Strategy<Value = Target> {
        prop_oneof![
            bytes().prop_map(Target::Key),
            bytes().prop_map(Target::Prefix),
            ".{0,10}".prop_map(|text: String| Target::Regex(text.into())),
            bytes().prop_map(Target::Tag),
            (bytes(), bytes()).prop_map(|(origin, name)| Target::Group { origin, name }),
            Just(Target::Everything),
        ]
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let effect = prop_oneof![Just(Effect::Soft), Just(Effect::Hard)];
        let purge = (any::<u64>(), any::<i64>(), effect, target())
            .prop_map(|(number, at, effect, target)| Entry::Purge(Purge { number, at, effect, target }));
        let state =
            (any::<u64>(), any::<u64>()).prop_map(|(newest, forgotten)| Entry::State { newest, forgotten });
        prop_oneof![4 => purge, 1 => state]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_up_to_the_first_cut(
            entries in proptest::collection::vec(entry(), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut journal = Vec::new();
            let mut ends = vec![0];
            for entry in &entries {
                append(&mut journal, entry);
                ends.push(journal.len());
            }
            prop_assert_eq!(read(&journal), (entries.clone(), journal.len()));
            let cut = cut.index(journal.len() + 1);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            prop_assert_eq!(read(&journal[..cut]), (entries[..whole].to_vec(), ends[whole]));
        }

        #[test]
        fn a_damaged_record_ends_the_journal(
            entries in proptest::collection::vec(entry(), 1..6),
            at in any::<proptest::sample::Index>(),
            bit in 0..8u8,
        ) {
            let mut journal = Vec::new();
            let mut ends = vec![0];
            for entry in &entries {
                append(&mut journal, entry);
                ends.push(journal.len());
            }
            let at = at.index(journal.len());
            journal[at] ^= 1 << bit;
            let whole = ends.iter().filter(|end| **end <= at).count() - 1;
            prop_assert_eq!(read(&journal), (entries[..whole].to_vec(), ends[whole]));
        }

        #[test]
        fn no_input_panics(journal in proptest::collection::vec(any::<u8>(), 0..100)) {
            let (_, read) = read(&journal);
            prop_assert!(read <= journal.len());
        }
    }
}
