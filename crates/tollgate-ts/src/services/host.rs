//! The server, as far as these services need it.

use super::user_args::{ArgKind, ArgStore};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tollgate_config::records::{Source, Value};
use tollgate_obs::metrics::Metrics;

/// A record's value.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordValue {
    /// An integer.
    Int(i64),
    /// A count.
    Counter(i64),
    /// A floating point number.
    Float(f32),
    /// A text, or none.
    Text(Option<String>),
}

impl RecordValue {
    /// `TSRecordDataType`.
    pub const fn data_type(&self) -> i32 {
        match self {
            RecordValue::Int(_) => 1,
            RecordValue::Float(_) => 2,
            RecordValue::Text(_) => 3,
            RecordValue::Counter(_) => 4,
        }
    }

    /// A record of the server: an empty text that nobody has set is none.
    pub fn of(value: Value, source: &Source) -> RecordValue {
        match value {
            Value::Int(value) => RecordValue::Int(value),
            Value::Float(value) => RecordValue::Float(value as f32),
            Value::Str(text) => {
                let is_set = !text.is_empty() || *source != Source::Default;
                RecordValue::Text(is_set.then(|| text.to_string()))
            }
        }
    }
}

/// `TSMgmtSource`: where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum RecordSource {
    /// Nowhere.
    Null = 0,
    /// The server's default.
    Default = 1,
    /// The default of the plugin that made the record.
    Plugin = 2,
    /// A file, or the control socket.
    Explicit = 3,
    /// The environment.
    Environment = 4,
}

impl From<&Source> for RecordSource {
    fn from(source: &Source) -> RecordSource {
        match source {
            Source::Default => RecordSource::Default,
            Source::Environment => RecordSource::Environment,
            Source::File { .. } | Source::CommandLine => RecordSource::Explicit,
        }
    }
}

/// Where the server keeps things.
#[derive(Clone, Debug, Default)]
pub struct Directories {
    /// The prefix of the installation.
    pub install: PathBuf,
    /// Configuration files.
    pub config: PathBuf,
    /// Sockets and what is kept while it runs.
    pub runtime: PathBuf,
    /// Plugins.
    pub plugins: PathBuf,
    /// Logs.
    pub logs: PathBuf,
}

/// What the server does for plugins outside of transactions. Called on any thread.
pub trait Host: Send + Sync {
    /// A record of the configuration, as the current generation has it.
    fn record(&self, name: &str) -> Option<(RecordValue, RecordSource)>;
    /// Calls for each record of the configuration.
    fn each_record(&self, visit: &mut dyn FnMut(&str, &RecordValue));
    /// What the records file says of a name that is no record of the server: the value of a plugin's own.
    fn given(&self, name: &str) -> Option<RecordValue>;
    /// Sets an integer record; whether that worked.
    fn set_record(&self, name: &str, value: i64) -> bool;
    /// Has `file` watched: when it changes, `parent` is loaded anew. Whether that worked.
    fn watch(&self, parent: &str, file: &str) -> bool;
    /// The server's metrics; plugins' statistics are added to them.
    fn metrics(&self) -> Metrics;
    /// Where things are; asked for once.
    fn directories(&self) -> Directories;
    /// The user arguments of a transaction, session or connection, by its handle.
    fn args_of(&self, object: u64) -> Option<(ArgKind, Arc<ArgStore>)>;
    /// Runs something on another thread when that time has passed.
    fn later(&self, delay: Duration, work: Box<dyn FnOnce() + Send>);

    /// Whether a name or an address is this machine's.
    fn is_self(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Nanoseconds since 1970.
    fn now_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// A server that has nothing.
#[derive(Default)]
pub(super) struct Nobody {
    metrics: Metrics,
}

impl Host for Nobody {
    fn record(&self, _: &str) -> Option<(RecordValue, RecordSource)> {
        None
    }

    fn each_record(&self, _: &mut dyn FnMut(&str, &RecordValue)) {}

    fn given(&self, _: &str) -> Option<RecordValue> {
        None
    }

    fn set_record(&self, _: &str, _: i64) -> bool {
        false
    }

    fn watch(&self, _: &str, _: &str) -> bool {
        false
    }

    fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    fn directories(&self) -> Directories {
        Directories::default()
    }

    fn args_of(&self, _: u64) -> Option<(ArgKind, Arc<ArgStore>)> {
        None
    }

    fn later(&self, _: Duration, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}
