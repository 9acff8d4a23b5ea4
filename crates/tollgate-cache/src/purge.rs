//! Purging many objects at once: by prefix, by regular expression, by tag, by cache group.
//!
//! Responsible for: remembering what was purged, and whether an object is hit by something that was purged after
//! it was fetched; how a purge is written down ([`journal`]).
//! Not responsible for: removing a single URL (the store does that at once), who may purge.
//! Entry points: [`Purges::add`]; [`Purges::judge`], which the store calls whenever it finds an object.
//! Invariants: purges are numbered in their order and an object remembers the newest one it was judged by, so it is
//! judged by each purge once, when it is next found; nothing new costs one load and one comparison; tags cost one
//! look-up each, however many objects have them; what cannot be judged any more, because the purges in question
//! were forgotten, counts as purged.
//!
//! Purges are forgotten in two ways: a sweep has judged every object by them ([`Purges::retire`]), or there
//! are more of them than the limits allow.
//!
//! A tier that outlives the process keeps with each object the number it was judged by ([`Mark::judged`]) and since when
//! it is stale ([`StoredHead::stale_since`](crate::StoredHead::stale_since)), gives both back with
//! [`StoredHead::born_as`](crate::StoredHead::born_as) and [`StoredHead::stale_from`](crate::StoredHead::stale_from),
//! writes what [`Purges::add`] returns to a [`journal`], begins with [`Purges::restore`], and has no purge retired that
//! is newer than the oldest number it keeps.

mod bans;
pub mod groups;
pub mod journal;
mod mark;
mod soft;
mod tags;

pub(crate) use mark::Judged;
pub use mark::{Born, Mark};

use crate::key::CacheKey;
use bans::{Ban, Matcher};
use journal::Entry;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use tags::TagTable;
use tollgate_http::HeaderBlock;

/// How many purges are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeLimits {
    /// Prefixes and regular expressions. LIMIT: each costs a comparison when an older object is found.
    pub bans: usize,
    /// Tags and groups. LIMIT: each takes about 100 bytes.
    pub tags: usize,
}

impl Default for PurgeLimits {
    fn default() -> Self {
        PurgeLimits { bans: 1024, tags: 65_536 }
    }
}

/// LIMIT: bytes of a compiled regular expression.
const REGEX_BYTES: usize = 1 << 20;

/// What a purge does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It becomes stale: validated before it is used, and served stale where its response allows that.
    Soft,
    /// It is gone.
    Hard,
}

/// Which objects a purge is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One key. Done by the store at once; here for the journal only.
    Key(Box<[u8]>),
    /// All keys of which this key, made of the prefix as a URL, is the beginning.
    Prefix(Box<[u8]>),
    /// All keys whose URL (`http://host/path?query`, after remapping) matches this regular expression somewhere.
    Regex(Box<str>),
    /// All objects with this tag (`Surrogate-Key`, `Cache-Tag`).
    Tag(Box<[u8]>),
    /// All objects of this cache group (RFC 9875), which belongs to an origin: [`CacheKey::origin`].
    Group {
        /// The origin.
        origin: Box<[u8]>,
        /// The group.
        name: Box<[u8]>,
    },
    /// All objects.
    Everything,
}

impl Target {
    /// All objects whose URL begins as `prefix` does.
    pub fn prefix(prefix: &CacheKey) -> Target {
        Target::Prefix(prefix.as_bytes().into())
    }

    /// All objects of this group of the origin that `key` belongs to.
    pub fn group(key: &CacheKey, name: &[u8]) -> Target {
        Target::Group { origin: key.origin().as_slice().into(), name: name.into() }
    }
}

/// One purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Its number; 1 is the first one of all.
    pub number: u64,
    /// When, seconds since 1970.
    pub at: i64,
    /// What it does.
    pub effect: Effect,
    /// To which objects.
    pub target: Target,
}

