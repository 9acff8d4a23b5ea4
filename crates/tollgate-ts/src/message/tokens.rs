//! Well-known strings with one address each: field names, methods, schemes and values.
//!
//! Responsible for: Traffic Server's table of tokens, the look-up into it without regard to case, and which field
//! names take comma-separated lists.
//! Not responsible for: the engine's own table of names (`tollgate_http::names`), which has other spellings.
//! Invariant: every string lies in one static, so that its address is the same wherever it is asked for; plugins
//! compare these addresses.

/// A well-known string: an index into the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Token(u8);

/// What a token may be used as, beside being a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Nothing special; as a field name it does not take lists.
    Plain,
    /// A field whose value is a comma-separated list.
    List,
    Scheme,
    Method,
}
use Use::{List, Method, Plain, Scheme};

const TABLE: &[(&str, Use)] = &[
    ("Accept-Charset", List),
    ("Accept-Encoding", List),
    ("Accept-Language", List),
    ("Accept-Ranges", List),
    ("Accept", List),
    ("Age", Plain),
    ("Allow", List),
    ("Approved", Plain),
    ("Authorization", Plain),
    ("Bytes", Plain),
    ("Cache-Control", List),
    ("Client-ip", Plain),
    ("Connection", List),
    ("Content-Base", Plain),
    ("Content-Encoding", List),
    ("Content-Language", List),
    ("Content-Length", Plain),
    ("Content-Location", Plain),
    ("Content-MD5", Plain),
    ("Content-Range", Plain),
    ("Content-Type", Plain),
    ("Control", Plain),
    ("Cookie", Plain),
    ("Date", Plain),
    ("Distribution", Plain),
    ("Etag", Plain),
    ("Expect", Plain),
    ("Expires", Plain),
    ("Followup-To", Plain),
    ("From", Plain),
    ("Host", Plain),
    ("If-Match", List),
    ("If-Modified-Since", Plain),
    ("If-None-Match", List),
    ("If-Range", Plain),
    ("If-Unmodified-Since", Plain),
    ("Keep-Alive", Plain),
    ("Keywords", Plain),
    ("Last-Modified", Plain),
    ("Lines", Plain),
    ("Location", Plain),
    ("Max-Forwards", Plain),
    ("Message-ID", Plain),
    ("MIME-Version", Plain),
    ("Newsgroups", Plain),
    ("Organization", Plain),
    ("Path", Plain),
    ("Pragma", List),
    ("Proxy-Authenticate", Plain),
    ("Proxy-Authorization", Plain),
    ("Proxy-Connection", List),
    ("Public", List),
    ("Range", List),
    ("References", Plain),
    ("Referer", Plain),
    ("Reply-To", Plain),
    ("Retry-After", Plain),
    ("Sender", Plain),
    ("Server", Plain),
    ("Set-Cookie", Plain),
    ("Subject", Plain),
    ("Summary", Plain),
    ("Transfer-Encoding", List),
    ("Upgrade", List),
    ("User-Agent", Plain),
    ("Vary", List),
    ("Via", List),
    ("Warning", List),
    ("Www-Authenticate", Plain),
    ("Xref", Plain),
    ("@Ats-Internal", Plain),
    ("compress", Plain),
    ("deflate", Plain),
    ("gzip", Plain),
    ("identity", Plain),
    ("br", Plain),
    ("max-age", Plain),
    ("max-stale", Plain),
    ("min-fresh", Plain),
    ("must-revalidate", Plain),
    ("no-cache", Plain),
    ("no-store", Plain),
    ("no-transform", Plain),
    ("only-if-cached", Plain),
    ("private", Plain),
    ("proxy-revalidate", Plain),
    ("s-maxage", Plain),
    ("need-revalidate-once", Plain),
    ("none", Plain),
    ("chunked", Plain),
    ("close", Plain),
    ("websocket", Plain),
    ("Sec-WebSocket-Key", Plain),
    ("Sec-WebSocket-Version", Plain),
    ("h2c", Plain),
    ("HTTP2-Settings", Plain),
    ("file", Scheme),
    ("ftp", Scheme),
    ("gopher", Scheme),
    ("https", Scheme),
    ("http", Scheme),
    ("mailto", Scheme),
    ("news", Scheme),
    ("nntp", Scheme),
    ("prospero", Scheme),
    ("telnet", Scheme),
    ("tunnel", Scheme),
    ("wais", Scheme),
    ("pnm", Scheme),
    ("rtspu", Scheme),
    ("rtsp", Scheme),
    ("mmsu", Scheme),
    ("mmst", Scheme),
    ("mms", Scheme),
    ("wss", Scheme),
    ("ws", Scheme),
    ("CONNECT", Method),
    ("DELETE", Method),
    ("GET", Method),
    ("POST", Method),
    ("HEAD", Method),
    ("OPTIONS", Method),
    ("PURGE", Method),
    ("PUT", Method),
    ("TRACE", Method),
    ("PUSH", Method),
    ("X-ID", List),
    ("X-Forwarded-For", List),
    ("TE", List),
    ("Strict-Transport-Security", Plain),
    ("100-continue", Plain),
    ("Forwarded", List),
    ("Early-Data", Plain),
];

