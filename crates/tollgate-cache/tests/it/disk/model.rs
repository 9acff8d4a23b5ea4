//! A stripe against a `BTreeMap`.

use super::{Contents, OPTIONS, as_found, body, contents, get, open, put, remove};
use proptest::prelude::*;
use std::sync::Arc;
use tollgate_cache::disk::{Device, DiskError, Found, MemoryDevice, Stripe};

const KEYS: u8 = 12;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(u8, usize),
    Remove(u8),
    Flush,
    Sync,
    Reopen,
}

pub(super) fn steps(keys: u8, most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..keys, prop_oneof![5 => 0..700usize, 2 => 2_001..7_000usize]).prop_map(|(k, n)| Step::Put(k, n)),
        3 => (0..keys).prop_map(Step::Remove),
        1 => Just(Step::Flush),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..most)
}

/// Takes the steps; the model forgets nothing. Reopening flushes before, as at an orderly stop.
fn run(steps: &[Step], bytes: usize, check: impl Fn(&Contents, &Contents)) {
    let device = Arc::new(MemoryDevice::new(vec![0; bytes]));
    let mut stripe = Arc::new(open(&device, bytes as u64).expect("a new stripe").0);
    let mut model = Contents::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Put(key, len) => {
                let body = body(number, *len);
                put(&stripe, *key, &body).expect("a good device");
                model.insert(*key, as_found(body));
            }
            Step::Remove(key) => {
                remove(&stripe, *key).expect("a good device");
                model.remove(key);
            }
            Step::Flush => drop(stripe.flush().expect("a good device")),
            Step::Sync => stripe.sync().expect("a good device"),
            Step::Reopen => {
                stripe.flush().expect("a good device");
                let (again, opened) = open(&device, bytes as u64).expect("the same stripe");
                assert_eq!(opened.found, Found::Warm);
                stripe = Arc::new(again);
            }
        }
        check(&model, &contents(&stripe, KEYS));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn while_the_log_has_room_a_stripe_is_a_map(steps in steps(KEYS, 120)) {
        run(&steps, 4 << 20, |model, found| assert_eq!(found, model));
    }

    #[test]
    fn when_the_log_comes_round_what_is_found_is_what_the_map_has(steps in steps(KEYS, 300)) {
        run(&steps, 96 << 10, |model, found| {
            for (key, body) in found {
                assert_eq!(model.get(key), Some(body), "key {key}");
            }
        });
    }
}

#[test]
fn the_newest_objects_are_found_after_many_laps() {
    let bytes = 256 << 10;
    let device = Arc::new(MemoryDevice::new(vec![0; bytes]));
    let mut stripe = Arc::new(open(&device, bytes as u64).expect("a new stripe").0);
    for step in 0..3_000usize {
        let key = (step % 200) as u8;
        put(&stripe, key, &body(step, 300)).expect("a good device");
        for back in (0..100.min(step)).step_by(7) {
            let then = step - back;
            assert_eq!(get(&stripe, (then % 200) as u8), Some(body(then, 300)), "{step} {back}");
        }
        if step % 1000 == 999 {
            stripe.flush().expect("a good device");
            stripe = Arc::new(open(&device, bytes as u64).expect("the same stripe").0);
        }
    }
}

#[test]
fn a_device_that_holds_something_else_is_left_alone() {
    let device = Arc::new(MemoryDevice::new(vec![b'x'; 1 << 20]));
    assert!(matches!(open(&device, 1 << 20), Err(DiskError::Foreign)));
    assert!(device.image().iter().all(|byte| *byte == b'x'));
}

#[test]
fn a_stripe_of_another_size_begins_empty() {
    let device = Arc::new(MemoryDevice::new(vec![0; 2 << 20]));
    let stripe = open(&device, 1 << 20).expect("a new stripe").0;
    put(&stripe, 1, b"one").expect("a good device");
    stripe.sync().expect("a good device");
    let (stripe, opened) = open(&device, 2 << 20).expect("resized");
    assert_eq!(opened.found, Found::Resized);
    assert!(contents(&Arc::new(stripe), KEYS).is_empty());
}

#[test]
fn a_stripe_of_another_version_begins_empty() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let stripe = open(&device, 1 << 20).expect("a new stripe").0;
    put(&stripe, 1, b"one").expect("a good device");
    stripe.sync().expect("a good device");
    let mut image = device.image();
    // The version, and the checksum over the page.
    for page in image[..8192].chunks_mut(4096).filter(|page| page[0] != 0) {
        page[16] = 1;
        let checksum = twox_hash::XxHash3_64::oneshot(&page[..4088]);
        page[4088..].copy_from_slice(&checksum.to_le_bytes());
    }
    let (stripe, opened) = open(&Arc::new(MemoryDevice::new(image)), 1 << 20).expect("of another version");
    assert_eq!(opened.found, Found::Resized);
    assert!(contents(&Arc::new(stripe), KEYS).is_empty());
}

#[test]
fn a_file_that_was_cut_off_has_the_objects_before() {
    let bytes = 1usize << 20;
    let device = Arc::new(MemoryDevice::new(vec![0; bytes]));
    let stripe = Arc::new(open(&device, bytes as u64).expect("a new stripe").0);
    for step in 0..200usize {
        put(&stripe, step as u8, &body(step, 3_000)).expect("a good device");
    }
    stripe.sync().expect("a good device");
    let mut image = device.image();
    let middle = bytes / 2;
    image[middle..].fill(0);
    let device = Arc::new(MemoryDevice::new(image));
    let (stripe, opened) = open(&device, bytes as u64).expect("the same stripe");
    assert_eq!(opened.found, Found::Warm);
    let found = contents(&Arc::new(stripe), 200);
    assert!(found.len() > 20 && found.len() < 180, "{}", found.len());
    for (key, found) in found {
        assert_eq!(found, body(usize::from(key), 3_000));
    }
}

#[test]
fn an_object_larger_than_the_stripe_is_refused_and_leaves_the_stripe_working() {
    let bytes = 128 << 10;
    let device = Arc::new(MemoryDevice::new(vec![0; bytes]));
    let stripe = Arc::new(open(&device, bytes as u64).expect("a new stripe").0);
    assert!(matches!(put(&stripe, 1, &body(1, 1 << 20)), Err(DiskError::Superseded)));
    assert_eq!(get(&stripe, 1), None);
    put(&stripe, 2, b"small").expect("a good device");
    assert_eq!(get(&stripe, 2).as_deref(), Some(&b"small"[..]));
}

#[test]
fn what_is_purged_while_it_is_written_is_not_published() {
    let device = Arc::new(MemoryDevice::new(vec![0; 1 << 20]));
    let (stripe, _) = Stripe::open(device as Arc<dyn Device>, 0, 1 << 20, OPTIONS, 7).expect("a new stripe");
    let key = stripe.key(b"k");
    let ticket = stripe.ticket(key);
    let fragment = stripe.write_fragment(key, ticket, 0, &["x".into()]).expect("a good device");
    stripe.forget(key);
    let document = tollgate_cache::disk::NewDocument {
        meta: b"",
        body: tollgate_cache::disk::NewBody::Fragments(&[fragment]),
        replaces: &[],
        is_pinned: false,
    };
    assert!(matches!(stripe.write_document(key, ticket, &document), Err(DiskError::Superseded)));
    assert!(!stripe.may_have(key));
}
