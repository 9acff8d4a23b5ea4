//! Configuration files other than the remap rules.
//!
//! Each problem must name a line that the file has, and what was read must mean the same after it was written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tollgate_config::cache_config::{CacheConfig, CacheRequest, Treatment};
use tollgate_config::ip_allow::{IpAllow, Side};
use tollgate_config::records::{Kind, Source, Value, defs, load};
use tollgate_config::{Problem, Records, hooks_config as hooks, plugin_config as plugins};

/// Words of records.
pub const RECORDS_TOKENS: &[&[u8]] = &[
    b"CONFIG ",
    b"proxy.config.http.cache.http",
    b"proxy.config.http.server_ports",
    b"proxy.config.http.cache.heuristic_lm_factor",
    b" INT ",
    b" FLOAT ",
    b" STRING ",
    b"1K",
    b"0.5",
    b"NULL",
    b"\n",
    b"records:\n",
    b"  http:\n    cache:\n      http: 1\n",
    b": ",
    b"- ",
    b"[",
    b"{",
    b"&a ",
    b"*a",
];

/// Words of `plugin.config`.
pub const PLUGIN_TOKENS: &[&[u8]] =
    &[b"a.so ", b"\"", b"#", b" #", b"$proxy.config.task_threads", b"$", b"\n", b"\r\n", b"\t", b"--opt=x "];

/// Words of `hooks.config`.
pub const HOOKS_TOKENS: &[&[u8]] =
    &[b"order ", b"off ", b"TXN_START ", b" < ", b"<", b"#", b"\n", b"\r\n", b"a#b"];

/// Words of `ip_allow.yaml`.
pub const IP_ALLOW_TOKENS: &[&[u8]] = &[
    b"ip_allow:\n",
    b"  - apply: in\n",
    b"    apply: out\n",
    b"    ip_addrs: 0/0\n",
    b"    ip_addrs: [127.0.0.1, ::1]\n",
    b"    action: allow\n",
    b"    action: deny\n",
    b"    methods: [GET, PUSH]\n",
    b"    methods: ALL\n",
    b"-",
    b"/",
    b"::ffff:1.2.3.4",
];

/// Words of `cache.config`.
pub const CACHE_TOKENS: &[&[u8]] = &[
    b"dest_domain=",
    b"dest_host=h",
    b"dest_ip=10.0.0.0/8",
    b"url_regex=a.*",
    b"host_regex=\"^w\"",
    b" port=80-90",
    b" scheme=http",
    b" prefix=a",
    b" suffix=b",
    b" method=GET",
    b" time=08:00-14:00",
    b" src_ip=127.0.0.1",
    b" internal=true",
    b" action=never-cache",
    b" revalidate=1h15m",
    b" ttl-in-cache=2d",
    b" cache-responses-to-cookies=3",
    b"\n",
    b"#",
    b"\"",
    b"=",
];

fn check_lines(text: &str, problems: &[Problem]) {
    // In YAML a carriage return alone ends a line, too.
    let lines = text.split(['\n', '\r']).count() as u32;
    for problem in problems {
        assert!(problem.line <= lines + 1, "{problem} in a file of {lines} lines");
    }
}

/// `records.config`
pub fn records_config(input: &[u8]) {
    check_records(input, load::records_config);
}

/// `records.yaml`
pub fn records_yaml(input: &[u8]) {
    check_records(input, load::records_yaml);
}

type Load = fn(&mut Records, &str, &str, &mut Vec<Problem>);

fn check_records(input: &[u8], load: Load) {
    let text = String::from_utf8_lossy(input);
    let (mut records, mut problems) = (Records::default(), Vec::new());
    load(&mut records, "records", &text, &mut problems);
    check_lines(&text, &problems);
    let mut written = String::new();
    let mut expected = Records::default();
    for def in records.differences(&Records::default()) {
        let value = records.by_name(def.name).expect("a record of the table");
        assert!(def.range.admits(&value), "{} got {value}", def.name);
        let Some(line) = config_line(def.name, def.kind, &value) else { continue };
        written += &line;
        expected.set_by_name(def.name, &value.to_string(), Source::default()).expect("its own value");
    }
    let mut again = Records::default();
    load::records_config(&mut again, "records.config", &written, &mut problems);
    let changed: Vec<_> = again.differences(&expected).iter().map(|def| def.name).collect();
    assert!(changed.is_empty(), "{changed:?} read otherwise from {written}");
    assert!(defs().len() > 10, "the table is there");
}

