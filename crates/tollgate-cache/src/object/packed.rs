//! A stored head as it lies in memory.
//!
//! Responsible for: the bytes that a [`StoredHead`] keeps, made once and read in place.
//! Not responsible for: what the parts mean, and the form on a disk (`disk::codec`).
//! Invariants: what is read is what was put in. The bytes are, in this order: the key after its length; the lengths of
//! the next parts, those of rare ones only if there are such parts; the fields' table and text, the selecting fields,
//! the reason, the tags; the numbers that the flags name, the first one at the end, of 4 bytes, or of 8 if one needs
//! that. So a look-up, which compares the key, and the rules, which want the numbers, need not walk through the rest.

use super::StoredHead;
use crate::control::ResponseControl;
use crate::negotiate::Heeded;
use crate::policy::SetCookiePolicy;
use crate::purge::Judged;
use crate::rules::{AgeParts, StoredMeta};
use crate::vary::Selecting;
use smallvec::SmallVec;
use tollgate_http::headers::{push_len, take_len};
use tollgate_http::{HeaderBlock, PackedFields};

/// Flags: directives, facts, which numbers and parts there are.
mod flag {
    pub(super) const NO_STORE: u32 = 1;
    pub(super) const NO_CACHE: u32 = 1 << 1;
    pub(super) const PRIVATE: u32 = 1 << 2;
    pub(super) const PUBLIC: u32 = 1 << 3;
    pub(super) const MUST_REVALIDATE: u32 = 1 << 4;
    pub(super) const PROXY_REVALIDATE: u32 = 1 << 5;
    pub(super) const MUST_UNDERSTAND: u32 = 1 << 6;
    pub(super) const IMMUTABLE: u32 = 1 << 7;
    pub(super) const NO_TRANSFORM: u32 = 1 << 8;
    pub(super) const TARGETED: u32 = 1 << 9;
    pub(super) const HAS_ETAG: u32 = 1 << 10;
    pub(super) const HEURISTIC: u32 = 1 << 11;
    // Numbers, in their order. Times count from the response's.
    pub(super) const PINNED: u32 = 1 << 12;
    pub(super) const DATE: u32 = 1 << 13;
    pub(super) const REQUEST_TIME: u32 = 1 << 14;
    pub(super) const AGE: u32 = 1 << 15;
    pub(super) const MAX_AGE: u32 = 1 << 16;
    pub(super) const S_MAXAGE: u32 = 1 << 17;
    pub(super) const EXPIRES: u32 = 1 << 18;
    pub(super) const LAST_MODIFIED: u32 = 1 << 19;
    pub(super) const WHILE_REVALIDATE: u32 = 1 << 20;
    pub(super) const IF_ERROR: u32 = 1 << 21;
    /// Numbers that may be negative.
    pub(super) const TIMES: u32 = DATE | REQUEST_TIME | LAST_MODIFIED;
    /// Numbers have 8 bytes.
    pub(super) const WIDE: u32 = 1 << 22;
    pub(super) const SELECTING: u32 = 1 << 23;
    pub(super) const REASON: u32 = 1 << 24;
    pub(super) const TAGS: u32 = 1 << 25;
    /// Parts that few have.
    pub(super) const RARE: u32 = SELECTING | REASON | TAGS;
    /// All numbers.
    pub(super) const NUMBERS: u32 = (1 << 22) - PINNED;
}

/// Bits of `chosen` beside those of [`Heeded`].
const NEVER: u8 = 1 << 5;
const SET_COOKIE_SHIFT: u32 = 6;

/// Fields to be packed.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Block(&'a HeaderBlock),
    Packed(PackedFields<'a>),
}

/// All that a head is made of.
#[derive(Clone)]
pub(crate) struct Draft<'a> {
    pub(crate) meta: StoredMeta,
    pub(crate) fields: Source<'a>,
    pub(crate) selecting: Selecting<'a>,
    pub(crate) heeded: Heeded,
    pub(crate) set_cookie: SetCookiePolicy,
    pub(crate) pinned_for: u32,
    pub(crate) reason: Option<&'a [u8]>,
    /// Hashes of 8 bytes.
    pub(crate) tags: &'a [u8],
    pub(crate) key: &'a [u8],
}

/// The parts of the bytes.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) fields: PackedFields<'a>,
    pub(super) selecting: &'a [u8],
    pub(super) reason: Option<&'a [u8]>,
    pub(super) tags: &'a [u8],
    pub(super) key: &'a [u8],
}

