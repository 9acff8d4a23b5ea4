//! `Cache-Control` and `Pragma`, parsed in one pass without allocation (RFC 9111 §5.2, §5.4).
//!
//! Responsible for: the directives that a shared cache obeys, over all field lines, quoted strings honoured;
//! the choice between `Cache-Control` and a targeted field (RFC 9213).
//! Not responsible for: what the directives lead to (`rules`).
//! Invariants: no input panics; a response lifetime that is malformed counts as 0 (RFC 9111 §4.2.1 encourages
//! treating it as stale), a malformed request or extension value as absent; the first of duplicates counts.

use crate::targeted;
use tollgate_http::{HeaderBlock, names};

/// The largest delta-seconds value: anything greater counts as this (RFC 9111 §1.2.2).
pub const MAX_DELTA_SECONDS: u32 = 1 << 31;

/// The directives of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseControl {
    /// `no-store`
    pub no_store: bool,
    /// `no-cache`; with field names it counts as without, as RFC 9111 §5.2.2.4 expects of most caches.
    pub no_cache: bool,
    /// `private`; with field names it counts as without.
    pub private: bool,
    /// `public`
    pub public: bool,
    /// `must-revalidate`
    pub must_revalidate: bool,
    /// `proxy-revalidate`
    pub proxy_revalidate: bool,
    /// `must-understand`
    pub must_understand: bool,
    /// `immutable` (RFC 8246)
    pub immutable: bool,
    /// `no-transform`
    pub no_transform: bool,
    /// The directives come from a targeted field, so `Cache-Control` and `Expires` play no part (RFC 9213 §2.2).
    pub targeted: bool,
    /// `max-age`, seconds; 0 if malformed.
    pub max_age: Option<u32>,
    /// `s-maxage`, seconds; 0 if malformed.
    pub s_maxage: Option<u32>,
    /// `stale-while-revalidate`, seconds (RFC 5861 §3).
    pub stale_while_revalidate: Option<u32>,
    /// `stale-if-error`, seconds (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
}

impl ResponseControl {
    /// The directives that apply to this cache: those of `CDN-Cache-Control` if it is there and usable, otherwise
    /// those of `Cache-Control`.
    pub fn parse(headers: &HeaderBlock) -> ResponseControl {
        if headers.has(names::CDN_CACHE_CONTROL)
            && let Some(control) = targeted::parse(headers.get_all(names::CDN_CACHE_CONTROL))
        {
            return control;
        }
        let mut control = ResponseControl::default();
        if headers.has(names::CACHE_CONTROL) {
            for member in headers.list(names::CACHE_CONTROL) {
                control.add(Directive::of(member));
            }
        }
        control
    }

    fn add(&mut self, directive: Directive<'_>) {
        let lifetime = |slot: &mut Option<u32>| {
            slot.get_or_insert(directive.seconds().unwrap_or(0));
        };
        match directive.lower_name(&mut [0; LONGEST_NAME]) {
            b"max-age" => lifetime(&mut self.max_age),
            b"s-maxage" => lifetime(&mut self.s_maxage),
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"immutable" => self.immutable = true,
            b"no-transform" => self.no_transform = true,
            b"stale-while-revalidate" => keep_first(&mut self.stale_while_revalidate, directive.seconds()),
            b"stale-if-error" => keep_first(&mut self.stale_if_error, directive.seconds()),
            _ => {}
        }
    }
}

/// The directives of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// `no-cache`, or `Pragma: no-cache` without any `Cache-Control` (RFC 9111 §5.4).
    pub no_cache: bool,
    /// `no-store`
    pub no_store: bool,
    /// `only-if-cached`
    pub only_if_cached: bool,
    /// `no-transform`
    pub no_transform: bool,
    /// `max-age`, seconds.
    pub max_age: Option<u32>,
    /// `min-fresh`, seconds.
    pub min_fresh: Option<u32>,
    /// `max-stale`, seconds; `u32::MAX` when it stands without a value.
    pub max_stale: Option<u32>,
    /// `stale-if-error`, seconds (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
}

impl RequestControl {
    /// The directives of a request's header.
    pub fn parse(headers: &HeaderBlock) -> RequestControl {
        let mut control = RequestControl::default();
        if headers.has(names::CACHE_CONTROL) {
            for member in headers.list(names::CACHE_CONTROL) {
                control.add(Directive::of(member));
            }
        } else if headers.has(names::PRAGMA) {
            control.no_cache =
                headers.list(names::PRAGMA).any(|m| Directive::of(m).name.eq_ignore_ascii_case(b"no-cache"));
        }
        control
    }

    fn add(&mut self, directive: Directive<'_>) {
        match directive.lower_name(&mut [0; LONGEST_NAME]) {
            b"no-cache" => self.no_cache = true,
            b"no-store" => self.no_store = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"no-transform" => self.no_transform = true,
            b"max-age" => keep_first(&mut self.max_age, directive.seconds()),
            b"min-fresh" => keep_first(&mut self.min_fresh, directive.seconds()),
            b"max-stale" if directive.value.is_none() => keep_first(&mut self.max_stale, Some(u32::MAX)),
            b"max-stale" => keep_first(&mut self.max_stale, directive.seconds()),
            b"stale-if-error" => keep_first(&mut self.stale_if_error, directive.seconds()),
            _ => {}
        }
    }
}

fn keep_first(slot: &mut Option<u32>, value: Option<u32>) {
    *slot = slot.or(value);
}

/// Length of `stale-while-revalidate`, the longest name known here.
const LONGEST_NAME: usize = 22;

/// One `name[=value]` member.
struct Directive<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

impl<'a> Directive<'a> {
    fn of(member: &'a [u8]) -> Self {
        match member.iter().position(|b| *b == b'=') {
            Some(at) => {
                let name = member[..at].trim_ascii_end();
                // White space before `=` is not allowed: the name is still recognised, the value is malformed.
                let value = if name.len() == at { &member[at + 1..] } else { &[] };
                Directive { name, value: Some(value) }
            }
            None => Directive { name: member, value: None },
        }
    }

    /// The name in lower case, in `buffer`; empty if it is too long to be a known one.
    fn lower_name<'b>(&self, buffer: &'b mut [u8; LONGEST_NAME]) -> &'b [u8] {
        let Some(lower) = buffer.get_mut(..self.name.len()) else { return &[] };
        lower.copy_from_slice(self.name);
        lower.make_ascii_lowercase();
        lower
    }

    fn seconds(&self) -> Option<u32> {
        let value = self.value?;
        // RFC 9111 §5.2: both the token and the quoted-string form are accepted.
        let bare = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        parse_delta_seconds(bare)
    }
}

/// Delta-seconds: digits only, clamped to [`MAX_DELTA_SECONDS`] (RFC 9111 §1.2.2).
pub fn parse_delta_seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = text
        .iter()
        .fold(0u32, |n, b| n.saturating_mul(10).saturating_add(u32::from(b - b'0')).min(MAX_DELTA_SECONDS));
    Some(value)
}
