//! RFC 9111 §3.3, §3.4: parts that are kept, ranges within them, joining.

use crate::support::{T0, get, response_of, stored};
use proptest::prelude::*;
use std::sync::Arc;
use tollgate_cache::part::{Part, answer, completed, missing_tail, to_store};
use tollgate_cache::policy::{SetCookiePolicy, SeveralRanges};
use tollgate_cache::range::{RangeSpec, content_range};
use tollgate_cache::{Body, CacheReason, Policy, StoredObject};

const TAG: &str = "ETag: \"a\"";

/// A stored part of `whole`.
fn part(whole: &[u8], first: usize, end: usize, fields: &str) -> Arc<StoredObject> {
    let range = format!("bytes {first}-{}/{}", end - 1, whole.len());
    let response = response_of(206, &format!("Cache-Control: max-age=60\nContent-Range: {range}\n{fields}"));
    let head = stored(&get(&[("Range", "bytes=0-0")]), &response, &Policy::default()).expect("storable");
    Arc::new(StoredObject::new(head, Body::from_bytes(whole[first..end].to_vec().into())))
}

fn bytes(object: &StoredObject) -> Vec<u8> {
    object.body().chunks().concat()
}

fn answered(object: &StoredObject, range: &str) -> Option<(String, String)> {
    let found = answer(&get(&[("Range", range)]), object, SeveralRanges::Answer)?;
    let positions = found.ranges();
    let positions = positions.iter().map(|r| content_range(r, found.part.complete)).collect::<Vec<_>>();
    let slice = |range| object.body().slice(range).flatten().collect::<Vec<u8>>();
    let bodies = found.bytes.into_iter().map(|r| String::from_utf8(slice(r)).expect("text"));
    Some((positions.join(" + "), bodies.collect::<Vec<_>>().join(" + ")))
}

#[test]
fn only_one_part_of_known_length_is_kept() {
    let store = |request: &[(&str, &str)], fields: &str| {
        let response = response_of(206, &format!("Cache-Control: max-age=60\n{fields}"));
        stored(&get(request), &response, &Policy::default()).err()
    };
    let range = &[("Range", "bytes=0-4")][..];
    assert_eq!(store(range, "Content-Range: bytes 0-4/10"), None);
    assert_eq!(store(range, "Content-Range: bytes 0-4/10\nContent-Length: 5"), None);
    for (request, fields) in [
        (&[][..], "Content-Range: bytes 0-4/10"),
        (range, ""),
        (range, "Content-Type: multipart/byteranges"),
        (range, "Content-Range: bytes 0-4/*"),
        (range, "Content-Range: bytes 5-4/10"),
        (range, "Content-Range: bytes 0-10/10"),
        (range, "Content-Range: bytes 5-18446744073709551615/10"),
        (range, "Content-Range: bytes */10"),
        (range, "Content-Range: lines 0-4/10"),
        (range, "Content-Range: bytes 0-4/10\nContent-Range: bytes 5-9/10"),
        (range, "Content-Range: bytes 0-4/10\nContent-Length: 6"),
        (&[("Range", "bytes=0-1, 3-4")], "Content-Range: bytes 0-4/10"),
    ] {
        assert_eq!(store(request, fields), Some(CacheReason::Partial), "{request:?} {fields}");
    }
    let policy = Policy { store_parts: false, ..Policy::default() };
    let response = response_of(206, "Cache-Control: max-age=60\nContent-Range: bytes 0-4/10");
    assert_eq!(stored(&get(range), &response, &policy).err(), Some(CacheReason::Partial));
}

#[test]
fn a_range_request_stores_a_part_or_the_whole_and_nothing_else() {
    let range = get(&[("Range", "bytes=0-4")]);
    let store = |status, policy: &Policy| {
        stored(&range, &response_of(status, "Cache-Control: max-age=60"), policy).err()
    };
    assert_eq!(store(200, &Policy::default()), None);
    for status in [404, 416, 503] {
        assert_eq!(store(status, &Policy::default()), Some(CacheReason::RangeRequest), "{status}");
    }
    let policy = Policy { range_write: false, ..Policy::default() };
    assert_eq!(store(200, &policy), Some(CacheReason::RangeRequest));
}

