//! `plugin.config`: the global plugins and their arguments.
//!
//! Responsible for: splitting lines into arguments as Traffic Server does, and `$record` arguments.
//! Not responsible for: loading plugins.
//! Invariants: a line's arguments are never empty; the first one names the plugin.

use std::sync::Arc;

use crate::Problem;
use crate::records::{Records, Value};

// LIMIT: arguments of one plugin including its name, as in Traffic Server.
const MAX_ARGUMENTS: usize = 64;

/// One plugin with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLine {
    /// Name as written, then the arguments.
    pub argv: Vec<String>,
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// Reads `text`, the content of `file`, with the values of `records` for `$name` arguments.
pub fn parse(file: &str, text: &str, records: &Records) -> (Vec<PluginLine>, Vec<Problem>) {
    let file: Arc<str> = Arc::from(file);
    let mut plugins = Vec::new();
    let mut problems = Vec::new();
    for (line, text) in (1u32..).zip(text.lines()) {
        let mut warn = |message: String| problems.push(Problem::warning(&file, line, message));
        let mut argv = split(text, &mut warn);
        if argv.len() > MAX_ARGUMENTS {
            warn(format!("more than {MAX_ARGUMENTS} arguments, the rest is dropped"));
            argv.truncate(MAX_ARGUMENTS);
        }
        let argv: Vec<_> = argv.into_iter().map(|argument| expand(argument, records, &mut warn)).collect();
        if !argv.is_empty() {
            plugins.push(PluginLine { argv, file: Arc::clone(&file), line });
        }
    }
    (plugins, problems)
}

fn split<'a>(line: &'a str, warn: &mut impl FnMut(String)) -> Vec<&'a str> {
    let mut argv = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (argument, tail) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.split_once('"').unwrap_or_else(|| {
                warn("a quote is not closed".to_owned());
                (quoted, "")
            })
        } else {
            match rest.find(|character: char| character.is_ascii_whitespace() || character == '#') {
                // ATS: a comment glued to an argument belongs to the argument.
                Some(end) if rest[end..].starts_with('#') => {
                    warn(format!("the comment belongs to the argument {rest}; write a blank before #"));
                    (rest, "")
                }
                Some(end) => rest.split_at(end),
                None => (rest, ""),
            }
        };
        argv.push(argument);
        rest = tail.trim_start();
    }
    argv
}

fn expand(argument: &str, records: &Records, warn: &mut impl FnMut(String)) -> String {
    let Some(name) = argument.strip_prefix('$') else { return argument.to_owned() };
    match records.by_name(name) {
        Some(Value::Float(value)) => format!("{value:.6}"),
        Some(value) => value.to_string(),
        None => {
            warn(format!("unknown record {name} in an argument"));
            argument.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments(text: &str) -> (Vec<Vec<String>>, usize) {
        let (plugins, problems) = parse("plugin.config", text, &Records::default());
        (plugins.into_iter().map(|plugin| plugin.argv).collect(), problems.len())
    }

    #[test]
    fn lines_are_split_at_blanks_and_quotes() {
        let (lines, problems) = arguments("# x\n\n a.so  one\t\"two three\" \"\" fo\"ur # five\nb.so\n");
        assert_eq!(problems, 0);
        assert_eq!(lines, [vec!["a.so", "one", "two three", "", "fo\"ur"], vec!["b.so"]]);
        let (plugins, _) = parse("plugin.config", "\n\na.so\n", &Records::default());
        assert_eq!((&*plugins[0].file, plugins[0].line), ("plugin.config", 3));
    }

    #[test]
    fn a_comment_glued_to_an_argument_belongs_to_it() {
        assert_eq!(arguments("a.so x#note y\n"), (vec![vec!["a.so".into(), "x#note y".into()]], 1));
        assert_eq!(arguments("a.so \"x\"#note\n"), (vec![vec!["a.so".into(), "x".into()]], 0));
    }

    #[test]
    fn records_are_expanded_as_whole_arguments() {
        let text = "a.so $proxy.config.task_threads $proxy.config.http.cache.heuristic_lm_factor \
                    $proxy.config.http.connect_ports x$proxy.config.task_threads $nothing\n";
        let (lines, problems) = arguments(text);
        assert_eq!(lines[0][1..], ["2", "0.100000", "443", "x$proxy.config.task_threads", "$nothing"]);
        assert_eq!(problems, 1);
    }

    #[test]
    fn open_quotes_and_too_many_arguments_are_warned_of() {
        assert_eq!(arguments("a.so \"x y\n"), (vec![vec!["a.so".into(), "x y".into()]], 1));
        let (lines, problems) = arguments(&"x ".repeat(70));
        assert_eq!((lines[0].len(), problems), (64, 1));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s)[ #\"$a-dé\\n]{0,80}") {
            let (lines, _) = arguments(&text);
            prop_assert!(lines.iter().all(|argv| !argv.is_empty()));
        }
    }
}
