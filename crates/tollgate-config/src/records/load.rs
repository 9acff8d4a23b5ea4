//! Reading records from files, environment and command line.
//!
//! Responsible for: the grammars of `records.yaml` and `records.config`, `PROXY_CONFIG_…` variables and
//! `--set`, and what is wrong with each setting.
//! Not responsible for: the order of precedence: the later call wins (see [`crate::generation`]).
//! Invariants: a setting with an error leaves the record as it was.

use std::sync::Arc;

use super::def::parse_int;
use super::names::{current_name, foreign_name, nearest};
use super::{DEFS, Kind, Records, Source, Value, find};
use crate::Problem;
use crate::yaml::{Node, Yaml};

/// How the names of plugins' own records begin.
const OF_PLUGINS: &str = "proxy.config.plugin.";

/// Sets the records that `text`, the content of `file` in the form of `records.config`, names.
pub fn records_config(records: &mut Records, file: &str, text: &str, problems: &mut Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    for (number, line) in (1u32..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut setter = Setter { records, file: &file, line: number, problems };
        match split_config_line(line) {
            Some((name, kind, value)) => setter.set_typed(name, kind, value),
            None => setter.error("expected CONFIG NAME INT|FLOAT|STRING VALUE"),
        }
    }
}

/// Name, type and value of a line.
fn split_config_line(line: &str) -> Option<(&str, Kind, &str)> {
    let (class, rest) = line.split_once([' ', '\t'])?;
    if class != "CONFIG" && class != "LOCAL" {
        return None;
    }
    let (name, rest) = rest.trim_start().split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    let (kind, value) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let kind = match kind {
        "INT" | "COUNTER" => Kind::Int,
        "FLOAT" => Kind::Float,
        "STRING" => Kind::Str,
        _ => return None,
    };
    Some((name, kind, value.trim()))
}

/// Sets the records that `text`, the content of `file` in the form of `records.yaml`, names: nested maps
/// under `records:` or `ts:`, whose keys together make the name after `proxy.config.`.
pub fn records_yaml(records: &mut Records, file: &str, text: &str, problems: &mut Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    let root = match Node::parse(&file, text) {
        Ok(root) => root,
        Err(problem) => return problems.push(problem),
    };
    let entries = match root.value {
        Yaml::Null => return,
        Yaml::Map(entries) => entries,
        _ => return problems.push(Problem::error(&file, root.line, "expected a map with the key records")),
    };
    for (key, node) in &entries {
        if key.name == "records" || key.name == "ts" {
            yaml_node(records, &file, "proxy.config", node, problems);
        } else {
            let message = format!("unknown key {}, expected records", key.name);
            problems.push(Problem::warning(&file, key.line, message));
        }
    }
}

fn yaml_node(records: &mut Records, file: &Arc<str>, name: &str, node: &Node, problems: &mut Vec<Problem>) {
    let mut setter = Setter { records, file, line: node.line, problems };
    match &node.value {
        Yaml::Map(entries) => {
            for (key, child) in entries {
                yaml_node(records, file, &format!("{name}.{}", key.name), child, problems);
            }
        }
        Yaml::Scalar(text) => setter.set(name, text),
        Yaml::Null if find(current_name(name)).is_some() => setter.set(name, "NULL"),
        Yaml::Null => {}
        Yaml::List(_) => setter.error(&format!("{name}: expected a single value, not a list")),
    }
}

/// Sets the records that environment variables called `PROXY_CONFIG_…` name.
pub fn environment<'a>(
    records: &mut Records,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    problems: &mut Vec<Problem>,
) {
    let file: Arc<str> = Arc::from("environment");
    for (variable, value) in variables {
        let Some(constant) = variable.strip_prefix("PROXY_CONFIG_") else { continue };
        let Some(def) = DEFS.iter().find(|def| def.constant == constant) else {
            let guess = nearest(&format!("proxy.config.{}", constant.to_ascii_lowercase().replace('_', ".")));
            let guess = guess.and_then(find).map(|id| id.def().environment_name());
            problems.push(Problem::warning(&file, 0, unknown("variable", variable, guess.as_deref())));
            continue;
        };
        if let Err(error) = records.set_by_name(def.name, value, Source::Environment) {
            problems.push(Problem::error(&file, 0, format!("{variable}: {error}")));
        }
    }
}

/// Sets the records of the command line's `--set NAME=VALUE`.
pub fn command_line<'a>(
    records: &mut Records,
    settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    problems: &mut Vec<Problem>,
) {
    let file: Arc<str> = Arc::from("--set");
    for (name, value) in settings {
        // Line 0 makes the source the command line.
        Setter { records, file: &file, line: 0, problems }.set(name, value);
    }
}

/// Sets records named at one place.
struct Setter<'a> {
    records: &'a mut Records,
    file: &'a Arc<str>,
    line: u32,
    problems: &'a mut Vec<Problem>,
}

