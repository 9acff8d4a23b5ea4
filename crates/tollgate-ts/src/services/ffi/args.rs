//! `TSUserArg*` and their old names.

use super::{ERROR, SUCCESS, c_text, fence, number, put};
use crate::services::error::ServiceError;
use crate::services::services;
use crate::services::user_args::{ArgKind, ArgStore, ArgTexts};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

fn kind(number: c_int) -> Result<ArgKind, ServiceError> {
    ArgKind::of(number).ok_or(ServiceError::Unknown("kind of user arguments"))
}

/// Writes texts unless there is no place for them.
///
/// # Safety
/// Both pointers are null or writable.
unsafe fn give(texts: ArgTexts, name: *mut *const c_char, description: *mut *const c_char) {
    // SAFETY: as the caller vouches.
    unsafe {
        put(name, texts.name);
        put(description, texts.description);
    }
}

/// The arguments of an object that is of this kind.
fn of_kind(kind: ArgKind, object: *mut c_void) -> Result<Arc<ArgStore>, ServiceError> {
    match services().host().args_of(number(object)) {
        Some((found, store)) if found == kind => Ok(store),
        Some(_) => Err(ServiceError::WrongKind),
        None => Err(ServiceError::Gone("object")),
    }
}

/// `TSUserArgIndexReserve`.
///
/// # Safety
/// Texts are null or end with NUL, `index` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUserArgIndexReserve(
    kind_number: c_int,
    name: *const c_char,
    description: *const c_char,
    index: *mut c_int,
) -> c_int {
    fence("TSUserArgIndexReserve", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe { c_text(name, "the name") }?;
        // SAFETY: as the caller vouches. A missing description is an empty one.
        let description = unsafe { c_text(description, "the description") }.ok();
        let Some(reserved) = services().user_args.reserve(kind(kind_number)?, name, description) else {
            return Ok(ERROR);
        };
        // SAFETY: as the caller vouches.
        unsafe { put(index, reserved) };
        Ok(SUCCESS)
    })
}

/// `TSUserArgIndexNameLookup`.
///
/// # Safety
/// `name` is null or ends with NUL, the other pointers are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUserArgIndexNameLookup(
    kind_number: c_int,
    name: *const c_char,
    index: *mut c_int,
    description: *mut *const c_char,
) -> c_int {
    fence("TSUserArgIndexNameLookup", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe { c_text(name, "the name") }?;
        let Some((found, texts)) = services().user_args.lookup_name(kind(kind_number)?, name) else {
            return Ok(ERROR);
        };
        // SAFETY: as the caller vouches.
        unsafe {
            put(index, found);
            give(texts, std::ptr::null_mut(), description);
        }
        Ok(SUCCESS)
    })
}

/// `TSUserArgIndexLookup`.
///
/// # Safety
/// The pointers are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSUserArgIndexLookup(
    kind_number: c_int,
    index: c_int,
    name: *mut *const c_char,
    description: *mut *const c_char,
) -> c_int {
    fence("TSUserArgIndexLookup", ERROR, || {
        let Some(texts) = services().user_args.lookup(kind(kind_number)?, index) else {
            return Ok(ERROR);
        };
        // SAFETY: as the caller vouches.
        unsafe { give(texts, name, description) };
        Ok(SUCCESS)
    })
}

/// `TSUserArgGet`: of a transaction, session or connection, or of the process (null).
#[unsafe(no_mangle)]
pub extern "C" fn TSUserArgGet(object: *mut c_void, index: c_int) -> *mut c_void {
    fence("TSUserArgGet", std::ptr::null_mut(), || {
        if object.is_null() {
            return services().user_args.process().get(index);
        }
        let (_, store) = services().host().args_of(number(object)).ok_or(ServiceError::Gone("object"))?;
        store.get(index)
    })
}

/// `TSUserArgSet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSUserArgSet(object: *mut c_void, index: c_int, value: *mut c_void) {
    fence("TSUserArgSet", (), || {
        if object.is_null() {
            return services().user_args.process().set(index, value);
        }
        let (_, store) = services().host().args_of(number(object)).ok_or(ServiceError::Gone("object"))?;
        store.set(index, value)
    });
}

