//! From the text of `remap.config` to rules.
//!
//! Responsible for: rule lines, included files, the command line's maps, and saying what is wrong with them.
//! Not responsible for: options ([`super::options`]) and named filters ([`super::filters`]).
//! Invariants: reading goes on after an error, so that all problems are found at once; a line with an error
//! makes no rule.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pcre2::bytes::{Regex, RegexBuilder};

use super::RemapTable;
use super::filters::Filters;
use super::index::Insertion;
use super::lex::{Line, lines};
use super::options::{Options, Place};
use super::rule::{Referers, Rule, RuleKind};
use super::url::{HostForm, RuleUrl, Scheme};
use crate::Problem;
use crate::files::FileSource;

// LIMIT: files including files.
const MAX_INCLUDE_DEPTH: usize = 16;
// LIMIT: tokens in a line, as in Traffic Server.
const MAX_TOKENS: usize = 2048;
// LIMIT: groups of a regular expression including the whole, as in Traffic Server.
const MAX_GROUPS: usize = 10;

/// Collects rules from files and the command line.
pub struct RemapParser<'f> {
    files: &'f dyn FileSource,
    table: RemapTable,
    /// Rules that are to match the addresses of their hosts, too.
    tunnels: Vec<Arc<Rule>>,
    problems: Vec<Problem>,
    filters: Filters,
    /// Files being read, the outermost first.
    open_files: Vec<Arc<str>>,
}

/// State that each file has for itself.
struct FileState {
    file: Arc<str>,
    checks_ip_allow: bool,
}

/// The words of a rule line before its options.
struct RuleWords<'a> {
    kind: RuleKind,
    is_regex: bool,
    has_referers: bool,
    from: &'a str,
    to: &'a str,
    rest: &'a [&'a str],
}

impl<'f> RemapParser<'f> {
    /// A parser that reads included files from `files`.
    pub fn new(files: &'f dyn FileSource) -> Self {
        RemapParser {
            files,
            table: RemapTable::default(),
            tunnels: Vec::new(),
            problems: Vec::new(),
            filters: Filters::default(),
            open_files: Vec::new(),
        }
    }

    /// The table and everything that was wrong. Lines with errors have no rule in the table.
    pub fn finish(mut self) -> (RemapTable, Vec<Problem>) {
        for rule in std::mem::take(&mut self.tunnels) {
            self.table.insert_addresses(&rule, &self.files.addresses(&rule.from.host));
        }
        self.table.seal();
        (self.table, self.problems)
    }

    /// Adds a rule of the command line (see [`RemapTable::from_maps`]).
    pub fn add_map(&mut self, from: &str, to: &str) {
        let state = FileState { file: Arc::from("--map"), checks_ip_allow: true };
        let words =
            RuleWords { kind: RuleKind::Map, is_regex: false, has_referers: false, from, to, rest: &[] };
        let before = self.problems.len();
        let mut place = Place { file: &state.file, line: 0, problems: &mut self.problems };
        if let Some(mut rule) = build_rule(&words, Options::default(), &state, &mut place)
            && !self.has_errors_since(before)
        {
            rule.matches_any_port = true;
            self.add_rule(rule);
        }
    }

    /// Adds the rules of a file's text.
    pub fn add_text(&mut self, file: &str, text: &str) {
        let mut state = FileState { file: Arc::from(file), checks_ip_allow: true };
        self.open_files.push(Arc::clone(&state.file));
        for line in lines(text) {
            self.add_line(&line, &mut state);
        }
        self.open_files.pop();
    }

    fn add_line(&mut self, line: &Line<'_>, state: &mut FileState) {
        let file = Arc::clone(&state.file);
        let mut place = Place { file: &file, line: line.number, problems: &mut self.problems };
        if line.has_open_quote {
            place.warning("a quote is not closed");
        }
        if line.tokens.len() > MAX_TOKENS {
            return place.error(format!("more than {MAX_TOKENS} tokens in a line"));
        }
        let mut words = Vec::new();
        let mut options = Vec::new();
        for token in &line.tokens {
            match token.strip_prefix('@') {
                Some("") => {}
                Some(option) => options.push(option),
                None => words.push(&**token),
            }
        }
        match *words {
            [directive, ref rest @ ..] if directive.starts_with('.') => {
                let directive = directive.to_ascii_lowercase();
                match *rest {
                    [] => place.error(format!("{directive} needs a name")),
                    [..] if directive == ".include" => self.include(line.number, rest, &file),
                    [name, ..] => {
                        let checks = &mut state.checks_ip_allow;
                        self.filters.direct(&directive, name, &options, checks, &mut place);
                    }
                }
            }
            _ => self.add_rule_line(line.number, &words, &options, state),
        }
    }

