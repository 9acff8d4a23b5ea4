//! Why a registry could not be sealed.
//!
//! Responsible for: one variant per fault, worded so that the guilty (handler or operator's rule) and the
//! remedy are named. Not responsible for: finding the faults (`registry`, `resolve`).
//! Invariants: sealing reports every fault it can find at once; [`OrderErrors`] is never empty.

use std::fmt;

use thiserror::Error;

use crate::describe::Asker;

/// One edge of a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleStep {
    /// `module#handler` that shall run first.
    pub first: String,
    /// `module#handler` that shall run after it.
    pub then: String,
    /// Who wants that.
    pub asked_by: Asker,
}

/// One fault of registrations or operator rules.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Two types claim the same hook point name.
    #[error("hook {hook}: defined twice, as {first} and as {second}")]
    SameName {
        /// The name.
        hook: &'static str,
        /// The type that was declared first.
        first: &'static str,
        /// The type that came later.
        second: &'static str,
    },
    /// A module or handler name that no edge could address.
    #[error(
        "hook {hook}: handler {handler:?} of module {module:?}: a name must not be empty nor contain '#'"
    )]
    BadName {
        /// The hook point.
        hook: &'static str,
        /// The module's name.
        module: String,
        /// The handler's name.
        handler: String,
    },
    /// An operator's rule names a hook point that does not exist.
    #[error("{origin}: no hook point is named {hook:?}{}", did_you_mean(.nearest))]
    UnknownHook {
        /// Where the rule stands.
        origin: String,
        /// The name in the rule.
        hook: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// A required edge or an operator's edge names a handler that is not there.
    #[error("hook {hook}: {asked_by} names {name:?}, which has no handler there{}", did_you_mean(.nearest))]
    UnknownName {
        /// The hook point.
        hook: &'static str,
        /// Who named it.
        asked_by: Asker,
        /// The name.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// A required edge names a handler that the operator switched off.
    #[error("hook {hook}: {asked_by} requires {name:?}, which is switched off ({off_by})")]
    RequiredIsOff {
        /// The hook point.
        hook: &'static str,
        /// Who requires it.
        asked_by: Asker,
        /// The name.
        name: String,
        /// The origin of the rule that switches it off.
        off_by: String,
    },
    /// An operator switches off a handler that is not there.
    #[error("{origin}: hook {hook} has no handler {target:?} to switch off{}", did_you_mean(.nearest))]
    UnknownOff {
        /// Where the rule stands.
        origin: String,
        /// The hook point.
        hook: &'static str,
        /// The name in the rule.
        target: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// Edges contradict each other.
    #[error("hook {hook}: handlers cannot be ordered: {}", CycleText(.path))]
    Cycle {
        /// The hook point.
        hook: &'static str,
        /// The edges around the cycle: each one's `then` is the next one's `first`.
        path: Vec<CycleStep>,
    },
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// `a -> b -> a (a before b: asked by a; b before a: asked by hooks.config:3)`
struct CycleText<'p>(&'p [CycleStep]);

impl fmt::Display for CycleText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(start) = self.0.first() {
            f.write_str(&start.first)?;
        }
        for step in self.0 {
            write!(f, " -> {}", step.then)?;
        }
        for (index, CycleStep { first, then, asked_by }) in self.0.iter().enumerate() {
            let lead = if index == 0 { " (" } else { "; " };
            write!(f, "{lead}{first} before {then}: asked by {asked_by}")?;
        }
        f.write_str(")")
    }
}

/// Every fault found while sealing, in the order of declaration; one line each when displayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderErrors(Vec<OrderError>);

impl OrderErrors {
    /// `Err` if there is any fault.
    pub(crate) fn check(found: Vec<OrderError>) -> Result<(), Self> {
        if found.is_empty() { Ok(()) } else { Err(Self(found)) }
    }

    /// The faults; at least one.
    pub fn iter(&self) -> std::slice::Iter<'_, OrderError> {
        self.0.iter()
    }
}

impl IntoIterator for OrderErrors {
    type Item = OrderError;
    type IntoIter = std::vec::IntoIter<OrderError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for OrderErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for OrderErrors {}
