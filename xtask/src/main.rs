//! Entry point of `cargo xtask`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the project.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that must pass: unit tests, scenarios, peer scenarios, fuzz smoke, instruction counts
    Test(xtask::test::Options),
    /// Formatting, lints and the repository's own rules
    Check(xtask::check::Options),
    /// Writes the table of what holds of HTTP caching, from the scenarios
    Conformance,
    /// Debian's plugins in Traffic Server and in Tollgate
    Compat(xtask::compat::Options),
    /// Tollgate beside nginx, HAProxy and Traffic Server
    Bench(xtask::bench::Options),
    /// The binary for users: optimised for what a run under typical load showed
    Dist(xtask::dist::Options),
    /// Instructions per request and per operation, compared with the recorded ones
    Instructions(xtask::instructions::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test(options) => xtask::test::run(&options),
        Chore::Check(options) => xtask::check::run(&options),
        Chore::Conformance => xtask::check::conformance::run(),
        Chore::Compat(options) => xtask::compat::run(&options),
        Chore::Bench(options) => xtask::bench::run(&options),
        Chore::Dist(options) => xtask::dist::run(&options),
        Chore::Instructions(options) => xtask::instructions::run(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
