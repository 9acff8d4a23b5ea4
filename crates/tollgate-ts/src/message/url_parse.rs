//! Parsing URLs as Traffic Server does.
//!
//! Responsible for: its ideas of what a scheme, an authority and parameters are, what is left out and what refused.
//! Not responsible for: request targets on the engine's own path (`tollgate_http::url`), which are stricter.

use super::buffer::Buffer;
use super::error::MessageError;
use super::url::Part;
use std::ops::Range;

/// Colons an address may have (ATS).
const MAX_COLONS: usize = 8;

/// How parsing a URL ended, and how much was consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlParsed {
    /// Whether it was a URL. If not, the parts before the fault are set.
    pub is_valid: bool,
    /// Bytes consumed. ATS: a fragment that is not empty is not counted.
    pub consumed: usize,
}

fn refused(consumed: usize) -> Result<UrlParsed, MessageError> {
    Ok(UrlParsed { is_valid: false, consumed })
}

/// Whether a byte may stand in a host (ATS).
pub(super) fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.[]_:~%".contains(&byte)
}

#[derive(Default)]
struct Authority {
    user: Option<Range<usize>>,
    password: Option<Range<usize>>,
    host: Range<usize>,
    port: Option<Range<usize>>,
    end: usize,
}

impl Buffer {
    /// Empties a URL and parses `text` into it.
    pub fn parse_url(&mut self, url: u32, text: &[u8]) -> Result<UrlParsed, MessageError> {
        self.clear_url(url);
        let Some(start) = text.iter().position(|b| *b != b' ') else { return refused(0) };
        let Some(scheme_len) = scheme(&text[start..]) else { return refused(0) };
        let after = start + scheme_len;
        if scheme_len > 0 {
            self.set_url_part(url, Part::Scheme, Some(&text[start..after]))?;
        }
        let Some(authority) = authority(text, after) else { return refused(after) };
        if !self.set_authority(url, text, &authority)? {
            return refused(after);
        }
        let consumed = self.set_path(url, text, authority.end)?;
        Ok(UrlParsed { is_valid: true, consumed })
    }

    fn set_authority(&mut self, url: u32, text: &[u8], found: &Authority) -> Result<bool, MessageError> {
        if let Some(user) = found.user.clone().filter(|u| !u.is_empty()) {
            self.set_url_part(url, Part::User, Some(&text[user]))?;
            if let Some(password) = found.password.clone() {
                self.set_url_part(url, Part::Password, Some(&text[password]))?;
            }
        }
        let host = &text[found.host.clone()];
        if !host.iter().all(|b| is_host_byte(*b)) {
            return Ok(false);
        }
        self.set_url_part(url, Part::Host, Some(host))?;
        match found.port.clone() {
            Some(port) if port.is_empty() => return Ok(false),
            Some(port) => self.set_url_port_text(url, Some(&text[port])),
            None => {}
        }
        Ok(true)
    }

    fn set_path(&mut self, url: u32, text: &[u8], end: usize) -> Result<usize, MessageError> {
        self.urls[url as usize].no_slash = matches!(text.get(end), Some(b'?' | b'#'));
        // ATS: all leading slashes are dropped.
        let start = skip(text, end, |b| b == b'/');
        let path = until(text, start, b";?#");
        self.set_url_part(url, Part::Path, Some(&text[start..path]))?;
        let mut at = path;
        if text.get(at) == Some(&b';') {
            let end = until(text, at + 1, b"?#");
            self.set_url_part(url, Part::Params, Some(&text[at + 1..end]))?;
            at = end;
        }
        if text.get(at) == Some(&b'?') {
            let end = until(text, at + 1, b"#");
            self.set_url_part(url, Part::Query, Some(&text[at + 1..end]))?;
            at = end;
        }
        if text.get(at) == Some(&b'#') {
            at += 1;
            self.set_url_part(url, Part::Fragment, Some(&text[at..]))?;
        }
        Ok(at)
    }
}

fn skip(text: &[u8], from: usize, matches: impl Fn(u8) -> bool) -> usize {
    text[from..].iter().position(|b| !matches(*b)).map_or(text.len(), |i| from + i)
}

fn until(text: &[u8], from: usize, stops: &[u8]) -> usize {
    skip(text, from, |b| !stops.contains(&b))
}

