//! Purges of many objects and the walk through the disk.

use crate::support;
use proptest::prelude::*;
use std::sync::Arc;
use tollgate_cache::disk::{
    Device, DiskScan, DiskStore, DiskStoreOptions, MemoryDevice, StripeOptions, StripePlace,
};
use tollgate_cache::purge::Born;
use tollgate_cache::{CacheKey, Effect, Policy, Purges, Standing, StoredHead, StoredMeta, Target};
use tollgate_http::{Method, Request, Response};

const KEYS: u8 = 12;
const TAGS: u8 = 3;
/// Later than all purges.
const LATER: i64 = i64::MAX;

struct Disk {
    device: Arc<MemoryDevice>,
    store: DiskStore,
    purges: Purges,
    scan: DiskScan,
    /// Up to which purge the walk under way judges.
    number: Option<u64>,
}

fn open(device: &Arc<MemoryDevice>) -> DiskStore {
    let options = DiskStoreOptions {
        stripe: StripeOptions { average_object_bytes: 512, buffer_bytes: 8 * 1024, max_errors: 0 },
        fragment_bytes: 2_000,
        evacuate_percent: 60,
        ..DiskStoreOptions::default()
    };
    let len = device.image().len() as u64;
    let device = Arc::clone(device) as Arc<dyn Device>;
    let place = StripePlace { name: "disk".into(), device, base: 0, len, volume: 0 };
    let (store, mut opened) = DiskStore::open(vec![place], options);
    opened.remove(0).1.expect("a good device");
    store
}

fn key(key: u8) -> CacheKey {
    CacheKey::for_url(&format!("http://h/{key}").parse().expect("a URL"), -1)
}

fn tag(number: u8) -> Target {
    Target::Tag(format!("t{number}").into_bytes().into())
}

impl Disk {
    fn new(bytes: usize) -> Disk {
        let device = Arc::new(MemoryDevice::new(vec![0; bytes]));
        let store = open(&device);
        Disk { device, store, purges: Purges::default(), scan: DiskScan::default(), number: None }
    }

    /// Stores an object that was asked for when the newest purge was `born`.
    fn put(&self, number: u8, body: &[u8], born: u64) {
        let key = key(number);
        let request = Request::new(Method::Get, "http://h/".parse().expect("a URL"));
        let mut response = Response::new(200);
        response.headers.append("Surrogate-Key", format!("t{}", number % TAGS));
        let meta = StoredMeta::new(&response, support::T0, support::T0);
        let head = StoredHead::new(&request, &response, meta, Policy::default().set_cookie)
            .born_as(&key, Born { purge: born, removals: None });
        let mut writer = self.store.writer(&key).expect("a stripe");
        for piece in body.chunks(1_000) {
            if writer.push(piece.to_vec().into()) {
                writer.write().expect("a good device");
            }
        }
        writer.commit(&head).expect("a good device");
    }

    /// Length of the body and since when it is stale, of what would be served.
    fn get(&self, number: u8) -> Option<(u64, Option<i64>)> {
        let key = key(number);
        let object = self.store.load(&key).expect("a good device").into_iter().next()?;
        let is_gone = self.purges.judge(&key, object.head().mark()) == Standing::Gone;
        (!is_gone).then(|| (object.body().len(), object.head().stale_since()))
    }

    /// Writes an object ahead, if it is served and would be overwritten soon.
    fn hit(&self, number: u8) {
        let key = key(number);
        let Some(object) = self.store.load(&key).expect("a good device").into_iter().next() else { return };
        if self.purges.judge(&key, object.head().mark()) == Standing::Gone {
            return;
        }
        if let Some(evacuation) = self.store.evacuation(&key, &Arc::new(object)) {
            self.store.evacuate(&evacuation).expect("a good device");
        }
    }

    /// Judges some documents, then forgets the purges that may be.
    fn judge(&mut self, documents: usize) -> bool {
        let number = *self.number.get_or_insert(self.purges.newest());
        let left = std::cell::Cell::new(documents);
        let may_go_on = || {
            left.set(left.get().saturating_sub(1));
            left.get() > 0
        };
        let is_done = self.store.judge_some(&mut self.scan, number, &self.purges, may_go_on);
        if is_done {
            self.number = None;
        }
        self.retire();
        is_done
    }

