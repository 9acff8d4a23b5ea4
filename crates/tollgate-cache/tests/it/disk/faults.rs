//! A device that fails at every step of a script: nothing wrong is ever read, and the stripe goes on.

use super::device::{Fault, FaultyDevice};
use super::{Contents, OPTIONS, as_found, body, contents, get, open, put, remove};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use tollgate_cache::disk::{Device, DiskError, Found, Stripe, StripeOptions};

const BYTES: usize = 64 << 10;
const KEYS: u8 = 6;
const STEPS: usize = 45;

/// What may be found: in memory the newest, after a crash anything since the last removal that was confirmed.
#[derive(Default)]
struct Allowed {
    newest: Contents,
    since_removal: BTreeMap<u8, BTreeSet<Vec<u8>>>,
}

/// Small ones, and large ones of every form.
fn body_of(step: usize) -> Vec<u8> {
    body(step, if step.is_multiple_of(3) { 5_000 + step / 3 % 4 } else { 600 })
}

/// Puts, removals, syncs and look-ups; more than a lap of the log.
fn script(stripe: &Arc<Stripe>, allowed: &mut Allowed) {
    for step in 0..STEPS {
        let key = (step * 5 % 7) as u8 % KEYS;
        match step % 10 {
            4 => {
                allowed.newest.remove(&key);
                if remove(stripe, key).is_ok() {
                    allowed.since_removal.remove(&key);
                }
            }
            // A failed sync leaves the one before.
            7 => _ = stripe.sync(),
            _ => {
                let body = body_of(step);
                allowed.newest.remove(&key);
                let is_stored = put(stripe, key, &body).is_ok();
                let found = as_found(body);
                if is_stored {
                    allowed.newest.insert(key, found.clone());
                }
                allowed.since_removal.entry(key).or_default().insert(found);
            }
        }
        // Every look-up is a step at which the device may fail; a few will do.
        let looked_at = step as u8 % KEYS;
        if let Some(body) = get(stripe, looked_at) {
            assert_eq!(allowed.newest.get(&looked_at), Some(&body), "step {step}, key {looked_at}");
        }
    }
}

fn may_come_back(stripe: &Arc<Stripe>, allowed: &Allowed, what: &str) {
    for (key, body) in contents(stripe, KEYS) {
        let is_known = allowed.since_removal.get(&key).is_some_and(|bodies| bodies.contains(&body));
        assert!(is_known, "{what}: key {key} has {} bytes of something else", body.len());
    }
}

/// The script with a fault at each operation in turn; then the device is well again.
fn at_every_step(fault: Fault, lasting: u64) {
    let quiet = Arc::new(FaultyDevice::new(BYTES, fault, u64::MAX, u64::MAX));
    let stripe = Arc::new(open(&quiet, BYTES as u64).expect("a good device").0);
    script(&stripe, &mut Allowed::default());
    let operations = quiet.operations();
    assert!(operations > 100, "{operations} operations");
    for at in 0..operations {
        let device = Arc::new(FaultyDevice::new(BYTES, fault, at, at.saturating_add(lasting)));
        let mut allowed = Allowed::default();
        // A stripe that cannot be opened serves nothing.
        if let Ok((stripe, _)) = open(&device, BYTES as u64) {
            let stripe = Arc::new(stripe);
            script(&stripe, &mut allowed);
            device.heal();
            put(&stripe, 0, b"after").expect("the device is well again");
            assert_eq!(get(&stripe, 0).as_deref(), Some(&b"after"[..]));
            allowed.since_removal.entry(0).or_default().insert(b"after".to_vec());
        }
        device.heal();
        let (stripe, _) = open(&device, BYTES as u64).expect("the device is well again");
        let stripe = Arc::new(stripe);
        may_come_back(&stripe, &allowed, &format!("{fault:?} at operation {at}"));
        put(&stripe, 1, b"again").expect("the device is well again");
        assert_eq!(get(&stripe, 1).as_deref(), Some(&b"again"[..]));
    }
}

#[test]
fn an_io_error_at_any_step_never_makes_wrong_contents() {
    at_every_step(Fault::Error(ErrorKind::Other), 1);
}

#[test]
fn a_full_disk_at_any_step_never_makes_wrong_contents() {
    at_every_step(Fault::Short(ErrorKind::StorageFull), 5);
}

#[test]
fn a_torn_write_at_any_step_never_makes_wrong_contents() {
    at_every_step(Fault::Torn, 1);
}

#[test]
fn a_turned_bit_at_any_step_is_never_served() {
    let quiet = Arc::new(FaultyDevice::new(BYTES, Fault::BitFlip, u64::MAX, u64::MAX));
    let stripe = Arc::new(open(&quiet, BYTES as u64).expect("a good device").0);
    script(&stripe, &mut Allowed::default());
    for at in 0..quiet.operations() {
        let device = Arc::new(FaultyDevice::new(BYTES, Fault::BitFlip, at, at + 1));
        let Ok((stripe, _)) = open(&device, BYTES as u64) else { continue };
        let mut allowed = Allowed::default();
        script(&Arc::new(stripe), &mut allowed);
        if let Ok((stripe, _)) = open(&device, BYTES as u64) {
            // What a damaged tombstone should have removed may come back, but nothing that never was.
            for (_, found) in contents(&Arc::new(stripe), KEYS) {
                let is_known = (0..STEPS).any(|step| found == as_found(body_of(step)));
                assert!(is_known, "operation {at}");
            }
        }
    }
}

#[test]
fn a_device_that_keeps_failing_is_given_up_and_asked_no_more() {
    let device = Arc::new(FaultyDevice::new(BYTES, Fault::Error(ErrorKind::Other), u64::MAX, u64::MAX));
    let options = StripeOptions { max_errors: 3, ..OPTIONS };
    let opened = Stripe::open(Arc::clone(&device) as Arc<dyn Device>, 0, BYTES as u64, options, 7);
    let (stripe, opened) = opened.expect("a good device");
    assert_eq!(opened.found, Found::New);
    drop(stripe);
    let bad = Arc::new(FaultyDevice::new(BYTES, Fault::Error(ErrorKind::Other), 30, u64::MAX));
    let opened = Stripe::open(Arc::clone(&bad) as Arc<dyn Device>, 0, BYTES as u64, options, 7);
    let stripe = Arc::new(opened.expect("good at first").0);
    let mut errors = 0;
    while !stripe.is_offline() {
        errors += u32::from(put(&stripe, 1, &body(1, 600)).is_err());
        assert!(errors < 10, "never given up");
    }
    let operations = bad.operations();
    assert!(matches!(put(&stripe, 1, b"x"), Err(DiskError::Offline)));
    assert_eq!(get(&stripe, 1), None);
    assert_eq!(bad.operations(), operations, "it is not asked any more");
}
