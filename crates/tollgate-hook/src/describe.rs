//! What operators see: per hook point the running order and the reasons for it.
//!
//! Responsible for: the description as data (also as JSON through `serde`) and as text. Not responsible for:
//! finding the reasons (`resolve`).
//! Invariants: a reason is listed only if it moved the handler: without that edge, slots and registration
//! order would have put the pair the other way round, or the handler further back.

use std::fmt;

use serde::Serialize;

use crate::point::Mode;

/// Who wished for an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// The handler `module#handler`, when it registered.
    Handler(String),
    /// An operator's rule, by its origin (`hooks.config:3`).
    Operator(String),
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(id) => f.write_str(id),
            Self::Operator(origin) => f.write_str(origin),
        }
    }
}

/// On which side of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Runs before it.
    Before,
    /// Runs after it.
    After,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// An edge that moved a handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which side.
    pub relation: Relation,
    /// The other handler, `module#handler`.
    pub other: String,
    /// Who wanted it.
    pub asked_by: Asker,
}

/// A handler in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryDescription {
    /// Place in the running order, from 1.
    pub position: usize,
    /// Its module.
    pub module: String,
    /// Its name within the module.
    pub handler: String,
    /// The slot it registered with.
    pub slot: i32,
    /// The edges that moved it; empty if slot and registration order alone put it here.
    pub why: Vec<Reason>,
}

/// A handler that an operator switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OffDescription {
    /// Its module.
    pub module: String,
    /// Its name within the module.
    pub handler: String,
    /// The origin of the rule that switched it off.
    pub by: String,
}

/// An edge without effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnoredEdge {
    /// The side that was wished for.
    pub relation: Relation,
    /// The name without a running handler.
    pub name: String,
    /// Who wanted it.
    pub asked_by: Asker,
    /// Why it has no effect.
    pub why: IgnoredWhy,
}

/// Why an edge has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoredWhy {
    /// The name is optional and nobody has it.
    Unknown,
    /// The handlers of that name are switched off, by the rule of this origin.
    SwitchedOff(String),
}

/// One hook point as operators see it. Its text is what `show hooks` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookDescription {
    /// The hook point's name.
    pub name: &'static str,
    /// How its handlers run.
    pub mode: Mode,
    /// When it runs.
    pub doc: &'static str,
    /// The handlers in running order.
    pub entries: Vec<EntryDescription>,
    /// The handlers switched off.
    pub off: Vec<OffDescription>,
    /// The edges without effect.
    pub ignored: Vec<IgnoredEdge>,
}

impl fmt::Display for HookDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}): {}", self.name, self.mode, self.doc)?;
        for EntryDescription { position, module, handler, slot, why } in &self.entries {
            write!(f, "  {position}. {module}#{handler} (slot {slot})")?;
            for (index, Reason { relation, other, asked_by }) in why.iter().enumerate() {
                let lead = if index == 0 { ": " } else { "; " };
                write!(f, "{lead}{relation} {other}, asked by {asked_by}")?;
            }
            writeln!(f)?;
        }
        for OffDescription { module, handler, by } in &self.off {
            writeln!(f, "  off: {module}#{handler}, by {by}")?;
        }
        for IgnoredEdge { relation, name, asked_by, why } in &self.ignored {
            write!(f, "  ignored: {relation} {name}, asked by {asked_by}: ")?;
            match why {
                IgnoredWhy::Unknown => writeln!(f, "unknown")?,
                IgnoredWhy::SwitchedOff(by) => writeln!(f, "switched off by {by}")?,
            }
        }
        Ok(())
    }
}
