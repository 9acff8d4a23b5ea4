//! What a record is: type, range, reload class, and the macro that turns the table into constants.
//!
//! Responsible for: [`Def`], the typed ids, checking a text against type and range.
//! Not responsible for: where texts come from, and the values in force.
//! Invariants: an id is an index into the table and its Rust type is the record's type, so asking an integer
//! record for a string does not compile.

use crate::redirect_actions::RedirectActions;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Id of a record whose value is an integer (or a flag).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntRecord(pub(crate) u16);

/// Id of a record whose value is a floating point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FloatRecord(pub(crate) u16);

/// Id of a record whose value is a string; the empty string means unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StrRecord(pub(crate) u16);

/// Id of a record of any type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub(crate) u16);

macro_rules! into_record_id {
    ($($id:ty),*) => {$(
        impl From<$id> for RecordId {
            fn from(id: $id) -> Self {
                RecordId(id.0)
            }
        }
    )*};
}
into_record_id!(IntRecord, FloatRecord, StrRecord);

/// Type of a record's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit integer; flags are 0 and 1.
    Int,
    /// Floating point number.
    Float,
    /// String; empty means unset.
    Str,
}

impl Kind {
    /// The type's name in `records.config`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Int => "INT",
            Kind::Float => "FLOAT",
            Kind::Str => "STRING",
        }
    }
}

/// When a change of a record takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// With the next generation.
    Dynamic,
    /// With the next start of the process.
    Restart,
}

/// The values a record may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Any value of the type.
    Any,
    /// From the first to the second, both included.
    Between(i64, i64),
    /// One of these words (any case).
    OneOf(&'static [&'static str]),
    /// Some of these words, separated by commas, semicolons or blanks.
    ListOf(&'static [&'static str]),
    /// IP addresses, separated as above.
    Addresses,
    /// IP addresses with or without a port (IPv6 addresses with one in brackets), separated as above.
    SocketAddresses,
    /// What is done about redirects, by the address they lead to.
    RedirectActions,
}

/// A value of any type, for access by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of an integer record.
    Int(i64),
    /// Of a floating point record.
    Float(f64),
    /// Of a string record; empty means unset.
    Str(Box<str>),
}

impl Value {
    /// The type of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Int(_) => Kind::Int,
            Value::Float(_) => Kind::Float,
            Value::Str(_) => Kind::Str,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Str(value) => value.fmt(f),
        }
    }
}

/// Default of a record, as a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Literal {
    Int(i64),
    Float(f64),
    Str(&'static str),
}

/// One row of the table of records.
#[derive(Clone, Debug)]
pub struct Def {
    /// Full name, `proxy.config.…`.
    pub name: &'static str,
    /// Name of the constant in [`super::ids`].
    pub constant: &'static str,
    /// Type of the value.
    pub kind: Kind,
    pub(crate) default: Literal,
    /// Values it may have.
    pub range: Range,
    /// The number plugins override it by for one transaction; `None`: not overridable.
    pub override_key: Option<u16>,
    /// When a change takes effect.
    pub reload: Reload,
    /// Unit of the value; empty if it has none.
    pub unit: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// Whether record or default are Tollgate's own rather than Traffic Server 9.2's.
    pub is_own: bool,
}

/// Why a text or value cannot become the value of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a text of the record's type.
    #[error("{name}: \"{text}\" is not {expected}")]
    WrongType {
        /// Record.
        name: &'static str,
        /// The text given.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Of the right type, but not allowed.
    #[error("{name}: {value} is not allowed, expected {allowed}")]
    OutOfRange {
        /// Record.
        name: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The record cannot be set for one transaction.
    #[error("{name} cannot be overridden for a transaction")]
    NotOverridable {
        /// Record.
        name: &'static str,
    },
    /// No record has this name.
    #[error("unknown record {0}")]
    Unknown(String),
}

impl Def {
    /// The default value.
    pub fn default_value(&self) -> Value {
        match self.default {
            Literal::Int(value) => Value::Int(value),
            Literal::Float(value) => Value::Float(value),
            Literal::Str(value) => Value::Str(value.into()),
        }
    }

    /// Name of the environment variable that sets it.
    pub fn environment_name(&self) -> String {
        format!("PROXY_CONFIG_{}", self.constant)
    }

    /// Reads a value of this record from `text`.
    ///
    /// # Errors
    /// If the text is not of the record's type, or the value is out of range.
    pub fn parse(&self, text: &str) -> Result<Value, ValueError> {
        let wrong = |expected| ValueError::WrongType { name: self.name, text: text.to_owned(), expected };
        let value = match self.kind {
            Kind::Int => Value::Int(parse_int(text).ok_or_else(|| wrong("an integer"))?),
            Kind::Float => Value::Float(parse_float(text).ok_or_else(|| wrong("a number"))?),
            Kind::Str if text == "NULL" => Value::Str("".into()),
            Kind::Str => Value::Str(text.into()),
        };
        self.check(value)
    }

    /// Returns `value` if it is of the record's type and within its range.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, value: Value) -> Result<Value, ValueError> {
        if value.kind() != self.kind {
            let expected = match self.kind {
                Kind::Int => "an integer",
                Kind::Float => "a number",
                Kind::Str => "a string",
            };
            return Err(ValueError::WrongType { name: self.name, text: value.to_string(), expected });
        }
        if self.range.admits(&value) {
            return Ok(value);
        }
        Err(ValueError::OutOfRange {
            name: self.name,
            value: value.to_string(),
            allowed: self.range.to_string(),
        })
    }
}

