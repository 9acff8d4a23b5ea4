//! Records: the named settings of the server.
//!
//! Responsible for: the values in force ([`Records`]), where each came from, look-up by typed id (an array
//! access) and by name, and values changed for one transaction ([`TxnRecords`]).
//! Not responsible for: reading files ([`load`]) and what a setting does.
//! Entry points: `records.int(ids::HTTP_CACHE_HTTP)`, [`Records::by_name`], [`Records::iter`].
//! Invariants: every value is of its record's type and within its range.

pub(crate) mod def;
pub mod load;
mod names;
mod table;
mod txn;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

pub use def::{
    Def, FloatRecord, IntRecord, Kind, Range, RecordId, Reload, StrRecord, Value, ValueError, list_words,
    socket_address,
};
pub use names::{foreign_name, nearest};
pub use table::ids;
pub use txn::TxnRecords;

pub(crate) use def::parse_int;
pub(crate) use table::DEFS;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// The table's default.
    #[default]
    Default,
    /// A line of a file.
    File {
        /// File.
        file: Arc<str>,
        /// Line, from 1.
        line: u32,
    },
    /// An environment variable.
    Environment,
    /// The command line's `--set`.
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { file, line } => write!(f, "{file}:{line}"),
            Source::Environment => f.write_str("environment"),
            Source::CommandLine => f.write_str("--set"),
        }
    }
}

/// The values of all records.
#[derive(Clone)]
pub struct Records {
    /// Integers as they are, floating point numbers as their bits; by record id.
    numbers: Box<[u64; DEFS.len()]>,
    /// Strings; by record id.
    strings: Box<[Arc<str>]>,
    sources: Box<[Source]>,
    /// What is said of names that are not in the table: plugins may make records of them.
    others: BTreeMap<Box<str>, Value>,
}

impl Default for Records {
    fn default() -> Self {
        let unset: Arc<str> = Arc::from("");
        let mut records = Records {
            numbers: Box::new([0; DEFS.len()]),
            strings: vec![unset; DEFS.len()].into_boxed_slice(),
            sources: vec![Source::Default; DEFS.len()].into_boxed_slice(),
            others: BTreeMap::new(),
        };
        for (index, def) in DEFS.iter().enumerate() {
            records.put(index, def.default_value(), Source::Default);
        }
        records
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.iter().filter(|entry| *entry.source != Source::Default);
        f.debug_map().entries(changed.map(|entry| (entry.def.name, entry.value))).finish()
    }
}

/// One record with its value, for introspection.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The table's row.
    pub def: &'static Def,
    /// The value in force.
    pub value: Value,
    /// Where it came from.
    pub source: &'a Source,
}

impl Records {
    /// The value of an integer record.
    #[inline]
    pub fn int(&self, id: IntRecord) -> i64 {
        self.numbers[usize::from(id.0)] as i64
    }

    /// Whether an integer record is not zero.
    #[inline]
    pub fn flag(&self, id: IntRecord) -> bool {
        self.int(id) != 0
    }

    /// The value of a floating point record.
    #[inline]
    pub fn float(&self, id: FloatRecord) -> f64 {
        f64::from_bits(self.numbers[usize::from(id.0)])
    }

    /// The value of a string record; empty if unset.
    #[inline]
    pub fn str(&self, id: StrRecord) -> &str {
        &self.strings[usize::from(id.0)]
    }

    /// The value of any record.
    pub fn value(&self, id: impl Into<RecordId>) -> Value {
        let index = usize::from(id.into().0);
        match DEFS[index].kind {
            Kind::Int => Value::Int(self.numbers[index] as i64),
            Kind::Float => Value::Float(f64::from_bits(self.numbers[index])),
            Kind::Str => Value::Str(self.strings[index].as_ref().into()),
        }
    }

    /// The value of the record called `name`.
    pub fn by_name(&self, name: &str) -> Option<Value> {
        find(name).map(|id| self.value(id))
    }

