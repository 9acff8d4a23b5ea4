//! `TSMBuffer*`, `TSHandleMLocRelease`.

use super::{ERROR, Handle, SUCCESS, buffer, fence, handle_of, messages};
use crate::message::table::Loc;
use std::ffi::c_int;
use std::ptr::null_mut;

/// A new buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSMBufferCreate() -> Handle {
    fence("TSMBufferCreate", null_mut(), || messages().create().map(|id| handle_of(id.raw())))
}

/// Destroys a buffer that the plugin made.
#[unsafe(no_mangle)]
pub extern "C" fn TSMBufferDestroy(bufp: Handle) -> c_int {
    fence("TSMBufferDestroy", ERROR, || messages().destroy(buffer(bufp)?).map(|()| SUCCESS))
}

/// Releases a location. The null location is released at once.
#[unsafe(no_mangle)]
pub extern "C" fn TSHandleMLocRelease(_bufp: Handle, parent: Handle, mloc: Handle) -> c_int {
    fence("TSHandleMLocRelease", ERROR, || {
        let Some(loc) = Loc::from_raw(mloc.addr() as u64) else { return Ok(SUCCESS) };
        let parent = Loc::from_raw(parent.addr() as u64);
        messages().with_owner(loc, |b| b.release(parent, loc)).map(|()| SUCCESS)
    })
}
