//! Running the proxy: process model and signals.
//!
//! Threads: one event thread per core with its own listening sockets; this main thread waits for signals; one thread
//! for the admin listener; one for the access log.
//! Printed on standard output: a line per listener, then `ready`.

use crate::cli::ConfigOptions;
use crate::config::{Sources, listed};
use crate::control::{self, Changes, Command};
use anyhow::{Context, anyhow};
use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tollgate_admin::control::{Control, ControlSocket, Request};
use tollgate_admin::{AdminState, Exposure, Health};
use tollgate_config::generation::Generation;
use tollgate_config::records::Source;
use tollgate_config::{Problem, Records, ids};
use tollgate_event::EventThread;
use tollgate_event::mailbox::mailbox;
use tollgate_event::net::{AcceptOptions, bind};
use tollgate_event::thread::{Event, Signal, Signals};
use tollgate_hook::run_void;
use tollgate_obs::log::{AccessLog, AccessLogOptions, LogFormat};
use tollgate_obs::metrics::{Metric, Metrics};
use tollgate_plugin::hooks::{
    CacheReady, Lifecycle, PortsInitialized, PortsReady, Shutdown, TaskThreadsReady,
};
use tollgate_proxy::{Engine, ListenerSet, PluginSet, serve};

/// `tollgate run`.
pub(crate) fn run(options: &ConfigOptions, plugins: PluginSet) -> anyhow::Result<()> {
    let sources = Sources::new(options)?;
    let server = Server::start(sources, plugins)?;
    server.announce()?;
    server.wait()
}

/// A running server.
pub(crate) struct Server {
    sources: Sources,
    engine: Arc<Engine>,
    threads: Vec<EventThread>,
    listeners: Vec<SocketAddr>,
    admin: Option<Admin>,
    control: Option<ControlSocket>,
    commands: tokio::sync::mpsc::Receiver<Command>,
    /// What was changed through the control socket.
    pub(crate) changes: Changes,
    signals: Signals,
}

struct Admin {
    addr: SocketAddr,
    stop: tokio::sync::watch::Sender<bool>,
    thread: std::thread::JoinHandle<()>,
}

impl Server {
    /// Reads the configuration, binds, starts all threads.
    pub(crate) fn start(sources: Sources, plugins: PluginSet) -> anyhow::Result<Server> {
        // Before anybody can know that the server is there: a signal must not end it in the manner of the system.
        let signals = Signals::listen().context("cannot wait for signals")?;
        let (generation, problems) = sources
            .load()
            .map_err(|problems| anyhow!("the configuration has errors\n{}", listed(&problems)))?;
        init_diagnostics(&generation.records);
        for problem in problems {
            tracing::warn!("{problem}");
        }
        let records = Arc::clone(&generation.records);
        let metrics = Metrics::new();
        metrics.set(Metric::ProcessStartTime, tollgate_event::clock::unix_seconds());
        let log = access_log(&records, &sources.dir(), &metrics)?;
        let threads = sources.threads(&records);
        // Before plugins are started: what they hand to event threads waits for those.
        let (remotes, mailboxes): (Vec<_>, Vec<_>) = (0..threads).map(|_| mailbox()).unzip();
        tollgate_ts::threads::set_event_threads(remotes);
        let (control, set_record, commands) = control::channel();
        tollgate_ts::prepare(&records, &sources.dir(), &metrics, set_record);
        let engine = Engine::new(sources.parts(&generation), plugins, hosts(&generation), log, metrics)
            .map_err(|problems| anyhow!("the configuration has errors\n{}", listed(&problems)))?;
        for problem in engine.open_disk(&records, &generation.storage, &sources.dir()) {
            tracing::error!("{problem}");
        }
        let (sets, listeners) = listener_sets(&sources.listen(&records)?, threads, &records)?;
        let lifecycle = Lifecycle { listeners: listeners.clone() };
        let table = engine.generation();
        run_void(&table.table().handlers::<PortsInitialized>(), |handler| handler.call(&lifecycle));
        run_void(&table.table().handlers::<CacheReady>(), |handler| handler.call(&lifecycle));
        let drain = Duration::from_secs(records.int(ids::STOP_SHUTDOWN_TIMEOUT).max(0) as u64);
        let task_threads = usize::try_from(records.int(ids::TASK_THREADS)).unwrap_or(2).max(1);
        let mut running = Vec::with_capacity(threads);
        for ((index, set), mailbox) in sets.into_iter().enumerate().zip(mailboxes) {
            let engine = Arc::clone(&engine);
            let life = move || async move {
                tollgate_event::spawn_local(mailbox.serve());
                serve(engine, index, set, drain).await;
            };
            running
                .push(EventThread::spawn(index, task_threads, life).context("cannot start an event thread")?);
        }
        let admin = start_admin(&records, &engine)?;
        run_void(&table.table().handlers::<PortsReady>(), |handler| handler.call(&lifecycle));
        run_void(&table.table().handlers::<TaskThreadsReady>(), |handler| handler.call(&lifecycle));
        let control = start_control(&records, &sources.dir(), control)?;
        let changes = Changes::none(tollgate_event::clock::unix_seconds());
        Ok(Server {
            sources,
            engine,
            threads: running,
            listeners,
            admin,
            control,
            commands,
            changes,
            signals,
        })
    }

