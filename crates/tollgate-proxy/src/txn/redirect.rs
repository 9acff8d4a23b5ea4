//! Following redirects: the origin's, and those that plugins make.
//!
//! Responsible for: which responses are followed, the request to the new URL, and whether it may go where it leads
//! (`proxy.config.http.redirect.actions`, judged by the addresses of the target).
//! Not responsible for: asking there (`fetch`).
//! Invariants: an address that may not be asked is not asked, whatever the target is called; credentials do not go to
//! another origin.

use super::fetch::is_get_like;
use super::forward::NextHop;
use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::limits;
use crate::origin::connect::Route;
use bytes::Bytes;
use tollgate_config::ids;
use tollgate_config::redirect_actions::RedirectAction;
use tollgate_event::net;
use tollgate_http::{Method, Response, Url, names};
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::{CacheLookup, LocalResponse};

impl<S: ClientStream> Exchange<'_, S> {
    /// Replaces the URL by a redirect's target, if redirects are to be followed.
    pub(super) fn follow_redirect(&mut self, response: &Response) -> bool {
        if self.txn.redirect_url.is_some() {
            let is_followed = self.follow_plugins_redirect();
            if is_followed {
                self.remember_redirect(response);
            }
            return is_followed;
        }
        let Some(url) = self.redirect_of(response) else { return false };
        self.redirects += 1;
        self.remember_redirect(response);
        self.go_to(url);
        true
    }

    /// Where a redirect leads, if redirects are to be followed.
    fn redirect_of(&self, response: &Response) -> Option<Url> {
        let most = self.txn.records.int(ids::HTTP_NUMBER_OF_REDIRECTIONS);
        if self.txn.cache_lookup.is_none()
            || self.redirects >= most
            || !matches!(response.status, 301 | 302 | 303 | 307 | 308)
            || !is_get_like(&self.txn.client_request.method)
        {
            return None;
        }
        resolve(&self.txn.client_request.url, response.headers.get(names::LOCATION)?)
    }

    /// A response that handlers of SEND_RESPONSE_HDR have made a redirect is followed as one of the origin's is.
    pub(crate) fn note_redirect_made(&mut self, status_before: Option<u16>) {
        let Some(response) = &self.txn.proxy_response else { return };
        if status_before != Some(response.status) && self.txn.redirect_url.is_none() {
            self.txn.redirect_url = self.redirect_of(response).map(Box::new);
        }
    }

    /// Replaces the URL by the one a plugin has set, whatever the response is.
    fn follow_plugins_redirect(&mut self) -> bool {
        let Some(url) = self.txn.redirect_url.take() else { return false };
        let has_read_body = self.log.request_body_bytes > 0 || self.buffered.is_some();
        if self.txn.cache_lookup.is_none() || self.asked == Method::Connect || has_read_body {
            tracing::debug!("txn {}: redirect_url is not followed", self.txn.id());
            return false;
        }
        if self.redirects >= limits::PLUGIN_REDIRECTS {
            tracing::warn!("txn {}: too many redirects by plugins", self.txn.id());
            return false;
        }
        self.redirects += 1;
        self.go_to(*url);
        true
    }

    /// At SEND_RESPONSE_HDR: whether the response is dropped for the URL that a plugin has set. SEND_RESPONSE_HDR runs
    /// again, for the response that comes then.
    pub(crate) fn redirect_in_place_of_response(&mut self) -> bool {
        // ATS: a fresh object is served.
        let is_from_cache = self.txn.cache_lookup == Some(CacheLookup::HitFresh);
        if is_from_cache || !self.follow_plugins_redirect() {
            self.txn.redirect_url = None;
            return false;
        }
        if let Some(response) = self.txn.proxy_response.take() {
            self.remember_redirect(&response);
        }
        self.send_hook_ran = false;
        true
    }

    /// Makes `url` the one that is asked for.
    fn go_to(&mut self, url: Url) {
        self.txn.redirects = u32::try_from(self.redirects).unwrap_or(u32::MAX);
        let from = &self.txn.client_request.url;
        if (from.host != url.host && !from.host.eq_ignore_ascii_case(&url.host))
            || from.effective_port() != url.effective_port()
        {
            // RFC 9110 §15.4: credentials are for the origin that they were meant for.
            for secret in [names::AUTHORIZATION, names::COOKIE] {
                self.txn.client_request.headers.remove(secret);
            }
        }
        let mut host = Vec::new();
        url.write_host_port(&mut host);
        self.txn.client_request.headers.set(names::HOST, host);
        // Worked out again, with the checks that belong to it, when the origin is asked.
        (self.next_hop, self.resolved) = (NextHop::default(), None);
        if self.txn.records.flag(ids::HTTP_REDIRECT_USE_ORIG_CACHE_KEY) && self.txn.cache_url.is_none() {
            self.txn.cache_url = Some(Box::new(self.txn.client_request.url.clone()));
        }
        self.txn.client_request.url = url;
        self.txn.origin_addr = None;
        self.txn.origin_response = None;
        (self.txn.cached_response, self.txn.cached_response_time) = (None, None);
        self.cache.stale = None;
        (self.cache.redone, self.cache.origin_status, self.cache.ttl) = (0, None, None);
        self.cache.reason = None;
    }

    /// Keeps a response whose redirect is followed: the client gets it if the target may not be asked.
    pub(crate) fn remember_redirect(&mut self, response: &Response) {
        self.redirected = Some(Box::new(response.clone()));
    }

    /// The addresses of a redirect's target that may be asked. All of them, if this is none.
    pub(crate) fn keep_followed(&mut self, mut order: Route) -> Result<Route, Stop> {
        let Some(response) = &self.redirected else { return Ok(order) };
        let actions = &self.generation.redirect_actions;
        let of = |ip| actions.action(ip, net::is_own_address(ip));
        let first = order.first().map_or(RedirectAction::Return, |addr| of(addr.ip()));
        order.retain(|addr| of(addr.ip()) == RedirectAction::Follow);
        if let Some(addr) = order.first() {
            // What handlers see is one of these.
            let is_other = self.txn.origin_addr.is_some_and(|seen| !order.contains(&seen));
            if is_other {
                self.txn.origin_addr = Some(*addr);
            }
            return Ok(order);
        }
        if first == RedirectAction::Reject {
            return Err(self.error(ErrorKind::Denied, "redirect.actions", false));
        }
        let page = without_body(response);
        Err(Stop::Answer(Box::new(Answer { page, end: TransactionEnd::Completed, close: false })))
    }
}

