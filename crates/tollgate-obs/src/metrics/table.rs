//! The table of metrics: each is declared here and nowhere else.
//!
//! Responsible for: identity, dotted name, kind, unit and help text of every metric; the Prometheus name rule.
//! Not responsible for: values.
//! Invariants: a name Traffic Server has is used with Traffic Server's meaning; names are unique in both forms.

/// Whether a metric only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl MetricKind {
    /// `counter` or `gauge`, as written in Prometheus' TYPE lines and in JSON.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// What a metric's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Things or events.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds since 1970-01-01 UTC.
    UnixSeconds,
}

impl Unit {
    /// The unit's word in listings.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::UnixSeconds => "seconds",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct MetricDef {
    /// The dotted name, in Traffic Server's style.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// What the value counts.
    pub unit: Unit,
    /// One sentence for listings and HELP lines.
    pub help: &'static str,
}

impl MetricDef {
    /// The name in Prometheus' style: `tollgate_` instead of `proxy.process.`, words joined by `_` without
    /// `total`/`current`, the unit (unless it is one of the words) and `_total` (counters) at the end.
    pub fn prometheus_name(&self) -> String {
        let rest = self.name.strip_prefix("proxy.process.").unwrap_or(self.name);
        let mut name = String::from("tollgate");
        for word in rest.split(['.', '_']).filter(|word| !matches!(*word, "total" | "current")) {
            name.push('_');
            name.push_str(word);
        }
        let unit = match self.unit {
            Unit::Count => "",
            Unit::Bytes => "_bytes",
            Unit::UnixSeconds => "_seconds",
        };
        if !name.contains(unit) {
            name.push_str(unit);
        }
        if self.kind == MetricKind::Counter {
            name.push_str("_total");
        }
        name
    }
}

macro_rules! metrics {
    ($($id:ident $name:literal $kind:ident $unit:ident $help:literal;)+) => {
        /// Every metric of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Metric { $(#[doc = $help] $id,)+ }

        impl Metric {
            /// Every metric, in table order.
            pub const ALL: &'static [Metric] = &[$(Metric::$id,)+];

            /// How many metrics there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The metric's row.
            #[inline]
            pub const fn def(self) -> &'static MetricDef {
                &DEFS[self as usize]
            }
        }

        static DEFS: [MetricDef; Metric::COUNT] = [
            $(MetricDef { name: $name, kind: MetricKind::$kind, unit: Unit::$unit, help: $help },)+
        ];
    };
}

