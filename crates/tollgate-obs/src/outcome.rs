//! Why a transaction ended and what the cache did for it.
//!
//! Responsible for: the enums that the access log, the metrics, `Cache-Status` and the tests share. Each
//! transaction ends with exactly one [`TransactionEnd`]; each has exactly one [`CacheOutcome`],
//! and at most one [`CacheReason`] for it.
//! Not responsible for: deciding them (the transaction and the cache rules do).

/// Declares a field-less enum with one stable token per variant, as logs, metrics and `Cache-Status` show it.
#[macro_export]
macro_rules! tokens {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $token:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every variant, in declaration order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The stable token used in logs, metrics and tests.
            pub const fn token(self) -> &'static str {
                match self { $($name::$variant => $token,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.token())
            }
        }
    };
}

tokens! {
    /// The single reason a transaction ended.
    TransactionEnd {
        /// The response was delivered completely.
        Completed = "completed",
        /// A blind tunnel (CONNECT or an accepted Upgrade) ran until one side closed it.
        Tunnelled = "tunnelled",
        /// The request could not be parsed or its framing was refused.
        BadRequest = "bad_request",
        /// The client did not send its header or body in time.
        ClientTimeout = "client_timeout",
        /// The client closed or reset its connection before the response was complete.
        ClientAborted = "client_aborted",
        /// An access rule denied the request.
        Denied = "denied",
        /// No remap rule matched and one is required.
        NotMapped = "not_mapped",
        /// A redirect rule answered.
        Redirected = "redirected",
        /// A plugin answered instead of the origin.
        PluginResponded = "plugin_responded",
        /// A plugin failed the transaction.
        PluginFailed = "plugin_failed",
        /// The proxy answered by itself (TRACE, OPTIONS with Max-Forwards, a precondition, only-if-cached).
        LocalResponse = "local_response",
        /// The origin's name could not be resolved.
        DnsFailed = "dns_failed",
        /// No origin address accepted a connection.
        OriginConnectFailed = "origin_connect_failed",
        /// The origin did not answer in time.
        OriginTimeout = "origin_timeout",
        /// The origin closed or reset before a complete response header.
        OriginReset = "origin_reset",
        /// The origin's response could not be parsed or its framing was refused.
        OriginBadResponse = "origin_bad_response",
        /// The origin's body ended early; the client saw an aborted body.
        OriginBodyAborted = "origin_body_aborted",
        /// A named limit refused the request.
        Overloaded = "overloaded",
        /// The transaction's active timeout ran out.
        ActiveTimeout = "active_timeout",
        /// The server was draining.
        ShutDown = "shut_down",
        /// A fault of the proxy itself.
        Internal = "internal",
    }
}

tokens! {
    /// What the cache did for a transaction.
    CacheOutcome {
        /// Not looked up (method, configuration, intercept, tunnel).
        Skipped = "skipped",
        /// Looked up, nothing usable stored; the origin answered.
        Miss = "miss",
        /// A fresh object was served.
        Hit = "hit",
        /// A stale object was validated by a 304 and served.
        Revalidated = "revalidated",
        /// A stale object was replaced by the origin's new response.
        Refreshed = "refreshed",
        /// A stale object was served because the origin failed.
        StaleOnError = "stale_on_error",
        /// A stale object was served while it is being revalidated.
        StaleWhileRevalidate = "stale_while_revalidate",
        /// Another transaction's fetch of the same key was shared.
        Collapsed = "collapsed",
        /// `only-if-cached` could not be satisfied.
        OnlyIfCachedMiss = "only_if_cached_miss",
    }
}

tokens! {
    /// Why the cache did what it did: the reason behind a [`CacheOutcome`].
    CacheReason {
        // Why it was not looked up.
        /// The cache is switched off.
        Disabled = "disabled",
        /// The method is not answered from the cache, its responses are not stored.
        Method = "method",
        /// The request has a body, which the key does not cover.
        RequestBody = "request_body",
        /// The URL looks dynamic and such URLs are not cached.
        LooksDynamic = "looks_dynamic",
        /// Range requests are not looked up.
        Range = "range",
        /// Only the origin may judge the request's condition.
        OriginPrecondition = "origin_precondition",
        /// The connection is to become a tunnel.
        Upgrade = "upgrade",
        /// A rule of `cache.config`.
        Rule = "rule",
        /// A plugin.
        Plugin = "plugin",

        // Why what was found could be used, or not.
        /// Younger than its lifetime.
        Fresh = "fresh",
        /// As old as its lifetime or older.
        Expired = "expired",
        /// Its own `no-cache`.
        NoCache = "no_cache",
        /// The client's `no-cache`.
        ClientNoCache = "client_no_cache",
        /// Older than the client's `max-age`.
        ClientMaxAge = "client_max_age",
        /// Less lifetime left than the client's `min-fresh`.
        ClientMinFresh = "client_min_fresh",
        /// Stale, but not more than the client's `max-stale`.
        ClientMaxStale = "client_max_stale",
        /// The configuration demands validation.
        ConfigRevalidate = "config_revalidate",
        /// The configuration keeps it from going stale.
        ConfigNeverStale = "config_never_stale",
        /// The origin did not answer.
        OriginUnreachable = "origin_unreachable",
        /// The origin answered with an error.
        OriginError = "origin_error",

        // Why the response was not stored.
        /// The client's `no-store`.
        RequestNoStore = "request_no_store",
        /// An interim (1xx) response.
        Interim = "interim",
        /// A 206 that cannot be kept as a part.
        Partial = "partial",
        /// The answer to a range request is neither a part nor the whole, or such answers are not stored.
        RangeRequest = "range_request",
        /// A 304 that updates nothing stored.
        NotModified = "not_modified",
        /// `must-understand` with a status this cache does not know.
        StatusNotUnderstood = "status_not_understood",
        /// The response's `no-store`.
        NoStore = "no_store",
        /// The response's `private`.
        Private = "private",
        /// The request carried `Authorization` and the response does not allow sharing.
        Authorization = "authorization",
        /// `Vary: *`
        VaryStar = "vary_star",
        /// Cookies in the exchange.
        Cookies = "cookies",
        /// `Set-Cookie` in the response.
        SetCookie = "set_cookie",
        /// Neither an explicit lifetime nor a status with heuristic caching.
        NoLifetime = "no_lifetime",
        /// Already stale and without a validator.
        NothingToReuse = "nothing_to_reuse",
        /// A header that the configuration requires is missing.
        RequiredHeaders = "required_headers",
        /// Larger than the largest object allowed.
        TooLarge = "too_large",
    }
}
