//! The messages of a transaction as buffers.
//!
//! Responsible for: showing each of the engine's messages as one buffer for the transaction's whole life, carrying
//! changes back and forth around each hook point.
//! Invariants: what a plugin did not touch is not written back; a stored response is read-only.

use super::{change, with};
use crate::fence::Misuse;
use crate::message::{Access, BufferId, Loc, MessageError, messages};
use crate::slots::{Handle, pointer};
use std::ffi::c_int;
use tollgate_http::url::Form;
use tollgate_http::{Method, Request, Response, names};
use tollgate_plugin::{Transaction, TransactionHook};

/// One of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    ClientRequest = 0,
    ProxyRequest = 1,
    OriginResponse = 2,
    CachedResponse = 3,
    ProxyResponse = 4,
}

const ALL: [Which; 5] = [
    Which::ClientRequest,
    Which::ProxyRequest,
    Which::OriginResponse,
    Which::CachedResponse,
    Which::ProxyResponse,
];

/// The buffers that are open.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    opened: [Option<(BufferId, Loc)>; 5],
    pristine: Option<Loc>,
    modifiable: Option<Modifiable>,
    /// The request that the stored response was stored for.
    cached_request: Option<(BufferId, Loc)>,
    /// There is a buffer that plugins may change.
    is_used: bool,
}

/// The request that a response was stored for, as far as it is known: its method and URL, and the fields that the
/// response was chosen by, which are those of the request that it is an answer to now.
pub(crate) fn stored_request(client: &Request, cached: &Response) -> Request {
    let mut request = Request::new(Method::Get, client.url.clone());
    let chosen: Vec<Vec<u8>> = cached.headers.list(names::VARY).map(<[u8]>::to_vec).collect();
    for name in std::iter::once(&b"Host"[..]).chain(chosen.iter().map(Vec::as_slice)) {
        for value in client.headers.get_all(name) {
            request.headers.append(name, value);
        }
    }
    request
}

/// A copy of the stored response that plugins may change.
#[derive(Debug)]
struct Modifiable {
    buffer: BufferId,
    header: Loc,
    /// As it was given back last.
    response: Box<Response>,
    /// The stored response is to become like it.
    is_written: bool,
}

impl Messages {
    /// The buffer of a message and its header; `None` if the transaction has no such message now.
    pub(crate) fn open(
        &mut self,
        txn: &Transaction,
        which: Which,
    ) -> Result<Option<(BufferId, Loc)>, MessageError> {
        if !has(txn, which) {
            return Ok(None);
        }
        self.is_used = true;
        let slot = &mut self.opened[which as usize];
        if slot.is_none() {
            *slot = Some(match which {
                Which::ClientRequest => messages().open_request(&txn.client_request, Access::Writable)?,
                Which::ProxyRequest => match &txn.proxy_request {
                    Some(request) => messages().open_request(request, Access::Writable)?,
                    None => return Ok(None),
                },
                Which::OriginResponse => match &txn.origin_response {
                    Some(response) => messages().open_response(response, Access::Writable)?,
                    None => return Ok(None),
                },
                Which::CachedResponse => match &txn.cached_response {
                    Some(response) => messages().open_response(response, Access::ReadOnly)?,
                    None => return Ok(None),
                },
                Which::ProxyResponse => match &txn.proxy_response {
                    Some(response) => messages().open_response(response, Access::Writable)?,
                    None => return Ok(None),
                },
            });
        }
        Ok(*slot)
    }

    /// A copy of the stored response that may be changed; `None` if there is no stored response.
    pub(super) fn open_modifiable(
        &mut self,
        txn: &Transaction,
    ) -> Result<Option<(BufferId, Loc)>, MessageError> {
        if let Some(known) = &self.modifiable {
            return Ok(Some((known.buffer, known.header)));
        }
        let Some(response) = &txn.cached_response else { return Ok(None) };
        let (buffer, header) = messages().open_response(response, Access::Writable)?;
        self.is_used = true;
        let response = response.clone();
        self.modifiable = Some(Modifiable { buffer, header, response, is_written: false });
        Ok(Some((buffer, header)))
    }

    /// The request that the stored response was stored for; `None` if there is no stored response. Read-only.
    pub(super) fn open_cached_request(
        &mut self,
        txn: &Transaction,
    ) -> Result<Option<(BufferId, Loc)>, MessageError> {
        if self.cached_request.is_none()
            && let Some(cached) = &txn.cached_response
        {
            let request = stored_request(&txn.client_request, cached);
            self.cached_request = Some(messages().open_request(&request, Access::ReadOnly)?);
        }
        Ok(self.cached_request)
    }

    /// Has the stored response become like its copy; whether there is a copy.
    pub(super) fn update_cached(&mut self) -> bool {
        self.modifiable.as_mut().map(|copy| copy.is_written = true).is_some()
    }

