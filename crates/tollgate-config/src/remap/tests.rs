//! Tests of the table as a whole. The expectations of `traffic_server_*` tests were observed on Traffic
//! Server 9.2.9 with the same rules and requests.

use proptest::prelude::*;

use super::*;
use crate::files::MemoryFiles;

fn parse(text: &str) -> (RemapTable, Vec<Problem>) {
    RemapTable::parse("remap.config", text, &MemoryFiles::new())
}

fn table(text: &str) -> RemapTable {
    let (table, problems) = parse(text);
    assert!(problems.is_empty(), "{problems:?}");
    table
}

fn problems(text: &str) -> Vec<String> {
    parse(text).1.iter().map(ToString::to_string).collect()
}

/// The URL that `table` makes of `url` (`scheme://host[:port]/path`), for a connection to `recv_port`.
fn map_on(table: &RemapTable, url: &str, recv_port: u16) -> Option<String> {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let parsed = RuleUrl::parse(base, url::HostForm::Name).expect("url");
    let scheme = parsed.scheme.expect("scheme");
    let request = RemapRequest {
        scheme: scheme.as_str(),
        host: host_as_written(base).as_bytes(),
        port: parsed.port.unwrap_or(scheme.default_port()),
        path: parsed.path.as_bytes(),
        recv_port,
    };
    let found = table.find(&request)?;
    Some(found.target(&request).to_text(query.map(str::as_bytes)))
}

/// The host in the case it is written in, without the brackets of an address.
fn host_as_written(base: &str) -> &str {
    let authority = base.split('/').nth(2).expect("host");
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().expect("host"),
    }
}

fn map(table: &RemapTable, url: &str) -> Option<String> {
    map_on(table, url, 80)
}

#[track_caller]
fn expect(table: &RemapTable, cases: &[(&str, &str)]) {
    for (from, to) in cases {
        assert_eq!(map(table, from).as_deref().unwrap_or("none"), *to, "{from}");
    }
}

#[test]
fn traffic_server_first_matching_rule_wins() {
    let table = table(
        "map http://a.test/ http://o/first/\n\
         map http://a.test/foo http://o/never/\n\
         map http://b.test/foo http://o/bfoo\n\
         map http://b.test/ http://o/broot/\n\
         map /p http://o/pathonly\n\
         map nos.test/foo http://o/nos/\n\
         map http://case.test/AbC http://o/case/\n\
         map http://UP.test/ http://o/up/\n\
         map http://dot.test./ http://o/dot/\n",
    );
    expect(
        &table,
        &[
            ("http://a.test/foo", "http://o/first/foo"),
            ("http://A.TEST/", "http://o/first/"),
            ("http://b.test/foobar", "http://o/bfoobar"),
            ("http://b.test/foo/x", "http://o/bfoo/x"),
            ("http://b.test/x?k=1", "http://o/broot/x?k=1"),
            ("http://unknown.test/p/x", "http://o/pathonly/x"),
            ("http://unknown.test:8080/px", "http://o/pathonlyx"),
            ("http://unknown.test/q", "none"),
            ("http://a.test:8080/", "none"),
            ("https://a.test/", "none"),
            ("http://nos.test/foo", "http://o/nos/"),
            ("https://nos.test/foo", "http://o/nos/"),
            ("http://case.test/abc", "none"),
            ("http://case.test/AbCd", "http://o/case/d"),
            ("http://up.test/", "http://o/up/"),
            ("http://dot.test/", "none"),
        ],
    );
}

