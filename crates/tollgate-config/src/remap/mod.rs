//! `remap.config`: which origin a request goes to.
//!
//! Responsible for: the file's grammar with all rule types, directives and options, the table of rules, finding
//! the rule for a request, and what the rule makes of the URL.
//! Not responsible for: loading and running plugins, answering requests that no rule matches.
//! Entry points: [`RemapTable::parse`], [`RemapTable::find`], [`RemapMatch::target`], [`Rule::acl`].
//! Invariants: `map_with_recv_port` rules are asked first, then the other map rules, then temporary redirects,
//! then permanent ones. Among the rules asked together the one that stands first in the file wins, except that
//! rules without a host are asked after all others. A `tunnel` rule also matches the addresses that its host has when
//! the table is made, unless another rule names the address.

mod acl;
mod filters;
mod index;
mod lex;
mod options;
mod parse;
mod rule;
#[cfg(test)]
mod tests;
mod url;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub use acl::{AclFilter, AclOutcome, AclRequest};
pub use parse::RemapParser;
pub use rule::{RefererMarks, RefererOutcome, Referers, RemapPlugin, Rule, RuleKind};
pub use url::{RuleUrl, Scheme, UrlError};

use crate::Problem;
use crate::files::FileSource;
use index::{Insertion, Store, Wanted};

/// All rules of a generation.
#[derive(Default)]
pub struct RemapTable {
    rules: Vec<Arc<Rule>>,
    with_recv_port: Store,
    maps: Store,
    temporary_redirects: Store,
    permanent_redirects: Store,
    reverse_maps: Store,
}

impl fmt::Debug for RemapTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules.iter().map(|rule| format!("{} {}", rule.from_text, rule.to_text));
        f.debug_list().entries(rules).finish()
    }
}

/// The parts of a request that rules look at.
#[derive(Clone, Copy, Debug)]
pub struct RemapRequest<'a> {
    /// `http`, `https`, `ws`, `wss` or `tunnel`; empty if unknown (then the port decides).
    pub scheme: &'a str,
    /// Host in any case, without port; empty if the request has none.
    pub host: &'a [u8],
    /// Port of the URL or Host header, or else the scheme's default.
    pub port: u16,
    /// Path without its leading slash and without the query.
    pub path: &'a [u8],
    /// Port the connection came in on.
    pub recv_port: u16,
}

/// A rule that matches a request.
#[derive(Clone, Debug)]
pub struct RemapMatch<'a> {
    /// The rule.
    pub rule: &'a Arc<Rule>,
    /// The `to` host with the groups of a regular expression filled in.
    host: Option<String>,
}

/// What a rule makes of a request's URL. The query stays the request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedUrl<'a> {
    /// New scheme.
    pub scheme: Scheme,
    /// New host, without brackets.
    pub host: Cow<'a, str>,
    /// New port if the rule names one.
    pub port: Option<u16>,
    /// New path without its leading slash.
    pub path: Cow<'a, [u8]>,
}

impl MappedUrl<'_> {
    /// The port, the scheme's default if the rule names none.
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.scheme.default_port())
    }

    /// Host and port as a Host header has them.
    pub fn authority(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        match self.port {
            Some(port) => format!("{open}{}{close}:{port}", self.host),
            None => format!("{open}{}{close}", self.host),
        }
    }

    /// The URL as a text, such as for a Location header, with `query` (without its question mark) if there
    /// is one.
    pub fn to_text(&self, query: Option<&[u8]>) -> String {
        let path = String::from_utf8_lossy(&self.path);
        let mut text = format!("{}://{}/{path}", self.scheme.as_str(), self.authority());
        if let Some(query) = query {
            text.push('?');
            text.push_str(&String::from_utf8_lossy(query));
        }
        text
    }
}

impl<'a> RemapMatch<'a> {
    /// The URL that the rule makes of the request's.
    #[inline]
    pub fn target<'m>(&'m self, request: &RemapRequest<'m>) -> MappedUrl<'m> {
        self.rewrite(request.path)
    }

    fn rewrite<'m>(&'m self, path: &'m [u8]) -> MappedUrl<'m> {
        let to = &self.rule.to;
        let host = self.host.as_deref().unwrap_or(&to.host);
        MappedUrl {
            scheme: to.effective_scheme(),
            host: Cow::Borrowed(host),
            port: to.port,
            path: self.rule.rewrite_path(path),
        }
    }
}

