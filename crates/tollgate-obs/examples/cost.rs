//! Prints what counting and logging cost the calling thread: `cargo run --release -p tollgate-obs --example cost`.
//!
//! Each figure is the median of 21 runs of one million operations. Lines are formatted into a warm buffer that is
//! emptied at 64 KiB, as the access log's batches are, and go nowhere. The last figure is a whole access log whose
//! destination discards what it gets.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tollgate_obs::log::{
    AccessLog, AccessLogOptions, Formatter, Hierarchy, LogEntry, LogFormat, LogOpenError, LogSink,
};
use tollgate_obs::metrics::{Metric, Metrics};
use tollgate_obs::outcome::CacheOutcome;

const RUNS: usize = 21;
const OPERATIONS: u64 = 1_000_000;

struct Discard;

impl LogSink for Discard {
    fn write_batch(&mut self, lines: &[u8]) -> std::io::Result<()> {
        black_box(lines);
        Ok(())
    }

    fn reopen(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() -> Result<(), LogOpenError> {
    let metrics = Metrics::new();
    let thread = metrics.thread();
    report("ThreadMetrics::inc", || black_box(&thread).inc(black_box(Metric::IncomingRequests)));
    report("Metrics::inc (locked instruction)", || {
        black_box(&metrics).inc(black_box(Metric::IncomingRequests));
    });
    for &format in LogFormat::ALL {
        let mut formatter = Formatter::new(format);
        let mut lines = Vec::with_capacity(80 * 1024);
        let mut entry = typical_entry();
        report(&format!("{} line", format.name()), || {
            if lines.len() >= 64 * 1024 {
                lines.clear();
            }
            entry.started_unix += Duration::from_micros(20);
            formatter.write_line(&mut lines, black_box(&entry));
        });
    }
    let log = AccessLog::with_sink(Discard, AccessLogOptions::new(LogFormat::Squid), &metrics, |_| {})?;
    let (mut handle, entry) = (log.handle(), typical_entry());
    report("squid line through AccessLogHandle", || handle.log(black_box(&entry)));
    drop(handle);
    log.close();
    println!("{} entries dropped on the way", metrics.total(Metric::LogEntriesDropped));
    Ok(())
}

fn report(what: &str, mut operation: impl FnMut()) {
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            (0..OPERATIONS).for_each(|_| operation());
            begun.elapsed().as_secs_f64() * 1e9 / OPERATIONS as f64
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    println!("{what:36} {:7.1} ns (min {:.1}, max {:.1})", runs[RUNS / 2], runs[0], runs[RUNS - 1]);
}

fn typical_entry() -> LogEntry<'static> {
    LogEntry {
        client_addr: ([192, 0, 2, 17], 51000).into(),
        method: b"GET".into(),
        request_target: b"/assets/js/application-4f3c2a.min.js?v=20240131".into(),
        url: b"http://www.example.com/assets/js/application-4f3c2a.min.js?v=20240131".into(),
        version: (1, 1),
        status: 200,
        content_type: Some(b"application/javascript; charset=utf-8".into()),
        request_bytes: 412,
        response_bytes: 1324,
        response_body_bytes: 1024,
        started_unix: Duration::from_millis(1_706_659_200_123),
        elapsed: Duration::from_micros(1250),
        referer: Some(b"http://www.example.com/index.html".into()),
        user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0".into()),
        cache_outcome: CacheOutcome::Miss,
        hierarchy: Hierarchy::Direct,
        next_hop: Some(b"origin.example.com".into()),
        ..LogEntry::default()
    }
}
