//! Scheduling continuations on event threads and task threads; actions.
//!
//! Responsible for: one-shot and repeating timers, which thread they run on, their cancellation.
//! Invariants: a timer's handler is called with the continuation's lock; after cancellation it is not called; what is
//! scheduled before the event threads run waits for them.

use crate::account::{Held, Item};
use crate::cont::Cont;
use crate::fence::{Misuse, fence};
use crate::slots::{Handle, Kind, Slots, number, pointer};
use crate::threads;
use parking_lot::Mutex;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const IMMEDIATE: c_int = 1;
const TIMEOUT: c_int = 2;
/// How soon a handler is tried again whose lock another thread has.
const RETRY: Duration = Duration::from_millis(10);
/// `TSThreadPool`.
const POOL_NET: c_int = 0;
const POOL_TASK: c_int = 1;

static ACTIONS: Slots<Timer> = Slots::new(Kind::Action);
/// The action of what was done at once: a handle that is nobody's.
const DONE: u64 = (Kind::Action as u64) << 56 | 0x00ff_ffff_ffff_ffff;

/// One scheduled continuation: what `TSAction` stands for.
#[derive(Debug)]
pub struct Timer {
    number: u64,
    cont: Arc<Cont>,
    is_cancelled: AtomicBool,
    held: Mutex<Option<Held>>,
    /// What the handler gets with the event; 0: the action itself.
    edata: u64,
}

impl Timer {
    /// The handler is not called any more.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        self.end();
    }

    /// Its action is nobody's from now on.
    fn end(&self) {
        drop(ACTIONS.remove(self.number));
        drop(self.held.lock().take());
    }

    fn is_off(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire) || self.cont.is_destroyed()
    }

    fn edata(&self) -> *mut c_void {
        pointer(if self.edata == 0 { self.number } else { self.edata })
    }
}

/// When a timer fires.
#[derive(Clone, Copy, Debug)]
enum When {
    Once(Duration),
    Every(Duration),
}

/// Where a timer's handler runs.
#[derive(Clone, Copy, Debug)]
enum Place {
    Event(usize),
    /// A task thread of that event thread.
    Task(usize),
}

/// Calls a continuation once on a task thread, with an event of its own and nothing beside it.
pub(crate) fn tell_on_task(cont: &Arc<Cont>, event: c_int) {
    let Some(index) = threads::next_event_thread() else { return };
    let cont = Arc::clone(cont);
    threads::run_on(index, move || {
        tollgate_event::spawn_local(async move {
            let told = move || {
                let turn = cont.wait();
                cont.call(&turn, event, null_mut());
            };
            // `None`: the server is stopping.
            let _: Option<()> = tollgate_event::task::run(told).await;
        });
    });
}

