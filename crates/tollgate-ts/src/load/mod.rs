//! Loading plugins from files.
//!
//! Responsible for: finding a plugin's file, the libraries that plugins expect to be there, `plugin.config` lines and
//! remap rules that name a file, what happens to loaded plugins at a reload.
//! Not responsible for: native plugins (they are known by name and come first), reading the files (`tollgate-config`).
//! Invariants: a global plugin is loaded and started once in the life of the process, on the thread that builds the
//! first generation; a remap plugin lives as long as a generation, an instance or a continuation needs it.

pub mod dso;
pub mod global;
mod remap;

use crate::plugin::Plugin;
use dso::{Dso, Scope};
use global::{Line, Started};
use parking_lot::Mutex;
use remap::RemapFile;
use std::collections::HashMap;
use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tollgate_config::{Records, ids};
use tollgate_plugin::{PluginError, RemapInstance};
use tollgate_proxy::{PluginLoader, PluginUse};

pub use global::instance;

/// What is done with a plugin's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is loaded and started.
    Run,
    /// Only its entry points are looked for.
    Verify,
}

/// Loads C plugins.
#[derive(Debug)]
pub struct Loader {
    purpose: Purpose,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How long a handler may keep an event thread.
    block_limit: Duration,
    dir: PathBuf,
    preload: String,
    preloaded: bool,
    copies: bool,
    /// The generation being built is the first.
    is_first: bool,
    lines: Vec<Line>,
    files: HashMap<PathBuf, Weak<RemapFile>>,
    /// Those of the generation being built.
    used: Vec<Arc<RemapFile>>,
}

impl Loader {
    /// A loader for that purpose.
    pub fn new(purpose: Purpose) -> Loader {
        Loader { purpose, state: Mutex::new(State { is_first: true, ..State::default() }) }
    }

    /// The file of a plugin called so, with what it needs loaded before.
    fn prepare(&self, name: &str) -> PathBuf {
        let (path, limit, preload) = {
            let mut state = self.state.lock();
            let first = !std::mem::replace(&mut state.preloaded, true);
            (state.dir.join(name), state.block_limit, first.then(|| state.preload.clone()))
        };
        // Not within the lock: constructors run.
        if self.purpose == Purpose::Run {
            crate::watch::start(limit);
        }
        preload.iter().for_each(|names| preload_libraries(names));
        path
    }
}

/// What a file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plugin for `plugin.config`.
    Global,
    /// A plugin for remap rules.
    Remap,
}

/// Whether a file can be loaded as such a plugin (ATS: `-C verify_global_plugin`, `verify_remap_plugin`). Nothing in it
/// runs but its constructors.
///
/// # Errors
/// Why it cannot, with the file's name.
pub fn verify(records: &Records, file: &Path, kind: Kind) -> Result<(), String> {
    preload_libraries(records.str(ids::TOLLGATE_TS_PRELOAD));
    let path = Path::new(records.str(ids::PLUGIN_PLUGIN_DIR)).join(file);
    match kind {
        Kind::Global => {
            let name = file.display().to_string();
            let line = PluginUse { file: name.as_str().into(), name, args: Vec::new(), line: 0 };
            global::start(&path, None, &line, Purpose::Verify).map(drop)
        }
        Kind::Remap => RemapFile::load(&path, false, Purpose::Verify).map(drop),
    }
}

/// Loads libraries for all, as far as they are there.
fn preload_libraries(names: &str) {
    const OWN_FOLDER: &str = "/usr/lib/trafficserver";
    for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
        let tried = Dso::open(Path::new(name), Scope::Global)
            .or_else(|error| Dso::open(&Path::new(OWN_FOLDER).join(name), Scope::Global).map_err(|_| error));
        if let Err(error) = tried {
            tracing::debug!("not preloaded: {error}");
        }
    }
}

/// The name of a file without folder and `.so`.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// Arguments for C that stay for good: plugins keep pointers to them.
struct Arguments {
    pointers: Vec<*mut c_char>,
}

impl Arguments {
    fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Arguments {
        let mut pointers: Vec<*mut c_char> =
            texts.map(|text| CString::new(text.replace('\0', "")).unwrap_or_default().into_raw()).collect();
        pointers.push(std::ptr::null_mut());
        Arguments { pointers }
    }

