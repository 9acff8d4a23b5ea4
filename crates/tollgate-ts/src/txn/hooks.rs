//! Hooks of one transaction.

use super::with;
use crate::cont::Cont;
use crate::fence::{Misuse, fence};
use crate::hook::{Scope, handler, point_in, report_useless};
use crate::slots::Handle;
use std::ffi::c_int;

/// Transform and data sink hooks.
const BODY_HOOKS: [c_int; 3] = [6, 7, 16];

/// Adds a handler for this transaction. One that is there already is not added again.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnHookAdd(txn: Handle, id: c_int, cont: Handle) {
    fence("TSHttpTxnHookAdd", (), || {
        if BODY_HOOKS.contains(&id) {
            return Err(Misuse::Text("transforms and data sinks of C plugins are not implemented"));
        }
        let cont = Cont::find(cont)?;
        let Some(point) = point_in(Scope::Transaction, id) else {
            report_useless("TSHttpTxnHookAdd", id);
            return Ok(());
        };
        with(txn, |txn, state| {
            let known = (id, cont.handle().addr());
            if !state.hooks.contains(&known) {
                state.hooks.push(known);
                txn.add_handler(point, handler(cont, point));
            }
            Ok(())
        })
    });
}
