//! Where a run stands: its phase, and the state of each task that was begun or skipped.
//!
//! Tasks that wait are not here: the log first hears of a task when it starts. Who knows the plan knows
//! the rest.

use std::collections::BTreeSet;

use sage_core::{
    BlobRef, ErrorKind, Event, EventKind, HumanEvent, ModelEvent, NodeEvent, NodeId, NodeOutcome,
    NodePhase, PlanDecision, RunEvent, RunId, RunOutcome,
};
use serde::Serialize;

use super::Projection;

/// Follows where a run stands.
#[derive(Debug, Clone, Default)]
pub struct RunStatus {
    view: RunStatusView,
    /// Interrupted tasks of a run that was taken up again: their next event shows that they run.
    waiting: BTreeSet<NodeId>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RunStatusView {
    /// The run; absent before the first event.
    pub run: Option<RunId>,
    /// The goal.
    pub goal: String,
    /// `research`, `auto` or `silent`.
    pub mode: String,
    /// What it is busy with.
    pub phase: RunPhase,
    /// How it ended, if it did.
    pub outcome: Option<RunOutcome>,
    /// Its exit code, if it ended.
    pub exit_code: Option<u8>,
    /// Why it ended so, one line.
    pub reason: String,
    /// Time of the first event.
    pub started_at_ms: u64,
    /// Time of the last event.
    pub last_at_ms: u64,
    /// How often it was taken up again.
    pub n_resumes: u32,
    /// The plan, once there is a valid one.
    pub plan: Option<BlobRef>,
    /// Number of tasks of the plan.
    pub n_tasks: u32,
    /// A question that nobody has answered yet.
    pub question: Option<String>,
    /// The limits that were used up or nearly so, in words.
    pub budget_warnings: Vec<String>,
    /// Tasks in the order in which they were first heard of.
    pub nodes: Vec<NodeStatus>,
}

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// There is no valid plan yet.
    #[default]
    Planning,
    /// The plan waits for a decision.
    Reviewing,
    /// Tasks run.
    Executing,
    /// It ended.
    Finished,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeStatus {
    /// The task.
    pub node: NodeId,
    /// Its state. A task of a run whose process died stays `running` until the run is taken up again.
    pub state: NodeState,
    /// Its last attempt, from 1; 0 when it never ran.
    pub attempt: u32,
    /// What the attempt is or was busy with.
    pub phase: Option<NodePhase>,
    /// Repairs of this attempt so far.
    pub round: u32,
    /// The model it last used or was given.
    pub model: Option<String>,
    /// When the last attempt began.
    pub started_at_ms: Option<u64>,
    /// From there to its end, or to its last event; time between processes included.
    pub duration_ms: u64,
    /// Why it ended so; on success what was done.
    pub summary: String,
    /// The kind of failure.
    pub error: Option<ErrorKind>,
    /// The task on whose account it was skipped.
    pub because: Option<NodeId>,
}

/// The state of a task that was begun or skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// An attempt is under way.
    Running,
    /// Done, with evidence.
    Done,
    /// The last attempt failed; another may follow.
    Failed,
    /// It will not run.
    Skipped,
    /// Stopped with the run; a resume takes it up again.
    Interrupted,
}

impl Projection for RunStatus {
    type View = RunStatusView;

    fn apply(&mut self, event: &Event) {
        if self.view.run.is_none() {
            self.view.run = Some(event.run.clone());
            self.view.started_at_ms = event.at_ms;
        }
        self.view.last_at_ms = event.at_ms;
        self.touch_node(event);
        match &event.kind {
            EventKind::Run(run) => self.apply_run(run),
            EventKind::Node(node) => self.apply_node(node, event.at_ms),
            EventKind::Model(ModelEvent::Routed { call, chosen: model, .. })
            | EventKind::Model(ModelEvent::Answered { call, model, .. }) => {
                if let Some(node) = self.seen(&call.node) {
                    node.model = Some(model.clone());
                }
            }
            EventKind::Human(human) => self.apply_human(human),
            EventKind::Model(_) | EventKind::Tool(_) | EventKind::Workspace(_) => {}
        }
    }

    fn view(&self) -> RunStatusView {
        self.view.clone()
    }
}

