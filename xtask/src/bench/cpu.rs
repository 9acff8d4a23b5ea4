//! CPU time and memory, as the kernel counts them.
//!
//! Responsible for: the CPU time of a server's threads, the load of each CPU, memory of processes, and waiting for
//! a quiet machine. Not responsible for: finding the processes ([`crate::process`]).
//!
//! CPU time comes from `schedstat`: the same clock as user + system time, without rounding to 10 ms.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{Process, pause, wait_until};

/// A clock tick of `/proc/stat`, in microseconds.
fn tick_us() -> f64 {
    1e6 / rustix::param::clock_ticks_per_second() as f64
}

/// CPU time spent so far by all threads of these processes, in nanoseconds.
pub fn time_ns(processes: &[Process]) -> u64 {
    let threads = |process: &Process| {
        let folder = format!("/proc/{}/task", process.pid);
        fs::read_dir(folder).into_iter().flatten().flatten()
    };
    let time = |path: std::path::PathBuf| -> Option<u64> {
        fs::read_to_string(path).ok()?.split(' ').next()?.parse().ok()
    };
    processes
        .iter()
        .flat_map(threads)
        // A thread that has just ended is not counted.
        .filter_map(|thread| time(thread.path().join("schedstat")))
        .sum()
}

/// Resident memory of these processes, KiB.
pub fn rss_kib(processes: &[Process]) -> u64 {
    processes.iter().map(|process| process.rss_kib).sum()
}

/// What one CPU has done since the machine started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuLoad {
    /// Time not idle, microseconds.
    pub busy_us: f64,
    /// All time, microseconds.
    pub total_us: f64,
    /// Time taken by the host, microseconds.
    pub stolen_us: f64,
}

impl CpuLoad {
    /// Reads the counters of CPU `number`.
    pub fn read(number: u32) -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
        Self::parse(&text, number, tick_us()).with_context(|| format!("no cpu{number} in /proc/stat"))
    }

    fn parse(text: &str, number: u32, tick_us: f64) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cpu{number} ")))?;
        let ticks: Vec<f64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
        let [_, _, _, idle, waiting, _, _, stolen] = ticks[..] else { return None };
        let total: f64 = ticks.iter().sum();
        Some(Self {
            busy_us: (total - idle - waiting) * tick_us,
            total_us: total * tick_us,
            stolen_us: stolen * tick_us,
        })
    }

    /// What it has done since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            busy_us: self.busy_us - before.busy_us,
            total_us: self.total_us - before.total_us,
            stolen_us: self.stolen_us - before.stolen_us,
        }
    }

    /// Busy part of the time, 0 to 1.
    pub fn busy_part(self) -> f64 {
        self.busy_us / self.total_us.max(1.0)
    }

    /// Part of the time taken by the host, 0 to 1.
    pub fn stolen_part(self) -> f64 {
        self.stolen_us / self.total_us.max(1.0)
    }
}

/// Waits until both CPUs are nearly idle; says whether they were in time.
pub fn wait_for_quiet(limit: Duration) -> bool {
    const QUIET: f64 = 0.12;
    let read = || Some((CpuLoad::read(0).ok()?, CpuLoad::read(1).ok()?));
    wait_until(limit, || {
        let before = read();
        pause(Duration::from_millis(400));
        match (before, read()) {
            (Some(before), Some(after)) => {
                after.0.since(before.0).busy_part() <= QUIET && after.1.since(before.1).busy_part() <= QUIET
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::processes;

    const STAT: &str = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 0 20 60 5 0 1 4 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\n";

    #[test]
    fn busy_time_is_all_but_idle_and_waiting() {
        let load = CpuLoad::parse(STAT, 0, 1.0).expect("cpu0");
        assert_eq!((load.busy_us, load.total_us, load.stolen_us), (35.0, 100.0, 4.0));
        assert!((load.busy_part() - 0.35).abs() < 1e-9);
        assert_eq!(CpuLoad::parse(STAT, 2, 1.0), None);
        assert_eq!(load.since(load), CpuLoad::default());
    }

    #[test]
    fn work_of_this_process_shows_in_its_cpu_time() {
        let own = || processes().into_iter().filter(|p| p.pid == std::process::id()).collect::<Vec<_>>();
        let before = time_ns(&own());
        let spun = wait_until(Duration::from_secs(20), || {
            std::hint::black_box((0..100_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n)));
            time_ns(&own()) > before
        });
        assert!(spun && rss_kib(&own()) > 0);
    }
}
