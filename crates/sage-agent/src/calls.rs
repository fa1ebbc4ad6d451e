//! Numbers the effects of one attempt, so that running the same code again finds what was recorded.
//!
//! Invariant: ids are given in the order in which they are asked for, without gaps. Code that starts
//! several effects at once must take their ids first, in program order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sage_core::{CallId, NodeId};

/// Gives the [`CallId`]s of one attempt of one node. Clones share the count.
#[derive(Debug, Clone)]
pub struct CallCounter(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    node: NodeId,
    attempt: u32,
    n_given: AtomicU32,
}

impl CallCounter {
    /// Begins at index 1.
    #[must_use]
    pub fn new(node: NodeId, attempt: u32) -> Self {
        Self(Arc::new(Counter { node, attempt, n_given: AtomicU32::new(0) }))
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> CallId {
        let index = self.0.n_given.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        CallId { node: self.0.node.clone(), attempt: self.0.attempt, index }
    }

    /// The node whose effects are counted.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.0.node
    }

    /// Its attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// How many ids were given.
    #[must_use]
    pub fn n_given(&self) -> u32 {
        self.0.n_given.load(Ordering::Relaxed)
    }
}
