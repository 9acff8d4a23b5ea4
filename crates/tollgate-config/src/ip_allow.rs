//! `ip_allow.yaml`: which addresses may use the proxy, and with which methods.
//!
//! Responsible for: the rules (`apply`, `ip_addrs`, `action`, `methods`) and judging an address and a method.
//! Not responsible for: ACL filters of remap rules (see [`crate::remap::AclFilter`]).
//! Invariants: the first rule that holds the address decides. `allow` with methods permits only these, `deny`
//! with methods forbids only these. A client address that no rule holds is denied, an origin address allowed;
//! without any rules for its side every address is allowed.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Problem;
use crate::ip::IpRange;
use crate::yaml::{Key, Node, Yaml};

/// Which connections a rule concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Connections from clients, by the client's address.
    In,
    /// Connections to origins, by the origin's address.
    Out,
}

/// All rules of the file.
#[derive(Clone, Debug, Default)]
pub struct IpAllow {
    inbound: Vec<IpRule>,
    outbound: Vec<IpRule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct IpRule {
    ranges: Vec<IpRange>,
    is_allowing: bool,
    /// `None`: all methods.
    methods: Option<Vec<String>>,
}

impl IpRule {
    fn allows(&self, method: &str) -> bool {
        let is_named = self.methods.as_ref().is_none_or(|methods| methods.iter().any(|name| name == method));
        is_named == self.is_allowing
    }

    fn denies_all(&self) -> bool {
        match &self.methods {
            None => !self.is_allowing,
            Some(methods) => self.is_allowing && methods.is_empty(),
        }
    }
}

impl IpAllow {
    /// Reads `text`, the content of `file`.
    pub fn parse(file: &str, text: &str) -> (IpAllow, Vec<Problem>) {
        let file: Arc<str> = Arc::from(file);
        let mut reader = Reader { file: &file, problems: Vec::new(), rules: IpAllow::default() };
        match Node::parse(&file, text) {
            Ok(root) => reader.root(&root),
            Err(problem) => reader.problems.push(problem),
        }
        (reader.rules, reader.problems)
    }

    /// Whether a request with `method` may come from (or go to) `address`.
    pub fn allows(&self, side: Side, address: IpAddr, method: &str) -> bool {
        match self.decisive_rule(side, address) {
            Some(rule) => rule.allows(method),
            None => self.allows_unknown(side),
        }
    }

    /// Whether `address` is denied whatever the method, so that its connection need not be served.
    pub fn denies_all(&self, side: Side, address: IpAddr) -> bool {
        match self.decisive_rule(side, address) {
            Some(rule) => rule.denies_all(),
            None => !self.allows_unknown(side),
        }
    }

    /// Whether any rule is about this side.
    pub fn concerns(&self, side: Side) -> bool {
        !self.rules(side).is_empty()
    }

    fn decisive_rule(&self, side: Side, address: IpAddr) -> Option<&IpRule> {
        self.rules(side).iter().find(|rule| rule.ranges.iter().any(|range| range.contains(address)))
    }

    fn allows_unknown(&self, side: Side) -> bool {
        side == Side::Out || self.inbound.is_empty()
    }

    fn rules(&self, side: Side) -> &[IpRule] {
        match side {
            Side::In => &self.inbound,
            Side::Out => &self.outbound,
        }
    }
}

struct Reader<'a> {
    file: &'a Arc<str>,
    problems: Vec<Problem>,
    rules: IpAllow,
}

