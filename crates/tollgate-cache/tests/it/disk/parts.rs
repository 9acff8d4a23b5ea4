//! Objects that are there in part: put together by the store, against a model of every byte.

use crate::support;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tollgate_cache::disk::{
    Device, DiskError, DiskStore, DiskStoreOptions, MemoryDevice, StripeOptions, StripePlace, WrittenPart,
};
use tollgate_cache::part::{self, Gap, Misfit};
use tollgate_cache::policy::SeveralRanges;
use tollgate_cache::{CacheKey, Policy, StoredHead, StoredMeta, StoredObject};
use tollgate_http::{Method, Request, Response};

/// Bytes of the whole.
const WHOLE: u64 = 5_000;
const FRAGMENT_BYTES: usize = 700;

fn open(device: &Arc<MemoryDevice>, bytes: u64) -> DiskStore {
    let options = DiskStoreOptions {
        stripe: StripeOptions { average_object_bytes: 1000, buffer_bytes: 16 * 1024, max_errors: 0 },
        fragment_bytes: FRAGMENT_BYTES,
        evacuate_percent: 100,
        ..DiskStoreOptions::default()
    };
    let place = StripePlace {
        name: "disk".into(),
        device: Arc::clone(device) as Arc<dyn Device>,
        base: 0,
        len: bytes,
        volume: 0,
    };
    let (store, opened) = DiskStore::open(vec![place], options);
    opened.into_iter().for_each(|(name, result)| assert!(result.is_ok(), "{name}"));
    store
}

fn key() -> CacheKey {
    CacheKey::for_url(&support::url("http://h/"), -1)
}

fn head(version: u8, etag: &str) -> StoredHead {
    let request = Request::new(Method::Get, support::url("http://h/"));
    let mut response = Response::new(200);
    response.headers.append("ETag", etag.replace("%", &version.to_string()));
    response.headers.append("Content-Length", WHOLE.to_string());
    let meta = StoredMeta::new(&response, support::T0, support::T0);
    StoredHead::new(&request, &response, meta, Policy::default().set_cookie)
}

fn byte(version: u8, at: u64) -> u8 {
    (at * 7 + at / 251) as u8 ^ version.wrapping_mul(31)
}

fn bytes(version: u8, range: Range<u64>) -> Bytes {
    range.map(|at| byte(version, at)).collect()
}

/// Writes the bytes of a range, and keeps them as a part.
fn keep(store: &DiskStore, version: u8, range: Range<u64>, etag: &str) {
    let mut writer = store.writer(&key()).expect("a stripe");
    let first = range.start;
    for piece in bytes(version, range).chunks(311) {
        if writer.push(Bytes::copy_from_slice(piece)) {
            writer.write().expect("a good device");
        }
    }
    let part = WrittenPart { first, complete: WHOLE };
    writer.keep(&head(version, etag), part, |_| true).expect("a good device");
}

fn put_whole(store: &DiskStore, version: u8) {
    let mut writer = store.writer(&key()).expect("a stripe");
    writer.push(bytes(version, 0..WHOLE));
    writer.commit(&head(version, "\"%\"")).expect("a good device");
}

/// The version, whether it is there whole, and from where to where it is.
type Found = (u8, bool, Vec<(u64, u64)>);

/// The version that is stored, and which of its bytes; all of them have been read and compared.
fn found(store: &DiskStore) -> Option<Found> {
    let objects = store.load(&key()).expect("a good device");
    let object = objects.first()?;
    assert_eq!(objects.len(), 1, "one document for each variant");
    let version = version_of(object);
    let Some(body) = object.body().on_disk() else {
        assert_eq!(object.body().chunks().concat(), bytes(version, 0..WHOLE));
        assert_eq!(object.status(), 200);
        return Some((version, true, vec![(0, WHOLE)]));
    };
    let held: Vec<(u64, u64)> = body.held().iter().map(|range| (range.start, range.end)).collect();
    for range in held.iter().map(|(start, end)| *start..*end) {
        let read: Vec<u8> = body
            .fragments_of(&range)
            .flat_map(|number| body.read(number, &range).expect("a good device"))
            .collect();
        assert_eq!(read, bytes(version, range.clone()), "version {version}, {range:?}");
        assert!(body.missing(range.clone()).is_empty());
    }
    let is_whole = held == [(0, WHOLE)];
    assert_eq!(object.status(), if is_whole { 200 } else { 206 });
    assert_eq!(object.fields().get("Content-Length").is_some(), is_whole);
    assert_eq!(body.len(), WHOLE);
    Some((version, is_whole, held))
}

