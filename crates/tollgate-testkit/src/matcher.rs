//! Demands on a value: exact text, `~regex`, a list of field values, or a numeric range.
//!
//! Responsible for: the value syntax used in all `expect` mappings and for comparing header fields with it.
//! Not responsible for: bodies (see [`body`](crate::body)).

use crate::text::{bytes_of, escaped, latin1};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// Exactly this text.
    Exact(String),
    /// A regular expression that must be found in the text (written with a leading `~`).
    Regex(String),
    /// One value per field line, in order.
    List(Vec<Matcher>),
    /// A number within bounds, both included.
    Range {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
}

impl Matcher {
    fn from_text(text: &str) -> Self {
        match text.strip_prefix('~') {
            Some(pattern) => Self::Regex(pattern.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether one value satisfies the demand. `expand` replaces variables.
    pub fn accepts(&self, value: &[u8], expand: &dyn Fn(&str) -> String) -> bool {
        match self {
            Self::Exact(text) => bytes_of(&expand(text)) == value,
            Self::Regex(pattern) => found(&expand(pattern), value),
            Self::List(all) => matches!(all.as_slice(), [only] if only.accepts(value, expand)),
            Self::Range { min, max } => {
                latin1(value).trim().parse().is_ok_and(|n: i64| (*min..=*max).contains(&n))
            }
        }
    }

    /// Whether the values of all field lines of one name satisfy the demand.
    pub fn accepts_all(&self, values: &[&[u8]], expand: &dyn Fn(&str) -> String) -> bool {
        match self {
            Self::List(all) => {
                all.len() == values.len() && all.iter().zip(values).all(|(m, v)| m.accepts(v, expand))
            }
            single => matches!(values, [only] if single.accepts(only, expand)),
        }
    }
}

/// Whether `pattern` is found in the bytes, one character per byte.
pub fn found(pattern: &str, value: &[u8]) -> bool {
    regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(&latin1(value)))
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "\"{}\"", escaped(&bytes_of(text), 500)),
            Self::Regex(pattern) => write!(f, "/{pattern}/"),
            Self::Range { min, max } => write!(f, "{min}..={max}"),
            Self::List(all) => {
                f.write_str("[")?;
                for (i, one) in all.iter().enumerate() {
                    write!(f, "{}{one}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatcherVisitor)
    }
}

struct MatcherVisitor;

impl<'de> Visitor<'de> for MatcherVisitor {
    type Value = Matcher;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, ~regex, a list of these or {min: N, max: N}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Matcher, E> {
        if let Some(pattern) = text.strip_prefix('~')
            && !pattern.contains("${")
        {
            regex::Regex::new(pattern).map_err(|e| E::custom(format!("bad regex: {e}")))?;
        }
        Ok(Matcher::from_text(text))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Matcher, E> {
        Ok(Matcher::Exact(n.to_string()))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Matcher, E> {
        Ok(Matcher::Exact(n.to_string()))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Matcher, E> {
        Ok(Matcher::Exact(n.to_string()))
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> Result<Matcher, E> {
        Ok(Matcher::Exact(b.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Matcher, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(Matcher::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Matcher, A::Error> {
        let (mut min, mut max) = (i64::MIN, i64::MAX);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "min" => min = map.next_value()?,
                "max" => max = map.next_value()?,
                other => return Err(de::Error::unknown_field(other, &["min", "max"])),
            }
        }
        Ok(Matcher::Range { min, max })
    }
}

/// Demands on header fields: name to value. Names are compared without case.
pub type FieldDemands = BTreeMap<String, Matcher>;

/// The first demand on `fields` that is not met, as (expected, got).
pub fn unmet_field(
    fields: &[(String, Vec<u8>)],
    demands: &FieldDemands,
    absent: &[String],
    expand: &dyn Fn(&str) -> String,
) -> Option<(String, String)> {
    let values = |name: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice()).collect()
    };
    let shown = |values: &[&[u8]]| match values {
        [] => "no such field".to_owned(),
        some => some.iter().map(|v| format!("\"{}\"", escaped(v, 500))).collect::<Vec<_>>().join(", "),
    };
    for (name, demand) in demands {
        let values = values(name);
        if !demand.accepts_all(&values, expand) {
            return Some((format!("field {name}: {}", expand(&demand.to_string())), shown(&values)));
        }
    }
    absent
        .iter()
        .find(|name| !values(name).is_empty())
        .map(|name| (format!("no field {name}"), shown(&values(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> Matcher {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn same(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn numbers_and_texts_are_exact_and_tilde_is_a_regex() {
        assert!(parse("12").accepts(b"12", &same));
        assert!(!parse("12").accepts(b"012", &same));
        assert!(parse("'~^a+$'").accepts(b"aaa", &same));
        assert!(!parse("'~^a+$'").accepts(b"aab", &same));
        assert!(parse("{min: 1, max: 3}").accepts(b"3", &same));
        assert!(!parse("{min: 1, max: 3}").accepts(b"4", &same));
    }

    #[test]
    fn single_demand_refuses_a_repeated_field() {
        assert!(!parse("a").accepts_all(&[b"a", b"a"], &same));
        assert!(parse("[a, b]").accepts_all(&[b"a", b"b"], &same));
        assert!(!parse("[a]").accepts_all(&[b"a", b"b"], &same));
    }

    #[test]
    fn absent_field_that_is_there_is_reported() {
        let fields = [("X-A".to_owned(), b"1".to_vec())];
        let unmet = unmet_field(&fields, &FieldDemands::new(), &["x-a".to_owned()], &same);
        assert_eq!(unmet, Some(("no field x-a".to_owned(), "\"1\"".to_owned())));
    }

    #[test]
    fn bad_regex_is_an_error_of_the_scenario() {
        assert!(serde_saphyr::from_str::<Matcher>("'~('").is_err());
    }
}
