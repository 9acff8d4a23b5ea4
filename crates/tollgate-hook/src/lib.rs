//! Typed, ordered, sealed hook points.
