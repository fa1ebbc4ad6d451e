//! `system_state.json`: the project's last run in a few lines, for `sage status` and other programs.

use sage_core::{
    AgentRole, Event, EventKind, ModelEvent, NodeEvent, NodeId, NodeOutcome, RunOutcome,
};
use serde::Serialize;
use serde_json::Value;

use super::plan_tasks::{PlanTask, tasks_of};
use super::{NodeState, Projection, RunStatus, utc};

/// Follows what the file says.
#[derive(Debug, Clone, Default)]
pub struct SystemState {
    tasks: Vec<PlanTask>,
    status: RunStatus,
    planner_model: Option<String>,
    last_completed_task: Option<NodeId>,
}

/// The file. Absent values are written as `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemStateView {
    /// The last run.
    pub last_run_id: Option<String>,
    /// Its goal.
    pub goal: String,
    /// How it ended; absent while it runs or when its process died.
    pub outcome: Option<RunOutcome>,
    /// Time of its last event, RFC 3339 in UTC.
    pub last_updated: Option<String>,
    /// The model that planned it; absent when no model did.
    pub planner_model: Option<String>,
    /// The task that was done last.
    pub last_completed_task: Option<String>,
    /// The first task of the plan that is not done and whose dependencies are; absent when there is none
    /// or no plan.
    pub next_unblocked_task: Option<String>,
    /// The tasks that failed, each with its reason.
    pub open_blockers: Vec<String>,
}

impl SystemState {
    /// Told the plan as parsed from its payload.
    #[must_use]
    pub fn new(plan: Option<&Value>) -> Self {
        Self { tasks: plan.map(tasks_of).unwrap_or_default(), ..Self::default() }
    }
}

impl Projection for SystemState {
    type View = SystemStateView;

    fn apply(&mut self, event: &Event) {
        self.status.apply(event);
        match &event.kind {
            EventKind::Model(ModelEvent::Answered { role: AgentRole::Planner, model, .. }) => {
                self.planner_model = Some(model.clone());
            }
            EventKind::Node(NodeEvent::Finished { node, outcome: NodeOutcome::Done, .. }) => {
                self.last_completed_task = Some(node.clone());
            }
            _ => {}
        }
    }

    fn view(&self) -> SystemStateView {
        let status = self.status.view();
        let state_of =
            |id: &NodeId| status.nodes.iter().find(|node| node.node == *id).map(|node| node.state);
        let is_done = |id: &NodeId| state_of(id) == Some(NodeState::Done);
        let is_open = |id: &NodeId| {
            !matches!(state_of(id), Some(NodeState::Done | NodeState::Failed | NodeState::Skipped))
        };
        let next = self
            .tasks
            .iter()
            .find(|task| is_open(&task.id) && task.dependencies.iter().all(is_done));
        let failed = status.nodes.iter().filter(|node| node.state == NodeState::Failed);
        SystemStateView {
            last_run_id: status.run.as_ref().map(ToString::to_string),
            outcome: status.outcome,
            last_updated: status.run.as_ref().and_then(|_| utc(status.last_at_ms)),
            planner_model: self.planner_model.clone(),
            last_completed_task: self.last_completed_task.as_ref().map(ToString::to_string),
            next_unblocked_task: next.map(|task| task.id.to_string()),
            open_blockers: failed.map(|node| format!("{}: {}", node.node, node.summary)).collect(),
            goal: status.goal,
        }
    }
}