    fn count(&self) -> i32 {
        (self.pointers.len() - 1) as i32
    }

    /// The array. It is leaked, as `optarg` and the like may point into it.
    fn leak(self) -> *mut *mut c_char {
        self.pointers.leak().as_mut_ptr()
    }
}

unsafe extern "C" {
    fn tollgate_ts_reset_getopt();
}

/// Lets the next plugin use `getopt` as if it were the first.
fn reset_getopt() {
    // SAFETY: sets three variables of libc; plugins are started one after the other.
    unsafe { tollgate_ts_reset_getopt() }
}

impl PluginLoader for Loader {
    fn takes(&self, name: &str) -> bool {
        name.ends_with(".so")
    }

    fn finds(&self, name: &str) -> bool {
        let path = self.state.lock().dir.join(name);
        path.is_file()
    }

    fn begin(&self, records: &Records) {
        let files: Vec<Arc<RemapFile>> = {
            let mut state = self.state.lock();
            state.dir = PathBuf::from(records.str(ids::PLUGIN_PLUGIN_DIR));
            state.preload = records.str(ids::TOLLGATE_TS_PRELOAD).to_string();
            state.block_limit =
                Duration::from_millis(records.int(ids::TOLLGATE_TS_BLOCKING_LIMIT).max(0) as u64);
            state.copies = records.flag(ids::PLUGIN_DYNAMIC_RELOAD_MODE);
            state.lines.iter_mut().for_each(Line::release);
            state.used.clear();
            state.files.retain(|_, file| file.strong_count() > 0);
            state.files.values().filter_map(Weak::upgrade).collect()
        };
        files.iter().for_each(|file| file.before_reload());
    }

    fn global(&self, line: &PluginUse) -> Result<Box<dyn tollgate_plugin::Plugin>, PluginError> {
        let (known, is_first) = {
            let mut state = self.state.lock();
            let known = state.lines.iter_mut().find_map(|known| known.claim(line));
            (known, state.is_first)
        };
        if let Some(started) = known {
            return Ok(Box::new(started));
        }
        let path = self.prepare(&line.name);
        if !is_first {
            tracing::warn!(
                "{}:{}: plugin {} is new: it is loaded when the server starts again",
                line.file,
                line.line,
                line.name
            );
            return Ok(Box::new(Started::none(Plugin::new(&stem(&path), None))));
        }
        let of_file = self.state.lock().lines.iter().find_map(|l| l.plugin_of(&path));
        if of_file.is_some() {
            tracing::warn!("multiple loading of plugin {}", path.display());
        }
        let started = global::start(&path, of_file, line, self.purpose).map_err(PluginError::new)?;
        self.state.lock().lines.push(Line::new(line, path, started.clone()));
        Ok(Box::new(started))
    }

    fn remap(
        &self,
        name: &str,
        from: &str,
        to: &str,
        params: &[String],
    ) -> Result<Box<dyn RemapInstance>, PluginError> {
        let path = self.prepare(name);
        let (known, copies) = {
            let state = self.state.lock();
            let opted_out = state.lines.iter().filter_map(|l| l.plugin_of(&path)).any(|p| !p.reloads());
            (state.files.get(&path).and_then(Weak::upgrade), state.copies && !opted_out)
        };
        let file = match known.filter(|file| !copies || file.is_current()) {
            Some(file) => file,
            None => {
                let file = RemapFile::load(&path, copies, self.purpose).map_err(PluginError::new)?;
                self.state.lock().files.insert(path, Arc::downgrade(&file));
                file
            }
        };
        {
            let mut state = self.state.lock();
            if !state.used.iter().any(|used| Arc::ptr_eq(used, &file)) {
                state.used.push(Arc::clone(&file));
            }
        }
        remap::instance(file, from, to, params, self.purpose).map_err(PluginError::new)
    }

    fn end(&self, is_built: bool) {
        let (files, used) = {
            let mut state = self.state.lock();
            if is_built {
                state.is_first = false;
            }
            let files: Vec<Arc<RemapFile>> = state.files.values().filter_map(Weak::upgrade).collect();
            (files, std::mem::take(&mut state.used))
        };
        for file in files {
            file.after_reload(is_built, used.iter().any(|used| Arc::ptr_eq(used, &file)));
        }
    }
}
