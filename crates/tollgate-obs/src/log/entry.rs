//! What the access log knows of one transaction.
//!
//! Responsible for: the entry and the codes derived from it in Traffic Server's words.
//! Not responsible for: the look of a line.
//! Invariants: an entry borrows or owns each text, so filling one from a live message copies nothing.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::outcome::{CacheOutcome, CacheReason, TransactionEnd};

/// One transaction, as the access log sees it.
///
/// Texts are raw bytes as received; escaping is the format's business. `LogEntry<'static>` owns all its texts.
#[derive(Clone, Debug)]
pub struct LogEntry<'a> {
    /// The client's address; port 0 if it has none.
    pub client_addr: SocketAddr,
    /// The authenticated user, if the request was authenticated.
    pub user: Option<Cow<'a, [u8]>>,
    /// The request method; empty if no request line was understood.
    pub method: Cow<'a, [u8]>,
    /// The request target as received.
    pub request_target: Cow<'a, [u8]>,
    /// The absolute URL of the client request before remapping; empty if it could not be formed.
    pub url: Cow<'a, [u8]>,
    /// Major and minor version of the request's protocol; major 0 if none was sent.
    pub version: (u8, u8),
    /// The status sent to the client; 0 if none was sent.
    pub status: u16,
    /// The response's content type, parameters included.
    pub content_type: Option<Cow<'a, [u8]>>,
    /// Bytes received from the client for this transaction, header included.
    pub request_bytes: u64,
    /// Bytes sent to the client for this transaction, header and framing included.
    pub response_bytes: u64,
    /// Bytes of response content sent to the client.
    pub response_body_bytes: u64,
    /// When the transaction began, since 1970-01-01 UTC.
    pub started_unix: Duration,
    /// How long it took, until the last byte was handed to the client's connection.
    pub elapsed: Duration,
    /// The request's `Referer`.
    pub referer: Option<Cow<'a, [u8]>>,
    /// The request's `User-Agent`.
    pub user_agent: Option<Cow<'a, [u8]>>,
    /// Why the transaction ended.
    pub end: TransactionEnd,
    /// What the cache did.
    pub cache_outcome: CacheOutcome,
    /// Why it did that, if there is more to say than the outcome.
    pub cache_reason: Option<CacheReason>,
    /// Whether a hit was served from memory.
    pub is_ram_hit: bool,
    /// Which kind of next hop was asked.
    pub hierarchy: Hierarchy,
    /// The name of the next hop that was asked; `None` if none was.
    pub next_hop: Option<Cow<'a, [u8]>>,
}

impl Default for LogEntry<'_> {
    /// An entry of which nothing is known; for filling in with `..LogEntry::default()`.
    fn default() -> Self {
        Self {
            client_addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            user: None,
            method: Cow::Borrowed(b""),
            request_target: Cow::Borrowed(b""),
            url: Cow::Borrowed(b""),
            version: (0, 0),
            status: 0,
            content_type: None,
            request_bytes: 0,
            response_bytes: 0,
            response_body_bytes: 0,
            started_unix: Duration::ZERO,
            elapsed: Duration::ZERO,
            referer: None,
            user_agent: None,
            end: TransactionEnd::Completed,
            cache_outcome: CacheOutcome::Skipped,
            cache_reason: None,
            is_ram_hit: false,
            hierarchy: Hierarchy::None,
            next_hop: None,
        }
    }
}

impl LogEntry<'_> {
    /// The cache result code that Traffic Server's logs would show.
    pub const fn cache_result(&self) -> CacheResult {
        CacheResult::of(self.end, self.cache_outcome, self.status, self.is_ram_hit)
    }

    /// The same entry with all texts owned.
    pub fn into_owned(self) -> LogEntry<'static> {
        let own = |text: Cow<'_, [u8]>| Cow::Owned(text.into_owned());
        LogEntry {
            user: self.user.map(own),
            method: own(self.method),
            request_target: own(self.request_target),
            url: own(self.url),
            content_type: self.content_type.map(own),
            referer: self.referer.map(own),
            user_agent: self.user_agent.map(own),
            next_hop: self.next_hop.map(own),
            client_addr: self.client_addr,
            version: self.version,
            status: self.status,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            response_body_bytes: self.response_body_bytes,
            started_unix: self.started_unix,
            elapsed: self.elapsed,
            end: self.end,
            cache_outcome: self.cache_outcome,
            cache_reason: self.cache_reason,
            is_ram_hit: self.is_ram_hit,
            hierarchy: self.hierarchy,
        }
    }
}

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $token:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// The word in the log.
            pub const fn token(self) -> &'static str {
                match self { $(Self::$variant => $token,)+ }
            }
        }
    };
}