impl Setter<'_> {
    fn set(&mut self, name: &str, text: &str) {
        let name = current_name(name);
        if find(name).is_none() {
            self.records.set_other(name, Value::Str(unset(text).into()));
            return self.warn_of_unknown(name);
        }
        let source = match self.line {
            0 => Source::CommandLine,
            line => Source::File { file: Arc::clone(self.file), line },
        };
        if let Err(error) = self.records.set_by_name(name, text, source) {
            self.error(&error.to_string());
        }
    }

    fn set_typed(&mut self, name: &str, kind: Kind, text: &str) {
        match find(current_name(name)).map(super::RecordId::def) {
            Some(def) if def.kind != kind => {
                self.error(&format!("{name} is {}, not {}", def.kind.name(), kind.name()));
            }
            Some(_) => self.set(name, text),
            None => {
                self.records.set_other(current_name(name), typed(kind, text));
                self.warn_of_unknown(current_name(name));
            }
        }
    }

    /// A name that nobody knows may be one that a plugin will make a record of.
    fn warn_of_unknown(&mut self, name: &str) {
        if name.starts_with(OF_PLUGINS) {
            return;
        }
        let message = if foreign_name(name) {
            format!("{name} is a record of Traffic Server that has no effect here")
        } else {
            unknown("record", name, nearest(name))
        };
        self.problems.push(Problem::warning(self.file, self.line, message));
    }

    fn error(&mut self, message: &str) {
        self.problems.push(Problem::error(self.file, self.line, message));
    }
}

/// What Traffic Server writes for no text.
fn unset(text: &str) -> &str {
    if text == "NULL" { "" } else { text }
}

/// A value of that type; a text if it is none.
fn typed(kind: Kind, text: &str) -> Value {
    let number = match kind {
        Kind::Int => parse_int(text).map(Value::Int),
        Kind::Float => text.trim().parse().ok().map(Value::Float),
        Kind::Str => None,
    };
    number.unwrap_or_else(|| Value::Str(unset(text).into()))
}

