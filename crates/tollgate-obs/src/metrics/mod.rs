//! Process-wide metrics, counted per thread and added up when read.
//!
//! Responsible for: counting without locked instructions on event threads, totals, look-up by name, the text forms.
//! Not responsible for: serving them; knowing when something is worth counting.
//! Entry points: [`Metrics::new`] once, [`Metrics::thread`] once per event thread, [`Metrics::snapshot`] to read.
//! Invariants: a thread block has one writing thread (checked in debug builds); a block outlives its thread, so
//! counters never go backwards; a gauge may be raised on one thread and lowered on another, only the sum has meaning.

mod exposition;
mod stat;
mod table;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

pub use self::stat::{MAX_STATS, Reading, Stat};
pub use self::table::{CACHE_OUTCOMES, CACHE_REASONS, Metric, MetricDef, MetricKind, TRANSACTION_ENDS, Unit};
use crate::outcome::{CacheOutcome, CacheReason, TransactionEnd};

const END_BASE: usize = Metric::COUNT;
const OUTCOME_BASE: usize = END_BASE + TransactionEnd::ALL.len();
const REASON_BASE: usize = OUTCOME_BASE + CacheOutcome::ALL.len();
const SLOTS: usize = REASON_BASE + CacheReason::ALL.len();

/// One cell per metric and per variant of the outcome families.
///
/// Values are two's complement, so that a gauge may be negative on one thread. Aligned so that two threads' blocks
/// never share a cache line or an adjacent-line prefetch pair.
#[repr(align(128))]
#[derive(Debug)]
struct Block {
    cells: [AtomicU64; SLOTS],
    #[cfg(debug_assertions)]
    writer: std::sync::OnceLock<std::thread::ThreadId>,
}

impl Block {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cells: [const { AtomicU64::new(0) }; SLOTS],
            #[cfg(debug_assertions)]
            writer: std::sync::OnceLock::new(),
        })
    }

    /// Adds on the block's only writing thread: a plain load and store, no locked instruction.
    #[inline]
    fn add_owned(&self, slot: usize, n: u64) {
        self.check_writer();
        let cell = &self.cells[slot];
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    #[cfg(debug_assertions)]
    fn check_writer(&self) {
        let me = std::thread::current().id();
        debug_assert_eq!(*self.writer.get_or_init(|| me), me, "a ThreadMetrics is written by two threads");
    }

    #[cfg(not(debug_assertions))]
    #[inline]
    fn check_writer(&self) {}
}

#[derive(Debug)]
struct Registry {
    /// Written from any thread with locked instructions; for rare events.
    shared: Arc<Block>,
    threads: Mutex<Vec<Arc<Block>>>,
    /// Those that plugins have made, in that order.
    stats: RwLock<Vec<Arc<Stat>>>,
}