#[test]
fn traffic_server_path_prefixes_are_replaced() {
    let table = table(
        "map http://hp1.test/foo http://o/\n\
         map http://hp2.test/foo http://o/bar/\n\
         map http://hp3.test/foo/ http://o/bar\n\
         map http://hp4.test/foo/ http://o/bar/\n\
         map http://hp5.test/ http://o/bar\n",
    );
    expect(
        &table,
        &[
            ("http://hp1.test/foo", "http://o/"),
            ("http://hp1.test/foo/", "http://o/"),
            ("http://hp1.test/foo/x", "http://o/x"),
            ("http://hp1.test/foox", "http://o/x"),
            ("http://hp1.test/", "none"),
            ("http://hp2.test/foo", "http://o/bar/"),
            ("http://hp2.test/foo/", "http://o/bar/"),
            ("http://hp2.test/foo/x", "http://o/bar/x"),
            ("http://hp2.test/foox", "http://o/bar/x"),
            ("http://hp2.test/foo//", "http://o/bar//"),
            ("http://hp3.test/foo", "none"),
            ("http://hp3.test/foo/", "http://o/bar"),
            ("http://hp3.test/foo/x", "http://o/barx"),
            ("http://hp3.test/foo//", "http://o/bar/"),
            ("http://hp4.test/foo/", "http://o/bar/"),
            ("http://hp4.test/foo/x", "http://o/bar/x"),
            ("http://hp4.test/foo//", "http://o/bar/"),
            ("http://hp5.test/foo", "http://o/bar/foo"),
            ("http://hp5.test/foo//", "http://o/bar/foo//"),
            ("http://hp5.test/", "http://o/bar"),
        ],
    );
}

#[test]
fn traffic_server_regular_expressions_are_compared_by_rank() {
    let table = table(
        "map http://a.test/x/y http://o/1/\n\
         regex_map http://a.* http://o/2/\n\
         map http://a.test/x http://o/3/\n\
         map http://a.test/ http://o/4/\n\
         regex_map http://x([0-9]+).test/ http://n$1.o/re/\n\
         regex_map http://(y)(.*) http://$2.$1.$0.o:81/\n\
         map / http://o/all/\n\
         map http://nh.test/x http://o/nh/\n",
    );
    expect(
        &table,
        &[
            ("http://a.test/x/y/z", "http://o/1/z"),
            ("http://a.test/x/z", "http://o/2/x/z"),
            ("http://a.test/q", "http://o/2/q"),
            ("http://x12.test/z", "http://n12.o/re/z"),
            ("http://bxx34.testing/z", "http://n34.o/re/z"),
            ("http://xyz/p?q", "http://z.y.yz.o:81/p?q"),
            ("http://none.test:5/x", "http://o/all/x"),
            ("ws://a.test/x", "http://o/all/x"),
            ("http://nh.test/x", "http://o/nh/"),
            ("http://nh.test/y", "http://o/all/y"),
        ],
    );
}

#[test]
fn traffic_server_receiving_port_rules_come_first_and_redirects_last() {
    let table = table(
        "redirect http://r.test/ http://to.test/x/\n\
         map http://r.test/ http://o/rmap/\n\
         redirect http://rt.test/foo http://to.test/perm\n\
         redirect_temporary http://rt.test/foo http://to.test/bar\n\
         regex_redirect http://(rr)[.]test/p http://$1.new/q\n\
         map http://rcv.test/ http://o/norecv/\n\
         map_with_recv_port http://rcv.test:8081/ http://o/recv/\n\
         map http://port.test:8080/ http://o/port/\n",
    );
    expect(
        &table,
        &[
            ("http://r.test/z?k=1", "http://o/rmap/z?k=1"),
            ("http://rt.test/foo/z?k=1", "http://to.test/bar/z?k=1"),
            ("http://rr.test/p/z", "http://rr.new/q/z"),
            ("http://rcv.test/", "http://o/norecv/"),
            ("http://port.test:8080/", "http://o/port/"),
            ("http://port.test/", "none"),
        ],
    );
    assert_eq!(map_on(&table, "http://rcv.test/", 8081).as_deref(), Some("http://o/recv/"));
    assert_eq!(map_on(&table, "http://rcv.test:5/", 8081).as_deref(), Some("http://o/recv/"));
    let statuses: Vec<_> = table.rules()[..3].iter().map(|rule| rule.kind.redirect_status()).collect();
    assert_eq!(statuses, [Some(301), None, Some(301)]);
    assert_eq!(table.rules()[3].kind.redirect_status(), Some(307));
}

