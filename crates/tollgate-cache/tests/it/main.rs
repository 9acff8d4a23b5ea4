//! The cache judged from outside: rules clause by clause, store and fills against models.

mod disk;
mod fill;
mod freshness;
mod model;
mod negotiate;
mod part;
mod spill;
mod store;
mod storing;
mod support;
mod threads;
mod validation;
mod vary;
