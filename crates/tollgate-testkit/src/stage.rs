//! What all scripts of a running scenario share: deadline, cancellation, barriers, variables, transcript, counters.
//!
//! Responsible for: making every wait end, either by its event, by the deadline or because another script failed.
//! Not responsible for: sockets or processes.
//! Invariant: a script never blocks longer than one time slice without calling [`Stage::check`].

use crate::barrier::Barriers;
use crate::outcome::Failure;
use crate::seen::Seen;
use crate::text::Vars;
use crate::transcript::Transcript;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a script stopped early.
#[derive(Debug)]
pub enum Stop {
    /// An expectation of this script was not met.
    Failed {
        /// What the step demanded.
        expected: String,
        /// What happened.
        got: String,
    },
    /// The scenario's deadline passed while this script was waiting.
    Deadline,
    /// Another script failed first.
    Cancelled,
}

impl Stop {
    /// A failed expectation.
    pub fn failed(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Failed { expected: expected.into(), got: got.into() }
    }
}

/// What one origin has seen.
#[derive(Debug, Default)]
pub struct OriginCounts {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Complete request headers received.
    pub requests: AtomicU64,
    /// Requests received with their whole bodies.
    pub complete: AtomicU64,
    /// Bytes received.
    pub bytes: AtomicU64,
}

/// The shared state of a running scenario.
#[derive(Debug)]
pub struct Stage {
    deadline: Instant,
    cancelled: AtomicBool,
    finished: AtomicBool,
    /// The scenario's barriers.
    pub barriers: Barriers,
    /// What passed on the wire.
    pub transcript: Transcript,
    /// Messages received by the scripts.
    seen: Mutex<Vec<Seen>>,
    vars: Mutex<Vars>,
    failures: Mutex<Vec<Failure>>,
    counts: BTreeMap<String, OriginCounts>,
}

impl Stage {
    /// A stage for the named origins that must be over within `limit`.
    pub fn new<'a>(limit: Duration, barriers: Barriers, origins: impl Iterator<Item = &'a String>) -> Self {
        Self {
            deadline: Instant::now() + limit,
            cancelled: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            barriers,
            transcript: Transcript::default(),
            seen: Mutex::default(),
            vars: Mutex::default(),
            failures: Mutex::default(),
            counts: origins.map(|name| (name.clone(), OriginCounts::default())).collect(),
        }
    }

    /// Ends a wait that must not go on.
    pub fn check(&self) -> Result<(), Stop> {
        if self.cancelled.load(Ordering::SeqCst) {
            return Err(Stop::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Err(Stop::Deadline);
        }
        Ok(())
    }

    /// Time left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Records how a script stopped and makes the others stop too.
    pub fn fail(&self, at: &str, stop: Stop) {
        let failure = match stop {
            Stop::Failed { expected, got } => Failure::new(at, expected, got),
            Stop::Deadline => Failure::new(at, "this step to end before the deadline", "still waiting"),
            Stop::Cancelled => return self.transcript.note(at, "stopped here, another script failed"),
        };
        lock(&self.failures).push(failure);
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// The failures so far, the first one first.
    pub fn failures(&self) -> Vec<Failure> {
        lock(&self.failures).clone()
    }

    /// Whether some script has failed.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Tells idle origin connections and listeners to end.
    pub fn finish(&self) {
        self.finished.store(true, Ordering::SeqCst);
    }

    /// Whether the clients are done and only idle connections remain.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    /// Records a received message.
    pub fn saw(&self, message: Seen) {
        lock(&self.seen).push(message);
    }

    /// The messages received so far, without what cannot agree between two programs.
    pub fn seen(&self, masks: &[String]) -> Vec<Seen> {
        let vars = lock(&self.vars).clone();
        lock(&self.seen).iter().map(|seen| seen.clone().masked(&vars, masks)).collect()
    }

    /// Changes the variables.
    pub fn with_vars<R>(&self, change: impl FnOnce(&mut Vars) -> R) -> R {
        change(&mut lock(&self.vars))
    }

    /// `text` with its variables replaced.
    pub fn expand(&self, text: &str) -> String {
        if text.contains("${") { lock(&self.vars).expand(text) } else { text.to_owned() }
    }

    /// The counters of an origin.
    pub fn counts(&self, origin: &str) -> Option<&OriginCounts> {
        self.counts.get(origin)
    }

    /// Polls `condition` until it holds or the wait must end; an error carries the last text it returned.
    pub fn poll(&self, mut condition: impl FnMut() -> Result<(), (String, String)>) -> Result<(), Stop> {
        loop {
            let Err((expected, got)) = condition() else { return Ok(()) };
            if self.check().is_err() {
                return Err(Stop::Failed { expected, got });
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
