//! The decisions of a shared cache (RFC 9110 §13, RFC 9111, RFC 5861, RFC 8246), as pure functions.
//!
//! Responsible for: may the cache be asked, may the response be stored, may the object be served, how it is
//! validated, what a 304 changes, what an unsafe request invalidates.
//! Not responsible for: choosing the alternate (`vary`), keeping objects (`store`), I/O, time (an argument).
//! Each decision ends in an enum with a stable token, so that log, `Cache-Status` and tests say the same.

mod freshness;
mod invalidate;
mod preconditions;
mod request;
mod storing;
mod validate;

pub(crate) use freshness::freshness_in_place;
pub use freshness::{AgeParts, FreshState, Freshness, LifetimeSource, Stale, StoredMeta, freshness};
pub use invalidate::{Invalidated, invalidates, invalidation_targets};
pub use preconditions::{EntityTag, Preconditions, etag_list_matches, evaluate_preconditions};
pub use request::{RequestPolicy, request_policy};
pub use storing::{StoreDecision, store_decision, stored_headers};
pub use validate::{conditional_headers, head_contradicts, headers_for_304, merge_304, validates};