codes! {
    /// The route to the answer, in Squid's words.
    Hierarchy {
        /// No next hop was asked.
        None = "NONE",
        /// The origin was asked.
        Direct = "DIRECT",
        /// A parent proxy was asked.
        Parent = "PARENT_HIT",
    }
}

codes! {
    /// Traffic Server's cache result codes (`crc`), as far as they can arise here.
    CacheResult {
        /// A stored object was served.
        Hit = "TCP_HIT",
        /// A stored object was served from memory.
        MemHit = "TCP_MEM_HIT",
        /// A conditional request was answered 304 from the cache.
        ImsHit = "TCP_IMS_HIT",
        /// Another request's fetch of the object was shared.
        CfHit = "TCP_CF_HIT",
        /// The answer came from the origin or the proxy itself.
        Miss = "TCP_MISS",
        /// A redirect rule answered.
        MissRedirect = "TCP_MISS_REDIRECT",
        /// A stale object was confirmed by the origin and served.
        RefreshHit = "TCP_REFRESH_HIT",
        /// A stale object was replaced by the origin's new one.
        RefreshMiss = "TCP_REFRESH_MISS",
        /// A stale object was served because the origin failed.
        RefFailHit = "TCP_REF_FAIL_HIT",
        /// The client left before the response was complete.
        ErrClientAbort = "ERR_CLIENT_ABORT",
        /// The client's request could not be read in time.
        ErrClientReadError = "ERR_CLIENT_READ_ERROR",
        /// The request was refused for its syntax or framing.
        ErrInvalidReq = "ERR_INVALID_REQ",
        /// No remap rule matched.
        ErrInvalidUrl = "ERR_INVALID_URL",
        /// Service was denied by a rule, a limit or shutdown.
        ErrProxyDenied = "ERR_PROXY_DENIED",
        /// The origin's name could not be resolved.
        ErrDnsFail = "ERR_DNS_FAIL",
        /// The origin could not be reached.
        ErrConnectFail = "ERR_CONNECT_FAIL",
        /// The origin did not answer in time.
        ErrReadTimeout = "ERR_READ_TIMEOUT",
        /// The origin's response was broken or cut short.
        ErrReadError = "ERR_READ_ERROR",
        /// The transaction took longer than allowed.
        ErrLifetimeExp = "ERR_LIFETIME_EXP",
        /// A plugin or the proxy itself failed.
        ErrUnknown = "ERR_UNKNOWN",
    }
}

impl CacheResult {
    /// Derives the code. A failed end hides what the cache did, as in Traffic Server.
    pub const fn of(end: TransactionEnd, cache: CacheOutcome, status: u16, is_ram_hit: bool) -> Self {
        match end {
            TransactionEnd::Completed
            | TransactionEnd::Tunnelled
            | TransactionEnd::PluginResponded
            | TransactionEnd::LocalResponse => Self::of_cache(cache, status, is_ram_hit),
            TransactionEnd::Redirected => Self::MissRedirect,
            TransactionEnd::BadRequest => Self::ErrInvalidReq,
            TransactionEnd::ClientTimeout => Self::ErrClientReadError,
            TransactionEnd::ClientAborted => Self::ErrClientAbort,
            TransactionEnd::Denied | TransactionEnd::Overloaded | TransactionEnd::ShutDown => {
                Self::ErrProxyDenied
            }
            TransactionEnd::NotMapped => Self::ErrInvalidUrl,
            TransactionEnd::DnsFailed => Self::ErrDnsFail,
            TransactionEnd::OriginConnectFailed => Self::ErrConnectFail,
            TransactionEnd::OriginTimeout => Self::ErrReadTimeout,
            TransactionEnd::OriginReset
            | TransactionEnd::OriginBadResponse
            | TransactionEnd::OriginBodyAborted => Self::ErrReadError,
            TransactionEnd::ActiveTimeout => Self::ErrLifetimeExp,
            TransactionEnd::PluginFailed | TransactionEnd::Internal => Self::ErrUnknown,
        }
    }

