//! Which bytes of a body lie where: fragments, or parts of them, that may have been written at different times.
//!
//! Responsible for: the whereabouts of a body with holes, laying new bytes over old ones.
//! Not responsible for: reading and writing fragments (`body`, `writer`).
//! Invariants: the extents of a body are in order and do not overlap; a body is complete only if they leave no hole.

use super::record::FragmentRef;
use crate::range::Ranges;
use std::ops::Range;

/// Bytes of a body that lie in one fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The fragment.
    pub(super) at: FragmentRef,
    /// The number that the fragment says it has.
    pub(super) number: u32,
    /// The first of the bytes, in the body.
    pub(super) start: u64,
    /// Bytes of the fragment before that one.
    pub(super) skip: u32,
    /// How many bytes.
    pub(super) len: u32,
}

impl Extent {
    /// All of fragment `number`, which begins at `start` in the body.
    pub fn whole(at: FragmentRef, number: u32, start: u64) -> Extent {
        Extent { at, number, start, skip: 0, len: at.len }
    }

    /// The bytes of the body.
    pub fn range(&self) -> Range<u64> {
        self.start..self.start + u64::from(self.len)
    }

    /// The part of it within `range`.
    fn within(&self, range: Range<u64>) -> Option<Extent> {
        let own = self.range();
        let (start, end) = (own.start.max(range.start), own.end.min(range.end));
        (start < end).then(|| Extent {
            start,
            skip: self.skip + (start - own.start) as u32,
            len: (end - start) as u32,
            ..*self
        })
    }
}

/// The extents of fragments that follow each other from `first` on.
pub(super) fn in_a_row(fragments: &[FragmentRef], first: u64) -> Vec<Extent> {
    let mut start = first;
    let extents = fragments.iter().zip(0..).map(|(at, number)| {
        let extent = Extent::whole(*at, number, start);
        start += u64::from(at.len);
        extent
    });
    extents.collect()
}

/// `new` with the bytes of `old` that it does not have. Both are in order, without overlap.
pub(super) fn laid_over(new: &[Extent], old: &[Extent]) -> Vec<Extent> {
    let mut all = new.to_vec();
    let holes = holes(new.iter().map(Extent::range), 0..u64::MAX);
    for extent in old {
        all.extend(holes.iter().filter_map(|hole| extent.within(hole.clone())));
    }
    all.sort_unstable_by_key(|extent| extent.start);
    all
}

/// As many of the extents as `most`, those written last.
pub(super) fn newest(mut extents: Vec<Extent>, most: usize) -> Vec<Extent> {
    if extents.len() > most {
        extents.sort_unstable_by_key(|extent| std::cmp::Reverse(extent.at.lsn));
        extents.truncate(most);
        extents.sort_unstable_by_key(|extent| extent.start);
    }
    extents
}

/// The bytes that the extents have, touching ones joined.
pub(super) fn held(extents: &[Extent]) -> Ranges {
    let mut held = Ranges::new();
    for range in extents.iter().map(Extent::range) {
        match held.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => held.push(range),
        }
    }
    held
}

/// The bytes of `wanted` that none of `ranges` has; these are in order.
pub(crate) fn holes(ranges: impl IntoIterator<Item = Range<u64>>, wanted: Range<u64>) -> Ranges {
    let mut holes = Ranges::new();
    let mut at = wanted.start;
    for range in ranges {
        let end = range.start.min(wanted.end);
        if at < end {
            holes.push(at..end);
        }
        at = at.max(range.end);
    }
    if at < wanted.end {
        holes.push(at..wanted.end);
    }
    holes
}

/// Whether the extents are in order, without overlap, within a body of `complete` bytes and within their fragments.
pub(super) fn are_sound(extents: &[Extent], complete: u64) -> bool {
    let mut at = 0;
    extents.iter().all(|extent| {
        let end = extent.start.checked_add(u64::from(extent.len));
        let fits = extent.skip.checked_add(extent.len).is_some_and(|end| end <= extent.at.len);
        let is_sound = extent.len > 0 && fits && extent.start >= at && end.is_some_and(|end| end <= complete);
        at = end.unwrap_or(u64::MAX);
        is_sound
    })
}

/// Whether the extents have every byte of a body of `complete` bytes.
pub(super) fn are_complete(extents: &[Extent], complete: u64) -> bool {
    holes(extents.iter().map(Extent::range), 0..complete).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sound extents out of any lengths of holes and extents; `lsn` tells them apart.
    fn extents() -> impl Strategy<Value = Vec<Extent>> {
        prop::collection::vec((0..5u64, 1..6u32, 0..3u32), 0..6).prop_map(|parts| {
            let mut start = 0;
            let made = parts.into_iter().zip(0u32..).map(|((hole, len, skip), number)| {
                start += hole;
                let at = FragmentRef { lsn: 1000 + u64::from(number), len: skip + len + 1 };
                let extent = Extent { at, number, start, skip, len };
                start += u64::from(len);
                extent
            });
            made.collect()
        })
    }

    /// Which byte of which fragment each byte of the body is.
    fn bytes(extents: &[Extent], epoch: u64) -> std::collections::BTreeMap<u64, (u64, u64)> {
        let of = |e: &Extent| {
            let (start, skip, lsn) = (e.start, u64::from(e.skip), e.at.lsn);
            (0..u64::from(e.len)).map(move |n| (start + n, (epoch + lsn, skip + n)))
        };
        extents.iter().flat_map(of).collect()
    }

    proptest! {
        #[test]
        fn new_bytes_lie_over_old_ones_and_none_is_lost(new in extents(), old in extents()) {
            let mut old = old;
            old.iter_mut().for_each(|e| e.at.lsn += 1000);
            let mut wanted = bytes(&old, 0);
            wanted.extend(bytes(&new, 0));
            let all = laid_over(&new, &old);
            prop_assert_eq!(&bytes(&all, 0), &wanted);
            prop_assert!(are_sound(&all, 1000));
        }

        #[test]
        fn of_too_many_extents_those_written_last_stay_in_order(extents in extents(), most in 0..8usize) {
            let kept = newest(extents.clone(), most);
            let behind = extents.len().saturating_sub(most);
            prop_assert_eq!(&kept[..], &extents[behind..]);
        }

        #[test]
        fn what_is_held_and_the_holes_are_the_whole(extents in extents(), start in 0..20u64, len in 0..20u64) {
            let wanted = start..start + len;
            let held = held(&extents);
            let holes = holes(held.iter().cloned(), wanted.clone());
            for at in wanted {
                let is_held = extents.iter().any(|e| e.range().contains(&at));
                prop_assert_eq!(held.iter().any(|r| r.contains(&at)), is_held);
                prop_assert_eq!(holes.iter().any(|r| r.contains(&at)), !is_held);
            }
            let end = extents.last().map_or(0, |e| e.range().end);
            let is_complete = (0..end).all(|at| extents.iter().any(|e| e.range().contains(&at)));
            prop_assert_eq!(are_complete(&extents, end), is_complete);
            prop_assert!(!are_complete(&extents, end + 1));
        }
    }
}
