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

mod check;
mod cli;
mod config;
mod demo;
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
    let result = match cli::Cli::parse().command {
        cli::Command::Run(options) => run::run(&options, plugins),
        cli::Command::Demo(options) => demo::run(&options, plugins),
        cli::Command::Check(options) => return check::run(&options, plugins),
        cli::Command::Show(options) => show::run(&options, plugins),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
