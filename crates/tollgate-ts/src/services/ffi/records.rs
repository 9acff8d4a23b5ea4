//! `TSMgmt*`, `TSRecordDump`, `TSHttpTxnConfigFind`.

use super::{ERROR, SUCCESS, bytes, c_text, code, copy_for_c, fence, name, number, put};
use crate::fence::call_out;
use crate::services::records::{CONFIG, PLUGIN, PROCESS};
use crate::services::{RecordSource, RecordValue, ServiceError, overridable, services};
use std::ffi::{CString, c_char, c_float, c_int, c_void};

/// The value of a record, a metric or a statistic.
fn value(name: &str) -> Option<RecordValue> {
    let services = services();
    services.records.get(name).map(|(value, _)| value).or_else(|| services.stats.record(name))
}

/// Gives what `pick` finds in a record's value.
///
/// # Safety
/// `text` is null or ends with NUL, `out` is null or writable.
unsafe fn give<T>(
    function: &'static str,
    text: *const c_char,
    out: *mut T,
    pick: impl FnOnce(RecordValue) -> Option<T>,
) -> c_int {
    fence(function, ERROR, || {
        // SAFETY: as the caller vouches.
        let found = value(&unsafe { name(text) }?).and_then(pick);
        let Some(found) = found else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe { put(out, found) };
        Ok(SUCCESS)
    })
}

/// `TSMgmtIntGet`.
///
/// # Safety
/// `name` is null or ends with NUL, `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtIntGet(name: *const c_char, result: *mut i64) -> c_int {
    let pick = |value| if let RecordValue::Int(value) = value { Some(value) } else { None };
    // SAFETY: as the caller vouches.
    unsafe { give("TSMgmtIntGet", name, result, pick) }
}

/// `TSMgmtCounterGet`.
///
/// # Safety
/// `name` is null or ends with NUL, `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtCounterGet(name: *const c_char, result: *mut i64) -> c_int {
    let pick = |value| if let RecordValue::Counter(value) = value { Some(value) } else { None };
    // SAFETY: as the caller vouches.
    unsafe { give("TSMgmtCounterGet", name, result, pick) }
}

/// `TSMgmtFloatGet`.
///
/// # Safety
/// `name` is null or ends with NUL, `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtFloatGet(name: *const c_char, result: *mut c_float) -> c_int {
    let pick = |value| if let RecordValue::Float(value) = value { Some(value) } else { None };
    // SAFETY: as the caller vouches.
    unsafe { give("TSMgmtFloatGet", name, result, pick) }
}

/// `TSMgmtStringGet`: the plugin frees the text.
///
/// # Safety
/// `name` is null or ends with NUL, `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtStringGet(name: *const c_char, result: *mut *mut c_char) -> c_int {
    let pick = |value| match value {
        RecordValue::Text(Some(text)) => Some(copy_for_c(text.as_bytes())),
        _ => None,
    };
    // SAFETY: as the caller vouches.
    unsafe { give("TSMgmtStringGet", name, result, pick) }
}

/// `TSMgmtDataTypeGet`.
///
/// # Safety
/// `name` is null or ends with NUL, `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtDataTypeGet(name: *const c_char, result: *mut c_int) -> c_int {
    // SAFETY: as the caller vouches.
    unsafe { give("TSMgmtDataTypeGet", name, result, |value| Some(value.data_type())) }
}

/// `TSMgmtSourceGet`.
///
/// # Safety
/// `text` is null or ends with NUL, `source` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtSourceGet(text: *const c_char, source: *mut c_int) -> c_int {
    fence("TSMgmtSourceGet", ERROR, || {
        let services = services();
        // SAFETY: as the caller vouches.
        let name = unsafe { name(text) }?;
        let metric = || services.stats.record(&name).map(|_| RecordSource::Null);
        let Some(found) = services.records.source(&name).or_else(metric) else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe { put(source, found as c_int) };
        Ok(SUCCESS)
    })
}

/// `TSMgmtIntCreate`. The checks are for those who set the record, which nobody can.
///
/// # Safety
/// `text` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtIntCreate(
    kind: c_int,
    text: *const c_char,
    default: i64,
    _update: c_int,
    _check: c_int,
    _pattern: *const c_char,
    _access: c_int,
) -> c_int {
    fence("TSMgmtIntCreate", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe { name(text) }?;
        Ok(code(services().records.create(kind, &name, RecordValue::Int(default))))
    })
}

/// `TSMgmtStringCreate`.
///
/// # Safety
/// Texts are null or end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtStringCreate(
    kind: c_int,
    text: *const c_char,
    default: *const c_char,
    _update: c_int,
    _check: c_int,
    _pattern: *const c_char,
    _access: c_int,
) -> c_int {
    fence("TSMgmtStringCreate", ERROR, || {
        // SAFETY: as the caller vouches. No default is none.
        let (name, default) = unsafe { (name(text)?, c_text(default, "the default").ok()) };
        let default = default.map(|text| text.to_string_lossy().into_owned());
        Ok(code(services().records.create(kind, &name, RecordValue::Text(default))))
    })
}

