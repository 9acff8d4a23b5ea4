//! Hook dispatch: what a point costs with 0, 1 and 7 handlers that do nothing.

use std::hint::black_box;

use tollgate_plugin::mock::MockServer;
use tollgate_plugin::{Outcome, Plugin, PluginError, Registrar, TransactionHook, hooks};

struct Idle {
    handlers: usize,
}

impl Plugin for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), PluginError> {
        for _ in 0..self.handlers {
            registrar.on(hooks::ReadRequestHdr, |txn| {
                black_box(&txn.client_request);
                Outcome::Continue
            });
        }
        Ok(())
    }
}

/// Asks whether the point has handlers and runs them, as a transaction does at each point.
fn dispatch(handlers: usize, iterations: u64) {
    let Ok(server) = MockServer::with(&Idle { handlers }) else { panic!("the plugin registers") };
    let mut txn = server.transaction("GET", "http://www.example.com/");
    for _ in 0..iterations {
        let txn = black_box(&mut txn);
        if txn.has_handlers(TransactionHook::ReadRequestHdr) {
            let outcome = server.fire(TransactionHook::ReadRequestHdr, txn);
            assert!(matches!(black_box(outcome), Outcome::Continue));
        }
    }
}

pub(super) fn none(iterations: u64) {
    dispatch(0, iterations);
}

pub(super) fn one(iterations: u64) {
    dispatch(1, iterations);
}

pub(super) fn seven(iterations: u64) {
    dispatch(7, iterations);
}
