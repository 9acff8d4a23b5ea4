//! What the kernel tells about sockets: epoll, edge-triggered.
//!
//! Responsible for: watching sockets, waking the tasks that wait for them.
//! Not responsible for: reading and writing; when to ask (`event_loop`).
//! Invariants: a [`Source`] that is ready stays so until its owner has found that it is not any more
//! ([`Source::set_used_up`]); the end of a direction stays for good. Everything belongs to one thread: readiness
//! changes only in [`Reactor::wait`].

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
    sources: RefCell<Sources>,
    events: RefCell<Vec<Event>>,
}

#[derive(Default)]
struct Sources {
    places: Vec<Place>,
    free: Vec<u32>,
}

/// A source and how many had its place before: events that are under way when it goes are not its successor's.
#[derive(Default)]
struct Place {
    source: Option<Rc<Source>>,
    uses: u32,
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
        let mut sources = self.sources.borrow_mut();
        let at = sources.free.pop().unwrap_or_else(|| {
            sources.places.push(Place::default());
            (sources.places.len() - 1) as u32
        });
        let place = &mut sources.places[at as usize];
        let number = u64::from(place.uses) << 32 | u64::from(at);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        if let Err(error) = epoll::add(&self.epoll, socket, EventData::new_u64(number), flags) {
            sources.free.push(at);
            return Err(error.into());
        }
        let source = Rc::new(Source {
            at,
            ready: Cell::new(ready),
            reader: RefCell::default(),
            writer: RefCell::default(),
        });
        place.source = Some(Rc::clone(&source));
        Ok(source)
    }

    /// Lets go of a source whose socket is about to be closed, which ends the kernel's part.
    pub(crate) fn forget(&self, source: &Source) {
        let mut sources = self.sources.borrow_mut();
        let place = &mut sources.places[source.at as usize];
        place.uses = place.uses.wrapping_add(1);
        let gone = place.source.take();
        sources.free.push(source.at);
        // Dropping a waker may drop a task.
        drop(sources);
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
        let source = {
            let sources = self.sources.borrow();
            let place = &sources.places[number as u32 as usize];
            match &place.source {
                Some(source) if place.uses == (number >> 32) as u32 => Rc::clone(source),
                // Closed by a task since the event came.
                _ => return,
            }
        };
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
fn wake(waiting: &RefCell<Option<Waker>>) {
    if let Some(waker) = &*waiting.borrow() {
        waker.wake_by_ref();
    }
}

/// What is known of one socket.
#[derive(Debug)]
pub(crate) struct Source {
    at: u32,
    ready: Cell<u8>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
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
        let before = match &mut *waiting.borrow_mut() {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            waiting => waiting.replace(cx.waker().clone()),
        };
        // Outside the borrow: it may be the last of its task.
        drop(before);
        Poll::Pending
    }

    /// The kernel had no more: the next wait is for its next event.
    pub(crate) fn set_used_up(&self, direction: u8) {
        self.ready.set(self.ready.get() & !direction);
    }
}
