//! SELECT_ALT: plugins judge stored alternates.
//!
//! Invariants: the handle of an alternate is good during the call only; the messages are read-only.

use crate::cont::Cont;
use crate::fence::{Misuse, fence};
use crate::message::{Access, BufferId, Loc, messages};
use crate::slots::{Handle, Kind, Slots, number, pointer};
use parking_lot::Mutex;
use std::ffi::c_int;
use std::sync::Arc;
use tollgate_plugin::hooks::Alternate;

const EVENT: c_int = 60010;

static ALTERNATES: Slots<Shown> = Slots::new(Kind::Alternate);

/// An alternate shown to a plugin.
#[derive(Debug)]
struct Shown {
    number: u64,
    request: (BufferId, Loc),
    cached_request: (BufferId, Loc),
    response: (BufferId, Loc),
    said: Mutex<Option<f32>>,
}

/// Asks a continuation about an alternate.
pub(super) fn ask(cont: &Cont, alternate: &Alternate<'_>) {
    let request = messages().open_request(alternate.client_request, Access::ReadOnly);
    let response = messages().open_response(alternate.cached_response, Access::ReadOnly);
    let cached_request = messages().open_request(alternate.cached_request, Access::ReadOnly);
    let (Ok(request), Ok(cached_request), Ok(response)) = (request, cached_request, response) else { return };
    let shown = ALTERNATES.insert(|number| {
        Arc::new(Shown { number, request, cached_request, response, said: Mutex::new(None) })
    });
    if let Some(shown) = shown {
        let turn = cont.wait();
        cont.call(&turn, EVENT, pointer(shown.number));
        drop(turn);
        drop(ALTERNATES.remove(shown.number));
        if let Some(quality) = *shown.said.lock() {
            heed(alternate, quality);
        }
    }
    for (id, _) in [request, cached_request, response] {
        // They were opened here; nobody else closes them.
        let _closed: Result<(), crate::message::MessageError> = messages().close(id);
    }
}

/// What one handler says is multiplied by what others have said. Not a number counts as 0.
// ATS: the greatest number leaves the quality at 1 and has `Vary` count for nothing.
fn heed(alternate: &Alternate<'_>, quality: f32) {
    if quality == f32::MAX {
        alternate.ignores_vary.set(true);
    }
    let quality = if quality.is_nan() { 0.0 } else { quality.clamp(0.0, 1.0) };
    alternate.quality.set(alternate.quality.get() * quality);
}

fn find(handle: Handle) -> Result<Arc<Shown>, Misuse> {
    if handle.is_null() {
        return Err(Misuse::Null);
    }
    ALTERNATES.get(number(handle)).ok_or(Misuse::Gone("alternate"))
}

/// # Safety
/// Both places are null or writable.
unsafe fn give((id, loc): (BufferId, Loc), bufp: *mut Handle, obj: *mut Handle) -> c_int {
    for (place, raw) in [(bufp, id.raw()), (obj, loc.raw())] {
        if !place.is_null() {
            // SAFETY: as the caller vouches.
            unsafe { place.write(pointer(raw)) };
        }
    }
    0
}

/// The client's request.
///
/// # Safety
/// `bufp` and `obj` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpAltInfoClientReqGet(
    info: Handle,
    bufp: *mut Handle,
    obj: *mut Handle,
) -> c_int {
    fence("TSHttpAltInfoClientReqGet", -1, || {
        let found = find(info)?.request;
        // SAFETY: as the caller vouches.
        Ok::<_, Misuse>(unsafe { give(found, bufp, obj) })
    })
}

/// The request that the alternate was stored for: method, URL, and the fields that it was chosen by.
///
/// # Safety
/// `bufp` and `obj` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpAltInfoCachedReqGet(
    info: Handle,
    bufp: *mut Handle,
    obj: *mut Handle,
) -> c_int {
    fence("TSHttpAltInfoCachedReqGet", -1, || {
        let found = find(info)?.cached_request;
        // SAFETY: as the caller vouches.
        Ok::<_, Misuse>(unsafe { give(found, bufp, obj) })
    })
}

/// The stored response.
///
/// # Safety
/// `bufp` and `obj` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpAltInfoCachedRespGet(
    info: Handle,
    bufp: *mut Handle,
    obj: *mut Handle,
) -> c_int {
    fence("TSHttpAltInfoCachedRespGet", -1, || {
        let found = find(info)?.response;
        // SAFETY: as the caller vouches.
        Ok::<_, Misuse>(unsafe { give(found, bufp, obj) })
    })
}

/// Says how good the alternate is, from 0 to 1; 0: it is not to be served; `FLT_MAX`: 1, and whatever `Vary` says.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpAltInfoQualitySet(info: Handle, quality: f32) {
    fence("TSHttpAltInfoQualitySet", (), || {
        let shown = find(info)?;
        *shown.said.lock() = Some(quality);
        Ok::<_, Misuse>(())
    });
}