    fn retire(&self) {
        self.purges.retire(self.store.judged_for_good().expect("a stripe"), LATER);
    }

    /// Starts again with what the device has. The purges were written down.
    fn reopen(&mut self) {
        self.device = Arc::new(MemoryDevice::new(self.device.image()));
        self.store = open(&self.device);
        (self.scan, self.number) = (DiskScan::default(), None);
    }

    fn sync(&self) {
        assert!(self.store.sync().is_empty());
        self.retire();
    }
}

#[test]
fn a_purge_is_forgotten_when_both_copies_of_the_index_are_from_after_the_walk() {
    let mut disk = Disk::new(4 << 20);
    (0..100).for_each(|n| disk.put(n, b"body", 0));
    disk.sync();
    disk.purges.add(tag(0), Effect::Hard, 1).expect("a tag");
    disk.purges.add(tag(1), Effect::Soft, 2).expect("a tag");
    while !disk.judge(7) {}
    assert_eq!(disk.store.stats().documents, 66, "those with the first tag have left the index");
    assert_eq!((disk.store.judged_for_good(), disk.purges.stats().tags), (Some(0), 2));
    disk.sync();
    assert_eq!(disk.store.judged_for_good(), Some(0), "one copy of the index is older");
    disk.sync();
    assert_eq!((disk.store.judged_for_good(), disk.purges.stats().tags), (Some(2), 0));
    for again in [false, true] {
        for n in 0..100 {
            let expected = [None, Some((4, Some(2))), Some((4, None))][usize::from(n % TAGS)];
            assert_eq!(disk.get(n), expected, "{n} {again}");
        }
        disk.reopen();
    }
    assert_eq!(disk.store.judged_for_good(), Some(2));
}

#[test]
fn upkeep_syncs_what_was_judged_although_nothing_was_written() {
    let mut disk = Disk::new(4 << 20);
    disk.put(0, b"body", 0);
    disk.sync();
    assert!(disk.store.maintain(1_000).is_empty());
    disk.purges.add(tag(0), Effect::Hard, 1).expect("a tag");
    while !disk.judge(7) {}
    for now in [1_100, 1_200] {
        assert!(disk.store.maintain(now).is_empty());
    }
    assert_eq!(disk.store.judged_for_good(), Some(1));
}

#[test]
fn the_number_of_purges_stays_bounded_and_nothing_else_is_lost() {
    let mut disk = Disk::new(4 << 20);
    (0..100).for_each(|n| disk.put(n, b"body", 0));
    for round in 0..5_000 {
        let regex = format!("/nothing{round}$");
        disk.purges.add(Target::Regex(regex.into()), Effect::Hard, round).expect("an expression");
        if round % 500 == 499 {
            while !disk.judge(100) {}
            disk.sync();
            disk.sync();
            assert_eq!(disk.purges.stats().bans, 0);
        }
    }
    assert_eq!(disk.purges.stats().overflows, 0);
    assert!((0..100).all(|n| disk.get(n) == Some((4, None))));
}

#[test]
fn objects_made_stale_by_many_walks_are_stale_since_then_or_earlier() {
    let mut disk = Disk::new(4 << 20);
    for n in 0..60 {
        disk.put(n, b"body", disk.purges.newest());
        let at = 1_000 + i64::from(n);
        let ends = Target::Regex(format!("/{n}$").into());
        disk.purges.add(ends, Effect::Soft, at).expect("an expression");
        while !disk.judge(100) {}
        disk.sync();
        disk.sync();
        assert_eq!(disk.purges.stats().bans, 0);
        for older in 0..=n {
            let (_, since) = disk.get(older).expect("stored");
            let since = since.expect("stale");
            assert!((1_000..=1_000 + i64::from(older)).contains(&since), "{older} {since}");
        }
        assert_eq!(disk.get(n), Some((4, Some(at))), "the newest is told exactly");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, usize),
    /// Of a response that was asked for before the last purge.
    PutLate(u8, usize),
    Purge(u8, Effect),
    Judge(usize),
    Hit(u8),
    Sync,
    Flush,
    Restart,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = || prop_oneof![4 => 0..600usize, 1 => 2_001..5_000usize];
    let effect = prop_oneof![Just(Effect::Soft), Just(Effect::Hard)];
    let step = prop_oneof![
        8 => (0..KEYS, size()).prop_map(|(k, n)| Step::Put(k, n)),
        2 => (0..KEYS, size()).prop_map(|(k, n)| Step::PutLate(k, n)),
        3 => (0..TAGS, effect).prop_map(|(t, e)| Step::Purge(t, e)),
        6 => (1..20usize).prop_map(Step::Judge),
        4 => (0..KEYS).prop_map(Step::Hit),
        2 => Just(Step::Sync),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..150)
}

