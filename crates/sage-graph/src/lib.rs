//! Graphs as data: what people and planners write, checked and ordered, and drawn for people to read.
//!
//! [`GraphSpec`] is the file form. [`GraphSpec::compile`] finds every problem at once and otherwise
//! gives a [`CompiledGraph`], which is acyclic, topologically ordered and immutable. [`draw`] turns one
//! into text. Nothing here runs a graph, does IO or knows an async runtime; `sage-engine` runs graphs.

mod compile;
mod compiled;
pub mod draw;
mod problem;
mod reach;
mod regions;
mod spec;

#[cfg(test)]
mod testing;

pub use compiled::CompiledGraph;
pub use problem::{Problem, list_problems};
pub use regions::Region;
pub use spec::{
    EdgeKind, EdgeSpec, GraphSpec, MAX_ATTEMPTS, MAX_EDGES, MAX_NODES, NodeSpec, OnUnknown, Retry,
};