#[test]
fn a_part_answers_ranges_within_it_and_no_others() {
    let end = part(b"0123456789", 5, 10, TAG);
    let text = |a: &str, b: &str| Some((a.to_string(), b.to_string()));
    for (range, expected) in [
        ("bytes=-5", text("bytes 5-9/10", "56789")),
        ("bytes=-1", text("bytes 9-9/10", "9")),
        ("bytes=6-8", text("bytes 6-8/10", "678")),
        ("bytes=6-", text("bytes 6-9/10", "6789")),
        ("bytes=6-99", text("bytes 6-9/10", "6789")),
        ("bytes=-6", None),
        ("bytes=4-6", None),
        ("bytes=10-", None),
        ("bytes=6-7, 9-9", text("bytes 6-7/10 + bytes 9-9/10", "67 + 9")),
        ("bytes=9-9, 6-7", text("bytes 9-9/10 + bytes 6-7/10", "9 + 67")),
        ("bytes=6-7, 7-8", text("bytes 6-8/10", "678")),
        ("bytes=6-7, 20-", text("bytes 6-7/10", "67")),
        ("bytes=-1, 5-5, 20-", text("bytes 9-9/10 + bytes 5-5/10", "9 + 5")),
        ("bytes=4-4, 6-7", None),
        ("bytes=6-7, 4-5", None),
        ("bytes=20-, 30-", None),
        ("bytes=8-6", None),
        ("lines=6-8", None),
    ] {
        assert_eq!(answered(&end, range), expected, "{range}");
    }
    let start = part(b"0123456789", 0, 5, TAG);
    for range in ["bytes=-5", "bytes=0-", "bytes=0-5", "bytes=0-99"] {
        assert_eq!(answered(&start, range), None, "{range}");
    }
    let several = get(&[("Range", "bytes=0-1,3-4")]);
    for (policy, is_answered) in
        [(SeveralRanges::Answer, true), (SeveralRanges::Ignore, false), (SeveralRanges::Refuse, false)]
    {
        assert_eq!(answer(&several, &start, policy).is_some(), is_answered, "{policy:?}");
    }
    let answer = |fields: &[(&str, &str)]| answer(&get(fields), &start, SeveralRanges::Answer);
    assert_eq!(answer(&[]), None, "the whole is wanted");
    assert!(answer(&[("Range", "bytes=0-1"), ("If-Range", "\"a\"")]).is_some());
    assert_eq!(answer(&[("Range", "bytes=0-1"), ("If-Range", "\"b\"")]), None);
}

#[test]
fn a_tail_completes_a_beginning_with_the_same_strong_validator_only() {
    let whole = b"0123456789";
    let tail = |fields: &str| response_of(206, &format!("Cache-Control: max-age=60\n{fields}"));
    let date = format!("Last-Modified: {}", crate::support::at(-100));
    for (stored, response, expected) in [
        (TAG, "ETag: \"a\"\nContent-Range: bytes 5-9/10", true),
        (TAG, "ETag: \"b\"\nContent-Range: bytes 5-9/10", false),
        (TAG, "Content-Range: bytes 5-9/10", false),
        (TAG, "ETag: \"a\"\nContent-Range: bytes 6-9/10", false),
        (TAG, "ETag: \"a\"\nContent-Range: bytes 5-8/10", false),
        (TAG, "ETag: \"a\"\nContent-Range: bytes 5-10/11", false),
        (TAG, "ETag: \"a\"\nContent-Range: bytes 5-9/10\nContent-Length: 4", false),
        ("ETag: W/\"a\"", "ETag: W/\"a\"\nContent-Range: bytes 5-9/10", false),
        ("", "Content-Range: bytes 5-9/10", false),
        (&date, &format!("{date}\nContent-Range: bytes 5-9/10"), true),
    ] {
        let beginning = part(whole, 0, 5, stored);
        let found = completed(&beginning, &tail(response), T0, SetCookiePolicy::Replay);
        assert_eq!(found.is_some(), expected, "{stored} {response}");
        if let Some(response) = found {
            assert_eq!(response.status, 200);
            assert_eq!(response.headers.get_str("Content-Length"), Some("10"));
            assert!(!response.headers.has(tollgate_http::names::CONTENT_RANGE));
        }
    }
    assert_eq!(
        missing_tail(&part(whole, 0, 5, TAG)).map(|t| (t.first, t.validator)),
        Some((5, Some(&b"\"a\""[..])))
    );
    assert_eq!(missing_tail(&part(whole, 0, 5, "")).map(|t| (t.first, t.validator)), Some((5, None)));
    assert_eq!(missing_tail(&part(whole, 1, 5, TAG)), None);
}

