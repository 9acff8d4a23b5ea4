//! Mutexes that plugins take in different orders: two threads that do so at the same time wait for each other for ever.
//!
//! Responsible for: remembering, when asked to (`tollgate.ts.lock_order`), which mutex was held when another was waited
//! for, and telling when that closes a circle. Not responsible for: the locks themselves (`mutex`).
//! Invariants: when not asked to, a lock costs one load; a pair of mutexes is reported once; what is tried without
//! waiting makes no order.

use crate::fence;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

static IS_WATCHED: AtomicBool = AtomicBool::new(false);

/// (held, waited for), by the mutexes' numbers.
static ORDER: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

thread_local! {
    /// The mutexes that this thread holds, as often as it has taken them.
    static HELD: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// From now on the order is watched, or not.
pub fn watch(is_watched: bool) {
    if !is_watched {
        ORDER.lock().clear();
    }
    IS_WATCHED.store(is_watched, Ordering::Relaxed);
}

fn is_watched() -> bool {
    IS_WATCHED.load(Ordering::Relaxed)
}

/// This thread is about to wait for a mutex.
pub(crate) fn wait(number: u64) {
    if !is_watched() {
        return;
    }
    let held = HELD.try_with(|held| held.borrow().clone()).unwrap_or_default();
    // What this thread has already it does not wait for.
    if held.contains(&number) {
        return;
    }
    let mut is_against = false;
    {
        let mut order = ORDER.lock();
        for before in held {
            is_against |= order.insert((before, number)) && leads(&order, number, before);
        }
    }
    if is_against {
        fence::report(
            "TSMutexLock",
            &"a mutex is waited for that another thread may hold while it waits for one that is held here",
        );
    }
}

/// This thread has a mutex.
pub(crate) fn took(number: u64) {
    if is_watched() {
        // At the end of a thread nothing is remembered.
        let _: Result<(), std::thread::AccessError> = HELD.try_with(|held| held.borrow_mut().push(number));
    }
}

/// This thread gives a mutex back.
pub(crate) fn gave(number: u64) {
    if is_watched() {
        let forget = |held: &RefCell<Vec<u64>>| {
            let mut held = held.borrow_mut();
            if let Some(at) = held.iter().rposition(|known| *known == number) {
                held.remove(at);
            }
        };
        // At the end of a thread nothing is remembered.
        let _: Result<(), std::thread::AccessError> = HELD.try_with(forget);
    }
}

/// A mutex is no more.
pub(crate) fn forget(number: u64) {
    if is_watched() {
        ORDER.lock().retain(|(before, after)| *before != number && *after != number);
    }
}

/// Whether `to` was ever waited for, in however many steps, by a holder of `from`.
fn leads(order: &BTreeSet<(u64, u64)>, from: u64, to: u64) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(order.range((at, 0)..=(at, u64::MAX)).map(|(_, after)| *after));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_any_length_is_found() {
        let order = BTreeSet::from([(1, 2), (2, 3), (3, 4), (7, 1)]);
        assert!(leads(&order, 1, 4) && leads(&order, 7, 3));
        assert!(!leads(&order, 4, 1) && !leads(&order, 1, 7));
        assert!(leads(&BTreeSet::from([(1, 2), (2, 1)]), 1, 1));
    }
}
