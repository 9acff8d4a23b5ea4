//! HTTP/1 message heads (RFC 9112).
//!
//! Responsible for: finding the end of a head in bytes that arrive piecemeal, parsing it strictly, writing heads.
//! Not responsible for: bodies (`framing`, `chunked`), connection persistence (the session).
//! Invariants: strict: every line ends in CRLF, no obs-fold, no white space before a colon, no NUL; the scan is
//! linear in the bytes received however they are cut; limits are checked before a head is complete.

use crate::headers::ReceivedFields;
use crate::marks::{self, LineWalk};
use crate::names::{self, Known, is_token_byte};
use crate::{HeaderBlock, Method, Request, Response, Url, Version, list, url};
use bytes::Bytes;

/// LIMIT: hard cap on the number of fields; the configured limit may be lower.
pub const MAX_FIELDS: usize = 512;

/// Limits on a message head.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the start line.
    pub start_line_bytes: usize,
    /// Bytes of the whole head, start line included.
    pub head_bytes: usize,
    /// Number of field lines.
    pub fields: usize,
    /// Bytes of one field, name and value together.
    pub field_bytes: usize,
}

/// Why a message head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A line feed without carriage return before it.
    #[error("line ends in a bare LF")]
    BareLf,
    /// The start line is not one.
    #[error("malformed start line")]
    StartLine,
    /// The method is not a token.
    #[error("malformed method")]
    Method,
    /// The request target is malformed.
    #[error("malformed request target: {0}")]
    Target(url::UrlError),
    /// A version other than HTTP/1.0 and HTTP/1.1.
    #[error("HTTP version not supported")]
    Version,
    /// A field line is malformed: its name, its value, white space before the colon, obs-fold, bare CR, NUL.
    #[error("malformed header field")]
    Field,
    /// The start line is over its limit.
    #[error("start line over the limit")]
    StartLineTooLong,
    /// The head is over its limit.
    #[error("header over the size limit")]
    TooLarge,
    /// There are more fields than allowed.
    #[error("more header fields than the limit")]
    TooManyFields,
}

impl HeadError {
    /// The status with which a request of that kind is answered.
    pub const fn status(self) -> u16 {
        match self {
            HeadError::Version => 505,
            HeadError::StartLineTooLong => 414,
            HeadError::TooLarge | HeadError::TooManyFields => 431,
            _ => 400,
        }
    }
}

/// Finds the end of a message head in a growing buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScanner {
    scanned: usize,
    seen_line: bool,
}

impl HeadScanner {
    /// Whether nothing was scanned yet.
    pub fn is_fresh(&self) -> bool {
        self.scanned == 0
    }

    /// Looks at what `buffer` has grown by. `Ok(Some(n))`: the head is the first `n` bytes, its empty line included.
    /// The buffer must start with the start line (see [`skip_empty_lines`]).
    pub fn find_end(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        for start in (self.scanned..buffer.len()).step_by(marks::BLOCK) {
            let feeds = marks::line_feeds(buffer, start);
            if feeds.all == 0 {
                continue;
            }
            let place = |set: u64| set.trailing_zeros();
            if !self.seen_line {
                if place(feeds.bare) == place(feeds.all) {
                    return Err(HeadError::BareLf);
                }
                if start + place(feeds.all) as usize + 1 > limits.start_line_bytes {
                    return Err(HeadError::StartLineTooLong);
                }
                self.seen_line = true;
            }
            if place(feeds.bare) < place(feeds.second) {
                return Err(HeadError::BareLf);
            }
            if feeds.second != 0 {
                let end = start + place(feeds.second) as usize + 1;
                return if end > limits.head_bytes { Err(HeadError::TooLarge) } else { Ok(Some(end)) };
            }
        }
        self.scanned = buffer.len();
        if !self.seen_line && buffer.len() > limits.start_line_bytes {
            return Err(HeadError::StartLineTooLong);
        }
        if buffer.len() > limits.head_bytes {
            return Err(HeadError::TooLarge);
        }
        Ok(None)
    }
}

/// Number of bytes of empty lines (CRLF) before a start line (RFC 9112 §2.2). At most one is tolerated per message
/// by the caller's loop over reads; all that have arrived are skipped here.
pub fn skip_empty_lines(buffer: &[u8]) -> usize {
    let mut at = 0;
    while buffer.get(at..at + 2) == Some(b"\r\n") {
        at += 2;
    }
    at
}

