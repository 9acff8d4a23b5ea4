//! Shared fetches: every reader gets the same bytes, waiters are released, a large object is paced.

use crate::support::{get, head, key, poll_bytes, request_to, response_of, stored};
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tollgate_cache::negotiate::Negotiation;
use tollgate_cache::{
    AbortReason, Collapser, FillAborted, FillFollower, FillLimits, FillReader, FillWriter, FollowerStart,
    HitForMiss, Policy, RamStore, RamStoreSettings, Role, StoredHead, Unshareable,
};
use tollgate_http::{HeaderBlock, Method};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

pub(crate) fn limits(max_object_bytes: u64, window_bytes: u64) -> Collapser {
    Collapser::new(FillLimits { max_object_bytes, window_bytes })
}

pub(crate) fn shared_head() -> Arc<StoredHead> {
    Arc::new(head("Cache-Control: max-age=60"))
}

#[track_caller]
pub(crate) fn lead(collapser: &Collapser) -> FillWriter {
    match collapser.join(&key("a")) {
        Role::Leader(writer) => writer,
        Role::Follower(_) => panic!("someone leads already"),
    }
}

#[track_caller]
pub(crate) fn follow(collapser: &Collapser) -> FillFollower {
    match collapser.join(&key("a")) {
        Role::Follower(follower) => follower,
        Role::Leader(_) => panic!("no one leads"),
    }
}

#[track_caller]
fn reader_of(mut follower: FillFollower) -> FillReader {
    assert!(matches!(follower.poll_header(&mut cx()), Poll::Ready(FollowerStart::Header(_))));
    follower.into_reader(&get(&[]).headers, &Negotiation::default()).expect("same variant")
}

/// All that is there now, and how it ended if it did.
fn drain(reader: &mut FillReader, into: &mut Vec<u8>) -> Option<Result<(), FillAborted>> {
    loop {
        match poll_bytes(reader, &mut cx()) {
            Poll::Ready(Ok(Some(chunk))) => into.extend_from_slice(&chunk),
            Poll::Ready(Ok(None)) => return Some(Ok(())),
            Poll::Ready(Err(aborted)) => return Some(Err(aborted)),
            Poll::Pending => return None,
        }
    }
}

#[test]
fn followers_stream_from_the_first_byte_while_it_arrives() {
    let collapser = limits(1000, 100);
    let mut writer = lead(&collapser);
    let mut own = writer.reader().expect("not overflowed");
    let early = follow(&collapser);
    writer.publish_header(shared_head());
    writer.append(Bytes::from_static(b"one"));
    let (mut early, mut late) = (reader_of(early), reader_of(follow(&collapser)));
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    assert_eq!(drain(&mut early, &mut a), None);
    writer.append(Bytes::from_static(b"two"));
    let object = writer.finish(|_| {}).expect("kept");
    for (reader, bytes) in [(&mut early, &mut a), (&mut late, &mut b), (&mut own, &mut c)] {
        assert_eq!(drain(reader, bytes), Some(Ok(())));
        assert_eq!(bytes, b"onetwo");
    }
    assert_eq!(object.body().len(), 6);
    assert!(collapser.is_empty());
}

#[test]
fn the_object_is_stored_before_a_reader_learns_of_the_end() {
    let collapser = limits(1000, 100);
    let store = RamStore::new(RamStoreSettings::default());
    let writer = lead(&collapser);
    writer.publish_header(shared_head());
    let mut reader = writer.reader().expect("not overflowed");
    writer.finish(|object| {
        assert!(poll_bytes(&mut reader, &mut cx()).is_pending());
        assert!(store.insert(&key("a"), Arc::clone(object)).is_ok());
    });
    assert_eq!(drain(&mut reader, &mut Vec::new()), Some(Ok(())));
    assert!(store.contains(&key("a")));
}

#[test]
fn an_uncacheable_answer_releases_all_followers_at_once() {
    let collapser = limits(1000, 100);
    let writer = lead(&collapser);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut followers: Vec<_> = (0..3).map(|_| follow(&collapser)).collect();
    for follower in &mut followers {
        assert!(follower.poll_header(&mut Context::from_waker(&waker)).is_pending());
    }
    writer.uncacheable();
    assert_eq!(count.get(), 3);
    for follower in &mut followers {
        assert!(matches!(follower.poll_header(&mut cx()), Poll::Ready(FollowerStart::Uncacheable)));
    }
    assert!(collapser.is_empty());
}

#[test]
fn a_dropped_writer_aborts_and_the_next_request_leads() {
    let collapser = limits(1000, 100);
    let mut writer = lead(&collapser);
    let mut waiting = follow(&collapser);
    drop(follow(&collapser));
    assert!(waiting.poll_header(&mut cx()).is_pending());
    let mut reader = writer.reader().expect("not overflowed");
    writer.append(Bytes::from_static(b"part"));
    drop(writer);
    let aborted = FillAborted { reason: AbortReason::WriterDropped };
    let mut bytes = Vec::new();
    assert_eq!(drain(&mut reader, &mut bytes), Some(Err(aborted)));
    assert_eq!(bytes, b"part", "what came before the abort is still delivered");
    let start = waiting.poll_header(&mut cx());
    assert!(matches!(start, Poll::Ready(FollowerStart::Aborted(AbortReason::WriterDropped))));
    lead(&collapser).abort(AbortReason::OriginFailed);
}

