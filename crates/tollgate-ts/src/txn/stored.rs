//! What is known of the stored response, and what plugins make of it.

use super::{change, get};
use crate::fence::Misuse;
use crate::slots::{Handle, number};
use std::ffi::{c_char, c_int};
use std::ptr::null;
use tollgate_http::{HeaderBlock, names};
use tollgate_obs::outcome::CacheOutcome;
use tollgate_plugin::{CacheLookup, Transaction};

/// How often the cache was looked up.
///
/// # Safety
/// `count` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnCacheLookupCountGet(txn: Handle, count: *mut c_int) -> c_int {
    change("TSHttpTxnCacheLookupCountGet", txn, |txn, _| {
        if count.is_null() {
            return Err(Misuse::Null);
        }
        // SAFETY: not null, and the caller vouches that it may be written.
        unsafe { count.write(txn.cache_lookups as c_int) };
        Ok(0)
    })
}

/// When the stored response came, in seconds since 1970. An error without one.
///
/// # Safety
/// `time` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnCachedRespTimeGet(txn: Handle, time: *mut libc::time_t) -> c_int {
    change("TSHttpTxnCachedRespTimeGet", txn, |txn, _| {
        let Some(seconds) = txn.cached_response_time else { return Ok(-1) };
        if time.is_null() {
            return Err(Misuse::Null);
        }
        // SAFETY: not null, and the caller vouches that it may be written.
        unsafe { time.write(seconds) };
        Ok(0)
    })
}

/// How the cache took part. Objects are in memory, never compressed, and in no volume.
fn info(txn: &Transaction, key: c_int) -> Option<i64> {
    let is_hit = matches!(txn.cache_lookup, Some(CacheLookup::HitFresh | CacheLookup::HitStale));
    let fetches = matches!(txn.cache_outcome, CacheOutcome::Miss | CacheOutcome::Refreshed);
    Some(match key {
        // TS_TXN_INFO_CACHE_HIT_RAM.
        0 => i64::from(is_hit),
        // TS_TXN_INFO_CACHE_COMPRESSED_IN_RAM.
        1 => 0,
        // TS_TXN_INFO_CACHE_HIT_RWW: read while another transaction writes it.
        2 => i64::from(txn.cache_outcome == CacheOutcome::Collapsed),
        // TS_TXN_INFO_CACHE_OPEN_READ_TRIES.
        3 => i64::from(txn.cache_lookups),
        // TS_TXN_INFO_CACHE_OPEN_WRITE_TRIES.
        4 => i64::from(fetches),
        // TS_TXN_INFO_CACHE_VOLUME.
        5 => -1 + i64::from(is_hit),
        _ => return None,
    })
}

/// A figure of the cache's part in the transaction.
///
/// # Safety
/// `value` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnInfoIntGet(txn: Handle, key: c_int, value: *mut i64) -> c_int {
    change("TSHttpTxnInfoIntGet", txn, |txn, _| {
        let Some(found) = info(txn, key) else { return Ok(-1) };
        if value.is_null() {
            return Err(Misuse::Null);
        }
        // SAFETY: not null, and the caller vouches that it may be written.
        unsafe { value.write(found) };
        Ok(0)
    })
}

/// The disk that the object was read from: null, as it was not.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnCacheDiskPathGet(txn: Handle, length: *mut c_int) -> *const c_char {
    get("TSHttpTxnCacheDiskPathGet", txn, null(), |_, _| {
        if !length.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { length.write(0) };
        }
        Ok(null())
    })
}

/// Whether the response is read on after the client has left.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnBackgroundFillStarted(txn: Handle) -> c_int {
    get("TSHttpTxnBackgroundFillStarted", txn, 0, |txn, _| Ok(c_int::from(txn.fills_behind)))
}

/// `s-maxage`, else `max-age`, in seconds; -1: neither.
fn max_age(headers: &HeaderBlock) -> c_int {
    let directive = |wanted: &str| {
        headers.list(names::CACHE_CONTROL).find_map(|directive| {
            let text = std::str::from_utf8(directive).ok()?;
            let (name, value) = text.split_once('=')?;
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.parse().ok())?
        })
    };
    directive("s-maxage").or_else(|| directive("max-age")).unwrap_or(-1)
}

/// How long a response says that it is fresh: the message of that buffer, or the origin's response. -1: it does not
/// say.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnGetMaxAge(txn: Handle, response: Handle) -> c_int {
    get("TSHttpTxnGetMaxAge", txn, -1, |txn, state| {
        state.store_messages(txn);
        let found = match number(response) {
            0 => txn.origin_response.as_deref(),
            wanted => state.messages.response_of(txn, wanted),
        };
        Ok(found.map_or(-1, |response| max_age(&response.headers)))
    })
}

/// When the stored response is to expire. ATS: the time is taken and changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnOverwriteExpireTime(txn: Handle, time: libc::time_t) {
    get("TSHttpTxnOverwriteExpireTime", txn, (), |txn, _| {
        tracing::debug!("transaction {}: the time {time} to expire at changes nothing", txn.id());
        Ok(())
    });
}

/// Drops the origin's answer about a stored response, which is served. An error without a stored response.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerRespIgnore(txn: Handle) -> c_int {
    change("TSHttpTxnServerRespIgnore", txn, |txn, _| {
        if txn.cached_response.is_none() {
            return Ok(-1);
        }
        txn.ignores_origin_response = true;
        Ok(0)
    })
}

/// A copy of the stored response that may be changed. An error without one.
///
/// # Safety
/// `bufp` and `obj` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnCachedRespModifiableGet(
    txn: Handle,
    bufp: *mut Handle,
    obj: *mut Handle,
) -> c_int {
    change("TSHttpTxnCachedRespModifiableGet", txn, |txn, state| {
        let found = state.messages.open_modifiable(txn);
        let found = found.map_err(|_| Misuse::Text("there are too many message buffers"))?;
        // SAFETY: as the caller vouches.
        Ok(unsafe { super::messages::give(found, bufp, obj) })
    })
}

/// Writes the changed copy into the cache, when the response is served. An error without a copy.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnUpdateCachedObject(txn: Handle) -> c_int {
    change("TSHttpTxnUpdateCachedObject", txn, |_, state| {
        Ok(if state.messages.update_cached() { 0 } else { -1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(value: &str) -> c_int {
        let mut headers = HeaderBlock::default();
        headers.append(names::CACHE_CONTROL, value);
        max_age(&headers)
    }

    #[test]
    fn a_shared_caches_lifetime_comes_first() {
        assert_eq!(age("max-age=60"), 60);
        assert_eq!(age("max-age=60, s-maxage=\"30\""), 30);
        assert_eq!(age("no-store"), -1);
        assert_eq!(age("max-age=soon"), -1);
    }
}