    /// The addresses being listened on.
    pub(crate) fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// The engine.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Says on standard output where the server listens and that it is ready.
    pub(crate) fn announce(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for addr in &self.listeners {
            writeln!(out, "listening http {addr}")?;
        }
        if let Some(admin) = &self.admin {
            writeln!(out, "listening admin {}", admin.addr)?;
        }
        writeln!(out, "ready")?;
        out.flush()?;
        Ok(())
    }

    /// Serves until SIGTERM, SIGINT or a command to stop, then drains; reloads at SIGHUP; does commands.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        loop {
            match self.signals.next_or(self.commands.recv()) {
                Event::Signal(Signal::Stop) => break,
                // What is wrong with it has been logged.
                Event::Signal(Signal::Reload) => drop(self.reload()),
                Event::Other(command) => {
                    command.answer(control::perform(&mut self, &command.request));
                    if command.request == (Request::ServerStop {}) {
                        break;
                    }
                }
            }
        }
        self.stop()
    }

    /// Drains and ends all threads.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        drop(self.commands);
        drop(self.control);
        tracing::info!("draining");
        let lifecycle = Lifecycle { listeners: self.listeners.clone() };
        run_void(&self.engine.generation().table().handlers::<Shutdown>(), |handler| {
            handler.call(&lifecycle)
        });
        self.engine.drain();
        let mut result = Ok(());
        for thread in self.threads {
            result = result.and(thread.join());
        }
        self.engine.close_logs();
        if !tollgate_ts::finish_logs() {
            tracing::error!("text logs of plugins are not complete");
        }
        self.engine.close_disk();
        if let Some(admin) = self.admin {
            // The thread may have ended by itself.
            let _: Result<(), _> = admin.stop.send(true);
            if admin.thread.join().is_err() {
                tracing::error!("the admin listener's thread panicked");
            }
        }
        result.context("an event thread failed")
    }

    /// Takes a new generation into use, or keeps the running one and says why.
    pub(crate) fn reload(&mut self) -> Result<u64, Vec<Problem>> {
        self.engine.reopen_logs();
        tollgate_ts::reopen_logs();
        let sources = self.sources.with_sets(self.changes.sets());
        let result = match sources.load() {
            Ok((generation, warnings)) => {
                warnings.iter().for_each(|w| tracing::warn!("{w}"));
                let waiting = waiting_for_restart(self.engine.generation().records(), &generation.records);
                self.engine.reload(sources.parts(&generation)).inspect(|_| {
                    tollgate_ts::configure(self.engine.generation().records());
                    self.changes.waiting.extend(waiting);
                    self.changes.waiting.sort_unstable();
                    self.changes.waiting.dedup();
                    self.changes.reloaded_at = tollgate_event::clock::unix_seconds();
                })
            }
            Err(problems) => self.engine.refuse_reload(problems),
        };
        match &result {
            Ok(number) => tracing::info!("configuration generation {number} in use"),
            Err(problems) => {
                problems.iter().for_each(|p| tracing::error!("{p}"));
                tracing::error!("reload refused, the running configuration stays");
            }
        }
        result
    }
}

/// Opens the control socket. One that nobody asked for by name is only warned of if it cannot be opened.
fn start_control(
    records: &Records,
    dir: &Path,
    control: Arc<dyn Control>,
) -> anyhow::Result<Option<ControlSocket>> {
    let Some(path) = control::socket_path(records, dir) else { return Ok(None) };
    match ControlSocket::open(&path, control) {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if *records.source_of(ids::TOLLGATE_CONTROL_SOCKET) == Source::Default => {
            tracing::warn!("no control socket: {error}");
            Ok(None)
        }
        Err(error) => Err(error).context("proxy.config.tollgate.control.socket"),
    }
}

/// Records that a reload cannot change, which differ.
fn waiting_for_restart(old: &Records, new: &Records) -> Vec<&'static str> {
    let differences = old.differences(new).into_iter();
    let waiting = differences.filter(|def| def.reload == tollgate_config::records::Reload::Restart);
    waiting
        .map(|def| def.name)
        .inspect(|name| tracing::warn!("{name} takes effect at the next start"))
        .collect()
}

