use std::collections::{HashMap, HashSet};

use super::{Metric, MetricKind, Metrics};
use crate::outcome::{CacheOutcome, CacheReason, TransactionEnd};

#[test]
fn totals_add_up_over_threads_and_outlive_them() {
    let metrics = Metrics::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let thread = metrics.thread();
            scope.spawn(move || {
                for _ in 0..1000 {
                    thread.inc(Metric::IncomingRequests);
                }
                thread.add(Metric::ClientRequestBytes, 50);
            });
        }
    });
    metrics.inc(Metric::IncomingRequests);
    assert_eq!(metrics.total(Metric::IncomingRequests), 4001);
    assert_eq!(metrics.total(Metric::ClientRequestBytes), 200);
    assert_eq!(metrics.total(Metric::Transactions), 0);
}

#[test]
fn gauge_raised_on_one_thread_and_lowered_on_another_sums_to_zero() {
    let metrics = Metrics::new();
    let (a, b) = (metrics.thread(), metrics.thread());
    a.add(Metric::CacheBytesUsed, 700);
    std::thread::scope(|scope| {
        scope.spawn(|| b.sub(Metric::CacheBytesUsed, 650));
    });
    assert_eq!(metrics.total(Metric::CacheBytesUsed), 50);
    metrics.set(Metric::CacheBytesUsed, -50);
    assert_eq!(metrics.total(Metric::CacheBytesUsed), 0);
}

#[test]
fn held_gauge_falls_back_when_the_guard_is_dropped() {
    let metrics = Metrics::new();
    let thread = metrics.thread();
    let guard = thread.hold(Metric::TunnelsActive);
    assert_eq!(metrics.total(Metric::TunnelsActive), 1);
    drop(guard);
    assert_eq!(metrics.total(Metric::TunnelsActive), 0);
}

#[test]
fn every_outcome_has_its_own_counter() {
    let metrics = Metrics::new();
    let thread = metrics.thread();
    for (i, &end) in TransactionEnd::ALL.iter().enumerate() {
        (0..=i).for_each(|_| thread.transaction_end(end));
    }
    for (i, &outcome) in CacheOutcome::ALL.iter().enumerate() {
        (0..=i).for_each(|_| thread.cache_outcome(outcome));
    }
    for (i, &reason) in CacheReason::ALL.iter().enumerate() {
        (0..=i).for_each(|_| thread.cache_reason(reason));
    }
    for (i, &reason) in CacheReason::ALL.iter().enumerate() {
        let name = format!("proxy.process.http.cache_reasons.{reason}");
        assert_eq!(metrics.by_name(&name), Some(i as i64 + 1), "{name}");
        assert_eq!(metrics.cache_reason_total(reason), i as i64 + 1);
    }
    for (i, &end) in TransactionEnd::ALL.iter().enumerate() {
        let name = format!("proxy.process.http.transaction_ends.{end}");
        assert_eq!(metrics.by_name(&name), Some(i as i64 + 1), "{name}");
        assert_eq!(metrics.transaction_end_total(end), i as i64 + 1);
    }
    for (i, &outcome) in CacheOutcome::ALL.iter().enumerate() {
        let name = format!("proxy.process.http.cache_outcomes.{outcome}");
        assert_eq!(metrics.by_name(&name), Some(i as i64 + 1), "{name}");
        assert_eq!(metrics.cache_outcome_total(outcome), i as i64 + 1);
    }
    assert!(Metric::ALL.iter().all(|&m| metrics.total(m) == 0), "families must not touch plain metrics");
}

#[test]
fn unknown_names_have_no_value() {
    let metrics = Metrics::new();
    for name in
        ["", "proxy.process.http.transaction_ends", "proxy.process.http.transaction_ends.no_such", "x"]
    {
        assert_eq!(metrics.by_name(name), None, "{name}");
    }
    assert_eq!(metrics.by_name("proxy.process.http.incoming_requests"), Some(0));
}

#[test]
fn methods_and_statuses_go_to_their_counters() {
    let metrics = Metrics::new();
    let thread = metrics.thread();
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "get"] {
        thread.request_method(method.as_bytes());
    }
    for metric in Metric::ALL.iter().filter(|m| (Metric::GetRequests..=Metric::OtherRequests).contains(m)) {
        assert_eq!(metrics.total(*metric), 1, "{metric:?}");
    }
    [99, 103, 200, 299, 304, 404, 500, 599, 600]
        .into_iter()
        .for_each(|status| thread.response_status(status));
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"]
        .map(|class| metrics.by_name(&format!("proxy.process.http.{class}_responses")));
    assert_eq!(classes, [Some(1), Some(2), Some(1), Some(1), Some(2)]);
}

