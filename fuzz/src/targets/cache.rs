//! The rules of the cache, on fields that strangers sent.
//!
//! An input is the request's field lines, an empty line, and the response's.

use std::sync::Arc;

use tollgate_cache::CacheReason;
use tollgate_cache::multipart::Multipart;
use tollgate_cache::part::{Part, answer, completed, missing_tail, to_store};
use tollgate_cache::range::{self, MAX_RANGES, RangeAnswer};
use tollgate_cache::rules::{Freshness, evaluate_preconditions, freshness, request_policy, store_decision};
use tollgate_cache::vary::{Selecting, variant_hash};
use tollgate_cache::{Body, Policy, StoreDecision, StoredHead, StoredMeta, StoredObject};
use tollgate_http::{HeaderBlock, Method, PackedFields, Request, Response, Url, list, names};

/// Words of the fields that matter to a cache.
pub const TOKENS: &[&[u8]] = &[
    b"\n\n",
    b"\nCache-Control: ",
    b"\nCDN-Cache-Control: ",
    b"\nVary: ",
    b"\nAge: 10",
    b"\nExpires: ",
    b"\nDate: ",
    b"\nLast-Modified: ",
    b"\nETag: \"a\"",
    b"\nPragma: no-cache",
    b"\nAuthorization: x",
    b"\nAccept-Encoding: gzip;q=0.5, br",
    b"\nAccept-Language: de, en;q=0.5",
    b"Accept-Encoding, Accept-Language",
    b"\nRange: bytes=0-9,-5",
    b"\nRange: bytes=3-",
    b"\nRange: bytes=-3",
    b"\nIf-Range: \"a\"",
    b"\nContent-Range: bytes 0-4/10",
    b"\nContent-Range: bytes 5-9/10",
    b"\nContent-Length: 5",
    b"\nIf-None-Match: W/\"a\", *",
    b"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sun, 06 Nov 2022 08:49:37 GMT",
    b"max-age=60",
    b"s-maxage=60",
    b"max-stale",
    b"min-fresh=5",
    b"no-store",
    b"no-cache",
    b"private",
    b"must-understand",
    b"must-revalidate",
    b"stale-while-revalidate=9",
    b"stale-if-error=9",
    b"immutable",
    b"*",
    b",",
    b"\"",
];

/// Length of the body that ranges are taken from.
const LENGTH: u64 = 1000;

/// When the response came.
const NOW: i64 = 1_667_724_577;

/// More members of one field than this are compared as text only.
const MANY_MEMBERS: usize = 16;

fn blocks(input: &[u8]) -> (HeaderBlock, HeaderBlock) {
    let cut = input.windows(2).position(|pair| pair == b"\n\n");
    let (request, response) = cut.map_or((input, &[][..]), |at| (&input[..at], &input[at + 2..]));
    (block(request), block(response))
}

/// Up to 40 lines of `Name: value`; other lines are left out, as a parser would refuse them.
fn block(text: &[u8]) -> HeaderBlock {
    let mut block = HeaderBlock::new();
    for line in text.split(|byte| *byte == b'\n').take(40) {
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let name = line[..colon].trim_ascii();
            if !name.is_empty() {
                block.append(name, line[colon + 1..].trim_ascii());
            }
        }
    }
    block
}

fn messages(input: &[u8]) -> (Request, Response) {
    let (request_fields, response_fields) = blocks(input);
    let mut request = Request::new(Method::Get, Url::origin("path".into(), None));
    request.headers = request_fields;
    let mut response = Response::new(200);
    response.headers = response_fields;
    (request, response)
}

/// What is stored and what is served follows the order of time and the plainest directives.
pub fn rules(input: &[u8]) {
    let (request, response) = messages(input);
    let policy = Policy::default();
    let wanted = request_policy(&request, &policy);
    let meta = StoredMeta::new(&response, NOW - 1, NOW);
    let mut before: Option<Freshness> = None;
    for later in [0, 1, 59, 60, 3600, 1 << 31, 1 << 40] {
        let verdict = freshness(&meta, NOW + later, &wanted, &policy);
        assert!(!verdict.is_fresh() || verdict.may_serve_now());
        if verdict.reason == CacheReason::Fresh {
            assert!(verdict.age < verdict.lifetime && verdict.ttl() > 0);
        }
        if let Some(before) = before {
            assert!(verdict.age >= before.age, "age goes on");
            assert!(before.is_fresh() || !verdict.is_fresh(), "nothing gets fresh by waiting");
        }
        before = Some(verdict);
    }
    match store_decision(&request, &response, NOW, &policy) {
        StoreDecision::Dont(_) => {}
        StoreDecision::Store { meta } => check_stored(&request, &response, meta, &policy),
    }
}

fn check_stored(request: &Request, response: &Response, meta: StoredMeta, policy: &Policy) {
    let plain = !response.headers.has(names::CDN_CACHE_CONTROL)
        && !list::has_token(response.headers.list(names::CACHE_CONTROL), "must-understand");
    if plain {
        for forbidden in ["no-store", "private"] {
            assert!(!list::has_token(response.headers.list(names::CACHE_CONTROL), forbidden), "{forbidden}");
        }
    }
    let head = StoredHead::new(request, response, meta, policy.set_cookie);
    assert!(!head.fields().has(names::CONNECTION), "connection fields are not stored");
    evaluate_preconditions(request, &head);
    let ranges = request.headers.get(names::RANGE).and_then(range::parse).unwrap_or_default();
    for part in ranges.iter().filter_map(|spec| spec.resolve(LENGTH)) {
        assert!(part.start < part.end && part.end <= LENGTH, "{part:?}");
    }
    let updated = head.updated_by_304(response, NOW + 9, NOW + 10);
    assert_eq!(updated.meta().response_time, NOW + 10);
}

