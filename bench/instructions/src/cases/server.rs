//! What else each request costs: the remap rule, the log line, the metrics.

use std::borrow::Cow;
use std::fmt::Write;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use tollgate_config::files::MemoryFiles;
use tollgate_config::remap::{RemapRequest, RemapTable};
use tollgate_obs::log::{Formatter, Hierarchy, LogEntry, LogFormat};
use tollgate_obs::metrics::{Metric, Metrics};
use tollgate_obs::outcome::{CacheOutcome, TransactionEnd};

/// Rules in the table: a hundred paths on each of two hundred hosts.
const HOSTS: usize = 200;
const PATHS: usize = 100;

pub(super) fn remap(iterations: u64) {
    let mut text = String::new();
    for host in 0..HOSTS {
        for path in 0..PATHS {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "map http://h{host}.example/p{path}/ http://o{host}.example/q{path}/");
        }
    }
    let (table, problems) = RemapTable::parse("remap.config", &text, &MemoryFiles::new());
    assert!(problems.is_empty() && table.rules().len() == HOSTS * PATHS);
    let request = RemapRequest {
        scheme: "http",
        host: b"h123.example",
        port: 80,
        path: b"p45/assets/app.js",
        recv_port: 8080,
    };
    for _ in 0..iterations {
        let request = black_box(&request);
        let found = table.find(request);
        let Some(found) = &found else { panic!("no rule") };
        black_box(found.target(request));
    }
}

pub(super) fn log_line(iterations: u64) {
    let entry = LogEntry {
        client_addr: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        method: Cow::Borrowed(b"GET"),
        request_target: Cow::Borrowed(b"/assets/app.js?v=3"),
        url: Cow::Borrowed(b"http://www.example.com/assets/app.js?v=3"),
        version: (1, 1),
        status: 200,
        content_type: Some(Cow::Borrowed(b"text/javascript")),
        request_bytes: 500,
        response_bytes: 1300,
        response_body_bytes: 1024,
        started_unix: Duration::from_millis(1_667_724_577_123),
        elapsed: Duration::from_micros(1234),
        end: TransactionEnd::Completed,
        cache_outcome: CacheOutcome::Hit,
        is_ram_hit: true,
        hierarchy: Hierarchy::None,
        ..LogEntry::default()
    };
    let mut formatter = Formatter::new(LogFormat::Squid);
    let mut out = Vec::with_capacity(4096);
    for _ in 0..iterations {
        out.clear();
        formatter.write_line(&mut out, black_box(&entry));
        black_box(&out);
    }
}

pub(super) fn metric(iterations: u64) {
    let metrics = Metrics::new().thread();
    for _ in 0..iterations {
        black_box(&metrics).inc(Metric::Transactions);
    }
}
