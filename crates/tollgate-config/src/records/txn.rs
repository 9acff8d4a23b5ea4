//! Records as one transaction sees them.
//!
//! Responsible for: values that remap rules and plugins changed for one transaction, on top of a generation's.
//! Not responsible for: which part of the server asks for a transaction's value and which for the global one.
//! Invariants: only overridable records have overrides; without overrides a look-up costs one comparison
//! more than in [`Records`].

use std::sync::Arc;

use super::{FloatRecord, IntRecord, RecordId, Records, StrRecord, Value, ValueError, find};

/// A generation's records with the overrides of one transaction.
#[derive(Clone, Debug)]
pub struct TxnRecords {
    base: Arc<Records>,
    overrides: Vec<(RecordId, Value)>,
}

impl TxnRecords {
    /// The generation's records, nothing overridden.
    pub fn new(base: Arc<Records>) -> Self {
        TxnRecords { base, overrides: Vec::new() }
    }

    /// The generation's records.
    pub fn base(&self) -> &Arc<Records> {
        &self.base
    }

    /// Whether any record is overridden.
    pub fn has_overrides(&self) -> bool {
        !self.overrides.is_empty()
    }

    /// The overridden records and their values, in the order of their first being set.
    pub fn overrides(&self) -> impl Iterator<Item = (RecordId, &Value)> {
        self.overrides.iter().map(|(id, value)| (*id, value))
    }

    /// The value of an integer record.
    #[inline]
    pub fn int(&self, id: IntRecord) -> i64 {
        match self.overridden(id.into()) {
            Some(Value::Int(value)) => *value,
            _ => self.base.int(id),
        }
    }

    /// Whether an integer record is not zero.
    #[inline]
    pub fn flag(&self, id: IntRecord) -> bool {
        self.int(id) != 0
    }

    /// The value of a floating point record.
    #[inline]
    pub fn float(&self, id: FloatRecord) -> f64 {
        match self.overridden(id.into()) {
            Some(Value::Float(value)) => *value,
            _ => self.base.float(id),
        }
    }

    /// The value of a string record; empty if unset.
    #[inline]
    pub fn str(&self, id: StrRecord) -> &str {
        match self.overridden(id.into()) {
            Some(Value::Str(value)) => value,
            _ => self.base.str(id),
        }
    }

    /// The value of any record.
    pub fn value(&self, id: impl Into<RecordId>) -> Value {
        let id = id.into();
        self.overridden(id).cloned().unwrap_or_else(|| self.base.value(id))
    }

    /// The value of the record called `name`.
    pub fn by_name(&self, name: &str) -> Option<Value> {
        find(name).map(|id| self.value(id))
    }

    /// Overrides an integer record.
    ///
    /// # Errors
    /// If the record is not overridable, or the value is out of range.
    pub fn set_int(&mut self, id: IntRecord, value: i64) -> Result<(), ValueError> {
        self.set(id, Value::Int(value))
    }

    /// Overrides a floating point record.
    ///
    /// # Errors
    /// If the record is not overridable, or the value is out of range.
    pub fn set_float(&mut self, id: FloatRecord, value: f64) -> Result<(), ValueError> {
        self.set(id, Value::Float(value))
    }

    /// Overrides a string record; empty means unset.
    ///
    /// # Errors
    /// If the record is not overridable, or the value is not allowed.
    pub fn set_str(&mut self, id: StrRecord, value: &str) -> Result<(), ValueError> {
        self.set(id, Value::Str(value.into()))
    }

    /// Overrides the record called `name` with the value that `text` means.
    ///
    /// # Errors
    /// If there is no such record, it is not overridable, or the text is not a value of it.
    pub fn set_by_name(&mut self, name: &str, text: &str) -> Result<(), ValueError> {
        let id = find(name).ok_or_else(|| ValueError::Unknown(name.to_owned()))?;
        self.set(id, id.def().parse(text)?)
    }

    /// Overrides any record.
    ///
    /// # Errors
    /// If the record is not overridable, or the value is not allowed.
    pub fn set(&mut self, id: impl Into<RecordId>, value: Value) -> Result<(), ValueError> {
        let id = id.into();
        let def = id.def();
        if def.override_key.is_none() {
            return Err(ValueError::NotOverridable { name: def.name });
        }
        let value = def.check(value)?;
        match self.overrides.iter_mut().find(|(known, _)| *known == id) {
            Some((_, old)) => *old = value,
            None => self.overrides.push((id, value)),
        }
        Ok(())
    }

    #[inline]
    fn overridden(&self, id: RecordId) -> Option<&Value> {
        self.overrides.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids;
    use super::*;

    fn records() -> TxnRecords {
        TxnRecords::new(Arc::new(Records::default()))
    }

    #[test]
    fn an_override_hides_the_generations_value_for_this_transaction_only() {
        let mut txn = records();
        assert!(!txn.has_overrides());
        txn.set_int(ids::HTTP_CACHE_HTTP, 0).expect("overridable");
        txn.set_float(ids::HTTP_CACHE_HEURISTIC_LM_FACTOR, 0.5).expect("overridable");
        txn.set_str(ids::HTTP_RESPONSE_SERVER_STR, "me").expect("overridable");
        assert!(!txn.flag(ids::HTTP_CACHE_HTTP));
        assert_eq!(txn.float(ids::HTTP_CACHE_HEURISTIC_LM_FACTOR), 0.5);
        assert_eq!(txn.str(ids::HTTP_RESPONSE_SERVER_STR), "me");
        assert_eq!(txn.int(ids::HTTP_CACHE_GENERATION), -1);
        assert!(txn.base().flag(ids::HTTP_CACHE_HTTP));
        txn.set_by_name("proxy.config.http.cache.http", "1").expect("overridable");
        assert!(txn.flag(ids::HTTP_CACHE_HTTP));
        assert_eq!(txn.overrides().count(), 3);
        assert_eq!(txn.by_name("proxy.config.http.response_server_str"), Some(Value::Str("me".into())));
    }

    #[test]
    fn records_that_are_not_overridable_are_refused() {
        let mut txn = records();
        assert_eq!(
            txn.set_int(ids::TASK_THREADS, 4).map_err(|error| error.to_string()),
            Err("proxy.config.task_threads cannot be overridden for a transaction".into())
        );
        assert!(txn.set_by_name("proxy.config.nothing", "4").is_err());
        assert!(txn.set_int(ids::HTTP_CACHE_HTTP, 7).is_err());
        assert!(txn.set(ids::HTTP_CACHE_HTTP, Value::Str("1".into())).is_err());
        assert!(!txn.has_overrides());
    }
}
