//! Reads the metrics of a running proxy from its admin listener.
//!
//! Responsible for: one `GET /metrics.json`, and comparing values with demands.
//! Not responsible for: polling (see [`Stage::poll`](crate::stage::Stage::poll)).

use crate::matcher::Matcher;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Part of a metric's name that scenarios may leave out.
const PREFIX: &str = "proxy.process.";

/// Metric values by name.
pub type Values = BTreeMap<String, String>;

/// Fetches all metrics.
pub fn fetch(admin: SocketAddr) -> Result<Values, String> {
    fetch_from(admin, "/metrics.json")
}

/// Fetches all metrics from this path.
pub fn fetch_from(admin: SocketAddr, path: &str) -> Result<Values, String> {
    let mut stream = TcpStream::connect_timeout(&admin, Duration::from_secs(2)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).map_err(|e| e.to_string())?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no HTTP answer from the admin listener")?;
    match head.split(' ').nth(1) {
        Some("200") => parse(body),
        _ => Err(format!("the admin listener says {}", head.lines().next().unwrap_or_default())),
    }
}

/// Values from the JSON: an array of objects with `name` and `value`, or one object of name to value, or that in
/// Traffic Server's member `global`.
fn parse(json: &str) -> Result<Values, String> {
    let json: serde_json::Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let mut values = Values::new();
    if let Some(rows) = json.as_array() {
        for row in rows {
            if let (Some(name), Some(value)) = (row["name"].as_str(), row.get("value")) {
                values.insert(name.to_owned(), value.to_string());
            }
        }
    } else if let Some(map) = json.get("global").unwrap_or(&json).as_object() {
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        values.extend(map.iter().map(|(name, value)| (name.clone(), text(value))));
    }
    Ok(values)
}

/// The first demand that the values do not meet, as (expected, got). Names may omit `proxy.process.`.
pub fn unmet(values: &Values, demands: &BTreeMap<String, Matcher>) -> Result<(), (String, String)> {
    for (name, demand) in demands {
        let value = values.get(name).or_else(|| values.get(&format!("{PREFIX}{name}")));
        match value {
            Some(value) if demand.accepts(value.as_bytes(), &|t| t.to_owned()) => {}
            Some(value) => return Err((format!("metric {name}: {demand}"), value.clone())),
            None => return Err((format!("metric {name}: {demand}"), "no such metric".to_owned())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_omit_the_prefix_and_unknown_ones_are_unmet() {
        let values = parse(r#"[{"name":"proxy.process.http.a","value":3}]"#).unwrap();
        let demand = |name: &str, n: &str| BTreeMap::from([(name.to_owned(), Matcher::Exact(n.to_owned()))]);
        assert_eq!(unmet(&values, &demand("http.a", "3")), Ok(()));
        assert!(unmet(&values, &demand("proxy.process.http.a", "4")).is_err());
        assert_eq!(unmet(&values, &demand("http.b", "0")).unwrap_err().1, "no such metric");
    }
}
