//! Where the bytes that structure a message head stand, 64 bytes at a time.
//!
//! Responsible for: line ends, colons and forbidden bytes as sets of bits; walking along a text by them.
//! Not responsible for: what a line means (`h1`).
//! Invariants: a text is read once, from front to back; bytes behind its end count as spaces.

use wide::u8x16;

/// Bytes looked at together.
pub(crate) const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// A bit for each byte of a block, the lowest for the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    returns: u64,
    colons: u64,
    /// Bytes that are neither visible nor SP or obs-text.
    controls: u64,
}

/// The block of `text` at `start`, filled up with spaces.
#[inline]
fn block(text: &[u8], start: usize) -> Block {
    let rest = &text[start..];
    if let Some(whole) = rest.first_chunk() {
        return *whole;
    }
    let mut padded = [b' '; BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// The line feeds of the block of a text at some place, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineFeeds {
    pub(crate) all: u64,
    /// Those without a CR before them.
    pub(crate) bare: u64,
    /// Those with another one two bytes before them: unless one of both is bare, an empty line.
    pub(crate) second: u64,
}

/// The line feeds of `text` in the block at `start`.
#[inline]
pub(crate) fn line_feeds(text: &[u8], start: usize) -> LineFeeds {
    let block = block(text, start);
    let (all, returns) = (equal(&block, b'\n'), equal(&block, b'\r'));
    let before = |back, byte| u64::from(start.checked_sub(back).is_some_and(|at| text[at] == byte));
    let behind_returns = returns << 1 | before(1, b'\r');
    let behind_feeds = all << 2 | before(1, b'\n') << 1 | before(2, b'\n');
    LineFeeds { all, bare: all & !behind_returns, second: all & behind_feeds }
}

/// Goes along the lines of a head.
pub(crate) struct LineWalk<'a> {
    text: &'a [u8],
    start: usize,
    marks: Marks,
    /// Where the first byte is that cannot be in a field line or its end.
    forbidden: usize,
}

