//! The loop of an event thread: tasks, and what they wait for.
//!
//! Responsible for: running the thread's tasks in turns, waiting for sockets, timers and other threads between them.
//! Not responsible for: what tasks do; sockets (`reactor`), timers (`timer`), what leaves at a turn's end (`outbox`).
//! How: a turn runs the tasks that are ready and those that they wake, up to [`TURN_TASKS`]; then what was written is
//! sent, and the kernel is asked for news: without waiting if a task is still ready.
//! Invariants: a task is run only by its thread, and never while it runs; a waker may be used on any thread and after
//! the end of its task; a task that panics ends, and no other.

use crate::outbox;
use crate::reactor::Reactor;
use crate::slab::{Key, Slab};
use crate::timer;
use rustix::event::EventfdFlags;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// LIMIT: operations on connections that a task does before others get their turn.
const TASK_OPERATIONS: u32 = 128;
/// LIMIT: tasks run in one turn.
const TURN_TASKS: usize = 256;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Loop>>> = const { RefCell::new(None) };
    /// Tasks of this thread's loop that are ready, and which loop that is.
    static READY: RefCell<VecDeque<Key>> = const { RefCell::new(VecDeque::new()) };
    static HOME: Cell<usize> = const { Cell::new(0) };
    /// Operations that the task that runs may still do.
    static BUDGET: Cell<u32> = const { Cell::new(0) };
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The loop of this thread.
struct Loop {
    reactor: Reactor,
    tasks: RefCell<Slab<Place>>,
    /// Tasks that let others go first.
    yielded: RefCell<Vec<Waker>>,
    remote: Arc<Remote>,
    is_ending: Cell<bool>,
}

struct Place {
    /// `None` while it runs.
    task: Option<(Task, Waker)>,
    woken: Arc<TaskWaker>,
}

/// What other threads know of a loop.
struct Remote {
    woken: Mutex<Vec<Key>>,
    has_woken: AtomicBool,
    /// The thread waits in the kernel, or is about to.
    is_asleep: AtomicBool,
    wake_up: OwnedFd,
}

impl Remote {
    fn new() -> io::Result<Arc<Remote>> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Arc::new(Remote {
            woken: Mutex::default(),
            has_woken: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            wake_up: rustix::event::eventfd(0, flags)?,
        }))
    }

    fn wake(&self, key: Key) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        self.has_woken.store(true, Ordering::SeqCst);
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            // It fails only if it is full, and then the thread is awake.
            let _: Result<usize, _> = rustix::io::write(&self.wake_up, &1u64.to_ne_bytes());
        }
    }
}

/// Wakes one task.
struct TaskWaker {
    remote: Arc<Remote>,
    key: Key,
    /// It is in a queue.
    is_woken: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if HOME.get() == Arc::as_ptr(&self.remote) as usize {
            // Beside this thread's, only the other threads' attempts matter, and two are as good as one.
            if !self.is_woken.load(Ordering::Relaxed) {
                self.is_woken.store(true, Ordering::Relaxed);
                READY.with_borrow_mut(|ready| ready.push_back(self.key));
            }
        } else if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.remote.wake(self.key);
        }
    }
}

/// Runs what `main` makes, and the tasks that come of it, on this thread until it is done. The tasks that are left are
/// dropped then.
///
/// # Errors
/// If the kernel refuses what a loop needs, or `main` panicked.
pub(crate) fn run<F: Future<Output = ()> + 'static>(main: impl FnOnce() -> F) -> io::Result<()> {
    let remote = Remote::new()?;
    let reactor = Reactor::new(&remote.wake_up)?;
    let end = Rc::new(Cell::new(None));
    let this = Rc::new(Loop {
        reactor,
        tasks: RefCell::default(),
        yielded: RefCell::default(),
        remote,
        is_ending: Cell::new(false),
    });
    let _inside = Inside::enter(&this);
    let done = MainTask(Rc::clone(&end));
    let main = main();
    this.spawn(Box::pin(async move {
        let _done = done;
        main.await;
    }));
    loop {
        match end.get() {
            None => this.turn(&end)?,
            Some(End::Done) => return Ok(()),
            Some(End::Panicked) => return Err(io::Error::other("event thread panicked")),
        }
    }
}

/// How the main task ended.
#[derive(Clone, Copy)]
enum End {
    Done,
    Panicked,
}

struct MainTask(Rc<Cell<Option<End>>>);

impl Drop for MainTask {
    fn drop(&mut self) {
        self.0.set(Some(if std::thread::panicking() { End::Panicked } else { End::Done }));
    }
}

