//! The fence around every function that C calls, and around every call of C code.
//!
//! Responsible for: stopping panics, answering faults with the function's error value, one log line for each misuse
//! that names the plugin, and the count of misuses; ending the server when an exception leaves a plugin's code.
//! Not responsible for: which faults there are (the modules' own errors).
//! Invariant: nothing unwinds into C, nor from C into the engine.

use crate::account::Item;
use crate::plugin::{self, Plugin};
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// LIMIT: after that many reports of the same misuse only every doubling of their number is logged.
const REPORTS: u64 = 100;
/// LIMIT: different misuses that are counted.
const LINES: usize = 1024;

static MISUSES: AtomicU64 = AtomicU64::new(0);

/// What a plugin did wrong with an object of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// A null pointer where an object is needed.
    #[error("the handle is null")]
    Null,
    /// The object was destroyed, or the number was never a handle of this kind.
    #[error("the {0} does not exist any more, or never did")]
    Gone(&'static str),
    /// The transaction is not at a hook: the server works on it.
    #[error("the transaction is not at a hook point")]
    NotAtHook,
    /// Something else, in words.
    #[error("{0}")]
    Text(&'static str),
}

/// Runs the work of one C function: faults are reported, panics stopped; both give `failed`.
pub fn fence<R, E: Display>(function: &'static str, failed: R, work: impl FnOnce() -> Result<R, E>) -> R {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => {
            report(function, &error);
            failed
        }
        Err(panic) => {
            report_panic(function, &*panic);
            failed
        }
    }
}

/// Reports a misuse by the plugin at work: one line that names the plugin and the function.
pub fn report(function: &'static str, fault: &dyn Display) {
    report_of(plugin::current().as_ref(), function, fault);
}

/// Reports a misuse by that plugin.
pub(crate) fn report_of(plugin: Option<&Arc<Plugin>>, function: &'static str, fault: &dyn Display) {
    MISUSES.fetch_add(1, Ordering::Relaxed);
    if let Some(plugin) = plugin {
        plugin.account().add(Item::Misuses, 1);
    }
    let name = plugin.map_or("(unknown)", |plugin| plugin.name());
    let line = format!("plugin {name}: {function}: {fault}");
    match reports_of(&line) {
        count if count <= REPORTS => tracing::error!("{line}"),
        count if count.is_power_of_two() => tracing::error!("{line} ({count} times by now)"),
        _ => {}
    }
}

/// How often this line has been reported, this time included. Of more different lines each counts as the first.
fn reports_of(line: &str) -> u64 {
    static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    let mut counts = COUNTS.lock();
    if let Some(count) = counts.get_mut(line) {
        *count += 1;
        return *count;
    }
    if counts.len() < LINES {
        counts.insert(line.to_string(), 1);
    }
    1
}

/// Calls code of the plugin at work. An exception that leaves it ends the process, as in Traffic Server: frames of the
/// engine would be torn down in the middle of their work.
pub(crate) fn call_out<R>(work: impl FnOnce() -> R) -> R {
    let boundary = Boundary;
    let result = work();
    std::mem::forget(boundary);
    result
}

/// Dropped only when something unwinds out of a plugin's code.
struct Boundary;

impl Drop for Boundary {
    fn drop(&mut self) {
        tracing::error!(
            "plugin {}: an exception has left its code; the server cannot go on",
            plugin::current_name()
        );
        std::process::abort();
    }
}

/// Says that this server itself failed in a function.
fn report_panic(function: &'static str, panic: &(dyn Any + Send)) {
    let text = tollgate_plugin::hooks::panic_text(panic);
    tracing::error!("{function}, called by plugin {}, failed: {text}", plugin::current_name());
}

/// How many misuses have been reported since the start.
pub fn misuses() -> u64 {
    MISUSES.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_a_line_are_counted() {
        assert_eq!((reports_of("one"), reports_of("other"), reports_of("one")), (1, 1, 2));
    }

    #[test]
    fn faults_and_panics_become_the_error_value() {
        let before = misuses();
        assert_eq!(fence("TSTest", -1, || Ok::<_, Misuse>(3)), 3);
        assert_eq!(fence("TSTest", -1, || Err(Misuse::Null)), -1);
        assert!(misuses() > before);
        let panics = || -> Result<i32, Misuse> { std::panic::panic_any("a fault of ours") };
        assert_eq!(fence("TSTest", -1, panics), -1);
    }
}
