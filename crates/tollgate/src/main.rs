//! The `tollgate` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// See docs/decisions/0009-small-allocator.md.
#[global_allocator]
static ALLOCATOR: tollgate_event::sys::Allocator = tollgate_event::sys::Allocator;

fn main() -> ExitCode {
    tollgate::main_with(tollgate::PluginSet::default())
}