/// The metrics of the process. Cheap to clone; all clones are the same metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that are all zero.
    pub fn new() -> Self {
        let registry = Registry {
            shared: Block::new(),
            threads: Mutex::new(Vec::new()),
            stats: RwLock::new(Vec::new()),
        };
        Self { registry: Arc::new(registry) }
    }

    /// Registers a block for one thread and returns the handle to count with.
    ///
    /// The block stays for the life of the process, so ask once per long-lived thread.
    pub fn thread(&self) -> ThreadMetrics {
        let block = Block::new();
        self.registry.threads.lock().push(Arc::clone(&block));
        ThreadMetrics { block }
    }

    /// Adds one, from any thread. For rare events: this is a locked instruction.
    pub fn inc(&self, metric: Metric) {
        self.add(metric, 1);
    }

    /// Adds `n`, from any thread. For rare events: this is a locked instruction.
    pub fn add(&self, metric: Metric, n: u64) {
        self.registry.shared.cells[metric as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// Lowers a gauge by `n`, from any thread.
    pub fn sub(&self, metric: Metric, n: u64) {
        debug_assert_eq!(metric.def().kind, MetricKind::Gauge, "a counter cannot be lowered");
        self.registry.shared.cells[metric as usize].fetch_sub(n, Ordering::Relaxed);
    }

    /// Sets a gauge's process-wide part; what threads added to it themselves still counts on top.
    pub fn set(&self, metric: Metric, value: i64) {
        debug_assert_eq!(metric.def().kind, MetricKind::Gauge, "a counter cannot be set");
        self.registry.shared.cells[metric as usize].store(value.cast_unsigned(), Ordering::Relaxed);
    }

    /// The sum over all threads.
    pub fn total(&self, metric: Metric) -> i64 {
        self.sum(metric as usize)
    }

    /// How many transactions ended for this reason.
    pub fn transaction_end_total(&self, end: TransactionEnd) -> i64 {
        self.sum(END_BASE + end as usize)
    }

    /// How many transactions had this cache outcome.
    pub fn cache_outcome_total(&self, outcome: CacheOutcome) -> i64 {
        self.sum(OUTCOME_BASE + outcome as usize)
    }

    /// How many transactions the cache treated for this reason.
    pub fn cache_reason_total(&self, reason: CacheReason) -> i64 {
        self.sum(REASON_BASE + reason as usize)
    }

    /// The value of the metric with this name (`proxy.process.http.incoming_requests`,
    /// `proxy.process.http.transaction_ends.completed`), or `None` for an unknown name.
    pub fn by_name(&self, name: &str) -> Option<i64> {
        slot_by_name(name).map(|slot| self.sum(slot)).or_else(|| Some(self.stat(name)?.value()))
    }

    /// Makes a statistic of a plugin, or finds the one of that name. `None`: there are too many, or the name is that
    /// of a metric of the server.
    pub fn create_stat(&self, name: &str, reading: Reading) -> Option<Arc<Stat>> {
        let mut stats = self.registry.stats.write();
        if let Some(stat) = stats.iter().find(|stat| stat.name() == name) {
            return Some(Arc::clone(stat));
        }
        if stats.len() >= MAX_STATS || slot_by_name(name).is_some() {
            return None;
        }
        let stat = Stat::new(name, reading);
        stats.push(Arc::clone(&stat));
        Some(stat)
    }

    /// The plugin's statistic of that name.
    pub fn stat(&self, name: &str) -> Option<Arc<Stat>> {
        self.registry.stats.read().iter().find(|stat| stat.name() == name).map(Arc::clone)
    }

    /// The statistics of plugins, in the order in which they were made.
    pub fn stats(&self) -> Vec<Arc<Stat>> {
        self.registry.stats.read().clone()
    }

    /// Every metric with its value, in table order, the families last.
    pub fn snapshot(&self) -> Vec<Sample> {
        let totals = self.totals();
        let plain =
            Metric::ALL.iter().map(|&m| Sample { def: m.def(), label: None, value: totals[m as usize] });
        let ends = TransactionEnd::ALL.iter().map(|&end| Sample {
            def: &TRANSACTION_ENDS,
            label: Some(("reason", end.token())),
            value: totals[END_BASE + end as usize],
        });
        let outcomes = CacheOutcome::ALL.iter().map(|&outcome| Sample {
            def: &CACHE_OUTCOMES,
            label: Some(("outcome", outcome.token())),
            value: totals[OUTCOME_BASE + outcome as usize],
        });
        let reasons = CacheReason::ALL.iter().map(|&reason| Sample {
            def: &CACHE_REASONS,
            label: Some(("reason", reason.token())),
            value: totals[REASON_BASE + reason as usize],
        });
        plain.chain(ends).chain(outcomes).chain(reasons).collect()
    }

    fn sum(&self, slot: usize) -> i64 {
        let read = |block: &Block| block.cells[slot].load(Ordering::Relaxed);
        let threads = self.registry.threads.lock();
        let total = threads.iter().fold(read(&self.registry.shared), |sum, b| sum.wrapping_add(read(b)));
        total.cast_signed()
    }

    fn totals(&self) -> [i64; SLOTS] {
        let mut totals = [0_i64; SLOTS];
        let threads = self.registry.threads.lock();
        for block in threads.iter().chain(std::iter::once(&self.registry.shared)) {
            for (total, cell) in totals.iter_mut().zip(&block.cells) {
                *total = total.wrapping_add(cell.load(Ordering::Relaxed).cast_signed());
            }
        }
        totals
    }
}

fn slot_by_name(name: &str) -> Option<usize> {
    if let Some(metric) = Metric::by_name(name) {
        return Some(metric as usize);
    }
    let variant_of = |def: &MetricDef| name.strip_prefix(def.name)?.strip_prefix('.');
    if let Some(token) = variant_of(&TRANSACTION_ENDS) {
        let end = TransactionEnd::ALL.iter().find(|end| end.token() == token)?;
        return Some(END_BASE + *end as usize);
    }
    if let Some(token) = variant_of(&CACHE_OUTCOMES) {
        let outcome = CacheOutcome::ALL.iter().find(|outcome| outcome.token() == token)?;
        return Some(OUTCOME_BASE + *outcome as usize);
    }
    let token = variant_of(&CACHE_REASONS)?;
    let reason = CacheReason::ALL.iter().find(|reason| reason.token() == token)?;
    Some(REASON_BASE + *reason as usize)
}

/// One metric's value at the time of a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The metric's row of the table.
    pub def: &'static MetricDef,
    /// For a member of a family: the label's name and value.
    pub label: Option<(&'static str, &'static str)>,
    /// The sum over all threads.
    pub value: i64,
}

