//! Parsing headers that come in pieces.
//!
//! Responsible for: start lines and fields as Traffic Server takes them, and what it refuses at the end of a header.
//! Not responsible for: the engine's own parsing (`tollgate_http::h1`).

use super::buffer::{Buffer, HeaderType};
use super::error::MessageError;
use super::lines::{Folding, LineScanner, Parsed};
use super::tokens::Token;
use super::url_parse::is_host_byte;

/// State of a parser between pieces.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    scanner: LineScanner,
    past_start: bool,
}

/// What came of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Malformed.
    Error,
    /// The header is complete.
    Done,
    /// More input is needed.
    More,
}

/// Whether blanks before the colon are refused or left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BlanksBeforeColon {
    Refused,
    Dropped,
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(text: &[u8], more: &[u8]) -> std::ops::Range<usize> {
    let start = text.iter().position(|b| !is_blank(*b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !is_blank(*b) && !more.contains(b)).map_or(start, |i| i + 1);
    start..end.max(start)
}

impl Parser {
    /// Consumes a piece of a request's header; returns how much.
    pub fn request(
        &mut self,
        buffer: &mut Buffer,
        header: u32,
        input: &[u8],
    ) -> Result<(usize, Outcome), MessageError> {
        buffer.set_header_type(header, HeaderType::Request)?;
        let mut used = 0;
        if !self.past_start {
            let (consumed, parsed) = self.scanner.next(input, Folding::Never);
            used = consumed;
            match parsed {
                Parsed::More => return Ok((used, Outcome::More)),
                Parsed::Line(line) if request_line(buffer, header, &line)? => self.past_start = true,
                _ => return Ok((used, Outcome::Error)),
            }
        }
        let (more, outcome) = self.lines(buffer, header, &input[used..], BlanksBeforeColon::Refused)?;
        let valid =
            outcome != Outcome::Done || (host_is_valid(buffer, header) && settle_length(buffer, header));
        Ok((used + more, if valid { outcome } else { Outcome::Error }))
    }

    /// Consumes a piece of a response's header; returns how much.
    pub fn response(
        &mut self,
        buffer: &mut Buffer,
        header: u32,
        input: &[u8],
    ) -> Result<(usize, Outcome), MessageError> {
        buffer.set_header_type(header, HeaderType::Response)?;
        let mut used = 0;
        if !self.past_start {
            let (consumed, parsed) = self.scanner.next(input, Folding::Never);
            used = consumed;
            match parsed {
                Parsed::More => return Ok((used, Outcome::More)),
                Parsed::Done => return Ok((used, Outcome::Done)),
                Parsed::Line(line) if status_line(buffer, header, &line)? => self.past_start = true,
                _ => return Ok((0, Outcome::Error)),
            }
        }
        let (more, outcome) = self.lines(buffer, header, &input[used..], BlanksBeforeColon::Dropped)?;
        let valid = outcome != Outcome::Done || settle_length(buffer, header);
        Ok((used + more, if valid { outcome } else { Outcome::Error }))
    }

    /// Consumes a piece of a block of fields; returns how much.
    pub fn fields(
        &mut self,
        buffer: &mut Buffer,
        header: u32,
        input: &[u8],
    ) -> Result<(usize, Outcome), MessageError> {
        self.lines(buffer, header, input, BlanksBeforeColon::Refused)
    }

    fn lines(
        &mut self,
        buffer: &mut Buffer,
        header: u32,
        input: &[u8],
        blanks: BlanksBeforeColon,
    ) -> Result<(usize, Outcome), MessageError> {
        let mut used = 0;
        loop {
            let (consumed, parsed) = self.scanner.next(&input[used..], Folding::Joined);
            used += consumed;
            match parsed {
                Parsed::Line(line) => {
                    if !field_line(buffer, header, &line, blanks)? {
                        return Ok((used, Outcome::Error));
                    }
                }
                Parsed::Done => return Ok((used, Outcome::Done)),
                Parsed::More => return Ok((used, Outcome::More)),
                Parsed::Malformed => return Ok((used, Outcome::Error)),
            }
        }
    }
}

/// Adds a field; `false` if the line is refused. Lines that are no fields are passed over (ATS).
fn field_line(
    buffer: &mut Buffer,
    header: u32,
    line: &[u8],
    blanks: BlanksBeforeColon,
) -> Result<bool, MessageError> {
    let starts = line.first().is_some_and(|b| is_token(*b) || *b == b'@');
    let colon = memchr::memchr(b':', line).filter(|_| starts);
    let Some(colon) = colon else { return Ok(true) };
    let mut name = 0..colon;
    let mut as_is = true;
    if is_blank(line[colon - 1]) {
        if blanks == BlanksBeforeColon::Refused {
            return Ok(false);
        }
        name = trim(&line[..colon], b"");
        as_is = false;
    }
    if !line[name.clone()].iter().enumerate().all(|(i, b)| is_token(*b) || (i == 0 && *b == b'@')) {
        return Ok(false);
    }
    let value = trim(&line[colon + 1..], b"\r\n");
    let value = colon + 1 + value.start..colon + 1 + value.end;
    let controls = line[value.clone()].iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f);
    if controls || name.len() > usize::from(u16::MAX) {
        return Ok(false);
    }
    as_is &= line.ends_with(b"\r\n");
    // ATS: seven bytes of punctuation and blanks are what a line may have to be kept as it is.
    as_is &= line.len() - name.len() - value.len() <= 7;
    buffer.add_line(header, line, name, value, as_is)?;
    Ok(true)
}

