//! Hook dispatch: what the points of a transaction cost with no handler, with one at one point, and with one at each
//! of seven points, all of which do nothing.

use std::hint::black_box;

use tollgate_plugin::mock::MockServer;
use tollgate_plugin::{Outcome, Plugin, PluginError, Registrar, Transaction, TransactionHook, hooks};

/// Handlers at the first points of this list.
struct Idle {
    points: usize,
}

const POINTS: [TransactionHook; 7] = [
    TransactionHook::ReadRequestHdr,
    TransactionHook::TxnStart,
    TransactionHook::PreRemap,
    TransactionHook::PostRemap,
    TransactionHook::CacheLookupComplete,
    TransactionHook::SendResponseHdr,
    TransactionHook::TxnClose,
];

fn nothing(txn: &mut Transaction) -> Outcome {
    black_box(&txn.client_request);
    Outcome::Continue
}

impl Plugin for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), PluginError> {
        for point in &POINTS[..self.points] {
            match point {
                TransactionHook::TxnStart => registrar.on(hooks::TxnStart, nothing),
                TransactionHook::PreRemap => registrar.on(hooks::PreRemap, nothing),
                TransactionHook::PostRemap => registrar.on(hooks::PostRemap, nothing),
                TransactionHook::CacheLookupComplete => registrar.on(hooks::CacheLookupComplete, nothing),
                TransactionHook::SendResponseHdr => registrar.on(hooks::SendResponseHdr, nothing),
                TransactionHook::TxnClose => registrar.on(hooks::TxnClose, nothing),
                _ => registrar.on(hooks::ReadRequestHdr, nothing),
            }
        }
        Ok(())
    }
}

/// Asks at each of seven points whether it has handlers and runs them, as a transaction does.
fn dispatch(points: usize, iterations: u64) {
    let Ok(server) = MockServer::with(&Idle { points }) else { panic!("the plugin registers") };
    let mut txn = server.transaction("GET", "http://www.example.com/");
    for _ in 0..iterations {
        let txn = black_box(&mut txn);
        for point in black_box(POINTS) {
            if txn.has_handlers(point) {
                let outcome = server.fire(point, txn);
                assert!(matches!(black_box(outcome), Outcome::Continue));
            }
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
