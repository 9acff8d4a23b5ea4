//! Whether a redirect may be followed to where it leads.
//!
//! Responsible for: `proxy.config.http.redirect.actions`, judged by the addresses of the redirect's target.
//! Not responsible for: which responses are redirects (`deliver`).
//! Invariant: an address that may not be asked is not asked, whatever the target is called.

use super::{Answer, Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use crate::origin::connect::Route;
use bytes::Bytes;
use tollgate_config::redirect_actions::RedirectAction;
use tollgate_event::net;
use tollgate_http::{Response, names};
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::LocalResponse;

impl<S: ClientStream> Exchange<'_, S> {
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
