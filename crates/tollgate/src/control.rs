//! The server's side of the control socket: what each command does.
//!
//! Responsible for: handing commands to the main thread, and doing them there with the server at hand.
//! Not responsible for: transport, how the command prints (`ctl.rs`).
//! Invariants: everything happens on the main thread, one thing after the other, as reloads by signal do; settings
//! made here are on top of the files' until the server ends, and only valid ones are kept.

use crate::cache;
use crate::config::listed;
use crate::run::Server;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::mpsc;
use tollgate_admin::control::{Control, ControlError, Request};
use tollgate_config::records::{Def, Entry, Kind, Range, Reload, find, nearest};
use tollgate_config::{Records, ids};
use tollgate_hook::run_void;
use tollgate_obs::metrics::{Metric, MetricKind, Metrics};
use tollgate_plugin::hooks::{Message, PluginMessage, panic_text};

pub(crate) type Reply = Result<Value, ControlError>;

/// A command on its way to the main thread.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) request: Request,
    /// `None`: nobody waits for an answer.
    reply: Option<SyncSender<Reply>>,
}

impl Command {
    /// Tells the asker.
    pub(crate) fn answer(&self, reply: Reply) {
        match (&self.reply, reply) {
            // An asker that went away needs no answer.
            (Some(asker), reply) => drop(asker.send(reply)),
            (None, Ok(_)) => {}
            (None, Err(error)) => tracing::error!("{}", error.message),
        }
    }
}

/// Commands waiting for the main thread. LIMIT: connections beyond wait.
const QUEUE: usize = 16;

/// Passes commands to the main thread.
struct ToMain(mpsc::Sender<Command>);

impl Control for ToMain {
    fn handle(&self, request: Request) -> Reply {
        let stopping = || ControlError::failed("the server is stopping");
        let (reply, answer) = sync_channel(1);
        let command = Command { request, reply: Some(reply) };
        self.0.blocking_send(command).map_err(|_| stopping())?;
        answer.recv().map_err(|_| stopping())?
    }
}

/// A control that passes commands on, how plugins have records set, and where both come out.
pub(crate) fn channel() -> (std::sync::Arc<dyn Control>, tollgate_ts::SetRecord, mpsc::Receiver<Command>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let of_plugins = sender.clone();
    let set_record = move |name: &str, value: i64| {
        let request = Request::ConfigSet { name: name.to_owned(), value: value.to_string() };
        // Plugins do not wait: when there are too many commands already, this one is refused.
        of_plugins.try_send(Command { request, reply: None }).is_ok()
    };
    (std::sync::Arc::new(ToMain(sender)), Box::new(set_record), receiver)
}

/// What was changed by commands.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Records set, in the order of setting.
    sets: Vec<(String, String)>,
    /// Whether client connections are not to be kept.
    is_draining: bool,
    /// Values of metrics when they were zeroed.
    zeros: HashMap<String, i64>,
    /// When the generation in use was taken into use, seconds since 1970.
    pub(crate) reloaded_at: i64,
    /// Records that differ in the files and wait for a restart.
    pub(crate) waiting: Vec<&'static str>,
}

impl Changes {
    /// No changes to a configuration taken into use at `reloaded_at`.
    pub(crate) fn none(reloaded_at: i64) -> Changes {
        Changes { reloaded_at, ..Changes::default() }
    }

    /// Settings on top of all others.
    pub(crate) fn sets(&self) -> Vec<(String, String)> {
        let drain = self.is_draining.then(|| (KEEP_ALIVE.to_owned(), "0".to_owned()));
        self.sets.iter().cloned().chain(drain).collect()
    }
}

/// What draining switches off.
const KEEP_ALIVE: &str = "proxy.config.http.keep_alive_enabled_in";

