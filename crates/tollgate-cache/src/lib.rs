//! The cache: rules, key, alternates, RAM store, collapse of concurrent misses.
//!
//! Responsible for: whether a request may be looked up, a response stored, an object served (RFC 9110 §13-14,
//! RFC 9111, RFC 5861, RFC 8246, RFC 9213); the cache key; the RAM tier; one fetch shared by many transactions.
//! Not responsible for: sockets, the clock (`now` in seconds since 1970 is an argument), plugins, the origin.
//! Entry points: [`rules::request_policy`], [`RamStore::lookup`], [`rules::freshness`], [`Collapser::join`],
//! [`rules::store_decision`].
//! Invariants: rules are pure functions; a key is compared whole, so a hash collision can never serve a wrong
//! object; the RAM store never holds more bytes than its budget; no lock is held while a waker runs.
#![forbid(unsafe_code)]

pub mod control;
pub mod fill;
pub mod key;
pub mod object;
pub mod policy;
pub mod range;
pub mod rules;
pub mod status;
pub mod store;
mod targeted;
mod tokens;
pub mod vary;

pub use fill::{
    AbortReason, Collapser, FillAborted, FillFollower, FillLimits, FillReader, FillWriter, FollowerStart,
    HitForMiss, Role, VaryMismatch,
};
pub use key::CacheKey;
pub use object::{Body, StoredHead, StoredObject};
pub use policy::Policy;
pub use rules::{Freshness, NoStoreReason, RequestPolicy, StoreDecision, StoredMeta};
pub use store::{InsertError, Lookup, RamStore, RamStoreSettings, StoreStats};
