//! The points in time a transaction passes.
//!
//! Responsible for: keeping when each milestone was reached and telling spans between two.
//! Not responsible for: reading the clock; the caller says what time it is.
//! Invariants: times are nanoseconds since the transaction's base, never 0 once reached; names and numbers are those
//! of Traffic Server's `TS_MILESTONE_*`.

use std::time::{Duration, Instant};

macro_rules! milestones {
    ($($id:ident = $number:literal $name:literal $doc:literal;)+) => {
        /// A point in a transaction's life.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Milestone { $(#[doc = $doc] $id,)+ }

        impl Milestone {
            /// Every milestone, in Traffic Server's order.
            pub const ALL: &'static [Milestone] = &[$(Milestone::$id,)+];

            /// The name without `TS_MILESTONE_`, in lower case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)+ }
            }

            /// The value of `TSMilestonesType`.
            pub const fn ts_number(self) -> u8 {
                match self { $(Self::$id => $number,)+ }
            }
        }
    };
}

milestones! {
    UaBegin = 0 "ua_begin" "The client's request began to arrive.";
    UaReadHeaderDone = 2 "ua_read_header_done" "The request header was complete.";
    UaBeginWrite = 3 "ua_begin_write" "The response header was handed to the client's connection.";
    UaClose = 4 "ua_close" "The client's side of the transaction ended.";
    ServerConnect = 6 "server_connect" "Connecting to the origin began (the last attempt).";
    ServerConnectEnd = 7 "server_connect_end" "The origin connection was established.";
    ServerBeginWrite = 8 "server_begin_write" "The request header was handed to the origin connection.";
    ServerReadHeaderDone = 10 "server_read_header_done" "The origin's response header was complete.";
    ServerClose = 11 "server_close" "The origin's side of the transaction ended.";
    CacheOpenReadBegin = 12 "cache_open_read_begin" "The cache look-up began.";
    CacheOpenReadEnd = 13 "cache_open_read_end" "The cache look-up ended.";
    DnsLookupBegin = 16 "dns_lookup_begin" "Resolving the origin's name began.";
    DnsLookupEnd = 17 "dns_lookup_end" "Resolving the origin's name ended.";
    SmStart = 18 "sm_start" "The transaction started.";
    SmFinish = 19 "sm_finish" "The transaction ended.";
}

impl Milestone {
    /// The milestone with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|milestone| milestone.name() == name)
    }

    /// The milestone with this value of `TSMilestonesType`, if it is kept.
    pub fn by_ts_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|milestone| milestone.ts_number() == number)
    }
}

/// When one transaction reached its milestones.
#[derive(Clone, Copy, Debug)]
pub struct Milestones {
    base: Instant,
    /// Nanoseconds from the base to what the caller last said is now; at least 1.
    now_ns: u64,
    /// Nanoseconds since the base; 0 is "not reached".
    reached_ns: [u64; Milestone::ALL.len()],
}

impl Milestones {
    /// No milestone reached; times will be told relative to `base`.
    pub const fn new(base: Instant) -> Self {
        Self { base, now_ns: 1, reached_ns: [0; Milestone::ALL.len()] }
    }

    /// The base all times are relative to.
    pub const fn base(&self) -> Instant {
        self.base
    }

    /// Says what time it is for the marks that follow.
    ///
    /// A `now` at or before the base counts as 1 ns after it, since 0 means "not reached".
    #[inline]
    pub fn advance(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.base).as_nanos();
        self.now_ns = u64::try_from(since).unwrap_or(u64::MAX).max(1);
    }

    /// Notes that the milestone is reached now; a later call for the same milestone wins.
    #[inline]
    pub fn mark(&mut self, milestone: Milestone) {
        self.reached_ns[milestone as usize] = self.now_ns;
    }

    /// As [`Milestones::mark`], unless the milestone is reached already.
    #[inline]
    pub fn mark_first(&mut self, milestone: Milestone) {
        if self.reached_ns[milestone as usize] == 0 {
            self.mark(milestone);
        }
    }

    /// Nanoseconds since the base; `None` if not reached.
    #[inline]
    pub const fn reached_ns(&self, milestone: Milestone) -> Option<u64> {
        match self.reached_ns[milestone as usize] {
            0 => None,
            ns => Some(ns),
        }
    }

    /// The time from one milestone to another; `None` unless both are reached in that order.
    pub fn between(&self, from: Milestone, to: Milestone) -> Option<Duration> {
        let span = self.reached_ns(to)?.checked_sub(self.reached_ns(from)?)?;
        Some(Duration::from_nanos(span))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Milestone, Milestones};

    #[test]
    fn spans_are_told_between_reached_milestones_only() {
        let base = Instant::now();
        let at = |ms| base + Duration::from_millis(ms);
        let mut milestones = Milestones::new(base);
        milestones.advance(base);
        milestones.mark(Milestone::SmStart);
        milestones.advance(at(5));
        milestones.mark(Milestone::ServerConnect);
        milestones.advance(at(12));
        milestones.mark(Milestone::ServerConnectEnd);
        assert_eq!(
            milestones.reached_ns(Milestone::SmStart),
            Some(1),
            "reached at the base is still reached"
        );
        let span = milestones.between(Milestone::ServerConnect, Milestone::ServerConnectEnd);
        assert_eq!(span, Some(Duration::from_millis(7)));
        assert_eq!(milestones.between(Milestone::ServerConnectEnd, Milestone::ServerConnect), None);
        assert_eq!(milestones.between(Milestone::SmStart, Milestone::SmFinish), None);
        assert_eq!(milestones.base(), base);
    }

    #[test]
    fn last_mark_wins_unless_the_first_is_asked_for() {
        let base = Instant::now();
        let mut milestones = Milestones::new(base);
        milestones.advance(base + Duration::from_nanos(10));
        milestones.mark(Milestone::ServerConnect);
        milestones.advance(base + Duration::from_nanos(20));
        milestones.mark_first(Milestone::ServerConnect);
        assert_eq!(milestones.reached_ns(Milestone::ServerConnect), Some(10));
        milestones.advance(base + Duration::from_nanos(30));
        milestones.mark(Milestone::ServerConnect);
        assert_eq!(milestones.reached_ns(Milestone::ServerConnect), Some(30));
    }

    #[test]
    fn names_and_numbers_lead_back_to_their_milestone() {
        for &milestone in Milestone::ALL {
            assert_eq!(Milestone::by_name(milestone.name()), Some(milestone));
            assert_eq!(Milestone::by_ts_number(milestone.ts_number()), Some(milestone));
        }
        assert_eq!(Milestone::by_ts_number(1), None);
        assert!(Milestone::ALL.is_sorted_by_key(|milestone| milestone.ts_number()));
    }
}
