//! Plugins and their registration.

use crate::hooks::{AccessCheck, LogTransaction, TransactionHandler, TransactionHook, TransactionPoint};
use crate::{Outcome, RemapInstance, Step, Transaction};
use std::sync::Arc;
use tollgate_hook::{AllOutcome, HandlerFor, HookPoint, Order, Registry};

/// A native plugin. One value per line of plugin.config (or per rule, for remap instances).
pub trait Plugin: Send + Sync {
    /// The name used in configuration, edges, logs.
    fn name(&self) -> &str;

    /// Adds the global handlers. Called once per configuration generation, on the main thread.
    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError>;
}

/// Makes plugins from configuration lines. One per kind of plugin, known to the server by its name.
pub trait PluginFactory: Send + Sync {
    /// The name in plugin.config and `@plugin=`.
    fn name(&self) -> &str;

    /// What it does, one sentence.
    fn doc(&self) -> &str;

    /// A global plugin from the arguments of a plugin.config line.
    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        let _ = args;
        Err(PluginError::new(format!("{} cannot be used as a global plugin", self.name())))
    }

    /// A remap instance from the `@pparam=` of a rule. `from` and `to` are the rule's URLs.
    fn remap(&self, from: &str, to: &str, params: &[String]) -> Result<Box<dyn RemapInstance>, PluginError> {
        let _ = (from, to, params);
        Err(PluginError::new(format!("{} cannot be used as a remap plugin", self.name())))
    }
}

/// Why a plugin cannot be set up. The server adds file and line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PluginError(String);

impl PluginError {
    /// An error with that text: what is wrong and what to do.
    pub fn new(text: impl Into<String>) -> Self {
        PluginError(text.into())
    }
}

/// Where a plugin adds its global handlers.
pub struct Registrar<'r> {
    registry: &'r mut Registry,
    module: String,
    count: usize,
}

impl<'r> Registrar<'r> {
    /// A registrar for the plugin named `module`.
    pub fn new(registry: &'r mut Registry, module: &str) -> Self {
        Registrar { registry, module: module.to_string(), count: 0 }
    }

    /// Adds a handler that answers at once, at slot MIDDLE.
    pub fn on<P: TransactionPoint>(
        &mut self,
        point: P,
        handler: impl Fn(&mut Transaction) -> Outcome + Send + Sync + 'static,
    ) {
        self.on_ordered(point, Order::default(), handler);
    }

    /// Adds a handler that answers at once, with its place in the order.
    pub fn on_ordered<P: TransactionPoint>(
        &mut self,
        _point: P,
        order: Order,
        handler: impl Fn(&mut Transaction) -> Outcome + Send + Sync + 'static,
    ) {
        self.add::<P>(order, Arc::new(move |txn| Step::Ready(handler(txn))));
    }

    /// Adds an async handler: the transaction waits for it. Use an `async` closure.
    pub fn on_async<P: TransactionPoint>(
        &mut self,
        _point: P,
        handler: impl AsyncFn(&mut Transaction) -> Outcome + Send + Sync + 'static,
    ) {
        let handler = Arc::new(handler);
        self.add::<P>(
            Order::default(),
            Arc::new(move |txn| {
                let handler = Arc::clone(&handler);
                Step::Pending(Box::pin(async move { handler(txn).await }))
            }),
        );
    }

    /// Adds an access check ([`AccessCheck`]).
    pub fn on_access(
        &mut self,
        order: Order,
        check: impl Fn(&Transaction) -> AllOutcome<crate::hooks::Denied> + Send + Sync + 'static,
    ) {
        self.on_point::<AccessCheck>(order, move |txn| check(txn));
    }

    /// Adds a log handler ([`LogTransaction`]).
    pub fn on_log(&mut self, log: impl Fn(&Transaction) + Send + Sync + 'static) {
        self.on_point::<LogTransaction>(Order::default(), move |txn| log(txn));
    }

    /// Adds a handler to any hook point, one of this plugin's or another module's own included.
    pub fn on_point<P: HookPoint>(
        &mut self,
        order: Order,
        handler: impl for<'a> HandlerFor<'a, P> + Send + Sync + 'static,
    ) {
        let name = self.next_name();
        self.registry.register::<P>(&self.module, &name, order, handler);
    }

    /// Adds a handler to a transaction hook point that is known only when the program runs.
    pub fn on_hook(&mut self, hook: TransactionHook, handler: Arc<TransactionHandler>) {
        let name = self.next_name();
        hook.register(self.registry, &self.module, &name, Order::default(), handler);
    }

    /// Makes a hook point of this plugin known.
    pub fn declare<P: HookPoint>(&mut self) {
        self.registry.declare::<P>();
    }

    fn add<P: TransactionPoint>(&mut self, order: Order, handler: Arc<TransactionHandler>) {
        let name = self.next_name();
        P::HOOK.register(self.registry, &self.module, &name, order, handler);
    }

    fn next_name(&mut self) -> String {
        self.count += 1;
        self.count.to_string()
    }
}
