//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A programmable HTTP caching proxy.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the proxy.
    Run(ConfigOptions),
    /// Run a proxy with an origin of its own, to try it out.
    Demo(DemoOptions),
    /// Read the configuration and say every problem; exit status 1 if there is an error.
    Check(ConfigOptions),
    /// Show what the server consists of.
    Show(ShowOptions),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigOptions {
    /// Directory with records.yaml, records.config, remap.config, plugin.config, ip_allow.yaml, hooks.config.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on, e.g. 127.0.0.1:8080; port 0 takes a free one. Repeatable. In place of http.server_ports.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Map requests: FROM is a URL or `/` for everything, TO the origin's URL. Repeatable, first match wins.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    pub(crate) map: Vec<String>,
    /// Forward proxy: requests that name another host are sent there, CONNECT opens tunnels to connect_ports.
    #[arg(long)]
    pub(crate) forward: bool,
    /// Number of event threads; default: one per core.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Set a record, e.g. proxy.config.http.cache.http=0. Repeatable.
    #[arg(long = "set", value_name = "RECORD=VALUE")]
    pub(crate) sets: Vec<String>,
}

/// Options of the demonstration.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoOptions {
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

/// What to show.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowOptions {
    /// The table to show.
    pub(crate) what: Shown,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigOptions,
}

/// Tables that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shown {
    /// Hook points with their handlers in running order, and why.
    Hooks,
    /// Records with values, sources and docs.
    Records,
    /// Metrics with their kinds and meanings. Values: /metrics of the admin listener.
    Metrics,
    /// Native plugins.
    Plugins,
}
