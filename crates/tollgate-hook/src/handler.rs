//! Registered handlers and lists of them.
//!
//! Responsible for: who a handler is ([`HandlerId`]), the handler with its place ([`Registered`]), and the
//! shared list a hook point is run from ([`Handlers`]). Not responsible for: ordering.
//! Invariants: a list never changes; an empty list is a null pointer, so that `is_empty` is one test and an
//! empty list costs no memory; cloning never copies handlers.

use std::fmt;
use std::sync::Arc;

use crate::point::{HandlerFn, HandlerFor, HookPoint};

/// Who a handler is: its module and its own name there. Written `module#handler`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId {
    module: Arc<str>,
    handler: Arc<str>,
}

impl HandlerId {
    /// Names a handler.
    pub fn new(module: &str, handler: &str) -> Self {
        Self { module: module.into(), handler: handler.into() }
    }

    /// The module that registered the handler.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// The handler's name within its module.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// Whether both parts can be addressed: not empty and without `#`.
    pub(crate) fn is_well_formed(&self) -> bool {
        [&self.module, &self.handler].iter().all(|part| !part.is_empty() && !part.contains('#'))
    }

    /// Whether `target` (`module` or `module#handler`) means this handler.
    pub(crate) fn is_meant_by(&self, target: &str) -> bool {
        match target.split_once('#') {
            None => *self.module == *target,
            Some((module, handler)) => *self.module == *module && *self.handler == *handler,
        }
    }
}

impl fmt::Display for HandlerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.module, self.handler)
    }
}

/// One handler in its place on a hook point. Cloning shares the handler.
pub struct Registered<P: HookPoint> {
    id: HandlerId,
    slot: i32,
    call: Arc<HandlerFn<P>>,
}

impl<P: HookPoint> Registered<P> {
    /// Puts a handler and its name together. [`Registry`](crate::Registry) and
    /// [`ScopedHooks`](crate::ScopedHooks) do this for their callers.
    pub fn new(id: HandlerId, slot: i32, f: impl for<'a> HandlerFor<'a, P> + Send + Sync + 'static) -> Self {
        Self { id, slot, call: Arc::new(f) }
    }

    /// The module that registered the handler.
    pub fn module(&self) -> &str {
        self.id.module()
    }

    /// The handler's name within its module.
    pub fn handler(&self) -> &str {
        self.id.handler()
    }

    /// Module and handler together, cheap to clone.
    pub fn id(&self) -> &HandlerId {
        &self.id
    }

    /// The slot it was registered with.
    pub fn slot(&self) -> i32 {
        self.slot
    }

    /// Runs the handler.
    pub fn call<'a>(&self, input: P::Input<'a>) -> P::Output<'a> {
        self.call.call(input)
    }
}

impl<P: HookPoint> Clone for Registered<P> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), slot: self.slot, call: Arc::clone(&self.call) }
    }
}

impl<P: HookPoint> fmt::Debug for Registered<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.slot)
    }
}

/// The handlers of one hook point in running order. Cloning shares the list.
///
/// Take it out of the [`HookTable`](crate::HookTable) once per generation, not once per request.
pub struct Handlers<P: HookPoint>(Option<Arc<[Registered<P>]>>);

impl<P: HookPoint> Handlers<P> {
    /// A list without handlers; allocates nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is nothing to run: one null test.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many handlers there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// The handlers in running order.
    #[inline]
    pub fn as_slice(&self) -> &[Registered<P>] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The handlers in running order.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, Registered<P>> {
        self.as_slice().iter()
    }
}

impl<P: HookPoint> From<Vec<Registered<P>>> for Handlers<P> {
    fn from(list: Vec<Registered<P>>) -> Self {
        if list.is_empty() { Self::none() } else { Self(Some(list.into())) }
    }
}

impl<P: HookPoint> Default for Handlers<P> {
    fn default() -> Self {
        Self::none()
    }
}

impl<P: HookPoint> Clone for Handlers<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'h, P: HookPoint> IntoIterator for &'h Handlers<P> {
    type Item = &'h Registered<P>;
    type IntoIter = std::slice::Iter<'h, Registered<P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<P: HookPoint> fmt::Debug for Handlers<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_target_means_every_handler_of_the_module_and_full_target_means_one() {
        let id = HandlerId::new("denylist", "check");
        assert!(id.is_meant_by("denylist"));
        assert!(id.is_meant_by("denylist#check"));
        for other in ["deny", "denylist#", "denylist#log", "#check", "check", "", "denylist#check#x"] {
            assert!(!id.is_meant_by(other), "{other:?}");
        }
    }

    #[test]
    fn names_that_an_edge_could_not_address_are_not_well_formed() {
        assert!(HandlerId::new("header_rewrite.so", "global hook").is_well_formed());
        for (module, handler) in [("", "h"), ("m", ""), ("m#x", "h"), ("m", "h#x")] {
            assert!(!HandlerId::new(module, handler).is_well_formed(), "{module:?} {handler:?}");
        }
    }
}