/// A response is chosen by the request that fetched it, and by requests of the same variant, unless its `Vary` says
/// otherwise: by an asterisk, or by something that is not a name.
pub fn vary(input: &[u8]) {
    let (request, response) = blocks(input);
    let has_many = |block: &HeaderBlock| block.iter().any(|f| list::members(f.value).count() > MANY_MEMBERS);
    if has_many(&request)
        || request.len() > MANY_MEMBERS
        || response.list(names::VARY).any(|name| name == b"*" || !names::is_token(name))
    {
        return;
    }
    let selecting = Selecting::of(&request, &response);
    assert!(selecting.same_variant(&selecting));
    // A quotation mark that is never closed swallows what follows, so lines cannot be joined or split.
    if request.iter().any(|field| field.value.contains(&b'"')) {
        return;
    }
    assert!(selecting.matches(&request, PackedFields::default()), "its own request");
    let other = split_lists(&request);
    assert!(selecting.matches(&other, PackedFields::default()), "lists in several lines");
    assert_eq!(variant_hash(&response, &request), variant_hash(&response, &other), "lists in several lines");
}

/// The same fields with a line for each member of a list.
fn split_lists(block: &HeaderBlock) -> HeaderBlock {
    let mut split = HeaderBlock::new();
    for field in block.iter() {
        if list::members(field.value).next().is_none() {
            split.append(field.name, field.value);
        }
        list::members(field.value).for_each(|member| split.append(field.name, member));
    }
    split
}

/// Ranges hold bytes that are there, none of them twice.
fn check_ranges(ranges: &[std::ops::Range<u64>], len: u64) {
    for (number, range) in ranges.iter().enumerate() {
        assert!(range.start < range.end && range.end <= len, "{ranges:?}");
        let is_apart = |other: &std::ops::Range<u64>| other.end < range.start || range.end < other.start;
        assert!(ranges[..number].iter().all(is_apart), "{ranges:?}");
    }
}

/// A frame is as long as it says, and each part says where it stands.
fn check_frame(ranges: &[std::ops::Range<u64>], content_type: Option<&[u8]>) {
    let frame = Multipart::new(content_type, ranges, LENGTH, 1);
    let said = frame.len();
    let (parts, end) = frame.into_parts();
    let mut sent = end.len() as u64;
    for (part, range) in parts.iter().zip(ranges) {
        assert_eq!(part.bytes, *range);
        let position = format!("Content-Range: {}\r\n\r\n", range::content_range(range, LENGTH));
        assert!(part.head.ends_with(position.as_bytes()));
        sent += part.head.len() as u64 + (range.end - range.start);
    }
    assert_eq!(sent, said);
}

/// Ranges of the whole and of parts never leave what is there, and parts are joined to something that makes sense.
pub fn ranges(input: &[u8]) {
    let (request, mut response) = messages(input);
    let policy = Policy::default();
    let meta = StoredMeta::new(&response, NOW, NOW);
    let whole = StoredHead::new(&request, &response, meta, policy.set_cookie);
    match range::evaluate(&request, &whole, LENGTH, policy.several_ranges) {
        RangeAnswer::Part(bytes) => check_ranges(&[bytes], LENGTH),
        RangeAnswer::Parts(ranges) => {
            assert!(ranges.len() > 1 && ranges.len() <= MAX_RANGES);
            check_ranges(&ranges, LENGTH);
            check_frame(&ranges, response.headers.get(names::CONTENT_TYPE));
        }
        RangeAnswer::Whole | RangeAnswer::Unsatisfiable => {}
    }
    response.status = 206;
    let Some(part) = Part::of(&response.headers).filter(|part| part.end - part.first <= LENGTH) else {
        return;
    };
    assert!(part.first < part.end && part.end <= part.complete, "{part:?}");
    let StoreDecision::Store { meta } = store_decision(&request, &response, NOW, &policy) else { return };
    let head = StoredHead::new(&request, &response, meta, policy.set_cookie);
    let body: Vec<u8> = (part.first..part.end).map(|n| n as u8).collect();
    let stored = Arc::new(StoredObject::new(head, Body::from_bytes(body.into())));
    if let Some(found) = answer(&request, &stored, policy.several_ranges) {
        assert!(!found.bytes.is_empty());
        check_ranges(&found.bytes, stored.body().len());
        for (bytes, range) in found.bytes.iter().zip(found.ranges()) {
            let said =
                Part::parse(range::content_range(&range, part.complete).as_bytes()).expect("well-formed");
            assert_eq!(said.end - said.first, bytes.end - bytes.start);
            assert_eq!(said.first, part.first + bytes.start);
        }
    }
    if let Some(tail) = missing_tail(&stored) {
        assert!(part.first == 0 && tail.first == part.end && part.end < part.complete);
    }
    assert!(
        completed(&stored, &response, NOW, policy.set_cookie).is_none(),
        "a part does not complete itself"
    );
    let kept = to_store(std::slice::from_ref(&stored), &stored).expect("a part beside a part");
    let chunks = |object: &StoredObject| object.body().chunks().concat();
    assert_eq!(chunks(&kept), chunks(&stored), "the same bytes once more");
}
