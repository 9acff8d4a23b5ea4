//! Sockets: connections and listeners.
//!
//! Responsible for: non-blocking reads and writes with a limit on every wait, connecting, listening with
//! `SO_REUSEPORT` on every event thread.
//! Not responsible for: what the bytes mean; pooling.
//! Invariants: a read or write that moves fewer bytes than it could does not ask the kernel again before the next
//! readiness; a wait longer than the limit set by [`Conn::set_timeout`] ends in `ErrorKind::TimedOut`; small writes
//! leave at the end of the event loop's turn ([`outbox`]), dropped connection or not.

use crate::event_loop::{self, with_reactor};
use crate::outbox;
use crate::pool::{self, ScratchVec};
use crate::reactor::{READABLE, Source, WRITABLE};
use crate::sys;
use crate::timer::Watch;
use bytes::{Bytes, BytesMut};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Most bytes given to the kernel in one call: what fits into one packet of the largest size. More at once is sent in
/// several, and a paced connection (BBR) sets a timer before each of them but the first.
const SEND_BYTES: usize = 56 * 1024;

/// A TCP connection of this thread.
#[derive(Debug)]
pub struct Conn {
    /// `None` after [`Conn::close`].
    socket: Option<Rc<outbox::Socket>>,
    watch: Watch,
    /// Of each wait; zero: none; [`UNTIL_DUE`]: what the watch is set to holds for all.
    limit: Cell<Duration>,
    /// The watch is set for the wait under way. It is set when a wait begins: most operations need none.
    is_set: Cell<bool>,
    deadline: Option<Watch>,
    /// Reads for which a large buffer is used: not long ago one delivered much.
    large_reads: Cell<u8>,
}

/// Reads with a large buffer after one that delivered much.
const LARGE_READS: u8 = 8;

/// A limit that progress does not put off.
const UNTIL_DUE: Duration = Duration::MAX;

impl Conn {
    fn new(socket: Rc<outbox::Socket>) -> Conn {
        Conn {
            socket: Some(socket),
            watch: Watch::new(),
            limit: Cell::default(),
            is_set: Cell::new(false),
            deadline: None,
            large_reads: Cell::new(0),
        }
    }

    /// Limits each following wait (for bytes, for room to write) to `limit` from when it begins; zero takes the limit
    /// away. What is read or written ends a wait.
    pub fn set_timeout(&self, limit: Duration) {
        self.limit.set(limit);
        self.is_set.set(false);
    }

    /// As [`Self::set_timeout`], for a wait that the process may cut short with
    /// [`expire_idle`](crate::timer::expire_idle): the connection is idle. The first wait's limit runs from now on.
    pub fn set_idle_timeout(&self, limit: Duration) {
        self.limit.set(limit);
        self.is_set.set(true);
        self.watch.set_idle(limit);
    }

    /// Limits all following waits together to `limit` from now, in the place of the limit on each.
    pub fn set_only_deadline(&self, limit: Duration) {
        self.limit.set(UNTIL_DUE);
        self.is_set.set(true);
        self.watch.set(limit);
    }

    /// Limits all waits together to `limit` from now, beside the limit on each; zero takes it away.
    pub fn set_deadline(&mut self, limit: Duration) {
        if limit.is_zero() {
            self.deadline = None;
            return;
        }
        self.deadline.get_or_insert_default().set(limit);
    }

    /// Closes, at the latest at the end of this turn of the event loop. Later operations fail with `NotConnected`.
    pub fn close(&mut self) {
        self.socket = None;
        self.watch.clear();
        self.deadline = None;
    }

