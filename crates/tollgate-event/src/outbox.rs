//! What leaves at the end of a turn of the event loop.
//!
//! Responsible for: keeping small writes of the thread's connections until the tasks that were ready have run, and
//! sending them then, one connection after the other.
//! Why: a send to a peer that sleeps wakes it, which costs more than half of the send. Sends that follow each other
//! closely find it awake.
//! Not responsible for: large writes, which go out at once; limits on waits.
//! Invariants: nothing is kept beyond the turn in which it was written, nor while [`MOST`] others write, unless the
//! kernel has no room for it; what one connection writes leaves in its order; at most [`KEPT_BYTES`] of one connection
//! are kept, whether or not it is dropped meanwhile.

use crate::event_loop::{self, with_reactor};
use crate::pool::ScratchVec;
use crate::reactor::{Source, WRITABLE};
use crate::sys;
use crate::timer::Watch;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::TcpStream;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// LIMIT: connections that wait for the end of a turn.
const MOST: usize = 64;
/// LIMIT: bytes kept for a connection.
const KEPT_BYTES: usize = 16 * 1024;
/// LIMIT: how long the rest of a dropped connection waits for room.
const ORPHAN_WAIT: Duration = Duration::from_secs(30);

thread_local! {
    static QUEUE: RefCell<Vec<Rc<Socket>>> = const { RefCell::new(Vec::new()) };
    /// This thread has turns.
    static HAS_TURNS: Cell<bool> = const { Cell::new(false) };
    /// Connections for whose rest the kernel has no room yet.
    static DRAINING: Cell<usize> = const { Cell::new(0) };
}

/// Whether peers of this thread's connections have yet to take what was written to them.
pub(crate) fn is_empty() -> bool {
    QUEUE.with_borrow(Vec::is_empty) && DRAINING.get() == 0
}

/// From now on [`flush`] is called at the end of each turn of this thread.
pub(crate) fn begin() {
    HAS_TURNS.set(true);
}

/// Sends what is there at the thread's end, and keeps nothing from now on.
pub(crate) fn end() {
    HAS_TURNS.set(false);
    flush();
}

/// Sends what was kept.
pub(crate) fn flush() {
    let mut queue = QUEUE.take();
    for socket in queue.drain(..) {
        socket.send_kept();
    }
    QUEUE.with_borrow_mut(|empty| {
        if empty.is_empty() {
            *empty = queue;
        }
    });
}

/// A connection's socket with what it has yet to send.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) source: Rc<Source>,
    kept: RefCell<Option<ScratchVec>>,
    state: Cell<State>,
    /// Who waits for the kept bytes to be gone.
    waiter: Cell<Option<Waker>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is kept.
    Empty,
    /// What is kept goes at the end of the turn.
    Queued,
    /// The kernel had no room: a task waits for it.
    Draining,
    /// The peer takes no more.
    Broken(ErrorKind),
}

impl Socket {
    /// `ready`: what is known of it already.
    pub(crate) fn new(stream: TcpStream, ready: u8) -> io::Result<Rc<Socket>> {
        let source = with_reactor(|reactor| reactor.watch(&stream, ready))?;
        Ok(Rc::new(Socket {
            stream,
            source,
            kept: RefCell::default(),
            state: Cell::new(State::Empty),
            waiter: Cell::default(),
        }))
    }

