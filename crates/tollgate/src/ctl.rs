//! `tollgate ctl`: commands to a running server.
//!
//! Responsible for: from arguments to requests, printing results as Traffic Server's `traffic_ctl` does, exit status.
//! Not responsible for: the socket's protocol (`tollgate-admin`), what a command does (`control.rs`).
//! Exit status, as `traffic_ctl`'s: 0 done, 2 not done, 64 wrong usage (when called by that name).

use crate::cli::{ConfigCommand, CtlCommand, CtlOptions, MetricCommand, PluginCommand, ServerCommand};
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

fn command(options: &CtlOptions) -> anyhow::Result<()> {
    let socket = socket(options)?;
    let request = request(&options.command);
    let rounds = match &options.command {
        CtlCommand::Metric(MetricCommand::Monitor { count, .. }) => *count,
        _ => 1,
    };
    let mut done = 0;
    loop {
        let result = call(&socket, &request, TIMEOUT).map_err(|error| explained(&request, error))?;
        let text = if options.json { format!("{result:#}\n") } else { text(&request, &result) };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write")?;
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
fn socket(options: &CtlOptions) -> anyhow::Result<PathBuf> {
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

fn request(command: &CtlCommand) -> Request {
    let own = Clone::clone;
    match command {
        CtlCommand::Config(ConfigCommand::Get { names }) => Request::ConfigGet { names: own(names) },
        CtlCommand::Config(ConfigCommand::Set { name, value }) => {
            Request::ConfigSet { name: name.clone(), value: value.clone() }
        }
        CtlCommand::Config(ConfigCommand::Match { regex }) => Request::ConfigMatch { regex: regex.clone() },
        CtlCommand::Config(ConfigCommand::Describe { names }) => {
            Request::ConfigDescribe { names: own(names) }
        }
        CtlCommand::Config(ConfigCommand::Reload) => Request::ConfigReload {},
        CtlCommand::Config(ConfigCommand::Status) => Request::ConfigStatus {},
        CtlCommand::Metric(MetricCommand::Get { names } | MetricCommand::Monitor { names, .. }) => {
            Request::MetricGet { names: own(names) }
        }
        CtlCommand::Metric(MetricCommand::Match { regex }) => Request::MetricMatch { regex: regex.clone() },
        CtlCommand::Metric(MetricCommand::Zero { names }) => Request::MetricZero { names: own(names) },
        CtlCommand::Plugin(PluginCommand::Msg { tag, data }) => {
            Request::PluginMsg { tag: tag.clone(), data: data.clone() }
        }
        CtlCommand::Server(ServerCommand::Status) => Request::ServerStatus {},
        CtlCommand::Server(ServerCommand::Drain { undo }) => Request::ServerDrain { undo: *undo },
        CtlCommand::Server(ServerCommand::Stop) => Request::ServerStop {},
    }
}

/// A result as `traffic_ctl` prints it.
fn text(request: &Request, result: &Value) -> String {
    let field = |value: &Value, name: &str| match &value[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = || result.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    match request {
        Request::ConfigGet { .. }
        | Request::ConfigMatch { .. }
        | Request::MetricGet { .. }
        | Request::MetricMatch { .. } => {
            rows().map(|row| format!("{}: {}\n", field(row, "name"), field(row, "value"))).collect()
        }
        Request::ConfigSet { name, .. } => format!("set {name}, restart is not required\n"),
        Request::ConfigDescribe { .. } => rows().map(description).collect(),
        Request::ConfigStatus {} => status(result),
        Request::ServerStatus {} => format!("{result:#}\n"),
        Request::ConfigReload {}
        | Request::MetricZero { .. }
        | Request::PluginMsg { .. }
        | Request::ServerDrain { .. }
        | Request::ServerStop {} => String::new(),
    }
}

fn description(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let update = match row["is_dynamic"].as_bool() {
        Some(true) => "dynamic, no restart",
        _ => "static, restart tollgate",
    };
    let overridable = if row["is_overridable"] == true { "yes" } else { "no" };
    let lines = [
        ("Name", text("name")),
        ("Current Value", text("value")),
        ("Default Value", text("default")),
        ("Record Type", "standard config"),
        ("Data Type", text("type")),
        ("Update Type", update),
        ("Source", text("source")),
        ("Overridable", overridable),
        ("Unit", text("unit")),
        ("Description", text("doc")),
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
