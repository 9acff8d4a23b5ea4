//! `brelay PORT ORIGIN_PORT`: passes bytes between clients and an origin without looking at them.
//!
//! Responsible for: showing what the kernel's share of a proxied request is, the floor under every server's figure. Not
//! responsible for: being a proxy: each client gets an origin connection of its own for as long as it stays.

#![forbid(unsafe_code)]

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context, Result};
use bench_load::poll::{Interest, LISTENER, Poll, listen};
use rustix::event::{PollFd, PollFlags};

fn main() -> Result<()> {
    let mut ports = env::args().skip(1).map(|port| port.parse::<u16>());
    let mut port = || ports.next().context("usage: brelay PORT ORIGIN_PORT")?.context("a port");
    let (port, origin_port) = (port()?, port()?);
    Relay::new(listen(port)?, origin_port)?.serve()
}

/// A client's connection and the origin connection that is its own.
type Pair = [TcpStream; 2];

struct Relay {
    listener: TcpListener,
    origin_port: u16,
    poll: Poll,
    pairs: Vec<Option<Pair>>,
    vacant: Vec<usize>,
    piece: Vec<u8>,
}

impl Relay {
    fn new(listener: TcpListener, origin_port: u16) -> Result<Self> {
        listener.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.add(&listener, LISTENER, Interest::Read)?;
        let piece = vec![0; 64 * 1024];
        Ok(Self { listener, origin_port, poll, pairs: Vec::new(), vacant: Vec::new(), piece })
    }

    fn serve(&mut self) -> Result<()> {
        let mut numbers = Vec::new();
        loop {
            self.poll.wait(None, &mut numbers)?;
            for number in &numbers {
                if *number == LISTENER {
                    self.accept()?;
                    continue;
                }
                let (pair, side) = (usize::try_from(number / 2)?, usize::from(number % 2 == 1));
                if self.pass(pair, side).is_err() {
                    // Whoever ended it, the other is to know.
                    self.pairs[pair] = None;
                    self.vacant.push(pair);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        while let Ok((client, _)) = self.listener.accept() {
            let origin = TcpStream::connect((Ipv4Addr::LOCALHOST, self.origin_port)).context("the origin")?;
            let number = self.vacant.pop().unwrap_or_else(|| {
                self.pairs.push(None);
                self.pairs.len() - 1
            });
            let pair = [client, origin];
            for (side, stream) in pair.iter().enumerate() {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                self.poll.add(stream, (number * 2 + side) as u64, Interest::News)?;
            }
            self.pairs[number] = Some(pair);
        }
        Ok(())
    }

    /// Passes on what has come on one side. An error: the pair is over.
    fn pass(&mut self, pair: usize, side: usize) -> std::io::Result<()> {
        // An event of a pair that an earlier event has ended.
        let Some(pair) = self.pairs.get_mut(pair).and_then(Option::as_mut) else { return Ok(()) };
        loop {
            let size = match pair[side].read(&mut self.piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(size) => size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            write_all(&mut pair[1 - side], &self.piece[..size])?;
            if size < self.piece.len() {
                return Ok(());
            }
        }
    }
}

/// Writes all, waiting for room if there is none.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                rustix::event::poll(&mut [PollFd::new(stream, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn bytes_go_both_ways_and_an_end_ends_both() {
        let origin = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let at = listener.local_addr().expect("bound");
        let origin_port = origin.local_addr().expect("bound").port();
        // It ends with the test's process.
        std::thread::spawn(move || Relay::new(listener, origin_port).expect("made").serve());
        let mut client = TcpStream::connect(at).expect("connected");
        let (mut server, _) = origin.accept().expect("accepted");
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        }
        let sent = vec![7; 300_000];
        let mut read = vec![0; sent.len()];
        std::thread::scope(|scope| {
            scope.spawn(|| client.write_all(&sent).expect("sent"));
            server.read_exact(&mut read).expect("read");
        });
        assert!(read == sent);
        server.write_all(b"answer").expect("sent");
        let mut answer = [0; 6];
        client.read_exact(&mut answer).expect("read");
        assert_eq!(&answer, b"answer");
        drop(server);
        assert_eq!(client.read(&mut answer).expect("the end"), 0);
    }
}
