//! The client's side of a transaction: what becomes of its connection, how it asked.

use super::{TxnCell, change, get, with};
use crate::fence::{Misuse, fence};
use crate::iobuf;
use crate::services::services;
use crate::slots::{Handle, number, pointer};
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use tollgate_http::url::Form;
use tollgate_obs::metrics::Metric;

/// Whether the client's connection is closed after the response. Up to SEND_RESPONSE_HDR.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnCloseAfterResponse(txn: Handle, should_close: c_int) -> c_int {
    change("TSHttpTxnCloseAfterResponse", txn, |txn, _| {
        txn.closes_client = should_close != 0;
        Ok(0)
    })
}

/// Whether the length is believed that a response has before it is transformed. The length of a transformed body is
/// never believed here: nothing changes.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientKeepaliveSet(txn: Handle, set: c_int) {
    get("TSHttpTxnClientKeepaliveSet", txn, (), |txn, _| {
        tracing::debug!("transaction {}: TSHttpTxnClientKeepaliveSet({set}) changes nothing", txn.id());
        Ok(())
    });
}

/// With an error reenable the client's connection is closed without a response.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnShutDown(txn: Handle, event: c_int) -> c_int {
    /// `TS_EVENT_HTTP_TXN_CLOSE`.
    const TXN_CLOSE: c_int = 60012;
    change("TSHttpTxnShutDown", txn, |txn, _| {
        if event == TXN_CLOSE {
            return Ok(-1);
        }
        txn.fails_silently = true;
        Ok(0)
    })
}

/// Whether the client named a path only, as it does when it asks an origin.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientReqIsServerStyle(txn: Handle) -> c_int {
    get("TSHttpTxnClientReqIsServerStyle", txn, 0, |txn, _| {
        let url = txn.pristine_url.as_ref().unwrap_or(&txn.client_request.url);
        Ok(c_int::from(matches!(url.form, Form::Origin | Form::Asterisk)))
    })
}

/// The port that the client is taken to have connected to. It is kept: nothing here is decided by it.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientIncomingPortSet(txn: Handle, port: c_int) {
    get("TSHttpTxnClientIncomingPortSet", txn, (), |_, state| {
        state.incoming_port = u16::try_from(port).map_err(|_| Misuse::Text("it is no port"))?;
        Ok(())
    });
}

/// HTTP/2's priority of the stream: an error, as this is HTTP/1.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnClientStreamPriorityGet(txn: Handle, _priority: *mut c_void) -> c_int {
    change("TSHttpTxnClientStreamPriorityGet", txn, |_, _| Ok(-1))
}

/// HTTP/2's push: an error, as this is HTTP/1.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnServerPush(txn: Handle, _url: *const c_char, _length: c_int) -> c_int {
    change("TSHttpTxnServerPush", txn, |_, _| Ok(-1))
}

/// Where to ask instead, if a plugin has said so; else null. The text lives as long as the transaction.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnRedirectUrlGet(txn: Handle, length: *mut c_int) -> *const c_char {
    get("TSHttpTxnRedirectUrlGet", txn, null(), |txn, state| {
        let mut text = Vec::new();
        if let Some(url) = &txn.redirect_url {
            url.write_full(&mut text);
        }
        if !length.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { length.write(text.len() as c_int) };
        }
        if txn.redirect_url.is_none() {
            return Ok(null());
        }
        let text = CString::new(text).map_err(|_| Misuse::Text("the URL has a NUL"))?;
        let pointer = text.as_ptr();
        state.texts.push(text);
        Ok(pointer)
    })
}

/// The older form of the switches: whether the transaction is logged, and whether an intercept is tried again.
///
/// # Safety
/// `data` is writable for a pointer with the forms that get.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnCntl(txn: Handle, control: c_int, data: *mut c_void) -> c_int {
    const GET_LOGGING: c_int = 0;
    const SET_LOGGING: c_int = 1;
    const GET_RETRY: c_int = 2;
    const SET_RETRY: c_int = 3;
    change("TSHttpTxnCntl", txn, |txn, state| {
        let is_on = match control {
            GET_LOGGING => txn.is_logged,
            GET_RETRY => state.retries_intercept,
            SET_LOGGING | SET_RETRY => {
                let on = match data.addr() {
                    0 => false,
                    1 => true,
                    _ => return Ok(-1),
                };
                let place =
                    if control == SET_LOGGING { &mut txn.is_logged } else { &mut state.retries_intercept };
                *place = on;
                return Ok(0);
            }
            _ => return Ok(-1),
        };
        if data.is_null() {
            return Ok(-1);
        }
        // SAFETY: as the caller vouches.
        unsafe { data.cast::<usize>().write(usize::from(is_on)) };
        Ok(0)
    })
}

/// A new reader of the request's body, the plugin's to free; its buffer lives as long as the transaction. Null: the
/// body was not read ahead.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnPostBufferReaderGet(txn: Handle) -> Handle {
    fence("TSHttpTxnPostBufferReaderGet", null_mut(), || {
        with(txn, |txn, state| {
            if txn.buffered_body.is_empty() {
                return Ok(null_mut());
            }
            let buffer = match state.request_body {
                Some(buffer) => pointer(buffer),
                None => iobuf::buffer_of(&txn.buffered_body)?,
            };
            if state.request_body.is_none() {
                state.request_body = Some(number(buffer));
                // Keeps the bytes for further readers.
                iobuf::reader_at_start(buffer)?;
            }
            iobuf::reader_at_start(buffer)
        })
    })
}

/// Sets whether a session's debug messages are wanted. They are those of its transactions.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnDebugSet(ssn: Handle, on: c_int) {
    fence("TSHttpSsnDebugSet", (), || {
        crate::ssn::SsnCell::find(ssn)?.set_debug(on != 0);
        Ok::<_, Misuse>(())
    });
}

/// Whether a handler was added to this transaction at that hook.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnHookRegisteredFor(
    txn: Handle,
    id: c_int,
    handler: Option<crate::cont::EventFunc>,
) -> c_int {
    fence("TSHttpTxnHookRegisteredFor", -1, || {
        let hooks = TxnCell::find(txn)?.own_hooks();
        let is_it = |cont: usize| {
            let cont = crate::cont::Cont::find(crate::slots::pointer(cont as u64));
            cont.is_ok_and(|cont| cont.is_handled_by(handler))
        };
        let found = hooks.into_iter().any(|(hook, cont)| hook == id && is_it(cont));
        Ok::<_, Misuse>(if found { 0 } else { -1 })
    })
}

fn total(metric: Metric) -> c_int {
    c_int::try_from(services().host().metrics().total(metric)).unwrap_or(c_int::MAX)
}

fn idle() -> c_int {
    (total(Metric::ClientConnectionsActive) - total(Metric::TransactionsActive)).max(0)
}

macro_rules! currents {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() -> c_int {
                fence(stringify!($name), 0, || Ok::<_, Misuse>($value))
            }
        )+
    };
}

currents! {
    /// Client connections open now.
    TSHttpCurrentClientConnectionsGet = total(Metric::ClientConnectionsActive);
    /// Client connections with a request in progress.
    TSHttpCurrentActiveClientConnectionsGet = total(Metric::TransactionsActive);
    /// Client connections that wait for a request.
    TSHttpCurrentIdleClientConnectionsGet = idle();
    /// Transactions that read the cache: those that wait for another's fetch, as all other reading takes no time.
    TSHttpCurrentCacheConnectionsGet = total(Metric::CacheWaiters);
    /// Connections to origins open now.
    TSHttpCurrentServerConnectionsGet = total(Metric::OriginConnectionsActive);
}
