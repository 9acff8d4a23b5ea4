//! What one event thread owns.

use crate::engine::Engine;
use crate::generation::Generation;
use crate::origin::connect::Addresses;
use crate::origin::pool::Pool;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tollgate_config::ids;
use tollgate_config::records::{list_words, socket_address};
use tollgate_event::dns::{Dns, DnsOptions};
use tollgate_event::timer::Watch;
use tollgate_obs::log::AccessLogHandle;
use tollgate_obs::metrics::ThreadMetrics;

/// The state of one event thread; never leaves it.
pub(crate) struct EngineThread {
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: ThreadMetrics,
    pub(crate) pool: Pool,
    pub(crate) addresses: Addresses,
    pub(crate) dns: Dns,
    pub(crate) log: RefCell<Option<AccessLogHandle>>,
    generation: RefCell<Arc<Generation>>,
    index: u64,
    next_id: Cell<u64>,
    sessions: Cell<usize>,
    hits: Cell<u32>,
    watches: RefCell<Vec<Rc<Watch>>>,
}

/// LIMIT: watches kept for the next transactions.
const KEPT_WATCHES: usize = 64;

/// Of so many hits in memory one is looked at more closely.
const HITS_PER_SAMPLE: u32 = 64;

const DNS_PORT: u16 = 53;

impl EngineThread {
    pub(crate) fn new(engine: Arc<Engine>, index: usize) -> Rc<EngineThread> {
        let metrics = engine.metrics.thread();
        let generation = engine.generation();
        let records = &generation.records;
        let seconds = |record| std::time::Duration::from_secs(records.int(record).max(0) as u64);
        let options = DnsOptions {
            timeout: seconds(ids::HOSTDB_LOOKUP_TIMEOUT),
            prefer_ipv6: records.str(ids::HOSTDB_IP_RESOLVE).starts_with("ipv6"),
            max_ttl: seconds(ids::HOSTDB_TIMEOUT),
            failure_ttl: seconds(ids::HOSTDB_FAIL_TIMEOUT),
            hosts: engine.hosts.clone(),
            servers: list_words(records.str(ids::DNS_NAMESERVERS))
                .filter_map(|server| socket_address(server, DNS_PORT))
                .collect(),
        };
        let log = engine.access_log();
        Rc::new(EngineThread {
            dns: Dns::new(Arc::clone(&engine.dns_cache), options),
            metrics,
            pool: Pool::default(),
            addresses: Addresses::default(),
            log: RefCell::new(log),
            generation: RefCell::new(generation),
            index: index as u64,
            next_id: Cell::new(0),
            sessions: Cell::new(0),
            hits: Cell::new(0),
            watches: RefCell::default(),
            engine,
        })
    }

    /// A watch for a transaction's limit: idle connections have none.
    pub(crate) fn take_watch(&self) -> Rc<Watch> {
        self.watches.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a watch for another transaction.
    pub(crate) fn keep_watch(&self, watch: Rc<Watch>) {
        watch.clear();
        let mut watches = self.watches.borrow_mut();
        if watches.len() < KEPT_WATCHES {
            watches.push(watch);
        }
    }

    /// The current generation, to be kept.
    pub(crate) fn generation(&self) -> Arc<Generation> {
        self.refresh_generation();
        Arc::clone(&self.generation.borrow())
    }

    /// What `look` makes of the current generation: without a count of who holds it.
    pub(crate) fn with_generation<R>(&self, look: impl FnOnce(&Generation) -> R) -> R {
        self.refresh_generation();
        look(&self.generation.borrow())
    }

    /// Costs one load while the generation does not change.
    fn refresh_generation(&self) {
        let number = self.engine.generation_number.load(Ordering::Acquire);
        if self.generation.borrow().number != number {
            self.generation.replace(self.engine.generation());
        }
    }

    pub(crate) fn now(&self) -> Instant {
        tollgate_event::clock::now()
    }

    /// A number that no other transaction or session of the process has.
    pub(crate) fn next_id(&self) -> u64 {
        let id = self.next_id.get() + 1;
        self.next_id.set(id);
        (self.index << 48) | id
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.engine.draining.load(Ordering::Relaxed)
    }

    /// Counts a hit in memory; whether it is one of the sample.
    #[inline]
    pub(crate) fn samples_hit(&self) -> bool {
        self.hits.set(self.hits.get().wrapping_add(1));
        self.hits.get().is_multiple_of(HITS_PER_SAMPLE)
    }

    /// Sessions running on this thread.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.get()
    }

    pub(crate) fn add_sessions(&self, by: isize) {
        self.sessions.set(self.sessions.get().saturating_add_signed(by));
    }
}