fn version_of(object: &StoredObject) -> u8 {
    let tag = object.fields().get("ETag").expect("a tag");
    std::str::from_utf8(tag).expect("text").trim_matches('"').parse().expect("a number")
}

#[derive(Clone, Debug)]
enum Step {
    Keep(u8, Range<u64>),
    Put(u8),
    Remove,
    Flush,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let range = (0..WHOLE, 1..WHOLE).prop_map(|(first, len)| first..(first + len).min(WHOLE));
    let step = prop_oneof![
        20 => (prop_oneof![9 => Just(1u8), 1 => Just(2u8)], range).prop_map(|(v, r)| Step::Keep(v, r)),
        1 => (1..3u8).prop_map(Step::Put),
        1 => Just(Step::Remove),
        2 => Just(Step::Flush),
        2 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

/// The version and which bytes of it are stored.
type Model = Option<(u8, BTreeMap<u64, ()>)>;

fn step(model: &mut Model, step: &Step) {
    match step {
        Step::Keep(version, range) => {
            let is_whole = model.as_ref().is_some_and(|(_, bytes)| bytes.len() as u64 == WHOLE);
            if is_whole {
                return;
            }
            let (_, bytes) = match model {
                Some(stored) if stored.0 == *version => stored,
                _ => model.insert((*version, BTreeMap::new())),
            };
            bytes.extend(range.clone().map(|at| (at, ())));
        }
        Step::Put(version) => *model = Some((*version, (0..WHOLE).map(|at| (at, ())).collect())),
        Step::Remove => *model = None,
        Step::Flush | Step::Reopen => {}
    }
}

fn run(steps: &[Step], bytes: u64, check: impl Fn(&Model, Option<Found>)) {
    let device = Arc::new(MemoryDevice::new(vec![0; bytes as usize]));
    let mut store = open(&device, bytes);
    let mut model = None;
    for taken in steps {
        match taken {
            Step::Keep(version, range) => keep(&store, *version, range.clone(), "\"%\""),
            Step::Put(version) => put_whole(&store, *version),
            Step::Remove => drop(store.remove(&key())),
            Step::Flush => drop(store.maintain(1)),
            Step::Reopen => {
                assert!(store.sync().is_empty());
                store = open(&device, bytes);
            }
        }
        step(&mut model, taken);
        check(&model, found(&store));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_of_one_version_become_what_all_of_them_have(steps in steps()) {
        run(&steps, 4 << 20, |model, found| {
            let Some((version, bytes)) = model else { return assert_eq!(found, None) };
            let (found_version, is_whole, held) = found.expect("something is stored");
            assert_eq!((found_version, is_whole), (*version, bytes.len() as u64 == WHOLE));
            assert!(held.iter().flat_map(|(start, end)| *start..*end).eq(bytes.keys().copied()));
        });
    }

    #[test]
    fn when_the_log_comes_round_nothing_is_found_that_was_not_kept(steps in steps()) {
        run(&steps, 128 << 10, |model, found| {
            let Some((version, _, held)) = found else { return };
            let (wanted, bytes) = model.as_ref().expect("nothing is stored");
            assert_eq!(version, *wanted);
            assert!(held.into_iter().flat_map(|(start, end)| start..end).all(|at| bytes.contains_key(&at)));
        });
    }
}

#[test]
fn parts_are_joined_only_by_a_strong_validator() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "W/\"%\"");
    keep(&store, 1, 2000..3000, "W/\"%\"");
    let objects = store.load(&key()).expect("a good device");
    let body = objects[0].body().on_disk().expect("a part");
    assert_eq!(body.missing(0..WHOLE).to_vec(), [0..2000, 3000..WHOLE]);
}

#[test]
fn of_very_many_small_parts_the_newest_stay() {
    let device = Arc::new(MemoryDevice::new(vec![0; 4 << 20]));
    let store = open(&device, 4 << 20);
    for number in 0..600 {
        keep(&store, 1, number * 8..number * 8 + 4, "\"%\"");
    }
    let (_, is_whole, held) = found(&store).expect("a part");
    // Half of a buffer of 16 KiB has room for so many.
    assert!(!is_whole && (250..=256).contains(&held.len()), "{}", held.len());
    assert_eq!(held.last(), Some(&(599 * 8, 599 * 8 + 4)));
}

#[test]
fn what_was_purged_is_not_joined() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    let mut writer = store.writer(&key()).expect("a stripe");
    writer.push(bytes(1, 1000..2000));
    let part = WrittenPart { first: 1000, complete: WHOLE };
    writer.keep(&head(1, "\"%\""), part, |_| false).expect("a good device");
    assert_eq!(found(&store), Some((1, false, vec![(1000, 2000)])));
}

