//! Folders and version.
//!
//! Invariant: texts given to plugins never change and never go away.

use parking_lot::RwLock;
use std::ffi::{CString, c_char, c_int};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What plugins are told that they run in: the version of Traffic Server whose interface this is.
const VERSION: &std::ffi::CStr = c"9.2.9";
const NUMBERS: (c_int, c_int, c_int) = (9, 2, 9);

/// The folders.
struct Folders {
    config: &'static std::ffi::CStr,
    install: &'static std::ffi::CStr,
    runtime: &'static std::ffi::CStr,
    plugins: &'static std::ffi::CStr,
}

static FOLDERS: RwLock<Folders> =
    RwLock::new(Folders { config: c".", install: c"/usr", runtime: c"/tmp", plugins: c"." });

fn kept(path: &Path) -> &'static std::ffi::CStr {
    let text = CString::new(path.to_string_lossy().replace('\0', "")).unwrap_or_default();
    Box::leak(text.into_boxed_c_str())
}

/// Says where things are, before plugins are loaded. Only the first call counts.
pub fn set_folders(config: &Path, plugins: &Path) {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if IS_SET.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut folders = FOLDERS.write();
    folders.config = kept(&std::path::absolute(config).unwrap_or_else(|_| config.to_path_buf()));
    folders.plugins = kept(plugins);
    folders.runtime = kept(&std::env::temp_dir());
}

/// The folder of configuration files.
#[unsafe(no_mangle)]
pub extern "C" fn TSConfigDirGet() -> *const c_char {
    FOLDERS.read().config.as_ptr()
}

/// The folder that the server is installed in.
#[unsafe(no_mangle)]
pub extern "C" fn TSInstallDirGet() -> *const c_char {
    FOLDERS.read().install.as_ptr()
}

/// The folder for files of the running server.
#[unsafe(no_mangle)]
pub extern "C" fn TSRuntimeDirGet() -> *const c_char {
    FOLDERS.read().runtime.as_ptr()
}

/// The folder of plugins.
#[unsafe(no_mangle)]
pub extern "C" fn TSPluginDirGet() -> *const c_char {
    FOLDERS.read().plugins.as_ptr()
}

/// The version of the interface.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGet() -> *const c_char {
    VERSION.as_ptr()
}

/// The version's first number.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGetMajor() -> c_int {
    NUMBERS.0
}

/// The version's second number.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGetMinor() -> c_int {
    NUMBERS.1
}

/// The version's third number.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGetPatch() -> c_int {
    NUMBERS.2
}
