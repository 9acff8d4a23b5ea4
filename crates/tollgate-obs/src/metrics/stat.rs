//! Statistics that plugins make while the server runs.
//!
//! Responsible for: their names, their limit, values from any thread, how a value is read.
//! Not responsible for: the server's own metrics (`table`), numbers by which plugins call them.
//! Invariants: a statistic is never removed, as plugins keep it; a name of the table is never given away.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// LIMIT: statistics of all plugins together.
pub const MAX_STATS: usize = 2000;

/// What one reads of a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The sum of all changes.
    Sum,
    /// How many changes there were.
    Count,
    /// The mean change.
    Average,
    /// The mean change, in seconds where changes are nanoseconds.
    AverageSeconds,
}

/// One statistic of a plugin.
#[derive(Debug)]
pub struct Stat {
    name: Box<str>,
    reading: Reading,
    sum: AtomicI64,
    count: AtomicI64,
}

impl Stat {
    pub(super) fn new(name: &str, reading: Reading) -> Arc<Stat> {
        Arc::new(Stat { name: name.into(), reading, sum: AtomicI64::new(0), count: AtomicI64::new(0) })
    }

    /// The name it is listed under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes it, which counts.
    pub fn add(&self, by: i64) {
        self.sum.fetch_add(by, Ordering::Relaxed);
        if self.reading != Reading::Sum {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sets the sum, which does not count as a change.
    pub fn set(&self, to: i64) {
        self.sum.store(to, Ordering::Relaxed);
    }

    /// The sum of all changes.
    pub fn sum(&self) -> i64 {
        self.sum.load(Ordering::Relaxed)
    }

    /// What one reads: the sum, unless it was made to be read otherwise.
    pub fn value(&self) -> i64 {
        let (sum, count) = (self.sum(), self.count.load(Ordering::Relaxed));
        match self.reading {
            Reading::Sum => sum,
            Reading::Count => count,
            Reading::Average => sum.checked_div(count).unwrap_or(0),
            Reading::AverageSeconds => sum.checked_div(count).unwrap_or(0) / 1_000_000_000,
        }
    }

    /// The name for Prometheus: its characters that Prometheus does not allow become underscores.
    pub fn prometheus_name(&self) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == ':' { c } else { '_' };
        format!("tollgate_plugin_{}", self.name.chars().map(allowed).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn a_statistic_reads_as_it_was_made() {
        let value = |reading| {
            let stat = Stat::new("a", reading);
            stat.set(4_000_000_000);
            stat.add(1_000_000_000);
            stat.add(-2_000_000_000);
            stat.value()
        };
        assert_eq!(value(Reading::Sum), 3_000_000_000);
        assert_eq!(value(Reading::Count), 2);
        assert_eq!(value(Reading::Average), 1_500_000_000);
        assert_eq!(value(Reading::AverageSeconds), 1);
        assert_eq!(Stat::new("a", Reading::Average).value(), 0);
    }

    #[test]
    fn the_same_name_is_the_same_statistic() {
        let metrics = Metrics::new();
        let first = metrics.create_stat("plugin.a b", Reading::Sum).expect("room");
        metrics.create_stat("plugin.a b", Reading::Count).expect("room").add(2);
        assert_eq!(first.value(), 2);
        assert_eq!(metrics.stats().len(), 1);
        assert!(metrics.stat("plugin").is_none());
        assert!(metrics.create_stat("proxy.process.http.incoming_requests", Reading::Sum).is_none());
    }

    #[test]
    fn statistics_are_listed_and_found_like_metrics() {
        let metrics = Metrics::new();
        metrics.create_stat("plugin.a-b", Reading::Sum).expect("room").add(7);
        assert_eq!(metrics.by_name("plugin.a-b"), Some(7));
        let text = metrics.prometheus();
        assert!(text.contains(
            "# TYPE tollgate_plugin_plugin_a_b gauge\ntollgate_plugin_plugin_a_b{stat=\"plugin.a-b\"} 7\n"
        ));
        let rows: Vec<serde_json::Value> = serde_json::from_str(&metrics.json()).expect("valid JSON");
        let row = rows.iter().find(|r| r["name"] == "plugin.a-b").expect("the row is there");
        assert_eq!((&row["value"], &row["prometheus"]), (&7.into(), &"tollgate_plugin_plugin_a_b".into()));
    }

    #[test]
    fn names_that_differ_only_in_forbidden_characters_have_one_head() {
        let metrics = Metrics::new();
        metrics.create_stat("a.b", Reading::Sum).expect("room");
        metrics.create_stat("a-b", Reading::Sum).expect("room");
        assert_eq!(metrics.prometheus().matches("# TYPE tollgate_plugin_a_b gauge").count(), 1);
    }

    #[test]
    fn there_is_a_limit() {
        let metrics = Metrics::new();
        for i in 0..MAX_STATS {
            assert!(metrics.create_stat(&i.to_string(), Reading::Sum).is_some());
        }
        assert!(metrics.create_stat("one more", Reading::Sum).is_none());
        assert!(metrics.create_stat("0", Reading::Sum).is_some());
    }
}
