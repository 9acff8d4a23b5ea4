//! What the kernel tells about sockets: epoll, edge-triggered.
//!
//! Responsible for: watching sockets, waking the tasks that wait for them.
//! Not responsible for: reading and writing; when to ask (`event_loop`).
//! Invariants: a [`Source`] that is ready stays so until its owner has found that it is not any more
//! ([`Source::set_used_up`], [`Source::set_blocked`]); the end of a direction stays until the kernel says otherwise. Everything belongs to one thread: readiness
//! changes only in [`Reactor::wait`].

use crate::slab::{Key, Slab};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Events taken at once.
const EVENTS: usize = 512;
/// The number of what other threads wake this one by.
const WAKE_UP: u64 = u64::MAX;

/// Bytes, a connection or the end have come.
pub(crate) const READABLE: u8 = 1;
/// There is room, or nothing will be taken any more.
pub(crate) const WRITABLE: u8 = 2;
/// [`READABLE`], for good.
const READ_ENDED: u8 = 4;
/// [`WRITABLE`], for good.
const WRITE_ENDED: u8 = 8;

/// The sockets that a thread watches.
pub(crate) struct Reactor {
    epoll: OwnedFd,
    sources: RefCell<Slab<Rc<Source>>>,
    events: RefCell<Vec<Event>>,
}

impl Reactor {
    /// Watches nothing but `wake_up`, whose readiness ends each wait.
    pub(crate) fn new(wake_up: impl AsFd) -> io::Result<Reactor> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, wake_up, EventData::new_u64(WAKE_UP), EventFlags::IN | EventFlags::ET)?;
        Ok(Reactor { epoll, sources: RefCell::default(), events: RefCell::new(Vec::with_capacity(EVENTS)) })
    }

    /// Watches a socket until it is closed or [`Self::forget`] is called. `ready`: what is known of it already.
    pub(crate) fn watch(&self, socket: impl AsFd, ready: u8) -> io::Result<Rc<Source>> {
        let mut source = None;
        let key = self.sources.borrow_mut().insert_with(|key| {
            let new = Rc::new(Source {
                key,
                ready: Cell::new(ready),
                reader: Cell::default(),
                writer: Cell::default(),
            });
            Rc::clone(source.insert(new))
        });
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let added = epoll::add(&self.epoll, socket, EventData::new_u64(key.to_bits()), flags);
        match (source, added) {
            (Some(source), Ok(())) => Ok(source),
            (_, result) => {
                self.sources.borrow_mut().remove(key);
                Err(result.err().map_or(io::ErrorKind::Other.into(), io::Error::from))
            }
        }
    }

    /// Lets go of a source whose socket is about to be closed, which ends the kernel's part.
    pub(crate) fn forget(&self, source: &Source) {
        let gone = self.sources.borrow_mut().remove(source.key);
        // Outside the borrow: dropping a waker may drop a task.
        drop(gone);
    }

    /// Waits for events, at most `limit`, and wakes who waits for them.
    pub(crate) fn wait(&self, limit: Duration) -> io::Result<()> {
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        let mut events = self.events.take();
        events.clear();
        let result = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&limit));
        for event in &events {
            let number = event.data.u64();
            if number != WAKE_UP {
                self.dispatch(number, event.flags);
            }
        }
        self.events.replace(events);
        match result {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn dispatch(&self, number: u64, flags: EventFlags) {
        let source = self.sources.borrow().get(Key::from_bits(number)).map(Rc::clone);
        // None: closed by a task since the event came.
        let Some(source) = source else { return };
        let mut ready = 0;
        for (flag, means) in [
            (EventFlags::IN, READABLE),
            (EventFlags::OUT, WRITABLE),
            (EventFlags::RDHUP, READ_ENDED),
            (EventFlags::HUP, READ_ENDED | WRITE_ENDED),
            (EventFlags::ERR, READ_ENDED | WRITE_ENDED),
        ] {
            if flags.contains(flag) {
                ready |= means;
            }
        }
        source.ready.set(source.ready.get() | ready);
        if ready & (READABLE | READ_ENDED) != 0 {
            wake(&source.reader);
        }
        if ready & (WRITABLE | WRITE_ENDED) != 0 {
            wake(&source.writer);
        }
    }
}

/// Wakes who waits. The waker stays: mostly the same task waits again.
fn wake(waiting: &Cell<Option<Waker>>) {
    let waker = waiting.take();
    if let Some(waker) = &waker {
        waker.wake_by_ref();
    }
    waiting.set(waker);
}

/// What is known of one socket.
pub(crate) struct Source {
    key: Key,
    ready: Cell<u8>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

impl Source {
    /// Whether a direction ([`READABLE`], [`WRITABLE`]) is ready.
    pub(crate) fn is_ready(&self, direction: u8) -> bool {
        self.ready.get() & (direction | direction << 2) != 0
    }

    /// Waits for a direction. One task at a time waits for each.
    pub(crate) fn poll_ready(&self, direction: u8, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_ready(direction) {
            return Poll::Ready(());
        }
        let waiting = if direction == READABLE { &self.reader } else { &self.writer };
        match waiting.take() {
            Some(waker) if waker.will_wake(cx.waker()) => waiting.set(Some(waker)),
            _ => waiting.set(Some(cx.waker().clone())),
        }
        Poll::Pending
    }

    /// The kernel had no more than was taken: the next wait is for its next event, or for the end if that has come.
    pub(crate) fn set_used_up(&self, direction: u8) {
        self.ready.set(self.ready.get() & !direction);
    }

    /// The kernel said that it would have to wait: whatever its events were, the direction has not ended either.
    pub(crate) fn set_blocked(&self, direction: u8) {
        self.ready.set(self.ready.get() & !(direction | direction << 2));
    }
}
