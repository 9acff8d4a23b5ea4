//! The request to the next hop.
//!
//! Responsible for: which fields of the client's request go on, what the proxy adds.
//! Invariants: hop-by-hop fields and what Connection lists never go on (RFC 9110 §7.6.1); fields that the proxy or
//! the origin must be able to trust cannot be removed by being listed there.

use super::{Exchange, Stop};
use crate::client::ClientStream;
use crate::error_page::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use tollgate_cache::rules;
use tollgate_config::ids;
use tollgate_config::records::TxnRecords;
use tollgate_http::url::Form;
use tollgate_http::{HeaderBlock, Known, Method, Request, Version, framing, names};
use tollgate_plugin::TransactionHook;

/// Where the request goes.
#[derive(Clone, Debug)]
pub(crate) struct NextHop {
    /// Host, lower case, IPv6 literals in brackets.
    pub(crate) host: Arc<str>,
    /// 0: not known yet.
    pub(crate) port: u16,
    /// The address, if the host is known to be one.
    pub(crate) literal: Option<IpAddr>,
}

impl NextHop {
    /// A host as it stands in a URL.
    pub(crate) fn new(host: &[u8], port: u16) -> NextHop {
        NextHop { host: String::from_utf8_lossy(host).to_ascii_lowercase().into(), port, literal: None }
    }
}

impl Default for NextHop {
    fn default() -> Self {
        thread_local!(static NOWHERE: Arc<str> = "".into());
        NextHop { host: NOWHERE.with(Arc::clone), port: 0, literal: None }
    }
}

/// Fields that stay even if Connection lists them: end-to-end, and somebody relies on them.
fn is_protected(known: Known) -> bool {
    matches!(
        known,
        names::HOST
            | names::CONTENT_LENGTH
            | names::AUTHORIZATION
            | names::CACHE_CONTROL
            | names::COOKIE
            | names::VIA
            | names::FORWARDED
            | names::X_FORWARDED_FOR
            | names::X_FORWARDED_HOST
            | names::X_FORWARDED_PROTO
            | names::CLIENT_IP
            | names::MAX_FORWARDS
            | names::EXPECT
            | names::RANGE
            | names::IF_RANGE
    )
}

/// Removes hop-by-hop fields and what Connection lists.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderBlock) {
    if headers.has(names::CONNECTION) {
        // Nearly always one usual option stands alone.
        let is_alone = !headers.may_repeat(names::CONNECTION);
        if !(is_alone && headers.get(names::CONNECTION).is_some_and(is_usual_option)) {
            strip_listed(headers);
        }
        headers.remove(names::CONNECTION);
    }
    if headers.has_any(HOP_BY_HOP) {
        for known in HOP_BY_HOP {
            headers.remove(*known);
        }
    }
}

/// Removes what Connection lists.
fn strip_listed(headers: &mut HeaderBlock) {
    let options = headers.list(names::CONNECTION).filter(|option| !is_usual_option(option));
    let listed: Vec<Vec<u8>> = options.map(<[u8]>::to_vec).collect();
    for name in listed {
        if !Known::lookup(&name).is_some_and(is_protected) {
            headers.remove(&name[..]);
        }
    }
}

fn is_usual_option(option: &[u8]) -> bool {
    USUAL_OPTIONS.iter().any(|usual| option.eq_ignore_ascii_case(usual))
}

/// Connection options that name no field, or one that is removed anyway.
const USUAL_OPTIONS: &[&[u8]] = &[b"close", b"keep-alive", b"upgrade", b"te"];

/// Fields of one connection (RFC 9110 §7.6.1, and the ones in common use before it).
const HOP_BY_HOP: &[Known] = &[
    names::KEEP_ALIVE,
    names::PROXY_CONNECTION,
    names::TE,
    names::TRANSFER_ENCODING,
    names::UPGRADE,
    names::TRAILER,
    names::HTTP2_SETTINGS,
    names::PROXY_AUTHENTICATE,
];

