//! Global plugins: `TSPluginInit` and what the plugin adds in it.

use super::dso::{Dso, Scope};
use super::{Arguments, Purpose, reset_getopt, stem};
use crate::fence::{Misuse, call_out, fence};
use crate::hook::global as hooks;
use crate::plugin::{self, Plugin};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tollgate_plugin::{PluginError, Registrar};
use tollgate_proxy::PluginUse;

type PluginInit = unsafe extern "C-unwind" fn(c_int, *mut *const c_char);

thread_local! {
    /// The line whose plugin this thread starts; 0: none.
    static STARTING: Cell<u32> = const { Cell::new(0) };
}

/// Which line's plugin is being started on this thread.
pub fn instance() -> Option<u32> {
    let number = STARTING.get();
    (number != 0).then_some(number)
}

/// One start of a plugin: what one line of `plugin.config` stands for.
#[derive(Clone, Debug)]
pub(super) struct Started {
    plugin: Arc<Plugin>,
    number: u32,
}

impl Started {
    /// A plugin that was not started: it has no handlers.
    pub(super) fn none(plugin: Arc<Plugin>) -> Started {
        Started { plugin, number: u32::MAX }
    }
}

impl tollgate_plugin::Plugin for Started {
    fn name(&self) -> &str {
        self.plugin.name()
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        hooks::register(self.number, &self.plugin, registrar);
        Ok(())
    }
}

/// A line of `plugin.config` that was loaded.
#[derive(Debug)]
pub(super) struct Line {
    name: String,
    args: Vec<String>,
    path: PathBuf,
    started: Started,
    is_claimed: bool,
}

impl Line {
    pub(super) fn new(line: &PluginUse, path: PathBuf, started: Started) -> Line {
        Line { name: line.name.clone(), args: line.args.clone(), path, started, is_claimed: true }
    }

    /// A new generation is built: the line may be there again.
    pub(super) fn release(&mut self) {
        self.is_claimed = false;
    }

    /// The started plugin, if `line` says the same and no line before it did.
    pub(super) fn claim(&mut self, line: &PluginUse) -> Option<Started> {
        if self.is_claimed || self.name != line.name || self.args != line.args {
            return None;
        }
        self.is_claimed = true;
        Some(self.started.clone())
    }

    pub(super) fn plugin_of(&self, path: &Path) -> Option<Arc<Plugin>> {
        (self.path == path).then(|| Arc::clone(&self.started.plugin))
    }
}

/// Loads a plugin's file, unless it is loaded, and starts the plugin.
pub(super) fn start(
    path: &Path,
    loaded: Option<Arc<Plugin>>,
    line: &PluginUse,
    purpose: Purpose,
) -> Result<Started, String> {
    static NUMBERS: AtomicU32 = AtomicU32::new(1);
    let plugin = match loaded {
        Some(plugin) => plugin,
        None => {
            let dso = Dso::open(path, Scope::Local)
                .map_err(|error| format!("unable to load '{}': {error}", path.display()))?;
            Plugin::new(&stem(path), Some(dso))
        }
    };
    let init = plugin.dso().and_then(|dso| dso.symbol(c"TSPluginInit"));
    let init = init.ok_or_else(|| format!("unable to find TSPluginInit function in '{}'", path.display()))?;
    let started = Started { plugin, number: NUMBERS.fetch_add(1, Ordering::Relaxed) };
    if purpose == Purpose::Verify {
        return Ok(started);
    }
    // SAFETY: the entry point of a plugin has this type.
    let init = unsafe { std::mem::transmute::<*mut std::ffi::c_void, PluginInit>(init) };
    let arguments =
        Arguments::new(std::iter::once(line.name.as_str()).chain(line.args.iter().map(String::as_str)));
    reset_getopt();
    let was_registered = REGISTERED.replace(false);
    let before = STARTING.replace(started.number);
    {
        let _at_work = plugin::enter(Some(&started.plugin));
        let count = arguments.count();
        // SAFETY: the arguments are as the interface promises, and stay for good.
        call_out(|| unsafe { init(count, arguments.leak().cast()) });
    }
    STARTING.set(before);
    if REGISTERED.replace(was_registered) {
        tracing::info!("plugin {} is loaded", line.name);
        Ok(started)
    } else {
        Err(format!("plugin '{}' not registered by calling TSPluginRegister", path.display()))
    }
}

thread_local! {
    /// The plugin that is being started has registered itself.
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// `TSPluginRegistrationInfo`.
#[repr(C)]
pub struct RegistrationInfo {
    plugin_name: *const c_char,
    vendor_name: *const c_char,
    support_email: *const c_char,
}

/// Tells who a plugin is. Only while it is started.
///
/// # Safety
/// `info` is null or points to texts that end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSPluginRegister(info: *const RegistrationInfo) -> c_int {
    fence("TSPluginRegister", -1, || {
        if info.is_null() {
            return Err(Misuse::Null);
        }
        let Some(plugin) = plugin::current().filter(|_| instance().is_some()) else {
            return Err(Misuse::Text("only while the plugin is started"));
        };
        // SAFETY: as the caller vouches.
        let name = unsafe { (*info).plugin_name };
        if name.is_null() {
            return Err(Misuse::Null);
        }
        // SAFETY: as the caller vouches.
        plugin.register(&unsafe { CStr::from_ptr(name) }.to_string_lossy());
        REGISTERED.set(true);
        Ok(0)
    })
}

/// Opts the plugin out of being loaded anew for remap rules.
#[unsafe(no_mangle)]
pub extern "C" fn TSPluginDSOReloadEnable(enabled: c_int) -> c_int {
    fence("TSPluginDSOReloadEnable", -1, || {
        let plugin = plugin::current().ok_or(Misuse::Text("only while the plugin is started"))?;
        plugin.set_reloads(enabled != 0);
        Ok::<_, Misuse>(0)
    })
}
