//! A host and a transaction for unit tests of plugins, without a server.
//!
//! ```
//! use tollgate_plugin::mock::MockServer;
//! use tollgate_plugin::{Outcome, Plugin, PluginError, Registrar, TransactionHook, hooks};
//!
//! struct Tag;
//! impl Plugin for Tag {
//!     fn name(&self) -> &str { "tag" }
//!     fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
//!         registrar.on(hooks::ReadRequestHdr, |txn| {
//!             txn.client_request.headers.set("X-Tag", "1");
//!             Outcome::Continue
//!         });
//!         Ok(())
//!     }
//! }
//!
//! let server = MockServer::with(&Tag).expect("registers");
//! let mut txn = server.transaction("GET", "http://example.com/");
//! assert!(matches!(server.fire(TransactionHook::ReadRequestHdr, &mut txn), Outcome::Continue));
//! assert_eq!(txn.client_request.headers.get_str("X-Tag"), Some("1"));
//! ```

use crate::hooks::{GlobalHooks, TransactionHook, declare_server_points};
use crate::{
    FetchError, FetchRequest, FetchResponse, Host, LocalBoxFuture, LocalResponse, Outcome, Plugin,
    PluginError, Registrar, Session, Transaction, TransactionParts,
};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tollgate_config::records::{Records, TxnRecords};
use tollgate_hook::{OperatorRules, Registry};
use tollgate_http::{Method, Request, Url};

/// A host with prepared answers: no time passes, nothing is sent.
#[derive(Default)]
pub struct MockHost {
    answers: RefCell<HashMap<String, LocalResponse>>,
    fetched: RefCell<Vec<String>>,
    slept: Cell<Duration>,
    now: Cell<Duration>,
    spawned: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
}

impl MockHost {
    /// Prepares the answer to fetches of `url`.
    pub fn answer(&self, url: &str, response: LocalResponse) {
        self.answers.borrow_mut().insert(url.to_string(), response);
    }

    /// The URLs fetched so far.
    pub fn fetched(&self) -> Vec<String> {
        self.fetched.borrow().clone()
    }

    /// All sleeps together; they return at once and move the clock on.
    pub fn slept(&self) -> Duration {
        self.slept.get()
    }

    /// Runs what was spawned.
    pub fn run_spawned(&self) {
        let spawned = std::mem::take(&mut *self.spawned.borrow_mut());
        spawned.into_iter().for_each(run_to_end);
    }
}

impl Host for MockHost {
    fn fetch(&self, request: FetchRequest) -> LocalBoxFuture<'static, Result<FetchResponse, FetchError>> {
        let url = request.request.url.to_text();
        self.fetched.borrow_mut().push(url.clone());
        let answer = self.answers.borrow().get(&url).cloned();
        Box::pin(async move {
            let LocalResponse { response, body } = answer.ok_or(FetchError::Unavailable(url))?;
            Ok(FetchResponse { response, body: Box::new(body) })
        })
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        self.slept.set(self.slept.get() + duration);
        self.now.set(self.now.get() + duration);
        Box::pin(async {})
    }

    fn run_blocking_any(
        &self,
        work: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> LocalBoxFuture<'static, Option<Box<dyn Any + Send>>> {
        let result = work();
        Box::pin(async move { Some(result) })
    }

    fn spawn(&self, future: LocalBoxFuture<'static, ()>) {
        self.spawned.borrow_mut().push(future);
    }

    fn unix_time(&self) -> Duration {
        self.now.get()
    }
}

/// A plugin's handlers with a mock host behind them.
pub struct MockServer {
    /// The host that transactions get.
    pub host: Rc<MockHost>,
    hooks: GlobalHooks,
    records: Arc<Records>,
    session: Rc<Session>,
}

impl MockServer {
    /// Registers `plugin` as the only one.
    pub fn with(plugin: &dyn Plugin) -> Result<MockServer, PluginError> {
        let mut registry = Registry::new();
        TransactionHook::declare_all(&mut registry);
        declare_server_points(&mut registry);
        plugin.register(&mut Registrar::new(&mut registry, plugin.name()))?;
        let table = registry.seal(&OperatorRules::default()).map_err(|e| PluginError::new(e.to_string()))?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        Ok(MockServer {
            host: Rc::default(),
            hooks: GlobalHooks::from_table(&table),
            records: Arc::new(Records::default()),
            session: Session::new(1, addr, SocketAddr::from((Ipv4Addr::LOCALHOST, 80)), false),
        })
    }

