//! Which redirects of origins are followed, by the address they lead to.
//!
//! Responsible for: the grammar of `proxy.config.http.redirect.actions`, the classes of addresses.
//! Not responsible for: which addresses are this machine's own (the caller knows), following.
//! Invariant: what no key names is not followed.

use crate::records::list_words;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is done about a redirect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedirectAction {
    /// The client gets the redirect.
    #[default]
    Return,
    /// The client is refused.
    Reject,
    /// The proxy follows it.
    Follow,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Own,
    Private,
    Loopback,
    Multicast,
    LinkLocal,
    Routable,
    Default,
}

const CLASSES: [(&str, Class); 7] = [
    ("self", Class::Own),
    ("private", Class::Private),
    ("loopback", Class::Loopback),
    ("multicast", Class::Multicast),
    ("linklocal", Class::LinkLocal),
    ("routable", Class::Routable),
    ("default", Class::Default),
];

const ACTIONS: [(&str, RedirectAction); 3] = [
    ("return", RedirectAction::Return),
    ("reject", RedirectAction::Reject),
    ("follow", RedirectAction::Follow),
];

/// The action for each kind of address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedirectActions {
    of: [Option<RedirectAction>; CLASSES.len()],
}

fn word<T: Copy>(table: &[(&str, T)], text: &str) -> Option<T> {
    table.iter().find(|(word, _)| text.trim().eq_ignore_ascii_case(word)).map(|(_, value)| *value)
}

impl RedirectActions {
    /// Reads `KEY:ACTION,KEY:ACTION…`. `None`: that is not what the text is.
    pub fn parse(text: &str) -> Option<RedirectActions> {
        let mut actions = RedirectActions::default();
        for pair in list_words(text) {
            let (class, action) = pair.split_once(':')?;
            actions.of[word(&CLASSES, class)? as usize] = Some(word(&ACTIONS, action)?);
        }
        Some(actions)
    }

    /// What is done about a redirect to `ip`. `is_own`: it is an address of this machine.
    pub fn action(&self, ip: IpAddr, is_own: bool) -> RedirectAction {
        let default = self.of[Class::Default as usize].unwrap_or_default();
        let class = if is_own { Class::Own } else { class_of(ip) };
        self.of[class as usize].unwrap_or(default)
    }
}

fn class_of(ip: IpAddr) -> Class {
    match ip.to_canonical() {
        IpAddr::V4(ip) => class_of_v4(ip),
        IpAddr::V6(ip) => class_of_v6(ip),
    }
}

fn class_of_v4(ip: Ipv4Addr) -> Class {
    let [first, second, ..] = ip.octets();
    match ip {
        // The unspecified address leads to this machine as well.
        _ if ip.is_loopback() || ip.is_unspecified() => Class::Loopback,
        // RFC 6598: addresses of carriers.
        _ if ip.is_private() || (first == 100 && second & 0xc0 == 64) => Class::Private,
        _ if ip.is_multicast() => Class::Multicast,
        _ if ip.is_link_local() => Class::LinkLocal,
        _ => Class::Routable,
    }
}

fn class_of_v6(ip: Ipv6Addr) -> Class {
    match ip {
        _ if ip.is_loopback() || ip.is_unspecified() => Class::Loopback,
        _ if ip.is_unique_local() => Class::Private,
        _ if ip.is_multicast() => Class::Multicast,
        _ if ip.is_unicast_link_local() => Class::LinkLocal,
        _ => Class::Routable,
    }
}

#[cfg(test)]
mod tests {
    use super::RedirectAction::{Follow, Reject, Return};
    use super::*;

    fn action(text: &str, ip: &str) -> RedirectAction {
        let actions = RedirectActions::parse(text).expect("actions");
        actions.action(ip.parse().expect("an address"), false)
    }

    #[test]
    fn without_a_key_only_what_is_named_is_followed() {
        let usual = "routable:follow";
        assert_eq!(action(usual, "192.0.2.1"), Follow);
        assert_eq!(action(usual, "2001:db8::1"), Follow);
        for ip in
            ["127.0.0.9", "10.1.1.1", "100.64.1.1", "172.31.0.1", "192.168.1.1", "169.254.1.1", "224.0.0.1"]
        {
            assert_eq!(action(usual, ip), Return, "{ip}");
        }
        for ip in ["::1", "0.0.0.0", "::", "fc00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1"] {
            assert_eq!(action(usual, ip), Return, "{ip}");
        }
    }

    #[test]
    fn the_default_stands_for_all_that_is_not_named() {
        let text = "loopback:follow, default:reject";
        assert_eq!(action(text, "127.0.0.1"), Follow);
        assert_eq!(action(text, "192.0.2.1"), Reject);
        let actions = RedirectActions::parse("self:reject,loopback:follow").expect("actions");
        assert_eq!(actions.action(Ipv4Addr::LOCALHOST.into(), true), Reject);
        assert_eq!(actions.action(Ipv4Addr::LOCALHOST.into(), false), Follow);
    }

    #[test]
    fn other_words_are_refused() {
        for text in ["routable", "routable:go", "everywhere:follow", "routable:follow:follow"] {
            assert_eq!(RedirectActions::parse(text), None, "{text}");
        }
        assert_eq!(RedirectActions::parse(""), Some(RedirectActions::default()));
    }
}
