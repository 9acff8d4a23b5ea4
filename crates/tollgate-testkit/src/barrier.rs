//! Named one-shot barriers between the scripts of a scenario.
//!
//! Responsible for: letting a script wait until every step that names the barrier has been reached.
//! Not responsible for: deadlines, which the [`Stage`](crate::stage::Stage) decides through `keep_waiting`.
//! Invariant: a barrier opens once and stays open; its size is the number of places in the scenario that name it.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting script looks at the deadline.
const SLICE: Duration = Duration::from_millis(20);

/// All barriers of one scenario.
#[derive(Debug, Default)]
pub struct Barriers {
    missing: Mutex<BTreeMap<String, usize>>,
    watchers: BTreeMap<String, usize>,
    opened: Condvar,
}

impl Barriers {
    /// Barriers with the given number of parties each, of which so many watch a connection until all others came.
    pub fn new(parties: BTreeMap<String, usize>, watchers: BTreeMap<String, usize>) -> Self {
        Self { missing: Mutex::new(parties), watchers, opened: Condvar::new() }
    }

    /// Counts one party as arrived; returns at once.
    pub fn arrive(&self, name: &str) {
        let mut missing = self.lock();
        if let Some(left) = missing.get_mut(name) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.opened.notify_all();
            }
        }
    }

    /// Whether every party has arrived. A name nobody declared is open.
    pub fn is_open(&self, name: &str) -> bool {
        self.lock().get(name).is_none_or(|left| *left == 0)
    }

    /// Whether every party that is not a watcher has arrived.
    pub fn only_watchers_missing(&self, name: &str) -> bool {
        let watchers = self.watchers.get(name).copied().unwrap_or(0);
        self.lock().get(name).is_none_or(|left| *left <= watchers)
    }

    /// Waits until the barrier opens, or until `keep_waiting` returns an error.
    pub fn wait<E>(&self, name: &str, mut keep_waiting: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        let mut missing = self.lock();
        while missing.get(name).is_some_and(|left| *left > 0) {
            keep_waiting()?;
            missing = self.opened.wait_timeout(missing, SLICE).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_parties() -> Barriers {
        Barriers::new(BTreeMap::from([("b".to_owned(), 2)]), BTreeMap::new())
    }

    #[test]
    fn watchers_are_told_when_all_others_have_arrived() {
        let counts = |n| BTreeMap::from([("b".to_owned(), n)]);
        let barriers = Barriers::new(counts(3), counts(2));
        assert!(!barriers.only_watchers_missing("b"));
        barriers.arrive("b");
        assert!(barriers.only_watchers_missing("b") && !barriers.is_open("b"));
    }

    #[test]
    fn barrier_opens_when_the_last_party_arrives() {
        let barriers = two_parties();
        barriers.arrive("b");
        assert!(!barriers.is_open("b"));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| barriers.wait("b", || Ok::<(), ()>(())));
            barriers.arrive("b");
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        assert!(barriers.is_open("b"));
    }

    #[test]
    fn waiting_ends_with_the_error_of_the_deadline() {
        let barriers = two_parties();
        barriers.arrive("b");
        assert_eq!(barriers.wait("b", || Err("late")), Err("late"));
    }
}