#[test]
fn a_follower_of_another_variant_is_told_so() {
    let collapser = limits(1000, 100);
    let writer = lead(&collapser);
    let follower = follow(&collapser);
    let request = request_to(Method::Get, "http://h.example/a", &[("Foo", "1")]);
    let response = response_of(200, "Cache-Control: max-age=60\nVary: Foo");
    writer.publish_header(Arc::new(stored(&request, &response, &Policy::default()).expect("storable")));
    assert!(follower.into_reader(&get(&[("Foo", "2")]).headers, &Negotiation::default()).is_err());
    assert!(follow(&collapser).into_reader(&request.headers, &Negotiation::default()).is_ok());
}

#[test]
fn a_stored_object_can_answer_all_who_wait() {
    let collapser = limits(1000, 100);
    let writer = lead(&collapser);
    let follower = follow(&collapser);
    writer.finish_with(&crate::support::object("Cache-Control: max-age=60", b"stored"));
    let mut bytes = Vec::new();
    assert_eq!(drain(&mut reader_of(follower), &mut bytes), Some(Ok(())));
    assert_eq!(bytes, b"stored");
}

#[test]
fn an_object_that_outgrows_the_limit_is_paced_by_the_slowest_reader() {
    let collapser = limits(10, 6);
    let mut writer = lead(&collapser);
    writer.publish_header(shared_head());
    let mut fast = writer.reader().expect("not overflowed");
    let mut slow = reader_of(follow(&collapser));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(writer.poll_ready(&mut Context::from_waker(&waker)).is_ready());
    for _ in 0..3 {
        writer.append(Bytes::from_static(b"abcd"));
    }
    assert!(writer.has_overflowed() && collapser.is_empty());
    assert!(writer.reader().is_none());
    assert!(writer.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    let mut bytes = Vec::new();
    assert_eq!(drain(&mut fast, &mut bytes), None);
    assert_eq!(count.get(), 0, "the slow reader is still behind");
    let mut one = || match poll_bytes(&mut slow, &mut cx()) {
        Poll::Ready(Ok(Some(chunk))) => chunk.len(),
        _ => 0,
    };
    assert_eq!((one(), count.get()), (4, 0));
    assert_eq!((one(), count.get()), (4, 1));
    assert!(writer.poll_ready(&mut cx()).is_ready());
    writer.append(Bytes::from_static(b"efgh"));
    assert!(writer.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    drop(slow);
    assert_eq!(count.get(), 2, "a reader that goes lets the writer go on");
    assert!(writer.finish(|_| panic!("not storable")).is_none());
    assert_eq!(drain(&mut fast, &mut bytes), Some(Ok(())));
    assert_eq!(bytes, b"abcdabcdabcdefgh");
}

#[test]
fn a_whole_window_ahead_of_the_slowest_reader_is_the_limit() {
    let collapser = limits(0, 8);
    let mut writer = lead(&collapser);
    let reader = writer.reader().expect("not overflowed");
    writer.append(Bytes::from_static(b"1234567"));
    assert!(writer.poll_ready(&mut cx()).is_ready());
    writer.append(Bytes::from_static(b"8"));
    assert!(writer.poll_ready(&mut cx()).is_pending());
    drop(reader);
    assert!(writer.poll_ready(&mut cx()).is_ready(), "nobody is left to wait for");
}

#[test]
fn the_writer_learns_when_the_last_reader_has_gone() {
    let collapser = limits(1000, 100);
    let mut writer = lead(&collapser);
    assert!(!writer.has_readers());
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let (own, follower) = (writer.reader(), follow(&collapser));
    assert!(writer.poll_no_readers(&mut Context::from_waker(&waker)).is_pending());
    drop(own);
    assert_eq!((count.get(), writer.has_readers()), (0, true));
    drop(follower);
    assert_eq!((count.get(), writer.has_readers()), (1, false));
    assert!(writer.poll_no_readers(&mut cx()).is_ready());
}

#[test]
fn no_waker_outlives_the_fill() {
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let collapser = limits(1000, 100);
    let mut writer = lead(&collapser);
    let mut reader = writer.reader().expect("not overflowed");
    for _ in 0..5 {
        assert!(poll_bytes(&mut reader, &mut Context::from_waker(&waker)).is_pending());
        assert!(writer.poll_no_readers(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&count), 4, "one place each for reader and writer");
    writer.abort(AbortReason::Cancelled);
    assert_eq!((Arc::strong_count(&count), count.get()), (2, 1));
}

fn until(until: i64) -> Unshareable {
    Unshareable { reason: "private", until }
}

fn fields(fields: &[(&str, &str)]) -> HeaderBlock {
    fields.iter().copied().collect()
}

#[test]
fn keys_found_uncacheable_are_remembered_for_a_while_and_bounded() {
    let (memory, none) = (HitForMiss::new(64), HeaderBlock::new());
    let is_known = |path: &str, now| memory.find(&key(path), &none, now).is_some();
    memory.remember(&key("a"), &none, &none, until(110), 100);
    assert_eq!(memory.find(&key("a"), &none, 109), Some(until(110)));
    assert!(!is_known("a", 110) && !is_known("b", 100));
    memory.forget(&key("a"), &none);
    assert!(!is_known("a", 101));
    memory.remember(&key("a"), &none, &none, until(100), 100);
    assert!(!is_known("a", 100), "for no time is not at all");
    for i in 0..1000 {
        memory.remember(&key(&i.to_string()), &none, &none, until(110), 100);
    }
    assert!(memory.len() <= 64);
}

#[test]
fn a_key_noted_anew_is_remembered_from_then_on() {
    let (memory, none) = (HitForMiss::new(1), HeaderBlock::new());
    memory.remember(&key("a"), &none, &none, until(110), 100);
    memory.remember(&key("a"), &none, &none, until(116), 106);
    assert_eq!(memory.find(&key("a"), &none, 115).map(|known| known.until), Some(116));
    assert_eq!(memory.find(&key("a"), &none, 116), None);
}

#[test]
fn one_variant_found_uncacheable_says_nothing_of_the_others() {
    let memory = HitForMiss::new(64);
    let (vary, none) = (fields(&[("Vary", "Foo"), ("Vary", "Bar")]), HeaderBlock::new());
    let (one, two) = (fields(&[("Foo", "1")]), fields(&[("Foo", "2")]));
    memory.remember(&key("a"), &one, &vary, until(110), 100);
    let known = |request| memory.find(&key("a"), request, 100).is_some();
    assert_eq!((known(&one), known(&two), known(&none)), (true, false, false));
    memory.remember(&key("a"), &two, &vary, until(110), 100);
    assert_eq!((known(&one), known(&two), known(&none)), (true, true, false));
    memory.forget(&key("a"), &one);
    assert_eq!((known(&one), known(&two)), (false, true));
    memory.remember(&key("a"), &one, &none, until(110), 100);
    assert_eq!((known(&one), known(&none)), (true, true), "chosen by nothing: all of them");
    memory.remember(&key("b"), &one, &fields(&[("Vary", "*")]), until(110), 100);
    assert!(memory.find(&key("b"), &two, 100).is_some());
}

/// What the threads and interleavings below do.
#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Attach,
    Read(usize),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..50).prop_map(Step::Append),
        2 => Just(Step::Attach),
        6 => (0usize..8).prop_map(Step::Read),
        1 => (0usize..8).prop_map(Step::Drop),
    ]
}

