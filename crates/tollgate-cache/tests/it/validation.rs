//! RFC 9111 §4.3 and RFC 9110 §13, §14: conditions, validation with the origin, ranges.

use crate::support::{T0, at, get, head, lines, response_of, stored};
use proptest::prelude::*;
use tollgate_cache::multipart::Multipart;
use tollgate_cache::policy::{SetCookiePolicy, SeveralRanges};
use tollgate_cache::range::{self, MAX_RANGES, RangeAnswer, RangeSpec};
use tollgate_cache::rules::{
    Preconditions, conditional_headers, evaluate_preconditions, head_contradicts, headers_for_304, validates,
};
use tollgate_cache::{Body, Policy, StoredHead, StoredObject};
use tollgate_http::names;

fn judge(stored: &StoredHead, fields: &str) -> Preconditions {
    let mut request = get(&[]);
    for (name, value) in lines(fields) {
        request.headers.append(&name, value);
    }
    evaluate_preconditions(&request, stored)
}

#[test]
fn if_none_match_compares_weakly_and_finds_any_member() {
    use Preconditions::{NotModified, Serve};
    let strong = head("Cache-Control: max-age=60\nETag: \"abc\"");
    let weak = head("Cache-Control: max-age=60\nETag: W/\"abc\"");
    for (fields, expected) in [
        ("If-None-Match: \"abc\"", NotModified),
        ("If-None-Match: W/\"abc\"", NotModified),
        ("If-None-Match: \"abc\", \"x\", \"y\"", NotModified),
        ("If-None-Match: \"x\", \"abc\", \"y\"", NotModified),
        ("If-None-Match: \"x\"\nIf-None-Match: \"y\", \"abc\"", NotModified),
        ("If-None-Match: *", NotModified),
        ("If-None-Match: \"x\"", Serve),
        ("If-None-Match: \"x,abc\"", Serve),
        ("If-None-Match:", Serve),
    ] {
        assert_eq!(judge(&strong, fields), expected, "{fields}");
        assert_eq!(judge(&weak, fields), expected, "{fields}, stored weak");
    }
}

#[test]
fn if_modified_since_is_judged_only_without_if_none_match() {
    use Preconditions::{NotModified, Serve};
    let dated = head("Cache-Control: max-age=60\nETag: \"a\"\nLast-Modified: {-1000}");
    for (fields, expected) in [
        ("If-Modified-Since: {-1000}", NotModified),
        ("If-Modified-Since: {-10}", NotModified),
        ("If-Modified-Since: {-1001}", Serve),
        ("If-Modified-Since: yesterday", Serve),
        ("If-None-Match: \"a\"\nIf-Modified-Since: {-5000}", NotModified),
        ("If-None-Match: \"b\"\nIf-Modified-Since: {-10}", Serve),
    ] {
        assert_eq!(judge(&dated, fields), expected, "{fields}");
    }
    let undated = head("Cache-Control: max-age=60\nDate: {-50}");
    assert_eq!(judge(&undated, "If-Modified-Since: {-50}"), NotModified);
    assert_eq!(judge(&undated, "If-Modified-Since: {-51}"), Serve);
}

