//! Pinned objects while the log comes round.

use super::store::{body_of, bytes, devices, head, key, open, options, store_object};
use crate::support::T0;
use std::sync::Arc;
use tollgate_cache::disk::{DiskStore, DiskStoreOptions, MemoryDevice};
use tollgate_cache::{Policy, StoredHead, StoredMeta};
use tollgate_http::{Method, Request, Response};

/// The log of these tests' stripes is smaller.
const LAP_BYTES: usize = 2 << 20;

fn pinned(seconds: u32) -> StoredHead {
    head("a", &[]).pinned_for(seconds)
}

/// A head of a response that came so many seconds later.
fn late(seconds: i64) -> StoredHead {
    let request = Request::new(Method::Get, "http://h/".parse().expect("a URL"));
    let response = Response::new(200);
    let meta = StoredMeta::new(&response, T0 + seconds, T0 + seconds);
    StoredHead::new(&request, &response, meta, Policy::default().set_cookie)
}

/// Writes more than `laps` laps of other objects.
fn fill(store: &DiskStore, laps: usize, head: &StoredHead) {
    for n in 0..laps * LAP_BYTES / 9_000 {
        store_object(store, &key(&format!("http://h/{n}")), head, &bytes(9_000));
    }
}

fn is_whole(store: &DiskStore, url: &str, len: usize) -> bool {
    let objects = store.load(&key(url)).expect("a good device");
    objects.len() == 1 && body_of(&objects[0]) == bytes(len)
}

#[test]
fn a_pinned_object_survives_laps_until_its_time_is_over_and_others_do_not() {
    let (store, _) = open(&devices(1), options());
    store_object(&store, &key("http://pinned/small"), &pinned(100), &bytes(1_000));
    store_object(&store, &key("http://pinned/large"), &pinned(100), &bytes(60_000));
    store_object(&store, &key("http://other/"), &head("a", &[]), &bytes(1_000));
    fill(&store, 5, &late(0));
    assert!(
        is_whole(&store, "http://pinned/small", 1_000) && is_whole(&store, "http://pinned/large", 60_000)
    );
    assert!(!store.may_have(&key("http://other/")));
    let kept = store.stats().pinned_kept;
    assert!((8..=14).contains(&kept), "each once in a lap: {kept}");
    fill(&store, 2, &late(101));
    assert!(!store.may_have(&key("http://pinned/small")) && !store.may_have(&key("http://pinned/large")));
    assert_eq!(store.stats().pinned_lost, 0);
}

#[test]
fn upkeep_tells_the_time_too() {
    let (store, _) = open(&devices(1), options());
    store_object(&store, &key("http://pinned/"), &pinned(100), &bytes(1_000));
    assert!(store.maintain(T0 + 101).is_empty());
    fill(&store, 2, &late(0));
    assert!(!store.may_have(&key("http://pinned/")));
}

#[test]
fn an_object_is_pinned_after_a_stop_and_after_a_crash() {
    for stops in [true, false] {
        let devices = devices(1);
        let (store, _) = open(&devices, options());
        store_object(&store, &key("http://pinned/"), &pinned(100), &bytes(1_000));
        // Without an index it is found by replaying the log.
        assert!(if stops { store.sync() } else { store.maintain(T0) }.is_empty());
        let images: Vec<_> = devices.iter().map(|d| Arc::new(MemoryDevice::new(d.image()))).collect();
        let (store, _) = open(&images, options());
        fill(&store, 3, &late(0));
        assert!(is_whole(&store, "http://pinned/", 1_000), "stopped in order: {stops}");
    }
}

#[test]
fn no_more_than_a_tenth_of_a_stripe_is_kept() {
    let (store, _) = open(&devices(1), options());
    let pins: Vec<String> = (0..60).map(|n| format!("http://pinned/{n}")).collect();
    for url in &pins {
        store_object(&store, &key(url), &pinned(100), &bytes(8_000));
    }
    fill(&store, 4, &late(0));
    let kept = pins.iter().filter(|url| is_whole(&store, url, 8_000)).count();
    assert!((10..=LAP_BYTES / 10 / 8_000).contains(&kept), "{kept} of 60 are kept");
    assert_eq!(store.stats().pinned_lost as usize + kept, pins.len(), "each is told of once");
}

#[test]
fn a_pinned_object_that_is_removed_or_replaced_does_not_come_back() {
    let options = DiskStoreOptions { max_alternates: 1, ..options() };
    let (store, _) = open(&devices(1), options);
    let (gone, new) = (key("http://pinned/gone"), key("http://pinned/new"));
    store_object(&store, &gone, &pinned(100), &bytes(1_000));
    store_object(&store, &new, &pinned(100), &bytes(1_000));
    store.remove(&gone);
    store_object(&store, &new, &head("a", &[]), &bytes(2_000));
    fill(&store, 2, &late(0));
    assert!(!store.may_have(&gone) && !store.may_have(&new));
    assert_eq!(store.stats().pinned_kept, 0);
}
