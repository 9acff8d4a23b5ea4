//! Reads one response after another as the bytes arrive.
//!
//! Responsible for: finding the end of each response (counted, chunked, or at the end of the connection) and
//! checking status and body size. Not responsible for: everything else a client should check; the servers measured
//! are proven to be correct by other tests.

/// Bytes a response's header may have.
const MAX_HEADER: usize = 16 * 1024;

/// What a piece of input led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The response goes on.
    More,
    /// The response is complete.
    Done,
    /// The response is wrong.
    Wrong(Fault),
}

/// What is wrong with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not 200.
    Status,
    /// A body of another size than expected, or more bytes than the response has.
    Body,
    /// Not a response.
    Syntax,
}

/// Where in a response the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    /// Bytes of a counted body left.
    Counted(usize),
    /// Digits of a chunk size, or its extension, read so far.
    ChunkSize(usize),
    /// Bytes of a chunk left, with its line end.
    Chunk(usize),
    /// Length of the current line after the last chunk.
    Trailer(usize),
    UntilClose,
}

/// Reads responses of one connection.
#[derive(Debug)]
pub struct Reader {
    expected_body: usize,
    state: State,
    header: Vec<u8>,
    /// Bytes of the body so far.
    body: usize,
    is_in_extension: bool,
}

impl Reader {
    /// A reader that expects bodies of this size.
    pub fn new(expected_body: usize) -> Self {
        Self { expected_body, state: State::Header, header: Vec::new(), body: 0, is_in_extension: false }
    }

    /// Starts the next response.
    pub fn restart(&mut self) {
        *self = Self { header: std::mem::take(&mut self.header), ..Self::new(self.expected_body) };
        self.header.clear();
    }

    /// Takes bytes that have arrived.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Progress {
        if self.state == State::Header {
            match self.feed_header(bytes) {
                Ok(Some(used)) => bytes = &bytes[used..],
                Ok(None) => return Progress::More,
                Err(fault) => return Progress::Wrong(fault),
            }
        }
        match self.feed_body(bytes) {
            Ok(false) => Progress::More,
            Ok(true) if self.body == self.expected_body => Progress::Done,
            Ok(true) => Progress::Wrong(Fault::Body),
            Err(fault) => Progress::Wrong(fault),
        }
    }

    /// Says what the end of the connection means for the response.
    pub fn end(&self) -> Progress {
        match self.state {
            State::UntilClose if self.body == self.expected_body => Progress::Done,
            State::UntilClose => Progress::Wrong(Fault::Body),
            _ => Progress::Wrong(Fault::Syntax),
        }
    }

    /// Collects the header; returns how many of `bytes` belong to it once it is complete.
    fn feed_header(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let before = self.header.len();
        self.header.extend_from_slice(&bytes[..bytes.len().min(MAX_HEADER)]);
        let start = before.saturating_sub(3);
        let end = self.header[start..].windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end.map(|end| start + end + 4) else {
            return if self.header.len() >= MAX_HEADER { Err(Fault::Syntax) } else { Ok(None) };
        };
        self.header.truncate(end);
        self.state = parse_header(&self.header)?;
        if let State::Counted(length) = self.state
            && length != self.expected_body
        {
            return Err(Fault::Body);
        }
        Ok(Some(end - before))
    }

    /// Takes bytes of the body; says whether it is complete.
    fn feed_body(&mut self, mut bytes: &[u8]) -> Result<bool, Fault> {
        loop {
            match self.state {
                State::Counted(left) if bytes.len() > left => return Err(Fault::Body),
                State::Counted(left) => {
                    self.body += bytes.len();
                    self.state = State::Counted(left - bytes.len());
                    return Ok(left == bytes.len());
                }
                State::UntilClose => {
                    self.body += bytes.len();
                    return Ok(false);
                }
                State::Chunk(left) => {
                    let taken = left.min(bytes.len());
                    bytes = &bytes[taken..];
                    self.state = if taken == left { State::ChunkSize(0) } else { State::Chunk(left - taken) };
                }
                State::ChunkSize(_) | State::Trailer(_) => {
                    let Some((byte, rest)) = bytes.split_first() else { return Ok(false) };
                    bytes = rest;
                    if self.feed_line_byte(*byte)? {
                        return if bytes.is_empty() { Ok(true) } else { Err(Fault::Body) };
                    }
                }
                State::Header => return Err(Fault::Syntax),
            }
            if bytes.is_empty() {
                return Ok(false);
            }
        }
    }

    /// Takes a byte of a chunk size line or a trailer line; says whether the body ends with it.
    fn feed_line_byte(&mut self, byte: u8) -> Result<bool, Fault> {
        match (self.state, byte) {
            (State::ChunkSize(0), b'\n') => self.state = State::Trailer(0),
            (State::ChunkSize(size), b'\n') => {
                self.body += size;
                self.state = State::Chunk(size + 2);
                self.is_in_extension = false;
            }
            (State::ChunkSize(_), b'\r') => {}
            (State::ChunkSize(_), b';') => self.is_in_extension = true,
            (State::ChunkSize(_), _) if self.is_in_extension => {}
            (State::ChunkSize(size), byte) => {
                let digit = char::from(byte).to_digit(16).ok_or(Fault::Syntax)?;
                let size = size.checked_mul(16).and_then(|size| size.checked_add(digit as usize));
                self.state =
                    State::ChunkSize(size.filter(|size| *size < usize::MAX / 32).ok_or(Fault::Syntax)?);
            }
            (State::Trailer(0), b'\n') => return Ok(true),
            (State::Trailer(_), b'\n') => self.state = State::Trailer(0),
            (State::Trailer(_), b'\r') => {}
            (State::Trailer(length), _) => self.state = State::Trailer(length + 1),
            _ => return Err(Fault::Syntax),
        }
        Ok(false)
    }
}

