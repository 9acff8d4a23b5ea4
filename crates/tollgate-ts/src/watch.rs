//! Handlers that keep an event thread for too long.
//!
//! Responsible for: noticing, from a thread of its own, that a handler of a C plugin has not returned; one log line that
//! names the plugin and the event thread. A handler that never returns is noticed too.
//! Invariants: a call costs two stores; only the event thread itself writes its place.

use crate::account::{Account, Item};
use crate::plugin::Plugin;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// LIMIT: event threads that are watched.
const THREADS: usize = 256;
/// How often the watching thread looks, at most.
const PAUSE: Duration = Duration::from_millis(50);

/// What an event thread does.
struct Place {
    /// Calls begun and ended: odd while one runs.
    calls: AtomicU64,
    /// The number of the account of the plugin whose handler runs.
    plugin: AtomicU32,
}

static PLACES: [Place; THREADS] =
    [const { Place { calls: AtomicU64::new(0), plugin: AtomicU32::new(0) } }; THREADS];

thread_local! {
    static OWN: Cell<Option<&'static Place>> = const { Cell::new(None) };
}

/// This thread is the event thread of that number.
pub(crate) fn is_event_thread(index: usize) {
    OWN.set(PLACES.get(index));
}

/// A call that is being watched.
#[must_use]
pub(crate) struct Watched(Option<&'static Place>);

/// A handler of `plugin` is called. Nested calls count as part of the first.
#[inline]
pub(crate) fn call(plugin: Option<&Arc<Plugin>>) -> Watched {
    let Some(place) = OWN.get() else { return Watched(None) };
    let calls = place.calls.load(Ordering::Relaxed);
    if calls & 1 == 1 {
        return Watched(None);
    }
    place.plugin.store(plugin.map_or(0, |plugin| plugin.account().number()), Ordering::Relaxed);
    place.calls.store(calls + 1, Ordering::Release);
    Watched(Some(place))
}

impl Drop for Watched {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.calls.store(place.calls.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
    }
}

/// What the watching thread remembers of an event thread.
#[derive(Clone, Copy)]
struct Seen {
    calls: u64,
    since: Instant,
    is_reported: bool,
}

/// Starts to watch. `limit` zero: nobody is watched.
pub fn start(limit: Duration) {
    static IS_STARTED: std::sync::Once = std::sync::Once::new();
    if limit.is_zero() {
        return;
    }
    IS_STARTED.call_once(|| {
        let started = Builder::new().name("[TS_WATCH]".to_string()).spawn(move || watch(limit));
        if let Err(error) = started {
            tracing::error!("handlers of plugins are not watched: {error}");
        }
    });
}

fn watch(limit: Duration) {
    let mut seen = [Seen { calls: 0, since: Instant::now(), is_reported: false }; THREADS];
    loop {
        std::thread::park_timeout(PAUSE.min(limit));
        for (index, (place, seen)) in PLACES.iter().zip(&mut seen).enumerate() {
            look(index, place, seen, limit);
        }
    }
}

fn look(index: usize, place: &Place, seen: &mut Seen, limit: Duration) {
    let calls = place.calls.load(Ordering::Acquire);
    if calls & 1 == 0 || calls != seen.calls {
        *seen = Seen { calls, since: Instant::now(), is_reported: false };
        return;
    }
    let age = seen.since.elapsed();
    if age >= limit && !seen.is_reported {
        seen.is_reported = true;
        let account = Account::of(place.plugin.load(Ordering::Relaxed));
        account.iter().for_each(|account| account.add(Item::Misuses, 1));
        let name = account.map_or("(unknown)", |account| account.plugin());
        tracing::error!(
            "plugin {name} blocks event thread {index}: its handler runs for {} ms",
            age.as_millis()
        );
    }
}
