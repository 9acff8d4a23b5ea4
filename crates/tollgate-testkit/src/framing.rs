//! Reading messages off a connection: header block, body framing, chunked coding.
//!
//! Responsible for: a small strict reader of what a peer sent. Lines must end with CRLF and chunks must be well
//! formed, since that is what scripts demand of the proxy under test.
//! Not responsible for: judging status or fields (see [`message`](crate::message)).

use crate::body::Received;
use crate::conn::{Conn, End, Fill};
use crate::stage::Stop;
use crate::text::{escaped, latin1};

/// Largest header block a script reads.
const HEAD_LIMIT: usize = 4 << 20;

/// A received header block.
#[derive(Clone, Debug)]
pub struct Head {
    /// Request or status line.
    pub start: String,
    /// Fields in order, values without surrounding blanks.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The block as received, with its final empty line.
    pub raw: Vec<u8>,
}

impl Head {
    /// Values of all lines of a field.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = String> + 'h {
        self.fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| latin1(v))
    }

    /// Whether a comma-separated field names `token`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name).any(|v| v.split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    }

    /// The three parts of the start line.
    pub fn parts(&self) -> (&str, &str, &str) {
        let mut parts = self.start.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_default();
        (next(), next(), next())
    }
}

/// Reads a header block; `None` when the connection ended before its first byte.
pub fn read_head(conn: &mut Conn<'_>) -> Result<Option<Head>, Stop> {
    let mut searched = 0;
    loop {
        let bytes = conn.buffered();
        if let Some(at) = find(&bytes[searched..], b"\r\n\r\n") {
            let raw = bytes[..searched + at + 4].to_vec();
            conn.consume(raw.len());
            return parse_head(raw).map(Some);
        }
        searched = bytes.len().saturating_sub(3);
        if bytes.len() > HEAD_LIMIT {
            return Err(Stop::failed("a header block", format!("{} bytes without its end", bytes.len())));
        }
        if let Fill::End(end) = conn.fill()? {
            return match conn.buffered() {
                [] => Ok(None),
                some => Err(Stop::failed(
                    "a whole header block",
                    format!("{end:?} after {}", escaped(some, 1000)),
                )),
            };
        }
    }
}

fn parse_head(raw: Vec<u8>) -> Result<Head, Stop> {
    let malformed = |line: &[u8]| Stop::failed("a well-formed header line", escaped(line, 300));
    let mut lines = raw[..raw.len() - 2]
        .split_inclusive(|&b| b == b'\n')
        .map(|line| line.strip_suffix(b"\r\n").ok_or(line));
    let start = latin1(lines.next().unwrap_or(Ok(b"")).map_err(malformed)?);
    let mut fields = Vec::new();
    for line in lines {
        let line = line.map_err(malformed)?;
        let colon = line.iter().position(|&b| b == b':').ok_or_else(|| malformed(line))?;
        let name = latin1(&line[..colon]);
        if name.is_empty() || name.contains([' ', '\t', '\r', '\0']) || line.contains(&b'\r') {
            return Err(malformed(line));
        }
        fields.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok(Head { start, fields, raw })
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|w| w == needle)
}

/// How a body ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many more bytes.
    Length(u64),
    /// Chunked, with what is left of the current chunk (`None` before a size line).
    Chunked(Option<u64>),
    /// When the connection closes.
    UntilClose,
}

impl Framing {
    /// Framing of a request (RFC 9112 §6.3).
    pub fn of_request(head: &Head) -> Result<Self, Stop> {
        Ok(Self::declared(head)?.unwrap_or(Self::Length(0)))
    }

    /// Framing of a response to a request with `method` (RFC 9112 §6.3).
    pub fn of_response(head: &Head, status: u16, method: &str) -> Result<Self, Stop> {
        let has_none = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
        if has_none || (method == "CONNECT" && (200..300).contains(&status)) {
            return Ok(Self::Length(0));
        }
        Ok(Self::declared(head)?.unwrap_or(Self::UntilClose))
    }

    fn declared(head: &Head) -> Result<Option<Self>, Stop> {
        if head.has_token("Transfer-Encoding", "chunked") {
            if head.values("Content-Length").next().is_some() {
                return Err(Stop::failed("one framing", "Transfer-Encoding and Content-Length together"));
            }
            return Ok(Some(Self::Chunked(None)));
        }
        let mut lengths = head.values("Content-Length");
        match (lengths.next(), lengths.next()) {
            (None, _) => Ok(None),
            (Some(one), None) => match one.parse() {
                Ok(n) => Ok(Some(Self::Length(n))),
                Err(_) => Err(Stop::failed("a numeric Content-Length", one)),
            },
            (Some(one), Some(two)) => Err(Stop::failed("one Content-Length", format!("{one} and {two}"))),
        }
    }
}