    fn include(&mut self, line: u32, paths: &[&str], file: &Arc<str>) {
        for path in paths {
            let path = Path::new(path);
            match self.files.list(path) {
                Ok(entries) => {
                    for entry in entries.iter().filter(|entry| !is_hidden(entry)) {
                        self.include_file(line, entry, file);
                    }
                }
                Err(_) => self.include_file(line, path, file),
            }
        }
    }

    fn include_file(&mut self, line: u32, path: &Path, file: &Arc<str>) {
        let name = path.display().to_string();
        let message = if self.open_files.iter().any(|open| **open == *name) {
            format!("{name} includes itself")
        } else if self.open_files.len() >= MAX_INCLUDE_DEPTH {
            format!("more than {MAX_INCLUDE_DEPTH} files include each other")
        } else {
            match self.files.read(path).and_then(into_text) {
                Ok(text) => return self.add_text(&name, &text),
                Err(error) => format!("{name} cannot be read: {error}"),
            }
        };
        self.problems.push(Problem::error(file, line, message));
    }

    fn add_rule_line(&mut self, line: u32, words: &[&str], options: &[&str], state: &FileState) {
        let before = self.problems.len();
        let mut place = Place { file: &state.file, line, problems: &mut self.problems };
        let &[type_name, from, to, ref rest @ ..] = words else {
            return place.error("a rule needs a type, a from URL and a to URL");
        };
        let lower = type_name.to_ascii_lowercase();
        let plain = lower.strip_prefix("regex_");
        let Some((kind, has_referers)) = kind_of(plain.unwrap_or(&lower)) else {
            return place.error(format!("unknown rule type \"{type_name}\""));
        };
        let options = Options::parse(options, &mut place);
        let has_referers = has_referers || (kind == RuleKind::Map && options.has_referer_flag);
        let words = RuleWords { kind, is_regex: plain.is_some(), has_referers, from, to, rest };
        if let Some(mut rule) = build_rule(&words, options, state, &mut place)
            && !self.has_errors_since(before)
        {
            rule.acl.splice(0..0, self.filters.active().cloned());
            self.add_rule(rule);
        }
    }

    fn add_rule(&mut self, mut rule: Rule) {
        rule.rank = u32::try_from(self.table.rules().len()).unwrap_or(u32::MAX);
        let (file, line) = (Arc::clone(&rule.file), rule.line);
        let rule = Arc::new(rule);
        let insertion = self.table.insert(Arc::clone(&rule));
        if matches!(insertion, Insertion::Done) && stands_for_addresses(&rule) {
            self.tunnels.push(rule);
        }
        let Insertion::Shadowed(first) = insertion else { return };
        let mut place = Place { file: &file, line, problems: &mut self.problems };
        if first.line == 0 && line > 0 {
            place.warning(format!("{} is overridden by {}", first.from_text, first.file));
        } else if line == 0 {
            place.error(format!("{} has a rule already", first.from_text));
        } else {
            place.error(format!("{} has a rule already ({}:{})", first.from_text, first.file, first.line));
        }
    }

    fn has_errors_since(&self, before: usize) -> bool {
        self.problems[before..].iter().any(Problem::is_error)
    }
}