    const fn of_cache(cache: CacheOutcome, status: u16, is_ram_hit: bool) -> Self {
        match cache {
            CacheOutcome::Skipped | CacheOutcome::Miss | CacheOutcome::OnlyIfCachedMiss => Self::Miss,
            CacheOutcome::Hit if status == 304 => Self::ImsHit,
            CacheOutcome::Hit | CacheOutcome::StaleWhileRevalidate if is_ram_hit => Self::MemHit,
            CacheOutcome::Hit | CacheOutcome::StaleWhileRevalidate => Self::Hit,
            CacheOutcome::Revalidated => Self::RefreshHit,
            CacheOutcome::Refreshed => Self::RefreshMiss,
            CacheOutcome::StaleOnError => Self::RefFailHit,
            CacheOutcome::Collapsed => Self::CfHit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CacheResult, LogEntry};
    use crate::outcome::{CacheOutcome, TransactionEnd};

    fn code(end: TransactionEnd, cache_outcome: CacheOutcome, status: u16) -> &'static str {
        LogEntry { end, cache_outcome, status, ..LogEntry::default() }.cache_result().token()
    }

    #[test]
    fn completed_transactions_show_what_the_cache_did() {
        let done = |cache, status| code(TransactionEnd::Completed, cache, status);
        assert_eq!(done(CacheOutcome::Hit, 200), "TCP_HIT");
        assert_eq!(done(CacheOutcome::Hit, 304), "TCP_IMS_HIT");
        assert_eq!(done(CacheOutcome::Miss, 200), "TCP_MISS");
        assert_eq!(done(CacheOutcome::Skipped, 200), "TCP_MISS");
        assert_eq!(done(CacheOutcome::Revalidated, 200), "TCP_REFRESH_HIT");
        assert_eq!(done(CacheOutcome::Refreshed, 200), "TCP_REFRESH_MISS");
        assert_eq!(done(CacheOutcome::StaleOnError, 200), "TCP_REF_FAIL_HIT");
        assert_eq!(done(CacheOutcome::StaleWhileRevalidate, 200), "TCP_HIT");
        assert_eq!(done(CacheOutcome::Collapsed, 200), "TCP_CF_HIT");
        assert_eq!(done(CacheOutcome::OnlyIfCachedMiss, 504), "TCP_MISS");
        let ram = CacheResult::of(TransactionEnd::Completed, CacheOutcome::Hit, 200, true);
        assert_eq!(ram, CacheResult::MemHit);
    }

    #[test]
    fn failed_ends_hide_what_the_cache_did() {
        let failed = |end| code(end, CacheOutcome::Hit, 200);
        assert_eq!(failed(TransactionEnd::ClientAborted), "ERR_CLIENT_ABORT");
        assert_eq!(failed(TransactionEnd::BadRequest), "ERR_INVALID_REQ");
        assert_eq!(failed(TransactionEnd::DnsFailed), "ERR_DNS_FAIL");
        assert_eq!(failed(TransactionEnd::OriginConnectFailed), "ERR_CONNECT_FAIL");
        assert_eq!(failed(TransactionEnd::OriginTimeout), "ERR_READ_TIMEOUT");
        assert_eq!(failed(TransactionEnd::Denied), "ERR_PROXY_DENIED");
        assert_eq!(failed(TransactionEnd::NotMapped), "ERR_INVALID_URL");
        assert_eq!(failed(TransactionEnd::Redirected), "TCP_MISS_REDIRECT");
    }

    #[test]
    fn owned_entry_says_the_same() {
        let entry = LogEntry { method: b"GET".into(), user: Some(b"bob".into()), ..LogEntry::default() };
        let owned: LogEntry<'static> = entry.clone().into_owned();
        assert_eq!(format!("{owned:?}"), format!("{entry:?}"));
    }
}
