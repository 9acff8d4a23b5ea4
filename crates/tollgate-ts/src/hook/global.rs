//! Hooks of the whole server.
//!
//! Responsible for: keeping what plugins add with `TSHttpHookAdd`, giving it to the engine when a generation is built.
//! A hook that is added while the server runs is called as soon as the next generation is in use, which the server is
//! asked for.
//! Invariant: hooks of one start of a plugin are registered together, in the order they were added in.

use super::{call, point, report_useless};
use crate::cont::Cont;
use crate::fence::{Misuse, fence};
use crate::load;
use crate::plugin::Plugin;
use crate::slots::Handle;
use parking_lot::Mutex;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tollgate_plugin::hooks::SelectAlt;
use tollgate_plugin::{Order, Registrar};

/// `TS_HTTP_SELECT_ALT_HOOK`.
const SELECT_ALT: c_int = 8;
/// `TS_SSL_FIRST_HOOK` to `TS_SSL_LAST_HOOK`.
const TLS: std::ops::RangeInclusive<c_int> = 17..=26;

struct Added {
    /// The start of the plugin that added it.
    start: u32,
    id: c_int,
    cont: Arc<Cont>,
}

static ADDED: Mutex<Vec<Added>> = Mutex::new(Vec::new());
/// The first generation has been built.
static IS_SEALED: AtomicBool = AtomicBool::new(false);

/// Registers what one start of a plugin has added so far.
pub fn register(start: u32, plugin: &Arc<Plugin>, registrar: &mut Registrar) {
    let added: Vec<(c_int, Arc<Cont>)> = {
        let all = ADDED.lock();
        all.iter().filter(|a| a.start == start).map(|a| (a.id, Arc::clone(&a.cont))).collect()
    };
    for (id, cont) in added {
        match point(id) {
            Some(point) => registrar.on_hook(point, call(cont, point)),
            None if id == SELECT_ALT => registrar.on_point::<SelectAlt>(Order::default(), move |alternate| {
                super::select::ask(&cont, alternate)
            }),
            // Without TLS there is nothing that calls the others.
            None => {}
        }
    }
    super::lifecycle::register(start, plugin, registrar);
    IS_SEALED.store(true, Ordering::Release);
}

/// The start of a plugin that something belongs to which is added now.
pub(super) fn current_start() -> u32 {
    if let Some(start) = load::instance() {
        return start;
    }
    // Later on: to what the same plugin has added before.
    let Some(plugin) = crate::plugin::current() else { return 0 };
    let of_plugin = |cont: &Arc<Cont>| cont.plugin().is_some_and(|p| Arc::ptr_eq(p, &plugin));
    ADDED.lock().iter().rev().find(|a| of_plugin(&a.cont)).map_or(0, |a| a.start)
}

/// Adds a hook of the whole server.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpHookAdd(id: c_int, cont: Handle) {
    fence("TSHttpHookAdd", (), || {
        let cont = Cont::find(cont)?;
        if point(id).is_none() && id != SELECT_ALT && !TLS.contains(&id) {
            report_useless("TSHttpHookAdd", id);
            return Ok(());
        }
        let start = current_start();
        ADDED.lock().push(Added { start, id, cont });
        if IS_SEALED.load(Ordering::Acquire) && load::instance().is_none() {
            tracing::info!(
                "plugin {} adds a global hook while the server runs: the configuration is built again",
                crate::plugin::current_name()
            );
            // SAFETY: sends this process the signal that asks for a reload, which the server has taken over before any
            // plugin is started.
            unsafe { libc::kill(libc::getpid(), libc::SIGHUP) };
        }
        Ok::<_, Misuse>(())
    });
}
