//! Well-known header field names, interned.
//!
//! Responsible for: one table of names (canonical spelling) and the case-insensitive look-up into it.
//! Invariant: at most 127 names, so that a header block's presence set is one `u128`.

/// A well-known field name: an index into the table of this module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Known(u8);

/// A field name given by a caller: well known, or any other token.
#[derive(Clone, Copy, Debug)]
pub enum FieldName<'a> {
    /// An interned name.
    Known(Known),
    /// Any other name, in the caller's spelling.
    Other(&'a [u8]),
}

macro_rules! known_names {
    ($($id:ident = $text:literal,)+) => {
        #[repr(u8)]
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "one variant per constant below, used only to number them")]
        enum Index { $($id,)+ }
        $(#[doc = concat!("`", $text, "`")] pub const $id: Known = Known(Index::$id as u8);)+
        const TABLE: &[&str] = &[$($text,)+];
    };
}

known_names! {
    ACCEPT = "Accept", ACCEPT_CHARSET = "Accept-Charset", ACCEPT_ENCODING = "Accept-Encoding",
    ACCEPT_LANGUAGE = "Accept-Language", ACCEPT_RANGES = "Accept-Ranges", AGE = "Age", ALLOW = "Allow",
    ALT_SVC = "Alt-Svc", AUTHORIZATION = "Authorization", CACHE_CONTROL = "Cache-Control",
    CACHE_STATUS = "Cache-Status", CACHE_TAG = "Cache-Tag", CDN_CACHE_CONTROL = "CDN-Cache-Control",
    CDN_LOOP = "CDN-Loop", CLIENT_IP = "Client-ip", CONNECTION = "Connection",
    CONTENT_DISPOSITION = "Content-Disposition", CONTENT_ENCODING = "Content-Encoding",
    CONTENT_LANGUAGE = "Content-Language", CONTENT_LENGTH = "Content-Length",
    CONTENT_LOCATION = "Content-Location", CONTENT_MD5 = "Content-MD5", CONTENT_RANGE = "Content-Range",
    CONTENT_SECURITY_POLICY = "Content-Security-Policy", CONTENT_TYPE = "Content-Type", COOKIE = "Cookie",
    DATE = "Date", ETAG = "ETag", EXPECT = "Expect", EXPIRES = "Expires", FORWARDED = "Forwarded",
    FROM = "From", HOST = "Host", HTTP2_SETTINGS = "HTTP2-Settings", IF_MATCH = "If-Match",
    IF_MODIFIED_SINCE = "If-Modified-Since", IF_NONE_MATCH = "If-None-Match", IF_RANGE = "If-Range",
    IF_UNMODIFIED_SINCE = "If-Unmodified-Since", KEEP_ALIVE = "Keep-Alive", LAST_MODIFIED = "Last-Modified",
    LINK = "Link", LOCATION = "Location", MAX_FORWARDS = "Max-Forwards", MIME_VERSION = "MIME-Version",
    ORIGIN = "Origin", PRAGMA = "Pragma", PRIORITY = "Priority", PROXY_AUTHENTICATE = "Proxy-Authenticate",
    PROXY_AUTHORIZATION = "Proxy-Authorization", PROXY_CONNECTION = "Proxy-Connection", RANGE = "Range",
    REFERER = "Referer", RETRY_AFTER = "Retry-After", SEC_WEBSOCKET_ACCEPT = "Sec-WebSocket-Accept",
    SEC_WEBSOCKET_KEY = "Sec-WebSocket-Key", SEC_WEBSOCKET_PROTOCOL = "Sec-WebSocket-Protocol",
    SEC_WEBSOCKET_VERSION = "Sec-WebSocket-Version", SERVER = "Server", SET_COOKIE = "Set-Cookie",
    STRICT_TRANSPORT_SECURITY = "Strict-Transport-Security", SURROGATE_CONTROL = "Surrogate-Control",
    SURROGATE_KEY = "Surrogate-Key", TE = "TE", TRAILER = "Trailer", TRANSFER_ENCODING = "Transfer-Encoding",
    UPGRADE = "Upgrade", USER_AGENT = "User-Agent", VARY = "Vary", VIA = "Via", WARNING = "Warning",
    WWW_AUTHENTICATE = "WWW-Authenticate", X_FORWARDED_FOR = "X-Forwarded-For",
    X_FORWARDED_HOST = "X-Forwarded-Host", X_FORWARDED_PROTO = "X-Forwarded-Proto", X_ID = "X-ID",
    X_REQUESTED_WITH = "X-Requested-With",
}

