//! Tests of loading as a whole.

use super::*;
use crate::files::MemoryFiles;
use crate::records::Source;

fn source(dir: Option<&str>) -> ConfigSource {
    ConfigSource { dir: dir.map(PathBuf::from), ..ConfigSource::default() }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

fn texts(loaded: &Loaded) -> Vec<String> {
    loaded.problems.iter().map(ToString::to_string).collect()
}

const NAME: &str = "proxy.config.task_threads";

#[test]
fn later_sources_of_a_record_win() {
    let yaml = ("records.yaml", "records:\n  task_threads: 3\n");
    let config = ("records.config", "CONFIG proxy.config.task_threads INT 4\n");
    let mut from = source(Some("etc"));
    let mut files = MemoryFiles::new().with("remap.config", "");
    let value = |from: &ConfigSource, files: &MemoryFiles| {
        let loaded = load(from, files);
        assert_eq!(texts(&loaded), Vec::<String>::new());
        let records = loaded.generation.expect("generation").records;
        (records.int(ids::TASK_THREADS), records.source_of(ids::TASK_THREADS).to_string())
    };
    assert_eq!(value(&from, &files), (2, "default".into()));
    files = files.with(yaml.0, yaml.1);
    assert_eq!(value(&from, &files), (3, "records.yaml:2".into()));
    files = files.with(config.0, config.1);
    assert_eq!(value(&from, &files), (4, "records.config:1".into()));
    from.env.push(pair("PROXY_CONFIG_TASK_THREADS", "5"));
    assert_eq!(value(&from, &files), (5, "environment".into()));
    from.sets.push(pair(NAME, "6"));
    assert_eq!(value(&from, &files), (6, "--set".into()));
    from.sets.push(pair(NAME, "7"));
    assert_eq!(value(&from, &files), (7, "--set".into()));
}

#[test]
fn no_file_is_needed() {
    let mut from = source(None);
    from.maps.push(pair("/", "http://127.0.0.1:3000"));
    let loaded = load_from_disk(&from);
    assert_eq!(texts(&loaded), Vec::<String>::new());
    let generation = loaded.generation.expect("generation");
    assert_eq!(generation.remap.rules().len(), 1);
    assert_eq!(generation.records.source_of(ids::TASK_THREADS), &Source::Default);
}

#[test]
fn any_error_means_no_generation_and_all_problems_are_reported() {
    let files = MemoryFiles::new()
        .with("records.config", "CONFIG proxy.config.task_threads INT 0\n")
        .with("remap.config", "mop http://a/ http://b/\n")
        .with("plugin.config", "a.so \"x\n")
        .with("hooks.config", "turn\n")
        .with("ip_allow.yaml", "ip_allow: x\n");
    let mut from = source(Some("etc"));
    from.sets.push(pair(NAME, "x"));
    from.env.push(pair("PROXY_CONFIG_NOTHING", "1"));
    let loaded = load(&from, &files);
    assert!(loaded.generation.is_none());
    let expected = [
        "etc/records.config:1: proxy.config.task_threads: 0 is not allowed, expected 1 to 1024",
        "environment: unknown variable PROXY_CONFIG_NOTHING",
        "--set: proxy.config.task_threads: \"x\" is not an integer",
        "etc/remap.config:1: unknown rule type \"mop\"",
        "etc/plugin.config:1: a quote is not closed",
        "etc/hooks.config:1: expected a line that starts with order or off",
        "etc/ip_allow.yaml:1: expected a rule, found a single value",
    ];
    let found = texts(&loaded);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

#[test]
fn a_missing_remap_file_is_a_warning_unless_the_command_line_has_maps() {
    let files = MemoryFiles::new().with("records.config", "");
    let mut from = source(Some("etc"));
    let loaded = load(&from, &files);
    assert!(loaded.generation.is_some());
    assert_eq!(texts(&loaded), ["etc/remap.config: there is no such file: no request is remapped"]);
    from.maps.push(pair("/", "http://o/"));
    assert_eq!(texts(&load(&from, &files)), Vec::<String>::new());
}

#[test]
fn a_missing_directory_is_an_error() {
    let loaded = load_from_disk(&source(Some("/nonexistent/tollgate")));
    assert!(loaded.generation.is_none());
    assert!(texts(&loaded)[0].starts_with("/nonexistent/tollgate: the directory cannot be read"));
}

#[test]
fn a_file_that_is_not_text_is_an_error() {
    let files = MemoryFiles::new().with("remap.config", vec![0xff, 0xfe]);
    let loaded = load(&source(Some("etc")), &files);
    assert!(loaded.generation.is_none());
    assert!(texts(&loaded)[0].starts_with("etc/remap.config: the file cannot be read"));
}

#[test]
fn the_command_lines_maps_come_before_the_files_rules() {
    let files = MemoryFiles::new().with("remap.config", "map / http://file/\nmap /x http://file/x\n");
    let mut from = source(Some("etc"));
    from.maps.push(pair("/", "http://command-line/"));
    let loaded = load(&from, &files);
    assert_eq!(texts(&loaded), ["etc/remap.config:1: http:/// is overridden by --map"]);
    let remap = loaded.generation.expect("generation").remap;
    let hosts: Vec<_> = remap.rules().iter().map(|rule| (rule.to.host.as_str(), rule.rank)).collect();
    assert_eq!(hosts, [("command-line", 0), ("file", 1), ("file", 2)]);
}

#[test]
fn files_may_have_other_names_and_the_rest_of_the_files_is_read() {
    let files = MemoryFiles::new()
        .with("records.yaml", "records:\n  url_remap:\n    filename: my.rules\n  hostdb:\n    host_file:\n      path: /etc/my.hosts\n")
        .with("my.rules", ".include more\n")
        .with("more", "map http://a/ http://b/ @plugin=x.so\n")
        .with("/etc/my.hosts", "192.0.2.7 origin.test\n")
        .with("plugin.config", "stats $proxy.config.task_threads\n")
        .with("hooks.config", "off x y\n")
        .with("ip_allow.yaml", "ip_allow:\n  - {apply: in, ip_addrs: 10/8, action: allow}\n");
    let loaded = load(&source(Some("etc")), &files);
    assert_eq!(texts(&loaded), Vec::<String>::new());
    let generation = loaded.generation.expect("generation");
    assert_eq!(generation.remap.rules()[0].plugins[0].file.as_ref(), "more");
    assert_eq!(generation.hosts.lookup("origin.test").len(), 1);
    assert_eq!(generation.plugins[0].argv, ["stats", "2"]);
    assert_eq!(generation.hooks.offs.len(), 1);
    let outside = "192.0.2.1".parse().expect("address");
    assert!(generation.ip_allow.denies_all(crate::ip_allow::Side::In, outside));
}

#[test]
fn absolute_files_need_no_directory() {
    let files =
        MemoryFiles::new().with("/etc/hosts", "192.0.2.7 origin.test\n").with("remap.config", "nonsense");
    let mut from = source(None);
    from.sets.push(pair("proxy.config.hostdb.host_file.path", "/etc/hosts"));
    let loaded = load(&from, &files);
    assert_eq!(texts(&loaded), Vec::<String>::new());
    assert_eq!(loaded.generation.expect("generation").hosts.lookup("origin.test").len(), 1);
}

#[test]
fn disk_files_are_listed_in_the_order_of_their_names() {
    let dir = tempfile::tempdir().expect("directory");
    for name in ["b", "a"] {
        std::fs::write(dir.path().join(name), format!("map http://{name}/ http://o/\n")).expect("write");
    }
    std::fs::write(dir.path().join("remap.config"), ".include a b\n").expect("write");
    let files = DiskFiles::new(dir.path());
    let names = files.list(Path::new("")).expect("list");
    assert_eq!(names, ["a", "b", "remap.config"].map(PathBuf::from));
    let from = ConfigSource { dir: Some(dir.path().into()), ..ConfigSource::default() };
    assert_eq!(load_from_disk(&from).generation.expect("generation").remap.rules().len(), 2);
}
