//! The Tollgate server as a library: the command line, wiring and process model.
//!
//! Responsible for: turning arguments and files into a running engine; signals; the `tollgate` command.
//! Not responsible for: anything about HTTP.
//! To build a server with native plugins of your own, write a `main` that calls [`main_with`]:
//!
//! ```no_run
//! use tollgate::{PluginSet, main_with};
//!
//! fn main() -> std::process::ExitCode {
//!     let mut plugins = PluginSet::default();
//!     // plugins.add_plugin(Box::new(MyPlugin));
//!     main_with(plugins)
//! }
//! ```
#![forbid(unsafe_code)]

mod cache;
mod check;
mod cli;
mod config;
mod control;
mod ctl;
mod demo;
mod explain;
mod run;
mod show;

pub use tollgate_plugin as plugin;
pub use tollgate_proxy::PluginSet;

use clap::Parser;
use std::process::ExitCode;

/// Runs the `tollgate` command with these plugins beside the ones that come with the server.
pub fn main_with(mut plugins: PluginSet) -> ExitCode {
    for factory in tollgate_plugins::factories() {
        plugins.add_factory(factory);
    }
    plugins.set_loader(Box::new(tollgate_ts::Loader::new(tollgate_ts::Purpose::Run)));
    if is_called("traffic_ctl") {
        return match cli::CtlCli::try_parse() {
            Ok(cli) => ctl::run(&cli.options),
            Err(error) => usage(&error),
        };
    }
    let result = match cli::Cli::parse().command {
        cli::Command::Run(options) => run::run(&options, plugins),
        cli::Command::Demo(options) => demo::run(&options, plugins),
        cli::Command::Check(options) => return check::run(&options, verifying(plugins)),
        cli::Command::Show(options) => show::run(&options, verifying(plugins)),
        cli::Command::Ctl(options) => return ctl::run(&options),
        cli::Command::Cache(options) => return ctl::run_cache(&options),
        cli::Command::Explain(options) => return ctl::run_explain(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// These plugins, with a loader that looks at the files of others but does not start them.
fn verifying(mut plugins: PluginSet) -> PluginSet {
    plugins.set_loader(Box::new(tollgate_ts::Loader::new(tollgate_ts::Purpose::Verify)));
    plugins
}

/// Whether the program was called by that name.
fn is_called(name: &str) -> bool {
    let program = std::env::args_os().next().unwrap_or_default();
    std::path::Path::new(&program).file_name().is_some_and(|file| file == name)
}

/// Says what is wrong with the command line, with the exit status of `traffic_ctl`.
fn usage(error: &clap::Error) -> ExitCode {
    const EX_USAGE: u8 = 64;
    // Nobody can be told that standard error is closed.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
}
