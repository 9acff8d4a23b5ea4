//! Finding the rule for a request.
//!
//! Responsible for: hash by host, ports and schemes, path prefixes, and regular expressions, such that the
//! matching rule of the lowest rank is found without looking at all rules.
//! Not responsible for: which stores are asked in which order (see [`super::RemapTable`]).
//! Invariants: the answer is the one a walk over all rules in rank order would give; a rule without scheme or
//! port is in the groups it can match; a look-up by host name allocates nothing.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::rule::{Endpoint, Rule};
use super::url::Scheme;

// LIMIT: hosts longer than this match no rule by name; DNS names have at most 253 bytes.
const MAX_HOST: usize = 255;

/// What a request is found by.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) scheme: Scheme,
    pub(super) host: &'a [u8],
    pub(super) port: u16,
    pub(super) path: &'a [u8],
}

/// Rules of one kind.
#[derive(Default)]
pub(super) struct Store {
    by_host: HashMap<Box<[u8]>, Vec<Group>, RandomState>,
    /// By rank.
    regexes: Vec<Arc<Rule>>,
    /// Rules with a path only.
    without_host: PathIndex,
}

/// Rules of one host with the same scheme and port.
struct Group {
    endpoint: Endpoint,
    paths: PathIndex,
}

/// A rule, with the host it maps to if a regular expression's groups made it.
pub(super) struct Found<'a> {
    pub(super) rule: &'a Arc<Rule>,
    pub(super) host: Option<String>,
}

/// Whether a rule was put into a store.
pub(super) enum Insertion {
    Done,
    /// This rule is there already with the same from URL.
    Shadowed(Arc<Rule>),
}

impl Store {
    pub(super) fn insert(&mut self, rule: Arc<Rule>) -> Insertion {
        if rule.is_regex() {
            self.regexes.push(rule);
            return Insertion::Done;
        }
        if rule.from.host.is_empty() {
            return self.without_host.insert(rule);
        }
        self.insert_at(&rule.from.host, Arc::clone(&rule))
    }

    /// Inserts `rule` under a host that stands for its own.
    pub(super) fn insert_at(&mut self, host: &str, rule: Arc<Rule>) -> Insertion {
        let groups = self.by_host.entry(host.as_bytes().into()).or_default();
        let endpoint = rule.endpoint();
        if let Some(group) = groups.iter_mut().find(|group| group.endpoint == endpoint) {
            return group.paths.insert(rule);
        }
        let mut group = Group { endpoint, paths: PathIndex::default() };
        group.paths.insert(rule);
        groups.push(group);
        Insertion::Done
    }

