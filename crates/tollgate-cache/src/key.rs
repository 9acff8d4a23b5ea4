//! The cache key: scheme, host, port, path and query of the URL that is looked up, and a generation number.
//!
//! Responsible for: one compact byte string per URL with its hash, cheap to build (one allocation) and to clone.
//! Not responsible for: which URL that is (after remapping, or set by a plugin), alternates (`vary`).
//! Invariants: two keys are equal only if all their bytes are; the hash is seeded per process, so it must never
//! be written to disk or sent anywhere.

use smallvec::SmallVec;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use tollgate_http::{Scheme, Url};

/// Bytes in front of the host: scheme (1), port (2), generation (8).
const PREFIX_BYTES: usize = 11;
/// The ones of them that belong to the origin: scheme and port.
const ORIGIN_PREFIX_BYTES: usize = 3;

fn hash_of(bytes: &[u8]) -> u64 {
    static SEED: OnceLock<foldhash::fast::RandomState> = OnceLock::new();
    SEED.get_or_init(foldhash::fast::RandomState::default).hash_one(bytes)
}

/// Identifies an object with all its alternates.
#[derive(Clone)]
pub struct CacheKey {
    bytes: Arc<[u8]>,
    hash: u64,
}

impl CacheKey {
    /// The key of `url`. The host counts without regard to case, a missing port as the scheme's default, a
    /// missing scheme as `http`; user information and fragment do not count. A different `generation` (record
    /// `proxy.config.http.cache.generation`) makes every older object unreachable.
    pub fn for_url(url: &Url, generation: i64) -> CacheKey {
        let query_bytes = url.query.as_ref().map_or(0, |q| q.len() + 1);
        let len = PREFIX_BYTES + url.host.len() + 1 + url.path.len() + query_bytes;
        let mut short = [0; 256];
        let mut long = Vec::new();
        let bytes = match short.get_mut(..len) {
            Some(bytes) => bytes,
            None => {
                long.resize(len, 0);
                &mut long[..]
            }
        };
        bytes[0] = scheme_number(url.scheme.unwrap_or(Scheme::Http));
        bytes[1..ORIGIN_PREFIX_BYTES].copy_from_slice(&url.effective_port().to_be_bytes());
        bytes[ORIGIN_PREFIX_BYTES..PREFIX_BYTES].copy_from_slice(&generation.to_be_bytes());
        let (host, rest) = bytes[PREFIX_BYTES..].split_at_mut(url.host.len());
        host.copy_from_slice(&url.host);
        host.make_ascii_lowercase();
        let (path, rest) = rest.split_at_mut(1 + url.path.len());
        path[0] = b'/';
        path[1..].copy_from_slice(&url.path);
        if let (Some((mark, text)), Some(query)) = (rest.split_first_mut(), &url.query) {
            *mark = b'?';
            text.copy_from_slice(query);
        }
        CacheKey::of_bytes(bytes)
    }

    /// The key under which only requests of one variant are collapsed; see [`crate::vary::variant_hash`].
    pub fn for_variant(&self, variant: u64) -> CacheKey {
        let mut bytes = SmallVec::<[u8; 256]>::from_slice(&self.bytes);
        bytes.push(0);
        bytes.extend_from_slice(&variant.to_be_bytes());
        CacheKey::of_bytes(&bytes)
    }

    /// The key under which only requests for the same missing bytes of a partly stored object are collapsed.
    pub fn for_gap(&self, missing: &std::ops::Range<u64>, validator: &[u8]) -> CacheKey {
        let mut bytes = SmallVec::<[u8; 256]>::from_slice(&self.bytes);
        bytes.push(1);
        bytes.extend_from_slice(&missing.start.to_be_bytes());
        bytes.extend_from_slice(&missing.end.to_be_bytes());
        bytes.extend_from_slice(validator);
        CacheKey::of_bytes(&bytes)
    }

