//! What all event threads share.
//!
//! Responsible for: the current generation and its replacement, the cache, names, metrics, limits on the whole
//! process, draining.
//! Not responsible for: listening (`server`), transactions.

use crate::disk::Disk;
use crate::generation::{Generation, GenerationParts, PluginSet};
use crate::origin::limit::OriginLimits;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tollgate_cache::{Collapser, FillLimits, HitForMiss, Holdoff, RamStore, RamStoreSettings};
use tollgate_config::{Problem, Records, ids};
use tollgate_event::dns::DnsCache;
use tollgate_obs::log::{AccessLog, AccessLogHandle};
use tollgate_obs::metrics::{Metric, Metrics};

/// LIMIT: keys remembered as uncacheable, and for how long (seconds).
const HIT_FOR_MISS: (usize, u32) = (65_536, 120);

/// LIMIT: objects whose origin is left alone after a failed validation.
const HELD_OFF: usize = 65_536;

/// The shared state of the server.
pub struct Engine {
    pub(crate) generation_number: AtomicU64,
    generation: ArcSwap<Generation>,
    plugins: PluginSet,
    pub(crate) metrics: Metrics,
    pub(crate) store: RamStore,
    pub(crate) disk: Disk,
    pub(crate) collapser: Collapser,
    pub(crate) hit_for_miss: HitForMiss,
    /// Objects whose origin is left alone after a failed validation.
    pub(crate) holdoff: Holdoff,
    pub(crate) dns_cache: Arc<DnsCache>,
    pub(crate) hosts: HashMap<String, Vec<IpAddr>>,
    access_log: Mutex<Option<AccessLog>>,
    pub(crate) draining: AtomicBool,
    pub(crate) connections: AtomicUsize,
    /// Requests being served, counted while `net.max_requests_in` is set.
    pub(crate) requests: AtomicUsize,
    pub(crate) origin_limits: OriginLimits,
    evictions: AtomicU64,
    /// Identifies this process in Via, to notice requests that come back.
    pub(crate) via_id: String,
}

impl Engine {
    /// An engine with its first generation.
    pub fn new(
        parts: GenerationParts,
        plugins: PluginSet,
        hosts: HashMap<String, Vec<IpAddr>>,
        access_log: Option<AccessLog>,
        metrics: Metrics,
    ) -> Result<Arc<Engine>, Vec<Problem>> {
        let generation = Generation::build(1, parts, &plugins)?;
        let records = Arc::clone(&generation.records);
        metrics.set(Metric::ConfigGeneration, 1);
        tollgate_event::clock::set_ahead(records.int(ids::TOLLGATE_CLOCK_OFFSET));
        Ok(Arc::new(Engine {
            generation_number: AtomicU64::new(1),
            generation: ArcSwap::from_pointee(generation),
            plugins,
            metrics,
            store: RamStore::new(store_settings(&records)),
            disk: Disk::default(),
            collapser: Collapser::new(fill_limits(&records)),
            hit_for_miss: HitForMiss::new(HIT_FOR_MISS.0, HIT_FOR_MISS.1),
            holdoff: Holdoff::new(HELD_OFF),
            dns_cache: Arc::default(),
            hosts,
            access_log: Mutex::new(access_log),
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            origin_limits: OriginLimits::default(),
            evictions: AtomicU64::new(0),
            via_id: format!(
                "tollgate-{:08x}",
                std::process::id() ^ tollgate_event::clock::unix_time().subsec_nanos()
            ),
        }))
    }

    /// Builds the next generation and takes it into use; transactions under way keep theirs. On error the running
    /// one stays.
    pub fn reload(&self, parts: GenerationParts) -> Result<u64, Vec<Problem>> {
        let number = self.generation.load().number + 1;
        match Generation::build(number, parts, &self.plugins) {
            Ok(generation) => {
                tollgate_event::clock::set_ahead(generation.records.int(ids::TOLLGATE_CLOCK_OFFSET));
                self.generation.store(Arc::new(generation));
                self.generation_number.store(number, Ordering::Release);
                self.metrics.inc(Metric::ConfigReloads);
                self.metrics.set(Metric::ConfigGeneration, number as i64);
                Ok(number)
            }
            Err(problems) => {
                self.metrics.inc(Metric::ConfigReloadFailures);
                Err(problems)
            }
        }
    }

    /// Counts a reload whose files could not be read; hands the problems back.
    pub fn refuse_reload(&self, problems: Vec<Problem>) -> Result<u64, Vec<Problem>> {
        self.metrics.inc(Metric::ConfigReloadFailures);
        Err(problems)
    }

    /// The current generation.
    pub fn generation(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Begins to drain: no new connections are accepted, responses close their connections.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is draining.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Opens the access log's file again, after it was moved away.
    pub fn reopen_logs(&self) {
        if let Some(log) = &*self.access_log.lock().unwrap_or_else(PoisonError::into_inner) {
            // Faults are reported by the log's own callback.
            drop(log.reopen());
        }
    }

    /// Writes what is left of the access log and ends it. Event threads must have ended.
    pub fn close_logs(&self) {
        if let Some(log) = self.access_log.lock().unwrap_or_else(PoisonError::into_inner).take() {
            log.close();
        }
    }

    pub(crate) fn access_log(&self) -> Option<AccessLogHandle> {
        let log = self.access_log.lock().unwrap_or_else(PoisonError::into_inner);
        log.as_ref().map(AccessLog::handle)
    }

    /// Brings the cache's gauges up to date.
    pub(crate) fn publish_store_stats(&self) {
        let stats = self.store.stats();
        self.metrics.set(Metric::CacheObjects, stats.objects as i64);
        self.metrics.set(Metric::CacheBytesUsed, stats.bytes as i64);
        let before = self.evictions.swap(stats.evictions, Ordering::Relaxed);
        self.metrics.add(Metric::CacheEvictions, stats.evictions.saturating_sub(before));
        self.disk.publish(&self.metrics);
    }
}

fn store_settings(records: &Records) -> RamStoreSettings {
    let bytes = |record| u64::try_from(records.int(record)).unwrap_or(0);
    let default = RamStoreSettings::default();
    RamStoreSettings {
        budget_bytes: if records.int(ids::CACHE_RAM_CACHE_SIZE) < 0 {
            default.budget_bytes
        } else {
            bytes(ids::CACHE_RAM_CACHE_SIZE)
        },
        cutoff_bytes: bytes(ids::CACHE_RAM_CACHE_CUTOFF),
        max_alternates: usize::try_from(records.int(ids::CACHE_LIMITS_HTTP_MAX_ALTS)).unwrap_or(5).max(1),
    }
}

fn fill_limits(records: &Records) -> FillLimits {
    let settings = store_settings(records);
    let most = [
        settings.cutoff_bytes,
        settings.budget_bytes,
        u64::try_from(records.int(ids::CACHE_MAX_DOC_SIZE)).unwrap_or(0),
    ];
    let max_object_bytes =
        most.into_iter().filter(|n| *n > 0).min().unwrap_or(FillLimits::default().max_object_bytes);
    FillLimits { max_object_bytes, ..FillLimits::default() }
}
