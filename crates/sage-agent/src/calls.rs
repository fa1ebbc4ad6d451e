//! Numbers the effects of one attempt, so that running the same code again finds what was recorded.
//!
//! Invariant: ids are given in the order in which they are asked for, without gaps. Code that starts
//! several effects at once must take their ids first, in program order. What was learned about the
//! counting of tokens depends on the same order, so it is kept in the same place.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sage_core::{CallId, NodeId};
use sage_model::Calibration;

/// Gives the [`CallId`]s of one attempt of one node. Clones share the count.
#[derive(Debug, Clone)]
pub struct CallCounter(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    node: NodeId,
    attempt: u32,
    n_given: AtomicU32,
    learned: Mutex<Calibration>,
}

impl CallCounter {
    /// Begins at index 1.
    #[must_use]
    pub fn new(node: NodeId, attempt: u32) -> Self {
        Self(Arc::new(Counter {
            node,
            attempt,
            n_given: AtomicU32::new(0),
            learned: Mutex::default(),
        }))
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> CallId {
        let index = self.0.n_given.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        CallId { node: self.0.node.clone(), attempt: self.0.attempt, index }
    }

    /// How the providers of this attempt count tokens, as far as their answers have told.
    pub(crate) fn learned(&self) -> MutexGuard<'_, Calibration> {
        // A few numbers: a panic elsewhere cannot have left them half-written.
        self.0.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id after the last one that was given.
    pub(crate) fn peek(&self) -> CallId {
        let index = self.n_given().saturating_add(1);
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