#[test]
fn what_is_purged_while_a_part_is_written_is_not_kept() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    let mut writer = store.writer(&key()).expect("a stripe");
    writer.push(bytes(1, 0..2000));
    writer.write().expect("a good device");
    store.remove(&key());
    let part = WrittenPart { first: 0, complete: WHOLE };
    assert!(writer.keep(&head(1, "\"%\""), part, |_| true).is_err());
    assert_eq!(found(&store), None);
}

#[test]
fn a_new_header_leaves_the_parts_where_they_are() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    keep(&store, 1, 3000..4000, "\"%\"");
    let object = store.load(&key()).expect("a good device").remove(0);
    let mut response = Response::new(304);
    response.headers.append("A", "new");
    let updated = object.updated_by_304(&response, support::T0, support::T0);
    store.writer(&key()).expect("a stripe").write_object(&updated).expect("a good device");
    assert_eq!(found(&store), Some((1, false, vec![(0, 1000), (3000, 4000)])));
    let objects = store.load(&key()).expect("a good device");
    assert_eq!(objects[0].fields().get("A"), Some(&b"new"[..]));
}

#[test]
fn a_part_that_is_in_use_is_written_anew_with_its_holes() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    keep(&store, 1, 3000..4000, "\"%\"");
    let object = Arc::new(store.load(&key()).expect("a good device").remove(0));
    let evacuation = store.evacuation(&key(), &object).expect("all of the log is near its end");
    assert!(store.evacuate(&evacuation).expect("a good device"));
    assert_eq!(found(&store), Some((1, false, vec![(0, 1000), (3000, 4000)])));
}

#[test]
fn a_soft_purge_makes_a_part_stale_and_leaves_its_bytes() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    keep(&store, 1, 3000..4000, "\"%\"");
    assert_eq!(store.soften(&key(), support::T0, |_| false).expect("a good device"), 1);
    assert_eq!(found(&store), Some((1, false, vec![(0, 1000), (3000, 4000)])));
    let object = store.load(&key()).expect("a good device").remove(0);
    assert_eq!(object.head().stale_since(), Some(support::T0));
}

#[test]
fn a_part_that_is_found_out_is_not_found_any_more() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    store.load(&key()).expect("a good device")[0].body().on_disk().expect("a part").forget();
    assert_eq!(found(&store), None);
    assert!(!store.may_have(&key()));
}

/// An object with the bytes 0 to 999 and 3000 to 3999.
fn in_two_parts() -> StoredObject {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    keep(&store, 1, 3000..4000, "\"%\"");
    store.load(&key()).expect("a good device").remove(0)
}

fn gap_for(object: &StoredObject, fields: support::Fields<'_>) -> Option<Gap> {
    part::gap(&support::get(fields), object, SeveralRanges::Answer)
}

#[test]
fn an_object_with_a_damaged_fragment_is_not_found_again() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let store = open(&device, 1 << 20);
    keep(&store, 1, 0..1000, "\"%\"");
    assert!(store.sync().is_empty());
    let mut image = device.image();
    let fragment = bytes(1, 0..100);
    let at = image.windows(100).position(|window| window == fragment).expect("it is on the disk");
    image[at + 50] ^= 1;
    let store = open(&Arc::new(MemoryDevice::new(image)), 1 << 20);
    let object = store.load(&key()).expect("a good device").remove(0);
    let body = object.body().on_disk().expect("a part");
    assert!(matches!(body.read(0, &(0..10)), Err(DiskError::Corrupt)));
    assert!(store.load(&key()).expect("a good device").is_empty());
}

#[test]
fn an_object_with_holes_is_a_part_whatever_header_it_is_given() {
    let object = in_two_parts();
    let whole = StoredObject::new(head(1, "\"%\""), object.body().clone());
    assert!(whole.head().is_part());
}

