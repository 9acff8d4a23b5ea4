//! Objects of the cache on the disk.

use crate::support;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use tollgate_cache::disk::{
    Device, DiskError, DiskStore, DiskStoreOptions, FileDevice, Found, MemoryDevice, StripeOptions,
    StripePlace,
};
use tollgate_cache::{Body, CacheKey, Policy, StoredHead, StoredMeta, StoredObject};
use tollgate_http::{Method, Request, Response};

const BYTES: u64 = 2 << 20;

pub(super) fn options() -> DiskStoreOptions {
    DiskStoreOptions {
        stripe: StripeOptions { average_object_bytes: 2000, buffer_bytes: 32 * 1024, max_errors: 5 },
        fragment_bytes: 10_000,
        max_alternates: 3,
        ..DiskStoreOptions::default()
    }
}

pub(super) fn devices(count: usize) -> Vec<Arc<MemoryDevice>> {
    std::iter::repeat_with(|| Arc::new(MemoryDevice::new(vec![0; BYTES as usize]))).take(count).collect()
}

pub(super) fn open(devices: &[Arc<MemoryDevice>], options: DiskStoreOptions) -> (DiskStore, Vec<Found>) {
    let place = |(number, device): (usize, &Arc<MemoryDevice>)| StripePlace {
        name: format!("disk {number}"),
        device: Arc::clone(device) as Arc<dyn Device>,
        base: 0,
        len: BYTES,
        volume: number as u32 + 1,
    };
    let (store, opened) = DiskStore::open(devices.iter().enumerate().map(place).collect(), options);
    (store, opened.into_iter().map(|(name, opened)| opened.expect(&name).found).collect())
}

pub(super) fn key(url: &str) -> CacheKey {
    CacheKey::for_url(&url.parse().expect("a URL"), -1)
}

pub(super) fn head(kind: &str, fields: &[(&str, &str)]) -> StoredHead {
    let mut request = Request::new(Method::Get, "http://h/".parse().expect("a URL"));
    request.headers.append("X-Kind", kind);
    let mut response = Response::new(200);
    response.headers.append("Vary", "X-Kind");
    fields.iter().for_each(|(name, value)| response.headers.append(*name, *value));
    let meta = StoredMeta::new(&response, support::T0, support::T0);
    StoredHead::new(&request, &response, meta, Policy::default().set_cookie)
}

pub(super) fn bytes(len: usize) -> Bytes {
    (0..len).map(|at| (at % 251) as u8).collect()
}

pub(super) fn store_object(store: &DiskStore, key: &CacheKey, head: &StoredHead, body: &Bytes) {
    let mut writer = store.writer(key).expect("a stripe");
    for piece in body.chunks(3_000) {
        if writer.push(Bytes::copy_from_slice(piece)) {
            writer.write().expect("a good device");
        }
        assert!(writer.gathered() <= options().fragment_bytes, "memory holds one fragment");
    }
    writer.commit(head).expect("a good device");
}

pub(super) fn body_of(object: &StoredObject) -> Vec<u8> {
    match object.body().on_disk() {
        None => object.body().chunks().concat(),
        Some(body) => {
            let range = 0..body.len();
            let fragments = body.fragments_of(&range);
            fragments.flat_map(|number| body.read(number, &range).expect("a good device")).collect()
        }
    }
}

#[test]
fn objects_of_every_size_come_back_after_a_stop() {
    let devices = devices(1);
    let (store, found) = open(&devices, options());
    assert_eq!(found, [Found::New]);
    let sizes = [0, 1, 9_999, 10_000, 10_001, 20_000, 123_456];
    for size in sizes {
        let key = key(&format!("http://h/{size}"));
        assert!(!store.may_have(&key));
        store_object(&store, &key, &head("a", &[]), &bytes(size));
        assert!(store.may_have(&key));
    }
    assert!(store.sync().is_empty());
    let (store, found) = open(&devices, options());
    assert_eq!(found, [Found::Warm]);
    for size in sizes {
        let objects = store.load(&key(&format!("http://h/{size}"))).expect("a good device");
        assert_eq!(objects.len(), 1);
        assert_eq!(body_of(&objects[0]), bytes(size), "{size}");
        assert_eq!(objects[0].body().on_disk().is_some(), size > 10_000);
    }
    assert!(store.load(&key("http://h/other")).expect("a good device").is_empty());
}

