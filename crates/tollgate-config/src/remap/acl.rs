//! ACL filters of remap rules.
//!
//! Responsible for: `@action`, `@method`, `@src_ip`, `@in_ip`, `@internal`, and judging a request by the
//! filters of its rule.
//! Not responsible for: `ip_allow.yaml` (see [`crate::ip_allow`]).
//! Invariants: filters are asked in order until one denies. A filter whose conditions hold answers with its
//! action, one whose conditions do not hold answers with the opposite.

use std::net::IpAddr;

use crate::ip::IpRange;

/// What filters look at.
#[derive(Clone, Copy, Debug)]
pub struct AclRequest<'a> {
    /// Request method.
    pub method: &'a str,
    /// The client's address.
    pub src_ip: IpAddr,
    /// The address the client connected to.
    pub in_ip: IpAddr,
    /// Whether the request was made inside the server.
    pub is_internal: bool,
}

/// What filters say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclOutcome {
    /// The request goes on.
    Allow,
    /// The request is answered with 403.
    Deny,
}

/// Methods that a filter means in any case.
const STANDARD_METHODS: &[&str] =
    &["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PURGE", "PUT", "TRACE", "PUSH"];

// LIMIT: addresses in one filter, as in Traffic Server.
const MAX_ADDRESSES: usize = 128;

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclFilter {
    action: AclOutcome,
    methods: Vec<String>,
    src_ips: Vec<Addresses>,
    in_ips: Vec<Addresses>,
    is_internal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Addresses {
    range: IpRange,
    is_negated: bool,
}

impl Default for AclFilter {
    fn default() -> Self {
        AclFilter {
            action: AclOutcome::Allow,
            methods: Vec::new(),
            src_ips: Vec::new(),
            in_ips: Vec::new(),
            is_internal: false,
        }
    }
}

impl AclFilter {
    /// Whether `option` (without its `@`) belongs to a filter.
    pub(super) fn is_option(option: &str) -> bool {
        let name = option.split_once('=').map_or(option, |(name, _)| name).to_ascii_lowercase();
        matches!(name.as_str(), "method" | "src_ip" | "in_ip" | "action" | "internal")
    }

    /// Adds one option, without its `@`.
    pub(super) fn add(&mut self, option: &str) -> Result<(), String> {
        if option.eq_ignore_ascii_case("internal") {
            self.is_internal = true;
            return Ok(());
        }
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if value.is_empty() {
            return Err(format!("@{name} needs a value"));
        }
        match name.to_ascii_lowercase().as_str() {
            "method" => {
                let standard = STANDARD_METHODS.iter().find(|known| known.eq_ignore_ascii_case(value));
                self.methods.push(standard.map_or(value, |known| *known).to_owned());
            }
            "src_ip" => add_addresses(&mut self.src_ips, name, value)?,
            "in_ip" => add_addresses(&mut self.in_ips, name, value)?,
            "action" => self.action = parse_action(value)?,
            _ => return Err(format!("@{option} is not a filter option")),
        }
        Ok(())
    }

    fn judge(&self, request: &AclRequest<'_>) -> AclOutcome {
        let matches = if self.is_internal {
            request.is_internal
        } else {
            (self.methods.is_empty() || self.methods.iter().any(|method| method == request.method))
                && has_address(&self.src_ips, request.src_ip)
                && has_address(&self.in_ips, request.in_ip)
        };
        match (matches, self.action) {
            (true, action) => action,
            (false, AclOutcome::Allow) => AclOutcome::Deny,
            (false, AclOutcome::Deny) => AclOutcome::Allow,
        }
    }
}

/// Asks `filters` in order until one denies.
pub(super) fn judge(filters: &[AclFilter], request: &AclRequest<'_>) -> AclOutcome {
    let is_denied = filters.iter().any(|filter| filter.judge(request) == AclOutcome::Deny);
    if is_denied { AclOutcome::Deny } else { AclOutcome::Allow }
}

fn add_addresses(list: &mut Vec<Addresses>, name: &str, value: &str) -> Result<(), String> {
    let (is_negated, text) = match value.strip_prefix('~') {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    if list.len() == MAX_ADDRESSES {
        return Err(format!("more than {MAX_ADDRESSES} @{name} in one filter"));
    }
    let range = text.parse().map_err(|error| format!("@{name}: {error}"))?;
    list.push(Addresses { range, is_negated });
    Ok(())
}

fn has_address(list: &[Addresses], address: IpAddr) -> bool {
    list.is_empty() || list.iter().any(|entry| entry.range.contains(address) != entry.is_negated)
}

fn parse_action(value: &str) -> Result<AclOutcome, String> {
    match value.to_ascii_lowercase().as_str() {
        "allow" | "on" | "enable" | "1" => Ok(AclOutcome::Allow),
        "deny" | "off" | "disable" | "0" => Ok(AclOutcome::Deny),
        _ => Err(format!("@action: \"{value}\" is neither allow nor deny")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AclOutcome::{Allow, Deny};

    fn filter(options: &[&str]) -> AclFilter {
        let mut filter = AclFilter::default();
        for option in options {
            filter.add(option).expect(option);
        }
        filter
    }

    fn ask(filters: &[AclFilter], method: &str, src: &str, is_internal: bool) -> AclOutcome {
        let src_ip = src.parse().expect("address");
        let in_ip = "192.0.2.1".parse().expect("address");
        judge(filters, &AclRequest { method, src_ip, in_ip, is_internal })
    }

    #[test]
    fn a_filter_that_does_not_match_answers_with_the_opposite() {
        let allow = [filter(&["action=allow", "method=get"])];
        assert_eq!(ask(&allow, "GET", "10.0.0.1", false), Allow);
        assert_eq!(ask(&allow, "POST", "10.0.0.1", false), Deny);
        let deny = [filter(&["action=deny", "method=PUT", "method=POST"])];
        assert_eq!(ask(&deny, "POST", "10.0.0.1", false), Deny);
        assert_eq!(ask(&deny, "GET", "10.0.0.1", false), Allow);
    }

    #[test]
    fn conditions_of_one_filter_must_all_hold() {
        let both = [filter(&["action=deny", "method=PUT", "src_ip=10.0.0.0/8", "in_ip=192.0.2.0/24"])];
        assert_eq!(ask(&both, "PUT", "10.0.0.1", false), Deny);
        assert_eq!(ask(&both, "PUT", "11.0.0.1", false), Allow);
        assert_eq!(ask(&both, "GET", "10.0.0.1", false), Allow);
    }

    #[test]
    fn a_tilde_negates_addresses() {
        let outside = [filter(&["action=deny", "src_ip=~10.0.0.0/8"])];
        assert_eq!(ask(&outside, "GET", "11.0.0.1", false), Deny);
        assert_eq!(ask(&outside, "GET", "10.0.0.1", false), Allow);
    }

    #[test]
    fn internal_replaces_the_other_conditions() {
        let internal = [filter(&["action=allow", "internal", "method=POST"])];
        assert_eq!(ask(&internal, "GET", "10.0.0.1", true), Allow);
        assert_eq!(ask(&internal, "POST", "10.0.0.1", false), Deny);
    }

    #[test]
    fn the_first_filter_that_denies_decides() {
        let two = [filter(&["action=allow", "method=GET"]), filter(&["action=deny", "src_ip=10.0.0.1"])];
        assert_eq!(ask(&two, "GET", "10.0.0.1", false), Deny);
        assert_eq!(ask(&two, "GET", "10.0.0.2", false), Allow);
        assert_eq!(ask(&[], "GET", "10.0.0.2", false), Allow);
    }

    #[test]
    fn bad_options_are_refused() {
        for bad in ["method=", "method", "action=maybe", "src_ip=1.2.3", "in_ip=~", "colour=red"] {
            assert!(AclFilter::default().add(bad).is_err(), "{bad}");
        }
    }
}
