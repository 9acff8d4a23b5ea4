//! `TSTextLogObject*`. The formatted text of `TSTextLogObjectWrite` comes from C by [`write_text_log`].

use super::{ERROR, Handle, SUCCESS, c_text, code, fence, handle_of, name, number};
use crate::services::services;
use crate::services::text_log::RollingPart;
use std::ffi::{c_char, c_int};

/// Appends a line to a text log; whether that worked. For the function with variable arguments.
pub fn write_text_log(log: Handle, text: &[u8]) -> bool {
    fence("TSTextLogObjectWrite", false, || services().text_logs.write(number(log), text))
}

/// `TSTextLogObjectCreate`.
///
/// # Safety
/// `file` is null or ends with NUL, `log` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSTextLogObjectCreate(file: *const c_char, mode: c_int, log: *mut Handle) -> c_int {
    fence("TSTextLogObjectCreate", ERROR, || {
        // SAFETY: as the caller vouches.
        let created = services().text_logs.create(&unsafe { name(file) }?, mode);
        // SAFETY: as the caller vouches.
        unsafe { super::put(log, created.map_or(std::ptr::null_mut(), handle_of)) };
        Ok(code(created.is_some()))
    })
}

/// `TSTextLogObjectFlush`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTextLogObjectFlush(log: Handle) {
    fence("TSTextLogObjectFlush", (), || services().text_logs.flush(number(log)));
}

/// `TSTextLogObjectDestroy`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTextLogObjectDestroy(log: Handle) -> c_int {
    fence("TSTextLogObjectDestroy", ERROR, || services().text_logs.destroy(number(log)).map(|()| SUCCESS))
}

/// `TSTextLogObjectHeaderSet`.
///
/// # Safety
/// `header` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSTextLogObjectHeaderSet(log: Handle, header: *const c_char) {
    fence("TSTextLogObjectHeaderSet", (), || {
        // SAFETY: as the caller vouches. Null takes the header away.
        let header = unsafe { c_text(header, "the header") }.ok();
        services().text_logs.set_header(number(log), header.map(std::ffi::CStr::to_bytes))
    });
}

/// `TSTextLogObjectRollingEnabledSet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTextLogObjectRollingEnabledSet(log: Handle, mode: c_int) -> c_int {
    fence("TSTextLogObjectRollingEnabledSet", ERROR, || {
        services().text_logs.set_rolling(number(log), RollingPart::Mode, mode).map(|()| SUCCESS)
    })
}

/// `TSTextLogObjectRollingIntervalSecSet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTextLogObjectRollingIntervalSecSet(log: Handle, seconds: c_int) {
    fence("TSTextLogObjectRollingIntervalSecSet", (), || {
        services().text_logs.set_rolling(number(log), RollingPart::Interval, seconds)
    });
}

/// `TSTextLogObjectRollingOffsetHrSet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTextLogObjectRollingOffsetHrSet(log: Handle, hours: c_int) {
    fence("TSTextLogObjectRollingOffsetHrSet", (), || {
        services().text_logs.set_rolling(number(log), RollingPart::Offset, hours)
    });
}

/// `TSTextLogObjectRollingSizeMbSet`.
#[unsafe(no_mangle)]
pub extern "C" fn TSTextLogObjectRollingSizeMbSet(log: Handle, megabytes: c_int) {
    fence("TSTextLogObjectRollingSizeMbSet", (), || {
        services().text_logs.set_rolling(number(log), RollingPart::Size, megabytes)
    });
}
