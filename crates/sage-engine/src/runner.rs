//! What the engine needs from whoever knows how to run a node.

use async_trait::async_trait;
use sage_core::{ErrorKind, NodeOutcome};
use sage_graph::NodeSpec;
use tokio_util::sync::CancellationToken;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// How.
    pub outcome: NodeOutcome,
    /// What kind of failure it was; absent for a task that was tried and did not succeed.
    pub error: Option<ErrorKind>,
    /// Why, one line; on success what was done.
    pub summary: String,
}

impl NodeReport {
    /// The node is done.
    pub fn done(summary: impl Into<String>) -> Self {
        Self { outcome: NodeOutcome::Done, error: None, summary: summary.into() }
    }

    /// The attempt failed. The scheduler decides by `error` whether there is another one.
    pub fn failed(error: impl Into<Option<ErrorKind>>, summary: impl Into<String>) -> Self {
        Self { outcome: NodeOutcome::Failed, error: error.into(), summary: summary.into() }
    }

    /// The attempt was stopped before its end; a resumed run takes it up again.
    pub fn interrupted(summary: impl Into<String>) -> Self {
        Self {
            outcome: NodeOutcome::Interrupted,
            error: Some(ErrorKind::Interrupted),
            summary: summary.into(),
        }
    }
}

/// Runs nodes.
#[async_trait]
pub trait NodeRunner: Send + Sync {
    /// Runs one attempt of a node to its end.
    ///
    /// An attempt that an earlier process left unfinished is run again from its beginning, under the
    /// same number; what it did already must be answered from the log. When `cancel` fires, the runner
    /// should return soon, with [`NodeReport::interrupted`] or with the end that it reached. If it takes
    /// longer than the engine's grace, its future is dropped. A panic counts as a failure of kind
    /// [`ErrorKind::Internal`].
    async fn run(&self, node: &NodeSpec, attempt: u32, cancel: CancellationToken) -> NodeReport;

    /// Decides for a node with `on_unknown: ask` whether an attempt whose outcome is unknown may be
    /// taken up again. If not, the node has failed.
    async fn may_take_up(&self, node: &NodeSpec, attempt: u32) -> bool {
        let _ = (node, attempt);
        true
    }

    /// Told that an attempt whose outcome is unknown is not taken up again, before its node counts as
    /// failed: the moment to take back what the attempt did.
    async fn give_up(&self, node: &NodeSpec, attempt: u32) {
        let _ = (node, attempt);
    }
}