impl Range {
    /// Whether `value` is allowed.
    pub fn admits(&self, value: &Value) -> bool {
        match (self, value) {
            (Range::Any, _) => true,
            (Range::Between(low, high), Value::Int(value)) => (low..=high).contains(&value),
            (Range::Between(low, high), Value::Float(value)) => (*low as f64..=*high as f64).contains(value),
            (Range::OneOf(words), Value::Str(value)) => value.is_empty() || has_word(words, value),
            (Range::ListOf(words), Value::Str(value)) => list_words(value).all(|word| has_word(words, word)),
            (Range::Addresses, Value::Str(value)) => {
                list_words(value).all(|word| word.parse::<IpAddr>().is_ok())
            }
            (Range::SocketAddresses, Value::Str(value)) => {
                list_words(value).all(|word| socket_address(word, 0).is_some())
            }
            (Range::RedirectActions, Value::Str(value)) => RedirectActions::parse(value).is_some(),
            (Range::Between(..), Value::Str(_))
            | (
                Range::OneOf(_)
                | Range::ListOf(_)
                | Range::Addresses
                | Range::SocketAddresses
                | Range::RedirectActions,
                _,
            ) => false,
        }
    }
}

/// The members of a list in a record: separated by commas, semicolons or blanks.
pub fn list_words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', ' ', '\t']).filter(|word| !word.is_empty())
}

/// An address with a port, or with `port` if it names none.
pub fn socket_address(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_default = || Some(SocketAddr::new(bare.parse().ok()?, port));
    text.parse().ok().or_else(with_default)
}

fn has_word(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Any => f.write_str("any value"),
            Range::Between(low, i64::MAX) => write!(f, "at least {low}"),
            Range::Between(low, high) => write!(f, "{low} to {high}"),
            Range::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Range::ListOf(words) => write!(f, "a list of {}", words.join(", ")),
            Range::Addresses => f.write_str("a list of IP addresses"),
            Range::SocketAddresses => f.write_str("a list of IP addresses, each with or without :port"),
            Range::RedirectActions => f.write_str(
                "self, private, loopback, multicast, linklocal, routable, default with :return, :reject or :follow",
            ),
        }
    }
}

/// Reads an integer: decimal or `0x`, an optional sign, an optional K, M, G or T (powers of 1024), or
/// `true`/`false`.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim();
    match text {
        "true" => return Some(1),
        "false" => return Some(0),
        _ => {}
    }
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            i128::from_str_radix(hex, 16).ok()?
        }
        Some(_) => return None,
        None => parse_decimal_with_suffix(digits)?,
    };
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn parse_decimal_with_suffix(digits: &str) -> Option<i128> {
    let shift = match digits.as_bytes().last()?.to_ascii_uppercase() {
        b'K' => 10,
        b'M' => 20,
        b'G' => 30,
        b'T' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { digits } else { &digits[..digits.len() - 1] };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    Some(i128::from(number) << shift)
}

fn parse_float(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

pub(crate) const ANY: Range = Range::Any;
pub(crate) const FLAG: Range = Range::Between(0, 1);
/// Zero or a positive number that fits 32 bits (times, counts).
pub(crate) const POSITIVE: Range = Range::Between(0, i32::MAX as i64);
/// Zero or a positive number of bytes.
pub(crate) const SIZE: Range = Range::Between(0, i64::MAX);

pub(crate) const fn between(low: i64, high: i64) -> Range {
    Range::Between(low, high)
}

pub(crate) const fn at_least(low: i64) -> Range {
    Range::Between(low, i64::MAX)
}

pub(crate) const fn one_of(words: &'static [&'static str]) -> Range {
    Range::OneOf(words)
}

pub(crate) const ADDRESSES: Range = Range::Addresses;
pub(crate) const SOCKET_ADDRESSES: Range = Range::SocketAddresses;
pub(crate) const REDIRECT_ACTIONS: Range = Range::RedirectActions;

pub(crate) const fn list_of(words: &'static [&'static str]) -> Range {
    Range::ListOf(words)
}

/// Turns the rows of the table into the constants of [`super::ids`] and the array of [`Def`]s.
macro_rules! records {
    (@key no) => { None };
    (@key key $number:literal) => { Some($number) };
    (@own) => { false };
    (@own ours) => { true };
    ($(
        $kind:ident $constant:ident $name:literal = $default:expr, $range:expr, $key:ident $($number:literal)?,
        $reload:ident, $unit:literal, $doc:literal $(, $own:ident)?;
    )*) => {
        /// One constant per record.
        pub mod ids {
            use $crate::records::{FloatRecord as Float, IntRecord as Int, StrRecord as Str};

            #[expect(non_camel_case_types, reason = "the variants are the constants' names")]
            #[repr(u16)]
            enum Index { $($constant),* }
            $(
                #[doc = concat!("`", $name, "`: ", $doc)]
                pub const $constant: $kind = $kind::at(Index::$constant as u16);
            )*
        }

        /// The table: a record's id is its place here.
        pub(crate) static DEFS: [$crate::records::Def; [$($name),*].len()] = [$(
            $crate::records::Def {
                name: $name,
                constant: stringify!($constant),
                kind: $crate::records::Kind::$kind,
                default: $crate::records::def::Literal::$kind($default),
                range: $range,
                override_key: records!(@key $key $($number)?),
                reload: $crate::records::Reload::$reload,
                unit: $unit,
                doc: $doc,
                is_own: records!(@own $($own)?),
            }
        ),*];
    };
}
pub(crate) use records;

macro_rules! at {
    ($($id:ident),*) => {$(
        impl $id {
            pub(crate) const fn at(index: u16) -> Self {
                $id(index)
            }
        }
    )*};
}
at!(IntRecord, FloatRecord, StrRecord);