fn unknown(what: &str, name: &str, guess: Option<&str>) -> String {
    match guess {
        Some(guess) => format!("unknown {what} {name}, did you mean {guess}?"),
        None => format!("unknown {what} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ids;
    use super::*;

    fn from_config(text: &str) -> (Records, Vec<String>) {
        let (mut records, mut problems) = (Records::default(), Vec::new());
        records_config(&mut records, "records.config", text, &mut problems);
        (records, problems.iter().map(ToString::to_string).collect())
    }

    fn from_yaml(text: &str) -> (Records, Vec<String>) {
        let (mut records, mut problems) = (Records::default(), Vec::new());
        records_yaml(&mut records, "records.yaml", text, &mut problems);
        (records, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_that_are_not_in_the_table_are_kept_for_plugins() {
        let (records, problems) = from_config(
            "CONFIG proxy.config.plugin.a.number INT 7\nCONFIG proxy.config.plugin.a.text STRING some text\n\
             CONFIG proxy.config.plugin.a.none STRING NULL\nCONFIG proxy.config.plugin.a.bad INT seven\n",
        );
        assert_eq!(records.other("proxy.config.plugin.a.number"), Some(&Value::Int(7)));
        assert_eq!(records.other("proxy.config.plugin.a.text"), Some(&Value::Str("some text".into())));
        assert_eq!(records.other("proxy.config.plugin.a.none"), Some(&Value::Str("".into())));
        assert_eq!(records.other("proxy.config.plugin.a.bad"), Some(&Value::Str("seven".into())));
        assert!(problems.is_empty(), "{problems:?}");
        let (records, problems) = from_yaml("records:\n  plugin:\n    a:\n      number: 8\n");
        assert_eq!(records.other("proxy.config.plugin.a.number"), Some(&Value::Str("8".into())));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn records_config_lines_set_records() {
        let (records, problems) = from_config(
            "# comment\n\nCONFIG proxy.config.http.cache.http INT 0\n  \
             LOCAL  proxy.config.http.server_ports\tSTRING  8080 8081:ipv6  \n\
             CONFIG proxy.config.http.cache.heuristic_lm_factor FLOAT 0.25\n\
             CONFIG proxy.config.cache.ram_cache.size INT 1G\n\
             CONFIG proxy.config.http.connect_ports STRING NULL\n\
             CONFIG proxy.config.net.sock_option_flag_out INT 0x3\n\
             CONFIG proxy.config.body_factory.template_sets_dir STRING\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert!(!records.flag(ids::HTTP_CACHE_HTTP));
        assert_eq!(records.str(ids::HTTP_SERVER_PORTS), "8080 8081:ipv6");
        assert_eq!(records.float(ids::HTTP_CACHE_HEURISTIC_LM_FACTOR), 0.25);
        assert_eq!(records.int(ids::CACHE_RAM_CACHE_SIZE), 1 << 30);
        assert_eq!(records.str(ids::HTTP_CONNECT_PORTS), "");
        assert_eq!(records.int(ids::NET_SOCK_OPTION_FLAG_OUT), 3);
        assert_eq!(records.str(ids::BODY_FACTORY_TEMPLATE_SETS_DIR), "");
        assert_eq!(records.source_of(ids::HTTP_SERVER_PORTS).to_string(), "records.config:4");
    }

    #[test]
    fn records_config_problems_name_file_and_line() {
        let (_, problems) = from_config(
            "nonsense\n\
             CONFIG proxy.config.http.cache.http INT 2\n\
             CONFIG proxy.config.http.cache.http STRING 1\n\
             CONFIG proxy.config.http.cache.htp INT 1\n\
             CONFIG proxy.config.http.wait_for_cache INT 0\n\
             CONFIG x.y INT 0\n\
             CONFIG proxy.config.task_threads INT\n\
             CONFIG proxy.config.task_threads BOOL 1\n",
        );
        let expected = [
            "records.config:1: expected CONFIG NAME INT|FLOAT|STRING VALUE",
            "records.config:2: proxy.config.http.cache.http: 2 is not allowed, expected 0 to 1",
            "records.config:3: proxy.config.http.cache.http is INT, not STRING",
            "records.config:4: unknown record proxy.config.http.cache.htp, did you mean proxy.config.http.cache.http?",
            "records.config:5: proxy.config.http.wait_for_cache is a record of Traffic Server that has no effect here",
            "records.config:6: unknown record x.y",
            "records.config:7: proxy.config.task_threads: \"\" is not an integer",
            "records.config:8: expected CONFIG NAME INT|FLOAT|STRING VALUE",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn yaml_maps_make_names() {
        let (records, problems) = from_yaml(
            "records:\n  http:\n    cache:\n      http: false\n    server_ports: \"8080 8081\"\n  \
             exec_thread:\n    autoconfig:\n      enabled: 0\n      scale: 1.5\n  \
             cache:\n    ram_cache:\n      size: 2G\n  body_factory:\n    template_sets_dir: null\n  \
             net:\n    sock_option_flag_in: 0x5\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert!(!records.flag(ids::HTTP_CACHE_HTTP));
        assert_eq!(records.str(ids::HTTP_SERVER_PORTS), "8080 8081");
        assert!(!records.flag(ids::EXEC_THREAD_AUTOCONFIG));
        assert_eq!(records.float(ids::EXEC_THREAD_AUTOCONFIG_SCALE), 1.5);
        assert_eq!(records.int(ids::CACHE_RAM_CACHE_SIZE), 2 << 30);
        assert_eq!(records.int(ids::NET_SOCK_OPTION_FLAG_IN), 5);
        assert_eq!(records.str(ids::BODY_FACTORY_TEMPLATE_SETS_DIR), "");
        assert_eq!(records.source_of(ids::HTTP_CACHE_HTTP).to_string(), "records.yaml:4");
        assert_eq!(from_yaml("ts:\n  task_threads: 3\n").0.int(ids::TASK_THREADS), 3);
        assert_eq!(from_yaml("").1, Vec::<String>::new());
    }

    #[test]
    fn yaml_problems_name_file_and_line() {
        let (_, problems) = from_yaml(
            "other: 1\nrecords:\n  http:\n    cache:\n      http: [1]\n      htp: 1\n  task_threads: many\n",
        );
        let expected = [
            "records.yaml:1: unknown key other, expected records",
            "records.yaml:5: proxy.config.http.cache.http: expected a single value, not a list",
            "records.yaml:6: unknown record proxy.config.http.cache.htp, did you mean proxy.config.http.cache.http?",
            "records.yaml:7: proxy.config.task_threads: \"many\" is not an integer",
        ];
        assert_eq!(problems, expected);
        assert!(from_yaml("records: [").1[0].starts_with("records.yaml:"));
        assert_eq!(from_yaml("- a\n").1, ["records.yaml:1: expected a map with the key records"]);
    }

    #[test]
    fn environment_and_command_line_set_records() {
        let (mut records, mut problems) = (Records::default(), Vec::new());
        let variables = [
            ("PROXY_CONFIG_HTTP_CACHE_HTTP", "0"),
            ("PROXY_CONFIG_TASK_THREADS", "x"),
            ("PROXY_CONFIG_TASK_THREAD", "4"),
            ("PATH", "/bin"),
        ];
        environment(&mut records, variables, &mut problems);
        let settings = [
            ("proxy.config.task_threads", "4"),
            ("proxy.config.task_thread", "4"),
            ("proxy.config.http.cache.http", "9"),
        ];
        command_line(&mut records, settings, &mut problems);
        assert_eq!(records.source_of(ids::HTTP_CACHE_HTTP), &Source::Environment);
        assert_eq!(records.source_of(ids::TASK_THREADS), &Source::CommandLine);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let expected = [
            "environment: PROXY_CONFIG_TASK_THREADS: proxy.config.task_threads: \"x\" is not an integer",
            "environment: unknown variable PROXY_CONFIG_TASK_THREAD, did you mean PROXY_CONFIG_TASK_THREADS?",
            "--set: unknown record proxy.config.task_thread, did you mean proxy.config.task_threads?",
            "--set: proxy.config.http.cache.http: 9 is not allowed, expected 0 to 1",
        ];
        assert_eq!(problems, expected);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(?s).{0,200}") {
            from_config(&text);
            from_yaml(&text);
            from_yaml(&format!("records:\n  {text}"));
            from_config(&format!("CONFIG proxy.config.task_threads INT {text}"));
        }
    }
}
