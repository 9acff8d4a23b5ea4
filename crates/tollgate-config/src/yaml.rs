//! YAML texts as a tree with line numbers.
//!
//! Responsible for: reading a text into [`Node`]s, so that each file's reader can say where a problem is.
//! Not responsible for: what the keys mean.
//! Invariants: scalars keep their value as text; keys of a map are unique and in the file's order; the depth of
//! a tree is limited by the YAML library.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::Problem;

/// A value and the line it starts on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) value: Yaml,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) line: u32,
    pub(crate) name: String,
}

impl Node {
    /// Reads the only document of `text`; an empty text is null.
    pub(crate) fn parse(file: &Arc<str>, text: &str) -> Result<Node, Problem> {
        serde_saphyr::from_str::<Spanned<Yaml>>(text).map(Node::from).map_err(|error| {
            let line = error.location().map_or(0, |location| line_of(location.line()));
            Problem::error(file, line, error.without_snippet().to_string())
        })
    }

    /// What the value is, for error messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Yaml::Null => "nothing",
            Yaml::Scalar(_) => "a single value",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
        }
    }

    /// The values of a list, or the single value itself.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Yaml::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }
}

impl From<Spanned<Yaml>> for Node {
    fn from(spanned: Spanned<Yaml>) -> Self {
        Node { line: line_of(spanned.referenced.line()), value: spanned.value }
    }
}

fn line_of(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

macro_rules! visit_scalars {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E>(self, value: $type) -> Result<Yaml, E> {
            Ok(Yaml::Scalar(value.to_string()))
        }
    )*};
}

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    visit_scalars!(
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128, visit_f64: f64,
        visit_str: &str
    );

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Yaml>>()? {
            items.push(item.into());
        }
        Ok(Yaml::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Spanned<Yaml>>()? {
            let key = Key { line: line_of(key.referenced.line()), name: key.value };
            entries.push((key, value.into()));
        }
        Ok(Yaml::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(line: u32, text: &str) -> Node {
        Node { line, value: Yaml::Scalar(text.into()) }
    }

    #[test]
    fn values_know_their_lines_and_keep_their_text() {
        let text = "# head\na:\n  b: 1\n  c: [x, 0/0]\n  d: ::1\n  e: 0x10\n  f: 'no'\n  g: true\n  h: 4K\n  i:\n  j: 1.50\n";
        let Node { value: Yaml::Map(top), .. } = Node::parse(&"f".into(), text).expect("yaml") else {
            panic!("map")
        };
        assert_eq!((top[0].0.line, top[0].0.name.as_str()), (2, "a"));
        let Yaml::Map(entries) = &top[0].1.value else { panic!("map") };
        let values: Vec<_> = entries.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(values[0], scalar(3, "1"));
        assert_eq!(values[1].value, Yaml::List(vec![scalar(4, "x"), scalar(4, "0/0")]));
        assert_eq!(values[2], scalar(5, "::1"));
        assert!(["16", "0x10"].iter().any(|text| values[3] == scalar(6, text)), "{:?}", values[3]);
        assert_eq!(values[4], scalar(7, "no"));
        assert_eq!(values[5], scalar(8, "true"));
        assert_eq!(values[6], scalar(9, "4K"));
        assert_eq!(values[7].value, Yaml::Null);
        assert_eq!(values[8], scalar(11, "1.5"));
    }

    #[test]
    fn an_empty_text_is_null() {
        assert_eq!(Node::parse(&"f".into(), "").map(|node| node.value), Ok(Yaml::Null));
        assert_eq!(Node::parse(&"f".into(), "# only this\n").map(|node| node.value), Ok(Yaml::Null));
    }

    #[test]
    fn syntax_errors_and_repeated_keys_name_the_line() {
        let problem = Node::parse(&"f.yaml".into(), "a: 1\nb: [\n").expect_err("open list");
        assert!(problem.line >= 2, "{problem}");
        let problem = Node::parse(&"f.yaml".into(), "a: 1\na: 2\n").expect_err("repeated");
        assert_eq!(problem.line, 2, "{problem}");
        assert_eq!(problem.to_string().lines().count(), 1, "{problem}");
    }
}
