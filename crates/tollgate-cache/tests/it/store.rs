//! The RAM store: alternates, limits, scan resistance.

use crate::support::{T0, get, key, object, object_for, pinned, response_of};
use std::sync::Arc;
use tollgate_cache::{
    Body, CacheKey, InsertError, Lookup, Policy, RamStore, RamStoreSettings, StoredHead, StoredMeta,
    StoredObject,
};

fn store(budget_bytes: u64) -> RamStore {
    RamStore::new(RamStoreSettings { budget_bytes, cutoff_bytes: 0, max_alternates: 3, pinned_percent: 50 })
}

fn found(store: &RamStore, key: &CacheKey, request: &[(&str, &str)]) -> Option<Arc<StoredObject>> {
    match store.lookup(key, &get(request)) {
        Lookup::Found(object) => Some(object),
        Lookup::Miss | Lookup::VaryMiss => None,
    }
}

fn varied(tag: &str) -> Arc<StoredObject> {
    object_for(&get(&[("Foo", tag)]), "Cache-Control: max-age=60\nVary: Foo", tag.as_bytes())
}

#[test]
fn what_was_put_in_is_found_and_removed() {
    let (store, key, other) = (store(1 << 20), key("a"), key("b"));
    let object = Arc::new(object("Cache-Control: max-age=60", b"body").under(&key));
    assert!(store.insert(&key, Arc::clone(&object)).is_ok());
    assert!(found(&store, &key, &[]).is_some_and(|o| Arc::ptr_eq(&o, &object)));
    assert!(store.contains(&key) && !store.contains(&other));
    assert!(matches!(store.lookup(&other, &get(&[])), Lookup::Miss));
    assert_eq!((store.remove(&key), store.remove(&key)), (1, 0));
    assert_eq!((store.stats().objects, store.stats().bytes), (0, 0));
}

#[test]
fn alternates_live_side_by_side_and_the_same_variant_is_replaced() {
    let (store, key) = (store(1 << 20), key("a"));
    for tag in ["1", "2", "1"] {
        assert!(store.insert(&key, varied(tag)).is_ok());
    }
    assert_eq!(store.alternates(&key).len(), 2);
    assert_eq!(found(&store, &key, &[("Foo", "2")]).map(|o| o.body().len()), Some(1));
    assert!(matches!(store.lookup(&key, &get(&[("Foo", "3")])), Lookup::VaryMiss));
    assert_eq!(store.stats().objects, 2);
}

#[test]
fn above_the_limit_the_oldest_alternate_goes() {
    let (store, key) = (store(1 << 20), key("a"));
    for tag in ["1", "2", "3", "4"] {
        assert!(store.insert(&key, varied(tag)).is_ok());
    }
    assert!(found(&store, &key, &[("Foo", "1")]).is_none());
    assert!(found(&store, &key, &[("Foo", "4")]).is_some());
    assert_eq!(store.stats().objects, 3);
}

#[test]
fn an_alternate_for_everyone_replaces_all() {
    let (store, key) = (store(1 << 20), key("a"));
    for object in [varied("1"), varied("2"), object("Cache-Control: max-age=60", b"all")] {
        assert!(store.insert(&key, object).is_ok());
    }
    assert_eq!(store.alternates(&key).len(), 1);
    assert_eq!(found(&store, &key, &[("Foo", "1")]).map(|o| o.body().len()), Some(3));
}

#[test]
fn an_update_replaces_only_what_is_still_there() {
    let (store, key) = (store(1 << 20), key("a"));
    let old = Arc::new(varied("1").under(&key));
    let new = Arc::new(varied("1").under(&key));
    assert!(!store.update(&key, &old, Arc::clone(&new)));
    assert!(store.insert(&key, Arc::clone(&old)).is_ok());
    assert!(store.update(&key, &old, Arc::clone(&new)));
    assert!(found(&store, &key, &[("Foo", "1")]).is_some_and(|o| Arc::ptr_eq(&o, &new)));
    assert!(!store.update(&key, &old, old.clone()));
    assert_eq!(store.stats().objects, 1);
    store.clear();
    assert_eq!((store.stats().objects, store.stats().bytes), (0, 0));
}

