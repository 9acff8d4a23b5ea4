//! `tollgate show`: the tables the server consists of.

use crate::cli::{ShowOptions, Shown};
use crate::config::{Sources, listed};
use anyhow::anyhow;
use serde_json::{Value, json};
use tollgate_config::Records;
use tollgate_hook::HookDescription;
use tollgate_obs::metrics::{Metric, Metrics};
use tollgate_proxy::{Engine, PluginSet};

/// Prints one table.
pub(crate) fn run(options: &ShowOptions, plugins: PluginSet) -> anyhow::Result<()> {
    match options.what {
        Shown::Metrics => show_metrics(options.json),
        Shown::Plugins => show_plugins(&plugins, options.json),
        Shown::TsSymbols => show_ts_symbols(options.json),
        Shown::Records => {
            let records = records(options)?;
            show_records(&records, options.json);
        }
        Shown::Hooks => show_hooks(options, plugins)?,
    }
    Ok(())
}

/// The configuration that the options name; without any, the defaults.
fn sources(options: &ShowOptions) -> anyhow::Result<Sources> {
    let mut config = options.config.clone();
    config.forward |= config.config.is_none() && config.map.is_empty();
    Sources::new(&config)
}

fn records(options: &ShowOptions) -> anyhow::Result<std::sync::Arc<Records>> {
    let (generation, _) = sources(options)?.load().map_err(|problems| anyhow!("{}", listed(&problems)))?;
    Ok(generation.records)
}

fn show_records(records: &Records, as_json: bool) {
    if as_json {
        let list: Vec<Value> = records
            .iter()
            .map(|e| {
                json!({
                    "name": e.def.name, "value": e.value.to_string(), "default": e.def.default_value().to_string(),
                    "source": e.source.to_string(), "overridable": e.def.override_key.is_some(),
                    "reload": format!("{:?}", e.def.reload).to_lowercase(), "unit": e.def.unit, "doc": e.def.doc,
                })
            })
            .collect();
        println!("{:#}", Value::Array(list));
        return;
    }
    for entry in records.iter() {
        println!("{} = {} ({})\n    {}", entry.def.name, entry.value, entry.source, entry.def.doc);
    }
}

fn show_metrics(as_json: bool) {
    if as_json {
        println!("{}", Metrics::new().json());
        return;
    }
    for metric in Metric::ALL {
        let def = metric.def();
        println!("{} {:?}\n    {}", def.name, def.kind, def.help);
    }
}

fn show_ts_symbols(as_json: bool) {
    let symbols = tollgate_ts::SYMBOLS.iter();
    if as_json {
        let list: Vec<Value> = symbols
            .map(|s| json!({"name": s.name, "state": s.state.as_str(), "group": s.group, "tier": s.tier}))
            .collect();
        println!("{:#}", Value::Array(list));
        return;
    }
    for symbol in symbols {
        println!("{} {} ({})", symbol.name, symbol.state.as_str(), symbol.group);
    }
}

fn show_plugins(plugins: &PluginSet, as_json: bool) {
    if as_json {
        let list: Vec<Value> =
            plugins.factories().into_iter().map(|(name, doc)| json!({"name": name, "doc": doc})).collect();
        println!("{:#}", Value::Array(list));
        return;
    }
    for (name, doc) in plugins.factories() {
        println!("{name}\n    {doc}");
    }
}

fn show_hooks(options: &ShowOptions, plugins: PluginSet) -> anyhow::Result<()> {
    let sources = sources(options)?;
    let (generation, _) = sources.load().map_err(|problems| anyhow!("{}", listed(&problems)))?;
    let engine = Engine::new(sources.parts(&generation), plugins, Default::default(), None, Metrics::new())
        .map_err(|problems| anyhow!("{}", listed(&problems)))?;
    let generation = engine.generation();
    if options.json {
        println!("{}", hooks_json(generation.hook_descriptions()));
        return Ok(());
    }
    for hook in generation.hook_descriptions() {
        println!("{hook}");
    }
    Ok(())
}

/// The hook points as JSON.
pub(crate) fn hooks_json(hooks: &[HookDescription]) -> String {
    serde_json::to_string_pretty(hooks)
        .unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string())
}