proptest! {
    #[test]
    fn every_reader_gets_the_same_bytes_in_any_interleaving(
        steps in proptest::collection::vec(step(), 1..150), max_object in 0u64..2000, window in 1u64..200
    ) {
        let collapser = limits(max_object, window);
        let mut writer = lead(&collapser);
        writer.publish_header(shared_head());
        let mut sent: Vec<u8> = Vec::new();
        let mut readers: Vec<Option<(FillReader, Vec<u8>)>> = vec![writer.reader().map(|r| (r, Vec::new()))];
        for step in steps {
            match step {
                Step::Append(len) => {
                    if writer.poll_ready(&mut cx()).is_pending() {
                        let slowest = readers.iter().flatten().map(|(_, b)| b.len()).min().unwrap_or(sent.len());
                        prop_assert!(sent.len() - slowest >= window as usize, "paced without need");
                        continue;
                    }
                    let chunk: Vec<u8> = (0..len).map(|i| ((sent.len() + i) % 251) as u8).collect();
                    sent.extend_from_slice(&chunk);
                    writer.append(chunk.into());
                }
                Step::Attach => match collapser.join(&key("a")) {
                    Role::Follower(follower) => readers.push(Some((reader_of(follower), Vec::new()))),
                    Role::Leader(other) => {
                        prop_assert!(writer.has_overflowed());
                        drop(other);
                    }
                },
                Step::Read(n) => {
                    if let Some(Some((reader, bytes))) = readers.get_mut(n)
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
            }
        }
        let storable = !writer.has_overflowed();
        let object = writer.finish(|_| {});
        prop_assert_eq!(object.is_some(), storable);
        if let Some(object) = object {
            prop_assert_eq!(object.body().chunks().concat(), sent.clone());
        }
        for (reader, bytes) in readers.iter_mut().flatten() {
            prop_assert_eq!(drain(reader, bytes), Some(Ok(())));
            prop_assert_eq!(&*bytes, &sent);
        }
    }
}