#[test]
fn objects_over_the_limits_are_refused() {
    let settings = RamStoreSettings {
        budget_bytes: 100_000,
        cutoff_bytes: 20_000,
        max_alternates: 1,
        pinned_percent: 50,
    };
    let big = |len: usize| object("Cache-Control: max-age=60", &vec![0; len]);
    let store = RamStore::new(settings);
    assert_eq!(store.insert(&key("a"), big(20_000)), Err(InsertError::OverCutoff));
    let store = RamStore::new(RamStoreSettings { cutoff_bytes: 0, ..settings });
    assert_eq!(store.insert(&key("a"), big(100_000)), Err(InsertError::OverBudget));
    assert_eq!(store.insert(&key("a"), big(90_000)), Ok(()), "one object may take nearly everything");
    assert_eq!(store.stats().refusals, 1);
}

#[test]
fn a_scan_does_not_push_out_what_is_used() {
    let store = store(4 << 20);
    let body = vec![0; 4000];
    let hot: Vec<_> = (0..100).map(|i| key(&format!("hot{i}"))).collect();
    for key in &hot {
        assert!(store.insert(key, object("Cache-Control: max-age=60", &body)).is_ok());
    }
    // Ten times the room passes by while the hot ones are in use.
    for round in 0..10 {
        for key in &hot {
            assert!(found(&store, key, &[]).is_some(), "round {round}");
        }
        for i in 0..1000 {
            let key = key(&format!("scan{round}-{i}"));
            assert!(store.insert(&key, object("Cache-Control: max-age=60", &body)).is_ok());
        }
    }
    assert!(store.stats().evictions > 8000);
}

/// A popular tenth among many that are asked for once, in an order that a small generator makes, with a scan of new
/// keys in between: the store's hits against those of a store that lets the least recently used go.
#[test]
fn a_trace_with_scans_has_more_hits_than_with_the_least_recently_used_going_first() {
    let body = vec![0; 4000];
    let store = store(4 << 20);
    let room = (4 << 20) / 4700;
    let mut lru: std::collections::VecDeque<u64> = Default::default();
    let (mut ours, mut theirs, mut requests) = (0, 0, 0);
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for step in 0..30_000_u64 {
        let is_scan = step % 3000 < 1000;
        // The smaller of two is more often small: popularity falls with the number.
        let name = if is_scan { 1_000_000 + step } else { random(4000).min(random(4000)).min(random(4000)) };
        requests += 1;
        let key = key(&name.to_string());
        if found(&store, &key, &[]).is_some() {
            ours += 1;
        } else {
            assert!(store.insert(&key, object("Cache-Control: max-age=60", &body)).is_ok());
        }
        if let Some(at) = lru.iter().position(|other| *other == name) {
            theirs += 1;
            lru.remove(at);
        }
        lru.push_front(name);
        lru.truncate(room);
    }
    assert!(ours > theirs + requests / 50, "{ours} hits against {theirs} of {requests}");
}

/// What an object takes beside its field lines, its body and its key's text is what the budget is charged with on top of
/// what was asked to be kept. `tests/memory` counts what it really takes.
#[test]
fn the_overhead_of_a_small_object_is_charged_and_bounded() {
    let store = store(1 << 20);
    let fields = "Cache-Control: max-age=60\nContent-Type: text/plain\nETag: \"1\"\nServer: origin";
    let object = object(fields, &[b'x'; 100]);
    let lines: usize = object.fields().iter().map(|field| field.name.len() + field.value.len() + 4).sum();
    let key = key("small");
    assert!(store.insert(&key, object).is_ok());
    let overhead = store.stats().bytes as usize - lines - 100 - key.as_bytes().len();
    assert!(overhead <= 200, "{overhead} bytes");
}