    /// Where the value of a record came from.
    pub fn source_of(&self, id: impl Into<RecordId>) -> &Source {
        &self.sources[usize::from(id.into().0)]
    }

    /// Sets the record called `name` from a text.
    ///
    /// # Errors
    /// If there is no such record, or the text is not a value of it.
    pub fn set_by_name(&mut self, name: &str, text: &str, source: Source) -> Result<(), ValueError> {
        let id = find(name).ok_or_else(|| ValueError::Unknown(name.to_owned()))?;
        let value = id.def().parse(text)?;
        self.put(usize::from(id.0), value, source);
        Ok(())
    }

    /// Sets a record.
    ///
    /// # Errors
    /// If the value is not of the record's type, or out of range.
    pub fn set(&mut self, id: impl Into<RecordId>, value: Value, source: Source) -> Result<(), ValueError> {
        let id = id.into();
        let value = id.def().check(value)?;
        self.put(usize::from(id.0), value, source);
        Ok(())
    }

    /// What a file or the command line says of a name that is not in the table. A text that has no type of its own is
    /// a string; an empty one is none.
    pub fn other(&self, name: &str) -> Option<&Value> {
        self.others.get(name)
    }

    /// Keeps what is said of a name that is not in the table.
    pub(crate) fn set_other(&mut self, name: &str, value: Value) {
        self.others.insert(name.into(), value);
    }

    /// All records in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        (0u16..).zip(&DEFS).map(|(index, def)| Entry {
            def,
            value: self.value(RecordId(index)),
            source: &self.sources[usize::from(index)],
        })
    }

    /// The records whose values differ between `self` and `other`, such as two generations.
    pub fn differences(&self, other: &Records) -> Vec<&'static Def> {
        self.iter()
            .zip(other.iter())
            .filter(|(old, new)| old.value != new.value)
            .map(|(old, _)| old.def)
            .collect()
    }

    fn put(&mut self, index: usize, value: Value, source: Source) {
        match value {
            Value::Int(number) => self.numbers[index] = number as u64,
            Value::Float(number) => self.numbers[index] = number.to_bits(),
            Value::Str(text) => self.strings[index] = text.into(),
        }
        self.sources[index] = source;
    }
}

impl RecordId {
    /// The table's row of this record.
    pub fn def(self) -> &'static Def {
        &DEFS[usize::from(self.0)]
    }
}

/// All rows of the table.
pub fn defs() -> &'static [Def] {
    &DEFS
}

/// Finds a record by its name.
pub fn find(name: &str) -> Option<RecordId> {
    static BY_NAME: LazyLock<Box<[u16]>> = LazyLock::new(|| {
        let mut order: Vec<u16> = (0u16..).take(DEFS.len()).collect();
        order.sort_by_key(|index| DEFS[usize::from(*index)].name);
        order.into_boxed_slice()
    });
    let place = BY_NAME.binary_search_by_key(&name, |index| DEFS[usize::from(*index)].name).ok()?;
    Some(RecordId(BY_NAME[place]))
}

