//! What plugins decide about a transaction: status, error body, redirects, switches.

use super::cache::url_of;
use super::{change, get};
use crate::diags::free_given;
use crate::fence::Misuse;
use crate::slots::Handle;
use bytes::Bytes;
use std::ffi::{c_char, c_int};

/// Sets the status of an error response that follows.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnStatusSet(txn: Handle, status: c_int) {
    get("TSHttpTxnStatusSet", txn, (), |txn, _| {
        txn.status_override = u16::try_from(status).map_err(|_| Misuse::Text("it is no status"))?;
        Ok(())
    });
}

/// The status that was set; 0: none.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnStatusGet(txn: Handle) -> c_int {
    get("TSHttpTxnStatusGet", txn, 0, |txn, _| Ok(c_int::from(txn.status_override)))
}

/// Sets the body of an error response that follows. Both texts now belong to the server.
///
/// # Safety
/// `body` has `length` readable bytes or is null; `content_type` is null or ends with NUL; both were allocated with
/// `TSmalloc` or libc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnErrorBodySet(
    txn: Handle,
    body: *mut c_char,
    length: usize,
    content_type: *mut c_char,
) {
    let bytes = if body.is_null() {
        None
    } else {
        // SAFETY: as the caller vouches.
        Some(Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(body.cast::<u8>(), length) }))
    };
    // SAFETY: as the caller vouches.
    let kind = unsafe { crate::diags::lossy(content_type) };
    // Copied at once: from here on it is as if they had never been.
    // SAFETY: the caller has given both away.
    unsafe {
        free_given("TSHttpTxnErrorBodySet", body.cast());
        free_given("TSHttpTxnErrorBodySet", content_type.cast());
    }
    get("TSHttpTxnErrorBodySet", txn, (), |txn, _| {
        match bytes {
            Some(bytes) => txn.set_error_body(if kind.is_empty() { "text/html" } else { &kind }, bytes),
            None => drop(txn.take_error_body()),
        }
        Ok(())
    });
}

/// Where to ask instead of passing the origin's response on. The text now belongs to the server.
///
/// # Safety
/// `url` has `length` readable bytes, or ends with NUL, and was allocated with `TSmalloc` or libc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnRedirectUrlSet(txn: Handle, url: *const c_char, length: c_int) {
    let parsed = url_of(url, length);
    // SAFETY: the caller has given the text away.
    unsafe { free_given("TSHttpTxnRedirectUrlSet", url.cast_mut().cast()) };
    get("TSHttpTxnRedirectUrlSet", txn, (), |txn, _| {
        let url = parsed?.ok_or(Misuse::Text("it is no absolute URL"))?;
        txn.redirect_url = Some(Box::new(url));
        Ok(())
    });
}

/// How many redirects were followed.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnRedirectRetries(txn: Handle) -> c_int {
    get("TSHttpTxnRedirectRetries", txn, 0, |txn, _| Ok(txn.redirects as c_int))
}

/// Leaves remapping out.
#[unsafe(no_mangle)]
pub extern "C" fn TSSkipRemappingSet(txn: Handle, flag: c_int) {
    get("TSSkipRemappingSet", txn, (), |txn, _| {
        txn.skip_remapping = flag != 0;
        Ok(())
    });
}

/// The plugin wants debug messages about the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnDebugSet(txn: Handle, on: c_int) {
    get("TSHttpTxnDebugSet", txn, (), |_, state| {
        state.debug = on != 0;
        Ok(())
    });
}

/// Whether a plugin wants debug messages about the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnDebugGet(txn: Handle) -> c_int {
    get("TSHttpTxnDebugGet", txn, 0, |_, state| Ok(c_int::from(state.debug)))
}

/// `TSHttpCntlType`.
const LOGGING: c_int = 0;
const INTERCEPT_RETRY: c_int = 1;
const RESPONSE_CACHEABLE: c_int = 2;
const REQUEST_CACHEABLE: c_int = 3;
const NO_STORE: c_int = 4;
const DEBUG: c_int = 5;
const SKIP_REMAPPING: c_int = 6;

/// Turns a switch of the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnCntlSet(txn: Handle, control: c_int, on: bool) -> c_int {
    change("TSHttpTxnCntlSet", txn, |txn, state| {
        match control {
            LOGGING => txn.is_logged = on,
            INTERCEPT_RETRY => state.retries_intercept = on,
            RESPONSE_CACHEABLE => txn.response_is_cacheable = on,
            REQUEST_CACHEABLE => txn.request_is_cacheable = on,
            NO_STORE => txn.no_store = on,
            DEBUG => state.debug = on,
            SKIP_REMAPPING => txn.skip_remapping = on,
            _ => return Ok(-1),
        }
        Ok(0)
    })
}

/// A switch of the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnCntlGet(txn: Handle, control: c_int) -> bool {
    get("TSHttpTxnCntlGet", txn, false, |txn, state| {
        Ok(match control {
            LOGGING => txn.is_logged,
            INTERCEPT_RETRY => state.retries_intercept,
            RESPONSE_CACHEABLE => txn.response_is_cacheable,
            REQUEST_CACHEABLE => txn.request_is_cacheable,
            NO_STORE => txn.no_store,
            DEBUG => state.debug,
            SKIP_REMAPPING => txn.skip_remapping,
            _ => false,
        })
    })
}
