//! Records overridden for one transaction.
//!
//! Responsible for: `TSOverridableConfigKey` (`overridable.csv`), values for the engine's records, values of records
//! that the engine does not have: those are kept and given back, and change nothing.

use super::{change, with};
use crate::fence::{Misuse, fence, report};
use crate::slots::Handle;
use std::ffi::{CString, c_char, c_int};
use std::sync::LazyLock;
use tollgate_config::records::{self, Kind, Value};

/// `TSRecordDataType`.
const INT: c_int = 1;
const FLOAT: c_int = 2;
const STRING: c_int = 3;

/// One overridable record of Traffic Server.
struct Overridable {
    key: u16,
    name: &'static str,
    kind: c_int,
    default: &'static str,
}

static TABLE: LazyLock<Vec<Overridable>> =
    LazyLock::new(|| include_str!("../../overridable.csv").lines().skip(1).filter_map(row).collect());

fn row(line: &'static str) -> Option<Overridable> {
    let mut cells = line.splitn(4, ',');
    let key = cells.next()?.parse().ok()?;
    let name = cells.next()?;
    let kind = match cells.next()? {
        "FLOAT" => FLOAT,
        "STRING" => STRING,
        _ => INT,
    };
    Some(Overridable { key, name, kind, default: cells.next()? })
}

fn by_key(key: c_int) -> Option<&'static Overridable> {
    let key = u16::try_from(key).ok()?;
    TABLE.binary_search_by_key(&key, |row| row.key).ok().map(|at| &TABLE[at])
}

/// Values of records that the engine does not have.
#[derive(Debug, Default)]
pub(crate) struct Foreign(Vec<(u16, Value)>);

impl Foreign {
    fn set(&mut self, key: u16, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    fn get(&self, row: &Overridable) -> Value {
        let own = self.0.iter().find(|(key, _)| *key == row.key).map(|(_, value)| value.clone());
        own.unwrap_or_else(|| match row.kind {
            FLOAT => Value::Float(row.default.parse().unwrap_or(0.0)),
            STRING => Value::Str(row.default.into()),
            _ => Value::Int(row.default.parse().unwrap_or(0)),
        })
    }
}

fn set(function: &'static str, txn: Handle, key: c_int, kind: c_int, value: Value) -> c_int {
    fence(function, -1, || {
        let Some(row) = by_key(key).filter(|row| row.kind == kind) else { return Ok(-1) };
        with(txn, |txn, state| {
            let Some(id) = records::find_override_key(row.key) else {
                state.overrides.set(row.key, value);
                return Ok(0);
            };
            let value = match (value, id.def().kind) {
                (Value::Int(number), Kind::Float) => Value::Float(number as f64),
                (value, _) => value,
            };
            if let Err(error) = txn.records.set(id, value) {
                report(function, &error);
                return Ok(-1);
            }
            Ok(0)
        })
    })
}

/// Overrides a record with a number.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnConfigIntSet(txn: Handle, key: c_int, value: i64) -> c_int {
    set("TSHttpTxnConfigIntSet", txn, key, INT, Value::Int(value))
}

/// Overrides a record with a fraction.
#[unsafe(no_mangle)]
pub extern "C" fn TSHttpTxnConfigFloatSet(txn: Handle, key: c_int, value: f32) -> c_int {
    // As text, so that 0.1 stays 0.1.
    let value = value.to_string().parse().unwrap_or_else(|_| f64::from(value));
    set("TSHttpTxnConfigFloatSet", txn, key, FLOAT, Value::Float(value))
}

/// Overrides a record with a text. It is copied.
///
/// # Safety
/// `value` is null, or has `length` readable bytes or a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigStringSet(
    txn: Handle,
    key: c_int,
    value: *const c_char,
    length: c_int,
) -> c_int {
    let text = if value.is_null() {
        String::new()
    } else {
        let length = match usize::try_from(length) {
            Ok(length) => length,
            // SAFETY: as the caller vouches.
            Err(_) => unsafe { libc::strlen(value) },
        };
        // SAFETY: as the caller vouches.
        let bytes = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), length) };
        String::from_utf8_lossy(bytes).into_owned()
    };
    set("TSHttpTxnConfigStringSet", txn, key, STRING, Value::Str(text.into()))
}