#[test]
fn if_modified_since_in_rfc_850_form_is_understood() {
    let stored = head("Cache-Control: max-age=60\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(
        judge(&stored, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"),
        Preconditions::NotModified
    );
}

#[test]
fn if_match_compares_strongly() {
    use Preconditions::{PreconditionFailed, Serve};
    let strong = head("Cache-Control: max-age=60\nETag: \"a\"\nLast-Modified: {-1000}");
    assert_eq!(judge(&strong, "If-Match: \"b\", \"a\""), Serve);
    assert_eq!(judge(&strong, "If-Match: W/\"a\""), PreconditionFailed);
    let weak = head("Cache-Control: max-age=60\nETag: W/\"a\"");
    assert_eq!(judge(&weak, "If-Match: \"a\""), PreconditionFailed);
    assert_eq!(judge(&weak, "If-Match: *"), Serve);
    assert_eq!(judge(&strong, "If-Unmodified-Since: {-1001}"), PreconditionFailed);
    assert_eq!(judge(&strong, "If-Unmodified-Since: {-1000}"), Serve);
}

#[test]
fn validation_sends_the_stored_validators_unchanged() {
    let fields = |text: &str| -> Vec<(String, String)> {
        let stored = head(text);
        let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
        conditional_headers(&stored).iter().map(|(n, v)| (n.as_str().to_string(), text(v))).collect()
    };
    let pair = |n: &str, v: &str| (n.to_string(), v.to_string());
    assert_eq!(fields("ETag: W/\"a\""), [pair("If-None-Match", "W/\"a\"")]);
    assert_eq!(
        fields("ETag: \"a\"\nLast-Modified: {-10}"),
        [pair("If-None-Match", "\"a\""), pair("If-Modified-Since", &at(-10))]
    );
    assert!(fields("Cache-Control: max-age=1").is_empty());
}

fn merged(stored: &str, response: &str) -> StoredHead {
    head(stored).updated_by_304(&response_of(304, response), T0 + 99, T0 + 100)
}

#[test]
fn a_304_replaces_the_fields_it_has_and_leaves_the_others() {
    let after = merged(
        "Cache-Control: max-age=1\nETag: \"a\"\nTest-Header: old\nX-Kept: 1\nTest-Header: old2\nContent-Length: 5",
        "Cache-Control: max-age=500\nTest-Header: new\nContent-Length: 9\nConnection: x\nX: y\nContent-Foo: 2",
    );
    let get = |name: &str| after.fields().get_str(name);
    assert_eq!(after.headers().get_all("Test-Header").collect::<Vec<_>>(), [b"new"]);
    assert_eq!((get("X-Kept"), get("Content-Foo"), get("Content-Length")), (Some("1"), Some("2"), Some("5")));
    assert!(get("Connection").is_none() && get("X").is_none());
    assert_eq!(after.meta().control.max_age, Some(500));
    assert_eq!(after.meta().age(T0 + 100), 1);
}

#[test]
fn a_304_without_date_or_age_starts_a_new_life() {
    let after = merged("Cache-Control: max-age=10\nETag: \"a\"\nAge: 3\nDate: {-50}", "ETag: \"a\"");
    assert_eq!(after.meta().age(T0 + 105), 6);
    let after = merged("Cache-Control: max-age=10\nETag: \"a\"", "Age: 7\nDate: {+100}");
    assert_eq!(after.meta().age(T0 + 105), 13);
}

#[test]
fn a_304_brings_no_cookie_into_an_object_that_has_them_stripped() {
    for (set_cookie, expected) in [(SetCookiePolicy::Strip, false), (SetCookiePolicy::Replay, true)] {
        let policy = Policy { set_cookie, ..Policy::default() };
        let response = response_of(200, "ETag: \"a\"\nSet-Cookie: one");
        let head = stored(&get(&[]), &response, &policy).expect("storable");
        let after = head.updated_by_304(&response_of(304, "Set-Cookie: two"), T0, T0);
        assert_eq!(after.fields().has(names::SET_COOKIE), expected);
    }
}

#[test]
fn a_304_keeps_the_body_and_shares_it_if_it_is_large() {
    for len in [5, 100_000] {
        let old = StoredObject::new(head("ETag: \"a\""), Body::from_bytes(vec![b'x'; len].into()));
        let new = old.updated_by_304(&response_of(304, "X: 1"), T0, T0);
        let (old, new) = (old.body().chunks(), new.body().chunks());
        assert_eq!(new, old);
        assert_eq!(new[0].as_ptr() == old[0].as_ptr(), len == 100_000);
    }
}

#[test]
fn a_304_with_another_strong_tag_speaks_of_something_else() {
    for (stored, response, expected) in [
        ("ETag: \"a\"", "ETag: \"a\"", true),
        ("ETag: \"a\"", "ETag: \"b\"", false),
        ("ETag: W/\"a\"", "ETag: W/\"a\"", true),
        ("ETag: W/\"a\"", "ETag: \"a\"", false),
        ("ETag: \"a\"", "ETag: W/\"b\"", false),
        ("ETag: \"a\"", "X: y", true),
        ("Last-Modified: {-5}", "ETag: \"a\"", false),
    ] {
        assert_eq!(validates(&head(stored), &response_of(304, response)), expected, "{stored} {response}");
    }
}

#[test]
fn a_304_that_varies_by_more_is_not_matched_again() {
    let request = get(&[("Foo", "1")]);
    let head = crate::support::object_for(&request, "Cache-Control: max-age=60\nVary: Foo", b"");
    let same = head.updated_by_304(&response_of(304, "Vary: foo"), T0, T0);
    assert!(same.head().matches(&request.headers));
    let more = head.updated_by_304(&response_of(304, "Vary: Foo, Bar"), T0, T0);
    assert!(!more.head().matches(&request.headers));
}

#[test]
fn a_304_for_the_client_carries_the_tag_and_no_description_of_content() {
    let stored = head(
        "ETag: \"a\"\nLast-Modified: {-9}\nContent-Type: text/plain\nContent-Length: 3\nVary: X\nCache-Control: max-age=9",
    );
    let headers = headers_for_304(stored.headers());
    for name in [names::ETAG, names::DATE, names::VARY, names::CACHE_CONTROL] {
        assert!(headers.has(name), "{name:?}");
    }
    for name in [names::CONTENT_TYPE, names::CONTENT_LENGTH, names::LAST_MODIFIED] {
        assert!(!headers.has(name), "{name:?}");
    }
}

#[test]
fn one_range_of_a_stored_object_is_answered_in_part() {
    use RangeAnswer::{Part, Unsatisfiable, Whole};
    let stored = head("ETag: \"a\"\nLast-Modified: {-100}\nDate: {+0}");
    for (fields, expected) in [
        ("Range: bytes=0-1", Part(0..2)),
        ("Range: bytes=1-", Part(1..10)),
        ("Range: bytes=-1", Part(9..10)),
        ("Range: bytes=-99", Part(0..10)),
        ("Range: Bytes=5-99", Part(5..10)),
        ("Range: bytes=10-", Unsatisfiable),
        ("Range: bytes=-0", Unsatisfiable),
        ("Range: bytes=10-,20-", Unsatisfiable),
        ("Range: bytes=5-4", Whole),
        ("Range: bytes=a-b", Whole),
        ("Range: bytes=", Whole),
        ("Range: lines=1-2", Whole),
        ("Range: bytes=0-1\nIf-Range: \"a\"", Part(0..2)),
        ("Range: bytes=0-1\nIf-Range: W/\"a\"", Whole),
        ("Range: bytes=0-1\nIf-Range: \"b\"", Whole),
        ("Range: bytes=0-1\nIf-Range: {-100}", Part(0..2)),
        ("Range: bytes=0-1\nIf-Range: {-99}", Whole),
        ("Accept: a", Whole),
    ] {
        let mut request = get(&[]);
        lines(fields).iter().for_each(|(n, v)| request.headers.append(n, v));
        assert_eq!(range::evaluate(&request, &stored, 10, SeveralRanges::Answer), expected, "{fields}");
    }
    assert_eq!(range::content_range(&(2..5), 10), "bytes 2-4/10");
}

#[test]
fn several_ranges_come_in_the_order_asked_and_joined_where_they_touch() {
    use RangeAnswer::{Part, Parts, Unsatisfiable, Whole};
    let stored = head("ETag: \"a\"\nDate: {+0}");
    let parts = |ranges: &[std::ops::Range<u64>]| Parts(ranges.iter().cloned().collect());
    let many = |count: usize| (0..count).map(|n| format!("{0}-{0}", 3 * n)).collect::<Vec<_>>().join(",");
    let most: Vec<_> = (0..MAX_RANGES as u64).map(|n| 3 * n..3 * n + 1).collect();
    let (at_the_limit, beyond) = (many(MAX_RANGES), many(MAX_RANGES + 1));
    for (ranges, expected) in [
        ("0-9,20-29", parts(&[0..10, 20..30])),
        ("20-29, 0-9", parts(&[20..30, 0..10])),
        ("-1,0-0", parts(&[99..100, 0..1])),
        ("90-,0-0", parts(&[90..100, 0..1])),
        ("0-9,11-19", parts(&[0..10, 11..20])),
        // They overlap, touch, lie in each other, or are bridged by a later one.
        ("0-9,5-14", Part(0..15)),
        ("0-9,10-19", Part(0..20)),
        ("10-19,0-9", Part(0..20)),
        ("0-99,5-6,7-8", Part(0..100)),
        ("0-,0-,0-,0-", Part(0..100)),
        ("50-59,0-9,55-69", parts(&[50..70, 0..10])),
        ("50-59,0-9,20-29,10-19", parts(&[50..60, 0..30])),
        ("0-9,80-89,20-29,10-19", parts(&[0..30, 80..90])),
        // Those that the object does not have are left out.
        ("0-9,100-", Part(0..10)),
        ("100-,-0,5-9", Part(5..10)),
        ("0-9,100-,20-29", parts(&[0..10, 20..30])),
        ("100-,200-300", Unsatisfiable),
        ("0-9,b-c", Whole),
        ("0-9,9-8", Whole),
        (&at_the_limit, parts(&most)),
        (&beyond, Whole),
    ] {
        let request = get(&[("Range", &format!("bytes={ranges}"))]);
        assert_eq!(range::evaluate(&request, &stored, 100, SeveralRanges::Answer), expected, "{ranges}");
    }
    let several = get(&[("Range", "bytes=0-9,20-29")]);
    assert_eq!(range::evaluate(&several, &stored, 100, SeveralRanges::Ignore), Whole);
    assert_eq!(range::evaluate(&several, &stored, 100, SeveralRanges::Refuse), Unsatisfiable);
    let one = get(&[("Range", "bytes=0-9")]);
    assert_eq!(range::evaluate(&one, &stored, 100, SeveralRanges::Refuse), Part(0..10));
    let lines = get(&[("Range", "bytes=0-9"), ("Range", "bytes=20-29")]);
    assert_eq!(range::evaluate(&lines, &stored, 100, SeveralRanges::Answer), Whole);
    for (condition, expected) in [("\"a\"", parts(&[0..10, 20..30])), ("W/\"a\"", Whole), ("\"b\"", Whole)] {
        let request = get(&[("Range", "bytes=0-9,20-29"), ("If-Range", condition)]);
        assert_eq!(range::evaluate(&request, &stored, 100, SeveralRanges::Answer), expected, "{condition}");
    }
    let mut head_request = several;
    head_request.method = tollgate_http::Method::Head;
    assert_eq!(range::evaluate(&head_request, &stored, 100, SeveralRanges::Answer), Whole);
}

#[test]
fn several_ranges_are_framed_as_a_multipart_body() {
    let frame = Multipart::new(Some(b"text/plain"), &[0..2, 5..6], 10, 0xab);
    let boundary = "000000000000000000000000000000ab";
    assert_eq!(frame.content_type(), format!("multipart/byteranges; boundary={boundary}"));
    let expected = format!(
        "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
         \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-5/10\r\n\r\n5\
         \r\n--{boundary}--\r\n"
    );
    assert_eq!(frame.len(), expected.len() as u64);
    assert_eq!(String::from_utf8(framed(frame, b"0123456789")).unwrap(), expected);
    let untyped = framed(Multipart::new(None, &[0..1, 2..3], 10, 1), b"0123456789");
    assert!(!String::from_utf8(untyped).unwrap().contains("Content-Type"));
}

/// What is sent of `body` in this frame.
fn framed(frame: Multipart, body: &[u8]) -> Vec<u8> {
    let (parts, end) = frame.into_parts();
    let mut sent = Vec::new();
    for part in parts {
        sent.extend_from_slice(&part.head);
        sent.extend_from_slice(&body[part.bytes.start as usize..part.bytes.end as usize]);
    }
    sent.extend_from_slice(&end);
    sent
}

/// A reader of multipart bodies that knows only the boundary: what each part says to be, and its bytes.
fn parts_of(body: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let find = |text: &[u8], wanted: &[u8]| {
        text.windows(wanted.len()).position(|w| w == wanted).expect("well-formed")
    };
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..]).expect("well-formed");
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        let end = find(rest, delimiter.as_bytes());
        let head = find(rest, b"\r\n\r\n");
        let fields = std::str::from_utf8(&rest[..head]).expect("well-formed");
        let range =
            fields.lines().find_map(|line| line.strip_prefix("Content-Range: ")).expect("well-formed");
        parts.push((range.to_string(), rest[head + 4..end].to_vec()));
        rest = &rest[end + delimiter.len()..];
    }
    parts
}

