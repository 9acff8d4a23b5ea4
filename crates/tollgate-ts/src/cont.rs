//! Continuations.
//!
//! Responsible for: what `TSCont` stands for, calling its handler with its lock and its plugin, its end.
//! Not responsible for: when a handler is called (`hook`, `schedule`).
//! Invariants: no handler is called after its continuation was destroyed; a handler that destroys its own continuation
//! runs to its end; nothing of ours is locked while a handler runs.

use crate::account::Item;
use crate::fence::{Misuse, call_out, fence};
use crate::mutex::{Locked, RecursiveMutex};
use crate::plugin::{self, Plugin};
use crate::schedule::Timer;
use crate::slots::{Handle, Kind, Slots, number, pointer};
use crate::watch;
use parking_lot::Mutex;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// `TSEventFunc`.
pub type EventFunc = unsafe extern "C-unwind" fn(Handle, c_int, *mut c_void) -> c_int;

static CONTINUATIONS: Slots<Cont> = Slots::new(Kind::Continuation);

/// A continuation.
#[derive(Debug)]
pub struct Cont {
    number: u64,
    function: Option<EventFunc>,
    mutex: OnceLock<Arc<RecursiveMutex>>,
    data: AtomicPtr<c_void>,
    plugin: Option<Arc<Plugin>>,
    is_destroyed: AtomicBool,
    /// The event thread it belongs to, plus 1; 0: none yet.
    affinity: AtomicUsize,
    timers: Mutex<Vec<Weak<Timer>>>,
}

/// The right to call a handler: its lock, if it has one.
#[must_use]
#[derive(Debug)]
pub struct Turn<'c> {
    _locked: Option<Locked<'c>>,
}

impl Cont {
    /// A continuation of the plugin at work.
    pub fn new(function: Option<EventFunc>, mutex: Option<Arc<RecursiveMutex>>) -> Option<Arc<Cont>> {
        let plugin = plugin::current();
        if let Some(mutex) = &mutex {
            mutex.add_user();
        }
        CONTINUATIONS.insert(|number| {
            if let Some(plugin) = &plugin {
                plugin.account().add(Item::Continuations, 1);
            }
            Arc::new(Cont {
                number,
                function,
                mutex: mutex.map_or_else(OnceLock::new, OnceLock::from),
                data: AtomicPtr::new(null_mut()),
                plugin,
                is_destroyed: AtomicBool::new(false),
                affinity: AtomicUsize::new(0),
                timers: Mutex::new(Vec::new()),
            })
        })
    }

    /// The continuation that C means.
    pub fn find(handle: Handle) -> Result<Arc<Cont>, Misuse> {
        if handle.is_null() {
            return Err(Misuse::Null);
        }
        CONTINUATIONS.get(number(handle)).ok_or(Misuse::Gone("continuation"))
    }

    /// Whether this function handles its events.
    pub fn is_handled_by(&self, function: Option<EventFunc>) -> bool {
        match (self.function, function) {
            (Some(own), Some(other)) => std::ptr::fn_addr_eq(own, other),
            _ => false,
        }
    }

    /// What C gets.
    pub fn handle(&self) -> Handle {
        pointer(self.number)
    }

    /// The plugin that made it.
    pub fn plugin(&self) -> Option<&Arc<Plugin>> {
        self.plugin.as_ref()
    }

    /// The name of the plugin that made it.
    pub fn plugin_name(&self) -> &str {
        self.plugin.as_ref().map_or("(unknown)", |plugin| plugin.name())
    }

    /// Whether it was destroyed.
    pub fn is_destroyed(&self) -> bool {
        self.is_destroyed.load(Ordering::Acquire)
    }

    /// Its lock, if it has one.
    pub fn mutex(&self) -> Option<&Arc<RecursiveMutex>> {
        self.mutex.get()
    }

    /// Its lock; it gets one if it has none. ATS: what is scheduled must have one.
    pub fn mutex_or_new(&self, function: &'static str) -> Option<&Arc<RecursiveMutex>> {
        if self.mutex.get().is_none() {
            crate::fence::report(function, &"the continuation has no mutex; it gets one");
            let made = RecursiveMutex::new()?;
            made.add_user();
            if let Err(made) = self.mutex.set(made) {
                made.remove_user();
            }
        }
        self.mutex.get()
    }

    /// The event thread it belongs to.
    pub fn affinity(&self) -> Option<usize> {
        self.affinity.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Makes it belong to an event thread.
    pub fn set_affinity(&self, thread: Option<usize>) {
        self.affinity.store(thread.map_or(0, |index| index + 1), Ordering::Relaxed);
    }

    /// Makes it belong to an event thread, unless it does already.
    pub fn set_first_affinity(&self, thread: usize) {
        let (new, relaxed) = (thread + 1, Ordering::Relaxed);
        // Already set: it stays.
        let _: Result<usize, usize> = self.affinity.compare_exchange(0, new, relaxed, relaxed);
    }

    /// Waits for the right to call the handler.
    pub fn wait(&self) -> Turn<'_> {
        Turn { _locked: self.mutex.get().map(|mutex| mutex.lock()) }
    }