#[test]
fn any_range_of_a_body_on_the_disk_can_be_read() {
    let (store, _) = open(&devices(1), options());
    let key = key("http://h/");
    let whole = bytes(35_000);
    store_object(&store, &key, &head("a", &[]), &whole);
    let objects = store.load(&key).expect("a good device");
    let body = objects[0].body().on_disk().expect("large");
    for range in [0..0, 0..1, 9_999..10_001, 10_000..20_000, 34_999..35_000, 5_000..35_000, 35_000..35_000] {
        let read: Vec<u8> = body
            .fragments_of(&range)
            .flat_map(|number| body.read(number, &range).expect("a good device"))
            .collect();
        assert_eq!(read, whole[range.start as usize..range.end as usize], "{range:?}");
    }
    assert_eq!(body.fragments_of(&(10_000..20_000)), 1..2);
}

#[test]
fn alternates_replace_their_own_variant_and_the_oldest_goes_above_the_limit() {
    let (store, _) = open(&devices(1), options());
    let key = key("http://h/");
    let kinds = |store: &DiskStore| -> Vec<String> {
        let objects = store.load(&key).expect("a good device");
        objects.iter().map(|o| String::from_utf8(body_of(o)).expect("text")).collect()
    };
    for (kind, body) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        store_object(&store, &key, &head(kind, &[]), &body.into());
    }
    assert_eq!(kinds(&store), ["a2", "b1"]);
    for (kind, body) in [("c", "c1"), ("d", "d1")] {
        store_object(&store, &key, &head(kind, &[]), &body.into());
    }
    assert_eq!(kinds(&store), ["d1", "c1", "a2"]);
}

#[test]
fn a_new_header_leaves_a_large_body_where_it_is() {
    let devices = devices(1);
    let (store, _) = open(&devices, options());
    let key = key("http://h/");
    let whole = bytes(100_000);
    store_object(&store, &key, &head("a", &[]), &whole);
    let old = store.load(&key).expect("a good device").remove(0);
    let written = store.stats().bytes_written;
    let new = StoredObject::new(head("a", &[("X-New", "1")]), old.body().clone());
    store.writer(&key).expect("a stripe").write_object(&new).expect("a good device");
    assert!(store.sync().is_empty());
    assert!(store.stats().bytes_written < written + 50_000, "the body is not written again");
    let (store, _) = open(&devices, options());
    let objects = store.load(&key).expect("a good device");
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].fields().get("X-New"), Some(&b"1"[..]));
    assert_eq!(body_of(&objects[0]), whole);
}

#[test]
fn an_object_in_memory_is_written_whole_whatever_its_size() {
    let (store, _) = open(&devices(1), options());
    for size in [5, 50_000] {
        let key = key(&format!("http://h/{size}"));
        let object = StoredObject::new(head("a", &[]), Body::from_bytes(bytes(size)));
        store.writer(&key).expect("a stripe").write_object(&object).expect("a good device");
        assert_eq!(body_of(&store.load(&key).expect("a good device")[0]), bytes(size));
    }
}

#[test]
fn what_is_removed_stays_removed_and_so_does_what_was_being_written() {
    let devices = devices(1);
    let (store, _) = open(&devices, options());
    let (one, two) = (key("http://h/1"), key("http://h/2"));
    store_object(&store, &one, &head("a", &[]), &bytes(100));
    store_object(&store, &two, &head("a", &[]), &bytes(100));
    let late = store.writer(&one).expect("a stripe");
    let before = store.removals(&one);
    assert_eq!(store.remove(&one), 1);
    assert_ne!(store.removals(&one), before);
    store.persist_removal(&one).expect("a good device");
    assert!(matches!(late.commit(&head("a", &[])), Err(DiskError::Superseded)));
    let (store, _) = open(&devices, options());
    assert!(!store.may_have(&one) && store.may_have(&two));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let (store, _) = open(&devices(1), options());
    let key = key("http://h/");
    let mut writer = store.writer(&key).expect("a stripe");
    assert!(writer.push(bytes(30_000)));
    writer.write().expect("a good device");
    drop(writer);
    assert!(!store.may_have(&key));
}

#[test]
fn too_many_waiting_objects_are_refused_and_what_they_would_replace_is_forgotten() {
    let (store, _) = open(&devices(1), DiskStoreOptions { backlog_bytes: 1_000, ..options() });
    let key = key("http://h/");
    store_object(&store, &key, &head("a", &[]), &bytes(10));
    let first = store.reserve(&key, 800).expect("room");
    assert!(store.reserve(&key, 300).is_none());
    assert!(!store.may_have(&key));
    drop(first);
    assert!(store.reserve(&key, 300).is_some());
    assert_eq!(store.stats().backlog_refusals, 1);
    let (store, _) = open(&devices(1), DiskStoreOptions { backlog_bytes: 0, ..options() });
    let first = store.reserve(&key, 800);
    assert!(first.is_some() && store.reserve(&key, 300).is_some(), "0 is no limit");
}

