//! Metrics as text: Prometheus' exposition format and a JSON listing.
//!
//! Responsible for: valid output of both. Not responsible for: values, transport.
//! Invariants: one HELP and TYPE per Prometheus name, before its samples; every value is an integer.

use std::fmt::Write;
use std::sync::Arc;

use super::{Metrics, Sample, Stat};

const STAT_HELP: &str = "Made by a plugin.";

impl Metrics {
    /// The content type of [`Metrics::prometheus`]' text.
    pub const PROMETHEUS_CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// All metrics in Prometheus' text exposition format (version 0.0.4).
    pub fn prometheus(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        let mut current = "";
        let mut name = String::new();
        for sample in self.snapshot() {
            if sample.def.name != current {
                current = sample.def.name;
                name = sample.def.prometheus_name();
                push_head(&mut out, &name, &sample);
            }
            push_sample(&mut out, &name, &sample);
        }
        push_stats(&mut out, self.stats());
        out
    }

    /// All metrics as a JSON array of objects with `name`, `prometheus`, `kind`, `unit`, `help` and `value`.
    pub fn json(&self) -> String {
        let mut rows: Vec<_> = self.snapshot().iter().map(json_row).collect();
        rows.extend(self.stats().iter().map(|stat| stat_row(stat)));
        serde_json::Value::Array(rows).to_string()
    }
}

fn json_row(sample: &Sample) -> serde_json::Value {
    serde_json::json!({
        "name": sample.name(),
        "prometheus": sample.def.prometheus_name(),
        "kind": sample.def.kind.token(),
        "unit": sample.def.unit.token(),
        "help": sample.def.help,
        "value": sample.value,
    })
}

fn stat_row(stat: &Stat) -> serde_json::Value {
    serde_json::json!({
        "name": stat.name(),
        "prometheus": stat.prometheus_name(),
        "kind": "gauge",
        "unit": "count",
        "help": STAT_HELP,
        "value": stat.value(),
    })
}

/// Appends the statistics of plugins: those whose names become the same one stand together, told apart by a label.
fn push_stats(out: &mut String, stats: Vec<Arc<Stat>>) {
    let mut named: Vec<_> = stats.into_iter().map(|stat| (stat.prometheus_name(), stat)).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let mut current = "";
    for (name, stat) in &named {
        if name != current {
            current = name;
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {STAT_HELP}\n# TYPE {name} gauge");
        }
        let _ = write!(out, "{name}{{stat=\"");
        push_escaped(out, stat.name(), Escape::LabelValue);
        let _ = writeln!(out, "\"}} {}", stat.value());
    }
}

fn push_head(out: &mut String, name: &str, sample: &Sample) {
    out.push_str("# HELP ");
    out.push_str(name);
    out.push(' ');
    push_escaped(out, sample.def.help, Escape::Help);
    out.push_str("\n# TYPE ");
    out.push_str(name);
    out.push(' ');
    out.push_str(sample.def.kind.token());
    out.push('\n');
}

fn push_sample(out: &mut String, name: &str, sample: &Sample) {
    out.push_str(name);
    if let Some((label, value)) = sample.label {
        out.push('{');
        out.push_str(label);
        out.push_str("=\"");
        push_escaped(out, value, Escape::LabelValue);
        out.push_str("\"}");
    }
    // Writing to a String cannot fail.
    let _ = writeln!(out, " {}", sample.value);
}

#[derive(Clone, Copy, PartialEq)]
enum Escape {
    Help,
    LabelValue,
}

fn push_escaped(out: &mut String, text: &str, how: Escape) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if how == Escape::LabelValue => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Escape, push_escaped};

    #[test]
    fn label_values_escape_quotes_and_help_does_not() {
        let escaped = |how| {
            let mut out = String::new();
            push_escaped(&mut out, "a\\b\"c\nd", how);
            out
        };
        assert_eq!(escaped(Escape::LabelValue), "a\\\\b\\\"c\\nd");
        assert_eq!(escaped(Escape::Help), "a\\\\b\"c\\nd");
    }
}
