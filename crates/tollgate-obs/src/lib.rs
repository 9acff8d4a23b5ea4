//! Metrics, access log, outcomes and milestones.

pub mod outcome;
