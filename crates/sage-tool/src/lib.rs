//! Tools a model can call, behind one door: registry, grants, processes, edits, snapshots.

pub mod edits;
