//! A remap rule: what it matches, what it makes of a URL, and what else it asks for.
//!
//! Responsible for: the rule as data, its ACL and referer checks, and rewriting a path.
//! Not responsible for: finding the rule for a request (see [`super::index`]) and running its plugins.
//! Invariants: a rule in a table has a destination host; its regular expression compiles and has a group for
//! each `$n` in the destination host.

use std::borrow::Cow;
use std::sync::Arc;

use pcre2::bytes::{Regex, RegexBuilder};

use super::acl::{self, AclFilter, AclOutcome, AclRequest};
use super::url::{RuleUrl, Scheme};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// `map`, and `map_with_referer` whose referers stand in [`Rule::referers`].
    Map,
    /// `map_with_recv_port`: matches the port the connection came in on; tried before all others.
    MapWithRecvPort,
    /// `redirect` and `redirect_temporary`: tried when no map rule matches.
    Redirect {
        /// 301 rather than 307.
        permanent: bool,
    },
    /// `reverse_map`: rewrites the Location of origin responses.
    ReverseMap,
}

impl RuleKind {
    /// Status of the redirect this rule answers with.
    pub fn redirect_status(self) -> Option<u16> {
        match self {
            RuleKind::Redirect { permanent: true } => Some(301),
            RuleKind::Redirect { permanent: false } => Some(307),
            _ => None,
        }
    }
}

/// A plugin of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemapPlugin {
    /// File or native name, as written.
    pub name: String,
    /// The `@pparam` values, with their quotes if they had any.
    pub params: Vec<String>,
    /// File of the rule.
    pub file: Arc<str>,
    /// Line of the rule.
    pub line: u32,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it does.
    pub kind: RuleKind,
    /// Place among all rules of the table; of two rules that match, the lower one wins.
    pub rank: u32,
    /// The URL it matches.
    pub from: RuleUrl,
    /// The URL it maps to.
    pub to: RuleUrl,
    /// `from` in canonical form, as plugins get it.
    pub from_text: String,
    /// `to` in canonical form, as plugins get it.
    pub to_text: String,
    /// Plugins in the order they are called in.
    pub plugins: Vec<RemapPlugin>,
    /// Active named filters first, then the rule's own.
    pub acl: Vec<AclFilter>,
    /// Whether `ip_allow.yaml` applies (`.deactivatefilter ip_allow` turns it off).
    pub checks_ip_allow: bool,
    /// Referers of a `map_with_referer` rule.
    pub referers: Option<Referers>,
    /// `@mapid`; 0 if there is none.
    pub map_id: u32,
    /// `@strategy`.
    pub strategy: Option<String>,
    /// Whether the from URL ended in `//`.
    pub is_unique: bool,
    /// Fourth word of a rule without referers.
    pub tag: Option<String>,
    /// File of the rule.
    pub file: Arc<str>,
    /// Line of the rule.
    pub line: u32,
    /// Whether `from` matches any port when it names none (rules of the command line).
    pub(super) matches_any_port: bool,
    /// The from host as a regular expression (`regex_` rules).
    pub(super) regex: Option<Regex>,
}

impl Rule {
    /// Whether the from host is a regular expression.
    pub fn is_regex(&self) -> bool {
        self.regex.is_some()
    }

    /// Asks the rule's filters.
    pub fn acl(&self, request: &AclRequest<'_>) -> AclOutcome {
        acl::judge(&self.acl, request)
    }

    /// Checks the Referer of a request. Only to be asked while `http.referer_filter` is on.
    pub fn referer(&self, referer: Option<&str>) -> RefererOutcome {
        self.referers.as_ref().map_or(RefererOutcome::Allow, |referers| referers.check(referer))
    }

    /// The schemes and ports the rule matches.
    pub(super) fn endpoint(&self) -> Endpoint {
        let port = match (self.from.port, self.from.scheme) {
            (Some(port), _) => Ports::One(port),
            (None, _) if self.matches_any_port => Ports::Any,
            (None, Some(scheme)) => Ports::One(scheme.default_port()),
            (None, None) => Ports::Default,
        };
        Endpoint { scheme: self.from.scheme, port }
    }