/// The action of what was done before the function returned.
pub fn done_action() -> Handle {
    pointer(DONE)
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

fn start(
    function: &'static str,
    cont: &Arc<Cont>,
    when: When,
    place: Place,
    edata: u64,
) -> Result<Handle, Misuse> {
    cont.mutex_or_new(function).ok_or(Misuse::Text("there are too many mutexes"))?;
    let timer = ACTIONS
        .insert(|number| {
            Arc::new(Timer {
                number,
                cont: Arc::clone(cont),
                is_cancelled: AtomicBool::new(false),
                held: Mutex::new(Some(Held::new(Item::Timers))),
                edata,
            })
        })
        .ok_or(Misuse::Text("there are too many actions"))?;
    cont.add_timer(&timer);
    let action = pointer(timer.number);
    let (Place::Event(index) | Place::Task(index)) = place;
    let own = Arc::clone(&timer);
    let is_accepted = threads::run_on(index, move || tollgate_event::spawn_local(run(own, when, place)));
    if !is_accepted {
        timer.cancel();
        return Err(Misuse::Text("the event threads have ended"));
    }
    Ok(action)
}

/// A timer's life on its event thread.
async fn run(timer: Arc<Timer>, when: When, place: Place) {
    let (delay, event) = match when {
        When::Once(Duration::ZERO) => (Duration::ZERO, IMMEDIATE),
        When::Once(delay) | When::Every(delay) => (delay.max(Duration::from_millis(1)), TIMEOUT),
    };
    let is_once = matches!(when, When::Once(_));
    loop {
        if delay > Duration::ZERO {
            tollgate_event::timer::sleep(delay).await;
        }
        if matches!(place, Place::Task(_)) {
            let timer = Arc::clone(&timer);
            let fired = tollgate_event::task::run(move || fire(&timer, event, is_once)).await;
            if fired.is_none() {
                return;
            }
        } else {
            while !try_fire(&timer, event, is_once) {
                tollgate_event::timer::sleep(RETRY).await;
            }
        }
        if is_once || timer.is_off() {
            return;
        }
    }
}

/// Calls the handler, waiting for its lock.
fn fire(timer: &Timer, event: c_int, is_once: bool) {
    if !timer.is_off() {
        let turn = timer.cont.wait();
        call(timer, &turn, event, is_once);
    }
}

/// Calls the handler if its lock is free, or nothing is to be called any more; whether that is so.
fn try_fire(timer: &Timer, event: c_int, is_once: bool) -> bool {
    if timer.is_off() {
        return true;
    }
    let Some(turn) = timer.cont.try_turn() else { return false };
    call(timer, &turn, event, is_once);
    true
}

fn call(timer: &Timer, turn: &crate::cont::Turn<'_>, event: c_int, is_once: bool) {
    // It may have been cancelled while the lock was waited for.
    if timer.is_off() {
        return;
    }
    timer.cont.call(turn, event, timer.edata());
    // ATS: a handler may cancel its own action; afterwards the action is no more.
    if is_once {
        timer.end();
    }
}

/// The event thread for a continuation: its own, else this one, else the next in turn; it is its own from then on.
fn thread_for(cont: &Cont) -> Result<usize, Misuse> {
    let index = cont
        .affinity()
        .or_else(threads::current_event_thread)
        .or_else(threads::next_event_thread)
        .ok_or(Misuse::Text("there are no event threads"))?;
    cont.set_first_affinity(index);
    Ok(index)
}

fn place_in(cont: &Cont, pool: c_int) -> Result<Place, Misuse> {
    if pool == POOL_TASK {
        // A task thread of any event thread; the continuation does not come to belong to it.
        let index =
            cont.affinity().or_else(threads::current_event_thread).or_else(threads::next_event_thread);
        return index.map(Place::Task).ok_or(Misuse::Text("there are no event threads"));
    }
    // ATS: DNS runs on the event threads.
    thread_for(cont).map(Place::Event)
}

fn schedule(
    function: &'static str,
    cont: Handle,
    when: When,
    place: impl FnOnce(&Cont) -> Result<Place, Misuse>,
) -> Handle {
    fence(function, null_mut(), || {
        let cont = Cont::find(cont)?;
        let place = place(&cont)?;
        start(function, &cont, when, place, 0)
    })
}

/// Calls a continuation on its event thread after some milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn TSContSchedule(cont: Handle, timeout: i64) -> Handle {
    let when = When::Once(milliseconds(timeout));
    schedule("TSContSchedule", cont, when, |cont| thread_for(cont).map(Place::Event))
}

/// The same on a thread of that pool.
#[unsafe(no_mangle)]
pub extern "C" fn TSContScheduleOnPool(cont: Handle, timeout: i64, pool: c_int) -> Handle {
    let when = When::Once(milliseconds(timeout));
    schedule("TSContScheduleOnPool", cont, when, |cont| place_in(cont, pool))
}

/// The same on that event thread.
#[unsafe(no_mangle)]
pub extern "C" fn TSContScheduleOnThread(cont: Handle, timeout: i64, thread: Handle) -> Handle {
    let when = When::Once(milliseconds(timeout));
    schedule("TSContScheduleOnThread", cont, when, |cont| place_on(cont, thread))
}