impl<'a> LineWalk<'a> {
    /// Begins at the front of `text`.
    #[inline]
    pub(crate) fn new(text: &'a [u8]) -> LineWalk<'a> {
        let mut walk = LineWalk { text, start: 0, marks: Marks::default(), forbidden: usize::MAX };
        walk.load();
        walk
    }

    // Long, and wanted in three places.
    #[inline(never)]
    fn load(&mut self) {
        let behind_return = self.marks.returns >> (BLOCK - 1);
        self.marks = marks(&block(self.text, self.start));
        let line_ends = self.marks.returns | self.marks.returns << 1 | behind_return;
        let odd = self.marks.controls & !line_ends;
        if odd != 0 {
            self.note_forbidden(odd);
        }
    }

    /// Of these controls, which are no CR and do not follow one, HTAB is allowed.
    #[cold]
    fn note_forbidden(&mut self, odd: u64) {
        let places = (self.start..self.text.len()).take(BLOCK);
        let found = places.zip(0..).find(|(at, bit)| odd >> bit & 1 == 1 && self.text[*at] != b'\t');
        self.forbidden = self.forbidden.min(found.map_or(usize::MAX, |(at, _)| at));
    }

    /// The first colon at or behind `from`, which is not before what was found last.
    #[inline]
    pub(crate) fn colon(&mut self, from: usize) -> Option<usize> {
        self.find(from, |marks| marks.colons)
    }

    /// The first CR at or behind `from`, which is not before what was found last.
    #[inline]
    pub(crate) fn line_end(&mut self, from: usize) -> Option<usize> {
        self.find(from, |marks| marks.returns)
    }

    #[inline]
    fn find(&mut self, from: usize, which: impl Fn(&Marks) -> u64) -> Option<usize> {
        let mut within = from.saturating_sub(self.start);
        loop {
            if within < BLOCK {
                let found = which(&self.marks) & (u64::MAX << within);
                if found != 0 {
                    return Some(self.start + found.trailing_zeros() as usize);
                }
            }
            if !self.advance() {
                return None;
            }
            within = within.saturating_sub(BLOCK);
        }
    }

    /// Whether there was a block left to go to.
    #[inline]
    fn advance(&mut self) -> bool {
        if self.start + BLOCK >= self.text.len() {
            return false;
        }
        self.start += BLOCK;
        self.load();
        true
    }

    /// Whether the text up to `end`, which is not before what was found last, is of bytes that may be in field lines and
    /// their line ends. What follows a CR is not looked at.
    #[inline]
    pub(crate) fn is_clean_to(&mut self, end: usize) -> bool {
        while self.start + BLOCK < end && self.advance() {}
        self.forbidden >= end
    }
}

const LANES: usize = 16;

#[inline]
fn lanes(block: &Block) -> impl Iterator<Item = (usize, u8x16)> {
    block.as_chunks::<LANES>().0.iter().enumerate().map(|(i, lanes)| (i * LANES, u8x16::new(*lanes)))
}

#[inline]
fn each(lanes: u8x16, byte: u8) -> u8x16 {
    lanes.simd_eq(u8x16::splat(byte))
}

/// The places of `found` in the block, which begins `from` bytes before.
#[inline]
fn bits(found: u8x16, from: usize) -> u64 {
    u64::from(found.to_bitmask()) << from
}

/// Where `byte` stands.
#[inline]
fn equal(block: &Block, byte: u8) -> u64 {
    lanes(block).fold(0, |found, (from, lanes)| found | bits(each(lanes, byte), from))
}

#[inline]
fn marks(block: &Block) -> Marks {
    let mut marks = Marks::default();
    for (from, bytes) in lanes(block) {
        let controls = bytes.simd_le(u8x16::splat(0x1f)) | each(bytes, 0x7f);
        marks.controls |= bits(controls, from);
        marks.returns |= bits(each(bytes, b'\r'), from);
        marks.colons |= bits(each(bytes, b':'), from);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(block: &Block) -> Marks {
        let all = |wanted: &dyn Fn(u8) -> bool| {
            block.iter().enumerate().fold(0, |bits, (i, byte)| bits | u64::from(wanted(*byte)) << i)
        };
        Marks {
            returns: all(&|b| b == b'\r'),
            colons: all(&|b| b == b':'),
            controls: all(&|b| b < b' ' || b == 0x7f),
        }
    }

    /// The place of the first byte that is forbidden.
    fn forbidden(text: &[u8]) -> Option<usize> {
        let is_forbidden = |at: usize, b: u8| {
            (b == 0x7f || b < b' ') && !matches!(b, b'\t' | b'\r') && !(at > 0 && text[at - 1] == b'\r')
        };
        text.iter().enumerate().position(|(at, b)| is_forbidden(at, *b))
    }

    fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
        let often = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b'\t'), Just(0x7f), Just(b' ')];
        proptest::collection::vec(prop_oneof![often, any::<u8>()], 0..max)
    }

    proptest! {
        #[test]
        fn a_block_is_marked_as_a_naive_search_marks_it(text in bytes(BLOCK + 1)) {
            let block = block(&text, 0);
            prop_assert_eq!(marks(&block), naive(&block));
            for byte in [b'\n', 0, 0x80, 0xff] {
                let found = block.iter().enumerate().fold(0, |set, (i, b)| set | u64::from(*b == byte) << i);
                prop_assert_eq!(equal(&block, byte), found);
            }
        }

        #[test]
        fn line_feeds_are_told_from_each_other_wherever_a_block_begins(text in bytes(300), start in 0usize..300) {
            prop_assume!(start <= text.len());
            let found = line_feeds(&text, start);
            let is = |at: usize, back: usize, byte: u8| at >= back && text[at - back] == byte;
            for (at, byte) in text.iter().enumerate().skip(start).take(BLOCK) {
                let bit = |set: u64| set >> (at - start) & 1 == 1;
                let is_feed = *byte == b'\n';
                prop_assert_eq!(bit(found.all), is_feed);
                prop_assert_eq!(bit(found.bare), is_feed && !is(at, 1, b'\r'));
                prop_assert_eq!(bit(found.second), is_feed && is(at, 2, b'\n'));
            }
        }

        #[test]
        fn a_walk_finds_what_a_naive_search_finds(text in bytes(300), steps in proptest::collection::vec(0usize..40, 0..30)) {
            let mut walk = LineWalk::new(&text);
            let mut at = 0;
            for (i, step) in steps.into_iter().enumerate() {
                at += step;
                let (byte, found) = if i % 2 == 0 { (b':', walk.colon(at)) } else { (b'\r', walk.line_end(at)) };
                let naive = text.iter().skip(at).position(|b| *b == byte).map(|n| n + at);
                prop_assert_eq!(found, naive);
                match found {
                    Some(n) => at = n,
                    // The walk is at its end.
                    None => return Ok(()),
                }
            }
        }

        #[test]
        fn a_text_is_clean_up_to_its_first_forbidden_byte(text in bytes(200), end in 0usize..200) {
            prop_assume!(end <= text.len());
            let naive = forbidden(&text).is_none_or(|at| at >= end);
            prop_assert_eq!(LineWalk::new(&text).is_clean_to(end), naive);
        }

        #[test]
        fn one_forbidden_byte_anywhere_is_seen(length in 1usize..200, at: prop::sample::Index, byte in 0u8..0x80) {
            let mut text = vec![b'a'; length];
            text[at.index(length)] = byte;
            prop_assert_eq!(LineWalk::new(&text).is_clean_to(length), forbidden(&text).is_none());
        }
    }
}