    /// Puts the `to` path in the place of the `from` path at the start of `path`.
    pub(super) fn rewrite_path<'a>(&self, path: &'a [u8]) -> Cow<'a, [u8]> {
        let to = self.to.path.as_bytes();
        let mut skipped = self.from.path.len().min(path.len());
        if to.is_empty() {
            let rest = &path[skipped..];
            return Cow::Borrowed(rest.strip_prefix(b"/").unwrap_or(rest));
        }
        let mut new = Vec::with_capacity(to.len() + 1 + path.len());
        new.extend_from_slice(to);
        if skipped == 0 && !path.is_empty() && !to.ends_with(b"/") {
            new.push(b'/');
        }
        if path.get(skipped) == Some(&b'/') && to.ends_with(b"/") {
            skipped += 1;
        }
        new.extend_from_slice(&path[skipped..]);
        if new.starts_with(b"/") {
            new.remove(0);
        }
        Cow::Owned(new)
    }
}

/// The schemes and ports a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `None`: any scheme.
    scheme: Option<Scheme>,
    port: Ports,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    Any,
    One(u16),
    /// The default port of the request's scheme.
    Default,
}

impl Endpoint {
    pub(super) fn matches(self, scheme: Scheme, port: u16) -> bool {
        let has_port = match self.port {
            Ports::Any => true,
            Ports::One(own) => own == port,
            Ports::Default => scheme.default_port() == port,
        };
        has_port && self.scheme.is_none_or(|own| own == scheme)
    }
}

/// What the referer check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefererOutcome {
    /// The request goes on.
    Allow,
    /// The request is redirected to this URL.
    Redirect(String),
    /// The request is redirected to the record `http.referer_default_redirect`.
    RedirectToDefault,
}

/// The referers of a `map_with_referer` rule and where refused requests go.
#[derive(Clone, Debug)]
pub struct Referers {
    redirect_url: Option<String>,
    patterns: Vec<RefererPattern>,
    /// `~*` was given: the header may be missing.
    is_optional: bool,
}

#[derive(Clone, Debug)]
struct RefererPattern {
    is_negated: bool,
    /// `None`: any referer.
    regex: Option<Regex>,
}

impl Referers {
    /// From the words after the `to` URL: where refused requests go, then the patterns.
    pub(super) fn parse<'a>(redirect: &str, patterns: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let is_default = ["<default>", "default", "<default_redirect_url>", "default_redirect_url"]
            .iter()
            .any(|word| redirect.eq_ignore_ascii_case(word));
        let redirect_url = (!is_default).then(|| redirect.to_owned());
        let mut referers = Referers { redirect_url, patterns: Vec::new(), is_optional: false };
        for text in patterns {
            let (is_negated, text) = match text.strip_prefix('~') {
                Some(rest) => (true, rest),
                None => (false, text),
            };
            match (is_negated, text) {
                (true, "*") => referers.is_optional = true,
                (false, "*") => referers.patterns.push(RefererPattern { is_negated, regex: None }),
                _ => {
                    let regex = RegexBuilder::new()
                        .caseless(true)
                        .build(text)
                        .map_err(|error| format!("bad referer pattern \"{text}\": {error}"))?;
                    referers.patterns.push(RefererPattern { is_negated, regex: Some(regex) });
                }
            }
        }
        Ok(referers)
    }

    fn check(&self, referer: Option<&str>) -> RefererOutcome {
        let is_allowed = match referer {
            None => self.is_optional || self.patterns.is_empty(),
            Some(referer) => self.admits(referer),
        };
        match (&self.redirect_url, is_allowed) {
            (_, true) => RefererOutcome::Allow,
            (Some(url), false) => RefererOutcome::Redirect(url.clone()),
            (None, false) => RefererOutcome::RedirectToDefault,
        }
    }

    /// ATS: the first regular expression that matches decides; `*` admits what no negated one refuses.
    fn admits(&self, referer: &str) -> bool {
        let has_negated = self.patterns.iter().any(|pattern| pattern.is_negated);
        let mut is_admitted = self.patterns.is_empty();
        for pattern in &self.patterns {
            match &pattern.regex {
                None if !has_negated => return true,
                None => is_admitted = true,
                Some(regex) if regex.is_match(referer.as_bytes()).unwrap_or(false) => {
                    return !pattern.is_negated;
                }
                Some(_) => {}
            }
        }
        is_admitted
    }
}