impl<S: ClientStream> Exchange<'_, S> {
    /// Whether the client asks for another protocol on this connection (RFC 9110 §7.8).
    pub(crate) fn is_upgrade(&self) -> bool {
        let request = &self.txn.client_request;
        request.headers.has(names::UPGRADE)
            && request.version >= Version::Http11
            && request.method == Method::Get
            && !self.txn.is_internal()
            && request.headers.has_token(names::CONNECTION, "upgrade")
            // RFC 9113 §3.1 dropped h2c; a tunnel of it would hide requests from the proxy.
            && !request.headers.list(names::UPGRADE).any(|p| p.to_ascii_lowercase().starts_with(b"h2c"))
    }

    /// Builds the proxy request.
    pub(crate) fn build_proxy_request(&mut self) {
        let upgrade = if self.is_upgrade() {
            self.txn.client_request.headers.get(names::UPGRADE).map(<[u8]>::to_vec)
        } else {
            None
        };
        let chunked = self.client.body_remaining().is_none() && self.buffered.is_none();
        let client = &self.txn.client_request;
        // Copied into its place.
        let mut request = Box::write(Box::new_uninit(), client.clone());
        request.version = Version::Http11;
        if request.url.form == Form::Absolute {
            request.url.form = Form::Origin;
        }
        let headers = &mut request.headers;
        strip_hop_by_hop(headers);
        headers.remove(names::PROXY_AUTHORIZATION);
        if self.host_due {
            self.set_host(headers);
        }
        self.frame_request(headers, chunked);
        if self.cache.stale.is_some() || self.cache.fills {
            for name in [names::IF_NONE_MATCH, names::IF_MODIFIED_SINCE] {
                headers.remove(name);
            }
        }
        if let Some((object, _)) = &self.cache.stale {
            for (name, value) in rules::conditional_headers(object.head()) {
                headers.set(name, value);
            }
        }
        self.ask_for_missing(headers);
        let records = &self.txn.records;
        anonymize(headers, records);
        self.insert_client(headers);
        if records.flag(ids::HTTP_INSERT_REQUEST_VIA_STR) {
            append_via(headers, via_version(client.version), &self.thread.engine.via_id);
        }
        if let Some(protocol) = upgrade {
            headers.append(names::UPGRADE, protocol);
            headers.append(names::CONNECTION, "upgrade");
        } else if !records.flag(ids::HTTP_KEEP_ALIVE_ENABLED_OUT) {
            headers.append(names::CONNECTION, "close");
        }
        self.txn.proxy_request = Some(request);
    }

    /// Content-Length or Transfer-Encoding for the body that will be sent.
    fn frame_request(&self, headers: &mut HeaderBlock, chunked: bool) {
        if let Some(buffered) = &self.buffered {
            let total: usize = buffered.iter().map(bytes::Bytes::len).sum();
            headers.set(names::CONTENT_LENGTH, total.to_string());
        } else if chunked {
            headers.remove(names::CONTENT_LENGTH);
            headers.append(names::TRANSFER_ENCODING, "chunked");
        }
    }

    /// After SEND_REQUEST_HDR: whatever handlers made of the request, it is one request, framed by the body that will
    /// be sent, and names one host (RFC 9112 §3.2, §6.3).
    pub(crate) fn settle_proxy_request(&mut self) -> Result<(), Stop> {
        let length = match (self.given_body(), &self.buffered) {
            (Some(body), _) => Some(body.len() as u64),
            (None, Some(pieces)) => Some(pieces.iter().map(|p| p.len() as u64).sum()),
            (None, None) => self.client.body_remaining(),
        };
        let has_handlers = self.txn.has_handlers(TransactionHook::SendRequestHdr);
        let goes_to_parent = self.goes_to_parent();
        let Some(request) = &mut self.txn.proxy_request else { return Ok(()) };
        if !is_one_request(request) {
            return Err(self.error(
                ErrorKind::PluginFailed,
                "a plugin set an invalid method or target",
                false,
            ));
        }
        match request.url.form {
            // RFC 9112 §3.2.2: a proxy is asked with the whole URL, an origin with the path.
            Form::Origin | Form::Absolute if goes_to_parent => {
                request.url.form = Form::Absolute;
                request.url.scheme.get_or_insert(tollgate_http::Scheme::Http);
            }
            Form::Absolute => request.url.form = Form::Origin,
            _ => {}
        }
        request.version = Version::Http11;
        frame_by(&mut request.headers, length);
        if !request.headers.has(names::HOST) {
            let mut host = Vec::new();
            request.url.write_host_port(&mut host);
            request.headers.append(names::HOST, host);
        } else if has_handlers && let Some(host) = request.headers.get(names::HOST).map(<[u8]>::to_vec) {
            request.headers.set(names::HOST, host);
        }
        Ok(())
    }

    /// Who the client is: Client-ip, X-Forwarded-For, Forwarded.
    fn insert_client(&self, headers: &mut HeaderBlock) {
        let records = &self.txn.records;
        let addr = self.txn.client_addr().ip();
        let text = self.txn.session().client_ip_text();
        match records.int(ids::HTTP_INSERT_CLIENT_IP) {
            1 if !headers.has(names::CLIENT_IP) => headers.append(names::CLIENT_IP, text),
            2 => headers.set(names::CLIENT_IP, text),
            _ => {}
        }
        if records.flag(ids::HTTP_INSERT_SQUID_X_FORWARDED_FOR) {
            let mut value = Vec::new();
            for earlier in headers.get_all(names::X_FORWARDED_FOR) {
                value.extend_from_slice(earlier);
                value.extend_from_slice(b", ");
            }
            value.extend_from_slice(text.as_bytes());
            headers.set(names::X_FORWARDED_FOR, value);
        }
        let forwarded = records.str(ids::HTTP_INSERT_FORWARDED);
        if !forwarded.is_empty() && forwarded != "none" {
            headers.append(names::FORWARDED, self.forwarded(forwarded, addr));
        }
    }

    /// RFC 7239 element with the parameters that the record names.
    fn forwarded(&self, parameters: &str, addr: IpAddr) -> String {
        let quoted = |ip: IpAddr| if ip.is_ipv6() { format!("\"[{ip}]\"") } else { ip.to_string() };
        let parts = parameters.split(['|', ':', ';', ' ']).filter_map(|parameter| match parameter {
            "for" => Some(format!("for={}", quoted(addr))),
            "by=ip" => Some(format!("by={}", quoted(self.txn.session().local_addr().ip()))),
            "by=unknown" => Some("by=unknown".to_string()),
            "proto" => Some("proto=http".to_string()),
            "host" => {
                let mut host = Vec::new();
                self.txn.pristine_url.as_ref()?.write_host_port(&mut host);
                let host = String::from_utf8_lossy(&host).into_owned();
                Some(if host.contains([':', '[']) {
                    format!("host=\"{host}\"")
                } else {
                    format!("host={host}")
                })
            }
            _ => None,
        });
        parts.collect::<Vec<_>>().join(";")
    }
}