#[test]
fn traffic_server_queries_of_rules_do_not_count() {
    let (table, problems) =
        parse("map http://a.test/x?a=1 http://o/1/\nmap http://b.test/foo http://o/bar?q=1\n");
    assert_eq!(problems.len(), 2);
    assert!(problems.iter().all(|problem| !problem.is_error()));
    expect(&table, &[("http://a.test/x?a=1", "none"), ("http://b.test/foo/x?z=2", "http://o/bar/x?z=2")]);
    assert_eq!(table.rules()[1].to_text, "http://o/bar?q=1");
}

#[test]
fn traffic_server_reverse_maps_rewrite_locations() {
    let table = table(
        "map http://front.test/ http://back.test/\nreverse_map http://back.test/b http://front.test/f\n",
    );
    assert_eq!(table.reverse("http://back.test/b/z?y=1#f").as_deref(), Some("http://front.test/f/z?y=1#f"));
    assert_eq!(table.reverse("http://back.test/c"), None);
    assert_eq!(table.reverse("/b"), None);
    assert_eq!(table.reverse(""), None);
}

#[test]
fn websocket_and_tunnel_rules_match_their_schemes() {
    let table = table(
        "map ws://w.test/ ws://o/ws/\n\
         map http://w.test/ ws://o/http/\n\
         map tunnel://t.test:443/ tunnel://o:8443/\n",
    );
    expect(&table, &[("ws://w.test/x", "ws://o/ws/x"), ("http://w.test/x", "ws://o/http/x")]);
    assert_eq!(map(&table, "tunnel://t.test:443/").as_deref(), Some("tunnel://o:8443/"));
}

