//! The `@options` of a rule.

use super::acl::AclFilter;
use super::rule::RemapPlugin;
use crate::Problem;
use std::sync::Arc;

/// Options as written, sorted by what they concern.
#[derive(Default)]
pub(super) struct Options {
    pub(super) plugins: Vec<RemapPlugin>,
    /// The rule's own filter, if any of its options is there.
    pub(super) filter: Option<AclFilter>,
    pub(super) has_referer_flag: bool,
    pub(super) map_id: u32,
    pub(super) strategy: Option<String>,
}

/// Where the options stand, and where their problems go.
pub(super) struct Place<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) line: u32,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Place<'_> {
    pub(super) fn error(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::error(self.file, self.line, message));
    }

    pub(super) fn warning(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::warning(self.file, self.line, message));
    }
}

impl Options {
    /// Reads options, each without its `@`.
    pub(super) fn parse(options: &[&str], place: &mut Place<'_>) -> Self {
        let mut parsed = Options::default();
        let mut early_params = Vec::new();
        for option in options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name.to_ascii_lowercase().as_str() {
                "plugin" if value.is_empty() => place.error("@plugin needs a value"),
                "plugin" => parsed.plugins.push(RemapPlugin {
                    name: value.to_owned(),
                    params: Vec::new(),
                    file: Arc::clone(place.file),
                    line: place.line,
                }),
                "pparam" => match parsed.plugins.last_mut() {
                    Some(plugin) => plugin.params.push(value.to_owned()),
                    None => early_params.push(value.to_owned()),
                },
                "mapid" => match value.parse() {
                    Ok(id) => parsed.map_id = id,
                    Err(_) => place.warning(format!("@mapid: \"{value}\" is not a number, 0 is used")),
                },
                "strategy" if value.is_empty() => place.error("@strategy needs a value"),
                "strategy" => parsed.strategy = Some(value.to_owned()),
                "map_with_referer" => parsed.has_referer_flag = true,
                _ if AclFilter::is_option(option) => {
                    let filter = parsed.filter.get_or_insert_default();
                    filter.add(option).unwrap_or_else(|message| place.error(message));
                }
                _ => place.warning(format!("unknown option @{option}")),
            }
        }
        parsed.give_early_params(early_params, place);
        parsed
    }

    /// ATS: `@pparam`s before the first `@plugin` belong to it.
    fn give_early_params(&mut self, mut early: Vec<String>, place: &mut Place<'_>) {
        match self.plugins.first_mut() {
            Some(first) => {
                early.append(&mut first.params);
                first.params = early;
            }
            None if early.is_empty() => {}
            None => place.warning("@pparam without @plugin has no effect"),
        }
    }
}
