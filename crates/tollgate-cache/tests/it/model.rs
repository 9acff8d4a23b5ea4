//! The RAM store against a `BTreeMap`: whatever is done, what is found is what was put in, within the budget.

use crate::support::{get, key, object_for, pinned};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tollgate_cache::{Lookup, RamStore, RamStoreSettings, StoredObject};

const BUDGET: u64 = 60_000;

#[derive(Clone, Debug)]
enum Step {
    Insert { path: u8, tag: Option<u8>, len: usize },
    Update { path: u8, tag: Option<u8>, len: usize },
    Lookup { path: u8, tag: Option<u8> },
    Remove { path: u8 },
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let tag = || proptest::option::of(0u8..4);
    prop_oneof![
        6 => (0u8..20, tag(), 0usize..9000).prop_map(|(path, tag, len)| Step::Insert { path, tag, len }),
        2 => (0u8..20, tag(), 0usize..9000).prop_map(|(path, tag, len)| Step::Update { path, tag, len }),
        8 => (0u8..20, tag()).prop_map(|(path, tag)| Step::Lookup { path, tag }),
        2 => (0u8..20).prop_map(|path| Step::Remove { path }),
        1 => Just(Step::Clear),
    ]
}

/// A response that varies by `Foo` if the request has one, and answers everyone if not. Each third length is pinned.
fn make(path: u64, tag: Option<u8>, len: usize) -> Arc<StoredObject> {
    let value = tag.map(|f| f.to_string());
    let fields: Vec<(&str, &str)> = value.iter().map(|v| ("Foo", v.as_str())).collect();
    let vary = if tag.is_some() { "\nVary: Foo" } else { "" };
    let object = object_for(&get(&fields), &format!("Cache-Control: max-age=60{vary}"), &vec![7; len]);
    let object = if len.is_multiple_of(3) { pinned(&object, 10) } else { object };
    Arc::new(object.under(&key(&path.to_string())))
}

/// Newest first: the variant and its object.
type Model = BTreeMap<u8, Vec<(Option<u8>, Arc<StoredObject>)>>;

fn in_model(model: &Model, path: u8, tag: Option<u8>) -> Option<&Arc<StoredObject>> {
    model.get(&path)?.iter().find(|(f, _)| f.is_none() || *f == tag).map(|(_, o)| o)
}

fn insert_in_model(model: &mut Model, path: u8, tag: Option<u8>, object: Arc<StoredObject>) {
    let alternates = model.entry(path).or_default();
    alternates.retain(|(f, _)| tag.is_some() && *f != tag);
    alternates.insert(0, (tag, object));
    alternates.truncate(3);
}

/// Making room may have evicted the key itself: then the new object alone is there.
fn forget_evicted(model: &mut Model, path: u8, store: &RamStore) {
    if store.alternates(&key(&path.to_string())).len() == 1 {
        model.entry(path).or_default().truncate(1);
    }
}

proptest! {
    #[test]
    fn the_store_behaves_like_a_map_that_forgets(steps in proptest::collection::vec(step(), 1..200)) {
        let store = RamStore::new(RamStoreSettings { budget_bytes: BUDGET, cutoff_bytes: 8000, max_alternates: 3, pinned_percent: 30 });
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Insert { path, tag, len } => {
                    let object = make(path.into(), tag, len);
                    let too_large = object.memory_bytes() > 8000;
                    let stored = store.insert(&key(&path.to_string()), Arc::clone(&object)).is_ok();
                    prop_assert!(!(stored && too_large));
                    if stored {
                        insert_in_model(&mut model, path, tag, object);
                        forget_evicted(&mut model, path, &store);
                    }
                }
                Step::Update { path, tag, len } => {
                    let Some(old) = in_model(&model, path, tag).cloned() else { continue };
                    let Some(at) = model[&path].iter().position(|(_, o)| Arc::ptr_eq(o, &old)) else { continue };
                    let variant = model[&path][at].0;
                    let new = make(path.into(), variant, len);
                    if store.update(&key(&path.to_string()), &old, Arc::clone(&new)) {
                        let alternates = model.entry(path).or_default();
                        alternates.remove(at);
                        alternates.insert(0, (variant, new));
                        forget_evicted(&mut model, path, &store);
                    }
                }
                Step::Lookup { path, tag } => {
                    let value = tag.map(|f| f.to_string());
                    let fields: Vec<(&str, &str)> = value.iter().map(|v| ("Foo", v.as_str())).collect();
                    let expected = in_model(&model, path, tag).cloned();
                    match store.lookup(&key(&path.to_string()), &get(&fields)) {
                        Lookup::Found(object) => {
                            let same = expected.is_some_and(|e| Arc::ptr_eq(&e, &object));
                            prop_assert!(same, "not what was put in last");
                        }
                        Lookup::VaryMiss => prop_assert!(expected.is_none()),
                        // Evicted: the model forgets too.
                        Lookup::Miss => { model.remove(&path); }
                    }
                }
                Step::Remove { path } => {
                    store.remove(&key(&path.to_string()));
                    model.remove(&path);
                    prop_assert!(!store.contains(&key(&path.to_string())));
                }
                Step::Clear => {
                    store.clear();
                    model.clear();
                    prop_assert_eq!(store.stats().bytes, 0);
                }
            }
            prop_assert!(store.stats().bytes <= BUDGET);
        }
        let held: usize = (0u8..20).map(|p| store.alternates(&key(&p.to_string())).len()).sum();
        prop_assert_eq!(store.stats().objects, held as u64);
        for path in 0u8..20 {
            store.remove(&key(&path.to_string()));
        }
        let left = store.stats();
        prop_assert_eq!((left.bytes, left.objects, left.pinned_bytes), (0, 0, 0));
    }
}

#[test]
fn threads_never_exceed_the_budget_and_leave_nothing_behind() {
    let store = RamStore::new(RamStoreSettings {
        budget_bytes: BUDGET,
        cutoff_bytes: 0,
        max_alternates: 2,
        pinned_percent: 30,
    });
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                let mut seed = thread + 1;
                for _ in 0..3000 {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let path = (seed >> 33) % 64;
                    let key = key(&path.to_string());
                    match (seed >> 50) % 4 {
                        0 => drop(store.remove(&key)),
                        1 => drop(store.lookup(&key, &get(&[]))),
                        _ => assert!(
                            store.insert(&key, make(path, None, (seed >> 40) as usize % 4000)).is_ok()
                        ),
                    }
                    assert!(store.stats().bytes <= BUDGET);
                }
            });
        }
    });
    for path in 0..64 {
        store.remove(&key(&path.to_string()));
    }
    assert_eq!((store.stats().bytes, store.stats().objects), (0, 0));
}
