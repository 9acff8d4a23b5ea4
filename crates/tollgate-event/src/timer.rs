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

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Resolution of the wheel.
pub const TICK: Duration = Duration::from_millis(50);
const TICK_MILLIS: u64 = TICK.as_millis() as u64;
const SLOTS: usize = 64;
const NIL: u32 = u32::MAX;

thread_local! {
    static WHEEL: RefCell<Wheel> = RefCell::new(Wheel::new());
    /// Where it stands.
    static NOW: Cell<u64> = const { Cell::new(0) };
    static SLEEPS: RefCell<Sleeps> = RefCell::default();
}

/// A watch as the wheel and its owner see it.
struct Node {
    due: Cell<u64>,
    /// Where the wheel stood when `due` was set.
    set_at: Cell<u64>,
    /// When its slot comes up, if it is in one.
    looked_at: Cell<u64>,
    slot: Cell<u32>,
    previous: Cell<u32>,
    next: Cell<u32>,
    /// The owner waits for something that may never come and can be cut short.
    is_idle: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Node {
    fn new() -> Node {
        Node {
            due: Cell::new(NEVER),
            set_at: Cell::new(0),
            looked_at: Cell::new(NEVER),
            slot: Cell::new(NIL),
            previous: Cell::new(NIL),
            next: Cell::new(NIL),
            is_idle: Cell::new(false),
            waker: Cell::default(),
        }
    }
}

/// The wheel of one thread. Times are ticks since `start`.
struct Wheel {
    start: Instant,
    nodes: Vec<Rc<Node>>,
    free: Vec<u32>,
    heads: [u32; SLOTS],
}

const NEVER: u64 = u64::MAX;

impl Wheel {
    fn new() -> Self {
        Wheel { start: Instant::now(), nodes: Vec::new(), free: Vec::new(), heads: [NIL; SLOTS] }
    }

    /// When it is to move on.
    fn next_tick(&self) -> Instant {
        self.start + TICK * u32::try_from(NOW.get() + 1).unwrap_or(u32::MAX)
    }

    fn insert(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Rc::new(Node::new()));
            (self.nodes.len() - 1) as u32
        })
    }

    fn link(&mut self, id: u32) {
        let node = &self.nodes[id as usize];
        let now = NOW.get();
        let ahead = node.due.get().saturating_sub(now).clamp(1, SLOTS as u64 - 1);
        node.looked_at.set(now + ahead);
        let slot = ((now + ahead) % SLOTS as u64) as usize;
        let head = std::mem::replace(&mut self.heads[slot], id);
        if head != NIL {
            self.nodes[head as usize].previous.set(id);
        }
        node.slot.set(slot as u32);
        node.previous.set(NIL);
        node.next.set(head);
    }

    fn unlink(&mut self, id: u32) {
        let node = &self.nodes[id as usize];
        let (slot, previous, next) = (node.slot.get(), node.previous.get(), node.next.get());
        if slot == NIL {
            return;
        }
        node.slot.set(NIL);
        node.looked_at.set(NEVER);
        match previous {
            NIL => self.heads[slot as usize] = next,
            p => self.nodes[p as usize].next.set(next),
        }
        if next != NIL {
            self.nodes[next as usize].previous.set(previous);
        }
    }

    /// Takes a node back. Its waker is the caller's to drop.
    fn remove(&mut self, id: u32) -> Option<Waker> {
        self.unlink(id);
        let node = &self.nodes[id as usize];
        node.is_idle.set(false);
        node.due.set(NEVER);
        self.free.push(id);
        node.waker.take()
    }

    /// Makes up to `most` idle nodes due, those first that have waited longest; collects their wakers.
    fn expire_idle(&mut self, most: usize, wake: &mut Vec<Waker>) -> usize {
        let now = NOW.get();
        let is_idle = |node: &Node| node.is_idle.get() && node.due.get() > now;
        let mut idle: Vec<(u64, usize)> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| is_idle(node))
            .map(|(id, node)| (node.due.get(), id))
            .collect();
        if most < idle.len() {
            idle.select_nth_unstable(most);
            idle.truncate(most);
        }
        for (_, id) in &idle {
            let node = &self.nodes[*id];
            node.due.set(now);
            wake.extend(node.waker.take());
        }
        idle.len()
    }

    /// Puts off what was set since the wheel last moved: it was set by a clock that stood still.
    fn put_off(&mut self, ticks: u64) {
        let now = NOW.get();
        let is_concerned = |due: u64, node: &Node| node.set_at.get() == now && due > now && due != NEVER;
        for node in &self.nodes {
            let due = node.due.get();
            if is_concerned(due, node) {
                node.due.set(due.saturating_add(ticks));
            }
        }
    }

    /// Moves on to `to` and collects the wakers of what is due.
    fn advance(&mut self, to: u64, wake: &mut Vec<Waker>) {
        let missed = to.saturating_sub(NOW.get()).saturating_sub(1);
        if missed > 0 {
            self.put_off(missed);
        }
        while NOW.get() < to {
            let now = NOW.get() + 1;
            NOW.set(now);
            let mut id = std::mem::replace(&mut self.heads[(now % SLOTS as u64) as usize], NIL);
            while id != NIL {
                let node = &self.nodes[id as usize];
                let (next, due) = (node.next.get(), node.due.get());
                node.slot.set(NIL);
                node.looked_at.set(NEVER);
                if due <= now {
                    wake.extend(node.waker.take());
                } else if due != NEVER {
                    self.link(id);
                }
                id = next;
            }
        }
    }
}

