//! Crashes at any moment: what is found afterwards is what the log held up to some moment, and no earlier one than
//! what was confirmed.

use super::device::{Event, RecordingDevice};
use super::model::{Step, steps};
use super::{Contents, as_found, body, contents, open, put, remove};
use proptest::prelude::*;
use std::sync::Arc;
use tollgate_cache::disk::{Found, MemoryDevice};

const KEYS: u8 = 10;
const SECTOR: usize = 512;

/// The contents after each step, and how many events the device had seen by then.
struct History {
    states: Vec<Contents>,
    events_at: Vec<usize>,
    /// Whether all up to the step was confirmed to be on the disk.
    durable: Vec<bool>,
    /// Whether all up to the step had been handed to the operating system.
    handed_over: Vec<bool>,
    events: Vec<Event>,
    first: Vec<u8>,
}

/// Runs the steps on a new stripe. `Reopen` is an orderly stop and a start.
fn history(steps: &[Step], bytes: usize) -> History {
    let fresh = Arc::new(MemoryDevice::new(vec![0; bytes]));
    drop(open(&fresh, bytes as u64).expect("a new stripe"));
    let first = fresh.image();
    let device = Arc::new(RecordingDevice::new(first.clone()));
    let mut stripe = Arc::new(open(&device, bytes as u64).expect("the stripe").0);
    let mut state = Contents::new();
    let mut history = History {
        states: vec![state.clone()],
        events_at: vec![device.count()],
        durable: vec![true],
        handed_over: vec![true],
        events: Vec::new(),
        first,
    };
    for (number, step) in steps.iter().enumerate() {
        let (mut durable, mut handed_over) = (false, false);
        match step {
            Step::Put(key, len) => {
                let body = body(number, *len);
                put(&stripe, *key, &body).expect("a good device");
                state.insert(*key, as_found(body));
            }
            Step::Remove(key) => {
                remove(&stripe, *key).expect("a good device");
                state.remove(key);
                durable = true;
            }
            Step::Flush => {
                stripe.flush().expect("a good device");
                handed_over = true;
            }
            Step::Sync => {
                stripe.sync().expect("a good device");
                durable = true;
            }
            Step::Reopen => {
                stripe.sync().expect("a good device");
                stripe = Arc::new(open(&device, bytes as u64).expect("the stripe").0);
                durable = true;
            }
        }
        history.states.push(state.clone());
        history.events_at.push(device.count());
        history.durable.push(durable);
        history.handed_over.push(handed_over || durable);
    }
    history.events = device.events();
    history
}

impl History {
    /// What is on the disk if the process is killed after `events` events, the last of which may be cut short.
    fn image_after_kill(&self, events: usize, cut: usize) -> Vec<u8> {
        let mut image = self.first.clone();
        for (at, event) in self.events[..events].iter().enumerate() {
            if let Event::Write { offset, bytes } = event {
                let len = if at + 1 == events { bytes.len().min(cut) } else { bytes.len() };
                apply(&mut image, *offset, &bytes[..len]);
            }
        }
        image
    }

    /// What is on the disk if the power fails after `events` events: of what was not synced any sectors may be there.
    fn image_after_power_failure(&self, events: usize, mut choice: u64) -> Vec<u8> {
        let mut image = self.first.clone();
        let is_sync = |event: &Event| matches!(event, Event::Sync);
        let synced = self.events[..events].iter().rposition(is_sync).unwrap_or(0);
        for (at, event) in self.events[..events].iter().enumerate() {
            let Event::Write { offset, bytes } = event else { continue };
            if at < synced {
                apply(&mut image, *offset, bytes);
                continue;
            }
            for (sector, part) in bytes.chunks(SECTOR).enumerate() {
                choice =
                    choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if choice >> 62 != 0 {
                    apply(&mut image, offset + (sector * SECTOR) as u64, part);
                }
            }
        }
        image
    }

    /// The contents found in `image` must be those after some step from `least` on; or, with `subset`, part of them.
    fn check(&self, image: Vec<u8>, least: usize, subset: bool) {
        let len = image.len() as u64;
        let device = Arc::new(MemoryDevice::new(image));
        let (stripe, opened) = open(&device, len).expect("the stripe");
        assert_eq!(opened.found, Found::Warm);
        let stripe = Arc::new(stripe);
        let found = contents(&stripe, KEYS);
        let fits = |state: &Contents| match subset {
            false => *state == found,
            true => found.iter().all(|(key, body)| state.get(key) == Some(body)),
        };
        let keys = |c: &Contents| c.iter().map(|(k, v)| (*k, v.len())).collect::<Vec<_>>();
        assert!(
            self.states[least..].iter().any(fits),
            "from step {least} on there never was {:?}, but {:?}",
            keys(&found),
            self.states[least..].iter().map(keys).collect::<Vec<_>>()
        );
        // And it goes on from there, through another stop.
        put(&stripe, 0, b"after the crash").expect("a good device");
        stripe.flush().expect("a good device");
        let again = contents(&Arc::new(open(&device, len).expect("the stripe").0), KEYS);
        let mut wanted = found;
        wanted.insert(0, b"after the crash".to_vec());
        assert!(again.iter().all(|(key, body)| wanted.get(key) == Some(body)), "{:?}", keys(&again));
        assert!(again.contains_key(&0));
        assert!(subset || again == wanted, "{:?} {:?}", keys(&again), keys(&wanted));
    }

    fn last(&self, confirmed: &[bool], events: usize) -> usize {
        (0..confirmed.len()).rfind(|step| confirmed[*step] && self.events_at[*step] <= events).unwrap_or(0)
    }
}

fn apply(image: &mut [u8], offset: u64, bytes: &[u8]) {
    image[offset as usize..][..bytes.len()].copy_from_slice(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn after_a_kill_the_stripe_is_as_after_some_step(
        steps in steps(KEYS, 60), points in prop::collection::vec((any::<prop::sample::Index>(), 0..9000usize), 8),
    ) {
        let history = history(&steps, 640 << 10);
        for (point, cut) in points {
            let start = history.events_at[0];
            let events = start + point.index(history.events.len() - start + 1);
            let least = history.last(&history.handed_over, events.saturating_sub(1));
            history.check(history.image_after_kill(events, cut), least, false);
        }
    }

    #[test]
    fn after_a_power_failure_the_stripe_is_as_after_some_step(
        steps in steps(KEYS, 60), points in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 8),
    ) {
        let history = history(&steps, 640 << 10);
        for (point, choice) in points {
            let start = history.events_at[0];
            let events = start + point.index(history.events.len() - start + 1);
            let least = history.last(&history.durable, events);
            history.check(history.image_after_power_failure(events, choice), least, false);
        }
    }

    #[test]
    fn after_a_crash_in_a_later_lap_nothing_is_found_that_was_not_there(
        steps in steps(KEYS, 200), points in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 8),
    ) {
        let history = history(&steps, 80 << 10);
        for (point, choice) in points {
            let start = history.events_at[0];
            let events = start + point.index(history.events.len() - start + 1);
            let least = history.last(&history.durable, events);
            history.check(history.image_after_power_failure(events, choice), least, true);
        }
    }
}
