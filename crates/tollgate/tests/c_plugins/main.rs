//! C plugins in the real program.

mod alternates;
mod debian;
mod exchange;
mod loading;
mod mistakes;
mod oracle;
mod records;
mod remap;
mod support;
mod symbols;
mod threads;
mod transactions;
