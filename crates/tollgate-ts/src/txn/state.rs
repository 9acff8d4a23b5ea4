//! What plugins may know of a transaction.

use super::{TxnCell, change, get};
use crate::diags::copy_for_c;
use crate::fence::{Misuse, fence};
use crate::slots::Handle;
use std::ffi::{c_char, c_int};
use std::ptr::null_mut;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tollgate_http::names;
use tollgate_obs::milestones::Milestone;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{Transaction, TransactionHook};

/// The transaction's number.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnIdGet(txn: Handle) -> u64 {
    fence("TSHttpTxnIdGet", 0, || Ok::<_, Misuse>(TxnCell::find(txn)?.id()))
}

/// Whether a plugin made the transaction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnIsInternal(txn: Handle) -> c_int {
    fence("TSHttpTxnIsInternal", 0, || {
        let cell = TxnCell::find(txn)?;
        Ok::<_, Misuse>(crate::ssn::TSHttpSsnIsInternal(cell.ssn().handle()))
    })
}

/// Whether the client asks for a WebSocket.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnIsWebsocket(txn: Handle) -> c_int {
    get("TSHttpTxnIsWebsocket", txn, 0, |txn, _| {
        let upgrade = txn.client_request.headers.get(names::UPGRADE);
        Ok(c_int::from(upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))))
    })
}

/// The URL that is asked for, as text that the plugin frees.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnEffectiveUrlStringGet(txn: Handle, length: *mut c_int) -> *mut c_char {
    get("TSHttpTxnEffectiveUrlStringGet", txn, null_mut(), |txn, state| {
        // The plugin may have changed the request at this very hook point.
        state.store_messages(txn);
        let text = effective_url(txn);
        if !length.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { length.write(text.len() as c_int) };
        }
        Ok(copy_for_c(&text))
    })
}

fn effective_url(txn: &Transaction) -> Vec<u8> {
    let mut url = txn.client_request.url.clone();
    if url.host.is_empty() {
        // RFC 9112 §3.3: the Host field completes the target.
        let host = txn.client_request.headers.get(names::HOST).unwrap_or_default();
        if let Ok((host, port)) = tollgate_http::url::split_host_port(host) {
            url.host = bytes::Bytes::copy_from_slice(host);
            url.port = port.unwrap_or(0);
        }
    }
    url.form = tollgate_http::url::Form::Absolute;
    url.scheme = url.scheme.or(Some(tollgate_http::Scheme::Http));
    let mut text = Vec::new();
    url.write_full(&mut text);
    text
}

/// When a milestone was reached, in nanoseconds since 1970; 0: not yet.
///
/// # Safety
/// `time` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnMilestoneGet(txn: Handle, milestone: c_int, time: *mut i64) -> c_int {
    const COUNT: c_int = 24;
    change("TSHttpTxnMilestoneGet", txn, |txn, _| {
        if !(0..COUNT).contains(&milestone) || time.is_null() {
            return Ok(-1);
        }
        let reached = Milestone::by_ts_number(milestone as u8).and_then(|m| txn.milestones.reached_ns(m));
        let base =
            now_ns() - Instant::now().saturating_duration_since(txn.milestones.base()).as_nanos() as i64;
        // SAFETY: as the caller vouches.
        unsafe { time.write(reached.map_or(0, |ns| base + ns as i64)) };
        Ok(0)
    })
}

fn now_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

/// Whether the client left before it had the whole response: 0 means that it did.
///
/// # Safety
/// None beyond the handle's, which is checked.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnAborted(txn: Handle) -> c_int {
    change("TSHttpTxnAborted", txn, |txn, _| {
        let aborted = matches!(txn.end, Some(TransactionEnd::ClientAborted | TransactionEnd::ClientTimeout));
        Ok(if aborted { 0 } else { -1 })
    })
}

/// `TSServerState`: what became of the origin.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerStateGet(txn: Handle) -> c_int {
    const UNDEFINED: c_int = 0;
    const ALIVE: c_int = 3;
    const CONNECTION_ERROR: c_int = 5;
    const COMPLETE: c_int = 8 + 1;
    get("TSHttpTxnServerStateGet", txn, UNDEFINED, |txn, state| {
        let asked = txn.origin_addr.is_some();
        Ok(match (&txn.origin_response, state.hook) {
            (Some(_), TransactionHook::TxnClose) => COMPLETE,
            (Some(_), _) => ALIVE,
            (None, TransactionHook::SendResponseHdr | TransactionHook::TxnClose) if asked => CONNECTION_ERROR,
            _ => UNDEFINED,
        })
    })
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident = $type:ty, |$txn:ident| $value:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[unsafe(no_mangle)]
            pub extern "C" fn $name(txn: Handle) -> $type {
                get(stringify!($name), txn, 0, |$txn, _| Ok($value as $type))
            }
        )+
    };
}

