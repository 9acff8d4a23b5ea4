//! Prints how long it takes to load many remap rules and to find one.
//!
//! Run with `cargo run --release -p tollgate-config --example remap_figures [RULES]`.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use tollgate_config::files::MemoryFiles;
use tollgate_config::remap::{RemapRequest, RemapTable};

const LOOKUPS: usize = 2_000_000;

fn main() {
    let rules: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(20_000);
    measure("hosts", &one_rule_per_host(rules), |n| {
        (format!("host{}.example.com", n % rules), "a/b/c".into())
    });
    measure("hosts, absent", &one_rule_per_host(rules), |n| (format!("no{n}.example.com"), "a/b/c".into()));
    measure("paths of one host", &one_host(rules), |n| {
        ("one.example.com".into(), format!("dir{}/sub{}/file", n % 100, n % rules))
    });
    let mut with_regexes = one_rule_per_host(rules);
    for n in 0..10 {
        let _ = writeln!(with_regexes, "regex_map http://x{n}-(.*)\\.example\\.com/ http://$1.origin/");
    }
    measure("hosts, then 10 regexes", &with_regexes, |n| (format!("x9-{n}.example.com"), "a/b/c".into()));
}

fn one_rule_per_host(rules: usize) -> String {
    (0..rules).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "map http://host{n}.example.com/ http://origin{}.example.com:8080/", n % 100);
        text
    })
}

fn one_host(rules: usize) -> String {
    (0..rules).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "map http://one.example.com/dir{}/sub{n} http://origin/{n}", n % 100);
        text
    })
}

fn measure(name: &str, text: &str, request: impl Fn(usize) -> (String, String)) {
    let start = Instant::now();
    let (table, problems) = RemapTable::parse("remap.config", text, &MemoryFiles::new());
    let load = start.elapsed();
    assert!(problems.is_empty(), "{problems:?}");
    // A stride that is prime to the number of rules visits them in an order the cache does not like.
    let requests: Vec<_> = (0..4096).map(|n| request(n * 7919)).collect();
    let start = Instant::now();
    let mut found = 0;
    for n in 0..LOOKUPS {
        let (host, path) = &requests[n % requests.len()];
        let request = RemapRequest {
            scheme: "http",
            host: host.as_bytes(),
            port: 80,
            path: path.as_bytes(),
            recv_port: 80,
        };
        if let Some(rule) = table.find(black_box(&request)) {
            black_box(rule.target(&request));
            found += 1;
        }
    }
    let each = start.elapsed().as_nanos() / LOOKUPS as u128;
    println!(
        "{name}: {} rules loaded in {} ms, look-up with rewrite {each} ns, {} % found",
        table.rules().len(),
        load.as_millis(),
        found * 100 / LOOKUPS
    );
}
