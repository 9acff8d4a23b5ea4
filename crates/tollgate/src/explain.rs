//! How `tollgate explain` is printed.
//!
//! Responsible for: from the JSON that the server answers with to lines for people.
//! Not responsible for: what is told (`txn/explain.rs` of the engine).

use serde_json::Value;
use std::fmt::Write;

/// The explanation as text.
pub(crate) fn text(told: &Value) -> String {
    let mut out = Lines(String::new());
    if told.get("answered_with").is_some() {
        out.line("url", &plain(&told["url"]));
        out.line("decision", &plain(&told["decision"]));
        return out.0;
    }
    out.line("url", &format!("{} {}", plain(&told["method"]), plain(&told["url"])));
    out.line("rule", &rule(&told["rule"]));
    out.line("asks for", &plain(&told["asks_for"]));
    let by = if told["key_is_set_by_plugin"] == true { " (set by a plugin)" } else { "" };
    out.line("cache key", &format!("{}{by}", plain(&told["key"])));
    out.line("bans compare", &plain(&told["key_url"]));
    out.line("looked up", &yes_or(told, "looks_up", "skips_because"));
    out.line(
        "may be stored",
        if told["may_be_stored"] == true { "as far as the request goes" } else { "no" },
    );
    let demands = demands(&told["request"]);
    if !demands.is_empty() {
        out.line("demands", &demands);
    }
    if told["is_being_fetched"] == true {
        out.line("fetch", "under way");
    }
    if let Some(reason) = told["not_shared"]["reason"].as_str() {
        let left = &told["not_shared"]["remembered_for_s"];
        out.line("not stored", &format!("the last response: {reason} (remembered for another {left} s)"));
    }
    let alternates = told["alternates"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stored = match alternates.len() {
        0 => "nothing".to_owned(),
        1 => "1 alternate".to_owned(),
        n => format!("{n} alternates"),
    };
    let tier = if told["disk"].is_null() { "" } else { " in memory" };
    out.line("stored", &format!("{stored}{tier}"));
    for (number, alternate) in alternates.iter().enumerate() {
        out.alternate(number + 1, alternate);
    }
    out.disk(&told["disk"]);
    out.line("decision", &plain(&told["decision"]));
    out.0
}

struct Lines(String);

impl Lines {
    fn line(&mut self, label: &str, value: &str) {
        let written = writeln!(self.0, "{label:<14}{value}");
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    }

    fn disk(&mut self, told: &Value) {
        if let Some(why) = told["error"].as_str() {
            self.line("on disk", &format!("unknown: {why}"));
        }
        let Some(alternates) = told["alternates"].as_array() else { return };
        let stored = match alternates.len() {
            0 => "nothing".to_owned(),
            1 => "1 alternate".to_owned(),
            n => format!("{n} alternates"),
        };
        let volume = match told["volume"].as_u64() {
            Some(0) | None => String::new(),
            Some(number) => format!(", volume {number}"),
        };
        self.line("on disk", &format!("{stored} in stripe {}{volume}", plain(&told["stripe"])));
        for (number, alternate) in alternates.iter().enumerate() {
            self.alternate(number + 1, alternate);
            self.line("    place", &place(&alternate["place"]));
            if alternate["is_complete"] == false {
                self.line("", "part of a body");
            }
            if alternate["is_purged"] == true {
                self.line("", "purged: not found any more");
            }
        }
    }

    fn alternate(&mut self, number: usize, told: &Value) {
        let which = match (told["is_chosen"] == true, told["matches"] == true) {
            (true, _) => "chosen",
            (false, true) => "matches",
            (false, false) => "does not match",
        };
        let (status, bytes) = (&told["status"], &told["body_bytes"]);
        self.line(&format!("  {number}"), &format!("{which}: status {status}, body of {bytes} bytes"));
        for (name, value) in told["selected_by"].as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| "absent".to_owned(), |value| format!("{value:?}"));
            self.line("", &format!("for requests with {name} {value}"));
        }
        self.line("    age", &age(told));
        self.line("    lifetime", &lifetime(told));
        self.line("    verdict", &verdict(&told["freshness"]));
        if let Some(at) = told["purged_softly_at"].as_i64() {
            self.line("", &format!("stale since a soft purge at {at}"));
        }
    }
}