/// Whether bytes can be the start of a request line: a method token so far. Tells garbage (a TLS hello, say) early.
pub fn may_start_request(buffer: &[u8]) -> bool {
    let token = buffer.iter().take_while(|b| is_token_byte(**b)).count();
    token == buffer.len()
        || (token > 0 && buffer[token] == b' ')
        || buffer[..buffer.len().min(2)] == b"\r\n"[..buffer.len().min(2)]
}

/// A message head as it was received.
#[derive(Debug)]
pub struct Head {
    bytes: Bytes,
    lines: Option<HeadLines>,
}

/// The lines of a head that was found in one pass.
#[derive(Debug)]
pub struct HeadLines {
    /// Bytes of the head, its empty line included.
    pub len: usize,
    start_line_len: usize,
    fields: ReceivedFields,
}

impl From<Bytes> for Head {
    /// A head as found by [`HeadScanner`].
    fn from(bytes: Bytes) -> Head {
        Head { bytes, lines: None }
    }
}

impl Head {
    /// A head in which [`find_lines`] has found its lines.
    pub fn with_lines(bytes: Bytes, lines: HeadLines) -> Head {
        Head { bytes, lines: Some(lines) }
    }

    /// Bytes of the head.
    #[expect(clippy::len_without_is_empty, reason = "a head has a start line")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn start_line_len(&self) -> Result<usize, HeadError> {
        if let Some(lines) = &self.lines {
            return Ok(lines.start_line_len);
        }
        let len = memchr::memchr(b'\r', &self.bytes).ok_or(HeadError::StartLine)?;
        if self.bytes.get(len + 1) == Some(&b'\n') { Ok(len) } else { Err(HeadError::StartLine) }
    }

    fn into_fields(self, start_line_len: usize, limits: &Limits) -> Result<HeaderBlock, HeadError> {
        match self.lines {
            Some(lines) => Ok(HeaderBlock::over(self.bytes, lines.fields)),
            None => fields_from(self.bytes, start_line_len + 2, limits.fields, limits.field_bytes),
        }
    }
}

/// Looks for a whole head at the front of `buffer`, which starts with the start line, and for its lines in the same
/// pass. `None`: it is not whole yet, or there is something wrong with it: [`HeadScanner`] and the parser say what.
pub fn find_lines(buffer: &[u8], limits: &Limits) -> Option<HeadLines> {
    let mut walk = LineWalk::new(buffer);
    let start_line_len = walk.line_end(0)?;
    let is_line = start_line_len > 0 && buffer.get(start_line_len + 1) == Some(&b'\n');
    if !is_line || start_line_len + 2 > limits.start_line_bytes {
        return None;
    }
    let (fields, len) =
        walk_fields(buffer, walk, start_line_len + 2, limits.fields, limits.field_bytes).ok()?;
    (len <= limits.head_bytes).then_some(HeadLines { len, start_line_len, fields })
}

/// Parses a complete request head.
pub fn parse_request(head: Head, limits: &Limits) -> Result<Request, HeadError> {
    let mut request = Request::new(Method::Get, Url::origin(Bytes::new(), None));
    parse_request_into(head, limits, &mut request)?;
    Ok(request)
}

/// Parses a complete request head into `request`, which stays as it is if there is an error.
pub fn parse_request_into(head: Head, limits: &Limits, request: &mut Request) -> Result<(), HeadError> {
    let line_end = head.start_line_len()?;
    let line = &head.bytes[..line_end];
    let method_end = list::find_near(b' ', line).ok_or(HeadError::StartLine)?;
    let version_start = memchr::memrchr(b' ', line).ok_or(HeadError::StartLine)? + 1;
    if version_start <= method_end + 2 {
        return Err(HeadError::StartLine);
    }
    let method = &line[..method_end];
    if !names::is_token(method) {
        return Err(HeadError::Method);
    }
    let version = request_version(&line[version_start..])?;
    let method = match method {
        b"GET" => Method::Get,
        method => Method::from_token(std::str::from_utf8(method).map_err(|_| HeadError::Method)?),
    };
    let target = head.bytes.slice(method_end + 1..version_start - 1);
    let url = Url::parse_target(target, method == Method::Connect).map_err(HeadError::Target)?;
    if url.form == url::Form::Asterisk && method != Method::Options {
        return Err(HeadError::Target(url::UrlError::Form));
    }
    request.headers = head.into_fields(line_end, limits)?;
    request.method = method;
    request.url = url;
    request.version = version;
    Ok(())
}

