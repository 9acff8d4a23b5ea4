//! The native plugin contract.
//!
//! Responsible for: what a plugin sees (transaction, session, messages, bodies), where it may take part (hook
//! points, remap, transforms, intercepts, data sinks), what it may answer, and a mock host to test it without a
//! server.
//! Not responsible for: running any of it (the engine does), C plugins.
//! Threads: handlers are shared by all event threads (`Send + Sync`); a transaction, its bodies and the futures
//! made from it stay on one event thread. Nothing here locks while plugin code runs.
//!
//! ```
//! use tollgate_plugin::{Outcome, Plugin, PluginError, Registrar, Transaction, hooks};
//!
//! struct Greeting(String);
//!
//! impl Plugin for Greeting {
//!     fn name(&self) -> &str { "greeting" }
//!     fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
//!         let text = self.0.clone();
//!         registrar.on(hooks::SendResponseHdr, move |txn: &mut Transaction| {
//!             txn.proxy_response_mut().headers.set("X-Greeting", &text);
//!             Outcome::Continue
//!         });
//!         Ok(())
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

pub mod body;
mod context;
pub mod hooks;
pub mod host;
mod intercept;
pub mod mock;
mod origin;
mod outcome;
mod plugin;
mod remap;
mod session;
mod transaction;

pub use body::{Body, BodyError, BodyTransform, DataSink};
pub use context::Contexts;
pub use hooks::{Step, TransactionHandler, TransactionHook};
pub use host::{FetchError, FetchRequest, FetchResponse, Host, HostExt};
pub use intercept::{Intercept, InterceptError, InterceptResponse};
pub use origin::{OriginFacts, OriginWishes};
pub use outcome::{LocalResponse, Outcome};
pub use plugin::{Plugin, PluginError, PluginFactory, Registrar};
pub use remap::{RemapInstance, RemapStatus};
pub use session::Session;
pub use transaction::{ByteCounts, CacheLookup, Transaction, TransactionParts};

pub use tollgate_hook::{Order, slot};

/// A future that stays on its event thread.
pub type LocalBoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;
