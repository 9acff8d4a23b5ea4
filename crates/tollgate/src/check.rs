//! `tollgate check`: every problem of a configuration.

use crate::cli::ConfigOptions;
use crate::config::Sources;
use std::process::ExitCode;
use tollgate_config::Problem;
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
    let (problems, listen_error) = examine(&sources, plugins);
    for problem in &problems {
        println!("{problem}{}", if problem.is_error() { "" } else { " (warning)" });
    }
    if let Some(error) = &listen_error {
        println!("error: {error:#}");
    }
    if listen_error.is_some() || problems.iter().any(Problem::is_error) {
        return ExitCode::FAILURE;
    }
    println!("configuration is good");
    ExitCode::SUCCESS
}

/// All problems of all files and of what plugins say of their settings: an error in one file does not hide those of
/// another. Beside them, what is wrong with the addresses to listen on.
fn examine(sources: &Sources, plugins: PluginSet) -> (Vec<Problem>, Option<anyhow::Error>) {
    let (generation, mut problems) = sources.examine();
    let Some(generation) = generation else { return (problems, None) };
    let listen_error = sources.listen(&generation.records).err();
    let engine = Engine::new(sources.parts(&generation), plugins, Default::default(), None, Metrics::new());
    problems.extend(engine.err().unwrap_or_default());
    problems.extend(tollgate_proxy::disk::check(&generation.storage, &sources.dir()));
    (problems, listen_error)
}
