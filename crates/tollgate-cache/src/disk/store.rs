//! The disk tier as the cache sees it: objects by key, over all stripes.
//!
//! Responsible for: which stripe a key belongs to, alternates, opening what can be opened, upkeep.
//! Not responsible for: when it is called; the RAM tier.
//! Invariants: a stripe that fails takes its share of the keys with it and nothing else; [`DiskStore::may_have`] and
//! [`DiskStore::remove`] touch memory only, everything that reads or writes blocks.

use super::behind::Behind;
use super::device::Device;
use super::evacuate::Evacuations;
use super::read::Patience;
use super::recover::Opened;
use super::sought::located;
use super::stripe::{Counters, Stripe};
use super::writer::DiskWriter;
use super::{DiskError, StripeOptions};
use crate::key::CacheKey;
use crate::object::StoredObject;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use twox_hash::XxHash3_64;

/// The index is synced after so many times its own size was written to the log, at the latest.
const LOG_PER_INDEX: u64 = 16;
/// LIMIT: bytes of log to be replayed after a crash, unless a share of the index is more.
const REPLAYED_BYTES: u64 = 256 << 20;

/// Where a stripe lies.
pub struct StripePlace {
    /// Names the stripe, in messages and to choose keys for it: it should not change from start to start.
    pub name: String,
    /// The device.
    pub device: Arc<dyn Device>,
    /// Where the stripe begins.
    pub base: u64,
    /// Bytes of the stripe.
    pub len: u64,
    /// The volume it belongs to; 0: none.
    pub volume: u32,
}

/// Settings of a [`DiskStore`].
#[derive(Clone, Debug)]
pub struct DiskStoreOptions {
    /// Of each stripe.
    pub stripe: StripeOptions,
    /// `proxy.config.cache.target_fragment_size`: bodies above this size are cut.
    pub fragment_bytes: usize,
    /// `proxy.config.cache.limits.http.max_alts`: alternates per key; at least 1.
    pub max_alternates: usize,
    /// `proxy.config.cache.agg_write_backlog`: bytes of complete objects that may wait to be written.
    pub backlog_bytes: u64,
    /// `proxy.config.cache.dir.sync_frequency`: seconds between syncs of the index.
    pub sync_seconds: i64,
    /// `proxy.config.cache.hit_evacuate_percent`: what is hit within so much of a stripe before the log's head is written
    /// anew; 0: nothing is.
    pub evacuate_percent: u8,
    /// `proxy.config.cache.hit_evacuate_size_limit`: bytes of the largest body that is; 0: no limit.
    pub evacuate_bytes: u64,
    /// Unpredictable; for stripes that are new.
    pub seed: u64,
    /// `hosting.config`: volumes for hosts, and for all below a domain (with a leading dot).
    pub hosts: HashMap<String, Vec<u32>>,
    /// Volumes for all other hosts; empty: all.
    pub other_hosts: Vec<u32>,
}

impl Default for DiskStoreOptions {
    fn default() -> Self {
        DiskStoreOptions {
            stripe: StripeOptions::default(),
            fragment_bytes: 1 << 20,
            max_alternates: 5,
            backlog_bytes: 5 << 20,
            sync_seconds: 60,
            evacuate_percent: 0,
            evacuate_bytes: 0,
            seed: 0,
            hosts: HashMap::new(),
            other_hosts: Vec::new(),
        }
    }
}

/// Counters and gauges of all stripes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Documents that can be found, roughly.
    pub documents: u64,
    /// Bytes of all logs.
    pub log_bytes: u64,
    /// Bytes of memory that the indexes take.
    pub index_bytes: u64,
    /// Stripes in use.
    pub stripes: u64,
    /// Stripes given up.
    pub offline: u64,
    /// Documents written since the start.
    pub documents_written: u64,
    /// Bytes written since the start.
    pub bytes_written: u64,
    /// Bytes read since the start.
    pub bytes_read: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// Writes that failed.
    pub write_errors: u64,
    /// Records that were read and did not check.
    pub corrupt: u64,
    /// Objects not written because too many were waiting.
    pub backlog_refusals: u64,
    /// Objects written anew because they were in use.
    pub evacuated: u64,
    /// Bytes of their bodies.
    pub evacuated_bytes: u64,
    /// Pinned objects written anew.
    pub pinned_kept: u64,
    /// Pinned objects that were not: there were too many.
    pub pinned_lost: u64,
}

/// What became of a stripe, by name.
pub type StripeOpened = (String, Result<Opened, DiskError>);

pub(super) struct Member {
    pub(super) stripe: Arc<Stripe>,
    pub(super) name: String,
    pub(super) volume: u32,
    name_hash: u64,
    pub(super) behind: Arc<Behind>,
}