impl Draft<'_> {
    /// The head of all this.
    pub(super) fn build(&self, judged: Judged) -> StoredHead {
        let mut table = SmallVec::<[u8; 128]>::new();
        let (table, text_len) = match self.fields {
            Source::Block(block) => {
                let text_len = block.pack_table(&mut table);
                (&table[..], text_len)
            }
            Source::Packed(fields) => {
                let (table, text) = fields.parts();
                (table, text.len())
            }
        };
        let not_empty = |part: &&[u8]| !part.is_empty();
        let rare = [
            (flag::SELECTING, Some(self.selecting.as_packed()).filter(not_empty)),
            (flag::REASON, self.reason),
            (flag::TAGS, Some(self.tags).filter(not_empty)),
        ];
        let rare = rare.iter().filter_map(|(bit, part)| Some((*bit, (*part)?)));
        let (numbers, mut flags) = self.numbers();
        let width = width(flags);
        let mut key_len = SmallVec::<[u8; 8]>::new();
        push_len(&mut key_len, self.key.len());
        let mut lens = SmallVec::<[u8; 16]>::new();
        push_len(&mut lens, table.len());
        push_len(&mut lens, text_len);
        for (bit, part) in rare.clone() {
            flags |= bit;
            push_len(&mut lens, part.len());
        }
        let front = key_len.len() + self.key.len() + lens.len();
        let rare_len: usize = rare.clone().map(|(_, part)| part.len()).sum();
        let len = front + table.len() + text_len + rare_len + numbers.len() * width;
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&key_len);
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(&lens);
        bytes.extend_from_slice(table);
        match self.fields {
            Source::Block(block) => block.pack_text(&mut bytes),
            Source::Packed(fields) => bytes.extend_from_slice(fields.parts().1),
        }
        rare.for_each(|(_, part)| bytes.extend_from_slice(part));
        // Of a narrow one the upper half says nothing.
        numbers.iter().rev().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()[..width]));
        let never = if self.selecting.is_never() { NEVER } else { 0 };
        StoredHead {
            judged,
            response_time: self.meta.response_time,
            bytes: bytes.into_boxed_slice(),
            flags: flags | flags_of(&self.meta),
            status: self.meta.status,
            chosen: self.heeded.bits() | never | (self.set_cookie as u8) << SET_COOKIE_SHIFT,
        }
    }

    /// The numbers, and the flags that say which ones they are.
    fn numbers(&self) -> (SmallVec<[i64; 10]>, u32) {
        let meta = &self.meta;
        let control = &meta.control;
        let since = |time: i64| time.wrapping_sub(meta.response_time);
        let not_zero = |number: i64| Some(number).filter(|n| *n != 0);
        let seconds = |number: Option<u32>| number.map(i64::from);
        let all = [
            (flag::PINNED, not_zero(self.pinned_for.into())),
            (flag::DATE, not_zero(since(meta.date))),
            (flag::REQUEST_TIME, not_zero(since(meta.request_time))),
            (flag::AGE, not_zero(meta.age_value.into())),
            (flag::MAX_AGE, seconds(control.max_age)),
            (flag::S_MAXAGE, seconds(control.s_maxage)),
            (flag::EXPIRES, seconds(meta.expires_after)),
            (flag::LAST_MODIFIED, meta.last_modified.map(since)),
            (flag::WHILE_REVALIDATE, seconds(control.stale_while_revalidate)),
            (flag::IF_ERROR, seconds(control.stale_if_error)),
        ];
        // What wraps around is far away, however near it looks.
        let is_near = |time: i64| {
            time.checked_sub(meta.response_time).is_some_and(|delta| i32::try_from(delta).is_ok())
        };
        let are_near =
            is_near(meta.date) && is_near(meta.request_time) && meta.last_modified.is_none_or(is_near);
        let mut flags = if are_near { 0 } else { flag::WIDE };
        let mut numbers = SmallVec::new();
        for (bit, number) in all {
            let Some(number) = number else { continue };
            flags |= bit;
            numbers.push(number);
        }
        (numbers, flags)
    }
}

/// Bytes of each number.
fn width(flags: u32) -> usize {
    if flags & flag::WIDE != 0 { 8 } else { 4 }
}

