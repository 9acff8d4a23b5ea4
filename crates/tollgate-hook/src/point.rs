//! What a hook point is: a type with an input, an output, a name and a mode.
//!
//! Responsible for: the traits that tie a handler's signature to its hook point. Not responsible for: which
//! hook points exist. Entry point: [`HookPoint`].
//! Invariants: a handler accepts its hook point's input for every lifetime; handlers are `Send + Sync`, so
//! that one sealed table serves all event threads.

use std::fmt;

/// How the handlers of a hook point are run, and what their outcomes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Every handler runs; there is no outcome. See [`run_void`](crate::run_void).
    Void,
    /// Every handler runs until one answers neither ok nor decline. See [`run_all`](crate::run_all).
    RunAll,
    /// Handlers run until one does not decline. See [`run_first`](crate::run_first).
    RunFirst,
    /// An event of a transaction or session: the engine awaits the handlers one after the other, and any of
    /// them may suspend it.
    Transaction,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Void => "VOID",
            Self::RunAll => "RUN_ALL",
            Self::RunFirst => "RUN_FIRST",
            Self::Transaction => "TRANSACTION",
        })
    }
}

/// A place where other modules may take part. Any crate may define its own.
///
/// The type itself is only a name for the compiler: it carries no value. [`NAME`](Self::NAME) must be unique
/// among the hook points of one [`Registry`](crate::Registry).
pub trait HookPoint: Sized + 'static {
    /// What a handler gets, e.g. `&'a mut Txn`.
    type Input<'a>;
    /// What a handler returns. Make it hold only what is legal here: `()` for VOID,
    /// [`AllOutcome<T>`](crate::AllOutcome) for RUN_ALL, [`FirstOutcome<T>`](crate::FirstOutcome) for
    /// RUN_FIRST, a step that may be awaited for transaction events.
    type Output<'a>;
    /// The name operators see and use, e.g. `READ_REQUEST_HDR`.
    const NAME: &'static str;
    /// How handlers are run.
    const MODE: Mode;
    /// When it runs, in one sentence.
    const DOC: &'static str;
}

/// A closure or function with the signature `P` asks for, at one lifetime.
///
/// Implemented for every matching `Fn`; bounds read `impl for<'a> HandlerFor<'a, P>`. It exists because
/// `for<'a> Fn(P::Input<'a>) -> P::Output<'a>` cannot be written down directly, and it lets plain closures
/// be inferred.
pub trait HandlerFor<'a, P: HookPoint>: Fn(P::Input<'a>) -> P::Output<'a> {}

impl<'a, P, F> HandlerFor<'a, P> for F
where
    P: HookPoint,
    F: Fn(P::Input<'a>) -> P::Output<'a>,
{
}

/// A handler of `P` as it is stored: callable at every lifetime, from every thread.
///
/// Implemented for every closure and function that fits; a struct is registered through a closure that
/// owns it.
pub trait Handler<P: HookPoint>: Send + Sync {
    /// Runs the handler.
    fn call<'a>(&self, input: P::Input<'a>) -> P::Output<'a>;
}

impl<P, F> Handler<P> for F
where
    P: HookPoint,
    F: for<'a> HandlerFor<'a, P> + Send + Sync,
{
    fn call<'a>(&self, input: P::Input<'a>) -> P::Output<'a> {
        self(input)
    }
}

/// The stored form of a handler, behind a pointer.
pub type HandlerFn<P> = dyn Handler<P>;
