//! The `Cache-Status` member of this cache (RFC 9211).
//!
//! Responsible for: the text. Not responsible for: appending it to the response's header.

use std::fmt::Write;
use tollgate_obs::outcome::CacheOutcome;

use tollgate_obs::tokens;

tokens! {
    /// Why a request went on to the origin: the values of `fwd`.
    Forward {
        /// The cache was told not to be used.
        Bypass = "bypass",
        /// The method is not answered from the cache.
        Method = "method",
        /// Nothing is stored under the key.
        UriMiss = "uri-miss",
        /// Something is stored, but not for this request's selecting fields.
        VaryMiss = "vary-miss",
        /// Nothing usable, cause not known.
        Miss = "miss",
        /// A fresh object was there, but the request wanted the origin's word.
        Request = "request",
        /// A stale object was there.
        Stale = "stale",
        /// Part of the object is missing.
        Partial = "partial",
    }
}

/// What is told beside the outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatusDetails<'a> {
    /// Why the request went to the origin; by default what the outcome suggests.
    pub forward: Option<Forward>,
    /// The origin's status, if it differs from the one sent.
    pub forward_status: Option<u16>,
    /// The response was stored.
    pub stored: bool,
    /// Another transaction's fetch was shared.
    pub collapsed: bool,
    /// Remaining lifetime, seconds; negative when stale.
    pub ttl: Option<i64>,
    /// A token such as a [`crate::CacheReason`]; other bytes are quoted.
    pub detail: Option<&'a str>,
}

/// The member for a response with this outcome, written by the cache called `identity`.
pub fn cache_status(identity: &str, outcome: CacheOutcome, details: &CacheStatusDetails<'_>) -> String {
    let mut text = String::with_capacity(64);
    push_item(&mut text, identity);
    let is_hit = matches!(
        outcome,
        CacheOutcome::Hit | CacheOutcome::StaleWhileRevalidate | CacheOutcome::StaleOnError
    );
    match details.forward.or(default_forward(outcome)) {
        // RFC 9211 §2.1, §2.2: `hit` and `fwd` exclude each other.
        Some(forward) if !is_hit => push(&mut text, format_args!("; fwd={forward}")),
        _ if is_hit => text.push_str("; hit"),
        _ => {}
    }
    if let Some(status) = details.forward_status.filter(|_| !is_hit) {
        push(&mut text, format_args!("; fwd-status={status}"));
    }
    if details.stored {
        text.push_str("; stored");
    }
    if details.collapsed || outcome == CacheOutcome::Collapsed {
        text.push_str("; collapsed");
    }
    if let Some(ttl) = details.ttl {
        push(&mut text, format_args!("; ttl={ttl}"));
    }
    if let Some(detail) = details.detail {
        text.push_str("; detail=");
        push_item(&mut text, detail);
    }
    text
}

fn default_forward(outcome: CacheOutcome) -> Option<Forward> {
    match outcome {
        CacheOutcome::Skipped => Some(Forward::Bypass),
        CacheOutcome::Miss | CacheOutcome::Collapsed => Some(Forward::UriMiss),
        CacheOutcome::Revalidated | CacheOutcome::Refreshed => Some(Forward::Stale),
        CacheOutcome::Hit
        | CacheOutcome::StaleOnError
        | CacheOutcome::StaleWhileRevalidate
        | CacheOutcome::OnlyIfCachedMiss => None,
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

/// A structured-field token where possible, else a quoted string (RFC 8941 §3.3).
fn push_item(text: &mut String, item: &str) {
    let is_token = item.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*')
        && item.bytes().all(|b| matches!(b, b':' | b'/') || tollgate_http::names::is_token_byte(b));
    if is_token {
        return text.push_str(item);
    }
    text.push('"');
    for c in item.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(outcome: CacheOutcome, details: CacheStatusDetails<'_>) -> String {
        cache_status("Tollgate", outcome, &details)
    }

    #[test]
    fn hits_and_forwards_are_told_apart() {
        let none = CacheStatusDetails::default();
        for (outcome, expected) in [
            (CacheOutcome::Skipped, "Tollgate; fwd=bypass"),
            (CacheOutcome::Miss, "Tollgate; fwd=uri-miss"),
            (CacheOutcome::Hit, "Tollgate; hit"),
            (CacheOutcome::Revalidated, "Tollgate; fwd=stale"),
            (CacheOutcome::Refreshed, "Tollgate; fwd=stale"),
            (CacheOutcome::StaleOnError, "Tollgate; hit"),
            (CacheOutcome::StaleWhileRevalidate, "Tollgate; hit"),
            (CacheOutcome::Collapsed, "Tollgate; fwd=uri-miss; collapsed"),
            (CacheOutcome::OnlyIfCachedMiss, "Tollgate"),
        ] {
            assert_eq!(member(outcome, none), expected);
        }
    }

    #[test]
    fn details_follow_in_the_order_of_the_standard() {
        let details = CacheStatusDetails {
            forward: Some(Forward::VaryMiss),
            forward_status: Some(200),
            stored: true,
            collapsed: true,
            ttl: Some(-3),
            detail: Some("no_store"),
        };
        assert_eq!(
            member(CacheOutcome::Miss, details),
            "Tollgate; fwd=vary-miss; fwd-status=200; stored; collapsed; ttl=-3; detail=no_store"
        );
        assert_eq!(
            member(CacheOutcome::Hit, CacheStatusDetails { ttl: Some(30), ..details }),
            "Tollgate; hit; stored; collapsed; ttl=30; detail=no_store"
        );
    }

    #[test]
    fn what_is_no_token_is_quoted() {
        let details = CacheStatusDetails { detail: Some("a \"b\"\\\n"), ..CacheStatusDetails::default() };
        assert_eq!(
            cache_status("my cache", CacheOutcome::Hit, &details),
            r#""my cache"; hit; detail="a \"b\"\\""#
        );
    }
}