metrics! {
    // Process and configuration.
    ProcessStartTime "proxy.process.start_time" Gauge UnixSeconds "When the process started.";
    ConfigGeneration "proxy.process.config.generation" Gauge Count "Number of the configuration generation in use.";
    ConfigReloads "proxy.process.config.reloads" Counter Count "Configuration reloads that were taken into use.";
    ConfigReloadFailures "proxy.process.config.reload_failures" Counter Count "Configuration reloads that were refused, the running generation kept.";

    // Client side.
    ClientConnections "proxy.process.http.total_client_connections" Counter Count "Client connections accepted.";
    ClientConnectionsActive "proxy.process.http.current_client_connections" Gauge Count "Client connections open now.";
    ClientConnectionsRefused "proxy.process.net.connections_throttled_in" Counter Count "Client connections closed at once because a connection limit was reached.";
    AcceptErrors "proxy.process.net.accept_errors" Counter Count "Failed accept calls, for instance for want of file descriptors.";
    SessionsActive "proxy.process.http.current_client_sessions" Gauge Count "Sessions open now, those made by plugins included.";
    Transactions "proxy.process.http.total_client_transactions" Counter Count "Transactions started, internal ones included.";
    TransactionsActive "proxy.process.http.current_client_transactions" Gauge Count "Transactions running now.";
    InternalTransactions "proxy.process.http.internal_transactions" Counter Count "Transactions made by plugins' own requests.";
    ClientRequestBytes "proxy.process.http.user_agent_total_request_bytes" Counter Bytes "Bytes received from clients, headers included.";
    ClientResponseBytes "proxy.process.http.user_agent_total_response_bytes" Counter Bytes "Bytes sent to clients, headers included.";

    // Requests by method.
    IncomingRequests "proxy.process.http.incoming_requests" Counter Count "Requests whose header was received completely.";
    GetRequests "proxy.process.http.get_requests" Counter Count "GET requests.";
    HeadRequests "proxy.process.http.head_requests" Counter Count "HEAD requests.";
    PostRequests "proxy.process.http.post_requests" Counter Count "POST requests.";
    PutRequests "proxy.process.http.put_requests" Counter Count "PUT requests.";
    DeleteRequests "proxy.process.http.delete_requests" Counter Count "DELETE requests.";
    ConnectRequests "proxy.process.http.connect_requests" Counter Count "CONNECT requests.";
    OptionsRequests "proxy.process.http.options_requests" Counter Count "OPTIONS requests.";
    TraceRequests "proxy.process.http.trace_requests" Counter Count "TRACE requests.";
    OtherRequests "proxy.process.http.extension_method_requests" Counter Count "Requests with any other method.";

    // Responses by class.
    Responses1xx "proxy.process.http.1xx_responses" Counter Count "Responses with status 1xx sent to clients.";
    Responses2xx "proxy.process.http.2xx_responses" Counter Count "Responses with status 2xx sent to clients.";
    Responses3xx "proxy.process.http.3xx_responses" Counter Count "Responses with status 3xx sent to clients.";
    Responses4xx "proxy.process.http.4xx_responses" Counter Count "Responses with status 4xx sent to clients.";
    Responses5xx "proxy.process.http.5xx_responses" Counter Count "Responses with status 5xx sent to clients.";
    ErrorPages "proxy.process.http.error_pages" Counter Count "Error pages made by the proxy itself.";

    // Origin side.
    OriginRequests "proxy.process.http.outgoing_requests" Counter Count "Requests sent to origins, retries included.";
    OriginRequestBytes "proxy.process.http.origin_server_total_request_bytes" Counter Bytes "Bytes sent to origins, headers included.";
    OriginResponseBytes "proxy.process.http.origin_server_total_response_bytes" Counter Bytes "Bytes received from origins, headers included.";
    OriginConnections "proxy.process.http.total_server_connections" Counter Count "Origin connections established.";
    OriginConnectionsActive "proxy.process.http.current_server_connections" Gauge Count "Origin connections open now, idle ones included.";
    OriginConnectionsPooled "proxy.process.http.pooled_server_connections" Gauge Count "Idle origin connections kept for reuse now.";
    OriginConnectionsReused "proxy.process.http.reused_server_connections" Counter Count "Requests sent on a kept origin connection.";
    OriginConnectFailures "proxy.process.http.err_connect_fail_count" Counter Count "Attempts to connect to an origin address that failed, timeouts included.";
    OriginConnectionsRefused "proxy.process.http.origin_connections_throttled_out" Counter Count "Origin connections not made because of a limit.";
    OriginConnectionsBroken "proxy.process.http.broken_server_connections" Counter Count "Origin connections that broke before the response was complete.";
    OriginTimeouts "proxy.process.http.origin_timeouts" Counter Count "Transactions whose origin did not answer or went silent for too long.";
    OriginRetries "proxy.process.http.origin_retries" Counter Count "Requests sent again on another connection or to another address.";
    OriginBadResponses "proxy.process.http.invalid_origin_responses" Counter Count "Origin responses that could not be parsed or whose framing was refused.";

    // Names.
    DnsLookups "proxy.process.hostdb.total_lookups" Counter Count "Look-ups of origin names.";
    DnsHits "proxy.process.hostdb.total_hits" Counter Count "Look-ups answered from the name cache or the hosts file.";
    DnsFailures "proxy.process.dns.lookup_failures" Counter Count "Look-ups that failed.";

    // Cache.
    CacheLookups "proxy.process.http.cache_lookups" Counter Count "Cache look-ups.";
    CacheHits "proxy.process.http.cache_hit_fresh" Counter Count "Look-ups that found a fresh object.";
    CacheMisses "proxy.process.http.cache_miss_cold" Counter Count "Look-ups that found nothing usable.";
    CacheStale "proxy.process.http.cache_hit_stale" Counter Count "Look-ups that found a stale object.";
    CacheRevalidations "proxy.process.http.cache_hit_revalidated" Counter Count "Stale objects made fresh by an origin's 304.";
    CacheStores "proxy.process.http.cache_writes" Counter Count "Objects stored completely.";
    CacheStoreAborts "proxy.process.http.cache_write_aborts" Counter Count "Stores given up before the object was complete.";
    CacheEvictions "proxy.process.cache.evictions" Counter Count "Objects removed to make room.";
    CacheBytesUsed "proxy.process.cache.bytes_used" Gauge Bytes "Bytes held by stored objects now.";
    CacheBytesPinned "proxy.process.cache.bytes_pinned" Gauge Bytes "Of these, bytes of objects that are pinned.";
    CacheObjects "proxy.process.cache.objects" Gauge Count "Objects stored now.";
    CacheDiskHits "proxy.process.cache.disk.hits" Counter Count "Look-ups that found an object on a disk.";
    CacheDiskStores "proxy.process.cache.disk.stores" Counter Count "Objects and new headers of objects put into the write buffers of disks.";
    CacheDiskWritten "proxy.process.cache.disk.bytes_written" Counter Bytes "Bytes written to disks, without indexes.";
    CacheDiskRead "proxy.process.cache.disk.bytes_read" Counter Bytes "Bytes read from disks.";
    CacheDiskCorrupt "proxy.process.cache.disk.corrupt" Counter Count "Damaged records found on disks.";
    CacheDiskReadErrors "proxy.process.cache.span.errors.read" Counter Count "Reads from disks that failed.";
    CacheDiskWriteErrors "proxy.process.cache.span.errors.write" Counter Count "Writes to disks that failed.";
    CacheDiskBacklogRefusals "proxy.process.cache.write_backlog_failure" Counter Count "Objects not written to disks because too many were waiting.";
    CacheDiskEvacuated "proxy.process.cache.evacuate.success" Counter Count "Objects on disks written anew because they were in use.";
    CacheDiskPinnedKept "proxy.process.cache.disk.pinned_kept" Counter Count "Pinned objects on disks written anew before they would have been overwritten.";
    CacheDiskPinnedLost "proxy.process.cache.disk.pinned_lost" Counter Count "Pinned objects on disks that were not: there were too many.";
    CacheDiskObjects "proxy.process.cache.direntries.used" Gauge Count "Objects that can be found on disks now.";
    CacheDiskBytes "proxy.process.cache.bytes_total" Gauge Bytes "Bytes that disks hold for objects.";
    CacheDiskIndexBytes "proxy.process.cache.disk.index_bytes" Gauge Bytes "Memory that the indexes of disks take.";
    CacheDiskOnline "proxy.process.cache.span.online" Gauge Count "Stripes of disks in use now.";
    CacheDiskOffline "proxy.process.cache.span.offline" Gauge Count "Stripes of disks given up after errors.";
    CacheCollapsed "proxy.process.http.cache_collapsed_requests" Counter Count "Requests that waited for another request's fetch of the same object.";
    CacheCollapseHits "proxy.process.http.cache_collapse_shared" Counter Count "Requests that waited and were answered from the other request's fetch.";
    CacheCollapseUncacheable "proxy.process.http.cache_collapse_uncacheable" Counter Count "Requests that waited in vain: the response may not be shared.";
    CacheCollapseVary "proxy.process.http.cache_collapse_other_variant" Counter Count "Requests that waited in vain: the response is for other request fields.";
    CacheCollapseTimeouts "proxy.process.http.cache_collapse_timeouts" Counter Count "Requests that waited in vain: the response's header took longer than collapse_wait_timeout.";
    CacheCollapseLost "proxy.process.http.cache_collapse_lost" Counter Count "Requests that waited in vain: the fetch ended without a response, or was overtaken by a purge.";
    CacheGapsFilled "proxy.process.http.cache_gaps_filled" Counter Count "Requests answered with stored bytes and those that were missing, asked for at the origin.";
    CacheHitForMiss "proxy.process.http.cache_hit_for_miss" Counter Count "Requests that did not wait for another's fetch, because such responses were lately not shareable.";
    CacheRefreshes "proxy.process.http.cache_background_revalidations" Counter Count "Stale objects that were served and refreshed behind the scenes.";
    CacheRefreshesLimited "proxy.process.http.cache_background_revalidations_limited" Counter Count "Stale objects that were served but not refreshed, for lack of a place among the refreshes.";
    CacheWaiters "proxy.process.http.current_cache_waiters" Gauge Count "Requests waiting for another request's fetch now.";
    CacheInvalidations "proxy.process.http.cache_invalidations" Counter Count "Objects invalidated by unsafe requests or purges.";
    CachePurges "proxy.process.cache.purges" Counter Count "Purges by prefix, expression, tag or group.";
    CacheBans "proxy.process.cache.bans" Gauge Count "Prefixes and expressions that objects are compared with when they are found.";
    CachePurgedTags "proxy.process.cache.purged_tags" Gauge Count "Purged tags and groups that objects are compared with when they are found.";
    CachePurgedObjects "proxy.process.cache.purged_objects" Counter Count "Objects removed because a purge by prefix, expression, tag or group had hit them.";
    CachePurgesForgotten "proxy.process.cache.purges_forgotten" Counter Count "How often there was no room to remember all purges: objects not judged by the oldest ones count as purged.";
    BackgroundFills "proxy.process.http.background_fill_total_count" Counter Count "Origin responses read on into the cache after the client left.";
    BackgroundFillsActive "proxy.process.http.background_fill_current_count" Gauge Count "Background fills running now.";

    // Bodies.
    Tunnels "proxy.process.http.total_blind_tunnels" Counter Count "Blind tunnels opened (CONNECT and Upgrade).";
    TunnelsActive "proxy.process.http.current_blind_tunnels" Gauge Count "Blind tunnels open now.";
    TransformsActive "proxy.process.http.current_transforms" Gauge Count "Body transforms running now.";

    // Plugins.
    HandlerFaults "proxy.process.hook.handler_faults" Counter Count "Hook handlers that panicked, failed or broke their contract.";
    PluginResponses "proxy.process.hook.plugin_responses" Counter Count "Transactions a plugin answered instead of the origin.";
    HandlerTimeouts "proxy.process.hook.handler_timeouts" Counter Count "Hook handlers that took longer than plugin.handler_timeout.";

    // Timeouts.
    RequestHeaderTimeouts "proxy.process.http.timeout.request_header" Counter Count "Clients that did not complete a request header in time.";
    KeepAliveTimeouts "proxy.process.http.timeout.keep_alive" Counter Count "Idle client connections closed.";
    ClientInactivityTimeouts "proxy.process.http.timeout.client_inactivity" Counter Count "Transactions ended because the client neither sent nor read for too long.";
    OriginInactivityTimeouts "proxy.process.http.timeout.origin_inactivity" Counter Count "Transactions ended because the origin neither sent nor read for too long.";
    ActiveTimeouts "proxy.process.http.timeout.active" Counter Count "Transactions that took longer than allowed in all.";
    ConnectTimeouts "proxy.process.http.timeout.connect" Counter Count "Attempts to connect to an origin address that took too long.";

    // Refusals and limits.
    BadRequests "proxy.process.http.invalid_client_requests" Counter Count "Requests refused for their syntax or framing.";
    HeaderSizeLimited "proxy.process.http.limit.header_size" Counter Count "Messages refused because their header was too large.";
    HeaderFieldsLimited "proxy.process.http.limit.header_fields" Counter Count "Messages refused because they had too many header fields.";
    RequestLineLimited "proxy.process.http.limit.request_line" Counter Count "Requests refused because their request line was too long.";
    ConnectionsLimited "proxy.process.http.limit.connections" Counter Count "Times the limit of client connections was reached.";
    TransactionsLimited "proxy.process.http.limit.transactions" Counter Count "Transactions refused because a limit was reached.";

    // Access log.
    LogEntriesWritten "proxy.process.log.event_log_access_ok" Counter Count "Access log entries written.";
    LogEntriesDropped "proxy.process.log.event_log_access_fail" Counter Count "Access log entries lost because the writer fell behind or could not write.";
    LogBytesWritten "proxy.process.log.bytes_written_to_disk" Counter Bytes "Bytes written to access logs.";
    LogWriteErrors "proxy.process.log.write_errors" Counter Count "Failed writes to access logs.";
}

