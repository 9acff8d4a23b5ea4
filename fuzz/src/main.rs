//! `fuzz-smoke`: every fuzz target on its seeds and on mutated ones, in the same order on every machine.

#![forbid(unsafe_code)]

use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use tollgate_fuzz::corpus;
use tollgate_fuzz::driver::{Watchdog, hex, run};
use tollgate_fuzz::targets::{TARGETS, Target};

/// No input may take this long, not even in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

/// Runs fuzz targets.
#[derive(Parser)]
struct Options {
    /// Only these targets
    targets: Vec<String>,
    /// Mutated inputs for each target, fewer for slow ones
    #[arg(long, default_value_t = 20_000)]
    inputs: u64,
    /// Where the random numbers start
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let chosen: Vec<&Target> = TARGETS.iter().filter(|target| is_chosen(&options, target)).collect();
    ensure!(!chosen.is_empty(), "no target has such a name");
    // Panics are reported with their input below; the usual message would only come between.
    panic::set_hook(Box::new(|_| {}));
    let watch = Watchdog::start(LONGEST, stop_at_slow_input);
    let mut failed = 0;
    for target in &chosen {
        let seeds = corpus::read(&corpus::folder(), target.name)?;
        match run(target, &seeds, options.inputs / target.cost, options.seed, &watch) {
            Ok(tried) => println!("ok     {:<20} {tried} inputs", target.name),
            Err(failure) => {
                failed += 1;
                println!("FAILED {:<20} {}\ninput: {}", target.name, failure.message, hex(&failure.input));
            }
        }
    }
    println!("{} passed, {failed} failed", chosen.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_chosen(options: &Options, target: &Target) -> bool {
    options.targets.is_empty() || options.targets.iter().any(|name| name == target.name)
}

/// Prints the input that takes too long and ends the program.
#[expect(clippy::disallowed_methods, reason = "the thread at work cannot be stopped in any other way")]
fn stop_at_slow_input(target: &str, input: &[u8]) {
    println!("FAILED {target:<20} no end after {} s\ninput: {}", LONGEST.as_secs(), hex(input));
    std::process::exit(1);
}
