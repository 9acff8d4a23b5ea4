//! What plugins know and decide about caching.

use super::{change, get, with};
use crate::fence::{Misuse, fence};
use crate::message::messages;
use crate::slots::{Handle, number};
use bytes::Bytes;
use std::ffi::{c_char, c_int};
use tollgate_http::Url;
use tollgate_plugin::{CacheLookup, TransactionHook};

fn bytes_of(text: *const c_char, length: c_int) -> Result<Vec<u8>, Misuse> {
    if text.is_null() {
        return Err(Misuse::Null);
    }
    let length = match usize::try_from(length) {
        Ok(length) => length,
        // SAFETY: without a length the interface asks for a text that ends with NUL.
        Err(_) => unsafe { libc::strlen(text) },
    };
    // SAFETY: the interface asks for that many readable bytes.
    Ok(unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) }.to_vec())
}

/// A URL from C, absolute.
pub(super) fn url_of(text: *const c_char, length: c_int) -> Result<Option<Url>, Misuse> {
    Ok(Url::parse_absolute(Bytes::from(bytes_of(text, length)?)).ok())
}

/// A URL that makes a cache key: any text will do. ATS: cachekey's begin with a slash.
fn key_url(text: *const c_char, length: c_int) -> Result<Option<Url>, Misuse> {
    let text = Bytes::from(bytes_of(text, length)?);
    if let Ok(url) = Url::parse_absolute(text.clone()) {
        return Ok(Some(url));
    }
    let target = if text.starts_with(b"/") { text } else { [b"/", &text[..]].concat().into() };
    Ok(Url::parse_target(target, false).ok())
}

/// What the look-up found. An error before it.
///
/// # Safety
/// `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnCacheLookupStatusGet(txn: Handle, result: *mut c_int) -> c_int {
    change("TSHttpTxnCacheLookupStatusGet", txn, |txn, _| {
        let Some(found) = txn.cache_lookup else { return Ok(-1) };
        if result.is_null() {
            return Err(Misuse::Null);
        }
        let number = match found {
            CacheLookup::Miss => 0,
            CacheLookup::HitStale => 1,
            CacheLookup::HitFresh => 2,
            CacheLookup::Skipped => 3,
        };
        // SAFETY: as the caller vouches.
        unsafe { result.write(number) };
        Ok(0)
    })
}

/// Changes what the look-up found. Only at CACHE_LOOKUP_COMPLETE.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnCacheLookupStatusSet(txn: Handle, result: c_int) -> c_int {
    change("TSHttpTxnCacheLookupStatusSet", txn, |txn, state| {
        if state.hook != TransactionHook::CacheLookupComplete {
            return Err(Misuse::Text("only at CACHE_LOOKUP_COMPLETE"));
        }
        let wanted = match result {
            0 => CacheLookup::Miss,
            1 => CacheLookup::HitStale,
            2 => CacheLookup::HitFresh,
            _ => return Ok(-1),
        };
        match txn.cache_lookup {
            None => return Ok(-1),
            Some(CacheLookup::Miss) if wanted != CacheLookup::Miss => return Ok(-1),
            _ => {}
        }
        txn.cache_lookup = Some(wanted);
        Ok(0)
    })
}

/// Has the cache looked up again, under another URL, and CACHE_LOOKUP_COMPLETE run again. Only there.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnRedoCacheLookup(txn: Handle, url: *const c_char, length: c_int) -> c_int {
    change("TSHttpTxnRedoCacheLookup", txn, |txn, state| {
        if state.hook != TransactionHook::CacheLookupComplete {
            return Err(Misuse::Text("only at CACHE_LOOKUP_COMPLETE"));
        }
        let Some(url) = url_of(url, length)? else { return Ok(-1) };
        txn.redo_cache_lookup = Some(Box::new(url));
        Ok(0)
    })
}

/// Gives the transaction another cache key. Once, before the look-up.
#[unsafe(no_mangle)]
pub extern "C" fn TSCacheUrlSet(txn: Handle, url: *const c_char, length: c_int) -> c_int {
    change("TSCacheUrlSet", txn, |txn, _| {
        if txn.cache_url.is_some() || txn.cache_lookup.is_some() {
            return Ok(-1);
        }
        let Some(url) = key_url(url, length)? else { return Ok(-1) };
        txn.cache_url = Some(Box::new(url));
        Ok(0)
    })
}

/// Copies the URL that makes the cache key. An error before there is one.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnCacheLookupUrlGet(txn: Handle, bufp: Handle, obj: Handle) -> c_int {
    change("TSHttpTxnCacheLookupUrlGet", txn, |txn, _| match (&txn.cache_url, txn.cache_lookup) {
        (Some(url), _) => copy_text(&key_text(url), bufp, obj),
        (None, Some(_)) => copy_url(&txn.client_request.url, bufp, obj),
        (None, None) => Ok(-1),
    })
}

