//! The sealed table of one generation.
//!
//! Responsible for: giving the handlers of a hook point by its type, and the description of all. Not
//! responsible for: building (`registry`).
//! Entry point: [`HookTable::handlers`].
//! Invariants: nothing in it changes; `Send + Sync`, to be shared in an `Arc` by all event threads and by
//! transactions that outlive a reload.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;

use crate::describe::HookDescription;
use crate::handler::Handlers;
use crate::point::HookPoint;

/// The handlers of every hook point in running order.
#[derive(Default)]
pub struct HookTable {
    /// Per hook point type `P` a [`Handlers<P>`].
    lists: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    descriptions: Vec<HookDescription>,
}

impl HookTable {
    pub(crate) fn new(
        lists: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
        descriptions: Vec<HookDescription>,
    ) -> Self {
        Self { lists, descriptions }
    }

    /// The handlers of `P` in running order; none if `P` was never declared.
    ///
    /// Costs a hash lookup and a reference count: look up once per generation and keep the list.
    pub fn handlers<P: HookPoint>(&self) -> Handlers<P> {
        let list = self.lists.get(&TypeId::of::<P>());
        list.and_then(|list| list.downcast_ref::<Handlers<P>>()).cloned().unwrap_or_default()
    }

    /// Every declared hook point, in the order of declaration.
    pub fn describe(&self) -> &[HookDescription] {
        &self.descriptions
    }
}

impl fmt::Debug for HookTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.descriptions.fmt(f)
    }
}