#[test]
fn a_tunnel_rule_matches_the_addresses_of_its_host_too() {
    let files = MemoryFiles::new()
        .with_host("t.test", &["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()])
        .with_host("u.test", &["192.0.2.1".parse().unwrap(), "0.0.0.0".parse().unwrap()])
        .with_host("h.test", &["192.0.2.3".parse().unwrap()])
        .with_host("4.test", &["192.0.2.4".parse().unwrap()])
        .with_host("v.test", &["192.0.2.5".parse().unwrap()]);
    let text = "map tunnel://t.test:443/ tunnel://o:1/\n\
         map tunnel://u.test:443/ tunnel://o:2/\n\
         map http://h.test:443/ http://o:3/\n\
         map tunnel://4.test:443/ tunnel://o:4/\n\
         map tunnel://v.test:443/ tunnel://o:5/\n\
         map tunnel://192.0.2.5:443/ tunnel://o:6/\n";
    let (table, problems) = RemapTable::parse("remap.config", text, &files);
    assert!(problems.is_empty(), "{problems:?}");
    let to = |host: &str| map(&table, &format!("tunnel://{host}:443/"));
    assert_eq!(to("192.0.2.1").as_deref(), Some("tunnel://o:1/"), "the first rule with that address");
    assert_eq!(to("[2001:db8::1]").as_deref(), Some("tunnel://o:1/"));
    assert_eq!(to("0.0.0.0"), None, "that is no address");
    assert_eq!(to("192.0.2.3"), None, "not a tunnel");
    assert_eq!(to("192.0.2.4"), None, "a name with a digit in front counts as an address");
    assert_eq!(to("192.0.2.5").as_deref(), Some("tunnel://o:6/"), "the rule that names the address");
    assert_eq!(to("v.test").as_deref(), Some("tunnel://o:5/"));
}

#[test]
fn a_request_without_scheme_is_judged_by_its_port() {
    let table = table("map https://c.test/ http://o/\n");
    let request = |port| RemapRequest { scheme: "", host: b"c.test", port, path: b"", recv_port: 0 };
    assert!(table.find(&request(443)).is_some());
    assert!(table.find(&request(80)).is_none());
    assert!(table.find(&RemapRequest { scheme: "gopher", ..request(443) }).is_none());
}

#[test]
fn hosts_in_brackets_and_endless_hosts_are_handled() {
    let table = table("map http://[::1]/ http://[::2]:8080/x\n");
    let request = |host| RemapRequest { scheme: "http", host, port: 80, path: b"a", recv_port: 0 };
    for host in [&b"[::1]"[..], b"::1"] {
        let request = request(host);
        let found = table.find(&request).expect("rule");
        assert_eq!(found.target(&request).to_text(None), "http://[::2]:8080/x/a");
    }
    assert!(table.find(&request(&[b'a'; 5000])).is_none());
}

#[test]
fn the_unchanged_path_is_borrowed() {
    let table = table("map http://a.test/ http://o:81/\n");
    let request = RemapRequest { scheme: "http", host: b"a.test", port: 80, path: b"x/y", recv_port: 80 };
    let found = table.find(&request).expect("rule");
    let target = found.target(&request);
    assert!(matches!(target.path, Cow::Borrowed(b"x/y")));
    assert!(matches!(target.host, Cow::Borrowed("o")));
    assert_eq!(target.effective_port(), 81);
}

#[test]
fn the_command_lines_maps_match_any_port() {
    let maps = [("/", "http://127.0.0.1:3000"), ("a.test/x", "http://o/"), ("http://b.test", "https://o2")];
    let (table, problems) = RemapTable::from_maps(&maps);
    assert!(problems.is_empty(), "{problems:?}");
    expect(
        &table,
        &[
            ("http://any.test:8080/y?q", "http://127.0.0.1:3000/y?q"),
            ("https://any.test/", "http://127.0.0.1:3000/"),
            ("https://a.test:8443/x/1", "http://o/1"),
            ("http://b.test:8080/1", "https://o2/1"),
        ],
    );
    let (_, problems) =
        RemapTable::from_maps(&[("/", "nowhere:x"), ("/", "/"), ("/", "a/"), ("/", "http://a:0/")]);
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[0].to_string().starts_with("--map: "));
}

#[test]
fn options_are_read() {
    let table = table(
        "map http://a.test/ http://o/ @pparam=early @plugin=one.so @pparam=--x=1 @pparam=\"a b\" \
         @plugin=two @mapid=7 @strategy=near @method=GET\n\
         map http://u.test// http://o/ tag\n",
    );
    let rule = &table.rules()[0];
    assert_eq!(rule.plugins.len(), 2);
    assert_eq!(rule.plugins[0].name, "one.so");
    assert_eq!(rule.plugins[0].params, ["early", "--x=1", "\"a b\""]);
    assert_eq!((rule.plugins[1].name.as_str(), rule.plugins[1].line), ("two", 1));
    assert_eq!((rule.map_id, rule.strategy.as_deref(), rule.acl.len()), (7, Some("near"), 1));
    let unique = &table.rules()[1];
    assert_eq!((unique.is_unique, unique.rank, unique.tag.as_deref()), (true, 1, Some("tag")));
    assert_eq!(unique.from_text, "http://u.test/");
}

#[test]
fn named_filters_apply_from_their_activation_on() {
    let table = table(
        ".definefilter d @action=deny @method=GET\n\
         map http://before.test/ http://o/\n\
         .activatefilter d\n\
         map http://f.test/ http://o/\n\
         .definefilter d @src_ip=10.0.0.0/8\n\
         map http://f2.test/ http://o/\n\
         .deactivatefilter d\n\
         .deactivatefilter ip_allow\n\
         map http://f3.test/ http://o/\n\
         .useflt ip_allow\n\
         .delflt d\n\
         map http://f4.test/ http://o/\n",
    );
    let local = "127.0.0.1".parse().expect("address");
    let request = AclRequest { method: "GET", src_ip: local, in_ip: local, is_internal: false };
    let outcomes: Vec<_> = table
        .rules()
        .iter()
        .map(|rule| (rule.acl(&request) == AclOutcome::Deny, rule.checks_ip_allow))
        .collect();
    assert_eq!(outcomes, [(false, true), (true, true), (false, true), (false, false), (false, true)]);
}

#[test]
fn included_files_and_directories_are_read_in_place() {
    let files = MemoryFiles::new()
        .with("one.config", "map http://one.test/ http://o/1\n")
        .with("d/b.config", "map http://b.test/ http://o/b\n")
        .with("d/a.config", "\n\nmop\n.include loop.config\n")
        .with("d/.hidden", "nonsense\n")
        .with("loop.config", ".include loop.config\n");
    let text = ".include one.config d nothing.config\nmap http://two.test/ http://o/2\n";
    let (table, problems) = RemapTable::parse("remap.config", text, &files);
    let hosts: Vec<_> = table.rules().iter().map(|rule| rule.from.host.as_str()).collect();
    assert_eq!(hosts, ["one.test", "b.test", "two.test"]);
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems[0], "d/a.config:3: a rule needs a type, a from URL and a to URL");
    assert_eq!(problems[1], "loop.config:1: loop.config includes itself");
    assert!(problems[2].starts_with("remap.config:1: nothing.config cannot be read"), "{}", problems[2]);
    assert_eq!(problems.len(), 3);
}