/// A plugin's cache key as the plugin wrote it: with its port, be it the usual one.
fn key_text(url: &Url) -> Vec<u8> {
    let mut text = Vec::new();
    match url.scheme.filter(|_| url.port != 0) {
        Some(scheme) => {
            text.extend_from_slice(scheme.as_str().as_bytes());
            text.extend_from_slice(b"://");
            text.extend_from_slice(&url.host);
            text.extend_from_slice(format!(":{}", url.port).as_bytes());
            url.write_origin_form(&mut text);
        }
        None => url.write_full(&mut text),
    }
    text
}

/// Copies a URL of the engine's to one of the plugin's.
pub(super) fn copy_url(url: &Url, bufp: Handle, obj: Handle) -> Result<c_int, Misuse> {
    let mut text = Vec::new();
    url.write_full(&mut text);
    copy_text(&text, bufp, obj)
}

fn copy_text(text: &[u8], bufp: Handle, obj: Handle) -> Result<c_int, Misuse> {
    let start: *const c_char = text.as_ptr().cast();
    let mut at = start;
    // SAFETY: the text is readable from start to end.
    let parsed =
        unsafe { crate::message::ffi::urls::TSUrlParse(bufp, obj, &raw mut at, start.add(text.len())) };
    Ok(if parsed == -1 { -1 } else { 0 })
}

/// Gives the transaction another cache key, from a URL object.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnCacheLookupUrlSet(txn: Handle, _bufp: Handle, obj: Handle) -> c_int {
    change("TSHttpTxnCacheLookupUrlSet", txn, |txn, _| {
        let Some(url) = engine_url(obj) else { return Ok(-1) };
        txn.cache_url = Some(Box::new(url));
        Ok(0)
    })
}

/// The engine's form of a URL object.
pub(crate) fn engine_url(obj: Handle) -> Option<Url> {
    let loc = crate::message::Loc::from_raw(number(obj))?;
    let text = messages().with_owner(loc, |buffer| Ok(buffer.url_text(buffer.url(loc)?))).ok()?;
    Url::parse_absolute(Bytes::from(text)).ok()
}

/// Whether the response is kept from being stored.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerRespNoStoreGet(txn: Handle) -> bool {
    get("TSHttpTxnServerRespNoStoreGet", txn, false, |txn, _| Ok(txn.no_store))
}

/// Keeps the response from being stored.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerRespNoStoreSet(txn: Handle, flag: c_int) -> c_int {
    change("TSHttpTxnServerRespNoStoreSet", txn, |txn, _| {
        txn.no_store = flag != 0;
        Ok(0)
    })
}

/// The request counts as cacheable.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnReqCacheableSet(txn: Handle, flag: c_int) {
    get("TSHttpTxnReqCacheableSet", txn, (), |txn, _| {
        txn.request_is_cacheable = flag != 0;
        Ok(())
    });
}

/// The response counts as cacheable.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnRespCacheableSet(txn: Handle, flag: c_int) {
    get("TSHttpTxnRespCacheableSet", txn, (), |txn, _| {
        txn.response_is_cacheable = flag != 0;
        Ok(())
    });
}

/// With a transform: whether its output is stored.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnTransformedRespCache(txn: Handle, on: c_int) {
    fence("TSHttpTxnTransformedRespCache", (), || {
        with(txn, |txn, _| {
            if on != 0 {
                txn.cache_untransformed = false;
            }
            Ok(())
        })
    });
}

/// With a transform: whether the body is stored as the origin sent it.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnUntransformedRespCache(txn: Handle, on: c_int) {
    fence("TSHttpTxnUntransformedRespCache", (), || {
        with(txn, |txn, _| {
            txn.cache_untransformed = on != 0;
            Ok(())
        })
    });
}

/// Whether the transaction's response may be stored, by the rules of caching and the records. The transaction's own
/// messages are judged.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnIsCacheable(txn: Handle, _request: Handle, _response: Handle) -> c_int {
    get("TSHttpTxnIsCacheable", txn, 0, |txn, state| {
        // What the plugin has changed at this very hook point counts.
        state.store_messages(txn);
        let Some(response) = &txn.origin_response else { return Ok(0) };
        if txn.no_store {
            return Ok(0);
        }
        let now = tollgate_event::clock::unix_seconds();
        let policy = tollgate_proxy::cache_policy(&txn.records);
        let decision = tollgate_cache::rules::store_decision(&txn.client_request, response, now, &policy);
        Ok(c_int::from(decision.reason().is_none() || txn.response_is_cacheable))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_as_it_was_given() {
        for text in ["http://h:80/a?b=c", "http://h/a", "https://h:444/", "/h/80/a?b"] {
            let url = key_url(text.as_ptr().cast(), text.len() as c_int).expect("readable").expect("a key");
            assert_eq!(key_text(&url), text.as_bytes());
        }
    }
}
