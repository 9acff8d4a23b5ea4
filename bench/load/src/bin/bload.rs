//! `bload`: a lean HTTP/1.1 load generator that checks every response.
//!
//! Responsible for: a closed loop (each connection asks again as soon as it has its answer) and an open loop at a
//! fixed rate, whose latencies count from the moment a request was due, so a server that stalls cannot hide it.
//! Not responsible for: CPU time. Prints one line of JSON for `cargo xtask bench`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_load::histogram::Histogram;
use bench_load::poll::{Interest, Poll};
use bench_load::response::{Fault, Progress, Reader};
use clap::Parser;

/// Largest piece read at once.
const PIECE: usize = 256 * 1024;

/// Makes HTTP load and checks every response.
#[derive(Parser)]
struct Options {
    /// Server
    #[arg(long)]
    addr: SocketAddr,
    /// Path to ask for
    #[arg(long)]
    path: String,
    /// Ask for PATH/0 to PATH/N-1 instead, in an order that only looks random
    #[arg(long, value_name = "N")]
    paths: Option<u64>,
    /// Ask for each of these paths once, in order, and end with the last answer
    #[arg(long, requires = "paths", conflicts_with_all = ["rate", "close"])]
    each_once: bool,
    /// Bytes each body must have
    #[arg(long)]
    body: usize,
    /// Connections
    #[arg(long, default_value_t = 64)]
    conns: usize,
    /// Seconds
    #[arg(long, default_value_t = 5.0)]
    secs: f64,
    /// Requests per second; without it, a closed loop
    #[arg(long)]
    rate: Option<f64>,
    /// A new connection for each request
    #[arg(long)]
    close: bool,
    /// Host field (the server's address if none is given)
    #[arg(long)]
    host: Option<String>,
    /// Another request field, as `Name: value`
    #[arg(long, value_name = "FIELD")]
    header: Vec<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    // With the usual slack of 50 µs, requests at a fixed rate would be late.
    rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).context("timer slack")?;
    let mut load = Generator::new(&options)?;
    load.run()?;
    println!("{}", load.result());
    Ok(())
}

#[derive(Debug, Default)]
struct Errors {
    connect: u64,
    read: u64,
    status: u64,
    body: u64,
    syntax: u64,
}

impl Errors {
    fn count(&mut self, fault: Fault) {
        match fault {
            Fault::Status => self.status += 1,
            Fault::Body => self.body += 1,
            Fault::Syntax => self.syntax += 1,
        }
    }

    fn total(&self) -> u64 {
        self.connect + self.read + self.status + self.body + self.syntax
    }
}

struct Connection {
    stream: TcpStream,
    reader: Reader,
    /// When the request under way was due; none while the connection waits for work.
    due: Option<Instant>,
}

/// Which paths are asked for.
struct Paths {
    /// How many there are; none: only the one.
    count: Option<u64>,
    /// Those asked for so far.
    asked: u64,
    /// State of the generator of numbers (xorshift).
    random: u64,
}

impl Paths {
    fn new(count: Option<u64>) -> Self {
        Self { count, asked: 0, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// What follows the path in the next request; `None`: each has been asked for.
    fn next(&mut self, each_once: bool) -> Option<String> {
        let Some(count) = self.count else { return Some(String::new()) };
        let number = self.asked;
        self.asked += 1;
        if each_once {
            return (number < count).then(|| format!("/{number}"));
        }
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.random ^= if left { self.random << by } else { self.random >> by };
        }
        Some(format!("/{}", self.random % count))
    }
}

struct Generator<'a> {
    options: &'a Options,
    /// The request up to the end of the path, and from there on.
    request: (String, String),
    paths: Paths,
    poll: Poll,
    connections: Vec<Connection>,
    /// Open loop: connections without a request.
    free: Vec<usize>,
    /// Open loop: requests that were due while no connection was free.
    waiting: VecDeque<Instant>,
    histogram: Histogram,
    errors: Errors,
    started: Instant,
    took: Duration,
    piece: Vec<u8>,
}

