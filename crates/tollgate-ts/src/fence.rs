//! The fence around every function that C calls.
//!
//! Responsible for: stopping panics, answering faults with the function's error value, one log line for each misuse
//! that names the plugin, and the count of misuses.
//! Not responsible for: which faults there are (the modules' own errors).
//! Invariant: nothing unwinds into C.

use crate::plugin;
use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Reports a misuse: one line that names the plugin and the function.
pub fn report(function: &'static str, fault: &dyn Display) {
    MISUSES.fetch_add(1, Ordering::Relaxed);
    tracing::error!("plugin {}: {function}: {fault}", plugin::current_name());
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
    fn faults_and_panics_become_the_error_value() {
        let before = misuses();
        assert_eq!(fence("TSTest", -1, || Ok::<_, Misuse>(3)), 3);
        assert_eq!(fence("TSTest", -1, || Err(Misuse::Null)), -1);
        assert!(misuses() > before);
        let panics = || -> Result<i32, Misuse> { std::panic::panic_any("a fault of ours") };
        assert_eq!(fence("TSTest", -1, panics), -1);
    }
}