    fn socket(&self) -> io::Result<&Rc<outbox::Socket>> {
        self.socket.as_ref().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn stream(&self) -> io::Result<&TcpStream> {
        Ok(&self.socket()?.stream)
    }

    /// Reads once. `Ok(empty)` is the end of the stream.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let socket = self.socket()?;
        ready!(event_loop::poll_budget(cx));
        loop {
            // Most polls find nothing: they do not touch the buffer.
            if socket.source.poll_ready(READABLE, cx).is_pending() {
                return self.poll_timeout(cx);
            }
            let mut room = 0;
            let mut receive = |buffer: &mut BytesMut| {
                room = buffer.spare_capacity_mut().len();
                sys::receive(&socket.stream, buffer)
            };
            let left = self.large_reads.get();
            let (read, bytes) = if left == 0 {
                pool::with_chunk(receive)
            } else {
                pool::with_read_buffer(|buffer| (receive(buffer), pool::take_filled(buffer)))
            };
            match read {
                Ok(n) if n > 0 && n < room => socket.source.set_used_up(READABLE),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    socket.source.set_blocked(READABLE);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            let is_large = if left == 0 { bytes.len() == room } else { bytes.len() > pool::LITTLE_BYTES };
            self.large_reads.set(if is_large { LARGE_READS } else { left.saturating_sub(1) });
            self.progressed();
            return Poll::Ready(Ok(bytes));
        }
    }

    /// Reads once. `Ok(empty)` is the end of the stream.
    pub async fn read(&mut self) -> io::Result<Bytes> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    fn progressed(&self) {
        self.is_set.set(self.limit.get() == UNTIL_DUE);
    }

    fn poll_timeout<T>(&self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !self.is_set.replace(true) {
            self.watch.set(self.limit.get());
        }
        let expired = self.watch.poll_expired(cx).is_ready()
            || self.deadline.as_ref().is_some_and(|d| d.poll_expired(cx).is_ready());
        if expired { Poll::Ready(Err(ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }

    /// Writes all of `bytes`, at the end of the event loop's turn. Gives them back if they are too many for that, or if
    /// what was written before is still here.
    pub fn write_later(&self, bytes: ScratchVec) -> Result<(), ScratchVec> {
        match &self.socket {
            Some(socket) if socket.has_room(bytes.len()) => {
                socket.keep(bytes);
                self.progressed();
                Ok(())
            }
            _ => Err(bytes),
        }
    }

    /// Writes once from what is left of `parts` after `done` bytes. Little is kept for the end of the event loop's turn:
    /// that the peer takes no more may show only at a later operation.
    pub fn poll_write_parts(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[&[u8]; 3],
        done: usize,
    ) -> Poll<io::Result<usize>> {
        let mut skip = done;
        let mut slices = [IoSlice::new(&[]); 3];
        let (mut count, mut room) = (0, SEND_BYTES);
        for part in parts {
            let skipped = skip.min(part.len());
            skip -= skipped;
            let left = &part[skipped..];
            let left = &left[..left.len().min(room)];
            if !left.is_empty() {
                slices[count] = IoSlice::new(left);
                count += 1;
                room -= left.len();
            }
        }
        let socket = self.socket()?;
        ready!(event_loop::poll_budget(cx));
        let bytes = SEND_BYTES - room;
        if socket.has_room(bytes) {
            socket.keep_parts(&slices[..count]);
            self.progressed();
            return Poll::Ready(Ok(bytes));
        }
        ready!(self.poll_flush(cx))?;
        loop {
            if socket.source.poll_ready(WRITABLE, cx).is_pending() {
                return self.poll_timeout(cx);
            }
            match sys::send(&socket.stream, &slices[..count]) {
                Ok(n) => {
                    if n < bytes {
                        socket.source.set_used_up(WRITABLE);
                    }
                    self.progressed();
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => socket.source.set_blocked(WRITABLE),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Waits until the kernel has what was written.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.socket()?;
        if socket.is_clear() {
            return Poll::Ready(Ok(()));
        }
        match socket.poll_clear(cx) {
            Poll::Ready(result) => {
                self.progressed();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_timeout(cx),
        }
    }

    /// Shuts down the sending side, behind what was written.
    pub async fn shutdown_write(&mut self) -> io::Result<()> {
        if self.socket.is_none() {
            return Ok(());
        }
        poll_fn(|cx| self.poll_flush(cx)).await?;
        self.stream()?.shutdown(Shutdown::Write)
    }

    /// Whether the event loop has reported bytes, an end or an error since the last read found nothing more. Costs no
    /// system call; for connections on which no task waits.
    pub fn has_news(&self) -> bool {
        self.socket.as_ref().is_none_or(|socket| socket.source.is_ready(READABLE))
    }

    /// What a non-blocking look at the connection finds: whether it may be used for another request.
    pub fn idle_state(&self) -> IdleState {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        let Ok(stream) = self.stream() else { return IdleState::Closed };
        match SockRef::from(stream).peek(&mut byte) {
            Ok(0) => IdleState::Closed,
            Ok(_) => IdleState::UnreadBytes,
            Err(e) if e.kind() == ErrorKind::WouldBlock => IdleState::Open,
            Err(_) => IdleState::Closed,
        }
    }

    /// Makes closing send a reset instead of a FIN, so that the peer sees an aborted message.
    pub fn reset_on_close(&self) {
        if let Ok(stream) = self.stream() {
            // Failing leaves an ordinary close, which is all that can be done then.
            let _: io::Result<()> = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream()?.peer_addr()
    }

    /// The descriptor of the socket, for options of it; -1: it is closed.
    pub fn raw_fd(&self) -> i32 {
        self.stream().map_or(-1, |stream| stream.as_raw_fd())
    }

    /// The local address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream()?.local_addr()
    }
}

/// Whether something that was written on this thread has yet to be taken by the system: connections, dropped ones too,
/// whose peers do not read.
pub fn has_unsent() -> bool {
    !outbox::is_empty()
}

/// What a look at an idle connection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleState {
    /// Open, nothing to read.
    Open,
    /// The peer sent bytes that no request asked for.
    UnreadBytes,
    /// Closed or reset by the peer.
    Closed,
}

/// How to open a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Local address to bind to; port 0: any.
    pub source: Option<SocketAddr>,
    /// Socket receive buffer, bytes; 0 leaves the system's.
    pub receive_buffer_bytes: usize,
    /// Socket send buffer, bytes; 0 leaves the system's.
    pub send_buffer_bytes: usize,
    /// Whether to turn Nagle's algorithm off.
    pub no_delay: bool,
    /// Whether to send TCP keep-alives.
    pub keep_alive: bool,
    /// TCP congestion control; empty: the system's, and [`LOOPBACK_CONGESTION_CONTROL`] to loopback addresses.
    pub congestion_control: Box<str>,
    /// Type of service (IPv4) or traffic class (IPv6) of the packets; 0 leaves the system's.
    pub type_of_service: u8,
    /// Mark of the packets for the system's routing; 0: none.
    pub packet_mark: u32,
    /// Limit of the attempt; zero: none.
    pub timeout: Duration,
}

/// Opens a connection.
pub async fn connect(addr: SocketAddr, options: &ConnectOptions) -> io::Result<Conn> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::TCP))?;
    if let Some(source) = options.source {
        socket.set_reuse_address(source.port() != 0)?;
        socket.bind(&source.into())?;
    }
    if options.receive_buffer_bytes > 0 {
        socket.set_recv_buffer_size(options.receive_buffer_bytes)?;
    }
    if options.send_buffer_bytes > 0 {
        socket.set_send_buffer_size(options.send_buffer_bytes)?;
    }
    socket.set_tcp_nodelay(options.no_delay)?;
    set_congestion_control(&SockRef::from(&socket), &addr, &options.congestion_control)?;
    mark_packets(&SockRef::from(&socket), &addr, options)?;
    if options.keep_alive {
        socket.set_keepalive(true)?;
    }
    let is_connected = match socket.connect(&addr.into()) {
        Ok(()) => true,
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
        Err(error) => return Err(error),
    };
    let socket = outbox::Socket::new(socket.into(), if is_connected { WRITABLE } else { 0 })?;
    let connected = poll_fn(|cx| socket.source.poll_ready(WRITABLE, cx));
    crate::timer::within(options.timeout, connected).await.map_err(|_| ErrorKind::TimedOut)?;
    match socket.stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(Conn::new(socket)),
    }
}

/// Whether an address is this machine's own. Of the loopback addresses, the usual one of each family is.
pub fn is_own_address(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        ip if ip.is_loopback() => ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST,
        ip if ip.is_multicast() || ip.is_unspecified() => false,
        // The system lets sockets have only its own addresses.
        ip => std::net::UdpSocket::bind((ip, 0)).is_ok(),
    }
}

/// Type of service and mark of a connection's packets.
fn mark_packets(socket: &SockRef<'_>, addr: &SocketAddr, options: &ConnectOptions) -> io::Result<()> {
    let service = u32::from(options.type_of_service);
    match addr {
        _ if service == 0 => {}
        SocketAddr::V4(_) => socket.set_tos_v4(service)?,
        SocketAddr::V6(_) => socket.set_tclass_v6(service)?,
    }
    if options.packet_mark != 0 {
        socket.set_mark(options.packet_mark)?;
    }
    Ok(())
}

/// Congestion control where there is nothing to congest: it neither paces nor measures. Every system has it, and lets
/// everybody use it.
pub const LOOPBACK_CONGESTION_CONTROL: &str = "reno";

/// Whether connections can have this congestion control; empty stands for the usual one.
pub fn check_congestion_control(name: &str) -> io::Result<()> {
    if name.is_empty() {
        return Ok(());
    }
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_congestion(name.as_bytes())
}

fn set_congestion_control(socket: &SockRef<'_>, addr: &SocketAddr, name: &str) -> io::Result<()> {
    if !name.is_empty() {
        return socket.set_tcp_congestion(name.as_bytes());
    }
    if addr.ip().to_canonical().is_loopback() {
        // Without it, the system's own does.
        let _: io::Result<()> = socket.set_tcp_congestion(LOOPBACK_CONGESTION_CONTROL.as_bytes());
    }
    Ok(())
}

/// A listening socket, not yet attached to an event thread.
#[derive(Debug)]
pub struct BoundListener {
    socket: Socket,
    addr: SocketAddr,
}

/// Binds `threads` sockets to one address with `SO_REUSEPORT`. Port 0 takes a free port, the same for all.
pub fn bind(addr: SocketAddr, threads: usize, backlog: i32) -> io::Result<Vec<BoundListener>> {
    let mut addr = addr;
    let mut listeners = Vec::with_capacity(threads);
    for _ in 0..threads.max(1) {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        // Accepted sockets inherit this: no call per connection.
        socket.set_tcp_nodelay(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(backlog)?;
        addr = socket.local_addr()?.as_socket().unwrap_or(addr);
        listeners.push(BoundListener { socket, addr });
    }
    Ok(listeners)
}

/// Options of accepted sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptOptions {
    /// Whether to turn Nagle's algorithm off.
    pub no_delay: bool,
    /// Whether to send TCP keep-alives.
    pub keep_alive: bool,
    /// TCP congestion control; empty: the system's, and [`LOOPBACK_CONGESTION_CONTROL`] on loopback addresses.
    pub congestion_control: Box<str>,
    /// Seconds for which the kernel keeps a connection to itself until its first bytes have come: whoever accepts it
    /// then is woken once and not twice. 0: it is handed over at once.
    pub defer_seconds: u16,
}

impl BoundListener {
    /// The bound address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sets what accepted sockets inherit. Before this, only Nagle's algorithm is off.
    pub fn set_accept_options(&self, options: &AcceptOptions) -> io::Result<()> {
        self.socket.set_tcp_nodelay(options.no_delay)?;
        self.socket.set_keepalive(options.keep_alive)?;
        sys::set_defer_accept(&self.socket, options.defer_seconds)?;
        set_congestion_control(&SockRef::from(&self.socket), &self.addr, &options.congestion_control)
    }