    /// The engine's response that a buffer shows.
    pub(super) fn response_of<'t>(&self, txn: &'t Transaction, buffer: u64) -> Option<&'t Response> {
        let is_it = |which: &Which| self.opened[*which as usize].is_some_and(|(id, _)| id.raw() == buffer);
        match ALL.into_iter().find(is_it)? {
            Which::OriginResponse => txn.origin_response.as_deref(),
            Which::CachedResponse => txn.cached_response.as_deref(),
            Which::ProxyResponse => txn.proxy_response.as_deref(),
            Which::ClientRequest | Which::ProxyRequest => None,
        }
    }

    /// The client request's buffer with the URL of before remapping.
    fn open_pristine(&mut self, txn: &Transaction) -> Result<Option<(BufferId, Loc)>, MessageError> {
        let Some((id, _)) = self.open(txn, Which::ClientRequest)? else { return Ok(None) };
        if let Some(loc) = self.pristine {
            return Ok(Some((id, loc)));
        }
        let url = txn.pristine_url.as_ref();
        let loc = messages().add_url(id, url.unwrap_or(&txn.client_request.url))?;
        // Before there is a pristine URL plugins get the current one.
        self.pristine = url.is_some().then_some(loc);
        Ok(Some((id, loc)))
    }

    /// Brings open buffers up to date, after the engine has worked on its messages.
    pub(super) fn reload(&mut self, txn: &Transaction) {
        if !self.is_used {
            return;
        }
        for which in ALL {
            let Some((id, header)) = self.opened[which as usize] else { continue };
            let done = match which {
                Which::ClientRequest => messages().reload_request(id, header, &txn.client_request),
                Which::ProxyRequest => match &txn.proxy_request {
                    Some(request) => messages().reload_request(id, header, request),
                    None => Ok(()),
                },
                Which::OriginResponse => reload_response(id, header, txn.origin_response.as_deref()),
                Which::CachedResponse => reload_response(id, header, txn.cached_response.as_deref()),
                Which::ProxyResponse => reload_response(id, header, txn.proxy_response.as_deref()),
            };
            report("reload", done);
        }
    }

    /// Writes what plugins changed into the engine's messages.
    ///
    /// Before remapping, a Host that a plugin has changed is the host that is asked for.
    pub(super) fn store(&mut self, txn: &mut Transaction, before_remap: bool) {
        if !self.is_used {
            return;
        }
        for which in ALL {
            let Some((id, header)) = self.opened[which as usize] else { continue };
            let done = match which {
                Which::ClientRequest => {
                    let request = &mut txn.client_request;
                    messages().store_request(id, header, request).map(|changed| {
                        if before_remap && changed.fields && !changed.url {
                            adopt_host(request);
                        }
                    })
                }
                Which::ProxyRequest => match &mut txn.proxy_request {
                    Some(request) => messages().store_request(id, header, request).map(drop),
                    None => Ok(()),
                },
                Which::OriginResponse => match &mut txn.origin_response {
                    Some(response) => messages().store_response(id, header, response).map(drop),
                    None => Ok(()),
                },
                Which::CachedResponse => Ok(()),
                Which::ProxyResponse => match &mut txn.proxy_response {
                    Some(response) => messages().store_response(id, header, response).map(drop),
                    None => Ok(()),
                },
            };
            report("store", done);
        }
        if let Some(copy) = self.modifiable.as_mut().filter(|copy| copy.is_written) {
            let stored = messages().store_response(copy.buffer, copy.header, &mut copy.response);
            report("store", stored.map(drop));
            txn.updated_cached_response = Some(copy.response.clone());
        }
    }

    /// The transaction has ended.
    pub(super) fn close(&mut self) {
        for (id, _) in self.opened.iter_mut().filter_map(Option::take) {
            report("close", messages().close(id));
        }
        if let Some((id, _)) = self.cached_request.take() {
            report("close", messages().close(id));
        }
        if let Some(copy) = self.modifiable.take() {
            report("close", messages().close(copy.buffer));
        }
        self.pristine = None;
    }
}

/// A target without a host has that of the Host field.
fn adopt_host(request: &mut Request) {
    if !matches!(request.url.form, Form::Origin | Form::Asterisk) {
        return;
    }
    let Some(host) = request.headers.get_bytes(names::HOST) else { return };
    if let Ok((name, port)) = tollgate_http::url::split_host_port(&host)
        && !name.is_empty()
    {
        request.url.host = host.slice(..name.len());
        request.url.port = port.unwrap_or(0);
    }
}

fn reload_response(
    id: BufferId,
    header: Loc,
    response: Option<&tollgate_http::Response>,
) -> Result<(), MessageError> {
    response.map_or(Ok(()), |response| messages().reload_response(id, header, response))
}