impl RemapTable {
    /// Reads `text`, the content of `file`; included files come from `files`.
    pub fn parse(file: &str, text: &str, files: &dyn FileSource) -> (RemapTable, Vec<Problem>) {
        let mut parser = RemapParser::new(files);
        parser.add_text(file, text);
        parser.finish()
    }

    /// The rules of the command line: pairs of from and to. A from without a scheme (`example.com/path`)
    /// matches every scheme; a from without a port matches every port; `/` matches everything.
    pub fn from_maps<S: AsRef<str>>(maps: &[(S, S)]) -> (RemapTable, Vec<Problem>) {
        let files = crate::files::MemoryFiles::new();
        let mut parser = RemapParser::new(&files);
        for (from, to) in maps {
            parser.add_map(from.as_ref(), to.as_ref());
        }
        parser.finish()
    }

    /// All rules in rank order: `rules()[n].rank == n`.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule for a request.
    #[inline]
    pub fn find(&self, request: &RemapRequest<'_>) -> Option<RemapMatch<'_>> {
        let scheme = match request.scheme {
            "" if request.port == 80 => Scheme::Http,
            "" => Scheme::Https,
            name => Scheme::from_name(name)?,
        };
        let wanted = Wanted { scheme, host: request.host, port: request.port, path: request.path };
        let by_recv_port = || {
            let wanted = Wanted { port: request.recv_port, ..wanted };
            if self.with_recv_port.is_empty() { None } else { self.with_recv_port.find(&wanted) }
        };
        let found = by_recv_port()
            .or_else(|| self.maps.find(&wanted))
            .or_else(|| self.temporary_redirects.find(&wanted))
            .or_else(|| self.permanent_redirects.find(&wanted))?;
        Some(RemapMatch { rule: found.rule, host: found.host })
    }

    /// What the Location of an origin's response becomes by a `reverse_map` rule.
    pub fn reverse(&self, location: &str) -> Option<String> {
        if self.reverse_maps.is_empty() {
            return None;
        }
        let end = location.find(['?', '#']).unwrap_or(location.len());
        let (base, tail) = location.split_at(end);
        let url = RuleUrl::parse(base, url::HostForm::Name).ok()?;
        let scheme = url.scheme?;
        let wanted = Wanted {
            scheme,
            host: url.host.as_bytes(),
            port: url.effective_port(),
            path: url.path.as_bytes(),
        };
        let found = self.reverse_maps.find(&wanted)?;
        let found = RemapMatch { rule: found.rule, host: found.host };
        Some(found.rewrite(url.path.as_bytes()).to_text(None) + tail)
    }

    fn insert(&mut self, rule: Arc<Rule>) -> Insertion {
        let store = match rule.kind {
            RuleKind::Map => &mut self.maps,
            RuleKind::MapWithRecvPort => &mut self.with_recv_port,
            RuleKind::Redirect { permanent: false } => &mut self.temporary_redirects,
            RuleKind::Redirect { permanent: true } => &mut self.permanent_redirects,
            RuleKind::ReverseMap => &mut self.reverse_maps,
        };
        self.rules.push(Arc::clone(&rule));
        // ATS: a query in the from URL is compared with the path, which has none.
        if rule.from.query.is_some() { Insertion::Done } else { store.insert(rule) }
    }

    /// ATS: a rule for tunnels matches the addresses of its host, too, as clients may name those.
    fn insert_addresses(&mut self, rule: &Arc<Rule>, addresses: &[IpAddr]) {
        let store = match rule.kind {
            RuleKind::MapWithRecvPort => &mut self.with_recv_port,
            _ => &mut self.maps,
        };
        for address in addresses.iter().filter(|address| !address.is_unspecified()) {
            // A rule that names the address itself stays the one for it.
            let _: Insertion = store.insert_at(&address.to_string(), Arc::clone(rule));
        }
    }

    fn seal(&mut self) {
        let stores = [
            &mut self.with_recv_port,
            &mut self.maps,
            &mut self.temporary_redirects,
            &mut self.permanent_redirects,
            &mut self.reverse_maps,
        ];
        stores.into_iter().for_each(Store::seal);
    }
}
