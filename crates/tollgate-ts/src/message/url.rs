//! A URL as its parts.
//!
//! Responsible for: getting and setting parts, default ports, copies.
//! Not responsible for: parsing (`url_parse`) and writing (`url_print`).

use super::arena::Span;
use super::buffer::Buffer;
use super::error::MessageError;
use super::tokens::{self, Token};

/// Longest part, bytes (ATS: 16 bits).
const MAX_PART: usize = u16::MAX as usize - 1;

/// What a URL was made for, which decides its default port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlKind {
    /// Nothing known: no scheme was ever set.
    #[default]
    None,
    /// Any scheme but those below.
    Http,
    /// `https` or `wss`.
    Https,
}

/// A part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The scheme, without colon.
    Scheme,
    /// The user.
    User,
    /// The password.
    Password,
    /// The host, without port; an IPv6 address in its brackets.
    Host,
    /// The path without its leading slash.
    Path,
    /// What follows the first `;` of the path.
    Params,
    /// The query, without `?`.
    Query,
    /// The fragment, without `#`.
    Fragment,
}

const PARTS: [Part; 8] = [
    Part::Scheme,
    Part::User,
    Part::Password,
    Part::Host,
    Part::Path,
    Part::Params,
    Part::Query,
    Part::Fragment,
];

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UrlObject {
    parts: [Option<Span>; PARTS.len()],
    pub(super) token: Option<Token>,
    pub(super) kind: UrlKind,
    pub(super) port_text: Option<Span>,
    pub(super) port: u16,
    pub(super) ftp_type: i32,
    /// ATS: written without a slash after the host, because it was parsed so.
    pub(super) no_slash: bool,
}

impl UrlObject {
    pub(super) fn part(&self, part: Part) -> Option<Span> {
        self.parts[part as usize]
    }
}

impl Buffer {
    /// A part as plugins see it: a well-known scheme in the table's spelling. An absent part differs from an
    /// empty one.
    pub fn url_part(&self, url: u32, part: Part) -> Option<Span> {
        let object = &self.urls[url as usize];
        match (part, object.token) {
            (Part::Scheme, Some(token)) => Some(Span::token(token)),
            _ => object.part(part),
        }
    }

    /// The scheme, or the one that the URL's kind implies.
    pub fn url_scheme(&self, url: u32) -> Option<Span> {
        let implied = match self.urls[url as usize].kind {
            UrlKind::None => None,
            UrlKind::Http => Some(Span::token(const { tokens::constant("http") })),
            UrlKind::Https => Some(Span::token(const { tokens::constant("https") })),
        };
        self.url_part(url, Part::Scheme).filter(|s| !s.is_empty()).or(implied)
    }

    /// Sets a part, or removes it. ATS: empty means removed, but for params, query and fragment.
    pub fn set_url_part(&mut self, url: u32, part: Part, value: Option<&[u8]>) -> Result<(), MessageError> {
        if value.is_some_and(|v| v.len() > MAX_PART) {
            return Err(MessageError::OutOfRange);
        }
        let keeps_empty = matches!(part, Part::Params | Part::Query | Part::Fragment);
        let value = value.filter(|v| keeps_empty || !v.is_empty());
        let stored = value.map(|v| self.arena.store(v));
        let object = &mut self.urls[url as usize];
        object.parts[part as usize] = stored;
        if part == Part::Scheme {
            object.token = value.and_then(Token::lookup);
            object.kind = match object.token.map(Token::text) {
                Some("https" | "wss") => UrlKind::Https,
                _ => UrlKind::Http,
            };
        }
        self.dirty.url = true;
        Ok(())
    }

    /// The port, the default one if none is set; 0 if the URL never had a scheme.
    pub fn url_port(&self, url: u32) -> u16 {
        let object = &self.urls[url as usize];
        match (object.port, object.kind) {
            (0, UrlKind::Http) => 80,
            (0, UrlKind::Https) => 443,
            (port, _) => port,
        }
    }

    /// The port that is set, or 0.
    pub fn url_raw_port(&self, url: u32) -> u16 {
        self.urls[url as usize].port
    }

    /// Sets the port; 0 removes it. ATS: a number past 65535 is written as given and counts modulo 65536.
    pub fn set_url_port(&mut self, url: u32, port: u32) {
        let text = (port > 0).then(|| port.to_string());
        self.set_url_port_text(url, text.as_deref().map(str::as_bytes));
    }

    pub(super) fn set_url_port_text(&mut self, url: u32, text: Option<&[u8]>) {
        let stored = text.map(|t| self.arena.store(t));
        let digits = text.unwrap_or_default().iter().take_while(|b| b.is_ascii_digit());
        let port = digits.fold(0u16, |n, b| n.wrapping_mul(10).wrapping_add(u16::from(b - b'0')));
        let object = &mut self.urls[url as usize];
        (object.port_text, object.port) = (stored, port);
        self.dirty.url = true;
    }

    /// The type code of an FTP URL.
    pub fn ftp_type(&self, url: u32) -> i32 {
        self.urls[url as usize].ftp_type
    }

    /// Sets the type code; only the known ones.
    pub fn set_ftp_type(&mut self, url: u32, code: i32) -> Result<(), MessageError> {
        let known = [0, b'A', b'E', b'I', b'a', b'i', b'e'].iter().any(|k| i32::from(*k) == code);
        if !known {
            return Err(MessageError::OutOfRange);
        }
        self.urls[url as usize].ftp_type = code;
        Ok(())
    }

    /// Empties a URL.
    pub fn clear_url(&mut self, url: u32) {
        self.urls[url as usize] = UrlObject::default();
        self.dirty.url = true;
    }

    /// A URL with its strings taken along, to be put into any buffer.
    pub fn take_url(&self, url: u32) -> TakenUrl {
        let object = self.urls[url as usize];
        let copy = |span: Option<Span>| span.map(|s| self.text(s).to_vec());
        TakenUrl { parts: PARTS.map(|p| copy(object.part(p))), port: copy(object.port_text), object }
    }

    /// Puts a copy of a URL in the place of another.
    pub fn put_url(&mut self, url: u32, taken: &TakenUrl) {
        let mut object = taken.object;
        for (span, bytes) in object.parts.iter_mut().zip(&taken.parts) {
            *span = bytes.as_ref().map(|b| self.arena.store(b));
        }
        object.port_text = taken.port.as_ref().map(|b| self.arena.store(b));
        self.urls[url as usize] = object;
        self.dirty.url = true;
    }
}

/// A URL between two buffers.
#[derive(Clone, Debug)]
pub struct TakenUrl {
    parts: [Option<Vec<u8>>; PARTS.len()],
    port: Option<Vec<u8>>,
    object: UrlObject,
}
