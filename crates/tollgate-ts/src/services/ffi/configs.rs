//! `TSConfig*`.

use super::{Handle, fence, handle_of, number};
use crate::fence::call_out;
use crate::plugin;
use crate::services::configs::Destroy;
use crate::services::services;
use std::ffi::{c_uint, c_void};

/// `TSConfigDestroyFunc`.
pub type DestroyFunction = Option<unsafe extern "C-unwind" fn(*mut c_void)>;

/// `TSConfigSet`.
///
/// # Safety
/// `destroy` may be called with `data`, on any thread, once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSConfigSet(id: c_uint, data: *mut c_void, destroy: DestroyFunction) -> c_uint {
    fence("TSConfigSet", 0, || {
        let data = data.expose_provenance();
        let owner = plugin::current();
        let destroy = destroy.map(|function| -> Destroy {
            Box::new(move || {
                let _at_work = plugin::enter(owner.as_ref());
                // SAFETY: as the caller vouches; the configuration calls it once.
                call_out(|| unsafe { function(std::ptr::with_exposed_provenance_mut(data)) });
            })
        });
        services().configs.set(id, data, destroy)
    })
}

/// `TSConfigGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSConfigGet(id: c_uint) -> Handle {
    let null = std::ptr::null_mut();
    fence("TSConfigGet", null, || Ok(services().configs.get(id).map_or(null, handle_of)))
}

/// `TSConfigRelease`.
#[unsafe(no_mangle)]
pub extern "C" fn TSConfigRelease(_id: c_uint, config: Handle) {
    fence("TSConfigRelease", (), || services().configs.release(number(config)));
}

/// `TSConfigDataGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSConfigDataGet(config: Handle) -> *mut c_void {
    fence("TSConfigDataGet", std::ptr::null_mut(), || {
        Ok(std::ptr::with_exposed_provenance_mut(services().configs.data(number(config))?))
    })
}
