//! The URLs of remap rules.
//!
//! Responsible for: splitting a rule's URL into scheme, host, port and path, and printing it in the form that
//! plugins are given.
//! Not responsible for: which schemes a rule may have on which side (see [`super::rule`]).
//! Invariants: the host is lower case (unless it is a regular expression) and has no brackets; the path has no leading slash and no query.
//! User and password are dropped.

use std::fmt;

/// Scheme of a rule's URL: those of requests, and `file`. Crates of this level do not depend on each other: the engine
/// translates.
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
    /// `tunnel`
    Tunnel,
    /// `file`
    File,
}

impl Scheme {
    /// The scheme called `name`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        use Scheme::*;
        [Http, Https, Ws, Wss, Tunnel, File]
            .into_iter()
            .find(|scheme| name.eq_ignore_ascii_case(scheme.as_str()))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
            Scheme::Tunnel => "tunnel",
            Scheme::File => "file",
        }
    }

    /// The port if none is given; 0 if the scheme has none.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http | Scheme::Ws => 80,
            Scheme::Https | Scheme::Wss => 443,
            Scheme::Tunnel | Scheme::File => 0,
        }
    }

    pub(super) fn is_websocket(self) -> bool {
        matches!(self, Scheme::Ws | Scheme::Wss)
    }
}

/// A rule's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleUrl {
    /// Scheme; `None` if the URL names none.
    pub scheme: Option<Scheme>,
    /// Host in lower case, without brackets; the expression as written in `regex_` rules; empty if the URL has
    /// only a path.
    pub host: String,
    /// Port if the URL names one.
    pub port: Option<u16>,
    /// Path without its leading slash.
    pub path: String,
    /// Query without its question mark.
    pub query: Option<String>,
}

/// Why a text is not a rule's URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A scheme remap rules do not know.
    #[error(
        "unknown scheme in \"{0}\": only http, https, ws, wss, tunnel and (on the left) file are supported"
    )]
    Scheme(String),
    /// The port is no number from 1 to 65535.
    #[error("bad port in \"{0}\"")]
    Port(String),
    /// The host is not one.
    #[error("bad host in \"{0}\"")]
    Host(String),
}

/// How the host of a URL is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostForm {
    Name,
    Regex,
}

impl RuleUrl {
    pub(super) fn parse(text: &str, form: HostForm) -> Result<Self, UrlError> {
        let (scheme, rest) = match text.split_once("://") {
            Some((name, rest)) if !name.contains('/') => {
                let scheme = Scheme::from_name(name).ok_or_else(|| UrlError::Scheme(text.to_owned()))?;
                (Some(scheme), rest)
            }
            // ATS: `host/path` is a host and a path, `/path` is a path only.
            _ => (None, text.strip_prefix("//").unwrap_or(text)),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if scheme.is_none() && authority.ends_with(':') {
            return Err(UrlError::Port(text.to_owned()));
        }
        let (host, port) = split_port(authority).ok_or_else(|| UrlError::Port(text.to_owned()))?;
        let host = host_of(host, form).ok_or_else(|| UrlError::Host(text.to_owned()))?;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        Ok(RuleUrl { scheme, host, port, path: path.to_owned(), query })
    }

    /// The scheme, `http` if the URL names none.
    pub fn effective_scheme(&self) -> Scheme {
        self.scheme.unwrap_or(Scheme::Http)
    }

    /// The port, the scheme's default if the URL names none.
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.effective_scheme().default_port())
    }
}

impl fmt::Display for RuleUrl {
    /// The canonical form: `scheme://host[:port]/path`, with `http` if the URL names no scheme.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.effective_scheme();
        // ATS: a file URL is printed with the colon only.
        let separator = if scheme == Scheme::File { ":" } else { "://" };
        write!(f, "{}{separator}", scheme.as_str())?;
        if self.host.contains(':') && !self.host.contains(['(', '[']) {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.path)?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

/// Splits off a port: the digits after the last colon, which is where a regular expression ends too.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host = authority.trim_end_matches(|byte: char| byte.is_ascii_digit());
    let digits = &authority[host.len()..];
    let is_ipv6_tail = authority.starts_with('[') && !host.ends_with("]:");
    match host.strip_suffix(':') {
        Some(host) if !is_ipv6_tail => match digits.parse() {
            Ok(port) if port > 0 => Some((host, Some(port))),
            Err(_) if digits.is_empty() => Some((host, None)),
            _ => None,
        },
        _ => Some((authority, None)),
    }
}

fn host_of(host: &str, form: HostForm) -> Option<String> {
    if form == HostForm::Regex {
        return Some(host.to_owned());
    }
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if let Some(rest) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let is_plain = !host.contains(['[', ']', ':', '\\', '<', '>', '"', '\'', ' ']);
    is_plain.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, UrlError> {
        RuleUrl::parse(text, HostForm::Name).map(|url| url.to_string())
    }

    #[test]
    fn urls_are_printed_in_canonical_form() {
        assert_eq!(canonical("http://Example.com"), Ok("http://example.com/".into()));
        assert_eq!(canonical("HTTPS://a.b:8443/X/y"), Ok("https://a.b:8443/X/y".into()));
        assert_eq!(canonical("/foo"), Ok("http:///foo".into()));
        assert_eq!(canonical("//a.b/foo"), Ok("http://a.b/foo".into()));
        assert_eq!(canonical("http://[::1]:80/"), Ok("http://[::1]:80/".into()));
        assert_eq!(canonical("http://a.b/c?d=http://e/"), Ok("http://a.b/c?d=http://e/".into()));
        assert_eq!(canonical("a.b/c"), Ok("http://a.b/c".into()));
        assert_eq!(canonical("http://u:p@h:8/"), Ok("http://h:8/".into()));
        assert_eq!(canonical("http://a.b:/"), Ok("http://a.b/".into()));
        assert_eq!(canonical("tunnel://a.b:443"), Ok("tunnel://a.b:443/".into()));
    }

    #[test]
    fn bad_urls_are_refused() {
        for bad in [
            "gopher://a/",
            "http:/a/",
            "\"http://a/\"",
            "http://a:0/",
            "http://a:70000/",
            "http://[::1",
            "http://[x]/",
        ] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_regular_expression_ends_at_the_port_or_the_first_slash() {
        let url = RuleUrl::parse(r"http://(?:A|b)\.c[0-9]:8080/p", HostForm::Regex).expect("url");
        assert_eq!(url.host, r"(?:A|b)\.c[0-9]");
        assert_eq!(url.port, Some(8080));
        assert_eq!(url.path, "p");
    }
}