/// A number that is another one for (almost) every other table of names: whoever keeps [`Known`]s longer than the program
/// runs tells by it whether they still mean the same.
pub const FINGERPRINT: u64 = {
    // FNV-1a; a zero byte ends each name.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut i = 0;
    while i < TABLE.len() {
        let name = TABLE[i].as_bytes();
        let mut at = 0;
        while at <= name.len() {
            let byte = if at < name.len() { name[at] } else { 0 };
            hash = (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        i += 1;
    }
    hash
};

const BUCKETS: usize = 512;
const NONE: u8 = u8::MAX;

/// Hash of a name without regard to ASCII case: length, first and last two bytes. With this factor no two names of the
/// table meet.
const fn bucket(name: &[u8]) -> usize {
    match name {
        [first, second, ..] => {
            let len = name.len();
            let ends = u32::from_le_bytes([*first, *second, name[len - 2], name[len - 1]]) | 0x2020_2020;
            ((ends ^ (len as u32) << 9).wrapping_mul(0x665d_7435) >> (u32::BITS - BUCKETS.ilog2())) as usize
        }
        _ => 0,
    }
}

/// Open addressing, filled at compile time; the look-up below follows the same probes.
const fn build() -> [u8; BUCKETS] {
    let mut table = [NONE; BUCKETS];
    let mut i = 0;
    while i < TABLE.len() {
        let mut at = bucket(TABLE[i].as_bytes());
        while table[at] != NONE {
            at = (at + 1) % BUCKETS;
        }
        table[at] = i as u8;
        i += 1;
    }
    table
}

static LOOKUP: [u8; BUCKETS] = build();
const _: () = assert!(TABLE.len() < 128, "the presence set is a u128");

impl Known {
    /// The canonical spelling.
    pub const fn as_str(self) -> &'static str {
        TABLE[self.0 as usize]
    }

    /// The interned name for `name`, without regard to case.
    #[inline]
    pub fn lookup(name: &[u8]) -> Option<Known> {
        let mut at = bucket(name);
        loop {
            let index = LOOKUP[at];
            if index == NONE {
                return None;
            }
            let known = TABLE[index as usize].as_bytes();
            // Most senders use the canonical spelling: one comparison of memory.
            if known == name || known.eq_ignore_ascii_case(name) {
                return Some(Known(index));
            }
            at = (at + 1) % BUCKETS;
        }
    }

    /// All names of the table.
    pub fn all() -> impl Iterator<Item = Known> {
        (0..TABLE.len()).map(|i| Known(i as u8))
    }

    #[inline]
    pub(crate) fn bit(self) -> u128 {
        1 << self.0
    }

    /// Its number in this program; 255 is none.
    #[inline]
    pub fn index(self) -> u8 {
        self.0
    }

    /// The name with that number.
    #[inline]
    pub const fn from_index(index: u8) -> Option<Known> {
        if (index as usize) < TABLE.len() { Some(Known(index)) } else { None }
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> FieldName<'a> {
    /// Classifies `name`.
    pub fn of(name: &'a [u8]) -> Self {
        match Known::lookup(name) {
            Some(known) => FieldName::Known(known),
            None => FieldName::Other(name),
        }
    }

    /// The name's bytes (canonical spelling for a well-known name).
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            FieldName::Known(known) => known.as_str().as_bytes(),
            FieldName::Other(name) => name,
        }
    }
}

impl From<Known> for FieldName<'_> {
    fn from(known: Known) -> Self {
        FieldName::Known(known)
    }
}

impl<'a> From<&'a str> for FieldName<'a> {
    fn from(name: &'a str) -> Self {
        FieldName::of(name.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for FieldName<'a> {
    fn from(name: &'a [u8]) -> Self {
        FieldName::of(name)
    }
}

impl<'a> From<&'a String> for FieldName<'a> {
    fn from(name: &'a String) -> Self {
        FieldName::of(name.as_bytes())
    }
}

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[byte as usize]
}

static TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_token_char(byte as u8);
        byte += 1;
    }
    table
};

const fn is_token_char(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'z' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z')
}

/// Whether `bytes` is a token (RFC 9110 §5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| is_token_byte(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for known in Known::all() {
            let name = known.as_str();
            assert_eq!(Known::lookup(name.as_bytes()), Some(known));
            assert_eq!(Known::lookup(name.to_ascii_uppercase().as_bytes()), Some(known));
            assert_eq!(Known::lookup(name.to_ascii_lowercase().as_bytes()), Some(known));
        }
    }

    #[test]
    fn other_names_are_not_found() {
        for name in ["", "X", "Hosts", "X-Tollgate", "Content_Length", "Content-Lengt", "@Internal"] {
            assert_eq!(Known::lookup(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn no_two_names_meet() {
        let mut buckets: Vec<usize> = Known::all().map(|known| bucket(known.as_str().as_bytes())).collect();
        buckets.sort_unstable();
        buckets.dedup();
        assert_eq!(buckets.len(), Known::all().count());
    }

    #[test]
    fn token_bytes_are_those_of_the_standard() {
        let allowed: Vec<u8> = (0..=255).filter(|b| is_token_byte(*b)).collect();
        let standard = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut standard = standard.to_vec();
        standard.sort_unstable();
        assert_eq!(allowed, standard);
    }
}
