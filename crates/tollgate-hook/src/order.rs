//! Where a handler wants to run: a slot and edges to other handlers.
//!
//! Responsible for: the wish of one handler. Not responsible for: reconciling all wishes (`resolve`, `sort`).
//! Entry point: [`Order`].
//! Invariants: an explicit edge beats every slot; slots decide between handlers that no edge relates;
//! registration order decides between equal slots.

/// The slots with a name. Any other integer is legal too: `slot::LAST - 2`.
pub mod slot {
    /// Before everything that only wants to be first.
    pub const REALLY_FIRST: i32 = -10;
    /// Early.
    pub const FIRST: i32 = 0;
    /// Where order does not matter: the default.
    pub const MIDDLE: i32 = 10;
    /// Late.
    pub const LAST: i32 = 20;
    /// After everything that only wants to be last.
    pub const REALLY_LAST: i32 = 30;
}

/// One end of an ordering wish: whom it is about, and whether that one must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// `module` (all its handlers on the same hook point) or `module#handler`.
    pub target: String,
    /// Whether it is an error if nobody on the hook point has that name.
    pub is_required: bool,
}

/// Where a handler wants to run on its hook point.
///
/// ```
/// use tollgate_hook::{Order, slot};
/// let order = Order::slot(slot::FIRST).after("remoteip").before_required("denylist#check");
/// # let _ = order;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub(crate) slot: i32,
    pub(crate) before: Vec<Edge>,
    pub(crate) after: Vec<Edge>,
}

impl Order {
    /// Only a slot; see the module [`slot`].
    pub const fn slot(slot: i32) -> Self {
        Self { slot, before: Vec::new(), after: Vec::new() }
    }

    /// Runs before `target` (`module` or `module#handler`), if that one is there.
    pub fn before(mut self, target: impl Into<String>) -> Self {
        self.before.push(Edge { target: target.into(), is_required: false });
        self
    }

    /// Runs after `target`, if that one is there.
    pub fn after(mut self, target: impl Into<String>) -> Self {
        self.after.push(Edge { target: target.into(), is_required: false });
        self
    }

    /// Runs before `target`; sealing fails if that one is missing.
    pub fn before_required(mut self, target: impl Into<String>) -> Self {
        self.before.push(Edge { target: target.into(), is_required: true });
        self
    }

    /// Runs after `target`; sealing fails if that one is missing.
    pub fn after_required(mut self, target: impl Into<String>) -> Self {
        self.after.push(Edge { target: target.into(), is_required: true });
        self
    }
}

impl Default for Order {
    /// [`slot::MIDDLE`], no edges.
    fn default() -> Self {
        Self::slot(slot::MIDDLE)
    }
}
