//! The append-only log of a run, its blobs, and the views made from it.