/// The thread is inside its loop.
struct Inside(Rc<Loop>);

impl Inside {
    fn enter(this: &Rc<Loop>) -> Inside {
        CURRENT.replace(Some(Rc::clone(this)));
        HOME.set(Arc::as_ptr(&this.remote) as usize);
        outbox::begin();
        Inside(Rc::clone(this))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        outbox::end();
        self.0.is_ending.set(true);
        // What a task holds may do anything as it is dropped, but start another.
        drop(self.0.tasks.take());
        HOME.set(0);
        READY.take();
        CURRENT.take();
    }
}

impl Loop {
    fn spawn(&self, task: Task) {
        if self.is_ending.get() {
            return;
        }
        let key = self.tasks.borrow_mut().insert_with(|key| {
            let remote = Arc::clone(&self.remote);
            let woken = Arc::new(TaskWaker { remote, key, is_woken: AtomicBool::new(true) });
            Place { task: Some((task, Waker::from(Arc::clone(&woken)))), woken }
        });
        READY.with_borrow_mut(|ready| ready.push_back(key));
    }

    fn turn(&self, end: &Cell<Option<End>>) -> io::Result<()> {
        for _ in 0..TURN_TASKS {
            let Some(key) = READY.with_borrow_mut(VecDeque::pop_front) else { break };
            self.run_task(key);
            if end.get().is_some() {
                return Ok(());
            }
        }
        outbox::flush();
        self.reactor.wait(self.time_to_wait())?;
        self.remote.is_asleep.store(false, Ordering::Relaxed);
        timer::advance();
        if self.remote.has_woken.swap(false, Ordering::SeqCst) {
            let mut woken = self.remote.woken.lock().unwrap_or_else(PoisonError::into_inner);
            READY.with_borrow_mut(|ready| ready.extend(woken.drain(..)));
        }
        self.yielded.take().into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// How long to wait for events: not at all if there is something to do. Other threads are told if it is long.
    fn time_to_wait(&self) -> Duration {
        if !READY.with_borrow(VecDeque::is_empty) || !self.yielded.borrow().is_empty() {
            return Duration::ZERO;
        }
        self.remote.is_asleep.store(true, Ordering::SeqCst);
        if self.remote.has_woken.load(Ordering::SeqCst) { Duration::ZERO } else { timer::time_left() }
    }

    fn run_task(&self, key: Key) {
        let (mut task, waker) = {
            let mut tasks = self.tasks.borrow_mut();
            // None: woken twice, and the first time was its last.
            let Some(place) = tasks.get_mut(key) else { return };
            let Some(task) = place.task.take() else { return };
            // What is done after this wakes it again.
            place.woken.is_woken.swap(false, Ordering::AcqRel);
            task
        };
        BUDGET.set(TASK_OPERATIONS);
        let mut cx = Context::from_waker(&waker);
        let poll = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut cx)));
        if matches!(poll, Ok(Poll::Pending)) {
            if let Some(place) = self.tasks.borrow_mut().get_mut(key) {
                place.task = Some((task, waker));
            }
            return;
        }
        // A panic was told by the hook for panics. One while dropping what is left is the same task's.
        let _: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(|| drop(task)));
        self.tasks.borrow_mut().remove(key);
    }
}

/// Runs `future` as a task of this event thread.
///
/// # Panics
/// On a thread that is none.
pub fn spawn_local(future: impl Future<Output = ()> + 'static) {
    current().spawn(Box::pin(future));
}

/// Lets other tasks of this thread run, and the kernel tell its news.
pub async fn yield_now() {
    let mut is_first = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut is_first) {
            current().yielded.borrow_mut().push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await
}

