//! `tollgate cache` and `tollgate explain`, the server's side, and how the results of the former are printed.
//!
//! Responsible for: from commands to requests that an event thread does, or to purges; what is told of them.
//! Not responsible for: transport (`ctl.rs`, `tollgate-admin`), what a purge does (`tollgate-cache`).
//! Invariants: a URL is purged and explained under the key that a client's request for it has: rules and plugins see
//! it; nothing of a command is done if a part of it cannot be right.

use crate::control::Reply;
use crate::run::Server;
use serde_json::{Value, json};
use std::time::Duration;
use tollgate_admin::control::ControlError;
use tollgate_cache::purge::Purge;
use tollgate_cache::{Effect, Target};
use tollgate_http::{Method, Request, Url};
use tollgate_proxy::{Answer, Purpose};

/// LIMIT: how long an event thread may take to answer; a plugin may be in its way.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// LIMIT: purges listed by `stat`.
const LISTED: usize = 100;

/// Purges URLs, beginnings of URLs and tags.
pub(crate) fn purge(
    server: &Server,
    urls: &[String],
    prefixes: &[String],
    tags: &[String],
    soft: bool,
) -> Reply {
    if urls.is_empty() && prefixes.is_empty() && tags.is_empty() {
        return Err(ControlError::failed("nothing to purge: name a URL, a prefix or a tag"));
    }
    let urls = requests(urls, soft, "")?;
    let prefixes = requests(prefixes, soft, "*")?;
    if tags.iter().any(String::is_empty) {
        return Err(ControlError::failed("a tag is empty"));
    }
    let mut done = Vec::new();
    for (url, request) in urls {
        let was_stored = purged(server, &url, request)?;
        done.push(json!({"url": url, "was_stored": was_stored}));
    }
    for (prefix, request) in prefixes {
        purged(server, &prefix, request)?;
        done.push(json!({ "prefix": prefix }));
    }
    for tag in tags {
        add(server, Target::Tag(tag.as_bytes().into()), soft)?;
        done.push(json!({ "tag": tag }));
    }
    Ok(done.into())
}

/// Purges what matches.
pub(crate) fn ban(server: &Server, regexes: &[String], soft: bool) -> Reply {
    let mut done = Vec::new();
    for regex in regexes {
        add(server, Target::Regex(regex.as_str().into()), soft)?;
        done.push(json!({ "regex": regex }));
    }
    Ok(done.into())
}

fn add(server: &Server, target: Target, soft: bool) -> Result<(), ControlError> {
    let effect = if soft { Effect::Soft } else { Effect::Hard };
    server.engine().purge(target, effect).map_err(|error| ControlError::failed(error.to_string()))
}

/// PURGE requests for these URLs followed by `end`.
fn requests(urls: &[String], soft: bool, end: &str) -> Result<Vec<(String, Request)>, ControlError> {
    let request = |url: &String| {
        let mut request = Request::new(Method::Purge, absolute(&format!("{url}{end}"))?);
        if soft {
            request.headers.append("Soft-Purge", "1");
        }
        Ok((url.clone(), request))
    };
    urls.iter().map(request).collect()
}

fn absolute(text: &str) -> Result<Url, ControlError> {
    let wrong = |why: String| ControlError::failed(format!("{text}: {why}"));
    if !text.contains("://") {
        return Err(wrong("a URL is wanted that begins with http:// or https:// and a host".into()));
    }
    text.parse().map_err(|error| wrong(format!("{error}")))
}

/// Has a PURGE done; whether anything was stored.
fn purged(server: &Server, url: &str, request: Request) -> Result<bool, ControlError> {
    let answer = ask(server, request, Purpose::Do)?;
    match (answer.response.status, answer.body.is_empty()) {
        (200, _) => Ok(true),
        (404, true) => Ok(false),
        (404, false) => Err(ControlError::failed(format!("{url}: no remap rule matches"))),
        (status, _) => {
            Err(ControlError::failed(format!("{url}: not purged, the request was answered with {status}")))
        }
    }
}

fn ask(server: &Server, request: Request, purpose: Purpose) -> Result<Answer, ControlError> {
    let failed = |error| ControlError::failed(format!("no answer from the event threads: {error}"));
    server.engine().ask(request, purpose).recv_timeout(ANSWER_TIME).map_err(failed)
}