/// An object that was stored.
#[derive(Clone, Debug)]
struct Stored {
    key: u8,
    /// No other object has a body of that length.
    len: u64,
    born: u64,
}

#[derive(Default)]
struct Model {
    stored: Vec<Stored>,
    /// Tag, effect and time of the purges, in their order.
    purges: Vec<(u8, Effect, i64)>,
    was_killed: bool,
}

impl Model {
    /// How an object stands.
    fn standing(&self, object: &Stored) -> Standing {
        let newer =
            self.purges.iter().skip(object.born as usize).filter(|(tag, ..)| *tag == object.key % TAGS);
        let mut standing = Standing::Untouched;
        for (_, effect, at) in newer {
            match effect {
                Effect::Hard => return Standing::Gone,
                // Of soft purges of one tag the newest is remembered.
                Effect::Soft => standing = Standing::Stale { since: *at },
            }
        }
        standing
    }

    fn check(&self, key: u8, found: Option<(u64, Option<i64>)>, forgotten: u64, all_are_found: bool) {
        let of_key = || self.stored.iter().filter(|object| object.key == key);
        let Some((len, stale)) = found else {
            let newest = of_key().next_back();
            let is_expected = newest
                .is_none_or(|object| object.born < forgotten || self.standing(object) == Standing::Gone);
            assert!(is_expected || self.was_killed || !all_are_found, "{key}: {newest:?} is lost");
            return;
        };
        let object = of_key().find(|object| object.len == len).expect("it was stored");
        let is_newest = of_key().next_back().is_some_and(|newest| newest.len == len);
        assert!(is_newest || self.was_killed, "{key}: {object:?} was replaced");
        match (self.standing(object), stale) {
            (Standing::Untouched, None) => {}
            (Standing::Stale { since }, Some(found)) => assert!(found <= since, "{key}: {object:?} {found}"),
            (standing, found) => panic!("{key}: {object:?} is {standing:?} and found {found:?}"),
        }
    }
}

fn run(steps: &[Step], bytes: usize, all_are_found: bool) {
    let mut disk = Disk::new(bytes);
    let mut model = Model::default();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Put(key, len) | Step::PutLate(key, len) => {
                let late = u64::from(matches!(step, Step::PutLate(..)));
                let born = disk.purges.newest().saturating_sub(late);
                let body = vec![b'x'; len / 200 * 200 + number];
                disk.put(*key, &body, born);
                model.stored.push(Stored { key: *key, len: body.len() as u64, born });
            }
            Step::Purge(tagged, effect) => {
                let at = 1_000 + number as i64;
                disk.purges.add(tag(*tagged), *effect, at).expect("a tag");
                model.purges.push((*tagged, *effect, at));
            }
            Step::Judge(documents) => _ = disk.judge(*documents),
            Step::Hit(key) => disk.hit(*key),
            Step::Sync => disk.sync(),
            Step::Flush => assert!(disk.store.maintain(0).is_empty()),
            Step::Restart => {
                disk.sync();
                disk.reopen();
            }
            Step::Kill => {
                disk.reopen();
                model.was_killed = true;
            }
        }
        let forgotten = disk.purges.stats().forgotten;
        (0..KEYS).for_each(|key| model.check(key, disk.get(key), forgotten, all_are_found));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_was_purged_is_never_found_and_what_was_not_is(steps in steps()) {
        run(&steps, 4 << 20, true);
    }

    #[test]
    fn what_was_purged_is_not_found_when_the_log_comes_round(steps in steps()) {
        run(&steps, 96 << 10, false);
    }
}
