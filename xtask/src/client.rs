//! A small HTTP/1.1 client and a scripted origin, both blocking, for checks around a measurement.
//!
//! Responsible for: asking a server for a path over a fresh or a kept connection and reading the whole body; an
//! origin on a free port that counts its requests. Not responsible for: load.
//!
//! Invariant: every read has a time limit; a short or unreadable response is an error, never a short body.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

const READ_TIME: Duration = Duration::from_secs(30);

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines as received, in lower case.
    pub header: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    fn field(&self, name: &str) -> Option<&str> {
        self.header.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

/// A connection kept between requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_read_timeout(Some(READ_TIME))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host: address })
    }

    /// One `GET`.
    pub fn get(&mut self, path: &str) -> Result<Response> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n", self.host);
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_response(&mut self.stream).with_context(|| format!("GET {path} from {}", self.host))
    }

    /// The socket itself.
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

/// One `GET` over a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Result<Response> {
    Connection::open(address)?.get(path)
}

fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    ensure!(line.ends_with(b"\n"), "the connection ended in a line");
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn read_response(stream: &mut impl BufRead) -> Result<Response> {
    let status_line = read_line(stream)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let Some(status) = status else { bail!("not a status line: {status_line}") };
    let mut header = String::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        header += &line.to_ascii_lowercase();
        header.push('\n');
    }
    let mut response = Response { status, header, body: Vec::new() };
    response.body = read_body(stream, &response)?;
    Ok(response)
}

fn read_body(stream: &mut impl BufRead, head: &Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = head.field("content-length") {
        body.resize(length.parse().context("Content-Length")?, 0);
        stream.read_exact(&mut body)?;
    } else if head.field("transfer-encoding").is_some() {
        loop {
            let line = read_line(stream)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).with_context(|| format!("chunk size {line:?}"))?;
            let before = body.len() as u64;
            stream.take(size).read_to_end(&mut body)?;
            ensure!(body.len() as u64 == before + size, "the connection ended in a chunk");
            ensure!(read_line(stream)?.is_empty(), "no line end after a chunk");
            if size == 0 {
                break;
            }
        }
    } else {
        stream.read_to_end(&mut body)?;
    }
    Ok(body)
}

/// An origin on a free loopback port. `/c/…` may be stored, anything else not; bodies have 1024 bytes.
pub struct Origin {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Origin {
    /// Starts the origin; it serves until the process ends.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("a port for the origin")?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                // A connection that breaks ends its own thread; the request's side reports it.
                thread::spawn(move || serve(stream, &counter));
            }
        });
        Ok(Self { address, requests })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests answered so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, counter: &AtomicU64) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let request_line = read_line(&mut stream)?;
        while !read_line(&mut stream)?.is_empty() {}
        counter.fetch_add(1, Ordering::SeqCst);
        let may_be_stored = request_line.contains(" /c/");
        let cache_control = if may_be_stored { "public, max-age=86400" } else { "no-store" };
        // Without `Date`, a response is as old as its arrival (RFC 9110 §6.6.1).
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: origin\r\n\
             Content-Type: text/plain\r\nContent-Length: 1024\r\nCache-Control: {cache_control}\r\n\
             ETag: \"abc-400\"\r\nX-Origin-Junk: remove-me\r\n\r\n"
        );
        let response = [head.as_bytes(), &[b'x'; 1024]].concat();
        stream.get_mut().write_all(&response)?;
    }
}

/// A loopback address that nothing listens on at this moment.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Response> {
        read_response(&mut text.as_bytes())
    }

    #[test]
    fn bodies_are_read_by_length_by_chunks_and_to_the_end() {
        let counted = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef").expect("readable");
        assert_eq!((counted.status, counted.body.as_slice()), (200, b"abc".as_slice()));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(read(chunked).expect("readable").body, b"abc");
        assert_eq!(read("HTTP/1.1 404 No\r\n\r\nabc").expect("readable").body, b"abc");
    }

    #[test]
    fn short_responses_are_errors() {
        for text in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "garbage\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_origin_counts_requests_on_kept_connections() {
        let origin = Origin::start().expect("started");
        let mut connection = Connection::open(origin.address()).expect("connected");
        let stored = connection.get("/c/1k").expect("answered");
        assert!(stored.header.contains("max-age"));
        let passed = connection.get("/u/1k").expect("answered");
        assert!(passed.header.contains("no-store"));
        assert_eq!((passed.body.len(), origin.requests()), (1024, 2));
    }
}
