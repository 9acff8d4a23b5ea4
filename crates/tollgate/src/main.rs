//! The `tollgate` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// One small allocator for all threads: see docs/decisions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tollgate::main_with(tollgate::PluginSet::default())
}
