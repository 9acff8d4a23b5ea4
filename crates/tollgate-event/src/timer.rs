//! Coarse timers for connections: O(1) to set, nothing to do when a deadline only moves further away.
//!
//! Responsible for: [`Watch`], a deadline that belongs to one task and is set anew for each wait; [`sleep`], which is
//! exact.
//! Not responsible for: when they are looked at (the event loop, between its turns).
//! How: per thread, a wheel of [`SLOTS`] slots of [`TICK`] each; a watch is linked into the slot in which it must
//! be looked at next, at the latest after one turn of the wheel; looking at it either fires it or links it again.
//! Invariants: a watch fires at most one tick late, never early; a dropped watch leaves the wheel at once. Setting a
//! watch reads no clock: while the thread is blocked the wheel stands still, and what was set since it last moved is
//! put off by as much when it moves on. Such a watch may fire late by the time for which the thread was blocked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Resolution of the wheel.
pub const TICK: Duration = Duration::from_millis(50);
const TICK_MILLIS: u64 = TICK.as_millis() as u64;
const SLOTS: usize = 64;
const NIL: u32 = u32::MAX;

thread_local! {
    static WHEEL: RefCell<Wheel> = RefCell::new(Wheel::new());
    static SLEEPS: RefCell<Sleeps> = RefCell::default();
}

struct Node {
    due: u64,
    /// Where the wheel stood when `due` was set, without the upper bits.
    set_at: u32,
    slot: u32,
    previous: u32,
    next: u32,
    /// The owner waits for something that may never come and can be cut short.
    is_idle: bool,
    waker: Option<Waker>,
}

/// The wheel of one thread. Times are ticks since `start`.
struct Wheel {
    start: Instant,
    now: u64,
    nodes: Vec<Node>,
    free: Vec<u32>,
    heads: [u32; SLOTS],
}

const NEVER: u64 = u64::MAX;

impl Wheel {
    fn new() -> Self {
        Wheel { start: Instant::now(), now: 0, nodes: Vec::new(), free: Vec::new(), heads: [NIL; SLOTS] }
    }

    /// When it is to move on.
    fn next_tick(&self) -> Instant {
        self.start + TICK * u32::try_from(self.now + 1).unwrap_or(u32::MAX)
    }

    fn insert(&mut self) -> u32 {
        let node =
            Node { due: NEVER, set_at: 0, slot: NIL, previous: NIL, next: NIL, is_idle: false, waker: None };
        match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }

    fn set(&mut self, id: u32, due: u64, is_idle: bool) {
        let node = &mut self.nodes[id as usize];
        node.is_idle = is_idle;
        let earlier = due < node.due;
        node.due = due;
        node.set_at = self.now as u32;
        if node.slot == NIL || earlier {
            self.unlink(id);
            self.link(id);
        }
    }

    fn link(&mut self, id: u32) {
        let ahead = self.nodes[id as usize].due.saturating_sub(self.now).clamp(1, SLOTS as u64 - 1);
        let slot = ((self.now + ahead) % SLOTS as u64) as usize;
        let head = std::mem::replace(&mut self.heads[slot], id);
        if head != NIL {
            self.nodes[head as usize].previous = id;
        }
        let node = &mut self.nodes[id as usize];
        (node.slot, node.previous, node.next) = (slot as u32, NIL, head);
    }

    fn unlink(&mut self, id: u32) {
        let node = &mut self.nodes[id as usize];
        let (slot, previous, next) = (node.slot, node.previous, node.next);
        if slot == NIL {
            return;
        }
        node.slot = NIL;
        match previous {
            NIL => self.heads[slot as usize] = next,
            p => self.nodes[p as usize].next = next,
        }
        if next != NIL {
            self.nodes[next as usize].previous = previous;
        }
    }

    fn remove(&mut self, id: u32) {
        self.unlink(id);
        self.nodes[id as usize].waker = None;
        self.nodes[id as usize].is_idle = false;
        self.free.push(id);
    }

