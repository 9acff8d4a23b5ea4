//! Native plugins shipped with Tollgate.