/// Why a purge was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeError {
    /// The regular expression is wrong or too large.
    #[error("regular expression: {0}")]
    Regex(String),
    /// A tag or group without a name.
    #[error("a tag is empty")]
    EmptyTag,
}

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No purge has hit it.
    Untouched,
    /// A soft purge has: stale since that time, seconds since 1970.
    Stale {
        /// Since when.
        since: i64,
    },
    /// A hard purge has.
    Gone,
}

/// Numbers about purges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeStats {
    /// The newest purge's number.
    pub newest: u64,
    /// Prefixes and regular expressions remembered.
    pub bans: usize,
    /// Tags and groups remembered.
    pub tags: usize,
    /// Objects not judged by purges up to this number count as purged.
    pub forgotten: u64,
    /// How often purges were forgotten for lack of room rather than after a sweep.
    pub overflows: u64,
}

/// The tags in `Surrogate-Key` and `Cache-Tag`, of a response or of a request to purge.
pub fn tags_in(headers: &HeaderBlock) -> impl Iterator<Item = &[u8]> {
    tags::names_in(headers)
}

/// What was purged. Shared by all tiers and threads.
#[derive(Debug)]
pub struct Purges {
    /// The newest purge's number. Written under the lock only.
    newest: AtomicU64,
    state: RwLock<State>,
    limits: PurgeLimits,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    bans: VecDeque<Ban>,
    tags: TagTable,
    forgotten: u64,
    overflows: u64,
}

impl Default for Purges {
    fn default() -> Self {
        Purges::new(PurgeLimits::default())
    }
}

impl Purges {
    /// Nothing purged yet.
    pub fn new(limits: PurgeLimits) -> Purges {
        Purges { newest: AtomicU64::new(0), state: RwLock::default(), limits }
    }

    /// The newest purge's number: what is fetched from now on is newer.
    #[inline]
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Purges. When this returns, no thread serves what was fetched before as if nothing had happened.
    ///
    /// # Errors
    /// If the target cannot be right. Then nothing is purged.
    pub fn add(&self, target: Target, effect: Effect, now: i64) -> Result<Purge, PurgeError> {
        let prepared = Prepared::of(&target)?;
        let mut state = self.state.write();
        let purge = Purge { number: self.newest.load(Ordering::Relaxed) + 1, at: now, effect, target };
        state.take(&purge, prepared, &self.limits);
        self.newest.store(purge.number, Ordering::Release);
        Ok(purge)
    }

    /// Takes up what an earlier process wrote down: a [`snapshot`](Self::snapshot) and the purges after it. An
    /// expression that is not understood any more makes everything older unjudgeable, which counts as purged.
    pub fn restore(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.state.write();
        let mut newest = self.newest.load(Ordering::Relaxed);
        for entry in entries {
            match entry {
                Entry::State { newest: number, forgotten } => {
                    state.forget_to(forgotten);
                    newest = newest.max(number);
                }
                Entry::Purge(purge) => {
                    match Prepared::of(&purge.target) {
                        Ok(prepared) => state.take(&purge, prepared, &self.limits),
                        Err(_) => state.forget_to(purge.number),
                    }
                    newest = newest.max(purge.number);
                }
            }
        }
        self.newest.store(newest, Ordering::Release);
    }

    /// How the object under `key` stands. Costs a comparison unless there were purges since it was last judged.
    #[inline]
    pub fn judge(&self, key: &CacheKey, mark: Mark<'_>) -> Standing {
        let judged = mark.judged();
        if judged == self.newest() {
            return mark.standing();
        }
        self.judge_by_newer(key, mark, judged)
    }

    #[cold]
    fn judge_by_newer(&self, key: &CacheKey, mark: Mark<'_>, judged: u64) -> Standing {
        let state = self.state.read();
        let newest = self.newest.load(Ordering::Relaxed);
        if judged < state.forgotten {
            return Standing::Gone;
        }
        for tag in mark.tags() {
            match state.tags.verdict(tag, judged) {
                Standing::Untouched => {}
                Standing::Stale { since } => mark.make_stale(since),
                Standing::Gone => return Standing::Gone,
            }
        }
        let mut url = bans::UrlText::default();
        for ban in state.bans.iter().rev().take_while(|ban| ban.number > judged) {
            if ban.matches(key, &mut url) {
                match ban.effect {
                    Effect::Hard => return Standing::Gone,
                    Effect::Soft => mark.make_stale(ban.at),
                }
            }
        }
        mark.set_judged(newest);
        mark.standing()
    }

