//! Fills whose bytes come to a disk, too: readers lag, and begin late, without loss.

use crate::support::{get, head, key, poll_bytes};
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tollgate_cache::disk::{
    Device, DiskStore, DiskStoreOptions, DiskWriter, MemoryDevice, StripeOptions, StripePlace,
};
use tollgate_cache::negotiate::Negotiation;
use tollgate_cache::{AbortReason, Collapser, FillLimits, FillReader, FillWriter, FollowerStart, Role};

const BYTES: u64 = 4 << 20;
const FRAGMENT_BYTES: usize = 500;

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn store() -> DiskStore {
    let options = DiskStoreOptions {
        stripe: StripeOptions { average_object_bytes: 1000, buffer_bytes: 16 * 1024, max_errors: 0 },
        fragment_bytes: FRAGMENT_BYTES,
        ..DiskStoreOptions::default()
    };
    let device = Arc::new(MemoryDevice::new(vec![0; BYTES as usize])) as Arc<dyn Device>;
    let place = StripePlace { name: "disk".into(), device, base: 0, len: BYTES, volume: 0 };
    DiskStore::open(vec![place], options).0
}

/// A fetch with what it writes to the disk.
struct Fetch {
    collapser: Collapser,
    fill: FillWriter,
    disk: Option<DiskWriter>,
    sent: Vec<u8>,
}

impl Fetch {
    fn begin(store: &DiskStore, max_object_bytes: u64, window_bytes: u64) -> Fetch {
        let collapser = Collapser::new(FillLimits { max_object_bytes, window_bytes });
        let Role::Leader(fill) = collapser.join(&key("a")) else { panic!("nobody leads yet") };
        let disk = store.writer(&key("a")).expect("a stripe");
        fill.spill_to(disk.spill());
        fill.publish_header(Arc::new(head("Cache-Control: max-age=9")));
        Fetch { collapser, fill, disk: Some(disk), sent: Vec::new() }
    }

    fn append(&mut self, len: usize) {
        let chunk: Bytes = (0..len).map(|i| ((self.sent.len() + i) % 251) as u8).collect();
        self.sent.extend_from_slice(&chunk);
        self.fill.append(chunk.clone());
        let Some(disk) = &mut self.disk else { return };
        if disk.push(chunk) {
            disk.write().expect("a good device");
        }
        self.fill.note_spilled();
    }

    fn end_spill(&mut self) {
        self.disk = None;
        self.fill.end_spill();
    }

    fn follow(&self) -> Option<FillReader> {
        let mut follower = self.collapser.follow(&key("a"))?;
        assert!(matches!(follower.poll_header(&mut cx()), Poll::Ready(FollowerStart::Header(_))));
        Some(follower.into_reader(&get(&[]).headers, &Negotiation::default()).expect("same variant"))
    }
}

/// Reads until nothing more is there; tells whether that is the end.
fn drain(reader: &mut FillReader, into: &mut Vec<u8>) -> bool {
    loop {
        match poll_bytes(reader, &mut cx()) {
            Poll::Ready(Ok(Some(chunk))) => into.extend_from_slice(&chunk),
            Poll::Ready(Ok(None)) => return true,
            Poll::Ready(Err(aborted)) => panic!("{aborted}"),
            Poll::Pending => return false,
        }
    }
}

#[test]
fn a_reader_that_comes_late_begins_on_the_disk_and_goes_on_in_memory() {
    let store = store();
    let mut fetch = Fetch::begin(&store, 100, 1000);
    let mut early = fetch.fill.reader().expect("the first byte");
    let (mut early_bytes, mut late_bytes) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        fetch.append(90);
        assert!(!drain(&mut early, &mut early_bytes));
    }
    assert!(fetch.fill.has_overflowed());
    let mut late = fetch.follow().expect("the fetch can still be joined");
    assert!(!drain(&mut late, &mut late_bytes));
    assert_eq!(late_bytes, fetch.sent);
    fetch.append(90);
    let sent = fetch.sent.clone();
    assert!(fetch.fill.finish(|_| panic!("not for memory")).is_none());
    assert!(drain(&mut late, &mut late_bytes) && drain(&mut early, &mut early_bytes));
    assert_eq!((late_bytes, early_bytes), (sent.clone(), sent));
}