/// ATS: hosts that begin with a digit are taken for addresses.
fn stands_for_addresses(rule: &Rule) -> bool {
    rule.from.scheme == Some(Scheme::Tunnel)
        && matches!(rule.kind, RuleKind::Map | RuleKind::MapWithRecvPort)
        && !rule.is_regex()
        && !rule.from.host.is_empty()
        && !rule.from.host.starts_with(|first: char| first.is_ascii_digit())
        && !rule.from.host.contains(':')
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn into_text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The kind of a rule type without its `regex_`, and whether referers follow its URLs.
fn kind_of(name: &str) -> Option<(RuleKind, bool)> {
    Some(match name {
        "map" => (RuleKind::Map, false),
        "map_with_referer" => (RuleKind::Map, true),
        "map_with_recv_port" => (RuleKind::MapWithRecvPort, false),
        "reverse_map" => (RuleKind::ReverseMap, false),
        "redirect" => (RuleKind::Redirect { permanent: true }, false),
        "redirect_temporary" => (RuleKind::Redirect { permanent: false }, false),
        _ => return None,
    })
}

/// The rule that a line means, without named filters and rank.
fn build_rule(
    words: &RuleWords<'_>,
    options: Options,
    state: &FileState,
    place: &mut Place<'_>,
) -> Option<Rule> {
    let is_unique = words.from.len() > 2 && words.from.ends_with("//") && !words.from.ends_with("://");
    let from_text = if is_unique { &words.from[..words.from.len() - 2] } else { words.from };
    let form = if words.is_regex { HostForm::Regex } else { HostForm::Name };
    let from = keep(RuleUrl::parse(from_text, form), "from URL", place);
    let to = keep(RuleUrl::parse(words.to, HostForm::Name), "to URL", place);
    let (from, to) = (from?, to?);
    check_urls(words.kind, &from, &to, place);
    let regex = if words.is_regex { keep(compile(&from, &to), "regular expression", place) } else { None };
    let referers = if words.has_referers { parse_referers(words.rest, place) } else { None };
    let tag = if words.has_referers { None } else { words.rest.first().map(|tag| (*tag).to_owned()) };
    if !options.plugins.is_empty() && matches!(words.kind, RuleKind::Redirect { .. } | RuleKind::ReverseMap) {
        place.warning("plugins have no effect in redirect and reverse_map rules");
    }
    Some(Rule {
        kind: words.kind,
        rank: 0,
        from_text: from.to_string(),
        to_text: to.to_string(),
        from,
        to,
        plugins: options.plugins,
        acl: options.filter.into_iter().collect(),
        checks_ip_allow: state.checks_ip_allow,
        referers,
        map_id: options.map_id,
        strategy: options.strategy,
        is_unique,
        tag,
        file: Arc::clone(&state.file),
        line: place.line,
        matches_any_port: false,
        regex,
    })
}

fn keep<T>(result: Result<T, impl ToString>, what: &str, place: &mut Place<'_>) -> Option<T> {
    result.map_err(|error| place.error(format!("{what}: {}", error.to_string()))).ok()
}

fn check_urls(kind: RuleKind, from: &RuleUrl, to: &RuleUrl, place: &mut Place<'_>) {
    let is_map = matches!(kind, RuleKind::Map | RuleKind::MapWithRecvPort);
    if to.query.is_some() {
        place.warning("the query of the to URL is ignored");
    }
    if from.host.is_empty() && !is_map {
        place.error("only map rules may have a from URL without a host");
    } else if from.host.is_empty() && from.scheme.is_some() {
        place.error("a from URL without a host must begin with a slash");
    }
    if to.host.is_empty() {
        place.error("the to URL needs a host");
    } else if to.scheme.is_none() || to.scheme == Some(Scheme::File) {
        place.error("the to URL needs a scheme: http, https, ws, wss or tunnel");
    }
    if from.scheme.is_some_and(Scheme::is_websocket) && !to.effective_scheme().is_websocket() {
        place.error("ws and wss can only be mapped to ws or wss");
    }
    if from.query.is_some() {
        place.warning("a rule whose from URL has a query matches nothing");
    }
}

fn parse_referers(words: &[&str], place: &mut Place<'_>) -> Option<Referers> {
    let [redirect, patterns @ ..] = words else {
        // ATS: without the redirect URL there is nothing to check.
        place.warning("map_with_referer without redirect URL and referers checks nothing");
        return None;
    };
    keep(Referers::parse(redirect, patterns.iter().copied()), "referers", place)
}

fn compile(from: &RuleUrl, to: &RuleUrl) -> Result<Regex, String> {
    let regex = RegexBuilder::new()
        .caseless(true)
        .jit_if_available(true)
        .build(&from.host)
        .map_err(|error| error.to_string())?;
    let groups = regex.captures_len();
    if groups > MAX_GROUPS {
        return Err(format!("{groups} groups including the whole, at most {MAX_GROUPS} are allowed"));
    }
    for (at, _) in to.host.match_indices('$') {
        let next = to.host[at + 1..].chars().next();
        match next.and_then(|digit| digit.to_digit(10)) {
            Some(digit) if (digit as usize) < groups => {}
            _ => {
                let name = next.map(String::from).unwrap_or_default();
                return Err(format!("the to URL asks for group ${name}, which the expression does not have"));
            }
        }
    }
    Ok(regex)
}