#[test]
fn what_is_missing_is_asked_for_from_the_first_to_the_last_byte() {
    let object = in_two_parts();
    let missing = |fields: support::Fields<'_>| gap_for(&object, fields).map(|gap| gap.missing);
    assert_eq!(missing(&[]), Some(1000..WHOLE));
    for (range, wanted) in [
        ("bytes=500-1499", Some(1000..1500)),
        ("bytes=0-4999", Some(1000..WHOLE)),
        ("bytes=2000-3500", Some(2000..3000)),
        ("bytes=500-3500", Some(1000..3000)),
        ("bytes=3500-", Some(4000..WHOLE)),
        ("bytes=-1500", Some(4000..WHOLE)),
        ("bytes=0-9,900-1000", Some(1000..1001)),
        ("bytes=990-1009,3990-4009", Some(1000..4010)),
        // Nothing of it is there, all of it, or there is no such byte.
        ("bytes=1000-2999", None),
        ("bytes=-10", None),
        ("bytes=0-999", None),
        ("bytes=5000-", None),
        ("bytes=0-9,3000-3001", None),
        ("pages=1-2", None),
    ] {
        assert_eq!(missing(&[("Range", range)]), wanted, "{range}");
    }
    // Another version is wanted: the whole, if it is not this one.
    assert_eq!(missing(&[("Range", "bytes=0-9"), ("If-Range", "\"7\"")]), Some(1000..WHOLE));
    assert_eq!(missing(&[("Range", "bytes=900-1000"), ("If-Range", "\"1\"")]), Some(1000..1001));
}

#[test]
fn ranges_are_answered_only_by_bytes_that_are_there() {
    let object = in_two_parts();
    let is_answered = |range: &str| {
        part::answer(&support::get(&[("Range", range)]), &object, SeveralRanges::Answer).is_some()
    };
    assert!(
        ["bytes=0-999", "bytes=3000-3999", "bytes=5-5", "bytes=0-1,3998-3999"].into_iter().all(is_answered)
    );
    assert!(
        !["bytes=0-1000", "bytes=2999-3000", "bytes=0-", "bytes=-1", "bytes=0-1,1000-1000"]
            .into_iter()
            .any(is_answered)
    );
    assert!(part::answer(&support::get(&[]), &object, SeveralRanges::Answer).is_none());
}

#[test]
fn a_gap_is_filled_only_by_the_bytes_asked_for_of_the_same_version() {
    let object = in_two_parts();
    let gap = gap_for(&object, &[("Range", "bytes=500-1499")]).expect("a gap");
    let fill = |status, fields: &str| {
        let response = support::response_of(status, fields);
        part::filled(&object, &gap, &response, support::T0, Policy::default().set_cookie)
    };
    let whole = fill(206, "ETag: \"1\"\nContent-Range: bytes 1000-1499/5000\nContent-Length: 500\nA: b");
    let whole = whole.expect("it fits");
    assert_eq!((whole.status, whole.headers.get("A")), (200, Some(&b"b"[..])));
    assert_eq!(whole.headers.get("Content-Length"), Some(&b"5000"[..]));
    assert!(whole.headers.get("Content-Range").is_none());
    for (fields, misfit) in [
        ("ETag: \"2\"\nContent-Range: bytes 1000-1499/5000", Misfit::Version),
        ("ETag: W/\"1\"\nContent-Range: bytes 1000-1499/5000", Misfit::Version),
        ("Content-Range: bytes 1000-1499/5000", Misfit::Version),
        ("ETag: \"1\"\nContent-Range: bytes 1000-1499/5001", Misfit::Version),
        ("ETag: \"1\"\nContent-Range: bytes 1000-1498/5000", Misfit::Bytes),
        ("ETag: \"1\"\nContent-Range: bytes 999-1499/5000", Misfit::Bytes),
        ("ETag: \"1\"\nContent-Range: bytes 1000-1499/5000\nContent-Length: 499", Misfit::Bytes),
        ("ETag: \"1\"\nContent-Range: bytes 1000-1499/*", Misfit::Bytes),
        ("ETag: \"1\"", Misfit::Bytes),
    ] {
        assert_eq!(fill(206, fields).expect_err(fields), misfit, "{fields}");
    }
}