/// As `TSUserArgIndexReserve`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnArgIndexReserve(
    name: *const c_char,
    description: *const c_char,
    index: *mut c_int,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexReserve(ArgKind::Transaction as c_int, name, description, index) }
}

/// As `TSUserArgIndexNameLookup`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnArgIndexNameLookup(
    name: *const c_char,
    index: *mut c_int,
    description: *mut *const c_char,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexNameLookup(ArgKind::Transaction as c_int, name, index, description) }
}

/// As `TSUserArgIndexLookup`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnArgIndexLookup(
    index: c_int,
    name: *mut *const c_char,
    description: *mut *const c_char,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexLookup(ArgKind::Transaction as c_int, index, name, description) }
}

/// As `TSUserArgGet`, but null is no object.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnArgGet(object: *mut c_void, index: c_int) -> *mut c_void {
    fence("TSHttpTxnArgGet", std::ptr::null_mut(), || of_kind(ArgKind::Transaction, object)?.get(index))
}

/// As `TSUserArgSet`, but null is no object.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnArgSet(object: *mut c_void, index: c_int, value: *mut c_void) {
    fence("TSHttpTxnArgSet", (), || of_kind(ArgKind::Transaction, object)?.set(index, value));
}

/// As `TSUserArgIndexReserve`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpSsnArgIndexReserve(
    name: *const c_char,
    description: *const c_char,
    index: *mut c_int,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexReserve(ArgKind::Session as c_int, name, description, index) }
}

/// As `TSUserArgIndexNameLookup`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpSsnArgIndexNameLookup(
    name: *const c_char,
    index: *mut c_int,
    description: *mut *const c_char,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexNameLookup(ArgKind::Session as c_int, name, index, description) }
}

/// As `TSUserArgIndexLookup`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpSsnArgIndexLookup(
    index: c_int,
    name: *mut *const c_char,
    description: *mut *const c_char,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexLookup(ArgKind::Session as c_int, index, name, description) }
}

/// As `TSUserArgGet`, but null is no object.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnArgGet(object: *mut c_void, index: c_int) -> *mut c_void {
    fence("TSHttpSsnArgGet", std::ptr::null_mut(), || of_kind(ArgKind::Session, object)?.get(index))
}

/// As `TSUserArgSet`, but null is no object.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpSsnArgSet(object: *mut c_void, index: c_int, value: *mut c_void) {
    fence("TSHttpSsnArgSet", (), || of_kind(ArgKind::Session, object)?.set(index, value));
}

/// As `TSUserArgIndexReserve`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSVConnArgIndexReserve(
    name: *const c_char,
    description: *const c_char,
    index: *mut c_int,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexReserve(ArgKind::Connection as c_int, name, description, index) }
}

/// As `TSUserArgIndexNameLookup`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSVConnArgIndexNameLookup(
    name: *const c_char,
    index: *mut c_int,
    description: *mut *const c_char,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexNameLookup(ArgKind::Connection as c_int, name, index, description) }
}

/// As `TSUserArgIndexLookup`.
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSVConnArgIndexLookup(
    index: c_int,
    name: *mut *const c_char,
    description: *mut *const c_char,
) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { TSUserArgIndexLookup(ArgKind::Connection as c_int, index, name, description) }
}

/// As `TSUserArgGet`, but null is no object.
#[unsafe(no_mangle)]
pub extern "C" fn TSVConnArgGet(object: *mut c_void, index: c_int) -> *mut c_void {
    fence("TSVConnArgGet", std::ptr::null_mut(), || of_kind(ArgKind::Connection, object)?.get(index))
}

/// As `TSUserArgSet`, but null is no object.
#[unsafe(no_mangle)]
pub extern "C" fn TSVConnArgSet(object: *mut c_void, index: c_int, value: *mut c_void) {
    fence("TSVConnArgSet", (), || of_kind(ArgKind::Connection, object)?.set(index, value));
}
