//! Statistics by the numbers that plugins call them.
//!
//! Responsible for: numbers, types. Not responsible for: values and their listing (`tollgate-obs`).
//! Invariants: numbers count from 0 and are never given twice; the same name is the same statistic under each number.

use super::host::RecordValue;
use parking_lot::RwLock;
use std::sync::Arc;
use tollgate_obs::metrics::{MAX_STATS, Metrics, Reading, Stat};

/// `TSStatSync`.
pub fn reading(sync: i32) -> Option<Reading> {
    match sync {
        0 => Some(Reading::Sum),
        1 => Some(Reading::Count),
        2 => Some(Reading::Average),
        3 => Some(Reading::AverageSeconds),
        _ => None,
    }
}

/// The type of a statistic's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatType {
    /// An integer.
    Int,
    /// A floating point number.
    Float,
    /// A count.
    Counter,
}

impl StatType {
    /// The type of that `TSRecordDataType`.
    pub fn of(number: i32) -> Option<StatType> {
        match number {
            1 => Some(StatType::Int),
            2 => Some(StatType::Float),
            4 => Some(StatType::Counter),
            _ => None,
        }
    }

    fn value(self, value: i64) -> RecordValue {
        match self {
            StatType::Int => RecordValue::Int(value),
            StatType::Float => RecordValue::Float(value as f32),
            StatType::Counter => RecordValue::Counter(value),
        }
    }
}

struct Numbered {
    stat: Arc<Stat>,
    kind: StatType,
}

/// The statistics of all plugins.
pub struct Stats {
    metrics: Metrics,
    numbered: RwLock<Vec<Numbered>>,
}

impl Stats {
    pub(super) fn new(metrics: Metrics) -> Stats {
        Stats { metrics, numbered: RwLock::new(Vec::new()) }
    }

    /// A new number for the statistic of that name; `None`: there are too many, or the name is the server's.
    pub fn create(&self, name: &str, kind: StatType, reading: Reading) -> Option<i32> {
        let mut numbered = self.numbered.write();
        if numbered.len() >= MAX_STATS {
            return None;
        }
        let stat = self.metrics.create_stat(name, reading)?;
        numbered.push(Numbered { stat, kind });
        i32::try_from(numbered.len() - 1).ok()
    }

    /// The number of a name.
    pub fn find(&self, name: &str) -> Option<i32> {
        let at = self.numbered.read().iter().position(|n| n.stat.name() == name)?;
        i32::try_from(at).ok()
    }

    /// Does something with the statistic of a number.
    pub fn with<R>(&self, id: i32, work: impl FnOnce(&Stat) -> R) -> Option<R> {
        let numbered = self.numbered.read();
        Some(work(&numbered.get(usize::try_from(id).ok()?)?.stat))
    }

    /// The value of a statistic or of a metric of the server, as a record.
    pub fn record(&self, name: &str) -> Option<RecordValue> {
        if let Some(numbered) = self.numbered.read().iter().find(|n| n.stat.name() == name) {
            return Some(numbered.kind.value(numbered.stat.value()));
        }
        self.metrics.by_name(name).map(RecordValue::Counter)
    }

    /// Calls for each statistic.
    pub fn each(&self, visit: &mut dyn FnMut(&str, &RecordValue)) {
        let all: Vec<_> = self
            .numbered
            .read()
            .iter()
            .map(|n| (Arc::clone(&n.stat), n.kind.value(n.stat.value())))
            .collect();
        for (stat, value) in all {
            visit(stat.name(), &value);
        }
    }

    /// Calls for each metric of the server.
    pub fn each_metric(&self, visit: &mut dyn FnMut(&str, &RecordValue)) {
        for sample in self.metrics.snapshot() {
            visit(&sample.name(), &RecordValue::Counter(sample.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_made_twice_has_two_numbers_and_one_value() {
        let stats = Stats::new(Metrics::new());
        assert_eq!(stats.create("a", StatType::Int, Reading::Sum), Some(0));
        assert_eq!(stats.create("a", StatType::Int, Reading::Sum), Some(1));
        stats.with(1, |stat| stat.add(3));
        assert_eq!(stats.with(0, Stat::sum), Some(3));
        assert_eq!(stats.find("a"), Some(0));
        assert_eq!(stats.find("b"), None);
        assert!(stats.with(2, Stat::sum).is_none() && stats.with(-1, Stat::sum).is_none());
    }

    #[test]
    fn statistics_are_records_of_their_type() {
        let metrics = Metrics::new();
        let stats = Stats::new(metrics.clone());
        for (name, kind) in [("i", StatType::Int), ("f", StatType::Float), ("c", StatType::Counter)] {
            let id = stats.create(name, kind, Reading::Sum).expect("room");
            stats.with(id, |stat| stat.set(2));
        }
        assert_eq!(stats.record("i"), Some(RecordValue::Int(2)));
        assert_eq!(stats.record("f"), Some(RecordValue::Float(2.0)));
        assert_eq!(stats.record("c"), Some(RecordValue::Counter(2)));
        assert_eq!(stats.record("proxy.process.http.incoming_requests"), Some(RecordValue::Counter(0)));
        assert_eq!(metrics.by_name("f"), Some(2));
    }
}