/// `METHOD target HTTP/1.x`.
fn request_line(buffer: &mut Buffer, header: u32, line: &[u8]) -> Result<bool, MessageError> {
    let line = &line[trim(line, b"\r\n")];
    let method_len = line.iter().position(|b| !is_token(*b)).unwrap_or(line.len());
    let (method, rest) = line.split_at(method_len);
    let version = match rest {
        [.., b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1')] => {
            1 << 16 | u32::from(minor - b'0')
        }
        _ => return Ok(false),
    };
    let target = &rest[..rest.len() - 8];
    let parted = target.first().is_some_and(|b| is_blank(*b)) && target.last().is_some_and(|b| is_blank(*b));
    let target = &target[trim(target, b"")];
    if method.is_empty() || !parted || target.is_empty() {
        return Ok(false);
    }
    buffer.put_method(header, method, Token::method(method))?;
    let url = buffer.request_url(header)?;
    if !buffer.parse_url(url, target)?.is_valid {
        return Ok(false);
    }
    // ATS: only CONNECT may name nothing but an authority.
    let has_scheme = buffer.url_part(url, super::url::Part::Scheme).is_some();
    if !has_scheme && target[0] != b'/' && method != b"CONNECT" {
        return Ok(false);
    }
    buffer.set_version(header, version)?;
    Ok(true)
}

/// `HTTP/x.y status reason`.
fn status_line(buffer: &mut Buffer, header: u32, line: &[u8]) -> Result<bool, MessageError> {
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, rest @ ..] = line else { return Ok(false) };
    let blank = rest.first().is_some_and(|b| is_blank(*b));
    if !major.is_ascii_digit() || !minor.is_ascii_digit() || !blank {
        return Ok(false);
    }
    buffer.set_version(header, u32::from(major - b'0') << 16 | u32::from(minor - b'0'))?;
    let text = &rest[rest.iter().position(|b| !is_blank(*b)).unwrap_or(rest.len())..];
    let digits = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let status =
        text[..digits].iter().fold(0u16, |n, b| n.wrapping_mul(10).wrapping_add(u16::from(b - b'0')));
    buffer.set_status(header, status)?;
    let after = &text[digits..];
    if after.first().is_some_and(|b| is_blank(*b)) {
        buffer.set_reason(header, &after[trim(after, b"\r\n")])?;
    }
    Ok(true)
}

/// At most one Host, with a host and perhaps a port.
fn host_is_valid(buffer: &Buffer, header: u32) -> bool {
    let Some(field) = buffer.find_field(header, b"Host") else { return true };
    if buffer.next_duplicate(field).is_some() {
        return false;
    }
    let value = buffer.value(field).map(|v| buffer.text(v)).unwrap_or_default();
    let colon = match value.first() {
        Some(b'[') => value.windows(2).position(|w| w == b"]:").map(|i| i + 1),
        _ => memchr::memchr(b':', value),
    };
    let (host, port) = value.split_at(colon.unwrap_or(value.len()));
    let port_fits = match port {
        [] => true,
        [_, digits @ ..] => digits.len() <= 5 && matches!(super::numbers::int(digits), 1..65536),
    };
    !host.is_empty() && host.iter().all(|b| is_host_byte(*b)) && port_fits
}

/// Content-Length must be one number; it goes if there is a Transfer-Encoding, as do its repetitions.
fn settle_length(buffer: &mut Buffer, header: u32) -> bool {
    let Some(first) = buffer.find_field(header, b"Content-Length") else { return true };
    let lengths: Vec<u32> = std::iter::successors(Some(first), |f| buffer.next_duplicate(*f)).collect();
    if buffer.find_field(header, b"Transfer-Encoding").is_some() {
        lengths.into_iter().for_each(|f| buffer.destroy_field(f));
        return true;
    }
    let text = |f: u32| buffer.value(f).map(|v| buffer.text(v)).unwrap_or_default();
    let number = text(first);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    if !is_number || lengths.iter().any(|f| text(*f) != number) {
        return false;
    }
    lengths.into_iter().skip(1).for_each(|f| buffer.destroy_field(f));
    true
}
