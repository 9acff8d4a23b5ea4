//! `request-id [keep]`: gives each request an X-Request-Id that origin, client and logs share.
//!
//! Shows per-transaction state: what one handler finds out and a later one needs is kept in the transaction's
//! contexts, under a type of the plugin's own, so that plugins cannot meet there by accident. It is dropped with the
//! transaction.
//!
//! An id is a random number, drawn once when the configuration is read, and a counter: unique over restarts and
//! servers, and two ids of one server tell which request came first. With `keep`, an id that the client sent (another
//! proxy in front, say) is used if it is of reasonable length and plain characters; without it, it is replaced.
//!
//! ```text
//! plugin.config:  request-id keep
//! ```

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tollgate_http::HeaderBlock;
use tollgate_plugin::{Outcome, Plugin, PluginError, PluginFactory, Registrar, hooks};

const NAME: &str = "request-id";

const FIELD: &str = "X-Request-Id";

/// The longest id of a client that is kept.
const MAX_KEPT_BYTES: usize = 128;

/// Makes `request-id` plugins.
#[derive(Debug)]
pub struct RequestIdFactory;

impl PluginFactory for RequestIdFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Sets X-Request-Id on requests and responses, with the argument `keep` to the client's own if it sent one."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        let keep = match args {
            [] => false,
            [word] if word == "keep" => true,
            _ => {
                return Err(PluginError::new(format!(
                    "{NAME} takes no argument or the word `keep`, not {:?}",
                    args.join(" ")
                )));
            }
        };
        // The standard library seeds its hash maps from the system's random numbers.
        let prefix = RandomState::new().hash_one(NAME);
        Ok(Box::new(RequestIds(Arc::new(Source { prefix, next: AtomicU64::new(0), keep }))))
    }
}

/// The type under which a transaction keeps its id.
struct RequestId(Rc<str>);

/// Where ids come from.
struct Source {
    prefix: u64,
    next: AtomicU64,
    keep: bool,
}

impl Source {
    fn id_for(&self, headers: &HeaderBlock) -> Rc<str> {
        match headers.get_str(FIELD) {
            Some(id) if self.keep && is_reasonable(id) => id.into(),
            _ => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                format!("{:016x}-{number}", self.prefix).into()
            }
        }
    }
}

fn is_reasonable(id: &str) -> bool {
    (1..=MAX_KEPT_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

struct RequestIds(Arc<Source>);

impl Plugin for RequestIds {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        let source = Arc::clone(&self.0);
        registrar.on(hooks::ReadRequestHdr, move |txn| {
            let id = source.id_for(&txn.client_request.headers);
            txn.client_request.headers.set(FIELD, &*id);
            txn.contexts().insert(RequestId(id));
            Outcome::Continue
        });
        registrar.on(hooks::SendResponseHdr, |txn| {
            // A request that was refused before its header was complete has no id.
            let id = txn.contexts().get::<RequestId>().map(|id| Rc::clone(&id.0));
            if let Some(id) = id {
                txn.proxy_response_mut().headers.set(FIELD, &*id);
            }
            Outcome::Continue
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{refused, server};
    use tollgate_plugin::TransactionHook::{ReadRequestHdr, SendResponseHdr};
    use tollgate_plugin::mock::MockServer;

    /// The ids on the request to the origin and on the response, which has one already.
    fn ids(server: &MockServer, from_client: Option<&str>) -> (String, String) {
        let mut txn = server.transaction("GET", "http://h/");
        if let Some(id) = from_client {
            txn.client_request.headers.append(FIELD, id);
        }
        server.fire(ReadRequestHdr, &mut txn);
        txn.proxy_response_mut().headers.append(FIELD, "that of a stored response");
        server.fire(SendResponseHdr, &mut txn);
        let text = |headers: &HeaderBlock| headers.get_str(FIELD).expect("an id").to_string();
        (text(&txn.client_request.headers), text(&txn.proxy_response_mut().headers))
    }

    #[test]
    fn request_and_response_share_an_id_that_no_other_has() {
        let server = server(&RequestIdFactory, &[]);
        let (first, second) = (ids(&server, None), ids(&server, Some("from-client")));
        assert_eq!(first.0, first.1);
        assert_eq!(second.0, second.1);
        assert_ne!(first.0, second.0);
        assert_ne!(second.0, "from-client");
        assert_eq!(first.0.split_once('-').map(|(p, n)| (p.len(), n)), Some((16, "0")));
    }

    #[test]
    fn reasonable_ids_of_clients_are_kept_when_asked_for() {
        let server = server(&RequestIdFactory, &["keep"]);
        assert_eq!(ids(&server, Some("from-client")).1, "from-client");
        for bad in ["", "two words", &"x".repeat(MAX_KEPT_BYTES + 1)] {
            assert_ne!(ids(&server, Some(bad)).1, bad);
        }
    }

    #[test]
    fn a_response_without_a_request_has_no_id() {
        let server = server(&RequestIdFactory, &[]);
        let mut txn = server.transaction("GET", "http://h/");
        server.fire(SendResponseHdr, &mut txn);
        assert!(txn.proxy_response.is_none());
    }

    #[test]
    fn other_arguments_are_refused() {
        assert!(refused(&RequestIdFactory, &["trust"]).contains("not \"trust\""));
    }
}
