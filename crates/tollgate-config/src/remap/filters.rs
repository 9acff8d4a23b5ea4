//! Named filters: `.definefilter` and its kin.
//!
//! Invariants: `.definefilter` of a known name adds to it; a rule gets the filters as they are at its line, in
//! the order of their activation.

use super::acl::AclFilter;
use super::options::Place;

/// The builtin filter: the check of `ip_allow.yaml`.
const IP_ALLOW: &str = "ip_allow";

/// Filters defined so far.
#[derive(Default)]
pub(super) struct Filters {
    named: Vec<(String, AclFilter)>,
    /// Names in the order of activation.
    active: Vec<String>,
}

impl Filters {
    /// The active filters.
    pub(super) fn active(&self) -> impl Iterator<Item = &AclFilter> {
        self.active.iter().filter_map(|name| self.find(name))
    }

    fn find(&self, name: &str) -> Option<&AclFilter> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, filter)| filter)
    }

    /// Carries out a directive on filter `name`; `checks_ip_allow` is the state of the builtin filter.
    pub(super) fn direct(
        &mut self,
        directive: &str,
        name: &str,
        options: &[&str],
        checks_ip_allow: &mut bool,
        place: &mut Place<'_>,
    ) {
        match directive {
            ".definefilter" | ".deffilter" | ".defflt" => self.define(name, options, place),
            ".deletefilter" | ".delfilter" | ".delflt" => self.delete(name, place),
            ".activatefilter" | ".usefilter" | ".activefilter" | ".useflt" => {
                if name == IP_ALLOW {
                    *checks_ip_allow = true;
                } else {
                    self.activate(name, place);
                }
            }
            ".deactivatefilter" | ".unusefilter" | ".unactivefilter" | ".deuseflt" | ".unuseflt" => {
                if name == IP_ALLOW {
                    *checks_ip_allow = false;
                } else {
                    self.deactivate(name, place);
                }
            }
            _ => place.error(format!("unknown directive {directive}")),
        }
    }

    fn define(&mut self, name: &str, options: &[&str], place: &mut Place<'_>) {
        if name == IP_ALLOW {
            return place.error("ip_allow is the name of the builtin filter");
        }
        if options.is_empty() {
            return place.error(format!("filter {name} needs at least one option"));
        }
        let known = self.named.iter().position(|(known, _)| known == name);
        let mut filter = known.map(|at| self.named[at].1.clone()).unwrap_or_default();
        for option in options {
            if AclFilter::is_option(option) {
                filter.add(option).unwrap_or_else(|message| place.error(message));
            } else {
                place.warning(format!("@{option} has no effect in a filter"));
            }
        }
        match known {
            Some(at) => self.named[at].1 = filter,
            None => self.named.push((name.to_owned(), filter)),
        }
    }

    fn delete(&mut self, name: &str, place: &mut Place<'_>) {
        if self.find(name).is_none() {
            place.warning(format!("no filter is called {name}"));
        }
        self.named.retain(|(known, _)| known != name);
        self.active.retain(|known| known != name);
    }

    fn activate(&mut self, name: &str, place: &mut Place<'_>) {
        if self.find(name).is_none() {
            return place.error(format!("no filter is called {name}"));
        }
        if !self.active.iter().any(|known| known == name) {
            self.active.push(name.to_owned());
        }
    }

    fn deactivate(&mut self, name: &str, place: &mut Place<'_>) {
        if self.find(name).is_none() {
            return place.error(format!("no filter is called {name}"));
        }
        self.active.retain(|known| known != name);
    }
}