fn listener_sets(
    addrs: &[SocketAddr],
    threads: usize,
    records: &Records,
) -> anyhow::Result<(Vec<ListenerSet>, Vec<SocketAddr>)> {
    let backlog = i32::try_from(records.int(ids::NET_LISTEN_BACKLOG)).ok().filter(|n| *n > 0).unwrap_or(4096);
    let flags = records.int(ids::NET_SOCK_OPTION_FLAG_IN);
    // Whom the kernel keeps back for long would be waited for once more after that.
    let silence = records.int(ids::HTTP_ACCEPT_NO_ACTIVITY_TIMEOUT);
    let defer = match records.int(ids::NET_DEFER_ACCEPT) {
        defer if silence > 0 => defer.min(silence),
        defer => defer,
    };
    let options = AcceptOptions {
        no_delay: flags & 1 != 0,
        keep_alive: flags & 2 != 0,
        congestion_control: records.str(ids::NET_TCP_CONGESTION_CONTROL_IN).into(),
        defer_seconds: u16::try_from(defer).unwrap_or(0),
    };
    let mut sets: Vec<ListenerSet> = (0..threads).map(|_| Vec::new()).collect();
    let mut bound = Vec::new();
    for addr in addrs {
        let sockets = bind(*addr, threads, backlog).with_context(|| format!("cannot listen on {addr}"))?;
        bound.extend(sockets.first().map(tollgate_event::net::BoundListener::addr));
        for (set, socket) in sets.iter_mut().zip(sockets) {
            socket.set_accept_options(&options).with_context(|| format!("options of sockets on {addr}"))?;
            set.push(socket);
        }
    }
    Ok((sets, bound))
}

fn hosts(generation: &Generation) -> HashMap<String, Vec<IpAddr>> {
    generation.hosts.entries().map(|(name, addrs)| (name.to_string(), addrs.to_vec())).collect()
}

fn access_log(records: &Records, dir: &Path, metrics: &Metrics) -> anyhow::Result<Option<AccessLog>> {
    let (log_dir, format) = (records.str(ids::LOG_LOGFILE_DIR), records.str(ids::TOLLGATE_LOG_ACCESS_FORMAT));
    if log_dir.is_empty() || format.is_empty() || !records.flag(ids::LOG_LOGGING_ENABLED) {
        return Ok(None);
    }
    let format = LogFormat::by_name(format)
        .ok_or_else(|| anyhow!("unknown access log format {format:?}: squid, common or combined"))?;
    let path = dir.join(log_dir).join(records.str(ids::TOLLGATE_LOG_ACCESS_FILE));
    let log = AccessLog::open(&path, AccessLogOptions::new(format), metrics, |fault| {
        tracing::error!("access log: {fault:?}")
    });
    Ok(Some(log.with_context(|| format!("cannot open the access log {}", path.display()))?))
}

fn start_admin(records: &Records, engine: &Arc<Engine>) -> anyhow::Result<Option<Admin>> {
    let addr = records.str(ids::TOLLGATE_ADMIN_LISTEN);
    if addr.is_empty() {
        return Ok(None);
    }
    let listener = std::net::TcpListener::bind(addr)
        .with_context(|| format!("cannot listen on {addr} (proxy.config.tollgate.admin.listen)"))?;
    let addr = listener.local_addr()?;
    let (health, hooks) = (Arc::clone(engine), Arc::clone(engine));
    let state = AdminState::new(engine.metrics().clone())
        .with_health(move || if health.is_draining() { Health::Draining } else { Health::Serving })
        .with_hooks(move || crate::show::hooks_json(hooks.generation().hook_descriptions()));
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!("admin listener: {error}"),
        };
        let shutdown = async move {
            // An error means that the server is gone: that is the end too.
            let _: Result<_, _> = stopped.wait_for(|stop| *stop).await.map(|_| ());
        };
        if let Err(error) =
            runtime.block_on(tollgate_admin::serve(listener, state, Exposure::LoopbackOnly, shutdown))
        {
            tracing::error!("{error}");
        }
    })?;
    Ok(Some(Admin { addr, stop, thread }))
}

/// Diagnostics go to standard error with a level.
fn init_diagnostics(records: &Records) {
    let level = match records.str(ids::TOLLGATE_DIAGS_LEVEL) {
        _ if records.flag(ids::DIAGS_DEBUG_ENABLED) => "debug",
        "fatal" | "error" => "error",
        "warning" => "warn",
        "debug" => "debug",
        _ => "info",
    };
    let filter = tracing_subscriber::EnvFilter::new(level);
    // A second server in one process (tests) finds a subscriber already there.
    let _: Result<(), _> = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .try_init();
}
