//! Request targets and URLs as components.
//!
//! Responsible for: parsing the four forms of a request target (RFC 9112 §3.2) and absolute URLs, and writing
//! them again. Components are kept as received: no decoding, no normalising, no case change.
//! Not responsible for: which host a request is meant for when URL and `Host` differ (the transaction).

use crate::list::find_near;
use bytes::{Buf, Bytes};
use std::net::Ipv6Addr;

/// A URL scheme the proxy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`
    Ws,
    /// `wss`
    Wss,
    /// `tunnel`, a blind tunnel (ATS)
    Tunnel,
}

impl Scheme {
    /// The scheme of that name, without regard to case.
    pub fn parse(name: &[u8]) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https, Scheme::Ws, Scheme::Wss, Scheme::Tunnel]
            .into_iter()
            .find(|s| s.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The scheme's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
            Scheme::Tunnel => "tunnel",
        }
    }

    /// The port used when a URL names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http | Scheme::Ws => 80,
            Scheme::Https | Scheme::Wss | Scheme::Tunnel => 443,
        }
    }
}

/// The form of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `host:port` (CONNECT)
    Authority,
    /// `*` (OPTIONS)
    Asterisk,
}

/// A URL or request target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// How the target was written.
    pub form: Form,
    /// The scheme; `None` when the target did not name one.
    pub scheme: Option<Scheme>,
    /// User information without the `@`; empty if none.
    pub userinfo: Bytes,
    /// The host as written (IPv6 literals with brackets); empty if none.
    pub host: Bytes,
    /// The port; 0 when the target named none.
    pub port: u16,
    /// The path without its leading slash.
    pub path: Bytes,
    /// The query without `?`; `None` differs from an empty one.
    pub query: Option<Bytes>,
    /// The fragment without `#`.
    pub fragment: Option<Bytes>,
}

/// Why a URL or target was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Empty, or a form that the method does not allow.
    #[error("request target has a form that the method does not allow")]
    Form,
    /// A scheme that the proxy does not know.
    #[error("unknown scheme")]
    Scheme,
    /// The host is empty or has bytes that no host can have.
    #[error("malformed host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("malformed port")]
    Port,
    /// A control character, space or non-ASCII byte that no target can have.
    #[error("byte that no request target can hold")]
    Byte,
}

impl Url {
    /// An origin-form target `/path`. `path` is given without its leading slash.
    pub fn origin(path: Bytes, query: Option<Bytes>) -> Url {
        let empty = Bytes::new();
        Url {
            form: Form::Origin,
            scheme: None,
            userinfo: empty.clone(),
            host: empty,
            port: 0,
            path,
            query,
            fragment: None,
        }
    }

    /// Parses the target of a request. `is_connect` selects authority form.
    pub fn parse_target(target: Bytes, is_connect: bool) -> Result<Url, UrlError> {
        if target.iter().any(|b| *b <= b' ' || *b == 0x7f) {
            return Err(UrlError::Byte);
        }
        if is_connect {
            let mut url = Url::origin(Bytes::new(), None);
            url.form = Form::Authority;
            url.set_authority(&target, 0..target.len())?;
            return if url.port == 0 || !url.userinfo.is_empty() { Err(UrlError::Port) } else { Ok(url) };
        }
        match target.first() {
            Some(b'/') => Ok(Url::with_path(target, 1)),
            Some(b'*') if target.len() == 1 => {
                let mut url = Url::origin(Bytes::new(), None);
                url.form = Form::Asterisk;
                Ok(url)
            }
            _ => Url::parse_absolute(target),
        }
    }

    /// Parses an absolute URL, `scheme://authority[/path][?query][#fragment]`.
    pub fn parse_absolute(text: Bytes) -> Result<Url, UrlError> {
        if text.iter().any(|b| *b <= b' ' || *b == 0x7f) {
            return Err(UrlError::Byte);
        }
        let colon = memchr::memchr(b':', &text).ok_or(UrlError::Form)?;
        if text.get(colon..colon + 3) != Some(b"://") {
            return Err(UrlError::Form);
        }
        let scheme = Scheme::parse(&text[..colon]).ok_or(UrlError::Scheme)?;
        let start = colon + 3;
        let end = text[start..]
            .iter()
            .position(|b| matches!(b, b'/' | b'?' | b'#'))
            .map_or(text.len(), |i| start + i);
        let path_start = if text.get(end) == Some(&b'/') { end + 1 } else { end };
        let mut url = Url::with_path(text.clone(), path_start);
        url.form = Form::Absolute;
        url.scheme = Some(scheme);
        url.set_authority(&text, start..end)?;
        Ok(url)
    }

    /// Path, query and fragment from `start` on.
    fn with_path(mut text: Bytes, start: usize) -> Url {
        let fragment = find_near(b'#', &text[start..]).map(|i| start + i);
        let end = fragment.unwrap_or(text.len());
        let query = find_near(b'?', &text[start..end]).map(|i| start + i);
        let fragment = fragment.map(|f| text.slice(f + 1..));
        let query_text = query.map(|q| text.slice(q + 1..end));
        text.truncate(query.unwrap_or(end));
        text.advance(start);
        Url { fragment, ..Url::origin(text, query_text) }
    }

    fn set_authority(&mut self, text: &Bytes, range: std::ops::Range<usize>) -> Result<(), UrlError> {
        let at = memchr::memrchr(b'@', &text[range.clone()]).map(|i| range.start + i);
        if let Some(at) = at {
            self.userinfo = text.slice(range.start..at);
        }
        let start = at.map_or(range.start, |at| at + 1);
        let (host, port) = split_host_port(&text[start..range.end])?;
        if host.is_empty() {
            return Err(UrlError::Host);
        }
        self.host = text.slice(start..start + host.len());
        self.port = port.unwrap_or(0);
        Ok(())
    }