/// Finds an overridable record by the number plugins know it by.
pub fn find_override_key(key: u16) -> Option<RecordId> {
    let index = DEFS.iter().position(|def| def.override_key == Some(key))?;
    u16::try_from(index).ok().map(RecordId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn constants_follow_names() {
        for def in defs() {
            let short = def.name.strip_prefix("proxy.config.").or(def.name.strip_prefix("proxy."));
            let rest = short.expect("a prefix");
            assert_eq!(def.constant, rest.to_uppercase().replace('.', "_"), "{}", def.name);
        }
    }

    #[test]
    fn names_and_override_keys_are_unique() {
        let names: HashSet<_> = defs().iter().map(|def| def.name).collect();
        assert_eq!(names.len(), defs().len());
        let keys: Vec<_> = defs().iter().filter_map(|def| def.override_key).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    }

    #[test]
    fn defaults_are_within_their_ranges() {
        for def in defs() {
            assert_eq!(def.check(def.default_value()), Ok(def.default_value()), "{}", def.name);
        }
    }

    #[test]
    fn records_of_our_own_are_named_so() {
        for def in defs().iter().filter(|def| def.name.starts_with("proxy.config.tollgate.")) {
            assert!(def.is_own, "{}", def.name);
            assert_eq!(def.override_key, None, "{}", def.name);
        }
    }

    #[test]
    fn typed_ids_read_the_values_of_their_own_rows() {
        let records = Records::default();
        assert_eq!(records.int(ids::HTTP_CACHE_MAX_STALE_AGE), 604_800);
        assert_eq!(records.float(ids::HTTP_CACHE_HEURISTIC_LM_FACTOR), 0.1);
        assert_eq!(records.str(ids::HTTP_CONNECT_PORTS), "443");
        assert!(records.flag(ids::HTTP_CACHE_HTTP));
        assert_eq!(RecordId::from(ids::HTTP_CACHE_HTTP).def().name, "proxy.config.http.cache.http");
    }

    #[test]
    fn every_record_is_found_by_name_and_override_key() {
        let records = Records::default();
        for entry in records.iter() {
            let id = find(entry.def.name).expect("found");
            assert_eq!(id.def().name, entry.def.name);
            assert_eq!(records.by_name(entry.def.name), Some(entry.value));
            if let Some(key) = entry.def.override_key {
                assert_eq!(find_override_key(key), Some(id));
            }
        }
        assert_eq!(records.by_name("proxy.config.nothing"), None);
    }

    #[test]
    fn a_value_remembers_its_source() {
        let mut records = Records::default();
        assert_eq!(records.source_of(ids::HTTP_CACHE_HTTP), &Source::Default);
        let line = Source::File { file: "records.config".into(), line: 7 };
        records.set_by_name("proxy.config.http.cache.http", "0", line).expect("set");
        assert_eq!(records.source_of(ids::HTTP_CACHE_HTTP).to_string(), "records.config:7");
        assert!(!records.flag(ids::HTTP_CACHE_HTTP));
        assert_eq!(records.differences(&Records::default()).len(), 1);
    }

    #[test]
    fn integers_accept_hex_suffixes_and_booleans() {
        let read = |text| def::parse_int(text);
        assert_eq!(read("0x1F"), Some(31));
        assert_eq!(read("4K"), Some(4096));
        assert_eq!(read("2m"), Some(2 << 20));
        assert_eq!(read("1G"), Some(1 << 30));
        assert_eq!(read("3T"), Some(3 << 40));
        assert_eq!(read("-1"), Some(-1));
        assert_eq!(read("true"), Some(1));
        assert_eq!(read("false"), Some(0));
        for bad in ["", "x", "1.5", "K", "0x", "0xg", "9223372036854775807K", "1 2", "--1", "+", "-0x-1"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn wrong_types_and_values_out_of_range_are_refused() {
        let mut records = Records::default();
        let mut set = |name: &str, text: &str| {
            records.set_by_name(name, text, Source::CommandLine).map_err(|error| error.to_string())
        };
        assert_eq!(
            set("proxy.config.http.cache.http", "2"),
            Err("proxy.config.http.cache.http: 2 is not allowed, expected 0 to 1".into())
        );
        assert_eq!(
            set("proxy.config.task_threads", "many"),
            Err("proxy.config.task_threads: \"many\" is not an integer".into())
        );
        assert_eq!(set("proxy.config.http.server_session_sharing.match", "host,sni"), Ok(()));
        assert!(set("proxy.config.http.server_session_sharing.match", "host,colour").is_err());
        assert!(set("proxy.config.http.cache.heuristic_lm_factor", "NaN").is_err());
        assert!(set("proxy.config.nothing", "1").is_err());
    }

    #[test]
    fn null_unsets_a_string() {
        let mut records = Records::default();
        records.set_by_name("proxy.config.http.connect_ports", "NULL", Source::Environment).expect("set");
        assert_eq!(records.str(ids::HTTP_CONNECT_PORTS), "");
    }
}