/// Does one command. Stopping is the caller's.
pub(crate) fn perform(server: &mut Server, request: &Request) -> Reply {
    match request {
        Request::ConfigGet { names } | Request::MetricGet { names } => get(server, names),
        Request::ConfigSet { name, value } => set(server, name, value),
        Request::ConfigMatch { regex } => config_match(server, regex),
        Request::ConfigDiff {} => Ok(rows(server, |entry| entry.value != entry.def.default_value())),
        Request::ConfigDefaults {} => Ok(rows(server, |_| true)),
        Request::ConfigDescribe { names } => describe(server, names),
        Request::ConfigReload {} => reload(server).map(|generation| json!({ "generation": generation })),
        Request::ConfigStatus {} => Ok(config_status(server)),
        Request::MetricMatch { regex } => metric_match(server, regex),
        Request::MetricZero { names } => zero(server, names),
        Request::MetricClear {} => Ok(clear(server)),
        Request::PluginList {} => Ok(plugin_list()),
        Request::PluginMsg { tag, data } => plugin_message(server, tag, data.as_deref()),
        Request::CachePurge { urls, prefixes, tags, soft } => {
            cache::purge(server, urls, prefixes, tags, *soft)
        }
        Request::CacheBan { regexes, soft } => cache::ban(server, regexes, *soft),
        Request::CacheStat {} => Ok(cache::stat(server)),
        Request::Explain { url, method, headers } => cache::explain(server, url, method.as_deref(), headers),
        Request::ServerStatus {} => Ok(server_status(server)),
        Request::ServerDrain { undo } => drain(server, !undo),
        Request::ServerStop {} => Ok(json!({})),
    }
}

fn pair(name: &str, value: impl Into<Value>) -> Value {
    json!({"name": name, "value": value.into()})
}

fn get(server: &Server, names: &[String]) -> Reply {
    let generation = server.engine().generation();
    let one = |name: &String| match generation.records().iter().find(|entry| entry.def.name == name) {
        Some(entry) => Ok(row(&entry)),
        None => metric(server, name)
            .map(|value| pair(name, value.to_string()))
            .ok_or_else(|| ControlError::failed(format!("failed to fetch {name}: {}", unknown(name)))),
    };
    names.iter().map(one).collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// A metric's value since it was zeroed.
fn metric(server: &Server, name: &str) -> Option<i64> {
    let value = server.engine().metrics().by_name(name)?;
    Some(value - server.changes.zeros.get(name).unwrap_or(&0))
}

/// Why a name is not known, with the name that may have been meant.
fn unknown(name: &str) -> String {
    match nearest(name) {
        Some(near) => format!("there is no such record; did you mean {near}?"),
        None => "there is no such record".to_owned(),
    }
}

fn regex(text: &str) -> Result<regex::Regex, ControlError> {
    regex::Regex::new(text).map_err(|error| ControlError::failed(format!("failed to fetch {text}: {error}")))
}

fn config_match(server: &Server, text: &str) -> Reply {
    let regex = regex(text)?;
    Ok(rows(server, |entry| regex.is_match(entry.def.name)))
}

/// The records that are wanted.
fn rows(server: &Server, is_wanted: impl Fn(&Entry<'_>) -> bool) -> Value {
    let generation = server.engine().generation();
    generation.records().iter().filter(|entry| is_wanted(entry)).map(|entry| row(&entry)).collect()
}

/// A record's values and type.
fn row(entry: &Entry<'_>) -> Value {
    json!({
        "name": entry.def.name, "value": entry.value.to_string(),
        "default": entry.def.default_value().to_string(), "type": type_name(entry.def.kind),
    })
}

/// The type as `records.config` names it.
fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "INT",
        Kind::Float => "FLOAT",
        Kind::Str => "STRING",
    }
}

/// Which values a record may have, in `traffic_ctl`'s words.
fn syntax(range: &Range) -> &'static str {
    match range {
        Range::Any => "none",
        Range::Between(..) => "integer with a specified range",
        _ => "string matching a list of words",
    }
}

fn metric_match(server: &Server, text: &str) -> Reply {
    let regex = regex(text)?;
    let metrics = server.engine().metrics();
    let stats = metrics.stats().into_iter().map(|stat| stat.name().to_owned());
    let names = metrics.snapshot().into_iter().map(|sample| sample.name().into_owned()).chain(stats);
    let names = names.filter(|name| regex.is_match(name));
    Ok(names.filter_map(|name| Some(pair(&name, metric(server, &name)?.to_string()))).collect())
}