/// One deadline of one task.
pub struct Watch {
    id: u32,
    node: Rc<Node>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.node.due.get()).finish()
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// A watch without a deadline.
    pub fn new() -> Watch {
        WHEEL.with_borrow_mut(|wheel| {
            let id = wheel.insert();
            Watch { id, node: Rc::clone(&wheel.nodes[id as usize]) }
        })
    }

    /// Sets the deadline `limit` from now; zero means none.
    pub fn set(&self, limit: Duration) {
        self.arm(limit, false);
    }

    /// As [`Self::set`], for a wait that [`expire_idle`] may cut short.
    pub fn set_idle(&self, limit: Duration) {
        self.arm(limit, true);
    }

    #[inline]
    fn arm(&self, limit: Duration, is_idle: bool) {
        let millis = limit.as_secs().saturating_mul(1000).saturating_add(limit.subsec_millis().into());
        let ticks = millis.div_ceil(TICK_MILLIS);
        let now = NOW.get();
        // One more tick: the current one has partly gone by.
        let due = if ticks == 0 { NEVER } else { now.saturating_add(ticks + 1) };
        let node = &*self.node;
        node.is_idle.set(is_idle);
        node.set_at.set(now);
        node.due.set(due);
        // Later, or never: that is seen when its slot comes up.
        if due < node.looked_at.get() {
            WHEEL.with_borrow_mut(|wheel| {
                wheel.unlink(self.id);
                wheel.link(self.id);
            });
        }
    }

    /// Takes the deadline away.
    pub fn clear(&self) {
        self.node.due.set(NEVER);
        self.node.is_idle.set(false);
    }

    /// Ready once the deadline has passed; the task is woken then.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.node.due.get() <= NOW.get() {
            return Poll::Ready(());
        }
        match self.node.waker.take() {
            Some(waker) if waker.will_wake(cx.waker()) => self.node.waker.set(Some(waker)),
            _ => self.node.waker.set(Some(cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A thread that is ending may have dropped its wheel already: then there is nothing to leave.
        let waker = WHEEL.try_with(|wheel| wheel.borrow_mut().remove(self.id));
        drop(waker);
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
    NOW.get() * TICK_MILLIS
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

    fn now() -> u64 {
        NOW.get()
    }

    fn advance(ticks: u64) {
        let mut wake = Vec::new();
        WHEEL.with_borrow_mut(|wheel| wheel.advance(now() + ticks, &mut wake));
        wake.into_iter().for_each(Waker::wake);
    }

    proptest! {
        /// The wheel against a map of deadlines: what is due has been woken, nothing else.
        #[test]
        fn fires_exactly_what_is_due(ops in prop::collection::vec((0u8..6, 0usize..8, 2u64..300), 1..120)) {
            struct Model {
                watch: Watch,
                due: u64,
                set_at: u64,
                flag: std::sync::Arc<Flag>,
            }
            let mut model: BTreeMap<usize, Model> = BTreeMap::new();
            for (op, key, value) in ops {
                match op {
                    0 | 1 => {
                        let flag = std::sync::Arc::new(Flag(false.into()));
                        let entry = model.entry(key).or_insert_with(|| Model {
                            watch: Watch::new(),
                            due: NEVER,
                            set_at: 0,
                            flag: flag.clone(),
                        });
                        entry.flag = flag.clone();
                        entry.watch.set(TICK * (value as u32 - 1));
                        (entry.due, entry.set_at) = (now() + value, now());
                        prop_assert!(entry.watch.poll_expired(&mut Context::from_waker(&flag.into())).is_pending());
                    }
                    2 => drop(model.remove(&key)),
                    3 => if let Some(entry) = model.get_mut(&key).filter(|entry| entry.due > now()) {
                        entry.watch.clear();
                        entry.due = NEVER;
                    },
                    _ => {
                        let (before, ticks) = (now(), value.min(100));
                        advance(ticks);
                        for entry in model.values_mut().filter(|e| e.set_at == before && e.due > before && e.due != NEVER) {
                            entry.due += ticks - 1;
                            entry.set_at = u64::MAX;
                        }
                        for entry in model.values() {
                            let is_woken = entry.flag.0.load(std::sync::atomic::Ordering::Relaxed);
                            prop_assert_eq!(is_woken, entry.due <= now());
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
        advance(5);
        assert!(watch.poll_expired(&mut Context::from_waker(Waker::noop())).is_ready());
    }

    #[test]
    fn a_watch_without_deadline_does_not_expire() {
        let watch = Watch::new();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(watch.poll_expired(&mut cx).is_pending());
        watch.set(Duration::from_secs(1));
        watch.clear();
        advance(1000);
        assert!(watch.poll_expired(&mut cx).is_pending());
    }
}