/// How reading a body went.
#[derive(Clone, Debug)]
pub enum BodyEnd {
    /// The limit was reached before the end.
    Partial,
    /// The body is complete; trailer fields if there were any.
    Complete(Vec<(String, Vec<u8>)>),
    /// The connection ended too early.
    Aborted,
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct BodyReader {
    framing: Framing,
}

impl BodyReader {
    /// A reader at the start of a body.
    pub fn new(framing: Framing) -> Self {
        Self { framing }
    }

    /// Reads into `received` until the body ends or `received` holds `limit` bytes.
    pub fn read(
        &mut self,
        conn: &mut Conn<'_>,
        received: &mut Received,
        limit: u64,
    ) -> Result<BodyEnd, Stop> {
        loop {
            if received.size >= limit && self.framing != Framing::Length(0) {
                return Ok(BodyEnd::Partial);
            }
            let room = match &self.framing {
                Framing::Length(0) => return Ok(BodyEnd::Complete(Vec::new())),
                Framing::Length(left) | Framing::Chunked(Some(left)) => *left,
                Framing::UntilClose => u64::MAX,
                Framing::Chunked(None) => match self.next_chunk(conn)? {
                    Some(end) => return Ok(end),
                    None => continue,
                },
            };
            if conn.buffered().is_empty()
                && let Fill::End(end) = conn.fill()?
            {
                return Ok(match (&self.framing, end) {
                    (Framing::UntilClose, End::Closed) => BodyEnd::Complete(Vec::new()),
                    _ => BodyEnd::Aborted,
                });
            }
            let available = conn.buffered();
            let n = (available.len() as u64).min(room).min(limit - received.size) as usize;
            received.push(&available[..n]);
            conn.consume(n);
            if !self.advance(conn, n as u64)? {
                return Ok(BodyEnd::Aborted);
            }
        }
    }

    /// Counts `n` body bytes; `false` when the connection ended where a chunk's CRLF should be.
    fn advance(&mut self, conn: &mut Conn<'_>, n: u64) -> Result<bool, Stop> {
        match &mut self.framing {
            Framing::Length(left) => *left -= n,
            Framing::Chunked(Some(left)) => {
                *left -= n;
                if *left == 0 {
                    self.framing = Framing::Chunked(None);
                    return match line(conn)? {
                        None => Ok(false),
                        Some(rest) if rest.is_empty() => Ok(true),
                        Some(rest) => Err(Stop::failed("CRLF after a chunk", escaped(&rest, 100))),
                    };
                }
            }
            _ => {}
        }
        Ok(true)
    }

    fn next_chunk(&mut self, conn: &mut Conn<'_>) -> Result<Option<BodyEnd>, Stop> {
        let Some(size_line) = line(conn)? else { return Ok(Some(BodyEnd::Aborted)) };
        let digits = size_line.split(|&b| b == b';').next().unwrap_or_default();
        let size = u64::from_str_radix(&latin1(digits), 16)
            .map_err(|_| Stop::failed("a chunk size", escaped(&size_line, 100)))?;
        if size > 0 {
            self.framing = Framing::Chunked(Some(size));
            return Ok(None);
        }
        let mut trailers = Vec::new();
        loop {
            let Some(field) = line(conn)? else { return Ok(Some(BodyEnd::Aborted)) };
            if field.is_empty() {
                self.framing = Framing::Length(0);
                return Ok(Some(BodyEnd::Complete(trailers)));
            }
            let colon = field.iter().position(|&b| b == b':').unwrap_or(field.len());
            let value = field.get(colon + 1..).unwrap_or_default().trim_ascii().to_vec();
            trailers.push((latin1(&field[..colon]), value));
        }
    }
}

/// One line without its CRLF; `None` when the connection ended first.
fn line(conn: &mut Conn<'_>) -> Result<Option<Vec<u8>>, Stop> {
    loop {
        if let Some(at) = find(conn.buffered(), b"\r\n") {
            let line = conn.buffered()[..at].to_vec();
            conn.consume(at + 2);
            return Ok(Some(line));
        }
        if conn.buffered().len() > 64 * 1024 {
            return Err(Stop::failed("a line", escaped(conn.buffered(), 100)));
        }
        if let Fill::End(_) = conn.fill()? {
            return Ok(None);
        }
    }
}
