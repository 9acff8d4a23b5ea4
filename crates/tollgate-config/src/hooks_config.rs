//! `hooks.config`: the operator's order of handlers.
//!
//! ```text
//! # One handler runs before another, whatever they ask for themselves:
//! order send_response compress < add-header#stamp
//! # A module's handlers, or one of them, do not run on a hook point:
//! off read_request denylist
//! ```
//! Responsible for: the grammar. Not responsible for: whether hook points, modules and handlers of these names
//! exist. A `#` starts a comment only at the start of a line.

use std::fmt;
use std::sync::Arc;

use crate::Problem;

/// All lines of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HooksConfig {
    /// `order` lines.
    pub orders: Vec<HookOrder>,
    /// `off` lines.
    pub offs: Vec<HookOff>,
}

/// `order HOOK FIRST < THEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookOrder {
    /// Hook point.
    pub hook: String,
    /// What runs first.
    pub first: HandlerName,
    /// What runs after it.
    pub then: HandlerName,
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// `off HOOK HANDLER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookOff {
    /// Hook point.
    pub hook: String,
    /// What does not run.
    pub handler: HandlerName,
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// `MODULE` or `MODULE#HANDLER`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandlerName {
    /// Module.
    pub module: String,
    /// One of its handlers; `None`: all.
    pub handler: Option<String>,
}

impl HandlerName {
    fn parse(text: &str) -> Option<Self> {
        let (module, handler) = match text.split_once('#') {
            Some((module, handler)) => (module, Some(handler.to_owned())),
            None => (text, None),
        };
        let is_complete = !module.is_empty() && handler.as_ref().is_none_or(|handler| !handler.is_empty());
        is_complete.then(|| HandlerName { module: module.to_owned(), handler })
    }
}

impl fmt::Display for HandlerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module)?;
        self.handler.as_ref().map_or(Ok(()), |handler| write!(f, "#{handler}"))
    }
}

/// Reads `text`, the content of `file`.
pub fn parse(file: &str, text: &str) -> (HooksConfig, Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    let mut config = HooksConfig::default();
    let mut problems = Vec::new();
    for (line, text) in (1u32..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Err(message) = parse_line(&mut config, &file, line, text) {
            problems.push(Problem::error(&file, line, message));
        }
    }
    (config, problems)
}

fn parse_line(config: &mut HooksConfig, file: &Arc<str>, line: u32, text: &str) -> Result<(), String> {
    let handler = |text: &str| {
        HandlerName::parse(text).ok_or_else(|| format!("\"{text}\" is not MODULE or MODULE#HANDLER"))
    };
    let (hook, file) = (|hook: &str| hook.to_owned(), Arc::clone(file));
    let spaced = text.replace('<', " < ");
    match *spaced.split_whitespace().collect::<Vec<_>>() {
        ["order", name, first, "<", then] => {
            let (first, then) = (handler(first)?, handler(then)?);
            if first == then {
                return Err(format!("{first} cannot run before itself"));
            }
            config.orders.push(HookOrder { hook: hook(name), first, then, file, line });
        }
        ["off", name, target] => {
            config.offs.push(HookOff { hook: hook(name), handler: handler(target)?, file, line });
        }
        ["order", ..] => return Err("expected order HOOK FIRST < THEN".to_owned()),
        ["off", ..] => return Err("expected off HOOK MODULE[#HANDLER]".to_owned()),
        _ => return Err("expected a line that starts with order or off".to_owned()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read() {
        let text = "# head\n\norder send_response compress < add-header#stamp\norder x a<b\n  off read_request denylist\n";
        let (config, problems) = parse("hooks.config", text);
        assert_eq!(problems, []);
        let [first, second] = config.orders.as_slice() else { panic!("two orders") };
        assert_eq!((first.hook.as_str(), first.line), ("send_response", 3));
        assert_eq!(first.first, HandlerName { module: "compress".into(), handler: None });
        assert_eq!(first.then.to_string(), "add-header#stamp");
        assert_eq!((second.first.to_string(), second.then.to_string()), ("a".into(), "b".into()));
        assert_eq!((config.offs[0].hook.as_str(), config.offs[0].line), ("read_request", 5));
    }

    #[test]
    fn errors_name_file_and_line() {
        let (_, problems) =
            parse("hooks.config", "order x a > b\noff x\nturn x\noff x #y\norder x a < a\noff x m#\n");
        let expected = [
            "hooks.config:1: expected order HOOK FIRST < THEN",
            "hooks.config:2: expected off HOOK MODULE[#HANDLER]",
            "hooks.config:3: expected a line that starts with order or off",
            "hooks.config:4: \"#y\" is not MODULE or MODULE#HANDLER",
            "hooks.config:5: a cannot run before itself",
            "hooks.config:6: \"m#\" is not MODULE or MODULE#HANDLER",
        ];
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s)(order|off)?[ a#<é\\n]{0,60}") {
            parse("hooks.config", &text);
        }
    }
}