fn flags_of(meta: &StoredMeta) -> u32 {
    let control = &meta.control;
    let all = [
        (flag::NO_STORE, control.no_store),
        (flag::NO_CACHE, control.no_cache),
        (flag::PRIVATE, control.private),
        (flag::PUBLIC, control.public),
        (flag::MUST_REVALIDATE, control.must_revalidate),
        (flag::PROXY_REVALIDATE, control.proxy_revalidate),
        (flag::MUST_UNDERSTAND, control.must_understand),
        (flag::IMMUTABLE, control.immutable),
        (flag::NO_TRANSFORM, control.no_transform),
        (flag::TARGETED, control.targeted),
        (flag::HAS_ETAG, meta.has_etag),
        (flag::HEURISTIC, meta.heuristic_allowed),
    ];
    all.iter().map(|(bit, is_set)| if *is_set { *bit } else { 0 }).sum()
}

/// The facts of a head as they are packed.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Those that are a bit, and which numbers there are.
    pub(crate) flags: u32,
    /// What ends in the numbers.
    pub(crate) bytes: &'a [u8],
}

impl Facts<'_> {
    /// The same, for a caller that uses a part of it at once: the rest is not worked out.
    #[inline(always)]
    pub(crate) fn meta(self, status: u16, response_time: i64) -> StoredMeta {
        let is = |bit| self.flags & bit != 0;
        let at = |delta: i64| response_time.wrapping_add(delta);
        let mut numbers = Numbers { bytes: self.bytes, flags: self.flags };
        numbers.take(flag::PINNED);
        let date = at(numbers.take(flag::DATE).unwrap_or(0));
        let request_time = at(numbers.take(flag::REQUEST_TIME).unwrap_or(0));
        let age_value = numbers.seconds(flag::AGE).unwrap_or(0);
        let (max_age, s_maxage) = (numbers.seconds(flag::MAX_AGE), numbers.seconds(flag::S_MAXAGE));
        StoredMeta {
            status,
            request_time,
            response_time,
            date,
            age_value,
            expires_after: numbers.seconds(flag::EXPIRES),
            last_modified: numbers.take(flag::LAST_MODIFIED).map(at),
            has_etag: is(flag::HAS_ETAG),
            heuristic_allowed: is(flag::HEURISTIC),
            control: ResponseControl {
                max_age,
                s_maxage,
                stale_while_revalidate: numbers.seconds(flag::WHILE_REVALIDATE),
                stale_if_error: numbers.seconds(flag::IF_ERROR),
                no_store: is(flag::NO_STORE),
                no_cache: is(flag::NO_CACHE),
                private: is(flag::PRIVATE),
                public: is(flag::PUBLIC),
                must_revalidate: is(flag::MUST_REVALIDATE),
                proxy_revalidate: is(flag::PROXY_REVALIDATE),
                must_understand: is(flag::MUST_UNDERSTAND),
                immutable: is(flag::IMMUTABLE),
                no_transform: is(flag::NO_TRANSFORM),
                targeted: is(flag::TARGETED),
            },
        }
    }
}

/// The numbers at the end, to be taken in their order.
struct Numbers<'a> {
    bytes: &'a [u8],
    flags: u32,
}

impl Numbers<'_> {
    #[inline]
    fn take(&mut self, bit: u32) -> Option<i64> {
        if self.flags & bit == 0 { None } else { self.take_any(bit & flag::TIMES != 0) }
    }

    fn take_any(&mut self, may_be_negative: bool) -> Option<i64> {
        if self.flags & flag::WIDE != 0 {
            let (rest, number) = self.bytes.split_last_chunk()?;
            self.bytes = rest;
            return Some(i64::from_le_bytes(*number));
        }
        let (rest, number) = self.bytes.split_last_chunk()?;
        self.bytes = rest;
        let number = i32::from_le_bytes(*number);
        Some(if may_be_negative { number.into() } else { (number as u32).into() })
    }

    #[inline]
    fn seconds(&mut self, bit: u32) -> Option<u32> {
        self.take(bit).map(|number| number as u32)
    }
}

