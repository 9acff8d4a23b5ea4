//! What plugins use of the server outside of transactions.
//!
//! Responsible for: records, statistics, text logs, user arguments, versions of configurations, files, host states,
//! addresses, tags, as C plugins see them ([`Services`]), and the C functions on them (`ffi`).
//! Not responsible for: messages, hooks, transactions; what belongs to the whole process, which the server gives as a
//! [`Host`] before the first plugin is loaded ([`install`]).
//! Invariants: handles are checked at every use; nothing here waits for a disk on the calling thread, apart from the
//! functions on files; no `unsafe` outside `ffi` and `local_time`.

pub mod addresses;
pub mod configs;
pub mod diagnostics;
mod error;
pub mod ffi;
pub mod files;
mod host;
mod local_time;
pub mod matcher;
pub mod overridable;
pub mod records;
mod rolling;
mod slots;
pub mod stats;
pub mod text_log;
mod text_writer;
pub mod user_args;

pub use error::ServiceError;
pub use host::{Directories, Host, RecordSource, RecordValue};

use std::sync::{Arc, OnceLock};
use tollgate_proxy::host_status::HostStatuses;

/// The services of one process.
pub struct Services {
    host: Arc<dyn Host>,
    /// Records.
    pub records: records::Records,
    /// Statistics.
    pub stats: stats::Stats,
    /// Text logs.
    pub text_logs: text_log::TextLogs,
    /// User arguments.
    pub user_args: user_args::UserArgs,
    /// Versions of plugins' configurations.
    pub configs: configs::Configs,
    /// Files.
    pub files: files::Files,
    /// Lines of rules.
    pub lines: matcher::Lines,
    /// Which hosts are down.
    pub host_status: &'static HostStatuses,
}

impl Services {
    /// Services for plugins of that server.
    pub fn new(host: Arc<dyn Host>) -> Services {
        Services {
            records: records::Records::new(Arc::clone(&host)),
            stats: stats::Stats::new(host.metrics()),
            text_logs: text_log::TextLogs::new(host.directories().logs),
            user_args: user_args::UserArgs::default(),
            configs: configs::Configs::new(Arc::clone(&host)),
            files: files::Files::new(),
            lines: matcher::Lines::new(),
            host_status: tollgate_proxy::host_status::hosts(),
            host,
        }
    }

    /// The server.
    pub fn host(&self) -> &dyn Host {
        &*self.host
    }
}

static SERVICES: OnceLock<Services> = OnceLock::new();

/// Makes these the services that the C functions use; whether that came before their first use.
pub fn install(host: Arc<dyn Host>) -> bool {
    SERVICES.set(Services::new(host)).is_ok()
}

/// What the C functions use: without an installed server, one that has no records.
pub fn services() -> &'static Services {
    SERVICES.get_or_init(|| Services::new(Arc::new(host::Nobody::default())))
}