#[test]
fn names_are_unique_and_well_formed() {
    let (mut dotted, mut prometheus) = (HashSet::new(), HashSet::new());
    for sample in Metrics::new().snapshot() {
        assert!(dotted.insert(sample.name()), "{}", sample.name());
        assert!(sample.def.name.starts_with("proxy.process."), "{}", sample.def.name);
        assert!(sample.def.help.ends_with('.'), "{}", sample.def.name);
        if sample.label.is_none() {
            assert!(prometheus.insert(sample.def.prometheus_name()), "{}", sample.def.prometheus_name());
        }
    }
}

#[test]
fn prometheus_names_follow_the_rule() {
    let name = |metric: Metric| metric.def().prometheus_name();
    assert_eq!(name(Metric::IncomingRequests), "tollgate_http_incoming_requests_total");
    assert_eq!(name(Metric::ClientConnections), "tollgate_http_client_connections_total");
    assert_eq!(name(Metric::ClientConnectionsActive), "tollgate_http_client_connections");
    assert_eq!(name(Metric::ClientRequestBytes), "tollgate_http_user_agent_request_bytes_total");
    assert_eq!(name(Metric::CacheBytesUsed), "tollgate_cache_bytes_used");
    assert_eq!(name(Metric::ProcessStartTime), "tollgate_start_time_seconds");
}

/// What a scraper understands of an exposition: name with labels to value, and base name to type.
#[derive(Default)]
struct Scrape {
    samples: HashMap<String, i64>,
    types: HashMap<String, String>,
    helps: HashSet<String>,
}

fn is_metric_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// Splits `name{label="value"}` and checks each part.
fn base_name(series: &str) -> &str {
    let Some((name, labels)) = series.split_once('{') else {
        return series;
    };
    let labels = labels.strip_suffix('}').expect("labels end in a brace");
    let (label, value) = labels.split_once('=').expect("a label has a value");
    assert!(is_metric_name(label), "{series}");
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).expect("a label value is quoted");
    assert!(!value.contains(['"', '\\']), "{series}");
    name
}

fn scrape(text: &str) -> Scrape {
    let mut scrape = Scrape::default();
    assert!(text.ends_with('\n'), "the last line ends too");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("HELP has a name and a text");
            assert!(!help.is_empty() && scrape.helps.insert(name.to_owned()), "second HELP: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE has a name and a type");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "second TYPE: {line}");
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            let name = base_name(series);
            assert!(is_metric_name(name), "{line}");
            assert!(
                scrape.helps.contains(name) && scrape.types.contains_key(name),
                "head comes first: {line}"
            );
            let value = value.parse().expect("values are integers");
            assert!(scrape.samples.insert(series.to_owned(), value).is_none(), "series twice: {line}");
        }
    }
    scrape
}

#[test]
fn prometheus_text_is_valid_and_complete() {
    let metrics = Metrics::new();
    let thread = metrics.thread();
    thread.add(Metric::IncomingRequests, 7);
    thread.transaction_end(TransactionEnd::ClientAborted);
    thread.cache_outcome(CacheOutcome::Hit);
    let scrape = scrape(&metrics.prometheus());
    assert_eq!(scrape.samples["tollgate_http_incoming_requests_total"], 7);
    assert_eq!(scrape.samples["tollgate_http_transaction_ends_total{reason=\"client_aborted\"}"], 1);
    assert_eq!(scrape.samples["tollgate_http_cache_outcomes_total{outcome=\"hit\"}"], 1);
    assert_eq!(scrape.samples.len(), metrics.snapshot().len());
    for (name, kind) in &scrape.types {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    }
}

#[test]
fn json_lists_every_metric_with_its_value() {
    let metrics = Metrics::new();
    metrics.set(Metric::ProcessStartTime, 1_700_000_000);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&metrics.json()).expect("valid JSON");
    assert_eq!(rows.len(), metrics.snapshot().len());
    let row = rows.iter().find(|r| r["name"] == "proxy.process.start_time").expect("the row is there");
    assert_eq!(row["value"], 1_700_000_000);
    assert_eq!(row["kind"], MetricKind::Gauge.token());
    assert_eq!(row["unit"], "seconds");
    assert_eq!(row["prometheus"], "tollgate_start_time_seconds");
}

#[test]
#[cfg(debug_assertions)]
fn second_writing_thread_is_caught_in_debug_builds() {
    let thread = Metrics::new().thread();
    thread.inc(Metric::Transactions);
    let outcome = std::thread::scope(|scope| scope.spawn(|| thread.inc(Metric::Transactions)).join());
    assert!(outcome.is_err());
}
