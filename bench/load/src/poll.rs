//! A queue of socket events: epoll with a number for each socket.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// Events taken at once.
const BATCH: usize = 512;

/// Connections not yet accepted.
const BACKLOG: i32 = 4096;

/// Number of a program's listener among its sockets.
pub const LISTENER: u64 = u64::MAX;

/// Listens on a port of this machine.
pub fn listen(port: u16) -> Result<TcpListener> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("listen on port {port}"))?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// What to wait for on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or the end.
    Read,
    /// Room to write.
    Write,
    /// Bytes, or the end, that have come since the last event (edge-triggered).
    News,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN | EventFlags::RDHUP,
            Self::Write => EventFlags::OUT,
            Self::News => EventFlags::IN | EventFlags::RDHUP | EventFlags::ET,
        }
    }
}

/// The queue.
pub struct Poll {
    epoll: OwnedFd,
    ready: Vec<Event>,
}

impl Poll {
    /// An empty queue.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, ready: Vec::with_capacity(BATCH) })
    }

    /// Watches a socket; its events carry `number`. A closed socket leaves the queue by itself.
    pub fn add(&self, socket: impl AsFd, number: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(number), interest.flags())?)
    }

    /// Waits for something else on a watched socket.
    pub fn change(&self, socket: impl AsFd, number: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(number), interest.flags())?)
    }

    /// Puts the numbers of sockets with events into `numbers`; waits for the first at most `limit`.
    pub fn wait(&mut self, limit: Option<Duration>, numbers: &mut Vec<u64>) -> io::Result<()> {
        let limit = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        numbers.clear();
        self.ready.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.ready), limit.as_ref()) {
            Ok(_) => numbers.extend(self.ready.iter().map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;

    #[test]
    fn a_socket_is_reported_by_its_number_when_something_arrives() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let mut sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (receiver, _) = listener.accept().expect("accepted");
        let mut poll = Poll::new().expect("created");
        poll.add(&receiver, 7, Interest::Read).expect("added");
        let mut numbers = vec![1];
        poll.wait(Some(Duration::ZERO), &mut numbers).expect("waited");
        assert_eq!(numbers, []);
        sender.write_all(b"x").expect("sent");
        poll.wait(Some(Duration::from_secs(20)), &mut numbers).expect("waited");
        assert_eq!(numbers, [7]);
        poll.change(&receiver, 8, Interest::Write).expect("changed");
        poll.wait(None, &mut numbers).expect("waited");
        assert_eq!(numbers, [8]);
    }
}
