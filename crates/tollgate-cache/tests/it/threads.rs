//! Shared fetches across threads, with a park/unpark executor.

use crate::fill::{follow, lead, limits, shared_head};
use crate::support::{get, key, poll_bytes};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tollgate_cache::negotiate::Negotiation;
use tollgate_cache::{
    CacheKey, Collapser, FillFollower, FillReader, FillWriter, FollowerStart, HitForMiss, Lookup, RamStore,
    RamStoreSettings, Role,
};

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until ready, parking in between.
fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn readers_on_other_threads_get_all_bytes_of_a_paced_fill() {
    const CHUNKS: usize = 2000;
    let collapser = limits(5000, 1000);
    let mut writer = lead(&collapser);
    let expected: Vec<u8> = (0..CHUNKS).flat_map(|n| vec![(n % 251) as u8; n % 37 + 1]).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut follower = follow(&collapser);
            let expected = &expected;
            scope.spawn(move || {
                assert!(matches!(wait(|cx| follower.poll_header(cx)), FollowerStart::Header(_)));
                let mut reader =
                    follower.into_reader(&get(&[]).headers, &Negotiation::default()).expect("same variant");
                let mut bytes = Vec::new();
                while let Some(chunk) = wait(|cx| poll_bytes(&mut reader, cx)).expect("not aborted") {
                    bytes.extend_from_slice(&chunk);
                }
                assert_eq!(&bytes, expected);
            });
        }
        writer.publish_header(shared_head());
        for n in 0..CHUNKS {
            wait(|cx| writer.poll_ready(cx));
            writer.append(vec![(n % 251) as u8; n % 37 + 1].into());
        }
        assert!(writer.finish(|_| {}).is_none());
    });
}

/// A transaction: look up, join, and as a leader look up once more before fetching.
fn transact(store: &RamStore, collapser: &Collapser, key: &CacheKey, fetches: &AtomicUsize) -> Vec<u8> {
    let stored = || match store.lookup(key, &get(&[])) {
        Lookup::Found(object) => Some(object),
        Lookup::Miss | Lookup::VaryMiss => None,
    };
    if let Some(object) = stored() {
        return object.body().chunks().concat();
    }
    let mut reader = match collapser.join(key) {
        Role::Leader(mut writer) => {
            if let Some(object) = stored() {
                writer.finish_with(&object);
                return object.body().chunks().concat();
            }
            fetches.fetch_add(1, Ordering::SeqCst);
            let reader = writer.reader().expect("not overflowed");
            writer.publish_header(shared_head());
            writer.append(Bytes::from_static(b"from "));
            std::thread::yield_now();
            writer.append(Bytes::from_static(b"origin"));
            writer.finish(|object| assert!(store.insert(key, Arc::clone(object)).is_ok()));
            reader
        }
        Role::Follower(mut follower) => {
            assert!(matches!(wait(|cx| follower.poll_header(cx)), FollowerStart::Header(_)));
            follower.into_reader(&get(&[]).headers, &Negotiation::default()).expect("same variant")
        }
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = wait(|cx| poll_bytes(&mut reader, cx)).expect("not aborted") {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

#[test]
fn concurrent_misses_ask_the_origin_once_per_key() {
    const KEYS: usize = 500;
    let (store, collapser) = (RamStore::new(RamStoreSettings::default()), limits(1000, 100));
    let fetches = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..KEYS {
                    let bytes = transact(&store, &collapser, &key(&n.to_string()), &fetches);
                    assert_eq!(bytes, b"from origin");
                }
            });
        }
    });
    assert_eq!(fetches.load(Ordering::SeqCst), KEYS);
    assert!(collapser.is_empty());
}

#[test]
fn all_parts_can_be_used_from_any_thread() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<FillWriter>();
    is_send::<FillFollower>();
    is_send::<FillReader>();
    is_shared::<Collapser>();
    is_shared::<HitForMiss>();
    is_shared::<RamStore>();
}
