//! Collects hook points and handlers, and seals them into a table.
//!
//! Responsible for: the building phase of a generation. Not responsible for: order (`resolve`), running.
//! Entry point: [`Registry`].
//! Invariants: a name stands for one type; registering never fails on the spot, every fault is reported by
//! [`Registry::seal`], all at once; sealing leaves the registry as it was, so that the same registrations
//! can be sealed under changed operator rules.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;

use crate::describe::HookDescription;
use crate::error::{OrderError, OrderErrors};
use crate::handler::{HandlerId, Handlers, Registered};
use crate::nearest::nearest;
use crate::order::Order;
use crate::point::{HandlerFor, HookPoint, Mode};
use crate::resolve::{Entry, arrange};
use crate::rules::OperatorRules;
use crate::table::HookTable;

/// Hook points and handlers of the generation being built.
#[derive(Default)]
pub struct Registry {
    /// In the order of declaration.
    points: Vec<Point>,
    by_type: HashMap<TypeId, usize>,
    faults: Vec<OrderError>,
}

/// One hook point, its type forgotten.
struct Point {
    name: &'static str,
    mode: Mode,
    doc: &'static str,
    type_id: TypeId,
    type_name: &'static str,
    /// In the order of registration, as are the handlers.
    entries: Vec<Entry>,
    handlers: Box<dyn Untyped>,
}

/// The handlers of one hook point behind a type that does not name it.
trait Untyped: Send + Sync {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// A [`Handlers<P>`] of these indices.
    fn pick(&self, running: &[usize]) -> Box<dyn Any + Send + Sync>;
}

impl<P: HookPoint> Untyped for Vec<Registered<P>> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn pick(&self, running: &[usize]) -> Box<dyn Any + Send + Sync> {
        let list: Vec<Registered<P>> = running.iter().map(|&index| self[index].clone()).collect();
        Box::new(Handlers::from(list))
    }
}

impl Registry {
    /// Nothing declared, nothing registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `P` known, so that operators see it even without handlers. Doing so again changes nothing.
    pub fn declare<P: HookPoint>(&mut self) -> &mut Self {
        self.point::<P>();
        self
    }

    /// Adds a handler to `P`, declaring `P` if need be. A module may register several handlers on one hook
    /// point; `handler` tells them apart in edges, rules, logs.
    pub fn register<P: HookPoint>(
        &mut self,
        module: &str,
        handler: &str,
        order: Order,
        f: impl for<'a> HandlerFor<'a, P> + Send + Sync + 'static,
    ) -> &mut Self {
        let id = HandlerId::new(module, handler);
        if !id.is_well_formed() {
            let (module, handler) = (module.to_owned(), handler.to_owned());
            self.faults.push(OrderError::BadName { hook: P::NAME, module, handler });
        }
        let registered = Registered::new(id.clone(), order.slot, f);
        let point = self.point::<P>();
        point.entries.push(Entry { id, order });
        point
            .handlers
            .as_any_mut()
            .downcast_mut::<Vec<Registered<P>>>()
            .expect("a hook point is found by its own type")
            .push(registered);
        self
    }

    /// Orders every hook point under the operator's rules.
    ///
    /// # Errors
    /// All faults of registrations and rules; see [`OrderError`].
    pub fn seal(&self, rules: &OperatorRules) -> Result<HookTable, OrderErrors> {
        let mut errors = self.faults.clone();
        self.check_hook_names(rules, &mut errors);
        let mut lists = HashMap::with_capacity(self.points.len());
        let mut descriptions = Vec::with_capacity(self.points.len());
        for point in &self.points {
            let arranged = arrange(point.name, &point.entries, rules, &mut errors);
            lists.insert(point.type_id, point.handlers.pick(&arranged.running));
            descriptions.push(HookDescription {
                name: point.name,
                mode: point.mode,
                doc: point.doc,
                entries: arranged.entries,
                off: arranged.off,
                ignored: arranged.ignored,
            });
        }
        OrderErrors::check(errors)?;
        Ok(HookTable::new(lists, descriptions))
    }

    fn point<P: HookPoint>(&mut self) -> &mut Point {
        let type_id = TypeId::of::<P>();
        let index = match self.by_type.get(&type_id) {
            Some(&index) => index,
            None => {
                self.add_point::<P>(type_id);
                self.points.len() - 1
            }
        };
        &mut self.points[index]
    }

    fn add_point<P: HookPoint>(&mut self, type_id: TypeId) {
        if let Some(other) = self.points.iter().find(|point| point.name == P::NAME) {
            let (first, second) = (other.type_name, type_name::<P>());
            self.faults.push(OrderError::SameName { hook: P::NAME, first, second });
        }
        self.by_type.insert(type_id, self.points.len());
        self.points.push(Point {
            name: P::NAME,
            mode: P::MODE,
            doc: P::DOC,
            type_id,
            type_name: type_name::<P>(),
            entries: Vec::new(),
            handlers: Box::new(Vec::<Registered<P>>::new()),
        });
    }

    fn check_hook_names(&self, rules: &OperatorRules, errors: &mut Vec<OrderError>) {
        let edges = rules.edges.iter().map(|rule| (&rule.hook, &rule.origin));
        let off = rules.off.iter().map(|rule| (&rule.hook, &rule.origin));
        for (hook, origin) in edges.chain(off) {
            if self.points.iter().all(|point| point.name != hook) {
                errors.push(OrderError::UnknownHook {
                    origin: origin.clone(),
                    hook: hook.clone(),
                    nearest: nearest(hook, self.points.iter().map(|point| point.name)),
                });
            }
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = |point: &Point| point.entries.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>();
        f.debug_map().entries(self.points.iter().map(|point| (point.name, ids(point)))).finish()
    }
}
