//! The server as the services for plugins need it.
//!
//! Responsible for: what this process gives to [`crate::services`]: records of the current generation, metrics, folders,
//! user arguments of transactions and sessions, work for later; what a new configuration changes for plugins.
//! Not responsible for: the services themselves.
//! Invariant: [`prepare`] comes before the first plugin is loaded.

use crate::cont::Cont;
use crate::services::user_args::{ArgKind, ArgStore};
use crate::services::{Directories, Host, RecordSource, RecordValue, ServiceError, diagnostics, services};
use crate::slots::{Kind, pointer};
use crate::ssn::SsnCell;
use crate::txn::TxnCell;
use crate::{diags, fence, iobuf, lock_order, message, schedule, symbols, threads};
use parking_lot::RwLock;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tollgate_config::records::{self, Value, find};
use tollgate_config::{Records, ids};
use tollgate_obs::metrics::Metrics;

/// `TS_EVENT_MGMT_UPDATE`.
const MGMT_UPDATE: std::ffi::c_int = 60300;

/// The records of the generation in use.
static RECORDS: RwLock<Option<Arc<Records>>> = RwLock::new(None);

/// This process.
struct Server {
    metrics: Metrics,
    directories: Directories,
    set_record: SetRecord,
}

/// Has a record of the configuration set, at some later time; whether it will be.
pub type SetRecord = Box<dyn Fn(&str, i64) -> bool + Send + Sync>;

impl Host for Server {
    fn record(&self, name: &str) -> Option<(RecordValue, RecordSource)> {
        let records = RECORDS.read().clone()?;
        let id = find(name)?;
        let source = records.source_of(id);
        Some((RecordValue::of(records.value(id), source), source.into()))
    }

    fn each_record(&self, visit: &mut dyn FnMut(&str, &RecordValue)) {
        let Some(records) = RECORDS.read().clone() else { return };
        for entry in records.iter() {
            visit(entry.def.name, &RecordValue::of(entry.value, entry.source));
        }
    }

    fn given(&self, name: &str) -> Option<RecordValue> {
        let records = RECORDS.read().clone()?;
        Some(match records.other(name)?.clone() {
            Value::Int(value) => RecordValue::Int(value),
            Value::Float(value) => RecordValue::Float(value as f32),
            Value::Str(text) => RecordValue::Text((!text.is_empty()).then(|| text.into_string())),
        })
    }

    fn set_record(&self, name: &str, value: i64) -> bool {
        let is_number = find(name).is_some_and(|id| id.def().kind == records::Kind::Int);
        is_number && (self.set_record)(name, value)
    }

    fn is_self(&self, name: &str) -> bool {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(tollgate_event::net::is_own_address)
    }

    fn watch(&self, _parent: &str, _file: &str) -> bool {
        // Every reload reads every file anew.
        true
    }

    fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    fn directories(&self) -> Directories {
        self.directories.clone()
    }

    fn args_of(&self, object: u64) -> Option<(ArgKind, Arc<ArgStore>)> {
        match Kind::of(object)? {
            Kind::Transaction => {
                let cell = TxnCell::find(pointer(object)).ok()?;
                Some((ArgKind::Transaction, Arc::clone(cell.args())))
            }
            Kind::Session => {
                let cell = SsnCell::find(pointer(object)).ok()?;
                Some((ArgKind::Session, Arc::clone(cell.args())))
            }
            _ => None,
        }
    }

    fn later(&self, delay: Duration, work: Box<dyn FnOnce() + Send>) {
        let Some(index) = threads::next_event_thread() else { return };
        let wait = move || {
            tollgate_event::spawn_local(async move {
                tollgate_event::timer::sleep(delay).await;
                // `None`: the server is stopping.
                let _: Option<()> = tollgate_event::task::run(work).await;
            });
        };
        threads::run_on(index, wait);
    }
}

/// Connects the services with this process, before the first plugin is loaded.
pub fn prepare(records: &Arc<Records>, config: &Path, metrics: &Metrics, set_record: SetRecord) {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let config = absolute(config);
    let directories = Directories {
        install: "/usr".into(),
        runtime: std::env::temp_dir(),
        plugins: records.str(ids::PLUGIN_PLUGIN_DIR).into(),
        logs: config.join(records.str(ids::LOG_LOGFILE_DIR)),
        config,
    };
    configure(records);
    crate::services::install(Arc::new(Server { metrics: metrics.clone(), directories, set_record }));
    crate::services::ffi::set_reporter(|function, error: ServiceError| fence::report(function, &error));
    message::ffi::set_io_writer(iobuf::append);
    diags::set_text_log_writer(crate::services::ffi::logs::write_text_log);
    let tags = symbols::SYMBOLS.iter().filter(|symbol| symbol.name.starts_with("TS_PROTO_TAG_"));
    // SAFETY: these are variables that point to texts which end with NUL and live as long as the process.
    unsafe {
        crate::services::ffi::tags::set_constants(
            tags.map(|symbol| *symbol.address().cast::<*const std::ffi::c_char>()),
        );
    }
}

/// Tells plugins of a configuration that is in use from now on.
pub fn configure(records: &Arc<Records>) {
    let is_first = RECORDS.write().replace(Arc::clone(records)).is_none();
    lock_order::watch(records.flag(ids::TOLLGATE_TS_LOCK_ORDER));
    let tags =
        diagnostics::debug_tags(records.int(ids::DIAGS_DEBUG_ENABLED), records.str(ids::DIAGS_DEBUG_TAGS));
    diags::set_debug_tags(tags.unwrap_or_else(|error| {
        tracing::error!("proxy.config.diags.debug.tags: {error}");
        None
    }));
    if is_first {
        return;
    }
    services().records.reread();
    for listener in services().records.listeners() {
        if let Ok(cont) = Cont::find(pointer(listener.continuation)) {
            schedule::tell_on_task(&cont, MGMT_UPDATE);
        }
    }
}

/// Begins text logs anew that were moved away. For whoever rotates logs from outside.
pub fn reopen_logs() {
    services().text_logs.reopen();
}

/// Waits until what plugins wrote to text logs is in their files; whether it is. For the server's end.
pub fn finish_logs() -> bool {
    /// LIMIT: how long the server's end is held up.
    const LONGEST: Duration = Duration::from_secs(5);
    services().text_logs.wait(LONGEST)
}