#[test]
fn referers_follow_the_urls_of_map_with_referer() {
    let table = table(
        "map_with_referer http://a.test/ http://o/ http://no.test/ ~bad OK\n\
         map http://b.test/ http://o/ default ok @map_with_referer\n",
    );
    let [first, second] = table.rules() else { panic!("two rules") };
    assert_eq!(first.referer(Some("http://ok/")), RefererOutcome::Allow);
    assert_eq!(first.referer(Some("http://ok.bad/")), RefererOutcome::Redirect("http://no.test/".into()));
    assert_eq!(second.referer(None), RefererOutcome::RedirectToDefault);
}

#[test]
fn errors_name_file_and_line() {
    let text = "map http://a.test/ http://b/\n\
        \n\
        map http://A.test:80 http://c/\n\
        mop http://a/ http://b/\n\
        map http://x/\n\
        map http://x/ /b\n\
        map ws://x/ http://b/\n\
        redirect /foo http://b/\n\
        regex_map http://(a/ http://b/\n\
        regex_map http://(a)/ http://$2.b/\n\
        map http://y/ http://b/ @action=maybe\n\
        map http://y/ http://b/ @src_ip=1.2.3\n\
        .activatefilter nothing\n\
        .frobnicate x\n\
        .definefilter x\n\
        map http:///foo http://b/\n";
    let expected = [
        "remap.config:3: http://a.test/ has a rule already (remap.config:1)",
        "remap.config:4: unknown rule type \"mop\"",
        "remap.config:5: a rule needs a type, a from URL and a to URL",
        "remap.config:6: the to URL needs a host",
        "remap.config:7: ws and wss can only be mapped to ws or wss",
        "remap.config:8: only map rules may have a from URL without a host",
        "remap.config:9: regular expression: ",
        "remap.config:10: regular expression: the to URL asks for group $2, which the expression does not have",
        "remap.config:11: @action: \"maybe\" is neither allow nor deny",
        "remap.config:12: @src_ip: \"1.2.3\" is not an IP address or range of addresses",
        "remap.config:13: no filter is called nothing",
        "remap.config:14: unknown directive .frobnicate",
        "remap.config:15: filter x needs at least one option",
        "remap.config:16: a from URL without a host must begin with a slash",
    ];
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
    assert_eq!(parse(text).0.rules().len(), 2); // The first one and the one that it shadows.
}