#[test]
fn a_reader_that_lags_does_not_hold_up_the_writer_as_long_as_the_disk_takes_everything() {
    let store = store();
    let mut fetch = Fetch::begin(&store, 0, 1000);
    let mut slow = fetch.fill.reader().expect("the first byte");
    for _ in 0..100 {
        fetch.append(90);
        assert!(fetch.fill.poll_ready(&mut cx()).is_ready());
    }
    fetch.end_spill();
    assert!(fetch.fill.poll_ready(&mut cx()).is_pending(), "from now on memory has to keep it");
    assert!(fetch.follow().is_none(), "nobody joins any more");
    let mut bytes = Vec::new();
    assert!(!drain(&mut slow, &mut bytes));
    assert_eq!(bytes, fetch.sent);
    assert!(fetch.fill.poll_ready(&mut cx()).is_ready());
}

#[test]
fn a_reader_may_wait_for_bytes_far_ahead() {
    let store = store();
    let mut fetch = Fetch::begin(&store, 0, 1000);
    let mut reader = fetch.follow().expect("a fetch");
    reader.skip_to(3_005);
    let mut bytes = Vec::new();
    for _ in 0..50 {
        fetch.append(90);
        assert!(fetch.fill.poll_ready(&mut cx()).is_ready());
        drain(&mut reader, &mut bytes);
    }
    assert_eq!(bytes, fetch.sent[3_005..]);
}

#[test]
fn what_was_lost_with_a_fetch_that_broke_off_is_still_read_to_its_end() {
    let store = store();
    let mut fetch = Fetch::begin(&store, 0, 100);
    let mut reader = fetch.follow().expect("a fetch");
    for _ in 0..20 {
        fetch.append(90);
    }
    fetch.fill.abort(AbortReason::OriginBodyAborted);
    let mut bytes = Vec::new();
    let end = loop {
        match poll_bytes(&mut reader, &mut cx()) {
            Poll::Ready(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
            other => break other,
        }
    };
    assert!(matches!(end, Poll::Ready(Err(_))));
    assert_eq!(bytes, fetch.sent);
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Attach,
    AttachAt(u64),
    Read(usize),
    Drop(usize),
    EndSpill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => (1..400usize).prop_map(Step::Append),
        4 => Just(Step::Attach),
        4 => (0..20_000u64).prop_map(Step::AttachAt),
        40 => (0..10usize).prop_map(Step::Read),
        3 => (0..10usize).prop_map(Step::Drop),
        1 => Just(Step::EndSpill),
    ]
}

proptest! {
    #[test]
    fn every_reader_gets_its_bytes_wherever_they_are(
        steps in proptest::collection::vec(step(), 1..200), max_object in 0u64..3000, window in 1u64..2000
    ) {
        let store = store();
        let mut fetch = Fetch::begin(&store, max_object, window);
        let mut readers: Vec<Option<(FillReader, u64, Vec<u8>)>> = Vec::new();
        for step in steps {
            match step {
                Step::Append(len) => {
                    if fetch.fill.poll_ready(&mut cx()).is_ready() {
                        fetch.append(len);
                    } else {
                        prop_assert!(fetch.disk.is_none() && fetch.fill.has_overflowed(), "paced without need");
                    }
                }
                Step::Attach | Step::AttachAt(_) => {
                    let at = if let Step::AttachAt(at) = step { at } else { 0 };
                    let Some(mut reader) = fetch.follow() else {
                        prop_assert!(fetch.disk.is_none() && fetch.fill.has_overflowed());
                        continue;
                    };
                    reader.skip_to(at);
                    readers.push(Some((reader, at, Vec::new())));
                }
                Step::Read(n) => {
                    if let Some(Some((reader, _, bytes))) = readers.get_mut(n)
                        && let Poll::Ready(Ok(Some(chunk))) = poll_bytes(reader, &mut cx())
                    {
                        bytes.extend_from_slice(&chunk);
                    }
                }
                Step::Drop(n) => {
                    if let Some(reader) = readers.get_mut(n) {
                        *reader = None;
                    }
                }
                Step::EndSpill => fetch.end_spill(),
            }
        }
        let sent = fetch.sent;
        let storable = !fetch.fill.has_overflowed();
        let object = fetch.fill.finish(|_| {});
        prop_assert_eq!(object.map(|o| o.body().chunks().concat()), storable.then(|| sent.clone()));
        for (reader, at, bytes) in readers.iter_mut().flatten() {
            prop_assert!(drain(reader, bytes));
            prop_assert_eq!(&bytes[..], sent.get(*at as usize..).unwrap_or(&[]));
        }
    }
}
