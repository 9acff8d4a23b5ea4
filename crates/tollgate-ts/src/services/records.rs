//! Records: the server's as plugins read them, and those that plugins make.
//!
//! Responsible for: made records, whose values are the plugin's defaults unless the records file has others; who is
//! told of a new configuration.
//! Not responsible for: the server's records and their values ([`Host`]), telling.
//! Invariants: a record of the server is never replaced by a plugin; a made record keeps its first default.

use super::host::{Host, RecordSource, RecordValue};
use parking_lot::RwLock;
use std::sync::Arc;

/// LIMIT: records that plugins make.
const MOST_RECORDS: usize = 2000;

/// `TSRecordType` of configuration.
pub const CONFIG: i32 = 1;
/// `TSRecordType` of metrics.
pub const PROCESS: i32 = 2;
/// `TSRecordType` of plugins' statistics.
pub const PLUGIN: i32 = 32;
/// The types that a made record may have: configuration, metric, node, local, plugin.
const TYPES: [i32; 5] = [CONFIG, PROCESS, 4, 16, PLUGIN];

struct Made {
    name: String,
    kind: i32,
    value: RecordValue,
    source: RecordSource,
}

/// Who is told of a new configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name it registered with.
    pub name: String,
    /// Its continuation.
    pub continuation: u64,
}

/// Records as plugins see them.
pub struct Records {
    host: Arc<dyn Host>,
    made: RwLock<Vec<Made>>,
    listeners: RwLock<Vec<Listener>>,
}

impl Records {
    pub(super) fn new(host: Arc<dyn Host>) -> Records {
        Records { host, made: RwLock::new(Vec::new()), listeners: RwLock::new(Vec::new()) }
    }

    /// A record's value and where it came from.
    pub fn get(&self, name: &str) -> Option<(RecordValue, RecordSource)> {
        let made = self.made.read().iter().find(|m| m.name == name).map(|m| (m.value.clone(), m.source));
        made.or_else(|| self.host.record(name))
    }

    /// Where a record's value came from; known as well for what the records file says of records not made yet.
    pub fn source(&self, name: &str) -> Option<RecordSource> {
        let given = || self.host.given(name).map(|_| RecordSource::Explicit);
        self.get(name).map(|(_, source)| source).or_else(given)
    }

    /// Makes a record, unless there is one of that name; whether there is one of that type then.
    pub fn create(&self, kind: i32, name: &str, default: RecordValue) -> bool {
        if !TYPES.contains(&kind) || name.is_empty() {
            return false;
        }
        if let Some((value, _)) = self.get(name) {
            return value.data_type() == default.data_type();
        }
        let given = self.host.given(name).and_then(|value| convert(&default, value));
        let source = if given.is_some() { RecordSource::Explicit } else { RecordSource::Plugin };
        let mut made = self.made.write();
        let fits = made.len() < MOST_RECORDS;
        if fits && !made.iter().any(|m| m.name == name) {
            made.push(Made { name: name.to_owned(), kind, value: given.unwrap_or(default), source });
        }
        fits
    }

    /// Sets an integer record; whether that worked.
    pub fn set_int(&self, name: &str, to: i64) -> bool {
        match self.made.write().iter_mut().find(|m| m.name == name) {
            Some(Made { value: RecordValue::Int(value), source, .. }) => {
                (*value, *source) = (to, RecordSource::Explicit);
                true
            }
            Some(_) => false,
            None => self.host.set_record(name, to),
        }
    }

    /// Reads the records file's values of made records again. Called when there is a new configuration.
    pub fn reread(&self) {
        for made in self.made.write().iter_mut() {
            if let Some(value) = self.host.given(&made.name).and_then(|value| convert(&made.value, value)) {
                (made.value, made.source) = (value, RecordSource::Explicit);
            }
        }
    }

    /// Calls for each record that a plugin made, with its `TSRecordType`.
    pub fn each_made(&self, visit: &mut dyn FnMut(i32, &str, &RecordValue)) {
        let all: Vec<_> =
            self.made.read().iter().map(|m| (m.kind, m.name.clone(), m.value.clone())).collect();
        for (kind, name, value) in all {
            visit(kind, &name, &value);
        }
    }

    /// Has a continuation told of new configurations. A name counts once.
    pub fn listen(&self, continuation: u64, name: &str) {
        let mut listeners = self.listeners.write();
        if !listeners.iter().any(|l| l.name == name) {
            listeners.push(Listener { name: name.to_owned(), continuation });
        }
    }

    /// Ends telling a continuation. Called when it is destroyed.
    pub fn forget(&self, continuation: u64) {
        self.listeners.write().retain(|l| l.continuation != continuation);
    }

    /// Who is told of a new configuration.
    pub fn listeners(&self) -> Vec<Listener> {
        self.listeners.read().clone()
    }
}

/// A value of the records file as one of the type that `like` has.
fn convert(like: &RecordValue, value: RecordValue) -> Option<RecordValue> {
    if like.data_type() == value.data_type() {
        return Some(value);
    }
    let text = match value {
        RecordValue::Int(number) | RecordValue::Counter(number) => number.to_string(),
        RecordValue::Float(number) => number.to_string(),
        RecordValue::Text(text) => text?,
    };
    match like {
        RecordValue::Int(_) => Some(RecordValue::Int(text.trim().parse().ok()?)),
        RecordValue::Counter(_) => Some(RecordValue::Counter(text.trim().parse().ok()?)),
        RecordValue::Float(_) => Some(RecordValue::Float(text.trim().parse().ok()?)),
        RecordValue::Text(_) => Some(RecordValue::Text(Some(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Nobody;
    use super::*;

    fn records() -> Records {
        Records::new(Arc::new(Nobody::default()))
    }

    #[test]
    fn a_made_record_keeps_its_first_default() {
        let records = records();
        assert!(records.create(CONFIG, "a", RecordValue::Int(1)));
        assert!(records.create(CONFIG, "a", RecordValue::Int(2)));
        assert!(!records.create(CONFIG, "a", RecordValue::Text(None)));
        assert_eq!(records.get("a"), Some((RecordValue::Int(1), RecordSource::Plugin)));
        assert!(
            !records.create(7, "b", RecordValue::Int(1)) && !records.create(CONFIG, "", RecordValue::Int(1))
        );
        assert!(records.set_int("a", 5) && !records.set_int("none", 5));
        assert_eq!(records.get("a"), Some((RecordValue::Int(5), RecordSource::Explicit)));
    }

    #[test]
    fn values_of_the_file_become_those_of_the_defaults_type() {
        let text = |text: &str| RecordValue::Text(Some(text.to_owned()));
        assert_eq!(convert(&RecordValue::Int(0), text(" 7 ")), Some(RecordValue::Int(7)));
        assert_eq!(convert(&RecordValue::Int(0), text("seven")), None);
        assert_eq!(convert(&RecordValue::Float(0.0), RecordValue::Int(5)), Some(RecordValue::Float(5.0)));
        assert_eq!(convert(&text(""), RecordValue::Int(5)), Some(text("5")));
        assert_eq!(convert(&text(""), RecordValue::Text(None)), Some(RecordValue::Text(None)));
    }

    #[test]
    fn a_listeners_name_counts_once() {
        let records = records();
        records.listen(1, "a");
        records.listen(2, "a");
        records.listen(3, "b");
        let told: Vec<_> = records.listeners().into_iter().map(|l| l.continuation).collect();
        assert_eq!(told, [1, 3]);
        records.forget(1);
        assert_eq!(records.listeners().len(), 1);
    }
}
