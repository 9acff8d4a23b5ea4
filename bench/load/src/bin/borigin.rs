//! `borigin PORT COUNT_PORT`: a lean origin for servers that outrun nginx.
//!
//! Responsible for: `/c/1k` and `/c/100k` (may be stored for a day), `/u/1k` and `/u/100k` (not at all) on one port,
//! and the number of requests, in the form of nginx's `stub_status`, on the other. Not responsible for: being an
//! HTTP server in general: it expects each request in one piece and closes the connection otherwise.

#![forbid(unsafe_code)]

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result};
use bench_load::poll::{Interest, LISTENER, Poll, listen};

fn main() -> Result<()> {
    let mut ports = env::args().skip(1).map(|port| port.parse::<u16>());
    let mut port = || ports.next().context("usage: borigin PORT COUNT_PORT")?.context("a port");
    let (port, count_port) = (port()?, port()?);
    let listener = listen(port)?;
    let counting = listen(count_port)?;
    let requests = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in counting.incoming().flatten() {
            // Whoever asked and went away gets no answer.
            let _ = tell_count(stream, &counter);
        }
    });
    Origin::new(listener, requests)?.serve()
}

/// Answers with the count of requests, this one included, as nginx does.
fn tell_count(mut stream: TcpStream, requests: &AtomicU64) -> Result<()> {
    let mut request = [0; 1024];
    let _ = stream.read(&mut request)?;
    let count = requests.fetch_add(1, Ordering::Relaxed) + 1;
    let body =
        format!("Active connections: 1 \nserver accepts handled requests\n {count} {count} {count} \n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Ok(stream.write_all((head + &body).as_bytes())?)
}

struct Connection {
    stream: TcpStream,
    /// The response being written and how much of it is out.
    sending: Option<(usize, usize)>,
}

struct Origin {
    listener: TcpListener,
    requests: Arc<AtomicU64>,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    responses: Vec<Vec<u8>>,
    piece: Vec<u8>,
}

/// The paths, in the order of the responses.
const PATHS: [(&str, usize, &str); 4] = [
    ("/c/1k", 1024, "public, max-age=86400"),
    ("/c/100k", 102_400, "public, max-age=86400"),
    ("/u/1k", 1024, "no-store"),
    ("/u/100k", 102_400, "no-store"),
];

fn response(body: usize, storing: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: borigin\r\nDate: {}\r\nContent-Type: text/plain\r\nContent-Length: {body}\r\n\
         Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"abc-400\"\r\n\
         Cache-Control: {storing}\r\nX-Origin-Junk: remove-me\r\n\r\n",
        httpdate::fmt_http_date(std::time::SystemTime::now())
    );
    [head.as_bytes(), &b"x".repeat(body)].concat()
}

impl Origin {
    fn new(listener: TcpListener, requests: Arc<AtomicU64>) -> Result<Self> {
        listener.set_nonblocking(true)?;
        let poll = Poll::new()?;
        poll.add(&listener, LISTENER, Interest::Read)?;
        let responses = PATHS.iter().map(|(_, body, storing)| response(*body, storing)).collect();
        let (connections, vacant) = (Vec::new(), Vec::new());
        Ok(Self { listener, requests, poll, connections, vacant, responses, piece: vec![0; 16 * 1024] })
    }

    fn serve(&mut self) -> Result<()> {
        let mut numbers = Vec::new();
        loop {
            self.poll.wait(None, &mut numbers)?;
            for number in &numbers {
                if *number == LISTENER {
                    self.accept()?;
                } else {
                    self.handle(usize::try_from(*number)?);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let number = self.vacant.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poll.add(&stream, number as u64, Interest::Read)?;
            self.connections[number] = Some(Connection { stream, sending: None });
        }
        Ok(())
    }

    fn handle(&mut self, number: usize) {
        let Some(mut connection) = self.connections[number].take() else { return };
        match self.step(number, &mut connection) {
            Ok(()) => self.connections[number] = Some(connection),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.connections[number] = Some(connection)
            }
            // The connection is over, whoever ended it.
            Err(_) => self.vacant.push(number),
        }
    }

    /// Goes on writing, or reads a request and starts to answer.
    fn step(&mut self, number: usize, connection: &mut Connection) -> std::io::Result<()> {
        let (which, sent, was_waiting) = match connection.sending {
            Some((which, sent)) => (which, sent, true),
            None => {
                let size = connection.stream.read(&mut self.piece)?;
                let which = which_response(&self.piece[..size]).ok_or(ErrorKind::ConnectionAborted)?;
                self.requests.fetch_add(1, Ordering::Relaxed);
                (which, 0, false)
            }
        };
        let response = &self.responses[which];
        let written = match connection.stream.write(&response[sent..]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            written => written?,
        };
        let is_complete = sent + written == response.len();
        connection.sending = (!is_complete).then_some((which, sent + written));
        match (was_waiting, is_complete) {
            (false, false) => self.poll.change(&connection.stream, number as u64, Interest::Write),
            (true, true) => self.poll.change(&connection.stream, number as u64, Interest::Read),
            _ => Ok(()),
        }
    }
}

/// Which response a request asks for; none if it is not one whole request for a known path.
fn which_response(request: &[u8]) -> Option<usize> {
    if !request.ends_with(b"\r\n\r\n") {
        return None;
    }
    let mut words = request.split(|byte| *byte == b' ');
    let path = words.nth(1)?;
    PATHS.iter().position(|(known, ..)| known.as_bytes() == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_by_its_path() {
        assert_eq!(which_response(b"GET /u/1k HTTP/1.1\r\nHost: x\r\n\r\n"), Some(2));
        assert_eq!(which_response(b"GET /x HTTP/1.1\r\n\r\n"), None);
        assert_eq!(which_response(b"GET /c/1k HTTP/1.1\r\nHost: x\r\n"), None);
        assert_eq!(which_response(b""), None);
    }
}