#[test]
fn keys_are_spread_over_the_devices_and_a_device_that_goes_takes_only_its_own() {
    let devices = devices(3);
    let keys: Vec<CacheKey> = (0..300).map(|n| key(&format!("http://h/{n}"))).collect();
    let (store, _) = open(&devices, options());
    keys.iter().for_each(|key| store_object(&store, key, &head("a", &[]), &bytes(10)));
    assert!(store.sync().is_empty());
    let (store, _) = open(&devices[..2], options());
    let left = keys.iter().filter(|key| store.may_have(key)).count();
    assert!((150..250).contains(&left), "{left} of 300 are left on two of three devices");
}

#[test]
fn hosts_are_stored_in_their_volumes() {
    let devices = devices(2);
    let hosts = HashMap::from([("a.test".to_string(), vec![1]), (".a.test".to_string(), vec![1])]);
    let (store, _) = open(&devices, DiskStoreOptions { hosts, other_hosts: vec![2], ..options() });
    let urls = |host: &str| (0..20).map(|n| key(&format!("http://{host}/{n}"))).collect::<Vec<_>>();
    for host in ["a.test", "www.A.test", "b.test"] {
        urls(host).iter().for_each(|key| store_object(&store, key, &head("a", &[]), &bytes(10)));
    }
    assert!(store.sync().is_empty());
    // Each device alone, for all hosts.
    let alone = |number: usize| {
        let (store, _) = open(&devices[number..=number], options());
        move |host: &str| urls(host).iter().filter(|key| store.may_have(key)).count()
    };
    let (first, second) = (alone(0), alone(1));
    assert_eq!((first("a.test"), first("www.a.test"), first("b.test")), (20, 20, 0));
    assert_eq!((second("a.test"), second("www.a.test"), second("b.test")), (0, 0, 20));
}

#[test]
fn upkeep_hands_what_waits_to_the_system_and_syncs_when_it_is_time() {
    let devices = devices(1);
    let (store, _) = open(&devices, DiskStoreOptions { sync_seconds: 60, ..options() });
    let key = key("http://h/");
    store_object(&store, &key, &head("a", &[]), &bytes(10));
    assert!(!open(&devices, options()).0.may_have(&key), "not written yet");
    assert!(store.maintain(1_000).is_empty());
    let copy = Arc::new(MemoryDevice::new(devices[0].image()));
    assert!(open(&[copy], options()).0.may_have(&key));
    let before = devices[0].image();
    assert!(store.maintain(1_030).is_empty());
    assert_eq!(devices[0].image(), before, "nothing to do");
    assert!(store.maintain(1_061).is_empty());
    assert_ne!(devices[0].image(), before, "the index is synced");
}

#[test]
fn what_can_be_had_at_once_is_what_is_had_by_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    let device = FileDevice::open(&dir.path().join("cache.db"), BYTES).expect("a file");
    let place = StripePlace { name: "disk".into(), device: Arc::new(device), base: 0, len: BYTES, volume: 0 };
    let (store, _) = DiskStore::open(vec![place], options());
    let mut at_once = 0;
    for size in [10, 9_000, 30_000] {
        let key = key(&format!("http://h/{size}"));
        store_object(&store, &key, &head("a", &[]), &bytes(size));
        for flushes in [false, true] {
            if flushes {
                assert!(store.sync().is_empty());
            }
            // A file system need not be able to.
            if let Some(now) = store.seek(&key).expect("stored").load_now(&key) {
                at_once += 1;
                let waited = store.load(&key).expect("a good device");
                assert_eq!(body_of(&now.expect("a good device")[0]), body_of(&waited[0]));
            }
        }
    }
    assert!(at_once >= 3, "what is in the buffer is had at once");
}