/// What the marks in a redirect of a `map_with_referer` rule stand for (`http.referer_format_redirect`).
#[derive(Clone, Copy, Debug)]
pub struct RefererMarks<'m> {
    /// `%r`: the request's Referer, or nothing.
    pub referer: &'m str,
    /// `%f`: the rule's from URL.
    pub from: &'m str,
    /// `%t`: the rule's to URL.
    pub to: &'m str,
    /// `%o`: the URL that the client asked for.
    pub original: &'m str,
}

impl RefererMarks<'_> {
    /// The redirect's URL with the marks filled in; case does not matter, other percent signs stay.
    pub fn fill(&self, template: &str) -> String {
        let mut parts = template.split('%');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let value = match part.as_bytes().first().map(u8::to_ascii_lowercase) {
                Some(b'r') => self.referer,
                Some(b'f') => self.from,
                Some(b't') => self.to,
                Some(b'o') => self.original,
                _ => {
                    filled.push('%');
                    filled.push_str(part);
                    continue;
                }
            };
            filled.push_str(value);
            filled.push_str(&part[1..]);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_filled_in_and_other_percent_signs_stay() {
        let marks = RefererMarks { referer: "R%f", from: "F", to: "T", original: "O" };
        assert_eq!(marks.fill("a%r-%F%t%o%%x%"), "aR%f-FTO%%x%");
        assert_eq!(marks.fill("%é%"), "%é%");
        assert_eq!(marks.fill(""), "");
    }

    #[test]
    fn the_first_pattern_that_matches_decides() {
        let outcome = |patterns: &[&str]| referers("u", patterns).check(Some("good.evil"));
        assert_eq!(outcome(&["good", "~evil"]), RefererOutcome::Allow);
        assert_eq!(outcome(&["~evil", "good"]), RefererOutcome::Redirect("u".into()));
        assert_eq!(outcome(&["*", "~evil"]), RefererOutcome::Redirect("u".into()));
        assert_eq!(outcome(&["*", "~other"]), RefererOutcome::Allow);
        assert_eq!(outcome(&["~other"]), RefererOutcome::Redirect("u".into()));
    }

    fn referers(redirect: &str, patterns: &[&str]) -> Referers {
        Referers::parse(redirect, patterns.iter().copied()).expect("referers")
    }

    #[test]
    fn a_referer_must_match_a_pattern() {
        let some = referers("http://no.example/", &[r".*\.ok\.example/.*"]);
        assert_eq!(some.check(Some("http://www.ok.example/x")), RefererOutcome::Allow);
        assert_eq!(some.check(Some("http://evil/")), RefererOutcome::Redirect("http://no.example/".into()));
        assert_eq!(some.check(None), RefererOutcome::Redirect("http://no.example/".into()));
    }

    #[test]
    fn a_negated_star_makes_the_header_optional() {
        let some = referers("default", &["~*", "ok"]);
        assert_eq!(some.check(None), RefererOutcome::Allow);
        assert_eq!(some.check(Some("http://evil/")), RefererOutcome::RedirectToDefault);
    }

    #[test]
    fn a_negated_pattern_refuses_what_a_star_admits() {
        let some = referers("default", &["~evil", "*"]);
        assert_eq!(some.check(Some("http://good/")), RefererOutcome::Allow);
        assert_eq!(some.check(Some("http://evil/")), RefererOutcome::RedirectToDefault);
    }

    #[test]
    fn a_bad_pattern_is_refused() {
        assert!(Referers::parse("default", ["("].into_iter()).is_err());
    }
}