const COUNT: usize = TABLE.len();
const _: () = assert!(COUNT < NONE as usize, "a token is a byte");

const fn heap_bytes() -> usize {
    let (mut i, mut total) = (0, 0);
    while i < COUNT {
        total += TABLE[i].0.len() + 1;
        i += 1;
    }
    total
}

const fn starts() -> [u16; COUNT] {
    let mut out = [0; COUNT];
    let (mut i, mut at) = (0, 0);
    while i < COUNT {
        out[i] = at;
        at += TABLE[i].0.len() as u16 + 1;
        i += 1;
    }
    out
}

const fn fill() -> [u8; heap_bytes()] {
    let mut out = [0; heap_bytes()];
    let mut i = 0;
    while i < COUNT {
        let text = TABLE[i].0.as_bytes();
        let mut k = 0;
        while k < text.len() {
            out[STARTS[i] as usize + k] = text[k];
            k += 1;
        }
        i += 1;
    }
    out
}

const STARTS: [u16; COUNT] = starts();
static HEAP: [u8; heap_bytes()] = fill();

const BUCKETS: usize = 1024;
const NONE: u8 = u8::MAX;

/// Hash without regard to ASCII case: length, first, middle and last two bytes.
const fn bucket(text: &[u8]) -> usize {
    let len = text.len();
    if len < 2 {
        return 0;
    }
    let first = (text[0] | 0x20) as usize;
    let middle = (text[len / 2] | 0x20) as usize;
    let last = (text[len - 1] | 0x20) as usize;
    let near = (text[len - 2] | 0x20) as usize;
    ((len * 151) ^ (first * 7) ^ (middle * 31) ^ (last * 113) ^ (near * 257)) % BUCKETS
}

/// Open addressing, filled at compile time.
const fn build() -> [u8; BUCKETS] {
    let mut out = [NONE; BUCKETS];
    let mut i = 0;
    while i < COUNT {
        let mut at = bucket(TABLE[i].0.as_bytes());
        while out[at] != NONE {
            at = (at + 1) % BUCKETS;
        }
        out[at] = i as u8;
        i += 1;
    }
    out
}

static LOOKUP: [u8; BUCKETS] = build();

impl Token {
    /// The first token of the table, which a new request names as its method (ATS).
    pub const FIRST: Token = Token(0);

    /// The token for `text`, without regard to case.
    pub fn lookup(text: &[u8]) -> Option<Token> {
        let mut at = bucket(text);
        loop {
            let index = LOOKUP[at];
            if index == NONE {
                return None;
            }
            let known = TABLE[index as usize].0.as_bytes();
            if known == text || known.eq_ignore_ascii_case(text) {
                return Some(Token(index));
            }
            at = (at + 1) % BUCKETS;
        }
    }

    /// The token for exactly this method name: methods are case-sensitive.
    pub fn method(text: &[u8]) -> Option<Token> {
        Token::lookup(text).filter(|t| TABLE[t.0 as usize].1 == Method && t.text().as_bytes() == text)
    }

    /// The spelling of the table.
    pub fn text(self) -> &'static str {
        TABLE[self.0 as usize].0
    }

    /// Whether a field of this name takes a comma-separated list.
    pub fn takes_list(self) -> bool {
        TABLE[self.0 as usize].1 == List
    }

    /// Whether it is the name of a scheme.
    pub fn is_scheme(self) -> bool {
        TABLE[self.0 as usize].1 == Scheme
    }
}

/// The token spelled so (without regard to case), at compile time.
///
/// # Panics
/// At compile time, if there is none.
pub const fn constant(text: &str) -> Token {
    let mut i = 0;
    while i < COUNT {
        if TABLE[i].0.as_bytes().eq_ignore_ascii_case(text.as_bytes()) {
            return Token(i as u8);
        }
        i += 1;
    }
    panic!("no such token")
}

/// Address of the token's string, which ends with NUL.
pub const fn address(token: Token) -> *const u8 {
    (&raw const HEAP).cast::<u8>().wrapping_add(STARTS[token.0 as usize] as usize)
}

/// Length of the token's string.
pub const fn length(token: Token) -> usize {
    TABLE[token.0 as usize].0.len()
}

/// All strings.
pub(super) fn heap() -> &'static [u8] {
    &HEAP
}

/// Where in [`heap`] a token stands: start and length.
pub(super) fn place(token: Token) -> (u32, u32) {
    (STARTS[token.0 as usize].into(), length(token) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_found_whatever_its_case() {
        for (text, _) in TABLE {
            let token = Token::lookup(text.to_ascii_uppercase().as_bytes());
            assert_eq!(token.map(Token::text), Some(*text));
            assert_eq!(token, Some(constant(text)));
            let (start, len) = place(constant(text));
            assert_eq!(&heap()[start as usize..(start + len) as usize], text.as_bytes());
            assert_eq!(heap()[(start + len) as usize], 0);
        }
        assert_eq!(Token::lookup(b""), None);
        assert_eq!(Token::lookup(b"X-Unknown"), None);
    }

    #[test]
    fn methods_are_case_sensitive() {
        assert!(Token::method(b"GET").is_some());
        assert!(Token::method(b"get").is_none() && Token::method(b"Host").is_none());
    }
}
