//! `remap.config`: a rule that is read matches the URL it is for.

use tollgate_config::files::MemoryFiles;
use tollgate_config::remap::{RemapRequest, RemapTable, Rule, RuleKind};

/// Words of rules.
pub const TOKENS: &[&[u8]] = &[
    b"map ",
    b"regex_map ",
    b"redirect ",
    b"redirect_temporary ",
    b"reverse_map ",
    b"map_with_recv_port ",
    b"map_with_referer ",
    b".definefilter f @action=deny @src_ip=10/8\n",
    b".activatefilter f\n",
    b".include other\n",
    b"http://a.example/",
    b"https://b.example:8443/x ",
    b" @plugin=a.so @pparam=b",
    b" @action=allow @method=get",
    b" @src_ip=127.0.0.1",
    b"(.*)",
    b"$1",
    b"$0",
    b"\\\n",
    b"\n",
    b"//",
    b"\"",
    b"#",
    b"[::1]",
    b":0",
    b"?",
];

/// Ranks count the rules; a plain rule's own URL is mapped, by it or by another; mapping gives a URL.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (table, problems) = RemapTable::parse("remap.config", &text, &MemoryFiles::new());
    let lines = text.lines().count() as u32;
    assert!(problems.iter().all(|problem| problem.line <= lines + 1), "{problems:?}");
    for (rank, rule) in table.rules().iter().enumerate() {
        assert_eq!(rule.rank as usize, rank);
        assert!((1..=lines).contains(&rule.line));
        check_rule(&table, rule);
    }
    for location in ["http://a.example/x?y", "https://b.example:8443/x/z#f", "", "://", "http://[::1]/"] {
        table.reverse(location);
    }
}

fn check_rule(table: &RemapTable, rule: &Rule) {
    let from = &rule.from;
    let request = RemapRequest {
        scheme: from.effective_scheme().as_str(),
        host: from.host.as_bytes(),
        port: from.effective_port(),
        path: from.path.as_bytes(),
        recv_port: 0,
    };
    let found = table.find(&request);
    if rule.kind == RuleKind::Map && !rule.is_regex() && from.query.is_none() {
        assert!(found.is_some(), "nothing matches {}", rule.from_text);
    }
    if let Some(found) = found {
        let target = found.target(&request);
        assert!(!target.to_text(Some(b"q")).is_empty());
        assert!(target.effective_port() > 0);
    }
}
