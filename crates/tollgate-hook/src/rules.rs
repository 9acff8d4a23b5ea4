//! What an operator may change about handlers: add an edge, switch off.
//!
//! Responsible for: the rules as data. Not responsible for: reading them from a file (the caller does, and
//! says in `origin` where each came from) or applying them (`resolve`).
//! Invariants: a rule that names an unknown hook point or handler is an error, never ignored.

/// All rules of one configuration. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorRules {
    /// Edges to add.
    pub edges: Vec<OperatorEdge>,
    /// Handlers to switch off.
    pub off: Vec<OperatorOff>,
}

/// "At this hook point, `first` runs before `then`."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorEdge {
    /// The hook point's name.
    pub hook: String,
    /// `module` or `module#handler`.
    pub first: String,
    /// `module` or `module#handler`.
    pub then: String,
    /// Where the rule stands, e.g. `hooks.config:3`; for messages.
    pub origin: String,
}

/// "At this hook point, `target` does not run."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorOff {
    /// The hook point's name.
    pub hook: String,
    /// `module` or `module#handler`.
    pub target: String,
    /// Where the rule stands, e.g. `hooks.config:3`; for messages.
    pub origin: String,
}