fn place(place: &Value) -> String {
    let fragments = place["fragments"].as_array().map_or(&[][..], Vec::as_slice);
    let body = match fragments {
        [] => "with its body".to_owned(),
        [only] => format!("its body in a fragment at {only}"),
        [first, .., last] => format!("its body in {} fragments, from {first} to {last}", fragments.len()),
    };
    let buffered = if place["is_buffered"] == true { " (waiting to be written)" } else { "" };
    format!(
        "byte {}{buffered}, {body}; overwritten after another {} bytes",
        place["offset"], place["overwritten_after_bytes"]
    )
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rule(rule: &Value) -> String {
    if rule.is_null() {
        return "none".to_owned();
    }
    let plugins = rule["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let plugins: String = plugins.iter().map(|plugin| format!(" @plugin={}", plain(plugin))).collect();
    let (file, line) = (plain(&rule["file"]), &rule["line"]);
    format!("{file}:{line} {} {}{plugins}", plain(&rule["from"]), plain(&rule["to"]))
}

fn yes_or(told: &Value, is: &str, why: &str) -> String {
    match (told[is] == true, told[why].as_str()) {
        (true, _) => "yes".to_owned(),
        (false, Some(reason)) => format!("no: {reason}"),
        (false, None) => "no".to_owned(),
    }
}

fn demands(request: &Value) -> String {
    let all = request.as_object().into_iter().flatten();
    let told = all.filter_map(|(name, value)| match value {
        Value::Bool(true) => Some(name.clone()),
        Value::Number(number) => Some(format!("{name}={number}")),
        _ => None,
    });
    told.collect::<Vec<_>>().join(" ")
}

/// The sum, as RFC 9111 §4.2.3 has it.
fn age(told: &Value) -> String {
    let age = &told["age"];
    format!(
        "{} s = max(apparent {}, Age {} + delay {}) + resident {}",
        told["freshness"]["age_s"],
        age["apparent_s"],
        age["age_value_s"],
        age["response_delay_s"],
        age["resident_s"]
    )
}

fn lifetime(told: &Value) -> String {
    let (lifetime, seconds) = (&told["lifetime"], &told["freshness"]["lifetime_s"]);
    let given = [
        ("s_maxage_s", "s-maxage"),
        ("max_age_s", "max-age"),
        ("expires_after_s", "Expires - Date"),
        ("stale_while_revalidate_s", "stale-while-revalidate"),
        ("stale_if_error_s", "stale-if-error"),
    ];
    let given =
        given.iter().filter_map(|(name, label)| lifetime[*name].as_i64().map(|n| format!("{label} {n}")));
    let given: Vec<String> = given.collect();
    let given = if given.is_empty() { "nothing".to_owned() } else { given.join(", ") };
    format!("{seconds} s by {}; given: {given}", plain(&lifetime["source"]))
}

fn verdict(freshness: &Value) -> String {
    let (ttl, reason) = (freshness["ttl_s"].as_i64().unwrap_or(0), plain(&freshness["reason"]));
    if freshness["is_fresh"] == true {
        return format!("fresh for another {ttl} s ({reason})");
    }
    let stale = &freshness["stale"];
    let allowed = [
        ("client_accepts", "by max-stale"),
        ("while_revalidate", "while it is revalidated"),
        ("if_error", "if the origin fails"),
        ("if_unreachable", "if the origin cannot be reached"),
    ];
    let allowed = allowed.iter().filter(|(name, _)| stale[*name] == true).map(|(_, text)| *text);
    let allowed: Vec<&str> = allowed.collect();
    let allowed =
        if allowed.is_empty() { "not served".to_owned() } else { format!("served {}", allowed.join(", ")) };
    format!("stale by {} s ({reason}); {allowed}", stale["by_s"])
}