fn set(server: &mut Server, name: &str, value: &str) -> Reply {
    let failed = |why: String| ControlError::failed(format!("failed to set {name}: {why}"));
    let def = find(name).ok_or_else(|| failed(unknown(name)))?.def();
    def.parse(value).map_err(|error| failed(error.to_string()))?;
    if def.reload == Reload::Restart {
        return Err(failed(
            "it takes effect only at the server's start: put it into records.yaml and restart tollgate"
                .into(),
        ));
    }
    let before = server.changes.sets.clone();
    server.changes.sets.retain(|(other, _)| other != name);
    server.changes.sets.push((name.to_owned(), value.to_owned()));
    match reload(server) {
        Ok(generation) => Ok(json!({"name": name, "generation": generation})),
        Err(error) => {
            server.changes.sets = before;
            Err(failed(error.message))
        }
    }
}

fn reload(server: &mut Server) -> Result<u64, ControlError> {
    server.reload().map_err(|problems| {
        let problems = listed(&problems);
        ControlError::failed(format!("the configuration was refused, the running one stays\n{problems}"))
    })
}

fn describe(server: &Server, names: &[String]) -> Reply {
    let generation = server.engine().generation();
    let one = |name: &String| match generation.records().iter().find(|entry| entry.def.name == name) {
        Some(entry) => Ok(description(server, &entry)),
        None => Err(ControlError::failed(format!("failed to describe {name}: {}", unknown(name)))),
    };
    names.iter().map(one).collect::<Result<Vec<_>, _>>().map(Value::from)
}

fn description(server: &Server, entry: &Entry<'_>) -> Value {
    let def: &Def = entry.def;
    let is_set = server.changes.sets().iter().any(|(name, _)| name == def.name);
    json!({
        "name": def.name, "value": entry.value.to_string(), "default": def.default_value().to_string(),
        "type": type_name(def.kind), "syntax": syntax(&def.range), "is_dynamic": def.reload == Reload::Dynamic,
        "source": if is_set { "control socket".to_owned() } else { entry.source.to_string() },
        "is_overridable": def.override_key.is_some(), "unit": def.unit, "doc": def.doc,
    })
}

fn config_status(server: &Server) -> Value {
    json!({
        "version": concat!("Tollgate ", env!("CARGO_PKG_VERSION")),
        "started_at": server.engine().metrics().total(Metric::ProcessStartTime),
        "reloaded_at": server.changes.reloaded_at,
        "generation": server.engine().generation().number(),
        "waiting_for_restart": server.changes.waiting,
    })
}

fn zero(server: &mut Server, names: &[String]) -> Reply {
    let metrics: Metrics = server.engine().metrics().clone();
    let failed = |name: &str, why: &str| ControlError::failed(format!("failed to clear {name}: {why}"));
    let mut zeros = Vec::new();
    for name in names {
        if let Some(stat) = metrics.stat(name) {
            zeros.push((name.clone(), stat.value()));
            continue;
        }
        let sample = metrics.snapshot().into_iter().find(|sample| sample.name() == name.as_str());
        let sample = sample.ok_or_else(|| failed(name, "there is no such metric"))?;
        if sample.def.kind == MetricKind::Gauge {
            return Err(failed(name, "it is a gauge: it says what is there now"));
        }
        zeros.push((name.clone(), sample.value));
    }
    server.changes.zeros.extend(zeros);
    Ok(json!({}))
}

fn clear(server: &mut Server) -> Value {
    let samples = server.engine().metrics().snapshot();
    let counters = samples.into_iter().filter(|sample| sample.def.kind != MetricKind::Gauge);
    server.changes.zeros.extend(counters.map(|sample| (sample.name().into_owned(), sample.value)));
    json!({})
}

