//! `TSMutex`: recursive locks.
//!
//! Invariants: a lock belongs to a thread and counts how often that thread has taken it; it is gone when it was
//! destroyed, or when the last continuation that used it is.

use crate::account::{Held, Item};
use crate::fence::{Misuse, fence};
use crate::lock_order;
use crate::slots::{Handle, Kind, Slots, number, pointer};
use parking_lot::lock_api::RawReentrantMutex;
use parking_lot::{Mutex, RawMutex, RawThreadId};
use std::ffi::c_int;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

type Raw = RawReentrantMutex<RawMutex, RawThreadId>;

static MUTEXES: Slots<RecursiveMutex> = Slots::new(Kind::Mutex);

/// A recursive lock.
pub struct RecursiveMutex {
    number: u64,
    raw: Raw,
    /// Objects that use it.
    users: AtomicU32,
    /// Taken when it is destroyed: who holds the lock itself may do so longer.
    held: Mutex<Option<Held>>,
}

impl std::fmt::Debug for RecursiveMutex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecursiveMutex({:x})", self.number)
    }
}

/// A lock taken once more by this thread; given back when dropped.
#[must_use]
#[derive(Debug)]
pub struct Locked<'m>(&'m RecursiveMutex, PhantomData<*const ()>);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl RecursiveMutex {
    /// A new lock.
    pub fn new() -> Option<Arc<RecursiveMutex>> {
        MUTEXES.insert(|number| {
            let held = Mutex::new(Some(Held::new(Item::Mutexes)));
            Arc::new(RecursiveMutex { number, raw: Raw::INIT, users: AtomicU32::new(0), held })
        })
    }

    /// The lock that C means.
    pub fn find(handle: Handle) -> Result<Arc<RecursiveMutex>, Misuse> {
        if handle.is_null() {
            return Err(Misuse::Null);
        }
        MUTEXES.get(number(handle)).ok_or(Misuse::Gone("mutex"))
    }

    /// What C gets.
    pub fn handle(&self) -> Handle {
        pointer(self.number)
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Locked<'_> {
        lock_order::wait(self.number);
        self.raw.lock();
        lock_order::took(self.number);
        Locked(self, PhantomData)
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<Locked<'_>> {
        let is_taken = self.raw.try_lock();
        is_taken.then(|| {
            lock_order::took(self.number);
            Locked(self, PhantomData)
        })
    }

    fn unlock(&self) {
        if self.raw.is_owned_by_current_thread() {
            lock_order::gave(self.number);
            // SAFETY: this thread holds the lock.
            unsafe { self.raw.unlock() };
        } else {
            crate::fence::report("TSMutexUnlock", &Misuse::Text("another thread holds the mutex, or none"));
        }
    }

    /// One more object uses it.
    pub fn add_user(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// One object less uses it; the last one takes it along.
    pub fn remove_user(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.destroy();
        }
    }

    fn destroy(&self) {
        if MUTEXES.remove(self.number).is_some() {
            drop(self.held.lock().take());
            lock_order::forget(self.number);
        }
    }
}

/// How many locks live.
pub fn count() -> usize {
    MUTEXES.count()
}

/// A new lock.
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexCreate() -> Handle {
    fence("TSMutexCreate", std::ptr::null_mut(), || {
        RecursiveMutex::new().map(|mutex| mutex.handle()).ok_or(Misuse::Text("there are too many mutexes"))
    })
}

/// A new lock, as [`TSMutexCreate`].
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexCreateInternal() -> Handle {
    TSMutexCreate()
}

/// Destroys a lock that nothing uses.
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexDestroy(mutex: Handle) {
    fence("TSMutexDestroy", (), || {
        let found = RecursiveMutex::find(mutex)?;
        if found.users.load(Ordering::Relaxed) != 0 {
            return Err(Misuse::Text("a continuation still uses the mutex"));
        }
        found.destroy();
        Ok(())
    });
}

/// Whether the handle stands for a lock.
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexCheck(mutex: Handle) -> c_int {
    if RecursiveMutex::find(mutex).is_ok() { 1 } else { -1 }
}

/// Waits for the lock.
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexLock(mutex: Handle) {
    fence("TSMutexLock", (), || {
        std::mem::forget(RecursiveMutex::find(mutex)?.lock());
        Ok::<_, Misuse>(())
    });
}

/// Takes the lock if it is free.
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexLockTry(mutex: Handle) -> c_int {
    fence("TSMutexLockTry", -1, || {
        Ok::<_, Misuse>(match RecursiveMutex::find(mutex)?.try_lock() {
            Some(locked) => {
                std::mem::forget(locked);
                0
            }
            None => -1,
        })
    })
}

/// Gives the lock back.
#[unsafe(no_mangle)]
pub extern "C" fn TSMutexUnlock(mutex: Handle) {
    fence("TSMutexUnlock", (), || {
        RecursiveMutex::find(mutex)?.unlock();
        Ok::<_, Misuse>(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutex_is_recursive_for_its_thread_and_closed_to_others() {
        let mutex = TSMutexCreate();
        TSMutexLock(mutex);
        assert_eq!(TSMutexLockTry(mutex), 0);
        let raw = number(mutex);
        let from_outside = || std::thread::spawn(move || TSMutexLockTry(pointer(raw))).join().expect("ran");
        assert_eq!(from_outside(), -1);
        TSMutexUnlock(mutex);
        assert_eq!(from_outside(), -1);
        TSMutexUnlock(mutex);
        let faults = crate::fence::misuses();
        TSMutexUnlock(mutex);
        assert!(crate::fence::misuses() > faults);
        TSMutexDestroy(mutex);
        assert_eq!(TSMutexLockTry(mutex), -1);
    }
}