    /// Makes up to `most` idle nodes due, those first that have waited longest; collects their wakers.
    fn expire_idle(&mut self, most: usize, wake: &mut Vec<Waker>) -> usize {
        let mut idle: Vec<(u64, usize)> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, n)| n.is_idle && n.due > self.now)
            .map(|(i, n)| (n.due, i))
            .collect();
        if most < idle.len() {
            idle.select_nth_unstable(most);
            idle.truncate(most);
        }
        for (_, id) in &idle {
            let node = &mut self.nodes[*id];
            node.due = self.now;
            wake.extend(node.waker.take());
        }
        idle.len()
    }

    /// Puts off what was set since the wheel last moved: it was set by a clock that stood still.
    fn put_off(&mut self, ticks: u64) {
        let now = self.now;
        let is_concerned =
            |node: &&mut Node| node.set_at == now as u32 && node.due > now && node.due != NEVER;
        for node in self.nodes.iter_mut().filter(is_concerned) {
            node.due = node.due.saturating_add(ticks);
        }
    }

    /// Moves on to `now` and collects the wakers of what is due.
    fn advance(&mut self, now: u64, wake: &mut Vec<Waker>) {
        let missed = now.saturating_sub(self.now).saturating_sub(1);
        if missed > 0 {
            self.put_off(missed);
        }
        while self.now < now {
            self.now += 1;
            let mut id = std::mem::replace(&mut self.heads[(self.now % SLOTS as u64) as usize], NIL);
            while id != NIL {
                let node = &mut self.nodes[id as usize];
                let next = node.next;
                node.slot = NIL;
                if node.due <= self.now {
                    wake.extend(node.waker.take());
                } else if node.due != NEVER {
                    self.link(id);
                }
                id = next;
            }
        }
    }
}

/// One deadline of one task.
#[derive(Debug)]
pub struct Watch {
    id: u32,
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// A watch without a deadline.
    pub fn new() -> Watch {
        Watch { id: WHEEL.with_borrow_mut(Wheel::insert), _not_send: std::marker::PhantomData }
    }

    /// Sets the deadline `limit` from now; zero means none.
    pub fn set(&self, limit: Duration) {
        self.arm(limit, false);
    }

    /// As [`Self::set`], for a wait that [`expire_idle`] may cut short.
    pub fn set_idle(&self, limit: Duration) {
        self.arm(limit, true);
    }

    fn arm(&self, limit: Duration, is_idle: bool) {
        WHEEL.with_borrow_mut(|wheel| {
            let millis = limit.as_secs().saturating_mul(1000) + u64::from(limit.subsec_millis());
            let ticks = millis.div_ceil(TICK_MILLIS);
            // One more tick: the current one has partly gone by.
            let due = if ticks == 0 { NEVER } else { wheel.now.saturating_add(ticks + 1) };
            wheel.set(self.id, due, is_idle);
        });
    }

    /// Takes the deadline away.
    pub fn clear(&self) {
        self.set(Duration::ZERO);
    }

    /// Ready once the deadline has passed; the task is woken then.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        WHEEL.with_borrow_mut(|wheel| {
            let now = wheel.now;
            let node = &mut wheel.nodes[self.id as usize];
            if node.due <= now {
                return Poll::Ready(());
            }
            match &mut node.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                empty => *empty = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A thread that is ending may have dropped its wheel already: then there is nothing to leave.
        let _: Result<(), std::thread::AccessError> =
            WHEEL.try_with(|wheel| wheel.borrow_mut().remove(self.id));
    }
}

/// Ends up to `most` idle waits of this thread ([`Watch::set_idle`]) as if their time were over, the oldest first.
/// Returns how many.
pub fn expire_idle(most: usize) -> usize {
    let mut wake = Vec::new();
    let count = WHEEL.with_borrow_mut(|wheel| wheel.expire_idle(most, &mut wake));
    wake.into_iter().for_each(Waker::wake);
    count
}

/// Milliseconds of this thread's wheel, at most one [`TICK`] behind: for limits of seconds, without reading the clock.
pub fn coarse_millis() -> u64 {
    WHEEL.with_borrow(|wheel| wheel.now * TICK_MILLIS)
}

/// The time limit of a wait ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time limit reached")]
pub struct Elapsed;

/// Runs `future` until it is done or `watch` expires. Pinned by the caller, for a large future is not to be moved.
pub async fn until<F: Future>(watch: &Watch, mut future: Pin<&mut F>) -> Result<F::Output, Elapsed> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        watch.poll_expired(cx).map(|()| Err(Elapsed))
    })
    .await
}

/// Runs `future` for at most `limit` (zero: no limit).
pub async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let watch = Watch::new();
    watch.set(limit);
    until(&watch, std::pin::pin!(future)).await
}

/// Waits for that long on this event thread, to the millisecond.
pub async fn sleep(duration: Duration) {
    // Later than anybody looks: never.
    let Some(until) = Instant::now().checked_add(duration) else { return std::future::pending().await };
    let number = SLEEPS.with_borrow_mut(|sleeps| {
        sleeps.begun += 1;
        sleeps.begun
    });
    let sleep = Sleep((until, number));
    std::future::poll_fn(|cx| {
        if Instant::now() >= until {
            return Poll::Ready(());
        }
        SLEEPS.with_borrow_mut(|sleeps| sleeps.wakers.insert(sleep.0, cx.waker().clone()));
        Poll::Pending
    })
    .await
}

/// The sleeps of one thread, in the order in which they end.
#[derive(Default)]
struct Sleeps {
    wakers: BTreeMap<(Instant, u64), Waker>,
    begun: u64,
}

