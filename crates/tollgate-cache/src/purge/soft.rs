//! The freshness of what a soft purge has made stale.

use crate::object::StoredHead;
use crate::policy::{Policy, WhenToRevalidate};
use crate::rules::{self, Freshness, RequestPolicy, StoredMeta};

impl StoredHead {
    /// Whether the object may be used for a request at `now`: the rules of freshness, with a lifetime that a soft
    /// purge has ended when it came.
    pub fn freshness(&self, now: i64, request: &RequestPolicy, policy: &Policy) -> Freshness {
        match self.stale_since() {
            None => rules::freshness_in_place(&self.meta_in_place(), now, request, policy),
            Some(since) => ended(self.meta(), since, now, request, policy),
        }
    }
}

/// As if the origin had given just the lifetime that was over at `since`: what staleness allows counts from then.
fn ended(mut meta: StoredMeta, since: i64, now: i64, request: &RequestPolicy, policy: &Policy) -> Freshness {
    let (lifetime, source) = meta.lifetime(policy);
    let lifetime = lifetime.min(meta.age(since));
    meta.control.max_age = Some(lifetime);
    if meta.control.s_maxage.is_some() {
        meta.control.s_maxage = Some(lifetime);
    }
    let mut policy = *policy;
    policy.guaranteed_min_lifetime = 0;
    if policy.when_to_revalidate == WhenToRevalidate::Never {
        policy.when_to_revalidate = WhenToRevalidate::WhenStale;
    }
    Freshness { source, ..rules::freshness(&meta, now, request, &policy) }
}