/// An absolute or path-absolute Location.
fn resolve(base: &Url, location: &[u8]) -> Option<Url> {
    let location = Bytes::copy_from_slice(location);
    if location.first() != Some(&b'/') {
        return Url::parse_absolute(location).ok().filter(|u| u.scheme == Some(tollgate_http::Scheme::Http));
    }
    if location.starts_with(b"//") {
        return Url::parse_absolute([b"http:", &location[..]].concat().into()).ok();
    }
    let target = Url::parse_target(location, false).ok()?;
    Some(Url { path: target.path, query: target.query, ..base.clone() })
}

/// The header of a redirect, for the client.
fn without_body(response: &Response) -> LocalResponse {
    let mut response = response.clone();
    super::forward::strip_hop_by_hop(&mut response.headers);
    response.headers.set(names::CONTENT_LENGTH, "0");
    LocalResponse { response, body: Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_that_is_returned_has_its_fields_and_no_body() {
        let mut response = Response::new(302);
        for (name, value) in [("Location", "http://h/"), ("Content-Length", "5"), ("Keep-Alive", "1")] {
            response.headers.append(name, value);
        }
        let page = without_body(&response);
        let fields = &page.response.headers;
        assert_eq!(page.response.status, 302);
        assert_eq!(fields.get(names::LOCATION), Some(&b"http://h/"[..]));
        assert_eq!(fields.get(names::CONTENT_LENGTH), Some(&b"0"[..]));
        assert!(!fields.has(names::KEEP_ALIVE) && page.body.is_empty());
    }
}