impl StoredHead {
    #[inline]
    fn numbers(&self) -> Numbers<'_> {
        Numbers { bytes: &self.bytes, flags: self.flags }
    }

    #[inline]
    fn facts(&self) -> Facts<'_> {
        Facts { flags: self.flags, bytes: &self.bytes }
    }

    /// The facts without what else is packed.
    pub(crate) fn facts_alone(&self) -> Facts<'_> {
        let len = (self.flags & flag::NUMBERS).count_ones() as usize * width(self.flags);
        Facts { flags: self.flags & !flag::RARE, bytes: &self.bytes[self.bytes.len().saturating_sub(len)..] }
    }

    /// The facts for the freshness rules.
    pub fn meta(&self) -> StoredMeta {
        self.meta_in_place()
    }

    /// The same, for a caller that uses a part of it at once: the rest is not worked out.
    #[inline(always)]
    pub(crate) fn meta_in_place(&self) -> StoredMeta {
        self.facts().meta(self.status, self.response_time)
    }

    /// Its current age, seconds: that of [`Self::meta`].
    pub fn age(&self, now: i64) -> u32 {
        if self.flags & flag::WIDE != 0 {
            return self.meta().age(now);
        }
        let mut numbers = self.numbers();
        numbers.take(flag::PINNED);
        let date = numbers.take(flag::DATE).unwrap_or(0);
        let request_time = numbers.take(flag::REQUEST_TIME).unwrap_or(0);
        AgeParts {
            apparent: (-date).max(0),
            delay: (-request_time).max(0),
            resident: now.saturating_sub(self.response_time).max(0),
        }
        .age(numbers.seconds(flag::AGE).unwrap_or(0))
    }

    /// For how long it is not to be evicted, seconds; 0: it may be.
    pub(super) fn pinned_seconds(&self) -> u32 {
        self.numbers().seconds(flag::PINNED).unwrap_or(0)
    }

    /// The bytes of the key that it was made for.
    #[inline]
    pub(crate) fn key_bytes(&self) -> &[u8] {
        self.key_and_rest().0
    }

    #[inline]
    fn key_and_rest(&self) -> (&[u8], &[u8]) {
        let mut rest = &self.bytes[..];
        let len = take_len(&mut rest);
        rest.split_at_checked(len).unwrap_or_default()
    }

    /// Whether there is a reason phrase.
    #[inline]
    pub(super) fn has_reason(&self) -> bool {
        self.flags & flag::REASON != 0
    }

    /// The fields alone.
    pub(super) fn packed_fields(&self) -> PackedFields<'_> {
        if self.flags & flag::RARE != 0 {
            return self.parts().fields;
        }
        let mut rest = self.key_and_rest().1;
        let (table_len, text_len) = (take_len(&mut rest), take_len(&mut rest));
        let (table, rest) = rest.split_at_checked(table_len).unwrap_or_default();
        PackedFields::new(table, rest.get(..text_len).unwrap_or_default())
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        let (key, mut rest) = self.key_and_rest();
        let (table, text) = (take_len(&mut rest), take_len(&mut rest));
        let has = |bit| self.flags & bit != 0;
        let (mut selecting, mut reason, mut tags) = (0, 0, 0);
        if has(flag::RARE) {
            let mut len_of = |bit| if has(bit) { take_len(&mut rest) } else { 0 };
            (selecting, reason, tags) = (len_of(flag::SELECTING), len_of(flag::REASON), len_of(flag::TAGS));
        }
        let mut take = |len| {
            let (part, behind) = rest.split_at_checked(len).unwrap_or_default();
            rest = behind;
            part
        };
        let fields = PackedFields::new(take(table), take(text));
        let (selecting, reason) = (take(selecting), has(flag::REASON).then(|| take(reason)));
        Parts { fields, selecting, reason, tags: take(tags), key }
    }

    /// Whether there are selecting fields.
    #[inline]
    pub(super) fn has_selecting(&self) -> bool {
        self.flags & flag::SELECTING != 0
    }

    /// The selecting fields of these parts.
    pub(super) fn selecting_of<'a>(&self, parts: &Parts<'a>) -> Selecting<'a> {
        Selecting::of_packed(parts.selecting, self.chosen & NEVER != 0)
    }

    /// What it was chosen by besides the selecting fields.
    pub(crate) fn heeded(&self) -> Heeded {
        Heeded::of_bits(self.chosen)
    }

    pub(super) fn set_heeded(&mut self, heeded: Heeded) {
        self.chosen = self.chosen & !Heeded::ALL_BITS | heeded.bits();
    }

    /// What becomes of `Set-Cookie` in a later 304.
    pub(crate) fn set_cookie(&self) -> SetCookiePolicy {
        match self.chosen >> SET_COOKIE_SHIFT {
            0 => SetCookiePolicy::Replay,
            1 => SetCookiePolicy::Strip,
            _ => SetCookiePolicy::DontStore,
        }
    }

    /// All that this head is made of.
    pub(super) fn draft(&self) -> Draft<'_> {
        let parts = self.parts();
        Draft {
            meta: self.meta(),
            fields: Source::Packed(parts.fields),
            selecting: self.selecting_of(&parts),
            heeded: self.heeded(),
            set_cookie: self.set_cookie(),
            pinned_for: self.pinned_seconds(),
            reason: parts.reason,
            tags: parts.tags,
            key: parts.key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = i64> {
        prop_oneof![
            Just(1_790_000_000),
            1_780_000_000i64..1_800_000_000,
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX)
        ]
    }

    fn control() -> impl Strategy<Value = ResponseControl> {
        let seconds = || prop::option::of(any::<u32>());
        (any::<u16>(), seconds(), seconds(), seconds(), seconds()).prop_map(
            |(bits, max_age, s_maxage, swr, sie)| {
                let is = |bit: u16| bits >> bit & 1 == 1;
                ResponseControl {
                    no_store: is(0),
                    no_cache: is(1),
                    private: is(2),
                    public: is(3),
                    must_revalidate: is(4),
                    proxy_revalidate: is(5),
                    must_understand: is(6),
                    immutable: is(7),
                    no_transform: is(8),
                    targeted: is(9),
                    max_age,
                    s_maxage,
                    stale_while_revalidate: swr,
                    stale_if_error: sie,
                }
            },
        )
    }

    prop_compose! {
        fn meta()(
            (status, has_etag, heuristic_allowed) in (100u16..1000, any::<bool>(), any::<bool>()),
            (request_time, response_time, date, last_modified) in (time(), time(), time(), prop::option::of(time())),
            (age_value, expires_after) in (any::<u32>(), prop::option::of(any::<u32>())),
            control in control(),
        ) -> StoredMeta {
            StoredMeta {
                status, request_time, response_time, date, age_value, expires_after, last_modified, has_etag,
                heuristic_allowed, control,
            }
        }
    }

    proptest! {
        #[test]
        fn everything_that_was_packed_comes_back(
            meta in meta(),
            fields in prop::collection::vec(("[A-Za-z-]{1,12}|Date|etag", "[!-~]{0,200}"), 0..12),
            selecting in prop::collection::vec(("[a-z-]{1,8}|accept-encoding", prop::option::of("[!-~]{0,20}")), 0..4),
            (heeded, set_cookie, never) in (0u8..32, 0usize..3, any::<bool>()),
            (pinned_for, reason) in (any::<u32>(), prop::option::of("[!-~]{0,20}")),
            tags in prop::collection::vec(any::<u64>(), 0..4),
            key in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let headers: HeaderBlock = fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
            let selecting: Vec<(&[u8], Option<&[u8]>)> = selecting
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_ref().map(|value| value.as_bytes())))
                .collect();
            let tags: Vec<u8> = tags.iter().flat_map(|tag| tag.to_le_bytes()).collect();
            let policies = [SetCookiePolicy::Replay, SetCookiePolicy::Strip, SetCookiePolicy::DontStore];
            let draft = Draft {
                meta,
                fields: Source::Block(&headers),
                selecting: Selecting::restored(never, &selecting),
                heeded: Heeded::of_bits(heeded),
                set_cookie: policies[set_cookie],
                pinned_for,
                reason: reason.as_ref().map(|reason| reason.as_bytes()),
                tags: &tags,
                key: &key,
            };
            // As it was made, and as it is made anew of that.
            let first = draft.build(Judged::default());
            prop_assert_eq!(first.age(1_790_000_100), meta.age(1_790_000_100));
            for head in [first.draft().build(Judged::default()), first] {
                let parts = head.parts();
                prop_assert!(head.meta() == meta, "{:?} is not {:?}", head.meta(), meta);
                prop_assert!(parts.fields.iter().eq(headers.iter()));
                prop_assert_eq!(head.selecting_of(&parts), draft.selecting.clone());
                prop_assert_eq!((head.heeded(), head.set_cookie()), (draft.heeded, draft.set_cookie));
                prop_assert_eq!((head.pinned_seconds(), parts.reason), (pinned_for, draft.reason));
                prop_assert_eq!((parts.tags, parts.key), (&tags[..], &key[..]));
                prop_assert_eq!(head.bytes.len(), head.clone().bytes.len());
            }
        }
    }
}
