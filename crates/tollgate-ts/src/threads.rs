//! Threads as plugins see them.
//!
//! Responsible for: the event threads that work can be handed to, handles for threads, threads that plugins start.
//! Not responsible for: the threads themselves (`tollgate-event`).
//! Invariant: any thread may call any function; none has to be made known first.

use crate::fence::{Misuse, call_out, fence};
use crate::plugin;
use crate::slots::{Handle, Kind, Slots, number, pointer};
use parking_lot::{Condvar, Mutex, RwLock};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tollgate_event::mailbox::Remote;

type ThreadFunc = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

static THREADS: Slots<Thread> = Slots::new(Kind::Thread);
static EVENT_THREADS: RwLock<Vec<EventThread>> = RwLock::new(Vec::new());

/// A thread.
#[derive(Debug)]
pub struct Thread {
    number: u64,
    /// Which event thread it is.
    event_thread: Option<usize>,
    has_ended: Mutex<bool>,
    end: Condvar,
}

#[derive(Debug)]
struct EventThread {
    remote: Remote,
    thread: Arc<Thread>,
}

thread_local! {
    /// This thread's handle; 0: none yet.
    static OWN: Cell<u64> = const { Cell::new(0) };
    /// The event thread that this thread is or works for.
    static EVENT_THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

fn made(event_thread: Option<usize>) -> Option<Arc<Thread>> {
    THREADS.insert(|number| {
        Arc::new(Thread { number, event_thread, has_ended: Mutex::new(false), end: Condvar::new() })
    })
}

/// Makes the event threads known, before the first plugin is started: what plugins hand to them waits for their start.
pub fn set_event_threads(remotes: Vec<Remote>) {
    let mut threads = Vec::with_capacity(remotes.len());
    for (index, remote) in remotes.into_iter().enumerate() {
        let Some(thread) = made(Some(index)) else { return };
        let own = thread.number;
        remote.run(move || {
            OWN.set(own);
            EVENT_THREAD.set(Some(index));
            crate::watch::is_event_thread(index);
        });
        threads.push(EventThread { remote, thread });
    }
    *EVENT_THREADS.write() = threads;
}

/// The event thread that this thread is.
pub fn current_event_thread() -> Option<usize> {
    EVENT_THREAD.try_with(Cell::get).ok().flatten()
}

/// Has `work` run on an event thread; whether that will happen.
pub fn run_on(index: usize, work: impl FnOnce() + Send + 'static) -> bool {
    let remote = EVENT_THREADS.read().get(index).map(|thread| thread.remote.clone());
    remote.is_some_and(|remote| remote.run(work))
}

/// The event threads in turn. `None`: there are none.
pub fn next_event_thread() -> Option<usize> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let count = EVENT_THREADS.read().len();
    (count > 0).then(|| NEXT.fetch_add(1, Ordering::Relaxed) % count)
}

/// The handle of an event thread.
pub fn handle_of(index: usize) -> Handle {
    EVENT_THREADS.read().get(index).map_or(null_mut(), |thread| pointer(thread.thread.number))
}

/// The event thread that C means.
pub fn event_thread(handle: Handle) -> Result<usize, Misuse> {
    let thread = find(handle)?;
    thread.event_thread.ok_or(Misuse::Text("the thread is no event thread"))
}

fn find(handle: Handle) -> Result<Arc<Thread>, Misuse> {
    if handle.is_null() {
        return Err(Misuse::Null);
    }
    THREADS.get(number(handle)).ok_or(Misuse::Gone("thread"))
}

/// The handle of the calling thread, which gets one if it has none.
#[unsafe(no_mangle)]
pub extern "C" fn TSThreadInit() -> Handle {
    fence("TSThreadInit", null_mut(), || {
        if OWN.get() == 0 {
            OWN.set(made(None).ok_or(Misuse::Text("there are too many threads"))?.number);
        }
        Ok::<_, Misuse>(pointer(OWN.get()))
    })
}

/// The handle of the calling thread.
#[unsafe(no_mangle)]
pub extern "C" fn TSThreadSelf() -> Handle {
    TSThreadInit()
}

/// The handle of the calling event thread; null on others.
#[unsafe(no_mangle)]
pub extern "C" fn TSEventThreadSelf() -> Handle {
    fence("TSEventThreadSelf", null_mut(), || {
        Ok::<_, Misuse>(current_event_thread().map_or(null_mut(), handle_of))
    })
}

/// A pointer that is the plugin's affair.
struct Plugins(*mut c_void);

// SAFETY: the server only passes it on; what it points to is the plugin's own affair.
unsafe impl Send for Plugins {}

/// Starts a thread of the plugin.
///
/// # Safety
/// `function` may be called with `data` on another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSThreadCreate(function: Option<ThreadFunc>, data: *mut c_void) -> Handle {
    fence("TSThreadCreate", null_mut(), || {
        let function = function.ok_or(Misuse::Null)?;
        let thread = made(None).ok_or(Misuse::Text("there are too many threads"))?;
        let (owner, own, data) = (plugin::current(), Arc::clone(&thread), Plugins(data));
        let run = move || {
            let data = data;
            OWN.set(own.number);
            let _at_work = plugin::enter(owner.as_ref());
            // SAFETY: as the caller vouches.
            call_out(|| unsafe { function(data.0) });
            *own.has_ended.lock() = true;
            own.end.notify_all();
        };
        let name = format!("[{}]", plugin::current_name());
        let started = std::thread::Builder::new().name(name).spawn(run);
        started.map_err(|_| Misuse::Text("the system has no more threads"))?;
        Ok::<_, Misuse>(pointer(thread.number))
    })
}

/// Gives a thread's handle up. The thread itself goes on.
#[unsafe(no_mangle)]
pub extern "C" fn TSThreadDestroy(thread: Handle) {
    fence("TSThreadDestroy", (), || {
        find(thread)?;
        drop(THREADS.remove(number(thread)));
        if OWN.get() == number(thread) {
            OWN.set(0);
        }
        Ok::<_, Misuse>(())
    });
}

/// Waits for the end of a thread that [`TSThreadCreate`] started.
#[unsafe(no_mangle)]
pub extern "C" fn TSThreadWait(thread: Handle) {
    fence("TSThreadWait", (), || {
        let thread = find(thread)?;
        let mut has_ended = thread.has_ended.lock();
        while !*has_ended {
            thread.end.wait(&mut has_ended);
        }
        Ok::<_, Misuse>(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C-unwind" fn leaves_its_handle(data: *mut c_void) -> *mut c_void {
        // SAFETY: the test gives a place for a number.
        unsafe { data.cast::<u64>().write(number(TSThreadSelf())) };
        null_mut()
    }

    #[test]
    fn a_thread_of_a_plugin_knows_its_handle_and_can_be_waited_for() {
        let mut seen = 0_u64;
        // SAFETY: the place lives until the thread has ended.
        let thread = unsafe { TSThreadCreate(Some(leaves_its_handle), (&raw mut seen).cast()) };
        TSThreadWait(thread);
        assert_eq!(seen, number(thread));
        assert!(TSEventThreadSelf().is_null());
        assert_eq!(TSThreadInit(), TSThreadSelf());
        TSThreadDestroy(thread);
        assert!(find(thread).is_err());
    }
}