#[test]
fn doubtful_lines_are_warned_of() {
    let text = "map http://a/ http://b/ @colour=red @mapid=x @pparam=1\n\
        redirect http://r/ http://b/ @plugin=x.so\n\
        .deletefilter nothing\n\
        map http://q/ http://b/ @plugin=\"x\n";
    let (table, problems) = parse(text);
    assert_eq!(table.rules().len(), 3);
    assert_eq!(problems.len(), 6, "{problems:?}");
    assert!(problems.iter().all(|problem| !problem.is_error()));
}

/// The rule a walk in rank order finds.
fn walk<'t>(table: &'t RemapTable, request: &RemapRequest<'_>) -> Option<&'t Arc<Rule>> {
    let matches = |rule: &&Arc<Rule>| {
        let has_host = match &rule.regex {
            Some(regex) => regex.is_match(request.host).expect("match"),
            None => rule.from.host.as_bytes() == request.host,
        };
        has_host
            && rule.endpoint().matches(Scheme::from_name(request.scheme).expect("scheme"), request.port)
            && request.path.starts_with(rule.from.path.as_bytes())
    };
    let without_host =
        |rule: &&Arc<Rule>| rule.from.host.is_empty() && request.path.starts_with(rule.from.path.as_bytes());
    table.rules().iter().find(matches).or_else(|| table.rules().iter().find(without_host))
}

fn rule_text() -> impl Strategy<Value = String> {
    let from = prop_oneof![
        "(regex_)?map (http|https|ws)://[ab](:80|:443|:8)?/([ab]/?){0,4}",
        "regex_map http://[ab.]{1,2}/[ab]{0,2}",
        "map [ab]/[ab]{0,3}",
        "map /[ab/]{0,3}",
    ];
    from.prop_map(|from| format!("{from} ws://o/\n"))
}

proptest! {
    #[test]
    fn the_index_finds_what_a_walk_over_the_rules_finds(
        lines in prop::collection::vec(rule_text(), 0..60),
        requests in prop::collection::vec(("http|https|ws", "[ab]{1,2}", "([ab]/?){0,6}"), 1..40),
    ) {
        // A line whose from URL is there already makes no difference to either.
        let (table, _) = parse(&lines.concat());
        for (scheme, host, path) in &requests {
            for port in [80, 443, 8] {
                let request = RemapRequest {
                    scheme, host: host.as_bytes(), port, path: path.as_bytes(), recv_port: port,
                };
                let found = table.find(&request).map(|found| found.rule.rank);
                prop_assert_eq!(found, walk(&table, &request).map(|rule| rule.rank));
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(?s).{0,300}", host in any::<Vec<u8>>(), path in any::<Vec<u8>>()) {
        let (table, _) = parse(&text);
        let request = RemapRequest { scheme: "http", host: &host, port: 80, path: &path, recv_port: 80 };
        if let Some(found) = table.find(&request) {
            let _ = found.target(&request).to_text(None);
        }
        let _ = table.reverse(&text);
    }

    #[test]
    fn no_line_of_plausible_words_makes_the_parser_panic(
        words in prop::collection::vec(
            prop_oneof![
                Just("map"), Just("regex_map"), Just("redirect"), Just("reverse_map"), Just("http://a/"),
                Just("http://(.*)é/"), Just("https://$0$1$é/x"), Just("/"), Just("//"), Just("///"), Just("://"),
                Just("@plugin=x"), Just("@pparam="), Just("@method=GET"), Just("@src_ip=~1.2.3.4"), Just("@"),
                Just("\\\n"), Just("\n"), Just(".include"), Just(".definefilter"), Just("ip_allow"), Just("'"),
                Just("http://[::1"), Just("http://a:99999999999999/"), Just("regex_"), Just("~*"), Just("regéx_"),
            ],
            0..40,
        ),
        host in "[a-zé.]{0,8}",
    ) {
        let (table, _) = parse(&words.join(" "));
        let request = RemapRequest {
            scheme: "http", host: host.as_bytes(), port: 80, path: b"a/b", recv_port: 80,
        };
        if let Some(found) = table.find(&request) {
            let _ = found.target(&request).to_text(None);
        }
    }
}
