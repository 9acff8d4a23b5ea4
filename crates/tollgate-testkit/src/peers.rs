//! Real programs that scenarios can be pointed at, to show that the format judges fairly.
//!
//! Responsible for: private single-process configurations of nginx, haproxy and Traffic Server as reverse proxies
//! in front of the first origin, with or without their caches.
//! Not responsible for: installing them.
//! Invariant: everything a peer writes is in its temporary directory; its port was free a moment before.

use crate::matcher::Matcher;
use crate::model::{PeerSpec, ProxySpec};
use crate::process::{Process, Subject};
use crate::stage::{Stage, Stop};
use crate::text::bytes_of;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Traffic Server's configuration directory within the temporary directory.
pub const ETC: &str = "root/etc/trafficserver";
/// Where Traffic Server says what is wrong.
const DIAGNOSTICS: &str = "root/log/diags.log";
/// Files of which Traffic Server gets a form of its own.
const OWN_FILES: [&str; 3] = ["remap.config", "records.config", "records.yaml"];
/// Lists plugins, of which only those in C are for both programs.
const PLUGINS: &str = "plugin.config";

/// A peer program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// nginx.
    Nginx,
    /// haproxy.
    Haproxy,
    /// Apache Traffic Server.
    TrafficServer,
}

impl Peer {
    /// The name used in scenarios and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::TrafficServer => "trafficserver",
        }
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Nginx, Self::Haproxy, Self::TrafficServer]
            .into_iter()
            .find(|peer| peer.name() == name)
            .ok_or_else(|| format!("unknown peer {name}: nginx, haproxy or trafficserver"))
    }
}

/// Starts a peer in front of `origin` and waits until it accepts connections.
///
/// Traffic Server also gets the scenario's records and remap rules, which are in its own formats; the others are
/// plain reverse proxies whatever the scenario says of the proxy.
pub fn start(
    peer: Peer,
    spec: &PeerSpec,
    proxy: &ProxySpec,
    origin: SocketAddr,
    stage: &Stage,
) -> Result<Subject, Stop> {
    let start = || -> io::Result<(TempDir, Command, SocketAddr)> {
        let dir = TempDir::new()?;
        let addr = free_port()?;
        let extra = stage.expand(&spec.extra);
        let command = match peer {
            Peer::Nginx => nginx(dir.path(), addr, origin, spec.cache, &extra)?,
            Peer::Haproxy => haproxy(dir.path(), addr, origin, spec.cache, &extra)?,
            Peer::TrafficServer => {
                let etc = dir.path().join(ETC);
                stage.with_vars(|vars| vars.set("config", etc.display().to_string()));
                let extra = format!("{}{extra}", records_of(proxy, stage));
                let remap = remap_of(proxy, origin, stage);
                let command = traffic_server(dir.path(), addr, &remap, spec.cache, &extra)?;
                let is_theirs = |name: &str| !OWN_FILES.contains(&name) && (spec.plugins || name != PLUGINS);
                for (name, text) in proxy.files.iter().filter(|(name, _)| is_theirs(name)) {
                    let path = etc.join(name);
                    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                    std::fs::write(path, bytes_of(&stage.expand(text)))?;
                }
                if spec.stats {
                    let plugins = etc.join(PLUGINS);
                    let listed = std::fs::read_to_string(&plugins)?;
                    std::fs::write(plugins, format!("{listed}\nstats_over_http.so\n"))?;
                }
                command
            }
        };
        Ok((dir, command, addr))
    };
    let (dir, command, addr) = start().map_err(|e| Stop::failed("to configure the peer", e.to_string()))?;
    let process = Process::spawn(command, dir, stage)?.listening_on(vec![addr]);
    stage.poll(|| match (reach(addr), process.exited()) {
        (Ok(()), _) | (_, Some(_)) => Ok(()),
        (Err(e), None) => {
            Err((format!("{} to listen on {addr}", peer.name()), format!("{e}: {}", process.output())))
        }
    })?;
    match process.exited() {
        None => Ok(Subject::Peer(process)),
        Some(status) => {
            let diagnostics = std::fs::read_to_string(process.dir().join(DIAGNOSTICS)).unwrap_or_default();
            let output = format!("{status}: {}{diagnostics}", process.output());
            Err(Stop::failed("the peer to start", output))
        }
    }
}

/// Whether somebody else listens there: where the kernel takes the same port for this end, a socket is connected with
/// itself although nobody listens.
pub(crate) fn reach(addr: SocketAddr) -> io::Result<()> {
    match TcpStream::connect(addr)?.local_addr()? {
        own if own == addr => Err(io::ErrorKind::ConnectionRefused.into()),
        _ => Ok(()),
    }
}

