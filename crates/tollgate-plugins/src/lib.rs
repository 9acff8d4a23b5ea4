//! Native plugins shipped with Tollgate.

/// The factories of all shipped plugins.
pub fn factories() -> Vec<Box<dyn tollgate_plugin::PluginFactory>> {
    Vec::new()
}
