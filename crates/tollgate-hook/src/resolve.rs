//! From the wishes of handlers and operators on one hook point to its running order.
//!
//! Responsible for: which handlers an edge's name means, who is switched off, what is missing, and why each
//! handler ended where it did. Not responsible for: the sort itself (`sort`).
//! Entry point: [`arrange`].
//! Invariants: a switched-off handler takes its own edges with it; a name means every running handler it
//! matches; edges keep the order in which httpd would add them (per handler by rank: its `after`, then its
//! `before`), operators' come last.

use crate::describe::{Asker, EntryDescription, IgnoredEdge, IgnoredWhy, OffDescription, Reason, Relation};
use crate::error::{CycleStep, OrderError};
use crate::handler::HandlerId;
use crate::nearest::nearest;
use crate::order::{Edge, Order};
use crate::rules::OperatorRules;
use crate::sort::{Cycle, Link, Sorted, sort};

/// A registration without its function.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: HandlerId,
    pub(crate) order: Order,
}

/// The running order of one hook point and its explanation.
#[derive(Debug, Default)]
pub(crate) struct Arranged {
    /// Indices of entries in running order, without those switched off.
    pub(crate) running: Vec<usize>,
    pub(crate) entries: Vec<EntryDescription>,
    pub(crate) off: Vec<OffDescription>,
    pub(crate) ignored: Vec<IgnoredEdge>,
}

/// Orders the entries of `hook`, which are given in registration order. Faults are added to `errors`; the
/// result is meaningless then.
pub(crate) fn arrange(
    hook: &'static str,
    entries: &[Entry],
    rules: &OperatorRules,
    errors: &mut Vec<OrderError>,
) -> Arranged {
    let mut resolver = Resolver::new(hook, entries, errors);
    resolver.switch_off(rules);
    resolver.rank();
    resolver.link_handlers();
    resolver.link_operator(rules);
    resolver.finish()
}

struct Resolver<'r> {
    hook: &'static str,
    entries: &'r [Entry],
    errors: &'r mut Vec<OrderError>,
    /// Per entry: the origin of the rule that switches it off.
    off: Vec<Option<&'r str>>,
    /// Entries that run, by (slot, registration). A rank is an index into this.
    ranked: Vec<&'r Entry>,
    /// Index of each ranked entry in `entries`.
    index_of: Vec<usize>,
    links: Vec<Link>,
    /// Who asked for the link of the same index.
    asked_by: Vec<Asker>,
    ignored: Vec<IgnoredEdge>,
}

/// Whom a name means.
enum Meant<'r> {
    Running(Vec<usize>),
    SwitchedOff(&'r str),
    Nobody,
}

impl<'r> Resolver<'r> {
    fn new(hook: &'static str, entries: &'r [Entry], errors: &'r mut Vec<OrderError>) -> Self {
        Self {
            hook,
            entries,
            errors,
            off: vec![None; entries.len()],
            ranked: Vec::new(),
            index_of: Vec::new(),
            links: Vec::new(),
            asked_by: Vec::new(),
            ignored: Vec::new(),
        }
    }

    fn switch_off(&mut self, rules: &'r OperatorRules) {
        for rule in rules.off.iter().filter(|rule| rule.hook == self.hook) {
            let mut is_known = false;
            for (entry, off) in self.entries.iter().zip(&mut self.off) {
                if entry.id.is_meant_by(&rule.target) {
                    is_known = true;
                    off.get_or_insert(&rule.origin);
                }
            }
            if !is_known {
                self.errors.push(OrderError::UnknownOff {
                    origin: rule.origin.clone(),
                    hook: self.hook,
                    target: rule.target.clone(),
                    nearest: self.nearest(&rule.target),
                });
            }
        }
    }

    fn rank(&mut self) {
        self.index_of = (0..self.entries.len()).filter(|&index| self.off[index].is_none()).collect();
        self.index_of.sort_by_key(|&index| self.entries[index].order.slot);
        self.ranked = self.index_of.iter().map(|&index| &self.entries[index]).collect();
    }

    fn link_handlers(&mut self) {
        for rank in 0..self.ranked.len() {
            let entry = self.ranked[rank];
            for edge in &entry.order.after {
                self.link_handler(rank, Relation::After, edge);
            }
            for edge in &entry.order.before {
                self.link_handler(rank, Relation::Before, edge);
            }
        }
    }

    fn link_handler(&mut self, rank: usize, relation: Relation, edge: &Edge) {
        let asked_by = Asker::Handler(self.ranked[rank].id.to_string());
        match (self.meant(&edge.target), edge.is_required) {
            (Meant::Running(others), _) => {
                for other in others {
                    let (first, then) = match relation {
                        Relation::Before => (rank, other),
                        Relation::After => (other, rank),
                    };
                    self.link(first, then, &asked_by);
                }
            }
            (Meant::SwitchedOff(by), false) => {
                self.ignore(relation, &edge.target, asked_by, IgnoredWhy::SwitchedOff(by.to_owned()));
            }
            (Meant::Nobody, false) => self.ignore(relation, &edge.target, asked_by, IgnoredWhy::Unknown),
            (Meant::SwitchedOff(by), true) => self.errors.push(OrderError::RequiredIsOff {
                hook: self.hook,
                asked_by,
                name: edge.target.clone(),
                off_by: by.to_owned(),
            }),
            (Meant::Nobody, true) => self.unknown(&edge.target, asked_by),
        }
    }