impl<'a> Generator<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let close = if options.close { "Connection: close\r\n" } else { "" };
        let host = options.host.clone().unwrap_or_else(|| options.addr.to_string());
        let more: String = options.header.iter().map(|field| format!("{field}\r\n")).collect();
        let rest =
            format!(" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bload\r\nAccept: */*\r\n{more}{close}\r\n");
        let now = Instant::now();
        let mut load = Self {
            options,
            request: (format!("GET {}", options.path), rest),
            paths: Paths::new(options.paths),
            poll: Poll::new()?,
            connections: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            histogram: Histogram::default(),
            errors: Errors::default(),
            started: now,
            took: Duration::ZERO,
            piece: vec![0; PIECE],
        };
        for number in 0..options.conns {
            let stream = load.open(number).with_context(|| format!("connect to {}", options.addr))?;
            load.connections.push(Connection { stream, reader: Reader::new(options.body), due: None });
        }
        Ok(load)
    }

    fn open(&self, number: usize) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.options.addr)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        self.poll.add(&stream, number as u64, Interest::Read)?;
        Ok(stream)
    }

    fn run(&mut self) -> Result<()> {
        self.started = Instant::now();
        let end = self.started + Duration::from_secs_f64(self.options.secs);
        let step = self.options.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let mut next = self.started;
        match step {
            Some(_) => self.free = (0..self.options.conns).collect(),
            None => (0..self.options.conns).for_each(|number| self.ask(number, Instant::now())),
        }
        let mut numbers = Vec::new();
        loop {
            let now = Instant::now();
            if now >= end || self.is_done() {
                break;
            }
            if let Some(step) = step {
                while next <= now {
                    self.start_due(next);
                    next += step;
                }
            }
            let until = if step.is_some() { next.min(end) } else { end };
            self.poll.wait(Some(until.saturating_duration_since(now)), &mut numbers)?;
            for number in &numbers {
                self.receive(usize::try_from(*number)?);
            }
        }
        self.took = self.started.elapsed();
        Ok(())
    }

    /// Whether each path has been asked for and answered.
    fn is_done(&self) -> bool {
        let answered = self.histogram.total() + self.errors.total();
        self.options.each_once && self.options.paths.is_some_and(|count| answered >= count)
    }

    /// Open loop: starts a request now or notes that it waits.
    fn start_due(&mut self, due: Instant) {
        match self.free.pop() {
            Some(number) => self.ask(number, due),
            None => self.waiting.push_back(due),
        }
    }

    /// Sends a request that was due at `due`; a broken connection is opened again by the error that follows.
    fn ask(&mut self, number: usize, due: Instant) {
        let connection = &mut self.connections[number];
        connection.reader.restart();
        let Some(path) = self.paths.next(self.options.each_once) else {
            connection.due = None;
            return;
        };
        connection.due = Some(due);
        let request = [&self.request.0, path.as_str(), &self.request.1].concat();
        if !connection.stream.write(request.as_bytes()).is_ok_and(|sent| sent == request.len()) {
            self.errors.connect += 1;
        }
    }

    fn receive(&mut self, number: usize) {
        loop {
            let connection = &mut self.connections[number];
            match connection.stream.read(&mut self.piece) {
                Ok(0) => return self.ended(number),
                Ok(size) => match connection.reader.feed(&self.piece[..size]) {
                    Progress::More if size < PIECE => return,
                    Progress::More => {}
                    Progress::Done => return self.done(number),
                    Progress::Wrong(fault) => return self.failed(number, fault),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.errors.read += 1;
                    return self.reopen(number);
                }
            }
        }
    }

    fn ended(&mut self, number: usize) {
        let connection = &self.connections[number];
        match connection.reader.end() {
            Progress::Done => {
                self.note_latency(number);
                self.reopen(number);
            }
            _ => {
                // A server may close a connection that waits; in the middle of a request it may not.
                self.errors.read += u64::from(connection.due.is_some());
                self.reopen(number);
            }
        }
    }

    fn failed(&mut self, number: usize, fault: Fault) {
        self.errors.count(fault);
        self.reopen(number);
    }

    fn done(&mut self, number: usize) {
        self.note_latency(number);
        if self.options.close {
            self.reopen(number);
        } else {
            self.next(number);
        }
    }

    fn note_latency(&mut self, number: usize) {
        if let Some(due) = self.connections[number].due.take() {
            self.histogram.add(due.elapsed());
        }
    }

    fn reopen(&mut self, number: usize) {
        match self.open(number) {
            Ok(stream) => {
                self.connections[number].stream = stream;
                self.next(number);
            }
            // The connection is lost for the rest of the run, which this error makes invalid.
            Err(_) => self.errors.connect += 1,
        }
    }

    /// Gives a connection its next work.
    fn next(&mut self, number: usize) {
        if self.options.rate.is_none() {
            return self.ask(number, Instant::now());
        }
        match self.waiting.pop_front() {
            Some(due) => self.ask(number, due),
            None => {
                self.connections[number].due = None;
                if !self.free.contains(&number) {
                    self.free.push(number);
                }
            }
        }
    }

    fn result(&self) -> String {
        let (histogram, errors) = (&self.histogram, &self.errors);
        let secs = self.took.as_secs_f64();
        format!(
            "JSON {{\"requests\":{},\"secs\":{secs:.4},\"rps\":{:.1},\"p50_us\":{:.1},\"p99_us\":{:.1},\
             \"p999_us\":{:.1},\"max_us\":{:.1},\"errors\":{},\"err\":\"connect={} read={} status={} body={} \
             syntax={}\",\"waiting\":{}}}",
            histogram.total(),
            histogram.total() as f64 / secs,
            histogram.quantile_us(0.5),
            histogram.quantile_us(0.99),
            histogram.quantile_us(0.999),
            histogram.longest_us(),
            errors.total(),
            errors.connect,
            errors.read,
            errors.status,
            errors.body,
            errors.syntax,
            self.waiting.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_asked_for_once_in_order() {
        let mut paths = Paths::new(Some(3));
        let asked: Vec<String> = std::iter::from_fn(|| paths.next(true)).collect();
        assert_eq!(asked, ["/0", "/1", "/2"]);
        assert_eq!(Paths::new(None).next(false).as_deref(), Some(""));
    }

    #[test]
    fn paths_in_random_order_stay_within_their_number_and_cover_it() {
        let mut paths = Paths::new(Some(50));
        let seen: std::collections::HashSet<String> = (0..5000).filter_map(|_| paths.next(false)).collect();
        assert_eq!(seen.len(), 50);
    }
}
