//! `tollgate check`: every problem of a configuration.

use crate::cli::ConfigOptions;
use crate::config::Sources;
use std::process::ExitCode;
use tollgate_obs::metrics::Metrics;
use tollgate_proxy::{Engine, PluginSet};

/// Prints every problem as `file:line: message`; exit status 1 if one is an error.
pub(crate) fn run(options: &ConfigOptions, plugins: PluginSet) -> ExitCode {
    let sources = match Sources::new(options) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("tollgate: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let problems = match sources.load() {
        Err(problems) => problems,
        Ok((generation, mut problems)) => {
            if let Err(error) = sources.listen(&generation.records) {
                println!("error: {error:#}");
                return ExitCode::FAILURE;
            }
            if let Err(more) =
                Engine::new(sources.parts(&generation), plugins, Default::default(), None, Metrics::new())
            {
                problems.extend(more);
            }
            problems
        }
    };
    for problem in &problems {
        println!("{problem}{}", if problem.is_error() { "" } else { " (warning)" });
    }
    if problems.iter().any(tollgate_config::Problem::is_error) {
        return ExitCode::FAILURE;
    }
    println!("configuration is good");
    ExitCode::SUCCESS
}
