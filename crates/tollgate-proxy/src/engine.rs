//! What all event threads share.
//!
//! Responsible for: the current generation and its replacement, the cache, names, metrics, limits on the whole
//! process, draining.
//! Not responsible for: listening (`server`), transactions.

use crate::ask::{Answer, Askable, Purpose};
use crate::disk::Disk;
use crate::generation::{Generation, GenerationParts, PluginSet};
use crate::origin::limit::OriginLimits;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use tollgate_cache::disk::DiskStats;
use tollgate_cache::purge::{Purge, PurgeError, PurgeLimits, PurgeStats, journal};
use tollgate_cache::{
    CacheKey, Collapser, Effect, FillLimits, HitForMiss, Holdoff, Purges, RamStore, RamStoreSettings,
    StoreStats, Target,
};
use tollgate_config::{Problem, Records, ids};
use tollgate_event::dns::DnsCache;
use tollgate_http::Request;
use tollgate_obs::log::{AccessLog, AccessLogHandle};
use tollgate_obs::metrics::{Metric, Metrics};

/// LIMIT: keys and variants remembered as not shareable.
const HIT_FOR_MISS: usize = 65_536;

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
    /// Stale objects being refreshed behind the scenes.
    pub(crate) refreshes: AtomicUsize,
    pub(crate) askable: Askable,
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
    /// What the gauges and counters of the cache were last set to.
    published: Mutex<Published>,
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
            store: RamStore::with_purges(store_settings(&records), purges(&records)),
            disk: Disk::default(),
            collapser: Collapser::new(fill_limits(&records)),
            hit_for_miss: HitForMiss::new(HIT_FOR_MISS),
            refreshes: AtomicUsize::new(0),
            askable: Askable::default(),
            holdoff: Holdoff::new(HELD_OFF),
            dns_cache: Arc::default(),
            hosts,
            access_log: Mutex::new(access_log),
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            origin_limits: OriginLimits::default(),
            published: Mutex::default(),
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
        let (stats, purges) = (self.store.stats(), self.store.purges().stats());
        self.metrics.set(Metric::CacheObjects, stats.objects as i64);
        self.metrics.set(Metric::CacheBytesUsed, stats.bytes as i64);
        self.metrics.set(Metric::CacheBytesPinned, stats.pinned_bytes as i64);
        self.metrics.set(Metric::CacheBans, purges.bans as i64);
        self.metrics.set(Metric::CachePurgedTags, purges.tags as i64);
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let published = &mut *published;
        for (metric, count, before) in [
            (Metric::CacheEvictions, stats.evictions, &mut published.evictions),
            (Metric::CachePurgedObjects, stats.purged, &mut published.purged),
            (Metric::CachePurgesForgotten, purges.overflows, &mut published.overflows),
        ] {
            let before = std::mem::replace(before, count);
            self.metrics.add(metric, count.saturating_sub(before));
        }
        self.disk.publish(&self.metrics);
    }

    /// Has an event thread do a request of the server's owner, with an absolute URL, and gives its answer. It never
    /// comes if no event thread runs any more.
    pub fn ask(&self, request: Request, purpose: Purpose) -> Receiver<Answer> {
        self.askable.ask(request, purpose)
    }

    /// What the cache holds, and what was purged.
    pub fn cache_stats(&self) -> (StoreStats, PurgeStats) {
        (self.store.stats(), self.store.purges().stats())
    }

    /// What the disks hold, if there are any.
    pub fn disk_stats(&self) -> Option<DiskStats> {
        self.disk.store().map(|store| store.stats())
    }

    /// The budget of the RAM cache, bytes.
    pub fn cache_budget(&self) -> u64 {
        self.store.settings().budget_bytes
    }

    /// The purges that are remembered because not all objects have been judged by them, oldest first.
    pub fn remembered_purges(&self) -> Vec<Purge> {
        let entries = self.store.purges().snapshot().into_iter();
        entries
            .filter_map(|entry| match entry {
                journal::Entry::Purge(purge) => Some(purge),
                journal::Entry::State { .. } => None,
            })
            .collect()
    }

    /// Purges many objects at once. Waits for the disk: not for event threads.
    ///
    /// # Errors
    /// If the target cannot be right.
    pub fn purge(&self, target: Target, effect: Effect) -> Result<(), PurgeError> {
        let purge = self.purge_now(target, effect)?;
        self.disk.write_down(&purge, self.store.purges());
        Ok(())
    }

    /// As [`Self::purge`], but after a crash it may be forgotten: [`disk::make_purge_last`](crate::disk::make_purge_last)
    /// sees to that.
    pub(crate) fn purge_now(&self, target: Target, effect: Effect) -> Result<Purge, PurgeError> {
        let purge = self.store.purges().add(target, effect, tollgate_event::clock::unix_seconds())?;
        self.metrics.add(Metric::CachePurges, 1);
        tracing::debug!("purge {}: {:?} of {:?}", purge.number, purge.effect, purge.target);
        Ok(purge)
    }

    /// Removes what is stored under `key`, and sees to it that what is being fetched is neither stored nor shared
    /// with who comes later. Tells how many objects there were.
    pub(crate) fn remove(&self, key: &CacheKey) -> usize {
        // First on the disk: what is read from there meanwhile is then seen to be removed.
        let on_disk = self.disk.store().map_or(0, |store| store.remove(key));
        self.collapser.detach(key);
        self.store.remove(key) + on_disk
    }

    /// Makes what memory has under `key` stale. Tells how many objects there are.
    pub(crate) fn soften(&self, key: &CacheKey) -> usize {
        self.store.soften(key, tollgate_event::clock::unix_seconds())
    }
}

/// Counts that have been added to the metrics.
#[derive(Default)]
struct Published {
    evictions: u64,
    purged: u64,
    overflows: u64,
}

fn purges(records: &Records) -> Arc<Purges> {
    let most = |record| usize::try_from(records.int(record)).unwrap_or(0).max(1);
    Arc::new(Purges::new(PurgeLimits {
        bans: most(ids::TOLLGATE_CACHE_MAX_BANS),
        tags: most(ids::TOLLGATE_CACHE_MAX_PURGED_TAGS),
    }))
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
        pinned_percent: u8::try_from(records.int(ids::TOLLGATE_CACHE_PINNED_SHARE)).unwrap_or(0),
        // LIMIT: "no limit" is the greatest that can be set.
        max_alternates: match records.int(ids::CACHE_LIMITS_HTTP_MAX_ALTS) {
            0 => 1024,
            most => usize::try_from(most).unwrap_or(5),
        },
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
