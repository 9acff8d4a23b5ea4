//! What a function that is not written yet does.

use crate::plugin;
use parking_lot::Mutex;

/// The functions that have been reported, each with the plugin that called it.
static REPORTED: Mutex<Vec<(&'static str, String)>> = Mutex::new(Vec::new());

/// Logs, once for each function and plugin, that the function is missing.
pub(crate) fn called(function: &'static str) {
    let name = plugin::current_name();
    let mut reported = REPORTED.lock();
    if reported.iter().any(|(f, n)| *f == function && *n == name) {
        return;
    }
    reported.push((function, name.clone()));
    drop(reported);
    tracing::error!("plugin {name} calls {function}, which is not implemented: it gets the error value");
}

/// The functions that have been missed, with the plugins that called them.
pub fn missed() -> Vec<(&'static str, String)> {
    REPORTED.lock().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_function_is_reported_once() {
        called("TSNone");
        called("TSNone");
        assert_eq!(missed().iter().filter(|(f, _)| *f == "TSNone").count(), 1);
    }
}
