//! Error pages: the body factory.
//!
//! Responsible for: one table of the errors the proxy answers itself (ATS template name, status, text), the built-in
//! page, templates from a directory.
//! Not responsible for: which error it is (the transaction), SEND_RESPONSE_HDR.

use std::collections::HashMap;
use std::path::Path;
use tollgate_http::{Request, names, status};
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::LocalResponse;

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $id:ident = $status:literal, $template:literal, $end:ident, $title:literal;)+) => {
        /// An error that the proxy answers itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ErrorKind { $($(#[doc = $doc])+ $id,)+ }

        impl ErrorKind {
            /// Its status.
            pub(crate) const fn status(self) -> u16 {
                match self { $(ErrorKind::$id => $status,)+ }
            }
            /// The template's file name, Traffic Server's where it has one.
            const fn template(self) -> &'static str {
                match self { $(ErrorKind::$id => $template,)+ }
            }
            /// How the transaction ends.
            pub(crate) const fn end(self) -> TransactionEnd {
                match self { $(ErrorKind::$id => TransactionEnd::$end,)+ }
            }
            const fn text(self) -> &'static str {
                match self { $(ErrorKind::$id => $title,)+ }
            }
        }
    };
}

errors! {
    /// The request cannot be parsed.
    BadRequest = 400, "request#syntax_error", BadRequest, "The request could not be understood.";
    /// No or a malformed host.
    NoHost = 400, "request#no_host", BadRequest, "The request names no valid host.";
    /// A transfer coding other than chunked.
    UnknownCoding = 501, "transcoding#unsupported", BadRequest, "The request uses a transfer coding that is not supported.";
    /// Start line over its limit.
    UriTooLong = 414, "request#uri_len_too_long", BadRequest, "The request target is too long.";
    /// Header over its limits.
    HeaderTooLarge = 431, "request#header_too_large", BadRequest, "The request header is too large.";
    /// HTTP version.
    Version = 505, "request#version", BadRequest, "The HTTP version is not supported.";
    /// The client was too slow.
    RequestTimeout = 408, "timeout#activity", ClientTimeout, "The request did not arrive in time.";
    /// Request body over its limit.
    BodyTooLarge = 413, "request#body_too_large", BadRequest, "The request body is too large.";
    /// Max-Forwards is malformed.
    MaxForwards = 400, "request#max_forwards", BadRequest, "The Max-Forwards field is malformed.";
    /// The request came back to this proxy.
    Cycle = 400, "request#cycle_detected", BadRequest, "The request has already passed this proxy.";
    /// Expect with something else than 100-continue.
    Expectation = 417, "request#expectation", BadRequest, "The expectation cannot be met.";
    /// An access rule denied it.
    Denied = 403, "access#denied", Denied, "Access to this resource is denied.";
    /// CONNECT to a port that is not allowed.
    ConnectPort = 403, "access#ssl_forbidden", Denied, "Tunnels to this port are not allowed.";
    /// No remap rule matches.
    NotMapped = 404, "urlrouting#no_mapping", NotMapped, "Not found on this server.";
    /// only-if-cached without a stored response.
    OnlyIfCached = 504, "cache#not_in_cache", LocalResponse, "The response is not in the cache.";
    /// If-Match and the like.
    PreconditionFailed = 412, "request#precondition", LocalResponse, "A precondition of the request does not hold.";
    /// Name resolution failed.
    DnsFailed = 502, "connect#dns_failed", DnsFailed, "The server's name could not be resolved.";
    /// No address accepted a connection.
    ConnectFailed = 502, "connect#failed_connect", OriginConnectFailed, "The server could not be reached.";
    /// Connecting took too long.
    ConnectTimeout = 504, "timeout#connect", OriginTimeout, "The server could not be reached in time.";
    /// The origin closed without an answer.
    OriginClosed = 502, "connect#hangup", OriginReset, "The server closed the connection without an answer.";
    /// The origin's answer is malformed.
    OriginBad = 502, "response#bad_response", OriginBadResponse, "The server's response could not be understood.";
    /// The origin was too slow.
    OriginTimeout = 504, "timeout#inactivity", OriginTimeout, "The server did not answer in time.";
    /// The transaction took too long.
    ActiveTimeout = 504, "timeout#active", ActiveTimeout, "The request took too long.";
    /// A named limit.
    Overloaded = 503, "connect#overloaded", Overloaded, "The server is at its limit.";
    /// The host is marked as down.
    HostDown = 503, "congestion#retryAfter", OriginConnectFailed, "The origin is marked as down.";
    /// An intercept failed.
    InterceptFailed = 502, "plugin#intercept", PluginFailed, "A plugin could not answer.";
    /// A handler failed.
    PluginFailed = 500, "plugin#failed", PluginFailed, "A plugin failed.";
    /// A request transform failed.
    TransformFailed = 500, "plugin#transform", PluginFailed, "A plugin failed to transform the message.";
}

