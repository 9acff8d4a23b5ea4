//! Records overridden for one transaction.
//!
//! Responsible for: values for the engine's records; values of records that the engine does not have: those are kept
//! and given back, and change nothing.
//! Not responsible for: which records there are (`services::overridable`).

use super::{change, with};
use crate::fence::{Misuse, fence, report};
use crate::services::overridable::{self, Overridable, Storage};
use crate::slots::Handle;
use std::ffi::{CString, c_char, c_int};
use tollgate_config::records::{self, Kind, Range, Value};

/// `TSRecordDataType`.
const INT: c_int = 1;
const FLOAT: c_int = 2;
const STRING: c_int = 3;

/// Values of records that the engine does not have.
#[derive(Debug, Default)]
pub(crate) struct Foreign(Vec<(c_int, Value)>);

impl Foreign {
    fn set(&mut self, key: c_int, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    fn clear(&mut self, key: c_int) {
        self.0.retain(|(known, _)| *known != key);
    }

    fn get(&self, key: c_int) -> Option<Value> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
    }
}

/// The engine's record of that key.
fn engine_record(key: c_int) -> Option<records::RecordId> {
    records::find_override_key(u16::try_from(key).ok()?)
}

/// Whether a record is set and read as that type.
fn takes(row: &Overridable, kind: c_int) -> bool {
    row.storage.data_type() == kind || (row.has_words() && matches!(kind, INT | STRING))
}

fn set(function: &'static str, txn: Handle, key: c_int, kind: c_int, value: Value) -> c_int {
    fence(function, -1, || {
        let row = overridable::by_key(key).filter(|row| takes(row, kind));
        let Some(row) = row else { return Ok(-1) };
        let value = match value {
            Value::Int(number) => row.storage.stored(number).map_or(Value::Int(number), Value::Int),
            other => other,
        };
        with(txn, |txn, state| {
            let Some(id) = engine_record(key) else {
                state.overrides.set(key, value);
                return Ok(0);
            };
            let usual = for_engine(id, &value);
            state.overrides.clear(key);
            if usual.as_ref() != Some(&value) {
                // The plugin reads what it has set.
                state.overrides.set(key, value);
            }
            if let Some(Err(error)) = usual.map(|usual| txn.records.set(id, usual)) {
                report(function, &error);
                return Ok(-1);
            }
            Ok(0)
        })
    })
}

/// What the engine makes of a value: the nearest that it knows. `None`: nothing.
fn for_engine(id: records::RecordId, value: &Value) -> Option<Value> {
    let def = id.def();
    let usual = match (value, def.kind, def.range) {
        (Value::Int(number), Kind::Float, _) => Value::Float(*number as f64),
        (Value::Int(number), Kind::Str, _) => Value::Str(sharing_word(*number).into()),
        (Value::Int(number), _, Range::Between(low, high)) => Value::Int(*number.clamp(&low, &high)),
        (Value::Float(number), _, Range::Between(low, high)) => {
            Value::Float(number.clamp(low as f64, high as f64))
        }
        (value, _, _) => value.clone(),
    };
    def.range.admits(&usual).then_some(usual)
}

/// What connections have in common that are shared, by the bits for address and host.
fn sharing_word(bits: i64) -> &'static str {
    const IP: i64 = 1;
    match bits {
        0 => "none",
        IP => "ip",
        _ => "both",
    }
}

/// The number of that word, as Traffic Server keeps it.
fn sharing_bits(word: &str) -> i64 {
    match word {
        "none" => 0,
        "ip" => 1,
        "host" => 2,
        _ => 7,
    }
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
    let row = overridable::by_key(key).filter(|row| takes(row, kind));
    if row.is_none_or(|row| row.storage == Storage::Text) {
        return Ok(None);
    }
    with(txn, |txn, state| {
        Ok(match (state.overrides.get(key), engine_record(key)) {
            (Some(own), _) => Some(own),
            (None, Some(id)) => Some(txn.records.value(id)),
            (None, None) => None,
        })
    })
}

/// A record's number.
///
/// # Safety
/// `result` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSHttpTxnConfigIntGet(txn: Handle, key: c_int, result: *mut i64) -> c_int {
    fence("TSHttpTxnConfigIntGet", -1, || match value(txn, key, INT)? {
        Some(found) if !result.is_null() => {
            let number = match found {
                Value::Int(number) => number,
                Value::Str(word) => sharing_bits(&word),
                Value::Float(number) => number as i64,
            };
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
    let text = match found {
        Some(Value::Str(text)) => text,
        Some(Value::Int(bits)) => sharing_word(bits).into(),
        Some(Value::Float(_)) | None => return -1,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_and_the_table_agree_on_keys() {
        for key in 0..129 {
            let (row, id) = (overridable::by_key(key), records::find_override_key(key as u16));
            if let (Some(row), Some(id)) = (row, id) {
                assert_eq!(id.def().name, row.name, "key {key}");
            }
        }
    }

    #[test]
    fn the_engine_gets_the_nearest_value_that_it_knows() {
        let largest = records::find("proxy.config.http.request_header_max_size").expect("a record");
        assert_eq!(for_engine(largest, &Value::Int(1)), Some(Value::Int(256)));
        assert_eq!(for_engine(largest, &Value::Int(4096)), Some(Value::Int(4096)));
        let sharing = records::find("proxy.config.http.server_session_sharing.match").expect("a record");
        for (bits, word) in [(0, "none"), (1, "ip"), (7, "both")] {
            assert_eq!(for_engine(sharing, &Value::Int(bits)), Some(Value::Str(word.into())));
            assert_eq!(sharing_bits(word), bits);
        }
        assert_eq!(for_engine(sharing, &Value::Str("everything".into())), None);
    }

    #[test]
    fn records_that_the_engine_has_not_are_kept_for_the_plugin() {
        let mut foreign = Foreign::default();
        foreign.set(59, Value::Int(1));
        assert_eq!(foreign.get(59), Some(Value::Int(1)));
        assert_eq!(foreign.get(60), None);
    }
}
