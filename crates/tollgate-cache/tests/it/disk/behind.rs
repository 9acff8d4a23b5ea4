//! Objects that wait to be written.

use super::store::{body_of, bytes, devices, head, key, open, options, store_object};
use std::sync::Arc;
use tollgate_cache::disk::{DiskError, DiskStore, DiskStoreOptions, Errand, Next};
use tollgate_cache::{Body, CacheKey, StoredObject};

fn object(len: usize, fields: &[(&str, &str)]) -> Arc<StoredObject> {
    Arc::new(StoredObject::new(head("a", fields), Body::from_bytes(bytes(len))))
}

fn put(store: &DiskStore, key: &CacheKey, object: Arc<StoredObject>) -> Next {
    let room = store.reserve(key, object.body().len()).expect("room");
    store.write_behind(store.writer(key).expect("a stripe"), object, room)
}

fn run(errand: Errand) {
    errand.run(|key, error| panic!("{key:?}: {error}"));
}

fn lens(store: &DiskStore, key: &CacheKey) -> Vec<usize> {
    store.load(key).expect("a good device").iter().map(|object| body_of(object).len()).collect()
}

#[test]
fn many_objects_are_one_errand_and_found_when_it_is_done() {
    let (store, _) = open(&devices(1), DiskStoreOptions { backlog_bytes: 200_000, ..options() });
    let keys: Vec<CacheKey> = (0..50).map(|n| key(&format!("http://h/{n}"))).collect();
    let mut soon = Vec::new();
    let mut now = Vec::new();
    for key in &keys {
        match put(&store, key, object(1_500, &[])) {
            Next::Nothing => {}
            Next::Soon(errand) => soon.push(errand),
            Next::Now(errand) => now.push(errand),
        }
        assert!(!store.may_have(key), "it waits");
    }
    assert_eq!((soon.len(), now.len()), (1, 1), "a quarter of what may wait is worth an errand at once");
    now.into_iter().chain(soon).for_each(run);
    assert!(keys.iter().all(|key| lens(&store, key) == [1_500]));
    assert!(store.reserve(&keys[0], 200_000).is_some(), "nothing waits any more");
}

#[test]
fn an_errand_that_nobody_ran_does_not_keep_later_ones_from_being_asked_for() {
    let (store, _) = open(&devices(1), options());
    let key = key("http://h/");
    drop(put(&store, &key, object(10, &[])));
    assert!(matches!(put(&store, &key, object(20, &[])), Next::Nothing), "somebody has been asked");
    store.write_waiting(|key, error| panic!("{key:?}: {error}"));
    assert_eq!(lens(&store, &key), [20], "in order");
    let Next::Soon(errand) = put(&store, &key, object(30, &[])) else { panic!("nobody is asked") };
    run(errand);
    assert_eq!(lens(&store, &key), [30]);
}

#[test]
fn an_object_that_does_not_wait_comes_after_those_of_its_key_that_do() {
    let (store, _) = open(&devices(1), options());
    let (one, two) = (key("http://h/1"), key("http://h/2"));
    let _: [Next; 2] = [put(&store, &one, object(10, &[])), put(&store, &two, object(10, &[]))];
    store.settle(&one, |key, error| panic!("{key:?}: {error}"));
    store_object(&store, &one, &head("a", &[]), &bytes(25_000));
    store.write_waiting(|key, error| panic!("{key:?}: {error}"));
    assert_eq!((lens(&store, &one), lens(&store, &two)), (vec![25_000], vec![10]));
}

#[test]
fn what_is_removed_while_it_waits_is_not_written() {
    let (store, _) = open(&devices(1), options());
    let (one, two) = (key("http://h/1"), key("http://h/2"));
    let _: [Next; 2] = [put(&store, &one, object(10, &[])), put(&store, &two, object(10, &[]))];
    store.remove(&one);
    let mut failed = Vec::new();
    store.write_waiting(|key, error| failed.push((key.clone(), matches!(error, DiskError::Superseded))));
    assert_eq!(failed, [(one.clone(), true)]);
    assert!(!store.may_have(&one) && store.may_have(&two));
}

#[test]
fn objects_put_by_many_threads_are_written_each_once() {
    let (store, _) = open(&devices(1), options());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..100 {
                    match put(store, &key(&format!("http://h/{thread}/{n}")), object(500, &[])) {
                        Next::Nothing => {}
                        Next::Soon(errand) | Next::Now(errand) => run(errand),
                    }
                }
            });
        }
    });
    store.write_waiting(|key, error| panic!("{key:?}: {error}"));
    assert_eq!(store.stats().documents_written, 400);
    let is_there = |name: &str| lens(&store, &key(&format!("http://h/{name}"))) == [500];
    assert!((0..4).all(|thread| (0..100).all(|n| is_there(&format!("{thread}/{n}")))));
}