impl RunStatus {
    fn apply_run(&mut self, event: &RunEvent) {
        let view = &mut self.view;
        match event {
            RunEvent::Started { goal, mode, .. } => {
                view.goal.clone_from(goal);
                view.mode.clone_from(mode);
            }
            RunEvent::Planned { plan, n_tasks, .. } => {
                view.plan = Some(plan.clone());
                view.n_tasks = *n_tasks;
                view.phase = RunPhase::Reviewing;
            }
            RunEvent::PlanRefused { .. } | RunEvent::Sandboxed { .. } => {}
            // A budget that was nearly used up may no longer be.
            RunEvent::LimitsChanged { .. } => view.budget_warnings.clear(),
            RunEvent::Resumed { .. } => {
                let interrupted =
                    view.nodes.iter().filter(|node| node.state == NodeState::Interrupted);
                self.waiting = interrupted.map(|node| node.node.clone()).collect();
                view.n_resumes = view.n_resumes.saturating_add(1);
                view.outcome = None;
                view.exit_code = None;
                view.reason.clear();
                view.question = None;
                view.phase = match (&view.plan, view.nodes.is_empty()) {
                    (None, _) => RunPhase::Planning,
                    (Some(_), true) => RunPhase::Reviewing,
                    (Some(_), false) => RunPhase::Executing,
                };
            }
            RunEvent::Committed { .. } => {}
            RunEvent::BudgetReached { .. } => {
                view.budget_warnings.push(crate::describe::of_run(event));
            }
            RunEvent::Finished { outcome, exit_code, reason } => {
                view.outcome = Some(*outcome);
                view.exit_code = Some(*exit_code);
                view.reason.clone_from(reason);
                view.question = None;
                view.phase = RunPhase::Finished;
            }
        }
    }

    fn apply_node(&mut self, event: &NodeEvent, at_ms: u64) {
        match event {
            NodeEvent::Started { node, attempt } => {
                self.view.phase = RunPhase::Executing;
                *self.entry(node) = NodeStatus {
                    attempt: *attempt,
                    started_at_ms: Some(at_ms),
                    ..NodeStatus::new(node.clone(), NodeState::Running)
                };
            }
            NodeEvent::EnteredPhase { node, attempt, phase, round } => {
                let node = self.entry(node);
                node.attempt = *attempt;
                node.phase = Some(*phase);
                node.round = *round;
            }
            NodeEvent::Finished { node, attempt, outcome, error, summary } => {
                let node = self.entry(node);
                node.attempt = *attempt;
                node.state = match outcome {
                    NodeOutcome::Done => NodeState::Done,
                    NodeOutcome::Failed => NodeState::Failed,
                    NodeOutcome::Interrupted => NodeState::Interrupted,
                };
                node.error = *error;
                node.summary.clone_from(summary);
            }
            NodeEvent::Skipped { node, because } => {
                let node = self.entry(node);
                node.state = NodeState::Skipped;
                node.because = Some(because.clone());
            }
        }
    }

    fn apply_human(&mut self, event: &HumanEvent) {
        match event {
            HumanEvent::PlanReviewed { decision: PlanDecision::Approved, .. } => {
                self.view.phase = RunPhase::Executing;
            }
            HumanEvent::Asked { question } => self.view.question = Some(question.clone()),
            HumanEvent::Answered { .. } => self.view.question = None,
            HumanEvent::PlanReviewed { .. } | HumanEvent::ToolReviewed { .. } => {}
        }
    }

    /// Any event of a running task prolongs it.
    fn touch_node(&mut self, event: &Event) {
        let Some(id) = event.kind.node() else { return };
        let is_taken_up = self.waiting.remove(id);
        let Some(node) = self.seen(id) else { return };
        if is_taken_up {
            node.state = NodeState::Running;
            node.summary.clear();
            node.error = None;
        }
        if let (NodeState::Running, Some(started_at_ms)) = (node.state, node.started_at_ms) {
            node.duration_ms = event.at_ms.saturating_sub(started_at_ms);
        }
    }

    fn seen(&mut self, id: &NodeId) -> Option<&mut NodeStatus> {
        self.view.nodes.iter_mut().find(|node| node.node == *id)
    }

    fn entry(&mut self, id: &NodeId) -> &mut NodeStatus {
        let at = match self.view.nodes.iter().position(|node| node.node == *id) {
            Some(at) => at,
            None => {
                self.view.nodes.push(NodeStatus::new(id.clone(), NodeState::Running));
                self.view.nodes.len() - 1
            }
        };
        &mut self.view.nodes[at]
    }
}

impl NodeStatus {
    fn new(node: NodeId, state: NodeState) -> Self {
        Self {
            node,
            state,
            attempt: 0,
            phase: None,
            round: 0,
            model: None,
            started_at_ms: None,
            duration_ms: 0,
            summary: String::new(),
            error: None,
            because: None,
        }
    }
}