/// `TSMgmtConfigIntSet`.
///
/// # Safety
/// `text` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtConfigIntSet(text: *const c_char, value: i64) -> c_int {
    fence("TSMgmtConfigIntSet", ERROR, || {
        // SAFETY: as the caller vouches.
        Ok(code(services().records.set_int(&unsafe { name(text) }?, value)))
    })
}

/// `TSMgmtConfigFileAdd`.
///
/// # Safety
/// Texts are null or end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtConfigFileAdd(parent: *const c_char, file: *const c_char) -> c_int {
    fence("TSMgmtConfigFileAdd", ERROR, || {
        // SAFETY: as the caller vouches.
        let (parent, file) = unsafe { (name(parent)?, name(file)?) };
        Ok(code(services().host().watch(&parent, &file)))
    })
}

/// `TSMgmtUpdateRegister`.
///
/// # Safety
/// `plugin` is null or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMgmtUpdateRegister(continuation: *mut c_void, plugin: *const c_char) {
    fence("TSMgmtUpdateRegister", (), || {
        if continuation.is_null() {
            return Err(ServiceError::Null("the continuation"));
        }
        // SAFETY: as the caller vouches.
        services().records.listen(number(continuation), &unsafe { name(plugin) }?);
        Ok(())
    });
}

/// `TSHttpTxnConfigFind`.
///
/// # Safety
/// `name` has `length` readable bytes, or ends with NUL if that is negative; the other pointers are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigFind(
    name: *const c_char,
    length: c_int,
    key: *mut c_int,
    data_type: *mut c_int,
) -> c_int {
    fence("TSHttpTxnConfigFind", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe {
            match usize::try_from(length) {
                Ok(length) => bytes(name, length),
                Err(_) => c_text(name, "the name")?.to_bytes(),
            }
        };
        let Some(row) = overridable::find(name) else { return Ok(ERROR) };
        // SAFETY: as the caller vouches.
        unsafe {
            put(key, row.key);
            put(data_type, row.storage.data_type());
        }
        Ok(SUCCESS)
    })
}

/// `TSRecordData`.
#[repr(C)]
#[derive(Clone, Copy)]
pub union RecordData {
    /// An integer or a count.
    pub number: i64,
    /// A floating point number.
    pub float: c_float,
    /// A text, or null.
    pub text: *mut c_char,
}

/// `TSRecordDumpCb`.
pub type DumpFunction =
    unsafe extern "C-unwind" fn(c_int, *mut c_void, c_int, *const c_char, c_int, *mut RecordData);

/// `TSRecordDump`: calls for each record of the kinds in the mask. The function may use any other.
///
/// # Safety
/// `callback` may be called with `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSRecordDump(mask: c_int, callback: Option<DumpFunction>, data: *mut c_void) {
    fence("TSRecordDump", (), || {
        let callback = callback.ok_or(ServiceError::Null("the function"))?;
        for (kind, name, value) in dumped(mask) {
            // Names come from C or from tables: there is no NUL in them.
            let Ok(name) = CString::new(name) else { continue };
            let text = match &value {
                RecordValue::Text(Some(text)) => CString::new(text.as_str()).ok(),
                _ => None,
            };
            let mut datum = match value {
                RecordValue::Int(number) | RecordValue::Counter(number) => RecordData { number },
                RecordValue::Float(float) => RecordData { float },
                RecordValue::Text(_) => {
                    RecordData { text: text.as_ref().map_or(std::ptr::null_mut(), |t| t.as_ptr().cast_mut()) }
                }
            };
            // SAFETY: as the caller vouches; name and value live until the call returns.
            call_out(|| unsafe {
                callback(kind, data, 1, name.as_ptr(), value.data_type(), &raw mut datum);
            });
        }
        Ok(())
    });
}

/// Copies of the records of the kinds in the mask, so that no lock is held while a plugin looks at them.
fn dumped(mask: c_int) -> Vec<(c_int, String, RecordValue)> {
    let mut found = Vec::new();
    let services = services();
    let mut add = |kind: c_int, name: &str, value: &RecordValue| {
        if mask & kind != 0 {
            found.push((kind, name.to_owned(), value.clone()));
        }
    };
    services.host().each_record(&mut |name, value| add(CONFIG, name, value));
    services.stats.each_metric(&mut |name, value| add(PROCESS, name, value));
    services.records.each_made(&mut |kind, name, value| add(kind, name, value));
    services.stats.each(&mut |name, value| add(PLUGIN, name, value));
    found
}