#[test]
fn if_range_by_date_needs_a_strong_date() {
    let stored = head("Last-Modified: {+0}\nDate: {+0}\nCache-Control: max-age=60");
    let request = get(&[("Range", "bytes=0-1"), ("If-Range", &at(0))]);
    assert_eq!(range::evaluate(&request, &stored, 10, SeveralRanges::Answer), RangeAnswer::Whole);
}

#[test]
fn a_part_keeps_the_other_stored_fields() {
    let stored = head("ETag: \"a\"\nA: 1\nContent-Length: 10");
    let headers = range::headers_for_206(&stored.headers(), &(2..5), 10);
    let get = |name: &str| headers.get_str(name);
    assert_eq!((get("A"), get("ETag"), get("Content-Length")), (Some("1"), Some("\"a\""), Some("3")));
    assert_eq!(get("Content-Range"), Some("bytes 2-4/10"));
}

#[test]
fn a_head_response_shows_whether_the_object_changed() {
    let stored = head("ETag: \"a\"\nContent-Length: 10");
    for (fields, expected) in [
        ("ETag: \"a\"\nContent-Length: 10", false),
        ("X: y", false),
        ("ETag: \"b\"", true),
        ("Content-Length: 11", true),
    ] {
        assert_eq!(head_contradicts(&stored, &response_of(200, fields)), expected, "{fields}");
    }
    assert!(!head_contradicts(&stored, &response_of(500, "Content-Length: 11")));
}