/// Numbers about the cache, and the purges that are remembered.
pub(crate) fn stat(server: &Server) -> Value {
    let (store, purges) = server.engine().cache_stats();
    let remembered = server.engine().remembered_purges();
    let mut stat = json!({
        "objects": store.objects, "bytes": store.bytes, "budget_bytes": server.engine().cache_budget(),
        "inserts": store.inserts, "evictions": store.evictions, "refusals": store.refusals,
        "purged_objects": store.purged, "purges": purges.newest, "bans": purges.bans, "tags": purges.tags,
        "forgotten": purges.forgotten, "overflows": purges.overflows,
        "remembered": remembered.iter().rev().take(LISTED).map(row).collect::<Vec<_>>(),
    });
    if let Some(disk) = server.engine().disk_stats() {
        for (name, number) in [
            ("disk_objects", disk.documents),
            ("disk_bytes", disk.log_bytes),
            ("disk_index_bytes", disk.index_bytes),
            ("disk_written", disk.documents_written),
            ("disk_bytes_written", disk.bytes_written),
            ("disk_bytes_read", disk.bytes_read),
            ("disk_read_errors", disk.read_errors),
            ("disk_write_errors", disk.write_errors),
            ("disk_corrupt", disk.corrupt),
            ("disk_backlog_refusals", disk.backlog_refusals),
            ("disk_evacuated", disk.evacuated),
            ("disk_bytes_evacuated", disk.evacuated_bytes),
            ("disk_stripes", disk.stripes),
            ("disk_stripes_offline", disk.offline),
        ] {
            stat[name] = number.into();
        }
    }
    stat
}

fn row(purge: &Purge) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (kind, what) = match &purge.target {
        Target::Key(key) => ("key", tollgate_cache::CacheKey::bytes_to_text(key)),
        Target::Prefix(key) => ("prefix", tollgate_cache::CacheKey::bytes_to_text(key)),
        Target::Regex(regex) => ("regex", regex.to_string()),
        Target::Tag(name) => ("tag", text(name)),
        Target::Group { name, .. } => ("group", text(name)),
        Target::Everything => ("everything", String::new()),
    };
    let effect = if purge.effect == Effect::Soft { "soft" } else { "hard" };
    json!({"number": purge.number, "at": purge.at, "effect": effect, "kind": kind, "what": what})
}

/// What would be done for a request.
pub(crate) fn explain(server: &Server, url: &str, method: Option<&str>, headers: &[String]) -> Reply {
    let method = method.unwrap_or("GET");
    if !tollgate_http::names::is_token(method.as_bytes()) {
        return Err(ControlError::failed(format!("{method:?} is not a method")));
    }
    let mut request = Request::new(Method::from_token(method), absolute(url)?);
    for line in headers {
        let wrong = |why: &str| ControlError::failed(format!("{line:?}: {why}"));
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a field is written Name: value"))?;
        let added = request.headers.try_append(name.as_bytes(), value.trim().as_bytes());
        added.map_err(|error| wrong(&error.to_string()))?;
    }
    let answer = ask(server, request, Purpose::Explain)?;
    let told =
        serde_json::from_slice::<Value>(&answer.body).ok().filter(|told| told.get("decision").is_some());
    // A rule, a filter or a plugin answers before the cache is asked.
    Ok(told.unwrap_or_else(|| {
        json!({
            "url": url, "answered_with": answer.response.status,
            "decision": format!("answers {} before the cache is looked up", answer.response.status),
            "body": String::from_utf8_lossy(&answer.body),
        })
    }))
}

/// How results are printed.
pub(crate) fn text(result: &Value) -> String {
    match result {
        Value::Array(rows) => rows.iter().map(purge_line).collect(),
        Value::Object(stat) => stat.iter().map(|(name, value)| stat_lines(name, value)).collect(),
        other => format!("{other}\n"),
    }
}

fn purge_line(row: &Value) -> String {
    let of = |name: &str| row[name].as_str();
    match (of("url"), of("prefix"), of("tag"), of("regex")) {
        (Some(url), ..) if row["was_stored"] == true => format!("purged {url}\n"),
        (Some(url), ..) => format!("not stored {url}\n"),
        (_, Some(prefix), ..) => format!("purged all that begins with {prefix}\n"),
        (_, _, Some(tag), _) => format!("purged all that has the tag {tag}\n"),
        (_, _, _, Some(regex)) => format!("purged all that matches {regex}\n"),
        _ => format!("{row}\n"),
    }
}

fn stat_lines(name: &str, value: &Value) -> String {
    let Some(rows) = value.as_array() else { return format!("{name} {value}\n") };
    let line = |row: &Value| {
        let of = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        format!("purge {} {} {} {}\n", row["number"], of("effect"), of("kind"), of("what"))
    };
    rows.iter().map(line).collect()
}