    /// Attaches the socket to this event thread.
    pub fn attach(self) -> io::Result<Listener> {
        let source = with_reactor(|reactor| reactor.watch(&self.socket, 0))?;
        // Their first bytes are there when connections are handed over.
        let ready = if sys::has_defer_accept(&self.socket)? { READABLE | WRITABLE } else { WRITABLE };
        Ok(Listener { socket: self.socket, source, addr: self.addr, ready })
    }
}

/// A listening socket of this event thread.
pub struct Listener {
    socket: Socket,
    source: Rc<Source>,
    addr: SocketAddr,
    /// What is known of a connection as it is accepted.
    ready: u8,
}

impl Listener {
    /// The bound address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts one connection.
    pub async fn accept(&self) -> io::Result<(Conn, SocketAddr)> {
        let (fd, peer) = poll_fn(|cx| self.poll_accept(cx)).await?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(ErrorKind::Unsupported)?;
        Ok((Conn::new(outbox::Socket::new(fd.into(), self.ready)?), peer))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(OwnedFd, Option<SocketAddrAny>)>> {
        ready!(event_loop::poll_budget(cx));
        loop {
            ready!(self.source.poll_ready(READABLE, cx));
            match rustix::net::acceptfrom_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(accepted) => return Poll::Ready(Ok(accepted)),
                Err(Errno::AGAIN) => self.source.set_blocked(READABLE),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Listener").field(&self.addr).finish()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        event_loop::try_with_reactor(|reactor| reactor.forget(&self.source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn on_a_thread<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
        crate::EventThread::spawn(0, 1, test).expect("a thread").join().expect("no panic");
    }

    #[test]
    fn accepted_sockets_have_the_options_of_their_listener() {
        for (no_delay, keep_alive, congestion_control) in [(false, true, ""), (true, false, "reno")] {
            let mut bound = bind((Ipv4Addr::LOCALHOST, 0).into(), 1, 1).expect("a free port");
            let bound = bound.pop().expect("a listener");
            let congestion_control = congestion_control.into();
            let options = AcceptOptions { no_delay, keep_alive, congestion_control, defer_seconds: 0 };
            bound.set_accept_options(&options).expect("set");
            on_a_thread(move || async move {
                let listener = bound.attach().expect("attached");
                let client = connect(listener.addr(), &ConnectOptions::default()).await.expect("connected");
                let (conn, _) = listener.accept().await.expect("accepted");
                for conn in [&client, &conn] {
                    let socket = SockRef::from(conn.stream().expect("open"));
                    let name = socket.tcp_congestion().expect("told");
                    assert!(name.starts_with(LOOPBACK_CONGESTION_CONTROL.as_bytes()), "{name:?}");
                }
                let socket = SockRef::from(conn.stream().expect("open"));
                assert_eq!(socket.tcp_nodelay().expect("told"), no_delay);
                assert_eq!(socket.keepalive().expect("told"), keep_alive);
            });
        }
    }

    #[test]
    fn a_deferred_connection_is_accepted_with_its_first_bytes() {
        use std::io::Write;
        for defer_seconds in [0, 45] {
            let bound = bind((Ipv4Addr::LOCALHOST, 0).into(), 1, 1).expect("a free port").pop().expect("one");
            let congestion_control = "".into();
            let options =
                AcceptOptions { no_delay: true, keep_alive: false, congestion_control, defer_seconds };
            bound.set_accept_options(&options).expect("set");
            on_a_thread(move || async move {
                let listener = bound.attach().expect("attached");
                let silent = std::net::TcpStream::connect(listener.addr()).expect("connected");
                let mut speaking = std::net::TcpStream::connect(listener.addr()).expect("connected");
                speaking.write_all(b"hello").expect("sent");
                let (_, first) = listener.accept().await.expect("accepted");
                let expected = if defer_seconds == 0 { &silent } else { &speaking };
                assert_eq!(first, expected.local_addr().expect("known"), "deferred for {defer_seconds} s");
            });
        }
    }

    #[test]
    fn a_congestion_control_that_the_system_has_not_is_an_error() {
        let bound =
            bind((Ipv4Addr::LOCALHOST, 0).into(), 1, 1).expect("a free port").pop().expect("a listener");
        let congestion_control: Box<str> = "nosuch".into();
        let options =
            AcceptOptions { no_delay: true, keep_alive: false, congestion_control, defer_seconds: 0 };
        assert!(bound.set_accept_options(&options).is_err());
        assert!(check_congestion_control("nosuch").is_err() && check_congestion_control("reno").is_ok());
    }

    #[test]
    fn what_one_call_sends_is_limited_and_nothing_is_lost() {
        let body: Vec<u8> = (0..3 * SEND_BYTES).map(|i| (i % 251) as u8).collect();
        let bound =
            bind((Ipv4Addr::LOCALHOST, 0).into(), 1, 1).expect("a free port").pop().expect("a listener");
        on_a_thread(move || async move {
            let listener = bound.attach().expect("attached");
            let mut client = connect(listener.addr(), &ConnectOptions::default()).await.expect("connected");
            let (mut conn, _) = listener.accept().await.expect("accepted");
            let (parts, mut received) = ([&b"head"[..], &body, b"end"], Vec::new());
            let total = parts.iter().map(|p| p.len()).sum::<usize>();
            let mut done = 0;
            while received.len() < total {
                if done < total {
                    let n = poll_fn(|cx| conn.poll_write_parts(cx, &parts, done)).await.expect("room");
                    assert!(n <= SEND_BYTES);
                    done += n;
                }
                received.extend_from_slice(&client.read().await.expect("bytes"));
            }
            assert_eq!(received, parts.concat());
        });
    }
}