    /// The port, the scheme's default if none was named (80 without a scheme).
    pub fn effective_port(&self) -> u16 {
        match self.port {
            0 => self.scheme.map_or(80, Scheme::default_port),
            port => port,
        }
    }

    /// Appends the target for a request line to an origin (origin form, or `*`).
    pub fn write_origin_form(&self, out: &mut Vec<u8>) {
        if self.form == Form::Asterisk {
            out.push(b'*');
            return;
        }
        out.push(b'/');
        out.extend_from_slice(&self.path);
        if let Some(query) = &self.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }

    /// Appends `host` or `host:port`, the port left out when it is the scheme's default.
    pub fn write_host_port(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.host);
        let default = self.scheme.map_or(80, Scheme::default_port);
        if self.port != 0 && self.port != default {
            out.push(b':');
            out.extend_from_slice(self.port.to_string().as_bytes());
        }
    }

    /// Appends the URL as it stands: absolute if it has a host, the target as received otherwise. User
    /// information and fragment are left out.
    pub fn write_full(&self, out: &mut Vec<u8>) {
        if self.form == Form::Authority {
            out.extend_from_slice(&self.host);
            out.push(b':');
            out.extend_from_slice(self.port.to_string().as_bytes());
            return;
        }
        if !self.host.is_empty() {
            out.extend_from_slice(self.scheme.unwrap_or(Scheme::Http).as_str().as_bytes());
            out.extend_from_slice(b"://");
            self.write_host_port(out);
        }
        self.write_origin_form(out);
    }

    /// [`Self::write_full`] as text (lossy for bytes that are not UTF-8).
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        self.write_full(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Url::parse_absolute(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// Splits `host[:port]` (RFC 9110 §4.2, RFC 3986 §3.2.2). The host may be empty, brackets stay.
pub fn split_host_port(text: &[u8]) -> Result<(&[u8], Option<u16>), UrlError> {
    let host_len = if text.first() == Some(&b'[') {
        memchr::memchr(b']', text).ok_or(UrlError::Host)? + 1
    } else {
        find_near(b':', text).unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(host_len);
    if !is_host(host) {
        return Err(UrlError::Host);
    }
    match rest {
        [] => Ok((host, None)),
        [b':'] => Ok((host, None)),
        [b':', digits @ ..] => {
            if digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
                return Err(UrlError::Port);
            }
            let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
            let port = u16::try_from(number).ok().filter(|port| *port != 0);
            port.map(|port| (host, Some(port))).ok_or(UrlError::Port)
        }
        _ => Err(UrlError::Host),
    }
}

/// reg-name, IPv4 or IPv6 in brackets (RFC 3986 §3.2.2); zones and future versions of IP are refused.
fn is_host(host: &[u8]) -> bool {
    if let [b'[', inner @ .., b']'] = host {
        return std::str::from_utf8(inner).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    }
    host.iter().all(|b| HOST_BYTES[*b as usize])
}

/// Bytes of a reg-name.
static HOST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(
                byte as u8,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> Result<Url, UrlError> {
        Url::parse_target(Bytes::copy_from_slice(text.as_bytes()), false)
    }

    #[test]
    fn the_four_forms_are_told_apart() {
        let url = target("/a/b?c=d").expect("origin form");
        assert_eq!(
            (url.form, &url.path[..], url.query.as_deref()),
            (Form::Origin, &b"a/b"[..], Some(&b"c=d"[..]))
        );
        let url = target("http://u:p@h.example:81/x#f").expect("absolute form");
        assert_eq!(
            (url.form, &url.host[..], url.port, &url.userinfo[..]),
            (Form::Absolute, &b"h.example"[..], 81, &b"u:p"[..])
        );
        assert_eq!(target("*").map(|u| u.form), Ok(Form::Asterisk));
        let url = Url::parse_target(Bytes::from_static(b"h:443"), true).expect("authority form");
        assert_eq!((url.form, url.port), (Form::Authority, 443));
    }

    #[test]
    fn malformed_targets_are_refused() {
        for text in [
            "",
            "a",
            "http:/x",
            "ftp://h/",
            "http://",
            "http:///x",
            "http://h:0/",
            "http://h:99999/",
            "http://h:1x/",
            "http://[::1/",
            "http://[]/",
            "http://[h]/",
            "http://[::1%25eth0]/",
            "http://::1/",
            "/a b",
            "**",
        ] {
            assert!(target(text).is_err(), "{text}");
        }
        for text in ["h", "h:", "u@h:1", ":1"] {
            assert!(Url::parse_target(Bytes::copy_from_slice(text.as_bytes()), true).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_without_path_is_written_with_a_slash() {
        assert_eq!(target("http://h?q").map(|u| u.to_text()), Ok("http://h/?q".to_string()));
        assert_eq!(target("http://h:80//x").map(|u| u.to_text()), Ok("http://h//x".to_string()));
        assert_eq!(target("http://[::1]:8080/").map(|u| u.to_text()), Ok("http://[::1]:8080/".to_string()));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_writing_reparses(bytes in prop::collection::vec(any::<u8>(), 0..60), connect: bool) {
            if let Ok(url) = Url::parse_target(Bytes::from(bytes), connect) {
                let mut out = Vec::new();
                url.write_full(&mut out);
                let again = Url::parse_target(Bytes::from(out), connect);
                prop_assert!(again.is_ok());
            }
        }
    }
}