/// What each C plugin holds, a row for each in the order of loading.
fn plugin_list() -> Value {
    let rows = tollgate_ts::account::holdings().into_iter().map(|(name, counts)| {
        let mut row = json!({ "name": name });
        for (item, count) in tollgate_ts::account::Item::ALL.iter().zip(counts) {
            row[item.name()] = json!(count);
        }
        row
    });
    rows.collect()
}

fn plugin_message(server: &Server, tag: &str, data: Option<&str>) -> Reply {
    let message = Message { tag: tag.to_owned(), data: data.unwrap_or_default().as_bytes().to_vec() };
    let generation = server.engine().generation();
    let mut handlers = 0;
    run_void(&generation.table().handlers::<PluginMessage>(), |handler| {
        handlers += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| handler.call(&message))) {
            tracing::error!("{}: panic at PLUGIN_MESSAGE: {}", handler.module(), panic_text(&*panic));
        }
    });
    Ok(json!({ "handlers": handlers }))
}

fn server_status(server: &Server) -> Value {
    let metrics = server.engine().metrics();
    let started = metrics.total(Metric::ProcessStartTime);
    json!({
        "state": if server.changes.is_draining { "draining" } else { "running" },
        "version": env!("CARGO_PKG_VERSION"),
        "generation": server.engine().generation().number(),
        "uptime_s": tollgate_event::clock::unix_seconds() - started,
        "client_connections": metrics.total(Metric::ClientConnectionsActive),
        "origin_connections": metrics.total(Metric::OriginConnectionsActive),
    })
}

fn drain(server: &mut Server, is_draining: bool) -> Reply {
    let before = std::mem::replace(&mut server.changes.is_draining, is_draining);
    if before != is_draining
        && let Err(error) = reload(server)
    {
        server.changes.is_draining = before;
        return Err(ControlError::failed(format!("server drain failed: {}", error.message)));
    }
    Ok(server_status(server))
}

/// Where the control socket is by these records; `None`: there is none. `dir` is the configuration directory.
pub(crate) fn socket_path(records: &Records, dir: &std::path::Path) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(records.str(ids::TOLLGATE_CONTROL_SOCKET));
    let is_placed = path.is_absolute() || !dir.as_os_str().is_empty();
    (!path.as_os_str().is_empty() && is_placed).then(|| dir.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ConfigOptions;
    use crate::config::Sources;
    use std::sync::{Arc, Mutex};
    use tollgate_hook::Order;
    use tollgate_plugin::{Plugin, PluginError, Registrar};
    use tollgate_proxy::PluginSet;

    /// Keeps the messages whose tag is `keep`; panics at `panic`.
    struct Keeper(Arc<Mutex<Vec<Message>>>);

    impl Plugin for Keeper {
        fn name(&self) -> &str {
            "keeper"
        }

        fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
            let kept = Arc::clone(&self.0);
            registrar.on_point::<PluginMessage>(Order::default(), move |message: &Message| {
                assert_ne!(message.tag, "panic");
                if message.tag == "keep" {
                    kept.lock().expect("lock").push(message.clone());
                }
            });
            Ok(())
        }
    }

    #[test]
    fn a_message_reaches_plugins_and_a_panic_there_does_not_end_the_server() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut plugins = PluginSet::default();
        plugins.add_plugin(Box::new(Keeper(Arc::clone(&kept))));
        let options = ConfigOptions {
            listen: vec!["127.0.0.1:0".parse().expect("address")],
            forward: true,
            threads: Some(1),
            ..ConfigOptions::default()
        };
        let mut server = Server::start(Sources::new(&options).expect("sources"), plugins).expect("start");
        for tag in ["other", "panic", "keep"] {
            let request = Request::PluginMsg { tag: tag.into(), data: Some("a\0b".into()) };
            assert_eq!(perform(&mut server, &request), Ok(json!({"handlers": 1})));
        }
        let message = Message { tag: "keep".into(), data: b"a\0b".to_vec() };
        assert_eq!(*kept.lock().expect("lock"), [message]);
        server.stop().expect("stop");
    }
}
