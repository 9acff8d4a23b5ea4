//! `tollgate check`: every problem of a configuration.

use crate::cli::CheckOptions;
use crate::config::Sources;
use std::process::ExitCode;
use tollgate_config::Problem;
use tollgate_obs::metrics::Metrics;
use tollgate_proxy::{Engine, PluginSet};
use tollgate_ts::Kind;

/// Prints every problem as `file:line: message`; exit status 1 if one is an error.
pub(crate) fn run(options: &CheckOptions, plugins: PluginSet) -> ExitCode {
    if !(options.global_plugin.is_empty() && options.remap_plugin.is_empty()) {
        return verify(options);
    }
    let sources = match Sources::new(&options.config) {
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

/// Whether files can be loaded as plugins in C, as `traffic_server -C verify_global_plugin` tells.
fn verify(options: &CheckOptions) -> ExitCode {
    // Without a configuration plugins are looked for where the defaults say.
    let sources = options.config.config.as_ref().and_then(|_| Sources::new(&options.config).ok());
    let generation = sources.and_then(|sources| sources.examine().0);
    let records = generation.map_or_else(Default::default, |generation| generation.records);
    let globals = options.global_plugin.iter().map(|file| (file, Kind::Global));
    let remaps = options.remap_plugin.iter().map(|file| (file, Kind::Remap));
    let mut is_good = true;
    for (file, kind) in globals.chain(remaps) {
        match tollgate_ts::verify(&records, file, kind) {
            Ok(()) => println!("{}: can be loaded", file.display()),
            Err(error) => {
                println!("{}: {error}", file.display());
                is_good = false;
            }
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