fn request_version(text: &[u8]) -> Result<Version, HeadError> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            // RFC 9110 §2.5: a higher minor version of the same major is treated as the highest we know.
            if *major == b'1' { Ok(Version::Http11) } else { Err(HeadError::Version) }
        }
        [b'H', b'T', b'T', b'P', b'/', rest @ ..]
            if !rest.is_empty() && rest.iter().all(|b| b.is_ascii_digit() || *b == b'.') =>
        {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::StartLine),
    }
}

/// Parses a complete response head.
pub fn parse_response(head: Head, limits: &Limits) -> Result<Response, HeadError> {
    let line_end = head.start_line_len()?;
    let line = &head.bytes[..line_end];
    if line.len() < 12 || line[8] != b' ' {
        return Err(HeadError::StartLine);
    }
    let version = request_version(&line[..8])?;
    let digits = &line[9..12];
    if !digits.iter().all(u8::is_ascii_digit)
        || digits[0] == b'0'
        || !matches!(line.get(12), None | Some(b' '))
    {
        return Err(HeadError::StartLine);
    }
    let status = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    let reason = line.get(13..).unwrap_or_default();
    if reason.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
        return Err(HeadError::StartLine);
    }
    let standard = reason == crate::status::reason(status).as_bytes();
    let reason = (!standard).then(|| head.bytes.slice(13.min(line_end)..line_end));
    let headers = head.into_fields(line_end, limits)?;
    Ok(Response { status, version, reason, headers })
}

/// Parses a block of field lines that ends with an empty line.
pub fn parse_fields(block: Bytes, max_fields: usize) -> Result<HeaderBlock, HeadError> {
    fields_from(block, 0, max_fields, usize::MAX)
}

/// The fields of `block` from `start` on, which ends with an empty line.
fn fields_from(
    block: Bytes,
    start: usize,
    max_fields: usize,
    max_bytes: usize,
) -> Result<HeaderBlock, HeadError> {
    let (fields, end) = walk_fields(&block, LineWalk::new(&block), start, max_fields, max_bytes)?;
    if end == block.len() { Ok(HeaderBlock::over(block, fields)) } else { Err(HeadError::Field) }
}

/// One pass over `Name: value CRLF` lines, from `start` up to the first empty line: the fields, and where that line
/// ends.
fn walk_fields(
    text: &[u8],
    mut walk: LineWalk<'_>,
    start: usize,
    max_fields: usize,
    max_bytes: usize,
) -> Result<(ReceivedFields, usize), HeadError> {
    let mut fields = ReceivedFields::new();
    let max_fields = max_fields.min(MAX_FIELDS);
    let mut at = start;
    loop {
        if text.get(at) == Some(&b'\r') {
            // Field lines hold visible bytes, SP, HTAB and obs-text (RFC 9110 §5.5).
            let is_end = text.get(at + 1) == Some(&b'\n') && walk.is_clean_to(at);
            return if is_end { Ok((fields, at + 2)) } else { Err(HeadError::Field) };
        }
        let colon = walk.colon(at).ok_or(HeadError::Field)?;
        let name = &text[at..colon];
        let known = Known::lookup(name);
        // A well-known name is a token.
        if known.is_none() && !names::is_token(name) {
            return Err(HeadError::Field);
        }
        let end = walk.line_end(colon).ok_or(HeadError::Field)?;
        if text.get(end + 1) != Some(&b'\n') {
            return Err(HeadError::Field);
        }
        if end - at - 1 > max_bytes {
            return Err(HeadError::TooLarge);
        }
        if fields.len() == max_fields {
            return Err(HeadError::TooManyFields);
        }
        let value = &text[colon + 1..end];
        // Most values stand behind one space and before the end of the line.
        let on_wire = matches!(value, [b' ', text @ ..] if is_trimmed(text));
        let (lead, len) = if on_wire { (1, value.len() - 1) } else { trimmed(value) };
        let value_start = colon + 1 + lead;
        // An empty value behind one space is also as it is written.
        fields.push(known, at..colon, value_start..value_start + len, on_wire || value == b" ");
        at = end + 2;
    }
}

/// Bytes of white space before a value, and of the value.
#[cold]
fn trimmed(value: &[u8]) -> (usize, usize) {
    let lead = value.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (lead, value[lead..].trim_ascii_end().len())
}