    /// The right to call the handler, if nobody else has the lock.
    pub fn try_turn(&self) -> Option<Turn<'_>> {
        match self.mutex.get() {
            None => Some(Turn { _locked: None }),
            Some(mutex) => mutex.try_lock().map(|locked| Turn { _locked: Some(locked) }),
        }
    }

    /// Calls the handler; 0 if the continuation was destroyed.
    pub(crate) fn call(&self, _turn: &Turn<'_>, event: c_int, edata: *mut c_void) -> c_int {
        let Some(function) = self.function.filter(|_| !self.is_destroyed()) else { return 0 };
        let _at_work = plugin::enter(self.plugin.as_ref());
        let _watched = watch::call(self.plugin.as_ref());
        // SAFETY: the plugin has given a handler of this type; what goes with each event is as the interface says.
        call_out(|| unsafe { function(self.handle(), event, edata) })
    }

    /// Keeps a timer, to cancel it with the continuation.
    pub fn add_timer(&self, timer: &Arc<Timer>) {
        let mut timers = self.timers.lock();
        timers.retain(|known| known.strong_count() > 0);
        timers.push(Arc::downgrade(timer));
    }

    fn destroy(&self) {
        self.is_destroyed.store(true, Ordering::Release);
        let timers = std::mem::take(&mut *self.timers.lock());
        timers.iter().filter_map(Weak::upgrade).for_each(|timer| timer.cancel());
        crate::services::services().records.forget(self.number);
        if let Some(plugin) = &self.plugin {
            plugin.account().add(Item::Continuations, -1);
        }
        if let Some(mutex) = self.mutex.get() {
            mutex.remove_user();
        }
    }
}

/// How many continuations live.
pub fn count() -> usize {
    CONTINUATIONS.count()
}

/// A new continuation.
#[unsafe(no_mangle)]
pub extern "C" fn TSContCreate(function: Option<EventFunc>, mutex: Handle) -> Handle {
    fence("TSContCreate", null_mut(), || {
        let mutex = if mutex.is_null() { None } else { Some(RecursiveMutex::find(mutex)?) };
        let made = Cont::new(function, mutex).ok_or(Misuse::Text("there are too many continuations"))?;
        Ok::<_, Misuse>(made.handle())
    })
}

/// Destroys a continuation. Its timers are cancelled.
#[unsafe(no_mangle)]
pub extern "C" fn TSContDestroy(cont: Handle) {
    fence("TSContDestroy", (), || {
        Cont::find(cont)?;
        if let Some(cont) = CONTINUATIONS.remove(number(cont)) {
            cont.destroy();
        }
        Ok::<_, Misuse>(())
    });
}

/// Gives a continuation its data.
#[unsafe(no_mangle)]
pub extern "C" fn TSContDataSet(cont: Handle, data: *mut c_void) {
    fence("TSContDataSet", (), || {
        Cont::find(cont)?.data.store(data, Ordering::Release);
        Ok::<_, Misuse>(())
    });
}

/// The data of a continuation.
#[unsafe(no_mangle)]
pub extern "C" fn TSContDataGet(cont: Handle) -> *mut c_void {
    fence("TSContDataGet", null_mut(), || Ok::<_, Misuse>(Cont::find(cont)?.data.load(Ordering::Acquire)))
}

/// The lock of a continuation.
#[unsafe(no_mangle)]
pub extern "C" fn TSContMutexGet(cont: Handle) -> Handle {
    fence("TSContMutexGet", null_mut(), || {
        Ok::<_, Misuse>(Cont::find(cont)?.mutex().map_or(null_mut(), |mutex| mutex.handle()))
    })
}

/// Calls a continuation at once.
#[unsafe(no_mangle)]
pub extern "C" fn TSContCall(cont: Handle, event: c_int, edata: *mut c_void) -> c_int {
    fence("TSContCall", 0, || {
        let cont = Cont::find(cont)?;
        let turn = cont.wait();
        Ok::<_, Misuse>(cont.call(&turn, event, edata))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C-unwind" fn destroys_itself(cont: Handle, event: c_int, _edata: *mut c_void) -> c_int {
        TSContDestroy(cont);
        // After the end of the continuation its handler still runs, and its own calls find nothing.
        c_int::from(TSContDataGet(cont).is_null()) + event
    }

    #[test]
    fn a_continuation_may_destroy_itself_in_its_handler_and_is_gone_afterwards() {
        let cont = TSContCreate(Some(destroys_itself), crate::mutex::TSMutexCreate());
        let mut data = 5;
        TSContDataSet(cont, (&raw mut data).cast());
        assert_eq!(TSContDataGet(cont), (&raw mut data).cast());
        let mutex = TSContMutexGet(cont);
        assert_eq!(TSContCall(cont, 41, null_mut()), 42);
        assert_eq!(TSContCall(cont, 41, null_mut()), 0);
        assert_eq!(crate::mutex::TSMutexCheck(mutex), -1);
    }
}
