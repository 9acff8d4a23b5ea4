//! Header fields given as plugin arguments.
//!
//! Responsible for: refusing names and values that cannot stand in a message, and fields that the proxy sets itself;
//! keeping a name in the form in which a header block finds it fastest.

use tollgate_http::{FieldName, HeaderBlock, Known, names};
use tollgate_plugin::PluginError;

/// Fields that delimit messages or belong to one connection: what a plugin wrote there would be overwritten.
const OWNED_BY_THE_PROXY: [Known; 3] = [names::CONTENT_LENGTH, names::TRANSFER_ENCODING, names::CONNECTION];

/// A checked field name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Known(Known),
    Other(Box<str>),
}

impl Name {
    /// Checks a name.
    pub(crate) fn parse(text: &str) -> Result<Name, PluginError> {
        let name = match Known::lookup(text.as_bytes()) {
            Some(known) => Name::Known(known),
            None => Name::Other(text.into()),
        };
        if HeaderBlock::new().try_append(name.as_field(), "").is_err() {
            return Err(PluginError::new(format!(
                "{text:?} cannot be a field name: use letters, digits and any of !#$%&'*+-.^_`|~"
            )));
        }
        match name {
            Name::Known(known) if OWNED_BY_THE_PROXY.contains(&known) => Err(PluginError::new(format!(
                "{text} is set by the proxy itself and cannot be edited: remove it from the arguments"
            ))),
            name => Ok(name),
        }
    }

    /// The name for a header block.
    pub(crate) fn as_field(&self) -> FieldName<'_> {
        match self {
            Name::Known(known) => FieldName::Known(*known),
            Name::Other(text) => FieldName::Other(text.as_bytes()),
        }
    }
}

/// Checks a value and takes surrounding white space off.
pub(crate) fn parse_value(text: &str) -> Result<Box<str>, PluginError> {
    let value = text.trim_matches([' ', '\t']);
    HeaderBlock::new().try_append("X", value).map_err(|_| {
        PluginError::new(format!("{text:?} cannot be a field value: leave out CR, LF and NUL characters"))
    })?;
    Ok(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_are_found_in_any_case() {
        assert_eq!(Name::parse("cache-control"), Ok(Name::Known(names::CACHE_CONTROL)));
        assert_eq!(Name::parse("X-Mine"), Ok(Name::Other("X-Mine".into())));
    }

    #[test]
    fn names_that_are_no_tokens_are_refused() {
        for bad in ["", "a b", "a:", "é", "a\r\nb", "@"] {
            let error = Name::parse(bad).expect_err(bad).to_string();
            assert!(error.contains(&format!("{bad:?} cannot be a field name")), "{error}");
        }
    }

    #[test]
    fn fields_of_the_proxy_are_refused() {
        for owned in ["content-length", "Transfer-Encoding", "CONNECTION"] {
            assert!(Name::parse(owned).expect_err(owned).to_string().contains("set by the proxy"), "{owned}");
        }
    }

    #[test]
    fn values_are_trimmed_and_line_ends_refused() {
        assert_eq!(parse_value(" a b\t").as_deref(), Ok("a b"));
        for bad in ["a\r\nEvil: 1", "a\nb", "\0"] {
            assert!(parse_value(bad).is_err(), "{bad:?}");
        }
    }
}