/// Length of the scheme, 0 if there is none; `None` if what stands before `://` is no scheme.
fn scheme(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'/') {
        return Some(0);
    }
    let Some(colon) = memchr::memchr(b':', text) else { return Some(0) };
    if text.get(colon..colon + 3) != Some(b"://") {
        return Some(0);
    }
    let name = &text[..colon];
    let valid = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
    valid.then_some(colon)
}

/// `[://][user[:password]@]host[:port]` from `start` on.
fn authority(text: &[u8], start: usize) -> Option<Authority> {
    let mut at = after_colon(text, start)?;
    let mut found = Authority::default();
    let mut base = at;
    let mut bracket = None;
    let mut host = None;
    let (mut colons, mut last_colon) = (0, None);
    while let Some(byte) = text.get(at) {
        match byte {
            b']' => {
                if colons >= MAX_COLONS {
                    return None;
                }
                host = Some(bracket?..at + 1);
                match text.get(at + 1) {
                    None | Some(b'/') => last_colon = None,
                    Some(b':') => {
                        // What follows can only be a port.
                        at += 1;
                        (colons, last_colon) = (MAX_COLONS, Some(at));
                    }
                    Some(_) => return None,
                }
            }
            b':' => {
                colons += 1;
                if colons > MAX_COLONS {
                    return None;
                }
                last_colon = Some(at);
            }
            b'@' => {
                if colons > 1 || found.user.as_ref().is_some_and(|u| !u.is_empty()) {
                    return None;
                }
                found.user = Some(base..last_colon.unwrap_or(at));
                found.password = last_colon.map(|colon| colon + 1..at);
                (colons, last_colon, base) = (0, None, at + 1);
            }
            b'[' if bracket.is_some() || base != at => return None,
            b'[' => bracket = Some(at),
            b'/' | b'?' | b'#' => break,
            _ => {}
        }
        at += 1;
    }
    found.end = at;
    let has_port = colons == 1 || colons == MAX_COLONS;
    if host.is_none() && !has_port {
        last_colon = None;
    }
    found.host = host.unwrap_or(base..last_colon.unwrap_or(at));
    found.port = last_colon.map(|colon| colon + 1..at);
    Some(found)
}

/// Skips `://`, or a single colon; `None` if only part of `://` is there.
fn after_colon(text: &[u8], start: usize) -> Option<usize> {
    match &text[start..] {
        [b':', b'/', b'/', _, ..] => Some(start + 3),
        [b':'] | [b':', b'/'] | [b':', b'/', b'/'] => None,
        [b':', ..] => Some(start + 1),
        _ => Some(start),
    }
}

#[cfg(test)]
mod tests {
    use crate::message::{BufferId, MessageTable};
    use proptest::prelude::*;

    fn printed(table: &MessageTable, id: BufferId, text: &[u8]) -> Option<Vec<u8>> {
        let url = table.with(id, |b| Ok(b.new_url())).expect("a live buffer");
        table
            .with(id, |b| Ok(b.parse_url(url, text)?.is_valid.then(|| b.print_url(url))))
            .expect("a live buffer")
    }

    proptest! {
        #[test]
        fn a_printed_url_reads_as_itself(
            scheme in "(http|https|ws|foo)", host in "[a-z0-9.-]{1,12}", port in prop::option::of(1u16..),
            path in "(/[a-z%]{1,5}){0,3}", params in prop::option::of("[a-z/]{1,4}"),
            query in prop::option::of("[a-z;/?]{1,6}"), fragment in prop::option::of("[a-z#?/;]{1,6}"),
        ) {
            let port = port.map(|p| format!(":{p}")).unwrap_or_default();
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let part = |mark: &str, text: &Option<String>| text.as_ref().map(|t| format!("{mark}{t}")).unwrap_or_default();
            let text = format!(
                "{scheme}://{host}{port}{path}{}{}{}", part(";", &params), part("?", &query), part("#", &fragment),
            );
            let table = MessageTable::new();
            let id = table.create().expect("room");
            prop_assert_eq!(printed(&table, id, text.as_bytes()), Some(text.into_bytes()));
        }

        #[test]
        fn any_bytes_parse_without_panic(text in prop::collection::vec(any::<u8>(), 0..50)) {
            let table = MessageTable::new();
            let id = table.create().expect("room");
            printed(&table, id, &text);
        }

        #[test]
        fn any_punctuation_parses_without_panic(text in "[a:/@?#;\\[\\]1.]{0,20}") {
            let table = MessageTable::new();
            let id = table.create().expect("room");
            printed(&table, id, text.as_bytes());
        }
    }
}