    /// Whether `bytes` can be kept for the end of the turn.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let kept = match self.state.get() {
            State::Empty => 0,
            State::Queued => self.kept.borrow().as_ref().map_or(0, |kept| kept.len()),
            State::Draining | State::Broken(_) => return false,
        };
        kept + bytes <= KEPT_BYTES && HAS_TURNS.get()
    }

    /// Keeps `parts`, for which there is room.
    pub(crate) fn keep_parts(self: &Rc<Self>, parts: &[IoSlice<'_>]) {
        let mut kept = self.kept.borrow_mut();
        let vec = kept.get_or_insert_with(ScratchVec::take);
        parts.iter().for_each(|part| vec.extend_from_slice(part));
        drop(kept);
        self.queue();
    }

    /// Keeps `bytes`, for which there is room.
    pub(crate) fn keep(self: &Rc<Self>, bytes: ScratchVec) {
        match &mut *self.kept.borrow_mut() {
            Some(kept) => kept.extend_from_slice(&bytes),
            none => *none = Some(bytes),
        }
        self.queue();
    }

    fn queue(self: &Rc<Self>) {
        if self.state.replace(State::Queued) == State::Queued {
            return;
        }
        let queued = QUEUE.with_borrow_mut(|queue| {
            queue.push(Rc::clone(self));
            queue.len()
        });
        if queued == MOST {
            flush();
        }
    }

    /// Whether bytes written before are still here, or were lost.
    pub(crate) fn is_clear(&self) -> bool {
        self.state.get() == State::Empty
    }

    /// Ready when what was written before is with the kernel.
    pub(crate) fn poll_clear(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send_kept();
        match self.state.get() {
            State::Empty => Poll::Ready(Ok(())),
            State::Broken(kind) => Poll::Ready(Err(kind.into())),
            State::Queued | State::Draining => {
                self.waiter.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }

    /// Sends what waits for the end of the turn.
    fn send_kept(self: &Rc<Self>) {
        if self.state.get() != State::Queued {
            return;
        }
        let Some(mut kept) = self.kept.take() else { return self.state.set(State::Empty) };
        let sent = match sys::send(&self.stream, &[IoSlice::new(&kept)]) {
            Ok(n) => n,
            Err(error) if is_transient(&error) => 0,
            Err(error) => return self.state.set(State::Broken(error.kind())),
        };
        if sent == kept.len() {
            return self.state.set(State::Empty);
        }
        kept.drain(..sent);
        self.state.set(State::Draining);
        self.source.set_used_up(WRITABLE);
        crate::spawn_local(Rc::clone(self).drain(kept));
    }

    /// Sends `rest` as the kernel has room for it.
    async fn drain(self: Rc<Self>, mut rest: ScratchVec) {
        let (watch, _counted) = (Watch::new(), Draining::begin());
        while !rest.is_empty() {
            watch.set(ORPHAN_WAIT);
            match poll_fn(|cx| self.poll_send(cx, &rest, &watch)).await {
                Ok(n) => drop(rest.drain(..n)),
                // A connection that is still held has limits of its own.
                Err(error) if error.kind() == ErrorKind::TimedOut && Rc::strong_count(&self) > 1 => {}
                Err(error) => {
                    self.state.set(State::Broken(error.kind()));
                    break;
                }
            }
        }
        if rest.is_empty() {
            self.state.set(State::Empty);
        }
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8], watch: &Watch) -> Poll<io::Result<usize>> {
        loop {
            if self.source.poll_ready(WRITABLE, cx).is_pending() {
                ready!(watch.poll_expired(cx));
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            match sys::send(&self.stream, &[IoSlice::new(bytes)]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.source.set_blocked(WRITABLE),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent),
            }
        }
    }
}

/// Counts a connection as long as its rest is being sent.
struct Draining;

impl Draining {
    fn begin() -> Draining {
        DRAINING.set(DRAINING.get() + 1);
        Draining
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        DRAINING.set(DRAINING.get() - 1);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        event_loop::try_with_reactor(|reactor| reactor.forget(&self.source));
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Socket").field(&self.stream).field(&self.state.get()).finish()
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{self, Conn, ConnectOptions};
    use crate::{EventThread, yield_now};
    use std::io::{Read, Write};
    use std::net::Ipv4Addr;

    fn on_a_thread<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
        EventThread::spawn(0, 1, test).expect("a thread").join().expect("no panic");
    }

    /// A connection and its peer, whose reads do not wait.
    async fn pair() -> (Conn, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let conn = net::connect(addr, &ConnectOptions::default()).await.expect("connected");
        let (peer, _) = listener.accept().expect("accepted");
        peer.set_nonblocking(true).expect("set");
        (conn, peer)
    }

    async fn write(conn: &mut Conn, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| conn.poll_write_parts(cx, &[bytes, &[], &[]], 0)).await
    }

    /// What has come, and whether the end has.
    fn read(peer: &mut std::net::TcpStream) -> (Vec<u8>, bool) {
        let (mut all, mut piece) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            match peer.read(&mut piece) {
                Ok(0) => return (all, true),
                Ok(n) => all.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (all, false),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn small_writes_leave_at_the_end_of_the_turn_and_large_ones_behind_them_at_once() {
        on_a_thread(|| async {
            let (mut conn, mut peer) = pair().await;
            for piece in [&b"head "[..], b"body "] {
                assert_eq!(write(&mut conn, piece).await.ok(), Some(5));
            }
            assert_eq!(read(&mut peer), (vec![], false), "the turn is not over");
            yield_now().await;
            assert_eq!(read(&mut peer), (b"head body ".to_vec(), false));
            write(&mut conn, b"more").await.expect("kept");
            let large = vec![b'x'; KEPT_BYTES + 1];
            assert_eq!(write(&mut conn, &large).await.ok(), Some(large.len()));
            assert_eq!(read(&mut peer).0, [&b"more"[..], &large].concat());
        });
    }

    #[test]
    fn many_connections_do_not_wait_for_the_end_of_the_turn() {
        on_a_thread(|| async {
            let mut pairs = Vec::new();
            for _ in 0..MOST {
                pairs.push(pair().await);
            }
            for (conn, _) in &mut pairs {
                write(conn, b"x").await.expect("kept");
            }
            assert!(pairs.iter_mut().all(|(_, peer)| read(peer).0 == b"x"));
        });
    }

    #[test]
    fn a_peer_that_does_not_read_gets_all_in_order_later_and_little_is_kept_for_it() {
        on_a_thread(|| async {
            let (mut conn, mut peer) = pair().await;
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            for round in 0..3 {
                loop {
                    let piece = vec![(sent.len() % 251) as u8; 10_000];
                    let mut cx = Context::from_waker(Waker::noop());
                    match conn.poll_write_parts(&mut cx, &[&piece, &[], &[]], 0) {
                        Poll::Ready(n) => sent.extend_from_slice(&piece[..n.expect("open")]),
                        Poll::Pending => break,
                    }
                    assert!(sent.len() < 1 << 30, "round {round}");
                    yield_now().await;
                }
                let before = received.len();
                received.extend(read(&mut peer).0);
                assert!(received.len() > before);
                // The rest comes while the connection is only read from, or is gone.
                assert!(net::has_unsent());
                if round == 2 {
                    drop(conn);
                    break;
                }
                while received.len() < sent.len() {
                    yield_now().await;
                    received.extend(read(&mut peer).0);
                }
            }
            while received.len() < sent.len() {
                yield_now().await;
                received.extend(read(&mut peer).0);
            }
            assert!(received == sent);
            yield_now().await;
            assert_eq!(read(&mut peer), (vec![], true), "it was closed behind the last byte");
            assert!(!net::has_unsent());
        });
    }

    #[test]
    fn a_connection_closes_and_shuts_down_behind_what_was_written() {
        on_a_thread(|| async {
            let (mut conn, mut peer) = pair().await;
            write(&mut conn, b"all").await.expect("kept");
            conn.shutdown_write().await.expect("open");
            assert_eq!(read(&mut peer), (b"all".to_vec(), true));
            assert!(peer.write_all(b"x").is_ok(), "only one direction");
            let (mut conn, mut peer) = pair().await;
            write(&mut conn, b"all").await.expect("kept");
            conn.close();
            assert!(write(&mut conn, b"x").await.is_err());
            drop(conn);
            yield_now().await;
            assert_eq!(read(&mut peer), (b"all".to_vec(), true));
        });
    }

    #[test]
    fn what_is_kept_as_the_thread_ends_is_sent() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let addr = listener.local_addr().expect("bound");
        on_a_thread(move || async move {
            let mut conn = net::connect(addr, &ConnectOptions::default()).await.expect("connected");
            write(&mut conn, b"last words").await.expect("kept");
        });
        let mut text = String::new();
        listener.accept().expect("connected").0.read_to_string(&mut text).expect("text");
        assert_eq!(text, "last words");
    }

    #[test]
    fn that_the_peer_takes_no_more_shows_at_a_later_write() {
        on_a_thread(|| async {
            let (mut conn, peer) = pair().await;
            socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("set");
            drop(peer);
            write(&mut conn, b"kept").await.expect("nothing is known yet");
            yield_now().await;
            let error = write(&mut conn, b"more").await.expect_err("it was reset");
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
            assert!(conn.shutdown_write().await.is_err());
        });
    }
}