/// All stripes.
pub struct DiskStore {
    pub(super) members: Vec<Member>,
    options: DiskStoreOptions,
    backlog: Arc<AtomicU64>,
    backlog_refusals: AtomicU64,
    synced_at: AtomicI64,
    pub(super) evacuations: Evacuations,
}

/// Room for an object that waits to be written; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    backlog: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.backlog.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl DiskStore {
    /// Opens the stripes; the store works with those that could be opened. What became of each is told by name.
    pub fn open(places: Vec<StripePlace>, options: DiskStoreOptions) -> (DiskStore, Vec<StripeOpened>) {
        let mut members = Vec::new();
        let mut results = Vec::new();
        for place in places {
            let name_hash = XxHash3_64::oneshot(place.name.as_bytes());
            let seed = options.seed ^ name_hash;
            let opened = Stripe::open(place.device, place.base, place.len, options.stripe, seed);
            let result = opened.map(|(stripe, opened)| {
                let stripe = Arc::new(stripe);
                let (name, behind) = (place.name.clone(), Arc::default());
                members.push(Member { stripe, name, volume: place.volume, name_hash, behind });
                opened
            });
            results.push((place.name, result));
        }
        let store = DiskStore {
            members,
            options,
            backlog: Arc::default(),
            backlog_refusals: AtomicU64::new(0),
            synced_at: AtomicI64::new(0),
            evacuations: Evacuations::default(),
        };
        (store, results)
    }

    /// The settings.
    pub fn options(&self) -> &DiskStoreOptions {
        &self.options
    }

    /// Whether something may be stored under the key. Memory only; seldom wrong when it says yes.
    pub fn may_have(&self, key: &CacheKey) -> bool {
        self.stripe_of(key).is_some_and(|stripe| stripe.may_have(stripe.key(key.as_bytes())))
    }

    /// The alternates stored under the key, newest first; of a large body only the whereabouts. Blocks.
    ///
    /// # Errors
    /// Read errors, damage: what cannot be read is forgotten.
    pub fn load(&self, key: &CacheKey) -> Result<Vec<StoredObject>, DiskError> {
        let Some(stripe) = self.stripe_of(key) else { return Ok(Vec::new()) };
        let located = located(stripe, key, Patience::Waits)?;
        Ok(located.into_iter().map(|(_, object)| object).collect())
    }

    /// Begins to write an object; `None` if no stripe takes it.
    pub fn writer(&self, key: &CacheKey) -> Option<DiskWriter> {
        self.stripe_of(key).map(|stripe| DiskWriter::new(self, stripe, key))
    }

    /// Room for a complete object of that many bytes to wait for its writing; `None` if too many wait. What is stored
    /// under the key is then forgotten: it is older than what could not be written.
    pub fn reserve(&self, key: &CacheKey, bytes: u64) -> Option<Reservation> {
        let room = self.room_for(bytes);
        if room.is_none() {
            self.backlog_refusals.fetch_add(1, Ordering::Relaxed);
            self.remove(key);
        }
        room
    }

    pub(super) fn room_for(&self, bytes: u64) -> Option<Reservation> {
        let most = match self.options.backlog_bytes {
            0 => u64::MAX,
            most => most.max(bytes),
        };
        let taken = self.backlog.try_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            waiting.checked_add(bytes).filter(|sum| *sum <= most)
        });
        taken.is_ok().then(|| Reservation { backlog: Arc::clone(&self.backlog), bytes })
    }

    /// Makes the alternates of the key unreachable, and those being written, too; tells how many there were. Memory
    /// only: [`Self::persist_removal`] makes it last.
    pub fn remove(&self, key: &CacheKey) -> usize {
        self.stripe_of(key).map_or(0, |stripe| stripe.forget(stripe.key(key.as_bytes())))
    }

    /// Changes with each removal of the key: who reads it before and after knows whether there was one between.
    pub fn removals(&self, key: &CacheKey) -> u64 {
        self.stripe_of(key).map_or(0, |stripe| stripe.removals(stripe.key(key.as_bytes())))
    }

    /// Returns when a removal will survive the end of this process, however sudden. Blocks.
    ///
    /// # Errors
    /// Write errors.
    pub fn note_removal(&self, key: &CacheKey) -> Result<(), DiskError> {
        match self.stripe_of(key) {
            Some(stripe) => stripe.note_tombstone(stripe.key(key.as_bytes())),
            None => Ok(()),
        }
    }

    /// Returns when a removal will survive a failure of the machine, too. Blocks.
    ///
    /// # Errors
    /// Write errors.
    pub fn persist_removal(&self, key: &CacheKey) -> Result<(), DiskError> {
        match self.stripe_of(key) {
            Some(stripe) => stripe.write_tombstone(stripe.key(key.as_bytes())),
            None => Ok(()),
        }
    }

    /// Makes everything unreachable. Memory only, until the next sync.
    pub fn clear(&self) {
        self.members.iter().for_each(|member| member.stripe.index.clear());
    }

    /// Upkeep, to be called about every second: writes what waits in buffers, and syncs indexes when it is time. Gives
    /// the errors, by name of the stripe. Blocks.
    pub fn maintain(&self, now: i64) -> Vec<(String, DiskError)> {
        let last = self.synced_at.load(Ordering::Relaxed);
        if last == 0 {
            self.synced_at.store(now, Ordering::Relaxed);
        }
        let is_time = last != 0 && now - last >= self.options.sync_seconds.max(1);
        if is_time {
            self.synced_at.store(now, Ordering::Relaxed);
        }
        self.each(|stripe| {
            stripe.pins.tell_time(now);
            let kept = stripe.keep_pinned();
            let unsynced = stripe.unsynced_bytes();
            let most = REPLAYED_BYTES.min(stripe.geometry.log_len / 4);
            let most = most.max(stripe.index.bytes() * LOG_PER_INDEX);
            let is_due = (unsynced > 0 || stripe.has_unsynced_judgement()) && (is_time || unsynced >= most);
            kept.and(if is_due { stripe.sync() } else { stripe.flush().map(|_| ()) })
        })
    }

    /// Writes everything, so that the next start finds it at once. Blocks.
    pub fn sync(&self) -> Vec<(String, DiskError)> {
        self.each(|stripe| stripe.sync())
    }

    fn each(&self, work: impl Fn(&Arc<Stripe>) -> Result<(), DiskError>) -> Vec<(String, DiskError)> {
        let members = self.members.iter().filter(|member| !member.stripe.is_offline());
        members
            .filter_map(|member| work(&member.stripe).err().map(|error| (member.name.clone(), error)))
            .collect()
    }

    /// The counters now.
    pub fn stats(&self) -> DiskStats {
        let mut stats = DiskStats {
            backlog_refusals: self.backlog_refusals.load(Ordering::Relaxed),
            evacuated: self.evacuations.documents.load(Ordering::Relaxed),
            evacuated_bytes: self.evacuations.bytes.load(Ordering::Relaxed),
            ..DiskStats::default()
        };
        for member in &self.members {
            let stripe = &member.stripe;
            let Counters {
                documents_written,
                bytes_written,
                bytes_read,
                read_errors,
                write_errors,
                corrupt,
                laps: _,
            } = &stripe.counters;
            let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            stats.documents += stripe.index.used();
            stats.log_bytes += stripe.geometry.log_len;
            stats.index_bytes += stripe.index.bytes();
            stats.stripes += u64::from(!stripe.is_offline());
            stats.offline += u64::from(stripe.is_offline());
            stats.documents_written += get(documents_written);
            stats.bytes_written += get(bytes_written);
            stats.bytes_read += get(bytes_read);
            stats.read_errors += get(read_errors);
            stats.write_errors += get(write_errors);
            stats.corrupt += get(corrupt);
            stats.pinned_kept += get(&stripe.pins.kept);
            stats.pinned_lost += get(&stripe.pins.lost);
        }
        stats
    }

    /// The stripe of a key: of those of its host's volumes the one that wins a draw weighted by size. A stripe that
    /// comes or goes moves no key between the others.
    pub(super) fn member_of(&self, key: &CacheKey) -> Option<&Member> {
        let volumes = self.volumes_of(key);
        let allowed = self.members.iter().filter(|m| volumes.is_empty() || volumes.contains(&m.volume));
        let mut allowed = allowed.filter(|member| !member.stripe.is_offline()).peekable();
        let first = allowed.next()?;
        if allowed.peek().is_none() {
            return Some(first);
        }
        let draw = |member: &Member| {
            let hash = XxHash3_64::oneshot_with_seed(member.name_hash, key.as_bytes());
            let uniform = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            -uniform.ln() / member.stripe.geometry.log_len as f64
        };
        std::iter::once(first).chain(allowed).min_by(|a, b| draw(a).total_cmp(&draw(b)))
    }

    pub(super) fn stripe_of(&self, key: &CacheKey) -> Option<&Arc<Stripe>> {
        self.member_of(key).map(|member| &member.stripe)
    }

    fn volumes_of(&self, key: &CacheKey) -> &[u32] {
        if self.options.hosts.is_empty() {
            return &self.options.other_hosts;
        }
        let host = String::from_utf8_lossy(key.host());
        if let Some(volumes) = self.options.hosts.get(&*host) {
            return volumes;
        }
        let mut rest: &str = &host;
        while let Some(dot) = rest.find('.') {
            if let Some(volumes) = self.options.hosts.get(&rest[dot..]) {
                return volumes;
            }
            rest = &rest[dot + 1..];
        }
        &self.options.other_hosts
    }
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskStore").field("stats", &self.stats()).finish()
    }
}