struct Sleep((Instant, u64));

impl Drop for Sleep {
    fn drop(&mut self) {
        // A thread that is ending may have dropped them already.
        let _: Result<_, std::thread::AccessError> =
            SLEEPS.try_with(|sleeps| sleeps.borrow_mut().wakers.remove(&self.0));
    }
}

/// Wakes what is due on this thread.
pub(crate) fn advance() {
    let now = Instant::now();
    let mut wake = Vec::new();
    WHEEL.with_borrow_mut(|wheel| {
        if now >= wheel.next_tick() {
            let ticks = now.saturating_duration_since(wheel.start).as_millis() / TICK.as_millis();
            wheel.advance(ticks as u64, &mut wake);
        }
    });
    SLEEPS.with_borrow_mut(|sleeps| {
        while let Some(first) = sleeps.wakers.first_entry().filter(|first| first.key().0 <= now) {
            wake.push(first.remove());
        }
    });
    wake.into_iter().for_each(Waker::wake);
}

/// Until when the thread may wait for other things than time: in whole milliseconds, which is what the kernel counts.
pub(crate) fn time_left() -> Duration {
    let next = WHEEL.with_borrow(Wheel::next_tick);
    let next = SLEEPS
        .with_borrow(|sleeps| sleeps.wakers.first_key_value().map_or(next, |(first, _)| next.min(first.0)));
    let left = next.saturating_duration_since(Instant::now());
    Duration::from_millis(left.as_nanos().div_ceil(1_000_000) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Flag(std::sync::atomic::AtomicBool);
    impl std::task::Wake for Flag {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    proptest! {
        /// The wheel against a map of deadlines: what is due has been woken, nothing else.
        #[test]
        fn fires_exactly_what_is_due(ops in prop::collection::vec((0u8..5, 0usize..8, 1u64..300), 1..120)) {
            let mut wheel = Wheel::new();
            let mut model: BTreeMap<usize, (u32, u64, std::sync::Arc<Flag>, u64)> = BTreeMap::new();
            for (op, key, value) in ops {
                match op {
                    0 | 1 => {
                        let entry = model.entry(key).or_insert_with(|| (wheel.insert(), NEVER, std::sync::Arc::new(Flag(false.into())), 0));
                        entry.2 = std::sync::Arc::new(Flag(false.into()));
                        wheel.nodes[entry.0 as usize].waker = Some(entry.2.clone().into());
                        (entry.1, entry.3) = (wheel.now + value, wheel.now);
                        wheel.set(entry.0, entry.1, false);
                    }
                    2 => if let Some((id, ..)) = model.remove(&key) { wheel.remove(id) },
                    _ => {
                        let (mut wake, before, ticks) = (Vec::new(), wheel.now, value.min(100));
                        wheel.advance(before + ticks, &mut wake);
                        wake.drain(..).for_each(Waker::wake);
                        for (_, due, _, set_at) in model.values_mut().filter(|entry| entry.3 == before && entry.1 > before) {
                            *due += ticks - 1;
                            *set_at = u64::MAX;
                        }
                        for (_, due, flag, _) in model.values() {
                            prop_assert_eq!(flag.0.load(std::sync::atomic::Ordering::Relaxed), *due <= wheel.now);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_watch_set_after_the_thread_was_blocked_does_not_fire_early() {
        let watch = Watch::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut is_expired = || watch.poll_expired(&mut cx).is_ready();
        let advance = |ticks: u64| WHEEL.with_borrow_mut(|w| w.advance(w.now + ticks, &mut Vec::new()));
        // The thread was blocked for 40 ticks, then this was set, then the wheel moved.
        watch.set(TICK * 20);
        advance(40);
        assert!(!is_expired(), "none of its time has gone by");
        advance(1);
        (0..18).for_each(|_| advance(1));
        assert!(!is_expired(), "19 of 20 ticks");
        advance(1);
        advance(1);
        assert!(is_expired());
        // One that was set before the wheel last moved is not put off.
        watch.set(TICK * 20);
        advance(1);
        advance(40);
        assert!(is_expired());
    }

    #[test]
    fn a_wait_that_was_cut_short_stays_so_when_the_thread_was_blocked() {
        let watch = Watch::new();
        watch.set_idle(TICK * 20);
        assert_eq!(expire_idle(1), 1);
        WHEEL.with_borrow_mut(|w| w.advance(w.now + 5, &mut Vec::new()));
        assert!(watch.poll_expired(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn a_watch_without_deadline_does_not_expire() {
        let watch = Watch::new();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(watch.poll_expired(&mut cx).is_pending());
        watch.set(Duration::from_secs(1));
        watch.clear();
        WHEEL.with_borrow_mut(|w| w.advance(1000, &mut Vec::new()));
        assert!(watch.poll_expired(&mut cx).is_pending());
    }
}