#[test]
fn what_is_softened_is_stale_after_a_stop_and_a_new_object_is_not() {
    let devices = devices(1);
    let (store, _) = open(&devices, options());
    let (small, large) = (key("http://h/small"), key("http://h/large"));
    store_object(&store, &small, &head("a", &[]), &bytes(100));
    store_object(&store, &small, &head("b", &[]), &bytes(200));
    store_object(&store, &large, &head("a", &[]), &bytes(100_000));
    let late = store.writer(&small).expect("a stripe");
    let written = store.stats().bytes_written;
    let is_gone = |object: &StoredObject| object.body().len() == 200;
    assert_eq!(store.soften(&small, 77, is_gone).expect("a good device"), 1);
    assert_eq!(store.soften(&large, 88, |_| false).expect("a good device"), 1);
    assert_eq!(store.soften(&key("http://h/other"), 99, |_| false).expect("a good device"), 0);
    assert!(store.stats().bytes_written < written + 50_000, "large bodies stay where they are");
    assert!(matches!(late.commit(&head("a", &[])), Err(DiskError::Superseded)));
    // Softening waits for the device: nothing has to be written at the stop.
    let (store, _) = open(&devices, options());
    let found = |key: &CacheKey| -> Vec<(Option<i64>, usize)> {
        let objects = store.load(key).expect("a good device");
        objects.iter().map(|o| (o.head().stale_since(), body_of(o).len())).collect()
    };
    assert_eq!(found(&small), [(Some(77), 100), (None, 200)]);
    assert_eq!(found(&large), [(Some(88), 100_000)]);
    store_object(&store, &small, &head("a", &[]), &bytes(50));
    assert_eq!(found(&small), [(None, 50), (None, 200)]);
}

/// Hits an object; whether it was written anew.
fn hit(store: &DiskStore, key: &CacheKey) -> bool {
    let Some(object) = store.load(key).expect("a good device").into_iter().next() else { return false };
    let Some(evacuation) = store.evacuation(key, &Arc::new(object)) else { return false };
    store.evacuate(&evacuation).expect("a good device")
}

#[test]
fn what_is_hit_shortly_before_it_is_overwritten_is_written_anew() {
    for percent in [0, 20] {
        let (store, _) = open(&devices(1), DiskStoreOptions { evacuate_percent: percent, ..options() });
        let (small, large, cold) = (key("http://h/small"), key("http://h/large"), key("http://h/cold"));
        store_object(&store, &small, &head("a", &[]), &bytes(1_000));
        store_object(&store, &large, &head("a", &[("X", "y")]), &bytes(60_000));
        store_object(&store, &cold, &head("a", &[]), &bytes(1_000));
        assert!(!hit(&store, &small), "its end is far");
        let mut evacuated = 0;
        for n in 0..1_000 {
            store_object(&store, &key(&format!("http://h/{n}")), &head("a", &[]), &bytes(9_000));
            evacuated += usize::from(hit(&store, &small)) + usize::from(hit(&store, &large));
        }
        assert!(!store.may_have(&cold));
        assert_eq!(store.may_have(&small), percent > 0);
        assert_eq!(store.stats().evacuated, evacuated as u64);
        if percent > 0 {
            assert!((6..40).contains(&evacuated), "{evacuated} times in less than six laps");
            let objects = store.load(&large).expect("a good device");
            assert_eq!(body_of(&objects[0]), bytes(60_000));
            assert_eq!(objects[0].fields().get("X"), Some(&b"y"[..]));
        } else {
            assert_eq!(evacuated, 0);
        }
    }
}

#[test]
fn an_evacuation_is_one_at_a_time_small_enough_and_of_what_is_still_there() {
    let options = DiskStoreOptions { evacuate_percent: 100, evacuate_bytes: 50_000, ..options() };
    let (store, _) = open(&devices(1), options);
    let key = key("http://h/");
    store_object(&store, &key, &head("a", &[]), &bytes(50_001));
    let object = || Arc::new(store.load(&key).expect("a good device").remove(0));
    assert!(store.evacuation(&key, &object()).is_none(), "too large");
    store_object(&store, &key, &head("a", &[]), &bytes(50_000));
    let old = object();
    let first = store.evacuation(&key, &old).expect("small enough");
    assert!(store.evacuation(&key, &old).is_none(), "it is under way");
    store_object(&store, &key, &head("a", &[("X-New", "1")]), &bytes(50_000));
    assert!(!store.evacuate(&first).expect("a good device"), "it was replaced meanwhile");
    assert_eq!(object().fields().get("X-New"), Some(&b"1"[..]));
    drop(first);
    let second = store.evacuation(&key, &object()).expect("the first one is over");
    store.remove(&key);
    assert!(!store.evacuate(&second).expect("a good device") && !store.may_have(&key));
}
