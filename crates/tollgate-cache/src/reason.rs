//! The decisions of the rules as reasons for log, metrics and `Cache-Status`.
//!
//! Responsible for: the one reason that each variant of [`LookupSkip`], [`NoStoreReason`] and [`FreshnessReason`] is.
//! Invariant: the token stays the same.

use crate::rules::{FreshnessReason, LookupSkip, NoStoreReason};
use tollgate_obs::outcome::CacheReason;

macro_rules! reasons {
    ($($from:ident { $($variant:ident),+ $(,)? })+) => {$(
        impl From<$from> for CacheReason {
            fn from(reason: $from) -> CacheReason {
                match reason { $($from::$variant => CacheReason::$variant,)+ }
            }
        }
    )+};
}

reasons! {
    LookupSkip { Disabled, Method, RequestBody, LooksDynamic, Range, OriginPrecondition }
    NoStoreReason {
        Disabled, Method, RequestBody, LooksDynamic, RequestNoStore, Interim, Partial, RangeRequest, NotModified,
        StatusNotUnderstood, NoStore, Private, Authorization, VaryStar, Cookies, SetCookie, NoLifetime,
        NothingToReuse, RequiredHeaders, TooLarge,
    }
    FreshnessReason {
        Fresh, Expired, NoCache, ClientNoCache, ClientMaxAge, ClientMinFresh, ConfigRevalidate, ConfigNeverStale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_its_token() {
        for skip in LookupSkip::ALL {
            assert_eq!(CacheReason::from(*skip).token(), skip.token());
        }
        for reason in NoStoreReason::ALL {
            assert_eq!(CacheReason::from(*reason).token(), reason.token());
        }
        for reason in FreshnessReason::ALL {
            assert_eq!(CacheReason::from(*reason).token(), reason.token());
        }
    }
}