#[test]
fn a_key_that_comes_back_soon_after_eviction_is_kept_through_the_next_scan() {
    let store = store(4 << 20);
    let body = vec![0; 4000];
    let insert =
        |path: &str| assert!(store.insert(&key(path), object("Cache-Control: max-age=60", &body)).is_ok());
    let scan = |round: u32| (0..6000).for_each(|i| insert(&format!("scan{round}-{i}")));
    insert("a");
    scan(1);
    assert!(!store.contains(&key("a")), "never asked for: gone with the scan");
    insert("a");
    scan(2);
    assert!(store.contains(&key("a")));
}

#[test]
fn the_key_is_the_url_without_user_and_fragment_and_with_host_in_lower_case() {
    let key = |text: &str| CacheKey::for_url(&crate::support::url(text), -1);
    for same in ["http://H.example:80/a?q", "http://user:pw@h.example/a?q#f", "http://h.example/a?q"] {
        assert_eq!(key(same), key("http://h.example/a?q"), "{same}");
    }
    for other in [
        "https://h.example/a?q",
        "http://h.example:81/a?q",
        "http://g.example/a?q",
        "http://h.example/A?q",
        "http://h.example/a?Q",
        "http://h.example/a",
        "http://h.example/a?",
        "http://h.example/?q",
    ] {
        assert_ne!(key(other), key("http://h.example/a?q"), "{other}");
    }
    let generation = CacheKey::for_url(&crate::support::url("http://h.example/a?q"), 2);
    assert_ne!(generation, key("http://h.example/a?q"));
    assert_eq!(generation.to_text(), "http://h.example:80/a?q#2");
    assert_ne!(key("http://h.example/").for_variant(1), key("http://h.example/").for_variant(2));
}

/// An object of 1000 bytes that came `after` seconds.
fn late(after: i64) -> Arc<StoredObject> {
    let response = response_of(200, "Cache-Control: max-age=60");
    let meta = StoredMeta::new(&response, T0 + after, T0 + after);
    let head = StoredHead::new(&get(&[]), &response, meta, Policy::default().set_cookie);
    Arc::new(StoredObject::new(head, Body::from_bytes(vec![1; 1000].into())))
}

/// Stores so many other objects, which come `after` seconds, that each shard is full of them many times.
fn flood(store: &RamStore, after: i64) {
    for n in 0..5000 {
        store.insert(&key(&format!("flood-{after}-{n}")), late(after)).expect("room");
    }
}

#[test]
fn pinned_objects_stay_until_their_time_is_over() {
    let store = store(100_000);
    let pins: Vec<_> = (0..10).map(|n| key(&format!("pin-{n}"))).collect();
    for key in &pins {
        store.insert(key, pinned(&late(0), 100)).expect("room");
    }
    assert!(store.stats().pinned_bytes >= 10_000);
    flood(&store, 99);
    assert!(pins.iter().all(|key| store.contains(key)));
    flood(&store, 100);
    flood(&store, 101);
    assert_eq!(store.stats().pinned_bytes, 0);
    assert!(pins.iter().all(|key| !store.contains(key)));
}

#[test]
fn beyond_their_share_objects_are_not_pinned() {
    let store = store(100_000);
    let pins: Vec<_> = (0..80).map(|n| key(&format!("pin-{n}"))).collect();
    for key in &pins {
        store.insert(key, pinned(&late(0), 100)).expect("room");
    }
    assert!((40_000..=50_000).contains(&store.stats().pinned_bytes), "{:?}", store.stats());
    flood(&store, 1);
    let left = pins.iter().filter(|key| store.contains(key)).count();
    assert!((20..=45).contains(&left), "{left}");
    assert!(store.stats().bytes <= 100_000);
}

#[test]
fn a_pinned_object_can_be_removed_and_replaced() {
    let store = store(100_000);
    let key = key("pin");
    store.insert(&key, pinned(&late(0), 100)).expect("room");
    store.insert(&key, late(1)).expect("room");
    flood(&store, 2);
    assert!(!store.contains(&key), "what replaces it is not pinned");
    store.insert(&key, pinned(&late(3), 100)).expect("room");
    assert_eq!((store.remove(&key), store.stats().pinned_bytes), (1, 0));
}