    /// To be called after the last insertion.
    pub(super) fn seal(&mut self) {
        self.without_host.seal();
        for group in self.by_host.values_mut().flatten() {
            group.paths.seal();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_host.is_empty() && self.regexes.is_empty() && self.without_host.rules.is_empty()
    }

    /// The matching rule of the lowest rank; rules without a host only if no other matches.
    #[inline]
    pub(super) fn find(&self, wanted: &Wanted<'_>) -> Option<Found<'_>> {
        let mut lower = [0; MAX_HOST];
        let host = lower_case(wanted.host, &mut lower).unwrap_or_default();
        let by_name = if host.is_empty() { None } else { self.find_by_host(host, wanted) };
        if !self.regexes.is_empty() && !host.is_empty() {
            let limit = by_name.map_or(u32::MAX, |rule| rule.rank);
            if let Some(found) = self.find_regex(host, wanted, limit) {
                return Some(found);
            }
        }
        // ATS: scheme and port do not matter for rules without a host.
        let rule = by_name.or_else(|| self.without_host.find(wanted.path))?;
        Some(Found { rule, host: None })
    }

    fn find_by_host(&self, host: &[u8], wanted: &Wanted<'_>) -> Option<&Arc<Rule>> {
        let mut best: Option<&Arc<Rule>> = None;
        for group in self.by_host.get(host)? {
            if group.endpoint.matches(wanted.scheme, wanted.port)
                && let Some(rule) = group.paths.find(wanted.path)
                && best.is_none_or(|best| rule.rank < best.rank)
            {
                best = Some(rule);
            }
        }
        best
    }

    fn find_regex(&self, host: &[u8], wanted: &Wanted<'_>, limit: u32) -> Option<Found<'_>> {
        for rule in self.regexes.iter().take_while(|rule| rule.rank < limit) {
            if rule.endpoint().matches(wanted.scheme, wanted.port)
                && wanted.path.starts_with(rule.from.path.as_bytes())
                && let Some(to_host) = match_host(rule, host)
            {
                return Some(Found { rule, host: Some(to_host) });
            }
        }
        None
    }
}

/// `host` in lower case and without brackets; `None` if it is too long.
fn lower_case<'b>(host: &[u8], buffer: &'b mut [u8; MAX_HOST]) -> Option<&'b [u8]> {
    let host = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(host);
    let lower = buffer.get_mut(..host.len())?;
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    Some(lower)
}

/// The `to` host with the groups of the rule's expression filled in, if the expression matches.
fn match_host(rule: &Rule, host: &[u8]) -> Option<String> {
    let regex = rule.regex.as_ref()?;
    // An expression that exceeds the library's limits does not match.
    if !regex.is_match(host).unwrap_or(false) {
        return None;
    }
    if !rule.to.host.contains('$') {
        return Some(rule.to.host.clone());
    }
    let mut groups = regex.capture_locations();
    regex.captures_read(&mut groups, host).ok().flatten()?;
    let template = &rule.to.host;
    let mut filled = String::with_capacity(template.len() + host.len());
    let mut rest = template.as_str();
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        let digit = rest[at + 1..].chars().next().and_then(|digit| digit.to_digit(10));
        if let Some((start, end)) = digit.and_then(|digit| groups.get(digit as usize)) {
            filled.push_str(&String::from_utf8_lossy(host.get(start..end)?));
        }
        rest = rest.get(at + 2..).unwrap_or("");
    }
    filled.push_str(rest);
    Some(filled)
}

/// Rules by path prefix.
///
/// The paths are sorted. The longest rule path that is a prefix of a request's path is the greatest one not
/// above it, or a prefix of that one; each entry knows its longest proper prefix among the entries and the
/// lowest rank among all its prefixes.
#[derive(Default)]
struct PathIndex {
    rules: Vec<Arc<Rule>>,
    entries: Vec<PathEntry>,
    /// Paths already there, while inserting.
    known: HashMap<Box<str>, usize, RandomState>,
}

struct PathEntry {
    /// The rule's path.
    path: Box<[u8]>,
    /// Entry of the longest proper prefix.
    parent: Option<usize>,
    /// Index into `rules` of the lowest rank among this path and its prefixes.
    best: usize,
}

impl PathIndex {
    /// Rules come in the order of their ranks.
    fn insert(&mut self, rule: Arc<Rule>) -> Insertion {
        if let Some(first) = self.known.get(rule.from.path.as_str()) {
            return Insertion::Shadowed(Arc::clone(&self.rules[*first]));
        }
        self.known.insert(rule.from.path.as_str().into(), self.rules.len());
        self.rules.push(rule);
        Insertion::Done
    }

    fn seal(&mut self) {
        self.known = HashMap::default();
        let mut order: Vec<usize> = (0..self.rules.len()).collect();
        order.sort_by(|left, right| self.path(*left).cmp(self.path(*right)));
        let mut chain: Vec<usize> = Vec::new();
        for rule in order {
            while let Some(top) = chain.last()
                && !self.path(rule).starts_with(&self.entries[*top].path)
            {
                chain.pop();
            }
            let parent = chain.last().copied();
            let best = parent.map_or(rule, |parent| rule.min(self.entries[parent].best));
            chain.push(self.entries.len());
            self.entries.push(PathEntry { path: self.path(rule).into(), parent, best });
        }
    }

    fn path(&self, rule: usize) -> &[u8] {
        self.rules[rule].from.path.as_bytes()
    }

    #[inline]
    fn find(&self, path: &[u8]) -> Option<&Arc<Rule>> {
        if let [only] = self.rules.as_slice() {
            return path.starts_with(only.from.path.as_bytes()).then_some(only);
        }
        let above = self.entries.partition_point(|entry| *entry.path <= *path);
        let mut place = above.checked_sub(1)?;
        let common = common_prefix(&self.entries[place].path, path);
        while self.entries[place].path.len() > common {
            place = self.entries[place].parent?;
        }
        Some(&self.rules[self.entries[place].best])
    }
}

fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}
