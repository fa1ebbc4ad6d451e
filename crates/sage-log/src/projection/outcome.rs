//! How a run ended, and each of its tasks.

use sage_core::{Event, EventKind, NodeEvent, NodeId, NodeOutcome, RunEvent, RunOutcome};
use serde::Serialize;

use super::Projection;

/// Follows how the run and its tasks end.
#[derive(Debug, Clone, Default)]
pub struct Outcome(RunOutcomeView);

/// How a run ended. Tasks that never started are in none of the lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RunOutcomeView {
    /// How; absent while it has not finished, also after it was taken up again.
    pub outcome: Option<RunOutcome>,
    /// The exit code of the process.
    pub exit_code: Option<u8>,
    /// Why, one line; empty on success.
    pub reason: String,
    /// When it finished.
    pub ended_at_ms: Option<u64>,
    /// Tasks that are done, in the order in which they ended.
    pub done: Vec<NodeId>,
    /// Tasks whose last attempt failed.
    pub failed: Vec<NodeId>,
    /// Tasks that were skipped.
    pub skipped: Vec<NodeId>,
    /// Tasks that were interrupted.
    pub interrupted: Vec<NodeId>,
}

impl Projection for Outcome {
    type View = RunOutcomeView;

    fn apply(&mut self, event: &Event) {
        let view = &mut self.0;
        match &event.kind {
            EventKind::Run(RunEvent::Resumed { .. }) => {
                view.outcome = None;
                view.exit_code = None;
                view.reason.clear();
                view.ended_at_ms = None;
            }
            EventKind::Run(RunEvent::Finished { outcome, exit_code, reason }) => {
                view.outcome = Some(*outcome);
                view.exit_code = Some(*exit_code);
                view.reason.clone_from(reason);
                view.ended_at_ms = Some(event.at_ms);
            }
            EventKind::Node(NodeEvent::Started { node, .. }) => self.forget(node),
            EventKind::Node(NodeEvent::Skipped { node, .. }) => {
                self.forget(node);
                self.0.skipped.push(node.clone());
            }
            EventKind::Node(NodeEvent::Finished { node, outcome, .. }) => {
                self.forget(node);
                self.list(*outcome).push(node.clone());
            }
            _ => {}
        }
    }

    fn view(&self) -> RunOutcomeView {
        self.0.clone()
    }
}

impl Outcome {
    fn list(&mut self, outcome: NodeOutcome) -> &mut Vec<NodeId> {
        match outcome {
            NodeOutcome::Done => &mut self.0.done,
            NodeOutcome::Failed => &mut self.0.failed,
            NodeOutcome::Interrupted => &mut self.0.interrupted,
        }
    }

    fn forget(&mut self, node: &NodeId) {
        let RunOutcomeView { done, failed, skipped, interrupted, .. } = &mut self.0;
        for list in [done, failed, skipped, interrupted] {
            list.retain(|other| other != node);
        }
    }
}