/// The line that gives a record this value, if its text can stand in a line.
fn config_line(name: &str, kind: Kind, value: &Value) -> Option<String> {
    let (word, text) = match kind {
        Kind::Int => ("INT", value.to_string()),
        Kind::Float => ("FLOAT", value.to_string()),
        Kind::Str => ("STRING", value.to_string()),
    };
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| format!("CONFIG {name} {word} {text}\n"))
}

/// `plugin.config`
pub fn plugin_config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let records = Records::default();
    let (lines, problems) = plugins::parse("plugin.config", &text, &records);
    check_lines(&text, &problems);
    assert!(lines.windows(2).all(|pair| pair[0].line < pair[1].line), "lines in order");
    for line in lines {
        assert!(!line.argv.is_empty());
        if line.argv.iter().any(|argument| argument.contains(['"', '$', '\n', '\r'])) {
            continue;
        }
        let quoted: Vec<_> = line.argv.iter().map(|argument| format!("\"{argument}\"")).collect();
        let (again, problems) = plugins::parse("plugin.config", &quoted.join(" "), &records);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(again.iter().map(|line| &line.argv).collect::<Vec<_>>(), [&line.argv]);
    }
}

/// `hooks.config`
pub fn hooks_config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (config, problems) = hooks::parse("hooks.config", &text);
    check_lines(&text, &problems);
    let mut written = String::new();
    for order in &config.orders {
        written += &format!("order {} {} < {}\n", order.hook, order.first, order.then);
    }
    for off in &config.offs {
        written += &format!("off {} {}\n", off.hook, off.handler);
    }
    let (again, problems) = hooks::parse("hooks.config", &written);
    assert!(problems.is_empty(), "{problems:?}");
    let orders = |config: &hooks::HooksConfig| {
        let parts = config.orders.iter().map(|o| (o.hook.clone(), o.first.clone(), o.then.clone()));
        parts.collect::<Vec<_>>()
    };
    let offs = |config: &hooks::HooksConfig| {
        config.offs.iter().map(|off| (off.hook.clone(), off.handler.clone())).collect::<Vec<_>>()
    };
    assert_eq!((orders(&again), offs(&again)), (orders(&config), offs(&config)));
}

/// `ip_allow.yaml`
pub fn ip_allow(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (rules, problems) = IpAllow::parse("ip_allow.yaml", &text);
    check_lines(&text, &problems);
    let v4 = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::BROADCAST, Ipv4Addr::UNSPECIFIED];
    for side in [Side::In, Side::Out] {
        for address in v4 {
            let (plain, mapped) = (IpAddr::V4(address), IpAddr::V6(address.to_ipv6_mapped()));
            check_address(&rules, side, plain);
            for method in ["GET", "PUSH"] {
                let same = rules.allows(side, plain, method) == rules.allows(side, mapped, method);
                assert!(same, "{address} differs from its mapped form");
            }
        }
        check_address(&rules, side, IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
}

fn check_address(rules: &IpAllow, side: Side, address: IpAddr) {
    if rules.denies_all(side, address) {
        let allowed = ["GET", "HEAD", "PUSH", "X"].iter().find(|method| rules.allows(side, address, method));
        assert_eq!(allowed, None, "{address} is denied and allowed");
    }
}

/// `cache.config`: `ttl-in-cache` beats `never-cache`, and rules that fit nothing say nothing.
pub fn cache_config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (rules, problems) = CacheConfig::parse("cache.config", &text);
    check_lines(&text, &problems);
    let said = rules.treatment(&CacheRequest {
        scheme: "http",
        host: b"h",
        port: 80,
        path: b"a/b",
        url: b"http://h/a/b",
        method: b"GET",
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        incoming_port: 80,
        is_internal: false,
        time_of_day: 9 * 3600,
    });
    assert!(!(said.never_cache && said.ttl_in_cache.is_some()));
    assert!(!rules.is_empty() || said == Treatment::default());
}