impl Sample {
    /// The full dotted name; a family's member ends in its label value.
    pub fn name(&self) -> Cow<'static, str> {
        match self.label {
            None => Cow::Borrowed(self.def.name),
            Some((_, value)) => Cow::Owned(format!("{}.{value}", self.def.name)),
        }
    }
}

/// One thread's part of the metrics. Clones write to the same block and must stay on one thread.
///
/// It may be moved to another thread before it is first written. Two threads writing would lose counts (never
/// more than that); debug builds panic instead.
#[derive(Clone, Debug)]
pub struct ThreadMetrics {
    block: Arc<Block>,
}

impl ThreadMetrics {
    /// Adds one.
    #[inline]
    pub fn inc(&self, metric: Metric) {
        self.block.add_owned(metric as usize, 1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, metric: Metric, n: u64) {
        self.block.add_owned(metric as usize, n);
    }

    /// Lowers a gauge by one.
    #[inline]
    pub fn dec(&self, metric: Metric) {
        self.sub(metric, 1);
    }

    /// Lowers a gauge by `n`.
    #[inline]
    pub fn sub(&self, metric: Metric, n: u64) {
        debug_assert_eq!(metric.def().kind, MetricKind::Gauge, "a counter cannot be lowered");
        self.block.add_owned(metric as usize, n.wrapping_neg());
    }

    /// Sets this thread's part of a gauge.
    #[inline]
    pub fn set(&self, metric: Metric, value: i64) {
        debug_assert_eq!(metric.def().kind, MetricKind::Gauge, "a counter cannot be set");
        self.block.check_writer();
        self.block.cells[metric as usize].store(value.cast_unsigned(), Ordering::Relaxed);
    }

    /// Raises a gauge by one until the returned guard is dropped.
    ///
    /// The guard shares the block (one reference count), so it suits connections, tunnels and transforms; code that
    /// runs for each request is better off with [`ThreadMetrics::inc`] and [`ThreadMetrics::dec`].
    pub fn hold(&self, gauge: Metric) -> GaugeGuard {
        self.inc(gauge);
        GaugeGuard { metrics: self.clone(), gauge }
    }

    /// Counts why a transaction ended.
    #[inline]
    pub fn transaction_end(&self, end: TransactionEnd) {
        self.block.add_owned(END_BASE + end as usize, 1);
    }

    /// Counts what the cache did for a transaction.
    #[inline]
    pub fn cache_outcome(&self, outcome: CacheOutcome) {
        self.block.add_owned(OUTCOME_BASE + outcome as usize, 1);
    }

    /// Counts why the cache did that.
    #[inline]
    pub fn cache_reason(&self, reason: CacheReason) {
        self.block.add_owned(REASON_BASE + reason as usize, 1);
    }

    /// Counts a request by its method (case-sensitive, as methods are).
    #[inline]
    pub fn request_method(&self, method: &[u8]) {
        self.inc(Metric::for_method(method));
    }

    /// Counts a response sent to a client by its class; statuses outside 100..=599 are not counted.
    #[inline]
    pub fn response_status(&self, status: u16) {
        if let Some(metric) = Metric::for_status(status) {
            self.inc(metric);
        }
    }
}

/// Keeps a gauge raised by one; see [`ThreadMetrics::hold`]. Drop it on the thread that made it.
#[derive(Debug)]
pub struct GaugeGuard {
    metrics: ThreadMetrics,
    gauge: Metric,
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.metrics.dec(self.gauge);
    }
}

#[cfg(test)]
mod tests;