    fn link_operator(&mut self, rules: &'r OperatorRules) {
        let hook = self.hook;
        for rule in rules.edges.iter().filter(|rule| rule.hook == hook) {
            let asked_by = Asker::Operator(rule.origin.clone());
            let firsts = self.meant_by_operator(&rule.first, Relation::After, &asked_by);
            let thens = self.meant_by_operator(&rule.then, Relation::Before, &asked_by);
            for &then in &thens {
                for &first in &firsts {
                    self.link(first, then, &asked_by);
                }
            }
        }
    }

    /// The ranks an operator's edge means; a name that is merely switched off means none. `relation` is how
    /// the other end stands to `name`.
    fn meant_by_operator(&mut self, name: &str, relation: Relation, asked_by: &Asker) -> Vec<usize> {
        match self.meant(name) {
            Meant::Running(ranks) => return ranks,
            Meant::SwitchedOff(by) => {
                self.ignore(relation, name, asked_by.clone(), IgnoredWhy::SwitchedOff(by.to_owned()));
            }
            Meant::Nobody => self.unknown(name, asked_by.clone()),
        }
        Vec::new()
    }

    fn meant(&self, target: &str) -> Meant<'r> {
        let ranks: Vec<usize> =
            (0..self.ranked.len()).filter(|&rank| self.ranked[rank].id.is_meant_by(target)).collect();
        if !ranks.is_empty() {
            return Meant::Running(ranks);
        }
        let mut off = self.entries.iter().zip(&self.off).filter(|(entry, _)| entry.id.is_meant_by(target));
        off.find_map(|(_, by)| *by).map_or(Meant::Nobody, Meant::SwitchedOff)
    }

    fn link(&mut self, first: usize, then: usize, asked_by: &Asker) {
        self.links.push(Link { first, then });
        self.asked_by.push(asked_by.clone());
    }

    fn ignore(&mut self, relation: Relation, name: &str, asked_by: Asker, why: IgnoredWhy) {
        self.ignored.push(IgnoredEdge { relation, name: name.to_owned(), asked_by, why });
    }

    fn unknown(&mut self, name: &str, asked_by: Asker) {
        let nearest = self.nearest(name);
        self.errors.push(OrderError::UnknownName {
            hook: self.hook,
            asked_by,
            name: name.to_owned(),
            nearest,
        });
    }

    /// The nearest module or `module#handler` on this hook point.
    fn nearest(&self, name: &str) -> Option<String> {
        let ids: Vec<String> = self.entries.iter().map(|entry| entry.id.to_string()).collect();
        let modules = self.entries.iter().map(|entry| entry.id.module());
        nearest(name, modules.chain(ids.iter().map(String::as_str)))
    }

    fn finish(self) -> Arranged {
        match sort(self.ranked.len(), &self.links) {
            Ok(sorted) => self.describe(&sorted),
            Err(cycle) => {
                let path = self.cycle_path(&cycle);
                self.errors.push(OrderError::Cycle { hook: self.hook, path });
                Arranged::default()
            }
        }
    }

    fn cycle_path(&self, Cycle(links): &Cycle) -> Vec<CycleStep> {
        let step = |&index: &usize| CycleStep {
            first: self.name(self.links[index].first),
            then: self.name(self.links[index].then),
            asked_by: self.asked_by[index].clone(),
        };
        links.iter().map(step).collect()
    }

    fn describe(self, sorted: &Sorted) -> Arranged {
        let mut why = self.reasons(sorted);
        let mut entries = Vec::with_capacity(sorted.order.len());
        for (place, &rank) in sorted.order.iter().enumerate() {
            let Entry { id, order } = self.ranked[rank];
            entries.push(EntryDescription {
                position: place + 1,
                module: id.module().to_owned(),
                handler: id.handler().to_owned(),
                slot: order.slot,
                why: std::mem::take(&mut why[rank]),
            });
        }
        let off = self.entries.iter().zip(&self.off).filter_map(|(entry, by)| {
            Some(OffDescription {
                module: entry.id.module().to_owned(),
                handler: entry.id.handler().to_owned(),
                by: (*by)?.to_owned(),
            })
        });
        Arranged {
            running: sorted.order.iter().map(|&rank| self.index_of[rank]).collect(),
            entries,
            off: off.collect(),
            ignored: self.ignored,
        }
    }

    /// Per rank, the links that moved it: both ends of a link that turns a pair of ranks round, and the
    /// front end of a link that dragged it.
    fn reasons(&self, sorted: &Sorted) -> Vec<Vec<Reason>> {
        let mut why = vec![Vec::new(); self.ranked.len()];
        for (index, (&Link { first, then }, asked_by)) in self.links.iter().zip(&self.asked_by).enumerate() {
            let is_turned = first > then;
            if is_turned || sorted.dragged_by[first] == Some(index) {
                let other = self.name(then);
                why[first].push(Reason { relation: Relation::Before, other, asked_by: asked_by.clone() });
            }
            if is_turned {
                let other = self.name(first);
                why[then].push(Reason { relation: Relation::After, other, asked_by: asked_by.clone() });
            }
        }
        why
    }

    fn name(&self, rank: usize) -> String {
        self.ranked[rank].id.to_string()
    }
}
