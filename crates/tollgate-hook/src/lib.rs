//! Typed, ordered, sealed hook points.
//!
//! Responsible for: what a hook point is, who registers on it, in which order handlers run, what an
//! operator may change about that order, and the explanation of the result. Not responsible for: which
//! hook points exist (each crate or plugin defines its own), HTTP, waiting, containment of panics.
//!
//! Entry points: [`HookPoint`] to define, [`Registry`] to register, [`HookTable`] to look up, [`run_void`],
//! [`run_all`] and [`run_first`] to run.
//!
//! Invariants:
//! * A [`HookTable`] never changes; a reload builds the next one aside and swaps it.
//! * Order depends only on slots, edges, registration order and operator rules; the same input gives the
//!   same order.
//! * A fault in the order is an error that names the guilty, never a hang and never a silent guess.
//! * Looking at a hook point without handlers is one null test; running handlers does not allocate.
//!
//! # A module with its own hook point, and another module on it
//!
//! ```
//! use tollgate_hook::{FirstEnd, FirstOutcome, HookPoint, Mode, OperatorRules, Order, Registry, run_first, slot};
//!
//! // The module `greeter` asks all others which words to greet a guest with.
//! pub struct Guest {
//!     pub name: &'static str,
//!     pub visits: u32,
//! }
//!
//! pub struct ChooseGreeting;
//!
//! impl HookPoint for ChooseGreeting {
//!     type Input<'a> = &'a mut Guest;
//!     type Output<'a> = FirstOutcome<String>;
//!     const NAME: &'static str = "CHOOSE_GREETING";
//!     const MODE: Mode = Mode::RunFirst;
//!     const DOC: &'static str = "When a guest has come in, before the first word is said.";
//! }
//!
//! let mut registry = Registry::new();
//! registry.declare::<ChooseGreeting>();
//!
//! // Two modules answer; `regulars` wants to be asked before `polite`, if that one is loaded at all.
//! registry.register::<ChooseGreeting>("polite", "default", Order::default(), |guest| {
//!     guest.visits += 1;
//!     FirstOutcome::Answer(format!("Good day, {}", guest.name))
//! });
//! registry.register::<ChooseGreeting>("regulars", "by_visits", Order::slot(slot::LAST).before("polite"), |guest| {
//!     if guest.visits > 10 { FirstOutcome::Answer("The usual?".into()) } else { FirstOutcome::Declined }
//! });
//!
//! let table = registry.seal(&OperatorRules::default())?;
//!
//! // `greeter` runs its hook point.
//! let handlers = table.handlers::<ChooseGreeting>();
//! let mut guest = Guest { name: "Ada", visits: 11 };
//! match run_first(&handlers, |handler| handler.call(&mut guest)) {
//!     FirstEnd::Answered { by, value } => {
//!         assert_eq!((by.module(), value.as_str()), ("regulars", "The usual?"));
//!     }
//!     FirstEnd::Declined => unreachable!("polite always answers"),
//! }
//! # Ok::<(), tollgate_hook::OrderErrors>(())
//! ```
#![forbid(unsafe_code)]

mod describe;
mod error;
mod handler;
mod nearest;
mod order;
mod point;
mod registry;
mod resolve;
mod rules;
mod run;
mod scope;
mod sort;
mod table;

pub use describe::{
    Asker, EntryDescription, HookDescription, IgnoredEdge, IgnoredWhy, OffDescription, Reason, Relation,
};
pub use error::{CycleStep, OrderError, OrderErrors};
pub use handler::{HandlerId, Handlers, Registered};
pub use order::{Edge, Order, slot};
pub use point::{Handler, HandlerFn, HandlerFor, HookPoint, Mode};
pub use registry::Registry;
pub use rules::{OperatorEdge, OperatorOff, OperatorRules};
pub use run::{AllEnd, AllOutcome, FirstEnd, FirstOutcome, run_all, run_first, run_void};
pub use scope::{Scope, ScopedHooks};
pub use table::HookTable;