/// A port that was free a moment ago; peers cannot be asked which port the kernel gave them.
///
/// It lies below the ranges from which kernels are set to take ports for origins and clients of other scenarios, and
/// every call starts behind the last one, so that scenarios running at once do not get the same. The port is tried
/// without listening: a program that another scenario starts just now holds a copy of the socket for a moment, and a
/// peer that is waited for would seem to be there.
fn free_port() -> io::Result<SocketAddr> {
    const PORTS: Range<u32> = 2_000..9_800;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let mut last = None;
    for _ in PORTS {
        let step = std::process::id().wrapping_mul(97).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + step % (PORTS.end - PORTS.start)).map_err(io::Error::other)?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        match socket.bind(&addr.into()) {
            Ok(()) => return Ok(addr),
            Err(e) => last = Some(e),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no port")))
}

fn nginx(dir: &Path, addr: SocketAddr, origin: SocketAddr, cache: bool, extra: &str) -> io::Result<Command> {
    let d = dir.display();
    let cache_path = format!("proxy_cache_path {d}/cache keys_zone=c:1m use_temp_path=off;");
    let cache_use = "proxy_cache c; proxy_cache_key $uri$is_args$args; proxy_cache_lock on;";
    let config = format!(
        "daemon off; master_process off; pid {d}/pid; error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_timeout 600; merge_slashes off; client_max_body_size 0;
  client_body_temp_path {d}/t1; proxy_temp_path {d}/t2; fastcgi_temp_path {d}/t3;
  uwsgi_temp_path {d}/t4; scgi_temp_path {d}/t5;
  {}
  upstream o {{ server {origin}; keepalive 8; }}
  proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_request_buffering off;
  server {{
    listen {addr};
    {extra}
    location / {{ proxy_pass http://o; {} }}
  }}
}}
",
        if cache { &cache_path } else { "" },
        if cache { cache_use } else { "" },
    );
    std::fs::write(dir.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).args(["-e", "stderr"]);
    Ok(command)
}

fn haproxy(
    dir: &Path,
    addr: SocketAddr,
    origin: SocketAddr,
    cache: bool,
    extra: &str,
) -> io::Result<Command> {
    let config = format!(
        "global
  nbthread 1
{}
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  retries 1
frontend f
  bind {addr}
  default_backend o
backend o
{}{extra}
  server s1 {origin}
",
        if cache { "cache c\n  total-max-size 16\n  max-age 3600" } else { "" },
        if cache { "  http-request cache-use c\n  http-response cache-store c\n" } else { "" },
    );
    std::fs::write(dir.join("haproxy.cfg"), config)?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(dir.join("haproxy.cfg"));
    Ok(command)
}

/// The scenario's records as lines of records.config, without those only Tollgate has.
fn records_of(proxy: &ProxySpec, stage: &Stage) -> String {
    let line = |(name, value): (&String, &Matcher)| {
        let Matcher::Exact(value) = value else { return String::new() };
        let value = stage.expand(value);
        let kind = match (value.parse::<i64>(), value.parse::<f64>()) {
            _ if name.contains("ports") => "STRING",
            (Ok(_), _) => "INT",
            (_, Ok(_)) => "FLOAT",
            _ => "STRING",
        };
        format!("CONFIG {name} {kind} {value}\n")
    };
    let own = proxy.set.iter().filter(|(name, _)| !name.starts_with("proxy.config.tollgate."));
    let forward = if proxy.forward { "CONFIG proxy.config.url_remap.remap_required INT 0\n" } else { "" };
    own.map(line).chain([forward.to_owned()]).collect()
}

/// The scenario's rules as remap.config.
fn remap_of(proxy: &ProxySpec, origin: SocketAddr, stage: &Stage) -> String {
    match (proxy.files.get("remap.config"), &proxy.map) {
        (Some(text), _) => stage.expand(text),
        (None, Some(maps)) => maps
            .iter()
            .map(|(from, to)| format!("map {} {}\n", stage.expand(from), stage.expand(to)))
            .collect(),
        (None, None) => format!("map / http://{origin}/\n"),
    }
}

fn traffic_server(
    dir: &Path,
    addr: SocketAddr,
    remap: &str,
    cache: bool,
    extra: &str,
) -> io::Result<Command> {
    let root = dir.join("root");
    let etc = dir.join(ETC);
    for folder in ["etc/trafficserver", "run", "log", "cache"] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    let r = root.display();
    let runroot = format!(
        "prefix: /usr\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/bin\nsysconfdir: {}\ndatadir: {r}/cache
includedir: /usr/include\nlibdir: /usr/lib/trafficserver\nlibexecdir: /usr/lib/trafficserver/modules
localstatedir: {r}\nruntimedir: {r}/run\nlogdir: {r}/log\ncachedir: {r}/cache\n",
        etc.display(),
    );
    let records = format!(
        "CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.task_threads INT 1
CONFIG proxy.config.crash_log_helper STRING NULL
CONFIG proxy.config.ssl.number.threads INT 0
CONFIG proxy.config.cache.threads_per_disk INT 1
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.http.server_ports STRING {}:ip-in=127.0.0.1
CONFIG proxy.config.http.cache.http INT {}
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.http.wait_for_cache INT 2
CONFIG proxy.config.http.connect_attempts_max_retries INT 0
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.raw_stat_sync_interval_ms INT 200
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.diags.output.error STRING L
{extra}
",
        addr.port(),
        u8::from(cache),
    );
    std::fs::write(root.join("runroot.yaml"), runroot)?;
    std::fs::write(etc.join("records.config"), records)?;
    std::fs::write(etc.join("remap.config"), remap)?;
    std::fs::write(etc.join("storage.config"), format!("{r}/cache 32M\n"))?;
    std::fs::write(etc.join("plugin.config"), "")?;
    let allow = "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n    action: allow\n    methods: ALL\n";
    std::fs::write(etc.join("ip_allow.yaml"), allow)?;
    let mut command = Command::new("traffic_server");
    command.arg(format!("--run-root={r}"));
    Ok(command)
}
