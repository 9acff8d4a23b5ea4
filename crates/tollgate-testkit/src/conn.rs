//! One scripted TCP connection: buffered reading and writing that always ends by the deadline.
//!
//! Responsible for: sockets of clients and origins, recording what passes, closing in the ways a script asks for.
//! Not responsible for: what the bytes mean.
//! Invariant: every read and write returns to the deadline check within one time slice.

use crate::stage::{OriginCounts, Stage, Stop};
use crate::text::escaped;
use crate::transcript::Way;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Longest time a socket call may block.
const SLICE: Duration = Duration::from_millis(25);

/// How the peer ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Orderly: FIN.
    Closed,
    /// By a reset.
    Reset,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// More bytes are in the buffer.
    Data,
    /// The peer has ended the connection.
    End(End),
    /// Nothing happened in the time given.
    Nothing,
}

/// A connection owned by one script.
#[derive(Debug)]
pub struct Conn<'a> {
    stream: TcpStream,
    stage: &'a Stage,
    label: String,
    counts: Option<&'a OriginCounts>,
    buffer: Vec<u8>,
    taken: usize,
    end: Option<End>,
}

impl<'a> Conn<'a> {
    /// Connects to `addr`.
    pub fn connect(addr: SocketAddr, label: &str, stage: &'a Stage) -> Result<Self, Stop> {
        let limit = stage.remaining().max(Duration::from_millis(1));
        let failed = |e: io::Error| Stop::failed(format!("a connection to {addr}"), e.to_string());
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).map_err(failed)?;
        let connected = socket.connect_timeout(&addr.into(), limit);
        if connected.is_ok() {
            stage.transcript.note(label, &format!("connected to {addr}"));
        }
        Self::opened(socket, connected, label, stage).map_err(failed)
    }

    /// A connection after its connect call.
    ///
    /// A peer may accept and reset before the call has looked at its result; the call then reports the reset. That
    /// is a connection that was opened and has ended, not one that was refused.
    fn opened(socket: Socket, connected: io::Result<()>, label: &str, stage: &'a Stage) -> io::Result<Self> {
        let is_reset = match connected {
            Ok(()) => false,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => true,
            Err(e) => return Err(e),
        };
        let mut conn = Self::of(socket.into(), label, stage, None)?;
        if is_reset {
            conn.ended(End::Reset);
        }
        Ok(conn)
    }

    /// Takes over a connected socket; `counts` are an origin's counters.
    pub fn new(
        stream: TcpStream,
        label: &str,
        stage: &'a Stage,
        counts: Option<&'a OriginCounts>,
    ) -> Result<Self, Stop> {
        Self::of(stream, label, stage, counts).map_err(|e| Stop::failed("a usable socket", e.to_string()))
    }

    fn of(
        stream: TcpStream,
        label: &str,
        stage: &'a Stage,
        counts: Option<&'a OriginCounts>,
    ) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(SLICE))?;
        Ok(Self { stream, stage, label: label.to_owned(), counts, buffer: Vec::new(), taken: 0, end: None })
    }

    /// Bytes received and not yet consumed.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Drops `n` bytes from the front of the buffer.
    pub fn consume(&mut self, n: usize) {
        self.taken += n;
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// Waits for more bytes or the end.
    pub fn fill(&mut self) -> Result<Fill, Stop> {
        loop {
            match self.fill_once()? {
                Fill::Nothing => self.stage.check()?,
                other => return Ok(other),
            }
        }
    }

    /// Waits for more bytes or the end, at most about `limit`.
    pub fn fill_within(&mut self, limit: Duration) -> Result<Fill, Stop> {
        let until = Instant::now() + limit;
        loop {
            match self.fill_once()? {
                Fill::Nothing if Instant::now() < until => self.stage.check()?,
                other => return Ok(other),
            }
        }
    }

    fn fill_once(&mut self) -> Result<Fill, Stop> {
        if let Some(end) = self.end {
            return Ok(Fill::End(end));
        }
        let mut piece = [0; 32 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => Ok(self.ended(End::Closed)),
            Ok(n) => {
                self.stage.transcript.bytes(&self.label, Way::Received, &piece[..n]);
                if let Some(counts) = self.counts {
                    counts.bytes.fetch_add(n as u64, Ordering::SeqCst);
                }
                self.buffer.extend_from_slice(&piece[..n]);
                Ok(Fill::Data)
            }
            Err(e) if is_pause(&e) => Ok(Fill::Nothing),
            Err(_) => Ok(self.ended(End::Reset)),
        }
    }

    fn ended(&mut self, end: End) -> Fill {
        self.end = Some(end);
        self.stage
            .transcript
            .note(&self.label, if end == End::Closed { "closed by peer" } else { "reset by peer" });
        Fill::End(end)
    }

    /// Sends all bytes; a peer that is gone is a failure.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        match self.try_send(bytes)? {
            true => Ok(()),
            false => Err(Stop::failed(format!("to send {}", escaped(bytes, 100)), "the peer closed")),
        }
    }

    /// The address at the other end.
    pub fn peer_ip(&self) -> io::Result<std::net::IpAddr> {
        Ok(self.stream.peer_addr()?.ip())
    }

    /// Sends all bytes; `false` when the peer is gone.
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<bool, Stop> {
        if self.end == Some(End::Reset) {
            self.stage.transcript.note(&self.label, "not sent, the peer has reset the connection");
            return Ok(false);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(e) if is_pause(&e) => self.stage.check()?,
                Err(e) => {
                    self.stage.transcript.note(&self.label, &format!("sending failed: {e}"));
                    return Ok(false);
                }
            }
        }
        self.stage.transcript.bytes(&self.label, Way::Sent, bytes);
        Ok(true)
    }

    /// Ends the sending direction.
    pub fn half_close(&mut self) {
        self.stage.transcript.note(&self.label, "half-closes");
        if let Err(e) = self.stream.shutdown(Shutdown::Write) {
            self.stage.transcript.note(&self.label, &format!("half-close failed: {e}"));
        }
    }

    /// Closes in an orderly way.
    pub fn close(self) {
        self.stage.transcript.note(&self.label, "closes");
    }

    /// Closes with a reset.
    pub fn reset(self) -> Result<(), Stop> {
        self.stage.transcript.note(&self.label, "resets");
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .map_err(|e| Stop::failed("to reset the connection", e.to_string()))
    }

    /// Demands that the peer ends the connection without sending anything more.
    pub fn expect_end(&mut self) -> Result<(), Stop> {
        loop {
            if !self.buffered().is_empty() {
                return Err(Stop::failed("the connection to close", self.shown_rest()));
            }
            if let Fill::End(_) = self.fill()? {
                return Ok(());
            }
        }
    }

    /// Demands that nothing arrives and the connection stays open until all others have reached the barrier.
    ///
    /// The watcher itself arrives last, so that what others send after the barrier cannot be taken for early bytes.
    pub fn expect_nothing_until(&mut self, barrier: &str) -> Result<(), Stop> {
        loop {
            let is_over = self.stage.barriers.only_watchers_missing(barrier);
            if !self.buffered().is_empty() {
                return Err(Stop::failed(format!("nothing before barrier {barrier}"), self.shown_rest()));
            }
            match self.fill_once()? {
                Fill::Nothing if is_over => break,
                Fill::Nothing => self.stage.check()?,
                Fill::Data => {}
                Fill::End(end) => {
                    return Err(Stop::failed(
                        format!("an open connection until {barrier}"),
                        format!("{end:?}"),
                    ));
                }
            }
        }
        self.stage.barriers.arrive(barrier);
        self.stage.barriers.wait(barrier, || self.stage.check())
    }

    fn shown_rest(&self) -> String {
        format!("bytes: {}", escaped(self.buffered(), 500))
    }

    /// The stage this connection plays on.
    pub fn stage(&self) -> &'a Stage {
        self.stage
    }
}

