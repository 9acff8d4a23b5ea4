//! The runners: how handlers are called and what their outcomes add up to.
//!
//! Responsible for: the exact semantics of VOID, RUN_ALL and RUN_FIRST. Not responsible for: transaction
//! events (the engine awaits those handler by handler), timing and containment (both belong into the
//! closure that makes the call).
//! Entry points: [`run_void`], [`run_all`], [`run_first`]. Each takes the handlers (a list, or lists of
//! several scopes chained) and a closure that calls one handler, so that an input of `&mut` is lent anew to
//! each (what such a handler answers must then not borrow from its input).
//! Invariants: a runner used on a hook point of another mode does not compile; nothing is allocated.

use crate::handler::Registered;
use crate::point::{HookPoint, Mode};

/// What a handler of a RUN_ALL hook point may answer.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllOutcome<T> {
    /// Done, the others go on.
    Ok,
    /// Not concerned, the others go on.
    Declined,
    /// Nobody else is asked.
    Stop(T),
}

/// What a handler of a RUN_FIRST hook point may answer.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstOutcome<T> {
    /// Not concerned, the next one is asked.
    Declined,
    /// The answer; nobody else is asked.
    Answer(T),
}

/// How a RUN_ALL run ended.
#[must_use]
#[derive(Debug)]
pub enum AllEnd<'h, P: HookPoint, T> {
    /// Nobody stopped it: all were ok or declined, or nobody was there.
    Passed,
    /// Somebody stopped it.
    Stopped {
        /// Who.
        by: &'h Registered<P>,
        /// With what.
        value: T,
    },
}

impl<P: HookPoint, T> AllEnd<'_, P, T> {
    /// What the run was stopped with, if it was.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Passed => None,
            Self::Stopped { value, .. } => Some(value),
        }
    }
}

/// How a RUN_FIRST run ended.
#[must_use]
#[derive(Debug)]
pub enum FirstEnd<'h, P: HookPoint, T> {
    /// Everybody declined, or nobody was there.
    Declined,
    /// Somebody answered.
    Answered {
        /// Who.
        by: &'h Registered<P>,
        /// What.
        value: T,
    },
}

impl<P: HookPoint, T> FirstEnd<'_, P, T> {
    /// The answer, if there was one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Declined => None,
            Self::Answered { value, .. } => Some(value),
        }
    }
}

/// Calls every handler.
///
/// ```
/// # use tollgate_hook::{HookPoint, Mode, OperatorRules, Order, Registry, run_void};
/// struct Tick;
/// impl HookPoint for Tick {
///     type Input<'a> = &'a mut u32;
///     type Output<'a> = ();
///     const NAME: &'static str = "TICK";
///     const MODE: Mode = Mode::Void;
///     const DOC: &'static str = "Once a second.";
/// }
/// let mut registry = Registry::new();
/// registry.register::<Tick>("clock", "count", Order::default(), |ticks| *ticks += 1);
/// let table = registry.seal(&OperatorRules::default())?;
/// let mut ticks = 0;
/// run_void(&table.handlers::<Tick>(), |handler| handler.call(&mut ticks));
/// assert_eq!(ticks, 1);
/// # Ok::<(), tollgate_hook::OrderErrors>(())
/// ```
///
/// A hook point of another mode does not compile:
///
/// ```compile_fail
/// # use tollgate_hook::{AllOutcome, Handlers, HookPoint, Mode, run_void};
/// struct Check;
/// impl HookPoint for Check {
///     type Input<'a> = ();
///     type Output<'a> = AllOutcome<u16>;
///     const NAME: &'static str = "CHECK";
///     const MODE: Mode = Mode::RunAll;
///     const DOC: &'static str = "Before access.";
/// }
/// run_void(&Handlers::<Check>::none(), |handler| drop(handler.call(())));
/// ```
#[inline]
pub fn run_void<'h, P: HookPoint>(
    handlers: impl IntoIterator<Item = &'h Registered<P>>,
    mut call: impl FnMut(&'h Registered<P>),
) {
    const { assert!(matches!(P::MODE, Mode::Void), "run_void is for hook points of mode VOID") };
    for handler in handlers {
        call(handler);
    }
}

/// Calls handlers until one answers neither ok nor decline.
///
/// ```compile_fail
/// # use tollgate_hook::{AllOutcome, Handlers, HookPoint, Mode, run_all};
/// struct Tick;
/// impl HookPoint for Tick {
///     type Input<'a> = ();
///     type Output<'a> = ();
///     const NAME: &'static str = "TICK";
///     const MODE: Mode = Mode::Void;
///     const DOC: &'static str = "Once a second.";
/// }
/// let _ = run_all(&Handlers::<Tick>::none(), |handler| { handler.call(()); AllOutcome::<()>::Ok });
/// ```
#[inline]
pub fn run_all<'h, P: HookPoint, T>(
    handlers: impl IntoIterator<Item = &'h Registered<P>>,
    mut call: impl FnMut(&'h Registered<P>) -> AllOutcome<T>,
) -> AllEnd<'h, P, T> {
    const { assert!(matches!(P::MODE, Mode::RunAll), "run_all is for hook points of mode RUN_ALL") };
    for handler in handlers {
        if let AllOutcome::Stop(value) = call(handler) {
            return AllEnd::Stopped { by: handler, value };
        }
    }
    AllEnd::Passed
}

/// Calls handlers until one does not decline.
///
/// ```compile_fail
/// # use tollgate_hook::{FirstOutcome, Handlers, HookPoint, Mode, run_first};
/// struct Tick;
/// impl HookPoint for Tick {
///     type Input<'a> = ();
///     type Output<'a> = ();
///     const NAME: &'static str = "TICK";
///     const MODE: Mode = Mode::Void;
///     const DOC: &'static str = "Once a second.";
/// }
/// let _ = run_first(&Handlers::<Tick>::none(), |handler| { handler.call(()); FirstOutcome::Answer(1) });
/// ```
#[inline]
pub fn run_first<'h, P: HookPoint, T>(
    handlers: impl IntoIterator<Item = &'h Registered<P>>,
    mut call: impl FnMut(&'h Registered<P>) -> FirstOutcome<T>,
) -> FirstEnd<'h, P, T> {
    const { assert!(matches!(P::MODE, Mode::RunFirst), "run_first is for hook points of mode RUN_FIRST") };
    for handler in handlers {
        if let FirstOutcome::Answer(value) = call(handler) {
            return FirstEnd::Answered { by: handler, value };
        }
    }
    FirstEnd::Declined
}
