//! C plugins in the real program.

mod debian;
mod loading;
mod mistakes;
mod remap;
mod support;
mod symbols;
mod transactions;