    /// A key whose hash collides with whatever the test likes.
    #[cfg(test)]
    pub(crate) fn with_hash(bytes: &[u8], hash: u64) -> CacheKey {
        CacheKey { bytes: Arc::from(bytes), hash }
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> CacheKey {
        CacheKey { bytes: Arc::from(bytes), hash: hash_of(bytes) }
    }

    /// The hash, for tables of this process only.
    pub fn hash64(&self) -> u64 {
        self.hash
    }

    /// The key's bytes: what equality compares.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The host, in lower case.
    pub fn host(&self) -> &[u8] {
        let rest = self.bytes.get(PREFIX_BYTES..).unwrap_or_default();
        rest.split(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// Bytes this key holds on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len() + 2 * size_of::<usize>()
    }

    /// Scheme, port and host: what cache groups (RFC 9875) belong to.
    pub fn origin(&self) -> SmallVec<[u8; 64]> {
        let (prefix, rest) = self.bytes.split_at(self.bytes.len().min(PREFIX_BYTES));
        let host_len = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        let mut origin = SmallVec::from_slice(&prefix[..prefix.len().min(ORIGIN_PREFIX_BYTES)]);
        origin.extend_from_slice(&rest[..host_len]);
        origin
    }

    /// Whether the key's URL begins as that of the key with these bytes; generations do not count.
    pub fn begins_with(&self, other: &[u8]) -> bool {
        match (self.bytes.split_at_checked(PREFIX_BYTES), other.split_at_checked(PREFIX_BYTES)) {
            (Some((own, rest)), Some((prefix, start))) => {
                own[..ORIGIN_PREFIX_BYTES] == prefix[..ORIGIN_PREFIX_BYTES] && rest.starts_with(start)
            }
            _ => false,
        }
    }

    /// Appends the key's URL without its generation: as in requests, the usual port left out.
    pub fn write_url(&self, out: &mut Vec<u8>) {
        let Some((prefix, rest)) = self.bytes.split_at_checked(PREFIX_BYTES) else { return };
        let host_len = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        let port = u16::from_be_bytes([prefix[1], prefix[2]]);
        let scheme = SCHEMES.get(prefix[0] as usize);
        out.extend_from_slice(scheme.map_or("?", |s| s.as_str()).as_bytes());
        out.extend_from_slice(b"://");
        out.extend_from_slice(&rest[..host_len]);
        if scheme.is_none_or(|scheme| scheme.default_port() != port) {
            out.extend_from_slice(format!(":{port}").as_bytes());
        }
        out.extend_from_slice(&rest[host_len..]);
    }

    /// The key as a URL, for logs and `explain`; the generation follows as `#generation` unless it is -1.
    pub fn to_text(&self) -> String {
        CacheKey::bytes_to_text(&self.bytes)
    }

    /// The same for the bytes of a key.
    pub fn bytes_to_text(bytes: &[u8]) -> String {
        let Some((prefix, rest)) = bytes.split_at_checked(PREFIX_BYTES) else { return String::new() };
        let scheme = SCHEMES.get(prefix[0] as usize).map_or("?", |s| s.as_str());
        let port = u16::from_be_bytes([prefix[1], prefix[2]]);
        let host_len = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(host_len);
        let text = format!("{scheme}://{}:{port}{}", host.escape_ascii(), path.escape_ascii());
        match prefix[3..].try_into().map(i64::from_be_bytes) {
            Ok(generation) if generation != -1 => format!("{text}#{generation}"),
            _ => text,
        }
    }
}

const SCHEMES: [Scheme; 5] = [Scheme::Http, Scheme::Https, Scheme::Ws, Scheme::Wss, Scheme::Tunnel];

fn scheme_number(scheme: Scheme) -> u8 {
    match scheme {
        Scheme::Http => 0,
        Scheme::Https => 1,
        Scheme::Ws => 2,
        Scheme::Wss => 3,
        Scheme::Tunnel => 4,
    }
}

impl PartialEq for CacheKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.bytes, &other.bytes) || self.bytes == other.bytes)
    }
}

impl Eq for CacheKey {}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl std::fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_text())
    }
}
