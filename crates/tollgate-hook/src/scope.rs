//! Handlers that belong to one session or one transaction.
//!
//! Responsible for: handlers added while traffic runs, besides those of the sealed table. Not responsible
//! for: how long a session or transaction lives.
//! Entry point: [`ScopedHooks`].
//! Invariants: handlers of the same scope run in the order they were added (no slots, no edges); scopes run
//! in the order of [`Scope`]; a list taken with [`ScopedHooks::handlers`] never changes, so handlers may add
//! others while it runs; an empty set has allocated nothing.

use std::any::{Any, TypeId};
use std::fmt;

use crate::handler::{HandlerId, Handlers, Registered};
use crate::order::slot;
use crate::point::{HandlerFor, HookPoint};

/// To what a handler belongs. Smaller scopes run later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All traffic: the handlers of a [`HookTable`](crate::HookTable).
    Global,
    /// One client connection.
    Session,
    /// One request and its response.
    Transaction,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "global",
            Self::Session => "session",
            Self::Transaction => "transaction",
        })
    }
}

/// The handlers of one session or one transaction.
///
/// ```
/// # use tollgate_hook::{AllOutcome, HookPoint, HookTable, Mode, ScopedHooks, run_all};
/// # struct Access;
/// # impl HookPoint for Access {
/// #     type Input<'a> = &'a str;
/// #     type Output<'a> = AllOutcome<u16>;
/// #     const NAME: &'static str = "ACCESS";
/// #     const MODE: Mode = Mode::RunAll;
/// #     const DOC: &'static str = "Before a request is served.";
/// # }
/// # let (table, session) = (HookTable::default(), ScopedHooks::new());
/// let mut transaction = ScopedHooks::new();
/// transaction.add::<Access>("guard", "path", |path| match path {
///     "/secret" => AllOutcome::Stop(403),
///     _ => AllOutcome::Declined,
/// });
///
/// let global = table.handlers::<Access>();
/// let (session, transaction) = (session.handlers::<Access>(), transaction.handlers::<Access>());
/// let all = global.iter().chain(&session).chain(&transaction);
/// assert_eq!(run_all(all, |handler| handler.call("/secret")).into_value(), Some(403));
/// ```
#[derive(Default)]
pub struct ScopedHooks {
    /// Per hook point type `P` a [`Handlers<P>`]. Few, so a scan finds them.
    lists: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

impl ScopedHooks {
    /// No handlers.
    pub const fn new() -> Self {
        Self { lists: Vec::new() }
    }

    /// Whether no hook point has a handler in this scope.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Adds a handler behind those already there. Lists taken before do not see it.
    pub fn add<P: HookPoint>(
        &mut self,
        module: &str,
        handler: &str,
        f: impl for<'a> HandlerFor<'a, P> + Send + Sync + 'static,
    ) {
        let added = Registered::new(HandlerId::new(module, handler), slot::MIDDLE, f);
        let mut list = self.handlers::<P>().as_slice().to_vec();
        list.push(added);
        let list: Box<dyn Any + Send + Sync> = Box::new(Handlers::from(list));
        let type_id = TypeId::of::<P>();
        match self.lists.iter_mut().find(|(key, _)| *key == type_id) {
            Some((_, old)) => *old = list,
            None => self.lists.push((type_id, list)),
        }
    }

    /// The handlers of `P` in this scope, in the order they were added.
    pub fn handlers<P: HookPoint>(&self) -> Handlers<P> {
        let type_id = TypeId::of::<P>();
        let list = self.lists.iter().find(|(key, _)| *key == type_id);
        list.and_then(|(_, list)| list.downcast_ref::<Handlers<P>>()).cloned().unwrap_or_default()
    }
}

impl fmt::Debug for ScopedHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedHooks").field("hook_points", &self.lists.len()).finish()
    }
}