fn place_on(cont: &Cont, thread: Handle) -> Result<Place, Misuse> {
    let index = threads::event_thread(thread)?;
    cont.set_first_affinity(index);
    Ok(Place::Event(index))
}

/// Calls a continuation on its event thread again and again.
#[unsafe(no_mangle)]
pub extern "C" fn TSContScheduleEvery(cont: Handle, every: i64) -> Handle {
    let when = When::Every(milliseconds(every));
    schedule("TSContScheduleEvery", cont, when, |cont| thread_for(cont).map(Place::Event))
}

/// The same on a thread of that pool.
#[unsafe(no_mangle)]
pub extern "C" fn TSContScheduleEveryOnPool(cont: Handle, every: i64, pool: c_int) -> Handle {
    let when = When::Every(milliseconds(every));
    // ATS: whatever is not the event threads' pool is the task threads'.
    let pool = if pool == POOL_NET { POOL_NET } else { POOL_TASK };
    schedule("TSContScheduleEveryOnPool", cont, when, |cont| place_in(cont, pool))
}

/// The same on that event thread.
#[unsafe(no_mangle)]
pub extern "C" fn TSContScheduleEveryOnThread(cont: Handle, every: i64, thread: Handle) -> Handle {
    let when = When::Every(milliseconds(every));
    schedule("TSContScheduleEveryOnThread", cont, when, |cont| place_on(cont, thread))
}

/// Calls a continuation with a transaction after some milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSchedule(cont: Handle, txn: Handle, timeout: i64) -> Handle {
    fence("TSHttpSchedule", null_mut(), || {
        let cont = Cont::find(cont)?;
        let index = crate::txn::event_thread(txn)?;
        start("TSHttpSchedule", &cont, When::Once(milliseconds(timeout)), Place::Event(index), number(txn))
    })
}

/// Cancels what was scheduled.
#[unsafe(no_mangle)]
pub extern "C" fn TSActionCancel(action: Handle) {
    fence("TSActionCancel", (), || {
        if action.is_null() || number(action) == DONE {
            return Ok::<_, Misuse>(());
        }
        ACTIONS.get(number(action)).ok_or(Misuse::Gone("action"))?.cancel();
        Ok(())
    });
}

/// Whether an action was done before the function that made it returned.
#[unsafe(no_mangle)]
pub extern "C" fn TSActionDone(action: Handle) -> c_int {
    c_int::from(number(action) == DONE)
}

/// Makes a continuation belong to an event thread.
#[unsafe(no_mangle)]
pub extern "C" fn TSContThreadAffinitySet(cont: Handle, thread: Handle) -> c_int {
    fence("TSContThreadAffinitySet", -1, || {
        Cont::find(cont)?.set_affinity(Some(threads::event_thread(thread)?));
        Ok::<_, Misuse>(0)
    })
}

/// The event thread that a continuation belongs to; null: none.
#[unsafe(no_mangle)]
pub extern "C" fn TSContThreadAffinityGet(cont: Handle) -> Handle {
    fence("TSContThreadAffinityGet", null_mut(), || {
        Ok::<_, Misuse>(Cont::find(cont)?.affinity().map_or(null_mut(), threads::handle_of))
    })
}

/// The continuation belongs to no event thread any more.
#[unsafe(no_mangle)]
pub extern "C" fn TSContThreadAffinityClear(cont: Handle) {
    fence("TSContThreadAffinityClear", (), || {
        Cont::find(cont)?.set_affinity(None);
        Ok::<_, Misuse>(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_action_of_what_is_done_is_done() {
        assert_eq!(TSActionDone(done_action()), 1);
        assert_eq!(TSActionDone(null_mut()), 0);
        let faults = crate::fence::misuses();
        TSActionCancel(done_action());
        TSActionCancel(null_mut());
        assert_eq!(crate::fence::misuses(), faults);
        TSActionCancel(pointer((Kind::Action as u64) << 56 | 7));
        assert!(crate::fence::misuses() > faults);
    }
}
