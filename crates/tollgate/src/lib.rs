//! Tollgate: a programmable HTTP caching proxy.
