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
    Check(CheckOptions),
    /// Show what the server consists of.
    Show(ShowOptions),
    /// Command a running server through its control socket.
    Ctl(CtlOptions),
    /// Purge a running server's cache, or show what it holds.
    Cache(CacheOptions),
    /// Ask a running server what it would do for a request: rule, cache key, what is stored, freshness, and why.
    Explain(ExplainOptions),
}

/// The command line when the program is called `traffic_ctl`.
#[derive(Debug, Parser)]
#[command(name = "traffic_ctl", version)]
pub(crate) struct CtlCli {
    #[command(flatten)]
    pub(crate) options: CtlOptions,
}

/// A command to a running server.
#[derive(Clone, Debug, Args)]
pub(crate) struct CtlOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

/// A command to a running server's cache.
#[derive(Clone, Debug, Args)]
pub(crate) struct CacheOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

/// A request to be explained.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    /// The URL, as a client asks for it.
    pub(crate) url: String,
    /// A field of the request, as `Name: value`. Repeatable.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The request's method.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Remove what is stored for URLs, beginnings of URLs or tags; say for each URL whether something was stored.
    Purge {
        /// URLs, as clients ask for them.
        #[arg(value_name = "URL", required_unless_present_any = ["prefixes", "tags"])]
        urls: Vec<String>,
        /// All URLs that begin so. Repeatable.
        #[arg(long = "prefix", value_name = "URL")]
        prefixes: Vec<String>,
        /// All responses with this tag (Surrogate-Key, Cache-Tag). Repeatable.
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// Make it stale: it is validated before it is used, and may stand in when the origin fails.
        #[arg(long)]
        soft: bool,
    },
    /// Remove what is stored for the URLs that match a regular expression, after remapping, as `explain` shows them.
    Ban {
        #[arg(required = true, value_name = "REGEX")]
        regexes: Vec<String>,
        /// Make it stale: it is validated before it is used, and may stand in when the origin fails.
        #[arg(long)]
        soft: bool,
    },
    /// Print what the cache holds and which purges are not through with all objects.
    Stat,
}

/// Which server is meant, and how results are printed.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerOptions {
    /// The server's configuration directory; its records say where the control socket is.
    #[arg(long, value_name = "DIR", visible_alias = "run-root", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// The control socket.
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) socket: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CtlCommand {
    /// Records.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Metrics.
    #[command(subcommand)]
    Metric(MetricCommand),
    /// Plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// The server.
    #[command(subcommand)]
    Server(ServerCommand),
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print values of records.
    Get {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// As lines of records.config.
        #[arg(long)]
        records: bool,
    },
    /// Set a record until the server ends; the configuration is read again with it on top.
    Set {
        name: String,
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Print the records whose names match a regular expression.
    Match {
        #[arg(required = true, value_name = "REGEX")]
        regexes: Vec<String>,
        /// As lines of records.config.
        #[arg(long)]
        records: bool,
    },
    /// Print the records whose values are not the default ones, with both.
    Diff {
        /// As lines of records.config.
        #[arg(long)]
        records: bool,
    },
    /// Print all records with their default values.
    Defaults {
        /// As lines of records.config.
        #[arg(long)]
        records: bool,
    },
    /// Print what is known of records.
    Describe {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Read the configuration again.
    Reload,
    /// Print the generation in use and what waits for a restart.
    Status,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MetricCommand {
    /// Print values of metrics.
    Get {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print the metrics whose names match a regular expression.
    Match {
        #[arg(required = true, value_name = "REGEX")]
        regexes: Vec<String>,
    },
    /// Let all counters begin at zero again, as these commands show them; /metrics goes on.
    Clear,
    /// Let counters begin at zero again, as these commands show them; /metrics goes on.
    Zero {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print values again and again.
    Monitor {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Seconds between two prints.
        #[arg(short, long, value_name = "SECONDS", default_value_t = 5)]
        interval: u64,
        /// How many prints; 0: until interrupted.
        #[arg(short, long, value_name = "N", default_value_t = 0)]
        count: u64,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Print what each C plugin holds of the server, and how often its calls were refused.
    List,
    /// Send plugins a message.
    Msg {
        tag: String,
        #[arg(allow_hyphen_values = true)]
        data: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Print state, generation, uptime and connections as JSON.
    Status,
    /// Keep no client connection open after its response.
    Drain {
        /// Back to normal.
        #[arg(short, long)]
        undo: bool,
    },
    /// End the server as SIGTERM does.
    Stop,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigOptions {
    /// Directory with records.yaml, records.config, remap.config, plugin.config, ip_allow.yaml, cache.config, hooks.config.
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

/// What is looked at.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) config: ConfigOptions,
    /// Only look at this file: can it be loaded as a plugin of plugin.config? Repeatable.
    #[arg(long, value_name = "FILE")]
    pub(crate) global_plugin: Vec<PathBuf>,
    /// Only look at this file: can it be loaded as a plugin of remap rules? Repeatable.
    #[arg(long, value_name = "FILE")]
    pub(crate) remap_plugin: Vec<PathBuf>,
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
    /// What the program exports to C plugins, and what there is of it.
    TsSymbols,
}
