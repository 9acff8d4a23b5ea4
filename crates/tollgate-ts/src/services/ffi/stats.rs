//! `TSStat*`.

use super::{ERROR, SUCCESS, fence, name, put};
use crate::services::stats::{StatType, reading};
use crate::services::{ServiceError, services};
use std::ffi::{c_char, c_int};
use tollgate_obs::metrics::{Reading, Stat};

/// `TS_STAT_PERSISTENT` and `TS_STAT_NON_PERSISTENT`: both begin at 0 with the process.
const PERSISTENCES: [c_int; 2] = [1, 2];

fn with<R: Copy + Default>(function: &'static str, id: c_int, work: impl FnOnce(&Stat) -> R) -> R {
    fence(function, R::default(), || {
        services().stats.with(id, work).ok_or(ServiceError::Unknown("statistic"))
    })
}

/// `TSStatCreate`.
///
/// # Safety
/// `text` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSStatCreate(
    text: *const c_char,
    kind: c_int,
    persistence: c_int,
    sync: c_int,
) -> c_int {
    fence("TSStatCreate", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe { name(text) }?;
        let Some(kind) = StatType::of(kind).filter(|_| PERSISTENCES.contains(&persistence)) else {
            return Ok(ERROR);
        };
        let reading = reading(sync).unwrap_or(Reading::Count);
        services().stats.create(&name, kind, reading).ok_or(ServiceError::TooMany("statistics"))
    })
}

/// `TSStatFindName`.
///
/// # Safety
/// `text` is null or ends with NUL, `id` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSStatFindName(text: *const c_char, id: *mut c_int) -> c_int {
    fence("TSStatFindName", ERROR, || {
        // SAFETY: as the caller vouches.
        let Some(found) = services().stats.find(&unsafe { name(text) }?) else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe { put(id, found) };
        Ok(SUCCESS)
    })
}

/// `TSStatIntIncrement`.
#[unsafe(no_mangle)]
pub extern "C" fn TSStatIntIncrement(id: c_int, amount: i64) {
    with("TSStatIntIncrement", id, |stat| stat.add(amount));
}

/// `TSStatIntDecrement`.
#[unsafe(no_mangle)]
pub extern "C" fn TSStatIntDecrement(id: c_int, amount: i64) {
    with("TSStatIntDecrement", id, |stat| stat.add(amount.wrapping_neg()));
}

/// `TSStatIntGet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSStatIntGet(id: c_int) -> i64 {
    with("TSStatIntGet", id, Stat::sum)
}

/// `TSStatIntSet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSStatIntSet(id: c_int, value: i64) {
    with("TSStatIntSet", id, |stat| stat.set(value));
}