/// The family with one counter per reason a transaction ended; its label is `reason`.
pub static TRANSACTION_ENDS: MetricDef = MetricDef {
    name: "proxy.process.http.transaction_ends",
    kind: MetricKind::Counter,
    unit: Unit::Count,
    help: "Transactions ended, by reason.",
};

/// The family with one counter per cache outcome; its label is `outcome`.
pub static CACHE_OUTCOMES: MetricDef = MetricDef {
    name: "proxy.process.http.cache_outcomes",
    kind: MetricKind::Counter,
    unit: Unit::Count,
    help: "Transactions, by what the cache did for them.",
};

/// The family with one counter per reason behind a cache outcome; its label is `reason`.
pub static CACHE_REASONS: MetricDef = MetricDef {
    name: "proxy.process.http.cache_reasons",
    kind: MetricKind::Counter,
    unit: Unit::Count,
    help: "Transactions, by why the cache did what it did for them.",
};

impl Metric {
    /// The metric with this dotted name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.def().name == name)
    }

    /// The metric that counts requests with this method.
    #[inline]
    pub fn for_method(method: &[u8]) -> Self {
        match method {
            b"GET" => Self::GetRequests,
            b"HEAD" => Self::HeadRequests,
            b"POST" => Self::PostRequests,
            b"PUT" => Self::PutRequests,
            b"DELETE" => Self::DeleteRequests,
            b"CONNECT" => Self::ConnectRequests,
            b"OPTIONS" => Self::OptionsRequests,
            b"TRACE" => Self::TraceRequests,
            _ => Self::OtherRequests,
        }
    }

    /// The metric that counts responses of this status' class; `None` outside 100..=599.
    #[inline]
    pub const fn for_status(status: u16) -> Option<Self> {
        match status / 100 {
            1 => Some(Self::Responses1xx),
            2 => Some(Self::Responses2xx),
            3 => Some(Self::Responses3xx),
            4 => Some(Self::Responses4xx),
            5 => Some(Self::Responses5xx),
            _ => None,
        }
    }
}