proptest! {
    #[test]
    fn a_slice_of_a_body_is_the_slice_of_its_bytes(
        sizes in proptest::collection::vec(0usize..90_000, 0..8), from in 0u64..400_000, len in 0u64..400_000
    ) {
        let total: usize = sizes.iter().sum();
        let bytes: Vec<u8> = (0..total).map(|i| (i % 251) as u8).collect();
        let mut rest = bytes::Bytes::from(bytes.clone());
        let chunks: Vec<_> = sizes.iter().map(|n| rest.split_to(*n)).collect();
        let body = Body::from_chunks(&chunks);
        prop_assert_eq!(body.len(), total as u64);
        let (start, end) = (from.min(total as u64), (from + len).min(total as u64));
        let slice: Vec<u8> = body.slice(start..end).flat_map(|b| b.to_vec()).collect();
        prop_assert_eq!(&slice[..], &bytes[start as usize..end as usize]);
    }

    #[test]
    fn parsing_ranges_never_panics_and_resolves_within_the_object(text in "[ -~]{0,30}", len in 0u64..100) {
        for spec in range::parse(format!("bytes={text}").as_bytes()).unwrap_or_default() {
            if let Some(part) = spec.resolve(len) {
                prop_assert!(part.start < part.end && part.end <= len);
            }
        }
    }

    #[test]
    fn written_ranges_are_read_back(first in any::<u64>(), more in any::<u64>()) {
        let last = first.saturating_add(more);
        let text = format!("bytes={first}-{last}, {first}-, -{more}");
        let specs = range::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&specs[..], &[
            RangeSpec::From { first, last: Some(last) },
            RangeSpec::From { first, last: None },
            RangeSpec::Suffix(more),
        ]);
    }

    #[test]
    fn several_ranges_are_slices_of_the_body_that_hold_what_was_asked_and_no_byte_twice(
        asked in proptest::collection::vec((0u64..300, 0u64..40), 1..MAX_RANGES), len in 1usize..260
    ) {
        let body: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let text = asked.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect::<Vec<_>>();
        let request = get(&[("Range", &format!("bytes={}", text.join(",")))]);
        let ranges: Vec<_> =
            match range::evaluate(&request, &head("ETag: \"a\""), len as u64, SeveralRanges::Answer) {
                RangeAnswer::Part(range) => vec![range],
                RangeAnswer::Parts(ranges) => {
                    prop_assert!(ranges.len() > 1);
                    ranges.to_vec()
                }
                RangeAnswer::Unsatisfiable => Vec::new(),
                RangeAnswer::Whole => panic!("all can be read"),
            };
        let mut wanted = vec![0; len];
        for (first, more) in asked {
            let (first, end) = ((first as usize).min(len), ((first + more) as usize + 1).min(len));
            wanted[first..end].fill(1);
        }
        let mut given = vec![0; len];
        for range in &ranges {
            given[range.start as usize..range.end as usize].iter_mut().for_each(|count| *count += 1);
            let is_apart = |other: &std::ops::Range<u64>| other.end < range.start || range.end < other.start;
            prop_assert!(ranges.iter().all(|other| other == range || is_apart(other)));
        }
        prop_assert_eq!(given, wanted);

        let frame = Multipart::new(Some(b"a/b"), &ranges, len as u64, 7);
        let (length, boundary) = (frame.len(), format!("{:032x}", 7));
        let sent = framed(frame, &body);
        prop_assert_eq!(sent.len() as u64, length);
        if !ranges.is_empty() {
            let expected: Vec<_> = ranges.iter().map(|range| {
                let bytes = body[range.start as usize..range.end as usize].to_vec();
                (range::content_range(range, len as u64), bytes)
            }).collect();
            prop_assert_eq!(parts_of(&sent, &boundary), expected);
        }
    }
}