#[test]
fn the_whole_is_not_replaced_by_a_part() {
    let whole = crate::support::object("Cache-Control: max-age=60", b"0123456789");
    assert!(to_store(&[whole], &part(b"0123456789", 0, 5, TAG)).is_none());
}

/// A place within ten bytes.
fn span() -> impl Strategy<Value = (usize, usize)> {
    (0usize..10, 1usize..=10).prop_map(|(first, len)| (first, (first + len).min(10)))
}

proptest! {
    #[test]
    fn what_a_part_answers_is_what_the_whole_would(
        (first, end) in span(), spec in prop_oneof![
            (0u64..12, proptest::option::of(0u64..12)).prop_map(|(first, last)| RangeSpec::From { first, last }),
            (0u64..12).prop_map(RangeSpec::Suffix),
        ],
    ) {
        let whole = b"0123456789";
        let text = match spec {
            RangeSpec::From { first, last: Some(last) } => format!("bytes={first}-{last}"),
            RangeSpec::From { first, last: None } => format!("bytes={first}-"),
            RangeSpec::Suffix(n) => format!("bytes=-{n}"),
        };
        let wanted = spec.resolve(10).filter(|_| !matches!(spec, RangeSpec::From { first, last: Some(last) } if last < first));
        let held = wanted.filter(|r| first as u64 <= r.start && r.end <= end as u64);
        let expected = held.map(|r| {
            let text = String::from_utf8(whole[r.start as usize..r.end as usize].to_vec()).expect("text");
            (format!("bytes {}-{}/10", r.start, r.end - 1), text)
        });
        // A suffix longer than the whole is the whole; a part leaves such a request to the origin.
        let is_long = matches!(spec, RangeSpec::Suffix(n) if n > 10);
        prop_assert_eq!(answered(&part(whole, first, end, TAG), &text), expected.filter(|_| !is_long));
    }

    #[test]
    fn parts_that_touch_become_one((a, b) in span(), (c, d) in span()) {
        let whole = b"0123456789";
        let (old, new) = (part(whole, a, b, TAG), part(whole, c, d, TAG));
        let kept = to_store(std::slice::from_ref(&old), &new).expect("a part");
        let (first, end) = if a <= d && c <= b { (a.min(c), b.max(d)) } else { (c, d) };
        prop_assert_eq!(bytes(&kept), &whole[first..end]);
        prop_assert_eq!(kept.head().is_part(), end - first < 10);
        let range = Part { first: first as u64, end: end as u64, complete: 10 };
        prop_assert_eq!(Part::of(&kept.headers()), (end - first < 10).then_some(range));
    }

    #[test]
    fn any_content_range_is_read_without_panic(text in "(bytes )?[ -~]{0,30}") {
        if let Some(part) = Part::parse(text.as_bytes()) {
            prop_assert!(part.first < part.end && part.end <= part.complete);
        }
    }
}
