//! The admin listener: metrics.