/// Whether no white space surrounds `text`, which is not empty.
#[inline]
fn is_trimmed(text: &[u8]) -> bool {
    matches!((text.first(), text.last()), (Some(first), Some(last)) if *first > b' ' && *last > b' ')
}

/// Fields that must not be taken from a trailer section (RFC 9110 §6.5.1).
pub(crate) fn is_forbidden_trailer(name: Known) -> bool {
    matches!(
        name,
        names::TRANSFER_ENCODING
            | names::CONTENT_LENGTH
            | names::HOST
            | names::CONNECTION
            | names::KEEP_ALIVE
            | names::UPGRADE
            | names::TE
            | names::TRAILER
            | names::CACHE_CONTROL
            | names::AUTHORIZATION
            | names::PROXY_AUTHORIZATION
            | names::CONTENT_ENCODING
            | names::CONTENT_TYPE
            | names::CONTENT_RANGE
            | names::SET_COOKIE
            | names::COOKIE
            | names::AGE
            | names::EXPIRES
            | names::DATE
            | names::LOCATION
            | names::VARY
            | names::EXPECT
            | names::MAX_FORWARDS
            | names::RANGE
    )
}

/// Appends a request head in origin form (or authority form for CONNECT), its empty line included.
pub fn write_request(request: &Request, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    match request.url.form {
        url::Form::Authority | url::Form::Absolute => request.url.write_full(out),
        url::Form::Origin | url::Form::Asterisk => request.url.write_origin_form(out),
    }
    out.push(b' ');
    out.extend_from_slice(request.version.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
    request.headers.write_to(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a response head with the given version, its empty line included.
pub fn write_response(response: &Response, version: Version, out: &mut Vec<u8>) {
    out.extend_from_slice(version.as_str().as_bytes());
    let status = response.status;
    out.extend_from_slice(&[
        b' ',
        b'0' + (status / 100 % 10) as u8,
        b'0' + (status / 10 % 10) as u8,
        b'0' + (status % 10) as u8,
        b' ',
    ]);
    out.extend_from_slice(response.reason());
    out.extend_from_slice(b"\r\n");
    response.headers.write_to(out);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { start_line_bytes: 100, head_bytes: 400, fields: 8, field_bytes: 1000 };

    fn scan(text: &[u8], step: usize) -> Result<Option<usize>, HeadError> {
        let mut scanner = HeadScanner::default();
        let mut end = step;
        loop {
            let found = scanner.find_end(&text[..end.min(text.len())], &LIMITS)?;
            if found.is_some() || end >= text.len() {
                return Ok(found);
            }
            end += step;
        }
    }

    fn request(text: &str) -> Result<Request, HeadError> {
        match scan(text.as_bytes(), usize::MAX / 2)? {
            Some(n) => parse_request(Bytes::copy_from_slice(&text.as_bytes()[..n]).into(), &LIMITS),
            None => panic!("head is incomplete: {text:?}"),
        }
    }

    #[test]
    fn a_request_is_parsed_and_written_as_it_was() {
        let text = "GET /a?b HTTP/1.1\r\nHost: x\r\nx-Odd:  v w \t\r\nEmpty:\r\n\r\n";
        let request = request(text).expect("valid");
        assert_eq!(request.headers.get("X-ODD"), Some(&b"v w"[..]));
        let mut out = Vec::new();
        write_request(&request, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "GET /a?b HTTP/1.1\r\nHost: x\r\nx-Odd: v w\r\nEmpty: \r\n\r\n"
        );
    }

    #[test]
    fn malformed_requests_are_refused() {
        use HeadError::*;
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200));
        let large = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(500));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(9));
        for (text, error) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", BareLf),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", BareLf),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Field),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Field),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", Field),
            ("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", Field),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", Field),
            ("GET / HTTP/1.1\r\nA\r\n\r\n", Field),
            ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Field),
            ("GET /\r\n\r\n", StartLine),
            ("GET  HTTP/1.1\r\n\r\n", StartLine),
            ("GET / http/1.1\r\n\r\n", StartLine),
            ("GET /\rx HTTP/1.1\r\n\r\n", StartLine),
            ("G(T / HTTP/1.1\r\n\r\n", Method),
            ("GET / HTTP/2.0\r\n\r\n", Version),
            ("GET / HTTP/11.1\r\n\r\n", Version),
            ("GET / x HTTP/1.1\r\n\r\n", Target(url::UrlError::Byte)),
            ("GET * HTTP/1.1\r\n\r\n", Target(url::UrlError::Form)),
            (&long, StartLineTooLong),
            (&large, TooLarge),
            (&many, TooManyFields),
        ] {
            assert_eq!(request(text).err(), Some(error), "{text:?}");
        }
    }

    #[test]
    fn a_higher_minor_version_counts_as_1_1() {
        assert_eq!(request("GET / HTTP/1.7\r\n\r\n").map(|r| r.version), Ok(crate::Version::Http11));
    }

    #[test]
    fn responses_are_parsed_strictly() {
        let parse = |text: &str| parse_response(Bytes::copy_from_slice(text.as_bytes()).into(), &LIMITS);
        let ok = parse("HTTP/1.1 404 Gone fishing\r\nA: b\r\n\r\n").expect("valid");
        assert_eq!((ok.status, ok.reason()), (404, &b"Gone fishing"[..]));
        assert_eq!(parse("HTTP/1.0 200\r\n\r\n").map(|r| r.reason().to_vec()), Ok(b"".to_vec()));
        assert!(parse("HTTP/1.1 200 OK\r\n\r\n").is_ok_and(|r| r.reason.is_none()));
        for text in [
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 020 OK\r\n\r\n",
            "HTP/1.1 200 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn garbage_is_told_from_a_request_at_once() {
        assert!(!may_start_request(b"\x16\x03\x01"));
        assert!(!may_start_request(b"GE(T"));
        assert!(may_start_request(b"GE") && may_start_request(b"GET /") && may_start_request(b"\r\nGET"));
    }

    /// What the scanner and the parser make of a head.
    fn in_two_passes(text: &[u8]) -> Option<(usize, Request)> {
        let len = HeadScanner::default().find_end(text, &LIMITS).ok()??;
        let head = Bytes::copy_from_slice(&text[..len]);
        parse_request(head.into(), &LIMITS).ok().map(|request| (len, request))
    }

    fn in_one_pass(text: &[u8]) -> Option<(usize, Request)> {
        let lines = find_lines(text, &LIMITS)?;
        let len = lines.len;
        let head = Head::with_lines(Bytes::copy_from_slice(&text[..len]), lines);
        parse_request(head, &LIMITS).ok().map(|request| (len, request))
    }

    fn as_text(parsed: Option<(usize, Request)>) -> Option<(usize, String)> {
        parsed.map(|(len, request)| (len, format!("{request:?}")))
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_two_find(
            fields in prop::collection::vec("(Host|Age|X-[a-zA-Z]{1,40}|@x|): {0,2}[!-~\t]{0,70}[ \t]?(\r\n|\r\n|\r\n|\n|\r)", 0..10),
            path in "[a-z]{0,90}",
            rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut text = format!("GET /{path} HTTP/1.1\r\n{}\r\n", fields.concat()).into_bytes();
            text.extend_from_slice(&rest);
            prop_assert_eq!(as_text(in_one_pass(&text)), as_text(in_two_passes(&text)));
        }

        #[test]
        fn a_good_head_is_found_in_one_pass(
            fields in prop::collection::vec("(Host|Age|X-[a-zA-Z]{1,20}): [!-~]{1,9}( [!-~]{1,9}){0,3}\r\n", 0..8),
            rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut text = format!("GET / HTTP/1.1\r\n{}\r\n", fields.concat()).into_bytes();
            let len = text.len();
            text.extend_from_slice(&rest);
            prop_assume!(len <= LIMITS.head_bytes);
            prop_assert_eq!(find_lines(&text, &LIMITS).map(|lines| lines.len), Some(len));
        }

        #[test]
        fn finding_the_end_does_not_depend_on_segmentation(text in "([A-Za-z: /]|\r\n|\n|\r|\0){0,80}", step in 1usize..20) {
            prop_assert_eq!(scan(text.as_bytes(), step), scan(text.as_bytes(), 1000));
        }

        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "(GET|POST|HTTP/1.1) (/|[ -~]{0,20}) (HTTP/1.1|200)\r\n([A-Za-z-]{0,10}: ?[ -~]{0,10}\r\n){0,5}\r\n") {
            let mut all = text.into_bytes();
            for input in [bytes.clone(), all.clone(), { all.splice(0..0, bytes); all }] {
                let input = Bytes::from(input);
                let _: Result<_, _> = parse_request(input.clone().into(), &LIMITS);
                let _: Result<_, _> = parse_response(input.into(), &LIMITS);
            }
        }
    }
}
