//! What an object in memory takes, counted in the blocks of the program's own allocator, their rounding included.
//!
//! One test, so that nothing else allocates while it counts.

use std::sync::Arc;
use tollgate_cache::{
    Body, CacheKey, Lookup, Policy, RamStore, RamStoreSettings, StoredHead, StoredMeta, StoredObject,
};
use tollgate_event::sys::CountingAllocator;
use tollgate_http::{Method, Request, Response};

#[global_allocator]
static MEMORY: CountingAllocator = CountingAllocator::new();

/// Greatest overhead of a small object, bytes.
const MOST_OVERHEAD: usize = 200;
const OBJECTS: usize = 100_000;
const BODY_BYTES: usize = 1024;
/// 2026-09-21.
const NOW: i64 = 1_790_000_000;

fn request(number: usize) -> Request {
    let url = format!("http://www.example.com/img/{number:08}.css");
    Request::new(Method::Get, url.parse().expect("a URL"))
}

/// The usual fields. What was made four seconds before it came has a date of its own.
fn response() -> Response {
    let mut response = Response::new(200);
    let length = BODY_BYTES.to_string();
    for (name, value) in [
        ("Date", "Mon, 21 Sep 2026 14:13:16 GMT"),
        ("Content-Type", "text/css; charset=utf-8"),
        ("Content-Length", length.as_str()),
        ("Cache-Control", "public, max-age=86400"),
        ("ETag", "\"66ec4a1d-400\""),
        ("Last-Modified", "Thu, 19 Sep 2024 16:05:33 GMT"),
    ] {
        response.headers.append(name, value);
    }
    response
}

/// As a fetch stores it: the head for the key, the body in pieces as they came.
fn store(store: &RamStore, number: usize) -> (usize, usize) {
    let (request, response) = (request(number), response());
    let key = CacheKey::for_url(&request.url, -1);
    let meta = StoredMeta::new(&response, NOW - 1, NOW);
    let head = StoredHead::new(&request, &response, meta, Policy::default().set_cookie)
        .born_as(&key, store.born(&key));
    let text = head.fields().iter().map(|field| field.name.len() + field.value.len() + 4).sum();
    let pieces = [vec![b'a'; BODY_BYTES / 2].into(), vec![b'b'; BODY_BYTES - BODY_BYTES / 2].into()];
    let object = Arc::new(StoredObject::new(head, Body::from_chunks(&pieces)));
    store.insert(&key, object).expect("there is room");
    (key.as_bytes().len(), text)
}

fn hit(store: &RamStore, number: usize) {
    let request = request(number);
    let Lookup::Found(object) = store.lookup(&CacheKey::for_url(&request.url, -1), &request) else {
        panic!("object {number} is there")
    };
    assert_eq!(object.headers().len(), 6);
    assert_eq!(object.into_small_body().expect("a small one").len(), BODY_BYTES);
}

#[test]
fn a_small_object_takes_at_most_200_bytes_more_than_key_header_and_body() {
    let settings =
        RamStoreSettings { budget_bytes: 1 << 30, cutoff_bytes: 0, max_alternates: 5, pinned_percent: 50 };
    let ram = RamStore::new(settings);
    let before = MEMORY.bytes();
    let mut asked = 0;
    for number in 0..OBJECTS {
        let (key, text) = store(&ram, number);
        asked += key + text + BODY_BYTES;
    }
    let taken = MEMORY.bytes() - before;
    assert_eq!(ram.stats().objects, OBJECTS as u64);
    let overhead = (taken - asked) / OBJECTS;
    println!("{} bytes asked to be kept, {overhead} bytes of overhead per object", asked / OBJECTS);
    assert!(overhead <= MOST_OVERHEAD, "{overhead} bytes of overhead");

    let charged = ram.stats().bytes as usize;
    println!("{} bytes per object taken, {} charged", taken / OBJECTS, charged / OBJECTS);
    assert!(charged.abs_diff(taken) <= taken / 10, "{charged} bytes charged, {taken} taken");

    (0..OBJECTS).for_each(|number| hit(&ram, number));
    let after_hits = MEMORY.bytes() - before;
    assert!(after_hits <= taken + 1024, "hits leave {} bytes", after_hits - taken);

    ram.clear();
    assert!(MEMORY.bytes() - before <= 1024, "all of it comes back");
}
