//! Start lines: type, version, method, URL, status and reason of a header.
//!
//! Responsible for: reading and setting them, copies of whole headers.

use super::arena::Span;
use super::buffer::{Buffer, HeaderType};
use super::error::MessageError;
use super::fields::FieldState;
use super::tokens::Token;
use super::url::{Part, TakenUrl};

/// HTTP/1.0, which a new header has.
const VERSION_1_0: u32 = 1 << 16;
/// Longest method or reason, bytes (ATS).
const MAX_WORD: usize = u16::MAX as usize - 1;

#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) kind: HeaderType,
    pub(super) version: u32,
    pub(super) method: Option<Span>,
    pub(super) token: Option<Token>,
    pub(super) url: u32,
    pub(super) status: u16,
    pub(super) reason: Option<Span>,
}

impl Default for Start {
    fn default() -> Self {
        Start {
            kind: HeaderType::Unknown,
            version: VERSION_1_0,
            method: None,
            // ATS: a request whose method was never set names the first token of the table.
            token: Some(Token::FIRST),
            url: 0,
            status: 0,
            reason: None,
        }
    }
}

impl Buffer {
    pub(super) fn start(&self, header: u32) -> Result<&Start, MessageError> {
        self.headers[header as usize].start.as_ref().ok_or(MessageError::WrongType)
    }

    pub(super) fn start_mut(&mut self, header: u32) -> Result<&mut Start, MessageError> {
        self.dirty.start = true;
        self.headers[header as usize].start.as_mut().ok_or(MessageError::WrongType)
    }

    fn start_of(&self, header: u32, kind: HeaderType) -> Result<&Start, MessageError> {
        self.start(header).and_then(|s| if s.kind == kind { Ok(s) } else { Err(MessageError::WrongType) })
    }

    /// Request, response or not yet said.
    pub fn header_type(&self, header: u32) -> Result<HeaderType, MessageError> {
        self.start(header).map(|s| s.kind)
    }

    /// Says what a header is. Once said, it stays: later calls change nothing.
    pub fn set_header_type(&mut self, header: u32, kind: HeaderType) -> Result<(), MessageError> {
        if self.start(header)?.kind != HeaderType::Unknown {
            return Ok(());
        }
        let url = if kind == HeaderType::Request { self.new_url() } else { 0 };
        let start = self.start_mut(header)?;
        (start.kind, start.url) = (kind, url);
        Ok(())
    }

    /// Major version in the upper, minor in the lower 16 bits.
    pub fn version(&self, header: u32) -> Result<u32, MessageError> {
        self.start(header).map(|s| s.version)
    }

    /// Sets the version.
    pub fn set_version(&mut self, header: u32, version: u32) -> Result<(), MessageError> {
        self.start_mut(header)?.version = version;
        Ok(())
    }

    /// The method; well-known ones have their token's address.
    pub fn method(&self, header: u32) -> Result<Option<Span>, MessageError> {
        self.start_of(header, HeaderType::Request).map(|s| s.token.map(Span::token).or(s.method))
    }

    /// Sets the method. ATS: any token is taken for it whatever its case.
    pub fn set_method(&mut self, header: u32, method: &[u8]) -> Result<(), MessageError> {
        self.put_method(header, method, Token::lookup(method))
    }

    pub(super) fn put_method(
        &mut self,
        header: u32,
        method: &[u8],
        token: Option<Token>,
    ) -> Result<(), MessageError> {
        self.start_of(header, HeaderType::Request)?;
        let stored = self.short(method)?;
        let start = self.start_mut(header)?;
        (start.method, start.token) = (Some(stored), token);
        Ok(())
    }

    pub(super) fn short(&mut self, text: &[u8]) -> Result<Span, MessageError> {
        if text.len() > MAX_WORD { Err(MessageError::OutOfRange) } else { Ok(self.arena.store(text)) }
    }

    /// The URL of a request.
    pub fn request_url(&self, header: u32) -> Result<u32, MessageError> {
        self.start_of(header, HeaderType::Request).map(|s| s.url)
    }

    /// Gives a request another URL of the same buffer.
    pub fn set_request_url(&mut self, header: u32, url: u32) -> Result<(), MessageError> {
        self.start_of(header, HeaderType::Request)?;
        self.start_mut(header)?.url = url;
        self.dirty.url = true;
        Ok(())
    }

    /// The host a request is for: the URL's, else that of the Host field, without port.
    pub fn request_host(&self, header: u32) -> Result<Option<Span>, MessageError> {
        let url = self.request_url(header)?;
        if let Some(host) = self.url_part(url, Part::Host).filter(|h| !h.is_empty()) {
            return Ok(Some(host));
        }
        let field = self.find_field(header, b"Host").and_then(|f| self.value(f));
        Ok(field.filter(|v| !v.is_empty()).map(|v| v.part(0..host_len(self.text(v)))))
    }