fn is_pause(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Barriers;
    use std::net::TcpListener;

    fn stage() -> Stage {
        Stage::new(Duration::from_secs(10), Barriers::default(), std::iter::empty())
    }

    /// A client's socket and the peer's side of it.
    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
        let addr = listener.local_addr().expect("its address");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.connect(&addr.into()).expect("connected");
        (socket, listener.accept().expect("accepted").0)
    }

    #[test]
    fn a_reset_while_connecting_is_a_connection_that_has_ended() {
        let stage = stage();
        let (socket, peer) = pair();
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("linger");
        drop(peer);
        let reset = Err(io::Error::from(ErrorKind::ConnectionReset));
        let mut conn = Conn::opened(socket, reset, "client", &stage).expect("a connection");
        assert!(!conn.try_send(b"GET / HTTP/1.1\r\n").expect("no failure"), "sending to it brings nothing");
        assert_eq!(conn.fill_within(Duration::from_secs(5)).expect("an end"), Fill::End(End::Reset));
        conn.expect_end().expect("the script sees the end");
    }

    #[test]
    fn a_refused_connection_is_no_connection() {
        let stage = stage();
        let (socket, _peer) = pair();
        let refused = Err(io::Error::from(ErrorKind::ConnectionRefused));
        assert!(Conn::opened(socket, refused, "client", &stage).is_err());
    }

    #[test]
    fn an_open_connection_carries_bytes_until_the_peer_ends_it() {
        let stage = stage();
        let (socket, mut peer) = pair();
        let mut conn = Conn::opened(socket, Ok(()), "client", &stage).expect("a connection");
        conn.send(b"ask").expect("sent");
        let mut asked = [0; 3];
        peer.read_exact(&mut asked).expect("received");
        peer.write_all(b"told").expect("sent");
        drop(peer);
        assert_eq!(conn.fill().expect("bytes"), Fill::Data);
        assert_eq!(conn.buffered(), b"told");
        conn.consume(4);
        conn.expect_end().expect("the end");
    }
}
