//! Facts about one node of the graph.

use serde::{Deserialize, Serialize};

use crate::{ErrorKind, NodeId};

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeOutcome {
    /// Done, with evidence.
    Done,
    /// Failed for good or for this attempt; the scheduler decides by the node's retry rule.
    Failed,
    /// Stopped because the run was interrupted; a resumed run takes the attempt up again.
    Interrupted,
}

/// What a task is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodePhase {
    /// Writing the change.
    Implement,
    /// Deterministic checks: files exist, code parses, linters.
    Check,
    /// Judging the change.
    Review,
    /// Running generated tests.
    Test,
    /// Running acceptance commands.
    Verify,
    /// Merging a lane into the work tree.
    Merge,
    /// Repairing what failed.
    Repair,
}

/// Facts about one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum NodeEvent {
    /// An attempt began.
    #[serde(rename = "node.started")]
    Started {
        /// The node.
        node: NodeId,
        /// Its attempt, from 1.
        attempt: u32,
    },
    /// The attempt moved on.
    #[serde(rename = "node.entered_phase")]
    EnteredPhase {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// The phase.
        phase: NodePhase,
        /// Number of repairs so far.
        round: u32,
    },
    /// The attempt ended.
    #[serde(rename = "node.finished")]
    Finished {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// How.
        outcome: NodeOutcome,
        /// What kind of failure it was, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorKind>,
        /// Why, one line; on success what was done.
        summary: String,
    },
    /// The node will not run, because something it depends on failed or was skipped.
    #[serde(rename = "node.skipped")]
    Skipped {
        /// The node.
        node: NodeId,
        /// The node on whose account.
        because: NodeId,
    },
}