fn report(what: &'static str, done: Result<(), MessageError>) {
    if let Err(error) = done {
        tracing::error!("cannot {what} a message for plugins: {error}");
    }
}

fn has(txn: &Transaction, which: Which) -> bool {
    match which {
        Which::ClientRequest => true,
        Which::ProxyRequest => txn.proxy_request.is_some(),
        Which::OriginResponse => txn.origin_response.is_some(),
        Which::CachedResponse => txn.cached_response.is_some(),
        Which::ProxyResponse => txn.proxy_response.is_some(),
    }
}

/// Gives C a buffer and a location in it.
///
/// # Safety
/// Both places are null or writable.
pub(super) unsafe fn give(found: Option<(BufferId, Loc)>, buffer: *mut Handle, loc: *mut Handle) -> c_int {
    let Some((id, at)) = found else { return -1 };
    for (place, raw) in [(buffer, id.raw()), (loc, at.raw())] {
        if !place.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { place.write(pointer(raw)) };
        }
    }
    0
}

fn opened(txn: Handle, which: Which) -> Result<Option<(BufferId, Loc)>, Misuse> {
    with(txn, |txn, state| {
        if which == Which::ClientRequest && state.hook == TransactionHook::TxnStart {
            // Its request has not been read.
            return Ok(None);
        }
        state.messages.open(txn, which).map_err(|_| Misuse::Text("there are too many message buffers"))
    })
}

macro_rules! message_getters {
    ($($(#[doc = $doc:literal])+ $name:ident = $which:ident;)+) => {
        $(
            $(#[doc = $doc])+
            ///
            /// # Safety
            /// `bufp` and `obj` are null or writable.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(txn: Handle, bufp: *mut Handle, obj: *mut Handle) -> c_int {
                crate::fence::fence(stringify!($name), -1, || {
                    let found = opened(txn, Which::$which)?;
                    // SAFETY: as the caller vouches.
                    Ok::<_, Misuse>(unsafe { give(found, bufp, obj) })
                })
            }
        )+

        /// The names of these functions.
        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

message_getters! {
    /// The client's request.
    TSHttpTxnClientReqGet = ClientRequest;
    /// The request to the next hop.
    TSHttpTxnServerReqGet = ProxyRequest;
    /// The origin's response.
    TSHttpTxnServerRespGet = OriginResponse;
    /// The stored response. Read-only.
    TSHttpTxnCachedRespGet = CachedResponse;
    /// The response to the client.
    TSHttpTxnClientRespGet = ProxyResponse;
}

/// The URL as the client meant it, before remapping.
///
/// # Safety
/// `bufp` and `url` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnPristineUrlGet(txn: Handle, bufp: *mut Handle, url: *mut Handle) -> c_int {
    change("TSHttpTxnPristineUrlGet", txn, |txn, state| {
        let found = state.messages.open_pristine(txn);
        let found = found.map_err(|_| Misuse::Text("there are too many message buffers"))?;
        // SAFETY: as the caller vouches.
        Ok(unsafe { give(found, bufp, url) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;

    #[test]
    fn without_a_transaction_there_are_no_messages() {
        assert_eq!(NAMES.len(), 5);
        // SAFETY: null places are allowed.
        let found = unsafe { TSHttpTxnClientReqGet(null_mut(), null_mut(), null_mut()) };
        assert_eq!(found, -1);
    }

    #[test]
    fn of_a_stored_responses_request_the_fields_are_known_that_chose_it() {
        let url = tollgate_http::Url::parse_target(bytes::Bytes::from_static(b"/a"), false);
        let mut client = Request::new(Method::Head, url.expect("a target"));
        for (name, value) in [("Host", "h"), ("Accept", "text/html"), ("Cookie", "a=b")] {
            client.headers.append(name, value);
        }
        let mut cached = Response::new(200);
        cached.headers.append(names::VARY, "accept, X-Other");
        let stored = stored_request(&client, &cached);
        assert_eq!(stored.method, Method::Get);
        assert_eq!(stored.headers.get("Accept"), Some(&b"text/html"[..]));
        assert!(stored.headers.has(names::HOST) && !stored.headers.has(names::COOKIE));
    }

    #[test]
    fn a_changed_host_field_names_the_host_of_a_target_without_one() {
        let request = |target: &'static [u8]| {
            let url = tollgate_http::Url::parse_target(bytes::Bytes::from_static(target), false);
            let mut request = Request::new(tollgate_http::Method::Get, url.expect("a target"));
            request.headers.append(names::HOST, "other.test:81");
            adopt_host(&mut request);
            request.url
        };
        let adopted = request(b"/a");
        assert_eq!((&adopted.host[..], adopted.port), (&b"other.test"[..], 81));
        assert_eq!(&request(b"http://own.test/a").host[..], b"own.test");
    }
}