    /// A transaction whose request is `method url` with a Host field. A malformed URL gives the path `/`.
    pub fn transaction(&self, method: &str, url: &str) -> Transaction {
        self.session.begin_transaction();
        let mut txn = Transaction::new(TransactionParts {
            id: self.session.transaction_count(),
            session: Rc::clone(&self.session),
            records: TxnRecords::new(Arc::clone(&self.records)),
            global_hooks: self.hooks.mask(),
            host: Rc::<MockHost>::clone(&self.host) as Rc<dyn Host>,
            started: std::time::Instant::now(),
        });
        let url: Url = url.parse().unwrap_or_else(|_| Url::origin(bytes::Bytes::new(), None));
        txn.client_request = Request::new(Method::from_token(method), url.clone());
        txn.client_request.headers.append("Host", &url.host);
        txn.pristine_url = Some(url);
        txn
    }

    /// Runs the handlers of one hook point in the engine's order until one does not continue.
    pub fn fire(&self, hook: TransactionHook, txn: &mut Transaction) -> Outcome {
        let mut ended = Outcome::Continue;
        run_to_end(async {
            for handler in self.hooks.list(hook).iter() {
                match handler.run(txn, &mut false).await {
                    Ok(Outcome::Continue) => {}
                    Ok(outcome) => {
                        ended = outcome;
                        return;
                    }
                    Err(_) => {
                        ended = Outcome::Fail;
                        return;
                    }
                }
            }
            let mut index = 0;
            let mut next = txn.handler(hook, index);
            while let Some((handler, _)) = next {
                ended = handler.run(txn, &mut false).await.unwrap_or(Outcome::Fail);
                if !matches!(ended, Outcome::Continue) {
                    return;
                }
                index += 1;
                next = txn.handler(hook, index);
            }
        });
        ended
    }
}

/// Runs a future that never really waits (the mock host's futures do not).
pub fn run_to_end<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks;

    struct Probe;
    impl Plugin for Probe {
        fn name(&self) -> &str {
            "probe"
        }
        fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), PluginError> {
            registrar.on_async(hooks::ReadRequestHdr, async |txn: &mut Transaction| {
                txn.sleep(Duration::from_secs(3)).await;
                txn.add_hook(hooks::SendResponseHdr, "probe", |txn| {
                    txn.proxy_response_mut().headers.set("X", "1");
                    Outcome::Continue
                });
                Outcome::Continue
            });
            registrar.on(hooks::PreRemap, |_| panic!("on purpose"));
            registrar.on(hooks::OsDns, |txn| {
                txn.status_override = 403;
                Outcome::Fail
            });
            Ok(())
        }
    }

    #[test]
    fn async_handlers_and_handlers_added_later_run() {
        let server = MockServer::with(&Probe).expect("registers");
        let mut txn = server.transaction("GET", "http://h/");
        assert!(matches!(server.fire(TransactionHook::ReadRequestHdr, &mut txn), Outcome::Continue));
        assert_eq!(server.host.slept(), Duration::from_secs(3));
        assert!(txn.has_handlers(TransactionHook::SendResponseHdr));
        server.fire(TransactionHook::SendResponseHdr, &mut txn);
        assert!(txn.proxy_response.is_some_and(|r| r.headers.contains("X")));
    }

    #[test]
    fn a_panic_is_a_failure_of_the_handler_only() {
        let server = MockServer::with(&Probe).expect("registers");
        let mut txn = server.transaction("GET", "http://h/");
        assert!(matches!(server.fire(TransactionHook::PreRemap, &mut txn), Outcome::Fail));
    }

    #[test]
    fn failing_answers_with_the_chosen_status() {
        let server = MockServer::with(&Probe).expect("registers");
        let mut txn = server.transaction("GET", "http://h/");
        assert!(matches!(server.fire(TransactionHook::OsDns, &mut txn), Outcome::Fail));
        assert_eq!(txn.failure_response().response.status, 403);
    }
}