    /// The whole URL of a request: what its URL does not say is taken from the Host field.
    pub fn effective_url(&self, header: u32) -> Result<Vec<u8>, MessageError> {
        let url = self.request_url(header)?;
        let printed = self.print_url(url);
        if self.url_part(url, Part::Host).is_some_and(|host| !host.is_empty()) {
            let has_scheme = self.url_part(url, Part::Scheme).is_some();
            return Ok(if has_scheme { printed } else { [b"http://", &printed[..]].concat() });
        }
        let host = self.find_field(header, b"Host").and_then(|field| self.value(field));
        let host = host.map(|value| self.text(value).to_ascii_lowercase()).unwrap_or_default();
        let scheme = self.url_part(url, Part::Scheme).map_or(&b"http"[..], |scheme| self.text(scheme));
        // What is printed of a URL without a host begins with its path, after a scheme it may have.
        let path = printed.strip_prefix(&[scheme, b"://"].concat()[..]).unwrap_or(&printed);
        Ok([scheme, b"://", &host[..], path].concat())
    }

    /// The status of a response.
    pub fn status(&self, header: u32) -> Result<u16, MessageError> {
        self.start_of(header, HeaderType::Response).map(|s| s.status)
    }

    /// Sets the status; the reason stays.
    pub fn set_status(&mut self, header: u32, status: u16) -> Result<(), MessageError> {
        self.start_of(header, HeaderType::Response)?;
        self.start_mut(header)?.status = status;
        Ok(())
    }

    /// The reason phrase, if there is one.
    pub fn reason(&self, header: u32) -> Result<Option<Span>, MessageError> {
        self.start_of(header, HeaderType::Response).map(|s| s.reason)
    }

    /// Sets the reason phrase.
    pub fn set_reason(&mut self, header: u32, reason: &[u8]) -> Result<(), MessageError> {
        self.start_of(header, HeaderType::Response)?;
        let stored = self.short(reason)?;
        self.start_mut(header)?.reason = Some(stored);
        Ok(())
    }

    /// A header with its strings taken along, to be put into any buffer.
    pub fn take_header(&self, header: u32) -> TakenHeader {
        let copy = |span: Span| self.text(span).to_vec();
        let start = self.headers[header as usize].start;
        let fields = self.attached(header).map(|f| {
            let f = &self.fields[f as usize];
            TakenField { name: f.name.map(copy), value: f.value.map(copy), line: f.line.map(copy) }
        });
        TakenHeader {
            start,
            method: start.and_then(|s| s.method).map(copy),
            reason: start.and_then(|s| s.reason).map(copy),
            url: start.filter(|s| s.kind == HeaderType::Request).map(|s| self.take_url(s.url)),
            fields: fields.collect(),
        }
    }

    /// Replaces the fields of a header by copies.
    pub fn put_fields(&mut self, header: u32, taken: &TakenHeader) -> Result<(), MessageError> {
        self.clear_fields(header);
        for field in &taken.fields {
            self.put_field(header, field)?;
        }
        Ok(())
    }

    fn put_field(&mut self, header: u32, taken: &TakenField) -> Result<(), MessageError> {
        let name = taken.name.as_deref();
        let Some(line) = &taken.line else {
            let field = self.create_field(header, name)?;
            self.set_value(field, taken.value.as_deref())?;
            self.fields[field as usize].state = FieldState::Attached;
            return Ok(());
        };
        let name_len = name.map_or(0, <[u8]>::len);
        let value_len = taken.value.as_ref().map_or(0, Vec::len);
        let start = name_len + 1;
        let value = start + line[start..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        self.add_line(header, line, 0..name_len, value..value + value_len, true).map(drop)
    }

    /// Replaces start line, URL and fields of a header by copies.
    pub fn put_header(&mut self, header: u32, taken: &TakenHeader) -> Result<(), MessageError> {
        self.put_fields(header, taken)?;
        let Some(mut start) = taken.start else { return Ok(()) };
        start.method = taken.method.as_ref().map(|m| self.arena.store(m));
        start.reason = taken.reason.as_ref().map(|r| self.arena.store(r));
        if let Some(url) = &taken.url {
            start.url = match self.request_url(header) {
                Ok(own) => own,
                Err(_) => self.new_url(),
            };
            self.put_url(start.url, url);
        }
        self.headers[header as usize].start = Some(start);
        self.dirty.start = true;
        Ok(())
    }
}

/// Length of the host in `host[:port]` (ATS: a bracket that is not followed by a colon takes all).
fn host_len(text: &[u8]) -> usize {
    if text.first() == Some(&b'[') {
        return text.windows(2).position(|w| w == b"]:").map_or(text.len(), |i| i + 1);
    }
    text.iter().position(|b| *b == b':').unwrap_or(text.len())
}

#[derive(Clone, Debug)]
struct TakenField {
    name: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    line: Option<Vec<u8>>,
}

/// A header between two buffers.
#[derive(Clone, Debug)]
pub struct TakenHeader {
    start: Option<Start>,
    method: Option<Vec<u8>>,
    reason: Option<Vec<u8>>,
    url: Option<TakenUrl>,
    fields: Vec<TakenField>,
}
