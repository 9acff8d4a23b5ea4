//! Why a transaction ended and what the cache did for it.
//!
//! Responsible for: the two enums that the access log, the metrics, `Cache-Status` and the tests share. Each
//! transaction ends with exactly one [`TransactionEnd`]; each has exactly one [`CacheOutcome`].
//! Not responsible for: deciding them (the transaction and the cache rules do).

/// Declares a field-less enum with one stable snake_case token per variant.
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