counts! {
    /// Bytes of the request's header.
    TSHttpTxnClientReqHdrBytesGet = c_int, |txn| txn.bytes.request.saturating_sub(txn.bytes.request_body);
    /// Bytes of the request's body.
    TSHttpTxnClientReqBodyBytesGet = i64, |txn| txn.bytes.request_body;
    /// Bytes of the response's header.
    TSHttpTxnClientRespHdrBytesGet = c_int, |txn| txn.bytes.response.saturating_sub(txn.bytes.response_body);
    /// Bytes of the response's body.
    TSHttpTxnClientRespBodyBytesGet = i64, |txn| txn.bytes.response_body;
}

/// "PROCESS-NUMBER", unique for the request. 56 characters at most and a NUL.
///
/// # Safety
/// `text` has room for 57 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSClientRequestUuidGet(txn: Handle, text: *mut c_char) -> c_int {
    const MOST: usize = 56;
    fence("TSClientRequestUuidGet", -1, || {
        let id = TxnCell::find(txn)?.id();
        if text.is_null() {
            return Err(Misuse::Null);
        }
        let process = crate::message::ffi::uuids::TSProcessUuidGet();
        let uuid = crate::message::ffi::uuids::TSUuidStringGet(process);
        // SAFETY: gives null or a text that ends with NUL.
        let uuid = unsafe { crate::diags::lossy(uuid) };
        let mut made = format!("{uuid}-{id}").into_bytes();
        made.truncate(MOST);
        // SAFETY: as the caller vouches.
        unsafe {
            std::ptr::copy_nonoverlapping(made.as_ptr(), text.cast::<u8>(), made.len());
            text.add(made.len()).write(0);
        }
        Ok(0)
    })
}

/// HTTP/2's number of the stream: an error, as this is HTTP/1.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientStreamIdGet(txn: Handle, _id: *mut u64) -> c_int {
    change("TSHttpTxnClientStreamIdGet", txn, |_, _| Ok(-1))
}

/// The errors that HTTP/2 has and HTTP/1 has not: none.
macro_rules! no_errors {
    ($($name:ident = $doc:literal;)+) => {
        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// Both places are null or writable.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(txn: Handle, class: *mut u32, code: *mut u64) {
                fence(stringify!($name), (), || {
                    TxnCell::find(txn)?;
                    if !class.is_null() {
                        // SAFETY: as the caller vouches.
                        unsafe { class.write(0) };
                    }
                    if !code.is_null() {
                        // SAFETY: as the caller vouches.
                        unsafe { code.write(0) };
                    }
                    Ok::<_, Misuse>(())
                });
            }
        )+
    };
}

no_errors! {
    TSHttpTxnClientReceivedErrorGet = "The error that the client has sent: none in HTTP/1.";
    TSHttpTxnClientSentErrorGet = "The error that the client was sent: none in HTTP/1.";
    TSHttpTxnServerReceivedErrorGet = "The error that the origin has sent: none in HTTP/1.";
    TSHttpTxnServerSentErrorGet = "The error that the origin was sent: none in HTTP/1.";
}

/// The URLs of the rule that matched.
fn rule_url(function: &'static str, txn: Handle, loc: *mut Handle, which: fn((u64, u64)) -> u64) -> c_int {
    change(function, txn, |_, state| {
        let Some(urls) = state.rule_urls else { return Ok(-1) };
        if loc.is_null() {
            return Err(Misuse::Null);
        }
        // SAFETY: not null, and the caller vouches that it may be written.
        unsafe { loc.write(crate::slots::pointer(which(urls))) };
        Ok(0)
    })
}

/// The URL that the rule matches. Known from the rule's first plugin on.
///
/// # Safety
/// `url` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSRemapFromUrlGet(txn: Handle, url: *mut Handle) -> c_int {
    rule_url("TSRemapFromUrlGet", txn, url, |urls| urls.0)
}

/// The URL that the rule maps to. Known from the rule's first plugin on.
///
/// # Safety
/// `url` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSRemapToUrlGet(txn: Handle, url: *mut Handle) -> c_int {
    rule_url("TSRemapToUrlGet", txn, url, |urls| urls.1)
}
