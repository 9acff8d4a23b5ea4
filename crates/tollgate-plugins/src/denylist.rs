//! `denylist HOST...`: refuses requests for listed hosts and their subdomains with 403.
//!
//! Shows how one handler decides and another, added to the same transaction, words the answer. It works as Traffic
//! Server's classic blacklist example does: the decision falls at OS_DNS, when the request is about to leave for an
//! origin; there the handler ends the transaction with [`Outcome::Fail`]. The failure's response still passes
//! SEND_RESPONSE_HDR, where the added handler gives it its status and body.
//!
//! Both hosts of a request count: the one the client named, and the one that the remap rules made of it. Requests
//! that the cache can answer never come to OS_DNS, so what is stored stays readable.
//!
//! ```text
//! plugin.config:  denylist ads.example tracker.example
//! ```

use std::collections::HashSet;
use std::sync::Arc;
use tollgate_plugin::{Outcome, Plugin, PluginError, PluginFactory, Registrar, Transaction, hooks};

const NAME: &str = "denylist";

/// The body of refusals.
const BODY: &str = "<html><head><title>Forbidden</title></head>\n<body><h1>Forbidden</h1>\n\
                    <p>This site may not be visited through this proxy.</p></body></html>\n";

/// Makes `denylist` plugins.
#[derive(Debug)]
pub struct DenylistFactory;

impl PluginFactory for DenylistFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Refuses requests that would go to a listed host or a subdomain of one: denylist HOST..."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        if args.is_empty() {
            return Err(PluginError::new(format!("{NAME} needs at least one HOST to refuse")));
        }
        let hosts = args.iter().map(|host| parse_host(host)).collect::<Result<_, _>>()?;
        Ok(Box::new(Denylist(Arc::new(Hosts(hosts)))))
    }
}

/// A host without scheme, port or path, in the form in which it is compared.
fn parse_host(text: &str) -> Result<String, PluginError> {
    let host = normal_host(text.as_bytes());
    let is_literal = host.starts_with('[') && host.ends_with(']');
    let allowed = |c: char| match c {
        '.' | '-' | '_' => true,
        '[' | ']' | ':' => is_literal,
        c => c.is_alphanumeric(),
    };
    if host.is_empty() || host.starts_with('.') || !host.chars().all(allowed) {
        return Err(PluginError::new(format!(
            "{NAME}: {text:?} is no host: write it as in ads.example, without scheme, port, path or wildcard \
             (subdomains are included)"
        )));
    }
    Ok(host)
}

/// Lower case, without the dot that may end a fully qualified name.
fn normal_host(host: &[u8]) -> String {
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    host.strip_suffix('.').map_or_else(|| host.clone(), str::to_string)
}

/// The refused hosts.
struct Hosts(HashSet<String>);

impl Hosts {
    /// Whether `host`, or a domain that it lies in, is listed.
    fn contains(&self, host: &[u8]) -> bool {
        let host = normal_host(host);
        let mut domain = Some(host.as_str());
        while let Some(name) = domain {
            if self.0.contains(name) {
                return true;
            }
            domain = name.split_once('.').map(|(_, parent)| parent);
        }
        false
    }

    fn refuse(&self, txn: &Transaction) -> bool {
        let named = txn.pristine_url.as_ref().is_some_and(|url| self.contains(&url.host));
        named || self.contains(&txn.client_request.url.host)
    }
}

struct Denylist(Arc<Hosts>);

impl Plugin for Denylist {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        let hosts = Arc::clone(&self.0);
        registrar.on(hooks::OsDns, move |txn| {
            if !hosts.refuse(txn) {
                return Outcome::Continue;
            }
            txn.add_hook(hooks::SendResponseHdr, NAME, forbid);
            Outcome::Fail
        });
        Ok(())
    }
}

/// Makes the failure's response a refusal.
fn forbid(txn: &mut Transaction) -> Outcome {
    let response = txn.proxy_response_mut();
    response.status = 403;
    response.reason = None;
    txn.set_error_body("text/html", BODY);
    Outcome::Continue
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{refused, server};
    use tollgate_plugin::TransactionHook::{OsDns, SendResponseHdr};
    use tollgate_plugin::mock::MockServer;

    fn denies(server: &MockServer, url: &str) -> bool {
        let mut txn = server.transaction("GET", url);
        matches!(server.fire(OsDns, &mut txn), Outcome::Fail)
    }

    #[test]
    fn listed_hosts_and_their_subdomains_are_refused() {
        let server = server(&DenylistFactory, &["Ads.example", "10.0.0.1", "[::1]"]);
        for url in [
            "http://ads.example/",
            "http://ADS.example:8080/x",
            "http://a.b.ads.example/",
            "http://ads.example./",
            "http://10.0.0.1/",
            "http://[::1]:80/",
        ] {
            assert!(denies(&server, url), "{url}");
        }
        for url in
            ["http://badads.example/", "http://example/", "http://ads.example.org/", "http://10.0.0.2/"]
        {
            assert!(!denies(&server, url), "{url}");
        }
    }

    #[test]
    fn the_host_before_and_the_host_after_remapping_count() {
        let server = server(&DenylistFactory, &["ads.example"]);
        let mut txn = server.transaction("GET", "http://ads.example/");
        txn.client_request.url = "http://10.0.0.1/".parse().expect("a URL");
        assert!(matches!(server.fire(OsDns, &mut txn), Outcome::Fail));
        let mut txn = server.transaction("GET", "http://public.example/");
        txn.client_request.url = "http://ads.example/".parse().expect("a URL");
        assert!(matches!(server.fire(OsDns, &mut txn), Outcome::Fail));
    }

    #[test]
    fn a_refusal_is_a_403_with_a_page() {
        let server = server(&DenylistFactory, &["ads.example"]);
        let mut txn = server.transaction("GET", "http://ads.example/");
        server.fire(OsDns, &mut txn);
        txn.proxy_response = Some(Box::new(txn.failure_response().response));
        assert!(matches!(server.fire(SendResponseHdr, &mut txn), Outcome::Continue));
        assert_eq!(txn.proxy_response_mut().status, 403);
        let (content_type, body) = txn.take_error_body().expect("an error body");
        assert_eq!(content_type, "text/html");
        assert!(body.starts_with(b"<html>"));
    }

    #[test]
    fn other_transactions_get_no_handler() {
        let server = server(&DenylistFactory, &["ads.example"]);
        let mut txn = server.transaction("GET", "http://example.com/");
        assert!(matches!(server.fire(OsDns, &mut txn), Outcome::Continue));
        assert!(!txn.has_handlers(SendResponseHdr));
    }

    #[test]
    fn entries_that_are_no_hosts_are_refused() {
        assert!(refused(&DenylistFactory, &[]).contains("at least one HOST"));
        for bad in ["", ".", "http://ads.example/", "ads.example:80", "*.example", ".example", "a b"] {
            let error = refused(&DenylistFactory, &["good.example", bad]);
            assert!(error.contains(&format!("{bad:?} is no host")), "{error}");
        }
    }
}