fn value(txn: Handle, key: c_int, kind: c_int) -> Result<Option<Value>, Misuse> {
    let Some(row) = by_key(key).filter(|row| row.kind == kind) else { return Ok(None) };
    with(txn, |txn, state| {
        Ok(Some(match records::find_override_key(row.key) {
            Some(id) => txn.records.value(id),
            None => state.overrides.get(row),
        }))
    })
}

/// A record's number.
///
/// # Safety
/// `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigIntGet(txn: Handle, key: c_int, result: *mut i64) -> c_int {
    fence("TSHttpTxnConfigIntGet", -1, || match value(txn, key, INT)? {
        Some(Value::Int(number)) if !result.is_null() => {
            // SAFETY: as the caller vouches.
            unsafe { result.write(number) };
            Ok::<_, Misuse>(0)
        }
        _ => Ok(-1),
    })
}

/// A record's fraction.
///
/// # Safety
/// `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigFloatGet(txn: Handle, key: c_int, result: *mut f32) -> c_int {
    fence("TSHttpTxnConfigFloatGet", -1, || match value(txn, key, FLOAT)? {
        Some(Value::Float(number)) if !result.is_null() => {
            // SAFETY: as the caller vouches.
            unsafe { result.write(number as f32) };
            Ok::<_, Misuse>(0)
        }
        _ => Ok(-1),
    })
}

/// A record's text. It lives as long as the transaction.
///
/// # Safety
/// `result` and `length` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigStringGet(
    txn: Handle,
    key: c_int,
    result: *mut *const c_char,
    length: *mut c_int,
) -> c_int {
    let found = fence("TSHttpTxnConfigStringGet", None, || value(txn, key, STRING));
    let Some(Value::Str(text)) = found else { return -1 };
    change("TSHttpTxnConfigStringGet", txn, |_, state| {
        if result.is_null() || length.is_null() {
            return Err(Misuse::Null);
        }
        let size = text.len() as c_int;
        let text = CString::new(text.into_string()).unwrap_or_default();
        // SAFETY: as the caller vouches.
        unsafe {
            result.write(text.as_ptr());
            length.write(size);
        }
        state.texts.push(text);
        Ok(0)
    })
}

/// The key and the type of an overridable record.
///
/// # Safety
/// `name` has `length` readable bytes or ends with NUL; `key` and `kind` are null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigFind(
    name: *const c_char,
    length: c_int,
    key: *mut c_int,
    kind: *mut c_int,
) -> c_int {
    fence("TSHttpTxnConfigFind", -1, || {
        if name.is_null() || key.is_null() {
            return Err(Misuse::Null);
        }
        let length = match usize::try_from(length) {
            Ok(length) => length,
            // SAFETY: as the caller vouches.
            Err(_) => unsafe { libc::strlen(name) },
        };
        // SAFETY: as the caller vouches.
        let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
        let found = TABLE.iter().find(|row| !row.name.is_empty() && row.name.as_bytes() == name);
        let Some(row) = found else { return Ok(-1) };
        // SAFETY: as the caller vouches.
        unsafe {
            key.write(row.key.into());
            if !kind.is_null() {
                kind.write(row.kind);
            }
        }
        Ok(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_types_are_those_of_the_table() {
        assert_eq!(TABLE.len(), 129);
        assert!(TABLE.is_sorted_by_key(|row| row.key));
        let (mut key, mut kind) = (-1, -1);
        let name = c"proxy.config.http.cache.heuristic_lm_factor";
        // SAFETY: a text with NUL and two places.
        let found = unsafe { TSHttpTxnConfigFind(name.as_ptr(), -1, &raw mut key, &raw mut kind) };
        assert_eq!((found, key, kind), (0, 53, FLOAT));
    }

    #[test]
    fn the_engine_and_the_table_agree_on_keys() {
        for row in TABLE.iter() {
            if let Some(id) = records::find_override_key(row.key) {
                assert_eq!(id.def().name, row.name, "key {}", row.key);
            }
        }
    }

    #[test]
    fn records_that_the_engine_has_not_are_kept_for_the_plugin() {
        let row = by_key(59).expect("a row");
        let mut foreign = Foreign::default();
        foreign.set(row.key, Value::Int(1));
        assert_eq!(foreign.get(row), Value::Int(1));
        assert_eq!(Foreign::default().get(row), Value::Int(0));
    }
}