/// The templates of a generation.
#[derive(Debug, Default)]
pub(crate) struct BodyFactory {
    templates: HashMap<String, String>,
}

impl BodyFactory {
    /// Reads the template files of `dir`/default, if they are there. Files over `max_bytes` are left out.
    pub(crate) fn load(dir: &Path, max_bytes: usize) -> BodyFactory {
        let mut templates = HashMap::new();
        let Ok(entries) = std::fs::read_dir(dir.join("default")) else {
            return BodyFactory { templates };
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match std::fs::read_to_string(entry.path()) {
                Ok(text) if text.len() <= max_bytes && !name.starts_with('.') => {
                    templates.insert(name, text);
                }
                Ok(_) => {
                    tracing::warn!("body_factory: {name} is larger than {max_bytes} bytes and is not used")
                }
                Err(error) => tracing::warn!("body_factory: {name} cannot be read: {error}"),
            }
        }
        BodyFactory { templates }
    }

    /// The response for an error.
    pub(crate) fn page(&self, kind: ErrorKind, request: Option<&Request>, reason: &str) -> LocalResponse {
        let body = match self.templates.get(kind.template()).or_else(|| self.templates.get("default")) {
            Some(template) => fill(template, kind, request, reason),
            None => built_in(kind),
        };
        let mut page = LocalResponse::new(kind.status(), "text/html", body);
        page.response.headers.append(names::CACHE_CONTROL, "no-store");
        page.response.headers.append(names::CONTENT_LANGUAGE, "en");
        page
    }
}

fn built_in(kind: ErrorKind) -> String {
    let (code, reason, text) = (kind.status(), status::reason(kind.status()), kind.text());
    format!(
        "<!DOCTYPE html>\n<html><head><title>{code} {reason}</title></head>\n<body><h1>{reason}</h1>\n<p>{text}</p></body></html>\n"
    )
}

/// Replaces `%<field>`: pssc (status), cquc (URL), cqhm (method), crc (our reason), text.
fn fill(template: &str, kind: ErrorKind, request: Option<&Request>, reason: &str) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(start) = rest.find("%<") {
        out.push_str(&rest[..start]);
        let Some(len) = rest[start..].find('>') else { break };
        let field = &rest[start + 2..start + len];
        match field {
            "pssc" => out.push_str(&kind.status().to_string()),
            "cquc" => escape(&request.map(|r| r.url.to_text()).unwrap_or_default(), &mut out),
            "cqhm" => escape(request.map(|r| r.method.as_str()).unwrap_or_default(), &mut out),
            "crc" => escape(reason, &mut out),
            "text" => out.push_str(kind.text()),
            _ => {}
        }
        rest = &rest[start + len + 1..];
    }
    out.push_str(rest);
    out
}

/// HTML-escapes text that comes from outside.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_and_foreign_text_escaped() {
        let factory = BodyFactory {
            templates: [("access#denied".to_string(), "%<pssc> %<cquc> %<nothing>! 100%".to_string())].into(),
        };
        let request = Request::new(tollgate_http::Method::Get, "http://h/<b>".parse().expect("URL"));
        let page = factory.page(ErrorKind::Denied, Some(&request), "");
        assert_eq!(page.body, "403 http://h/&lt;b&gt; ! 100%");
        assert_eq!(page.response.status, 403);
    }

    #[test]
    fn there_is_a_page_without_templates() {
        let page = BodyFactory::default().page(ErrorKind::NotMapped, None, "");
        assert!(page.body.starts_with(b"<!DOCTYPE html>"));
        assert_eq!(page.response.headers.get(names::CACHE_CONTROL), Some(&b"no-store"[..]));
    }
}
