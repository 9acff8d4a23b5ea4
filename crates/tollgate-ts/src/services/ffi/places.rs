//! Directories, the version, time and chance.

use super::fence;
use crate::services::services;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_double, c_int, c_uint};
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The version whose interface this is.
const VERSION: (c_int, c_int, c_int) = (9, 2, 9);

struct Places {
    install: CString,
    config: CString,
    runtime: CString,
    plugins: CString,
}

fn places() -> &'static Places {
    static PLACES: OnceLock<Places> = OnceLock::new();
    PLACES.get_or_init(|| {
        let directories = services().host().directories();
        // A path cannot contain NUL.
        let text = |path: PathBuf| CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
        Places {
            install: text(directories.install),
            config: text(directories.config),
            runtime: text(directories.runtime),
            plugins: text(directories.plugins),
        }
    })
}

/// `TSInstallDirGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSInstallDirGet() -> *const c_char {
    fence("TSInstallDirGet", std::ptr::null(), || Ok(places().install.as_ptr()))
}

/// `TSConfigDirGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSConfigDirGet() -> *const c_char {
    fence("TSConfigDirGet", std::ptr::null(), || Ok(places().config.as_ptr()))
}

/// `TSRuntimeDirGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSRuntimeDirGet() -> *const c_char {
    fence("TSRuntimeDirGet", std::ptr::null(), || Ok(places().runtime.as_ptr()))
}

/// `TSPluginDirGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSPluginDirGet() -> *const c_char {
    fence("TSPluginDirGet", std::ptr::null(), || Ok(places().plugins.as_ptr()))
}

/// `TSTrafficServerVersionGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGet() -> *const c_char {
    c"9.2.9".as_ptr()
}

/// `TSTrafficServerVersionGetMajor`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGetMajor() -> c_int {
    VERSION.0
}

/// `TSTrafficServerVersionGetMinor`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGetMinor() -> c_int {
    VERSION.1
}

/// `TSTrafficServerVersionGetPatch`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTrafficServerVersionGetPatch() -> c_int {
    VERSION.2
}

/// `TShrtime`: nanoseconds since 1970.
#[unsafe(no_mangle)]
pub extern "C" fn TShrtime() -> i64 {
    fence("TShrtime", 0, || Ok(services().host().now_ns()))
}

/// A number of this thread's generator (xorshift64*), whose seed comes from the system.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one("seed") | 1);
    }
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

/// `TSrandom`.
#[unsafe(no_mangle)]
pub extern "C" fn TSrandom() -> c_uint {
    fence("TSrandom", 0, || Ok((random() >> 32) as c_uint))
}

/// `TSdrandom`: from 0 to below 1.
#[unsafe(no_mangle)]
pub extern "C" fn TSdrandom() -> c_double {
    fence("TSdrandom", 0.0, || Ok((random() >> 11) as c_double / (1_u64 << 53) as c_double))
}