    /// Forgets the purges up to `number`, which all stored objects have been judged by, except those later than
    /// `before` (seconds since 1970): objects may be on their way that were asked for before them.
    pub fn retire(&self, number: u64, before: i64) {
        let mut state = self.state.write();
        let bans = state.bans.iter().filter(|ban| ban.number <= number && ban.at < before);
        let newest_ban = bans.map(|ban| ban.number).max();
        let newest = newest_ban.max(state.tags.newest_before(number, before));
        if let Some(newest) = newest {
            state.forget_to(newest);
        }
    }

    /// Whether any purge is remembered that a sweep could retire.
    pub fn has_any(&self) -> bool {
        let state = self.state.read();
        !state.bans.is_empty() || state.tags.len() > 0
    }

    /// Numbers.
    pub fn stats(&self) -> PurgeStats {
        let state = self.state.read();
        PurgeStats {
            newest: self.newest(),
            bans: state.bans.len(),
            tags: state.tags.len(),
            forgotten: state.forgotten,
            overflows: state.overflows,
        }
    }

    /// What [`restore`](Self::restore) needs in place of all that was written down before: how far purges were
    /// numbered and forgotten, and those remembered, oldest first.
    pub fn snapshot(&self) -> Vec<Entry> {
        let state = self.state.read();
        let mut purges: Vec<Purge> = state.bans.iter().map(Ban::to_purge).collect();
        state.tags.append_to(&mut purges);
        purges.sort_by_key(|purge| purge.number);
        let numbers = Entry::State { newest: self.newest(), forgotten: state.forgotten };
        std::iter::once(numbers).chain(purges.into_iter().map(Entry::Purge)).collect()
    }
}

/// A target made ready before the lock is taken.
enum Prepared {
    Nothing,
    Ban(Matcher),
    Tag(Box<[u8]>),
}

impl Prepared {
    fn of(target: &Target) -> Result<Prepared, PurgeError> {
        Ok(match target {
            Target::Key(_) => Prepared::Nothing,
            Target::Prefix(key) => Prepared::Ban(Matcher::Prefix(key.clone())),
            Target::Regex(text) => Prepared::Ban(Matcher::regex(text)?),
            Target::Everything => Prepared::Ban(Matcher::Everything),
            Target::Tag(name) | Target::Group { name, .. } if name.is_empty() => {
                return Err(PurgeError::EmptyTag);
            }
            Target::Tag(name) => Prepared::Tag(tags::tag_name(name)),
            Target::Group { origin, name } => Prepared::Tag(tags::group_name(origin, name)),
        })
    }
}

impl State {
    fn take(&mut self, purge: &Purge, prepared: Prepared, limits: &PurgeLimits) {
        match prepared {
            Prepared::Nothing => {}
            Prepared::Tag(name) => self.tags.note(name, purge),
            Prepared::Ban(matcher) => {
                // The same again stands for the older one, unless that one does more.
                self.bans.retain(|ban| !(ban.matcher.same(&matcher) && ban.effect <= purge.effect));
                self.bans.push_back(Ban {
                    number: purge.number,
                    at: purge.at,
                    effect: purge.effect,
                    matcher,
                });
            }
        }
        let oldest_ban = (self.bans.len() > limits.bans).then(|| self.bans.front().map(|ban| ban.number));
        let half_of_tags = (self.tags.len() > limits.tags).then(|| self.tags.older_half());
        if let Some(number) = oldest_ban.flatten().max(half_of_tags) {
            self.overflows += 1;
            self.forget_to(number);
        }
    }

    fn forget_to(&mut self, number: u64) {
        self.forgotten = self.forgotten.max(number);
        self.bans.retain(|ban| ban.number > number);
        self.tags.forget_to(number);
    }
}

#[cfg(test)]
mod tests;