impl Reader<'_> {
    fn error(&mut self, line: u32, message: impl Into<String>) {
        self.problems.push(Problem::error(self.file, line, message));
    }

    fn root(&mut self, root: &Node) {
        match &root.value {
            Yaml::Null => {}
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    if key.name == "ip_allow" {
                        value.items().iter().for_each(|item| self.rule(item));
                    } else {
                        self.problems.push(Problem::warning(
                            self.file,
                            key.line,
                            format!("unknown key {}", key.name),
                        ));
                    }
                }
            }
            _ => self.error(root.line, "expected a map with the key ip_allow"),
        }
    }

    fn rule(&mut self, item: &Node) {
        let Yaml::Map(entries) = &item.value else {
            if item.value != Yaml::Null {
                self.error(item.line, format!("expected a rule, found {}", item.kind()));
            }
            return;
        };
        let before = self.problems.len();
        let mut rule = IpRule { ranges: Vec::new(), is_allowing: false, methods: None };
        let (mut side, mut has_action) = (None, false);
        for (key, value) in entries {
            match key.name.as_str() {
                "apply" => side = self.side(value),
                "ip_addrs" => rule.ranges = self.ranges(key, value),
                "action" => {
                    has_action = true;
                    rule.is_allowing = self.action(value);
                }
                "methods" | "method" => rule.methods = self.methods(value),
                name => {
                    self.problems.push(Problem::warning(self.file, key.line, format!("unknown key {name}")))
                }
            }
        }
        if self.problems[before..].iter().any(Problem::is_error) {
            return;
        }
        match side {
            _ if !has_action => self.error(item.line, "the rule has no action"),
            _ if rule.ranges.is_empty() => self.error(item.line, "the rule has no ip_addrs"),
            Some(Side::In) => self.rules.inbound.push(rule),
            Some(Side::Out) => self.rules.outbound.push(rule),
            None => self.error(item.line, "the rule has no apply: in or out"),
        }
    }

    fn side(&mut self, value: &Node) -> Option<Side> {
        match self.word(value).as_deref() {
            Some("in") => return Some(Side::In),
            Some("out") => return Some(Side::Out),
            Some(other) => self.error(value.line, format!("apply: \"{other}\" is neither in nor out")),
            None => {}
        }
        None
    }

    fn action(&mut self, value: &Node) -> bool {
        match self.word(value).as_deref() {
            Some("allow" | "set_allow") => return true,
            Some("deny" | "set_deny") | None => {}
            Some(other) => self.error(value.line, format!("action: \"{other}\" is neither allow nor deny")),
        }
        false
    }

    fn ranges(&mut self, key: &Key, value: &Node) -> Vec<IpRange> {
        let mut ranges = Vec::new();
        for item in value.items() {
            let Some(text) = self.text(item) else { continue };
            match text.parse() {
                Ok(range) => ranges.push(range),
                Err(error) => self.error(item.line, format!("{}: {error}", key.name)),
            }
        }
        ranges
    }

    fn methods(&mut self, value: &Node) -> Option<Vec<String>> {
        let methods: Vec<_> = value.items().iter().filter_map(|item| self.text(item)).collect();
        let is_all = methods.iter().any(|method| method.eq_ignore_ascii_case("ALL"));
        (!is_all).then(|| methods.iter().map(|method| method.to_ascii_uppercase()).collect())
    }

    fn text(&mut self, value: &Node) -> Option<String> {
        match &value.value {
            Yaml::Scalar(text) => Some(text.clone()),
            _ => {
                self.error(value.line, format!("expected a single value, found {}", value.kind()));
                None
            }
        }
    }

    fn word(&mut self, value: &Node) -> Option<String> {
        self.text(value).map(|text| text.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STOCK: &str = "\
ip_allow:
  - apply: in
    ip_addrs: 127.0.0.1
    action: allow
    methods: ALL
  - apply: in
    ip_addrs: ::1
    action: allow
    methods: ALL
  - apply: in
    ip_addrs: 0/0
    action: deny
    methods:
      - PURGE
      - PUSH
      - DELETE
      - TRACE
";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn the_first_rule_with_the_address_decides() {
        let (rules, problems) = IpAllow::parse("ip_allow.yaml", STOCK);
        assert_eq!(problems, []);
        assert!(rules.allows(Side::In, ip("127.0.0.1"), "PURGE"));
        assert!(rules.allows(Side::In, ip("::1"), "PURGE"));
        assert!(!rules.allows(Side::In, ip("10.0.0.1"), "PURGE"));
        assert!(rules.allows(Side::In, ip("10.0.0.1"), "GET"));
        assert!(!rules.denies_all(Side::In, ip("10.0.0.1")));
    }

    #[test]
    fn addresses_without_rule_are_denied_inbound_and_allowed_outbound() {
        let (rules, _) = IpAllow::parse("ip_allow.yaml", STOCK);
        assert!(!rules.allows(Side::In, ip("2001:db8::1"), "GET"));
        assert!(rules.denies_all(Side::In, ip("2001:db8::1")));
        assert!(rules.allows(Side::Out, ip("2001:db8::1"), "GET"));
        let none = IpAllow::default();
        assert!(none.allows(Side::In, ip("2001:db8::1"), "GET"));
        assert!(!none.denies_all(Side::In, ip("2001:db8::1")));
    }

    #[test]
    fn allow_with_methods_permits_only_these() {
        let text = "ip_allow:\n  apply: in\n  ip_addrs: [10/8, 11.0.0.1-11.0.0.9]\n  action: allow\n  methods: [get, HEAD]\n";
        let (rules, problems) = IpAllow::parse("ip_allow.yaml", text);
        assert_eq!(problems, []);
        assert!(rules.allows(Side::In, ip("10.1.1.1"), "GET"));
        assert!(rules.allows(Side::In, ip("11.0.0.5"), "HEAD"));
        assert!(!rules.allows(Side::In, ip("10.1.1.1"), "POST"));
    }

    #[test]
    fn a_denied_origin_is_denied() {
        let text = "ip_allow:\n  - {apply: out, ip_addrs: 169.254.0.0/16, action: deny}\n";
        let (rules, _) = IpAllow::parse("ip_allow.yaml", text);
        assert!(rules.denies_all(Side::Out, ip("169.254.169.254")));
        assert!(rules.allows(Side::Out, ip("192.0.2.1"), "GET"));
    }

    #[test]
    fn errors_name_file_and_line() {
        let text = "\
other: 1
ip_allow:
  - apply: sideways
    ip_addrs: 1.2.3
    action: maybe
  - apply: in
    action: allow
  - ip_addrs: 0/0
    action: deny
  - apply: in
    ip_addrs: 0/0
  - nonsense
";
        let (rules, problems) = IpAllow::parse("ip_allow.yaml", text);
        let expected = [
            "ip_allow.yaml:1: unknown key other",
            "ip_allow.yaml:3: apply: \"sideways\" is neither in nor out",
            "ip_allow.yaml:4: ip_addrs: \"1.2.3\" is not an IP address or range of addresses",
            "ip_allow.yaml:5: action: \"maybe\" is neither allow nor deny",
            "ip_allow.yaml:6: the rule has no ip_addrs",
            "ip_allow.yaml:8: the rule has no apply: in or out",
            "ip_allow.yaml:10: the rule has no action",
            "ip_allow.yaml:12: expected a rule, found a single value",
        ];
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert!(rules.inbound.is_empty());
        assert_eq!(IpAllow::parse("ip_allow.yaml", "").1, []);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,100}", value in "[-a-z0-9:/\\[\\]{}, ]{0,30}") {
            IpAllow::parse("ip_allow.yaml", &text);
            IpAllow::parse("ip_allow.yaml", &format!("ip_allow:\n  - apply: in\n    ip_addrs: {value}\n    action: deny\n"));
        }
    }
}
