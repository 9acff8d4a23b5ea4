//! The cache: rules, key, alternates, RAM store, collapse of concurrent misses.
//!
//! Responsible for: whether a request may be looked up, a response stored, an object served (RFC 9110 §13-14,
//! RFC 9111, RFC 5861, RFC 8246, RFC 9213); the cache key; the RAM tier; one fetch shared by many transactions.
//! Not responsible for: sockets, the clock (`now` in seconds since 1970 is an argument), plugins, the origin.
//! Entry points: [`rules::request_policy`], [`RamStore::lookup`], [`rules::freshness`], [`Collapser::join`],
//! [`rules::store_decision`].
//! Invariants: rules are pure functions; a key is compared whole, so a hash collision can never serve a wrong
//! object; the RAM store never holds more bytes than its budget; no lock is held while a waker runs.
//!
//! The way of a request that misses and of one that hits:
//!
//! ```
//! use std::sync::Arc;
//! use tollgate_cache::rules::{freshness, request_policy, store_decision};
//! use tollgate_cache::{
//!     CacheKey, Collapser, FillLimits, Lookup, Policy, RamStore, RamStoreSettings, Role, StoreDecision, StoredHead,
//! };
//! use tollgate_http::{Method, Request, Response};
//!
//! let store = RamStore::new(RamStoreSettings::default());
//! let collapser = Collapser::new(FillLimits::default());
//! let policy = Policy::default();
//! let request = Request::new(Method::Get, "http://www.example.com/".parse()?);
//! let wanted = request_policy(&request, &policy);
//! let key = CacheKey::for_url(&request.url, -1);
//! assert!(wanted.lookup && matches!(store.lookup(&key, &request), Lookup::Miss));
//!
//! let Role::Leader(mut fill) = collapser.join(&key) else { unreachable!("no other request") };
//! // Looked up once more here; then the request goes to the origin, which answers 40 ms later:
//! let (request_time, response_time) = (1_790_000_000, 1_790_000_000);
//! let mut response = Response::new(200);
//! response.headers.append("Cache-Control", "max-age=60");
//! match store_decision(&request, &response, response_time, &policy) {
//!     StoreDecision::Store { mut meta } => {
//!         meta.request_time = request_time;
//!         fill.publish_header(Arc::new(StoredHead::new(&request, &response, meta, policy.set_cookie)));
//!         fill.append("body".into());
//!         fill.finish(|object| assert!(store.insert(&key, Arc::clone(object)).is_ok()));
//!     }
//!     StoreDecision::Dont(reason) => {
//!         println!("not stored: {reason}");
//!         fill.uncacheable();
//!     }
//! }
//!
//! let Lookup::Found(object) = store.lookup(&key, &request) else { unreachable!("just stored") };
//! let verdict = freshness(&object.meta(), response_time + 3, &wanted, &policy);
//! assert!(verdict.may_serve_now() && verdict.age == 3 && verdict.ttl() == 57);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod control;
pub mod disk;
pub mod fill;
pub mod holdoff;
pub mod key;
pub mod multipart;
pub mod negotiate;
pub mod object;
pub mod part;
pub mod policy;
pub mod purge;
pub mod range;
pub mod rules;
pub mod status;
pub mod store;
mod targeted;
pub mod vary;

pub use fill::{
    AbortReason, Around, Collapser, FillAborted, FillFollower, FillLimits, FillPiece, FillReader, FillWriter,
    FollowerStart, HitForMiss, Role, Unshareable, VaryMismatch,
};
pub use holdoff::Holdoff;
pub use key::CacheKey;
pub use object::{Body, StoredHead, StoredObject};
pub use policy::Policy;
pub use purge::{Born, Effect, Purges, Standing, Target};
pub use rules::{Freshness, RequestPolicy, StoreDecision, StoredMeta};
pub use store::{InsertError, Lookup, RamStore, RamStoreSettings, StoreStats, Sweep};
pub use tollgate_obs::outcome::CacheReason;
