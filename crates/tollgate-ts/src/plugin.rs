//! Which plugin is at work.
//!
//! Responsible for: the identity of loaded plugins, and the plugin that this thread works for at the moment; on a thread
//! that a plugin has started by itself, that is the plugin whose code is found on the stack.
//! Not responsible for: loading (`load`).
//! Invariants: the plugin of a call is restored after it, however deep calls nest; an object made by a plugin keeps the
//! plugin's program text loaded.

use crate::account::Account;
use crate::load::dso::{self, Dso};
use parking_lot::Mutex;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

/// The plugins with the code of their files.
static LOADED: Mutex<Vec<(dso::Code, Weak<Plugin>)>> = Mutex::new(Vec::new());

/// A loaded plugin.
#[derive(Debug)]
pub struct Plugin {
    /// The file's name without `.so`.
    name: String,
    /// The registered name.
    registered: OnceLock<String>,
    /// What it holds.
    account: &'static Account,
    dso: Option<Dso>,
    /// Whether the file is copied before it is loaded for remap rules.
    reloads: AtomicBool,
}

impl Plugin {
    /// A plugin in that file.
    pub fn new(name: &str, dso: Option<Dso>) -> Arc<Plugin> {
        let code = dso.as_ref().map(Dso::code);
        let plugin = Arc::new(Plugin {
            name: name.to_string(),
            registered: OnceLock::new(),
            account: Account::open(name),
            dso,
            reloads: AtomicBool::new(true),
        });
        if let Some(code) = code {
            LOADED.lock().push((code, Arc::downgrade(&plugin)));
        }
        plugin
    }

    /// The file's name without `.so`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The loaded file.
    pub fn dso(&self) -> Option<&Dso> {
        self.dso.as_ref()
    }

    /// Keeps the name that the plugin registers itself with; later ones are ignored.
    pub fn register(&self, name: &str) {
        // A plugin that is named on two lines registers twice.
        let _again: Result<(), String> = self.registered.set(name.to_string());
    }

    /// The name that the plugin has registered itself with.
    pub fn registered(&self) -> Option<&str> {
        self.registered.get().map(String::as_str)
    }

    /// Says whether the file may be loaded anew for remap rules.
    pub fn set_reloads(&self, reloads: bool) {
        self.reloads.store(reloads, Ordering::Relaxed);
    }

    /// Whether the file may be loaded anew for remap rules.
    pub fn reloads(&self) -> bool {
        self.reloads.load(Ordering::Relaxed)
    }

    /// What it holds of the server, and has done wrong.
    pub fn account(&self) -> &'static Account {
        self.account
    }
}

thread_local! {
    /// Borrowed by the newest [`Entered`] of this thread.
    static CURRENT: Cell<Option<NonNull<Plugin>>> = const { Cell::new(None) };
}

/// Restores the plugin that was at work before.
#[must_use]
#[derive(Debug)]
pub struct Entered<'p> {
    before: Option<NonNull<Plugin>>,
    _plugin: PhantomData<&'p Arc<Plugin>>,
}

/// From now on this thread works for `plugin`, until the guard is dropped.
pub fn enter(plugin: Option<&Arc<Plugin>>) -> Entered<'_> {
    let plugin = plugin.and_then(|plugin| NonNull::new(Arc::as_ptr(plugin).cast_mut()));
    Entered { before: swap(plugin), _plugin: PhantomData }
}

fn swap(plugin: Option<NonNull<Plugin>>) -> Option<NonNull<Plugin>> {
    // At the end of a thread there is no plugin at work.
    CURRENT.try_with(|current| current.replace(plugin)).ok().flatten()
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.before);
    }
}

/// The plugin at work on this thread.
pub fn current() -> Option<Arc<Plugin>> {
    let entered = CURRENT.try_with(Cell::get).ok().flatten().map(|plugin| {
        // SAFETY: made from an `Arc` that the guard which has put it there borrows, and that guard still lives.
        unsafe {
            Arc::increment_strong_count(plugin.as_ptr());
            Arc::from_raw(plugin.as_ptr())
        }
    });
    entered.or_else(on_stack)
}

/// The account of the plugin that this thread works for. A thread of the plugin's own has none.
pub(crate) fn account() -> Option<&'static Account> {
    // SAFETY: as in `current`.
    CURRENT.try_with(Cell::get).ok().flatten().map(|plugin| unsafe { plugin.as_ref() }.account)
}

/// The plugin whose code called, on a thread that it has started without telling the server.
fn on_stack() -> Option<Arc<Plugin>> {
    dso::callers().find_map(|code| {
        let loaded = LOADED.lock();
        let found = loaded.iter().rev().find(|(known, _)| *known == code);
        found.and_then(|(_, plugin)| plugin.upgrade())
    })
}

/// The name of the plugin at work on this thread, for logs.
pub fn current_name() -> String {
    current().map_or_else(|| "(unknown)".to_string(), |plugin| plugin.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_at_work_is_restored_after_nested_calls() {
        assert_eq!(current_name(), "(unknown)");
        let (a, b) = (Plugin::new("a", None), Plugin::new("b", None));
        let outer = enter(Some(&a));
        {
            let _inner = enter(Some(&b));
            assert_eq!(current_name(), "b");
        }
        assert_eq!(current_name(), "a");
        drop(outer);
        assert!(current().is_none());
    }
}
