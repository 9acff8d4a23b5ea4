//! A histogram of latencies with 64 steps for each power of two, so values are within 1.6 %.

use std::time::Duration;

const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts of latencies.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let slots = (64 - u64::from(STEP_BITS) + 1) * STEPS;
        Self { counts: vec![0; usize::try_from(slots).unwrap_or(usize::MAX)], total: 0, longest_ns: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn add(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[slot(ns)] += 1;
        self.total += 1;
        self.longest_ns = self.longest_ns.max(ns);
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest, in microseconds.
    pub fn longest_us(&self) -> f64 {
        self.longest_ns as f64 / 1e3
    }

    /// The latency that `part` (0 to 1) of all did not exceed, in microseconds.
    pub fn quantile_us(&self, part: f64) -> f64 {
        let wanted = (self.total as f64 * part).ceil().max(1.0) as u64;
        let mut passed = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= wanted {
                return (lowest(slot) as f64).min(self.longest_ns as f64) / 1e3;
            }
        }
        self.longest_us()
    }
}

fn slot(ns: u64) -> usize {
    if ns < STEPS {
        return ns as usize;
    }
    let shift = ns.ilog2() - STEP_BITS;
    (u64::from(shift + 1) * STEPS + (ns >> shift) - STEPS) as usize
}

/// The smallest value that falls into a slot.
fn lowest(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < STEPS {
        return slot;
    }
    let shift = slot / STEPS - 1;
    (STEPS + slot % STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_slot_close_below_it() {
        let mut ns = 1_u64;
        while ns < u64::MAX / 3 {
            for value in [ns - 1, ns, ns + 1] {
                let low = lowest(slot(value));
                assert!(low <= value && (value - low) as f64 <= value as f64 / 64.0, "{value} {low}");
            }
            ns = ns * 3 / 2 + 1;
        }
        assert!(slot(u64::MAX) < Histogram::default().counts.len());
    }

    #[test]
    fn quantiles_are_close_to_the_true_ones() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|us| histogram.add(Duration::from_micros(us)));
        assert!((histogram.quantile_us(0.5) - 500.0).abs() < 10.0);
        assert!((histogram.quantile_us(0.99) - 990.0).abs() < 20.0);
        assert_eq!((histogram.total(), histogram.longest_us()), (1000, 1000.0));
        assert_eq!(Histogram::default().quantile_us(0.5), 0.0);
    }
}
