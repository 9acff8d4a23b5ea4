//! `tollgate ctl`: commands to a running server.
//!
//! Responsible for: from arguments to requests, printing results as Traffic Server's `traffic_ctl` does, exit status.
//! Not responsible for: the socket's protocol (`tollgate-admin`), what a command does (`control.rs`).
//! `tollgate cache` and `tollgate explain` are such commands, too.
//! Exit status, as `traffic_ctl`'s: 0 done, 2 not done, 64 wrong usage (when called by that name).

use crate::cli::{
    CacheCommand, CacheOptions, ConfigCommand, CtlCommand, CtlOptions, ExplainOptions, MetricCommand,
    PluginCommand, ServerCommand, ServerOptions,
};
use crate::control::socket_path;
use anyhow::{Context, anyhow};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tollgate_admin::control::{CallError, Request, call};
use tollgate_config::Records;
use tollgate_config::records::load;

/// The exit status of a command that could not be done.
const FAILED: u8 = 2;
/// How long a command may take. LIMIT.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs one command.
pub(crate) fn run(options: &CtlOptions) -> ExitCode {
    match command(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate ctl: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Runs one command to the cache.
pub(crate) fn run_cache(options: &CacheOptions) -> ExitCode {
    let request = match options.command.clone() {
        CacheCommand::Purge { urls, prefixes, tags, soft } => {
            Request::CachePurge { urls, prefixes, tags, soft }
        }
        CacheCommand::Ban { regexes, soft } => Request::CacheBan { regexes, soft },
        CacheCommand::Stat => Request::CacheStat {},
    };
    run_one("cache", &options.server, &request, crate::cache::text)
}

/// Has a request explained.
pub(crate) fn run_explain(options: &ExplainOptions) -> ExitCode {
    let ExplainOptions { url, method, headers, .. } = options.clone();
    let request = Request::Explain { url, method: Some(method), headers };
    run_one("explain", &options.server, &request, crate::explain::text)
}

/// Runs one command and prints its result.
fn run_one(name: &str, server: &ServerOptions, request: &Request, text: fn(&Value) -> String) -> ExitCode {
    let done = socket(server).and_then(|socket| {
        let result = call(&socket, request, TIMEOUT)?;
        print(&if server.json { format!("{result:#}\n") } else { text(&result) })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate {name}: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write")
}

fn command(options: &CtlOptions) -> anyhow::Result<()> {
    let json = options.server.json;
    let socket = socket(&options.server)?;
    let requests = requests(&options.command, json);
    let rounds = match &options.command {
        CtlCommand::Metric(MetricCommand::Monitor { count, .. }) => *count,
        _ => 1,
    };
    let mut done = 0;
    loop {
        for request in &requests {
            let result = call(&socket, request, TIMEOUT).map_err(|error| explained(request, error))?;
            print(&if json { format!("{result:#}\n") } else { text(&options.command, request, &result) })?;
        }
        done += 1;
        if rounds != 0 && done >= rounds {
            return Ok(());
        }
        if let CtlCommand::Metric(MetricCommand::Monitor { interval, .. }) = &options.command {
            pause(Duration::from_secs(*interval));
        }
    }
}

/// The socket that the options name.
fn socket(options: &ServerOptions) -> anyhow::Result<PathBuf> {
    if let Some(path) = &options.socket {
        return Ok(path.clone());
    }
    let dir = options
        .config
        .clone()
        .ok_or_else(|| anyhow!("which server? Give its --config DIR, or --socket PATH"))?;
    let records = records(&dir);
    socket_path(&records, &dir).ok_or_else(|| {
        anyhow!("proxy.config.tollgate.control.socket is unset: the server has no control socket")
    })
}

/// The records in `dir`, as far as they are right: a broken file must not keep its owner from the server.
fn records(dir: &Path) -> Records {
    let mut records = Records::default();
    let mut ignored = Vec::new();
    if let Ok(text) = std::fs::read_to_string(dir.join("records.yaml")) {
        load::records_yaml(&mut records, "records.yaml", &text, &mut ignored);
    }
    if let Ok(text) = std::fs::read_to_string(dir.join("records.config")) {
        load::records_config(&mut records, "records.config", &text, &mut ignored);
    }
    records
}

fn explained(request: &Request, error: CallError) -> anyhow::Error {
    let name = match request {
        Request::ConfigGet { names } | Request::MetricGet { names } => names.first(),
        _ => None,
    };
    match (name, error) {
        (Some(name), error @ CallError::NoServer { .. }) => anyhow!("failed to fetch {name}: {error}"),
        (_, error) => anyhow!("{error}"),
    }
}

/// What is asked for. As `traffic_ctl` does, names are asked for one by one: what comes before an unknown one is
/// printed. As JSON they make one document.
fn requests(command: &CtlCommand, json: bool) -> Vec<Request> {
    let each = |names: &[String], request: fn(Vec<String>) -> Request| -> Vec<Request> {
        if json {
            vec![request(names.to_vec())]
        } else {
            names.iter().map(|n| request(vec![n.clone()])).collect()
        }
    };
    match command {
        CtlCommand::Config(ConfigCommand::Get { names, .. }) => {
            each(names, |names| Request::ConfigGet { names })
        }
        CtlCommand::Config(ConfigCommand::Describe { names }) => {
            each(names, |names| Request::ConfigDescribe { names })
        }
        CtlCommand::Metric(MetricCommand::Get { names } | MetricCommand::Monitor { names, .. }) => {
            each(names, |names| Request::MetricGet { names })
        }
        CtlCommand::Config(ConfigCommand::Match { regexes, .. }) => {
            regexes.iter().map(|regex| Request::ConfigMatch { regex: regex.clone() }).collect()
        }
        CtlCommand::Metric(MetricCommand::Match { regexes }) => {
            regexes.iter().map(|regex| Request::MetricMatch { regex: regex.clone() }).collect()
        }
        CtlCommand::Config(ConfigCommand::Set { name, value }) => {
            vec![Request::ConfigSet { name: name.clone(), value: value.clone() }]
        }
        CtlCommand::Config(ConfigCommand::Diff { .. }) => vec![Request::ConfigDiff {}],
        CtlCommand::Config(ConfigCommand::Defaults { .. }) => vec![Request::ConfigDefaults {}],
        CtlCommand::Config(ConfigCommand::Reload) => vec![Request::ConfigReload {}],
        CtlCommand::Config(ConfigCommand::Status) => vec![Request::ConfigStatus {}],
        CtlCommand::Metric(MetricCommand::Zero { names }) => {
            vec![Request::MetricZero { names: names.clone() }]
        }
        CtlCommand::Metric(MetricCommand::Clear) => vec![Request::MetricClear {}],
        CtlCommand::Plugin(PluginCommand::List) => vec![Request::PluginList {}],
        CtlCommand::Plugin(PluginCommand::Msg { tag, data }) => {
            vec![Request::PluginMsg { tag: tag.clone(), data: data.clone() }]
        }
        CtlCommand::Server(ServerCommand::Status) => vec![Request::ServerStatus {}],
        CtlCommand::Server(ServerCommand::Drain { undo }) => vec![Request::ServerDrain { undo: *undo }],
        CtlCommand::Server(ServerCommand::Stop) => vec![Request::ServerStop {}],
    }
}

/// A result as `traffic_ctl` prints it.
fn text(command: &CtlCommand, request: &Request, result: &Value) -> String {
    let rows = || result.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let as_records = matches!(
        command,
        CtlCommand::Config(
            ConfigCommand::Get { records: true, .. }
                | ConfigCommand::Match { records: true, .. }
                | ConfigCommand::Diff { records: true }
                | ConfigCommand::Defaults { records: true }
        )
    );
    match request {
        Request::ConfigGet { .. } | Request::ConfigMatch { .. } if as_records => {
            rows().map(|row| format!("{}\n", record_line(row, "value"))).collect()
        }
        Request::ConfigDefaults {} if as_records => {
            rows().map(|row| format!("{}\n", record_line(row, "default"))).collect()
        }
        Request::ConfigDiff {} if as_records => rows()
            .map(|row| format!("{} # default: {}\n", record_line(row, "value"), value(row, "default")))
            .collect(),
        Request::ConfigGet { .. } | Request::ConfigMatch { .. } => {
            rows().map(|row| format!("{}: {}\n", field(row, "name"), value(row, "value"))).collect()
        }
        Request::ConfigDefaults {} => {
            rows().map(|row| format!("{}: {}\n", field(row, "name"), value(row, "default"))).collect()
        }
        Request::ConfigDiff {} => rows().map(difference).collect(),
        Request::MetricGet { .. } | Request::MetricMatch { .. } => {
            rows().map(|row| format!("{} {}\n", field(row, "name"), field(row, "value"))).collect()
        }
        Request::ConfigSet { name, .. } => format!("set {name}, restart is not required\n"),
        Request::ConfigDescribe { .. } => rows().map(description).collect(),
        Request::ConfigStatus {} => status(result),
        Request::CachePurge { .. } | Request::CacheBan { .. } | Request::CacheStat {} => {
            crate::cache::text(result)
        }
        Request::Explain { .. } => crate::explain::text(result),
        Request::PluginList {} => rows().map(holdings).collect(),
        Request::ServerStatus {} => format!("{result:#}\n"),
        Request::ConfigReload {}
        | Request::MetricZero { .. }
        | Request::MetricClear {}
        | Request::PluginMsg { .. }
        | Request::ServerDrain { .. }
        | Request::ServerStop {} => String::new(),
    }
}

fn field(row: &Value, name: &str) -> String {
    match &row[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a plugin holds: `NAME: COUNT ITEM, COUNT ITEM …`.
fn holdings(row: &Value) -> String {
    let items = row.as_object().into_iter().flatten().filter(|(item, _)| *item != "name");
    let items: Vec<String> =
        items.map(|(item, count)| format!("{count} {}", item.replace('_', " "))).collect();
    format!("{}: {}\n", field(row, "name"), items.join(", "))
}

/// A record's value: numbers with a point have six decimals, a text that is unset is NULL.
fn value(row: &Value, name: &str) -> String {
    let text = field(row, name);
    match (row["type"].as_str(), text.parse::<f64>()) {
        (Some("FLOAT"), Ok(number)) => format!("{number:.6}"),
        (Some("STRING"), _) if text.is_empty() => "NULL".to_owned(),
        _ => text,
    }
}

/// A line of `records.config`.
fn record_line(row: &Value, name: &str) -> String {
    format!("CONFIG {} {} {}", field(row, "name"), field(row, "type"), value(row, name))
}

fn difference(row: &Value) -> String {
    let (name, current, default) = (field(row, "name"), value(row, "value"), value(row, "default"));
    format!("{name} has changed\n\tCurrent Value: {current}\n\tDefault Value: {default}\n")
}

fn description(row: &Value) -> String {
    let update = match row["is_dynamic"].as_bool() {
        Some(true) => "dynamic, no restart",
        _ => "static, restart tollgate",
    };
    let overridable = if row["is_overridable"] == true {
        format!("yes {}", field(row, "type").to_lowercase())
    } else {
        "no ".to_owned()
    };
    let source = match field(row, "source") {
        default if default == "default" => "built in default".to_owned(),
        source => source,
    };
    let lines = [
        ("Name", field(row, "name")),
        ("Current Value", value(row, "value")),
        ("Default Value", value(row, "default")),
        ("Record Type", "standard config".to_owned()),
        ("Data Type", field(row, "type")),
        ("Access Control", "default".to_owned()),
        ("Update Type", update.to_owned()),
        ("Source", source),
        ("Overridable", overridable),
        ("Syntax Check", field(row, "syntax")),
        ("Unit", field(row, "unit")),
        ("Description", field(row, "doc")),
    ];
    lines.iter().map(|(label, value)| format!("{label:<16}: {value}\n")).collect()
}

fn status(result: &Value) -> String {
    let mut out = format!("{}\n", result["version"].as_str().unwrap_or_default());
    for (label, name) in [("Started at", "started_at"), ("Last reconfiguration at", "reloaded_at")] {
        out += &format!("{label} {} (seconds since 1970)\n", result[name]);
    }
    let waiting = result["waiting_for_restart"].as_array().map(Vec::as_slice).unwrap_or_default();
    out += &format!("Configuration is current, generation {}\n", result["generation"]);
    if !waiting.is_empty() {
        out += "tollgate requires restarting\n";
    }
    for name in waiting.iter().filter_map(Value::as_str) {
        out += &format!("  for {name}\n");
    }
    out
}

#[expect(
    clippy::disallowed_methods,
    reason = "the client has one thread, and nothing else to do between two prints"
)]
fn pause(interval: Duration) {
    std::thread::sleep(interval);
}