/// Pending, with the task in the queue again, once it has done [`TASK_OPERATIONS`] in this turn: a peer that is always
/// ready does not keep the others waiting.
pub(crate) fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    match BUDGET.get().checked_sub(1) {
        Some(left) => {
            BUDGET.set(left);
            Poll::Ready(())
        }
        None => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

/// Runs `f` with the reactor of this event thread.
pub(crate) fn with_reactor<R>(f: impl FnOnce(&Reactor) -> R) -> R {
    f(&current().reactor)
}

/// The same, unless the thread is none or ends.
pub(crate) fn try_with_reactor(f: impl FnOnce(&Reactor)) {
    let current = CURRENT.try_with(|current| current.borrow().clone());
    if let Ok(Some(current)) = current {
        f(&current.reactor);
    }
}

fn current() -> Rc<Loop> {
    CURRENT.with_borrow(|current| current.clone().expect("on an event thread"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventThread, timer};
    use std::future::poll_fn;
    use std::sync::mpsc;

    fn on_a_thread<F: Future<Output = ()> + 'static>(
        test: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()> {
        EventThread::spawn(0, 1, test).expect("a thread").join()
    }

    #[test]
    fn tasks_run_in_the_order_in_which_they_became_ready() {
        let (sender, receiver) = mpsc::channel();
        on_a_thread(move || async move {
            for number in 0..3 {
                let sender = sender.clone();
                spawn_local(async move {
                    sender.send(number).expect("heard");
                    yield_now().await;
                    sender.send(number + 10).expect("heard");
                });
            }
            yield_now().await;
            yield_now().await;
        })
        .expect("no panic");
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2, 10, 11, 12]);
    }

    #[test]
    fn a_waker_works_from_any_thread_while_the_loop_sleeps_or_runs_and_after_its_end() {
        let (sender, wakers) = mpsc::channel::<Waker>();
        let waking = std::thread::spawn(move || {
            let mut last = None;
            for waker in wakers {
                waker.wake_by_ref();
                last = Some(waker);
            }
            last.expect("at least one").wake();
        });
        on_a_thread(move || async move {
            for _ in 0..1000 {
                let mut is_first = true;
                poll_fn(|cx| {
                    if std::mem::take(&mut is_first) {
                        sender.send(cx.waker().clone()).expect("heard");
                        return Poll::Pending;
                    }
                    Poll::Ready(())
                })
                .await;
            }
        })
        .expect("no panic");
        waking.join().expect("no panic");
    }

    #[test]
    fn a_task_that_panics_ends_alone_and_the_main_one_with_an_error() {
        on_a_thread(|| async {
            spawn_local(async { panic!("on purpose") });
            yield_now().await;
        })
        .expect("the main task is well");
        assert!(on_a_thread(|| async { panic!("on purpose") }).is_err());
    }

    #[test]
    fn what_is_left_at_the_end_is_dropped_and_may_not_start_more() {
        struct Last(mpsc::Sender<()>);
        impl Drop for Last {
            fn drop(&mut self) {
                let sender = self.0.clone();
                spawn_local(async move { sender.send(()).expect("heard") });
                self.0.send(()).expect("heard");
            }
        }
        let (sender, receiver) = mpsc::channel();
        on_a_thread(move || async move {
            let last = Last(sender);
            spawn_local(async move {
                let _last = last;
                std::future::pending::<()>().await;
            });
            yield_now().await;
        })
        .expect("no panic");
        assert_eq!(receiver.iter().count(), 1);
    }

    #[test]
    fn a_task_that_always_finds_something_to_do_lets_others_run() {
        on_a_thread(|| async {
            let is_over = Rc::new(Cell::new(false));
            let other = Rc::clone(&is_over);
            spawn_local(async move { other.set(true) });
            poll_fn(|cx| {
                while poll_budget(cx).is_ready() {}
                if is_over.get() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        })
        .expect("no panic");
    }

    #[test]
    fn a_place_used_again_is_not_woken_for_the_task_before() {
        on_a_thread(|| async {
            let stale: Rc<RefCell<Option<Waker>>> = Rc::default();
            let place = Rc::clone(&stale);
            spawn_local(poll_fn(move |cx| {
                place.replace(Some(cx.waker().clone()));
                Poll::Ready(())
            }));
            yield_now().await;
            let polls = Rc::new(Cell::new(0));
            let counted = Rc::clone(&polls);
            spawn_local(poll_fn(move |_| {
                counted.set(counted.get() + 1);
                Poll::Pending
            }));
            yield_now().await;
            stale.take().expect("kept").wake();
            yield_now().await;
            assert_eq!(polls.get(), 1);
        })
        .expect("no panic");
    }

    #[test]
    fn sleeps_end_in_their_order_and_dropped_ones_do_not_count() {
        let (sender, receiver) = mpsc::channel();
        on_a_thread(move || async move {
            for millis in [30, 10, 20] {
                let sender = sender.clone();
                spawn_local(async move {
                    timer::sleep(Duration::from_millis(millis)).await;
                    sender.send(millis).expect("heard");
                });
            }
            let dropped = timer::within(Duration::from_millis(50), timer::sleep(Duration::MAX)).await;
            assert!(dropped.is_err());
            timer::sleep(Duration::from_millis(60)).await;
        })
        .expect("no panic");
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [10, 20, 30]);
    }
}