/// Checks the status and finds out where the body ends.
fn parse_header(header: &[u8]) -> Result<State, Fault> {
    let mut lines = header.split(|byte| *byte == b'\n');
    let status_line = lines.next().unwrap_or_default();
    if !status_line.starts_with(b"HTTP/1.") {
        return Err(Fault::Syntax);
    }
    if status_line.get(9..12) != Some(b"200") {
        return Err(Fault::Status);
    }
    let mut state = State::UntilClose;
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            state = State::Counted(length.ok_or(Fault::Syntax)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(State::ChunkSize(0));
        }
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX: y\r\n\r\nabcde";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n";

    fn all_at_once(bytes: &[u8]) -> Progress {
        Reader::new(5).feed(bytes)
    }

    #[test]
    fn a_response_is_complete_at_its_last_byte_however_it_is_cut() {
        for response in [COUNTED, CHUNKED] {
            for cut in 1..response.len() {
                let mut reader = Reader::new(5);
                assert_eq!(reader.feed(&response[..cut]), Progress::More, "cut at {cut}");
                assert_eq!(reader.feed(&response[cut..]), Progress::Done, "cut at {cut}");
                reader.restart();
                assert_eq!(reader.feed(response), Progress::Done);
            }
        }
    }

    #[test]
    fn wrong_status_size_and_syntax_are_told_apart() {
        assert_eq!(all_at_once(b"HTTP/1.1 502 Bad\r\n\r\n"), Progress::Wrong(Fault::Status));
        assert_eq!(
            all_at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
            Progress::Wrong(Fault::Body)
        );
        assert_eq!(all_at_once(b"SSH-2.0\r\n\r\n"), Progress::Wrong(Fault::Syntax));
        let extra = [COUNTED, b"x"].concat();
        assert_eq!(all_at_once(&extra), Progress::Wrong(Fault::Body));
        let short = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        assert_eq!(all_at_once(short), Progress::Wrong(Fault::Body));
        let odd = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
        assert_eq!(all_at_once(odd), Progress::Wrong(Fault::Syntax));
        assert_eq!(all_at_once(&[b'a'; MAX_HEADER + 1]), Progress::Wrong(Fault::Syntax));
    }

    #[test]
    fn the_end_of_the_connection_ends_only_a_body_without_length() {
        let mut reader = Reader::new(3);
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc"), Progress::More);
        assert_eq!(reader.end(), Progress::Done);
        let mut cut = Reader::new(5);
        assert_eq!(cut.feed(&COUNTED[..COUNTED.len() - 1]), Progress::More);
        assert_eq!(cut.end(), Progress::Wrong(Fault::Syntax));
    }
}