/// Content-Length or Transfer-Encoding for a body of `length` bytes; `None`: unknown.
pub(crate) fn frame_by(headers: &mut HeaderBlock, length: Option<u64>) {
    if length.is_some() {
        headers.remove(names::TRANSFER_ENCODING);
    }
    match length {
        Some(n) if framing::content_length(headers).is_ok_and(|have| have == (n > 0).then_some(n)) => {}
        // `Content-Length: 0` may stand, and says nothing where it does not.
        Some(0) if headers.get(names::CONTENT_LENGTH) == Some(b"0") => {
            headers.set(names::CONTENT_LENGTH, "0")
        }
        Some(0) => drop(headers.remove(names::CONTENT_LENGTH)),
        Some(n) => headers.set(names::CONTENT_LENGTH, n.to_string()),
        None => {
            headers.remove(names::CONTENT_LENGTH);
            headers.set(names::TRANSFER_ENCODING, "chunked");
        }
    }
}

/// Whether method and target can stand in a request line. The parser has seen to that; plugins set what they like.
fn is_one_request(request: &Request) -> bool {
    let is_plain = |text: &[u8]| text.iter().all(|b| *b > b' ' && *b != 0x7f);
    let is_method = match &request.method {
        Method::Other(token) => names::is_token(token.as_bytes()),
        Method::Connect => request.url.form == Form::Authority,
        _ => true,
    };
    is_method && is_plain(&request.url.path) && request.url.query.as_deref().is_none_or(is_plain)
}

/// Adds this proxy at the end of Via, in one line with those before it (RFC 9110 §7.6.3).
pub(crate) fn append_via(headers: &mut HeaderBlock, version: &str, name: &str) {
    let mut value = Vec::with_capacity(64);
    for earlier in headers.get_all(names::VIA) {
        value.extend_from_slice(earlier);
        value.extend_from_slice(b", ");
    }
    value.extend_from_slice(version.as_bytes());
    value.push(b' ');
    value.extend_from_slice(name.as_bytes());
    headers.set(names::VIA, value);
}

/// The received-protocol part of Via.
pub(crate) fn via_version(version: Version) -> &'static str {
    if version == Version::Http10 { "1.0" } else { "1.1" }
}

fn anonymize(headers: &mut HeaderBlock, records: &TxnRecords) {
    for (record, name) in [
        (ids::HTTP_ANONYMIZE_REMOVE_FROM, names::FROM),
        (ids::HTTP_ANONYMIZE_REMOVE_REFERER, names::REFERER),
        (ids::HTTP_ANONYMIZE_REMOVE_USER_AGENT, names::USER_AGENT),
        (ids::HTTP_ANONYMIZE_REMOVE_COOKIE, names::COOKIE),
        (ids::HTTP_ANONYMIZE_REMOVE_CLIENT_IP, names::CLIENT_IP),
    ] {
        if headers.has(name) && records.flag(record) {
            headers.remove(name);
        }
    }
    let others = records.str(ids::HTTP_ANONYMIZE_OTHER_HEADER_LIST);
    for name in others.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        headers.remove(name);
    }
    let agent = records.str(ids::HTTP_GLOBAL_USER_AGENT_HEADER);
    if !agent.is_empty() {
        headers.set(names::USER_AGENT, agent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(fields: &[(&str, &str)]) -> Vec<String> {
        let mut headers: HeaderBlock = fields.iter().copied().collect();
        strip_hop_by_hop(&mut headers);
        headers.iter().map(|f| String::from_utf8_lossy(f.name).into_owned()).collect()
    }

    #[test]
    fn hop_by_hop_fields_and_listed_ones_do_not_go_on() {
        let fields = [
            ("Connection", "close, X-Private"),
            ("X-Private", "1"),
            ("Keep-Alive", "5"),
            ("TE", "trailers"),
            ("X", "2"),
        ];
        assert_eq!(stripped(&fields), ["X"]);
        assert_eq!(stripped(&[("Keep-Alive", "5"), ("X", "2")]), ["X"]);
    }

    #[test]
    fn trusted_fields_cannot_be_listed_away() {
        let fields = [
            ("Connection", "Host, X-Forwarded-For, Authorization"),
            ("Host", "h"),
            ("X-Forwarded-For", "a"),
            ("Authorization", "b"),
        ];
        assert_eq!(stripped(&fields), ["Host", "X-Forwarded-For", "Authorization"]);
    }
}
