//! `last_run_metrics.json`: the numbers of a run for dashboards and other programs.
//!
//! Every value is counted from the log or `null`. How each one is defined stands in `docs/formats.md`
//! under the same name.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::{
    AgentRole, Decider, Event, EventKind, HumanEvent, NodeEvent, NodeId, NodeOutcome, NodePhase,
    RunEvent, RunOutcome, WorkspaceEvent,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    Bill, Evidence, Files, NodeState, Outcome, Projection, Refusals, RunStatus, RunStatusView,
    Spending, utc,
};

/// Version of the file's format. 1.0 was the ancestor's, whose names are kept.
const METRICS_VERSION: &str = "2.0";

/// The longest preview of an error, in characters.
const MAX_PREVIEW_CHARS: usize = 500;

/// Counts a run.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    roles: Option<BTreeMap<NodeId, AgentRole>>,
    options: Value,
    status: RunStatus,
    outcome: Outcome,
    spending: Spending,
    evidence: Evidence,
    files: Files,
    refusals: Refusals,
    /// Repairs by task, attempt and round: a task that is taken up again passes its rounds again.
    repairs: BTreeSet<(NodeId, u32, u32)>,
    n_rollbacks: u64,
    n_budget_stops: u64,
    n_decisions_by_people: u64,
    last_failure: Option<String>,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the documented file format")]
pub struct MetricsView {
    pub metrics_version: &'static str,
    pub session_id: Option<String>,
    pub run_id: Option<String>,
    pub trace_id: Option<String>,
    pub goal: Option<String>,
    pub mode: Option<String>,
    pub started_at_utc: Option<String>,
    pub ended_at_utc: Option<String>,
    pub duration_s: Option<f64>,
    pub outcome: Option<RunOutcome>,
    pub exit_code: Option<u8>,
    pub task_counts: Option<TaskCounts>,
    pub tasks_total: u64,
    pub tasks_completed: u64,
    pub tasks_failed: u64,
    pub tasks_blocked: u64,
    pub tasks_skipped: u64,
    pub models_used: Vec<String>,
    pub model_calls: BTreeMap<String, u64>,
    pub tokens: TokenCounts,
    pub cost_usd: f64,
    pub local_vs_cloud_ratio: Option<f64>,
    pub human_checkpoints_reached: u64,
    pub debug_loop_iterations: u64,
    pub orchestrator_interventions: u64,
    pub files_changed: u64,
    pub lines_added: u64,
    pub lines_removed: u64,
    pub verification: Vec<Verification>,
    pub plan_only: Option<bool>,
    pub dry_run: Option<bool>,
    pub resumed_from: Option<String>,
    pub last_error_preview: Option<String>,
}

/// Tasks of the plan by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are the documented file format")]
pub struct TaskCounts {
    pub planning: u64,
    pub coding: u64,
    pub review: u64,
    pub testing: u64,
    pub documentation: u64,
}

/// Tokens of all answered calls.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are the documented file format")]
pub struct TokenCounts {
    pub input: u64,
    pub cached_input: u64,
    pub output: u64,
    pub by_role: BTreeMap<AgentRole, u64>,
}

/// The last result of one verifying command of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are the documented file format")]
pub struct Verification {
    pub command: String,
    pub passed: bool,
    pub duration_s: f64,
}

impl Metrics {
    /// Told the role of each task of the plan, without which `task_counts` stays `null`.
    #[must_use]
    pub fn with_roles(roles: BTreeMap<NodeId, AgentRole>) -> Self {
        Self { roles: Some(roles), ..Self::default() }
    }
}

impl Projection for Metrics {
    type View = MetricsView;

    fn apply(&mut self, event: &Event) {
        self.status.apply(event);
        self.outcome.apply(event);
        self.spending.apply(event);
        self.evidence.apply(event);
        self.files.apply(event);
        self.refusals.apply(event);
        match &event.kind {
            EventKind::Run(RunEvent::Started { options, .. }) => self.options.clone_from(options),
            EventKind::Run(RunEvent::BudgetReached { exhausted: true, .. }) => {
                self.n_budget_stops += 1;
            }
            EventKind::Node(node) => self.apply_node(node),
            EventKind::Human(human) if is_by_person(human) => self.n_decisions_by_people += 1,
            EventKind::Workspace(WorkspaceEvent::RolledBack { .. }) => self.n_rollbacks += 1,
            _ => {}
        }
    }

    fn view(&self) -> MetricsView {
        let status = self.status.view();
        let spending = self.spending.view();
        let files = self.files.view();
        let started = status.run.is_some();
        // What follows the end, such as an undo, does not prolong the run.
        let ended_at_ms = self.outcome.view().ended_at_ms;
        let until_ms = ended_at_ms.unwrap_or(status.last_at_ms);
        let n_refusals = self.refusals.view().len() as u64;
        let tasks = TaskStates::of(&status);
        let n_resumes = status.n_resumes;
        let run_id = status.run.as_ref().map(ToString::to_string);
        let own_id = || run_id.clone().filter(|_| n_resumes > 0);
        let text = |text: &String| started.then(|| text.clone());
        MetricsView {
            metrics_version: METRICS_VERSION,
            session_id: self.option("session_id"),
            trace_id: self.option("trace_id"),
            goal: text(&status.goal),
            mode: text(&status.mode),
            started_at_utc: utc(status.started_at_ms).filter(|_| started),
            ended_at_utc: ended_at_ms.and_then(utc),
            duration_s: started.then(|| seconds(until_ms.saturating_sub(status.started_at_ms))),
            outcome: status.outcome,
            exit_code: status.exit_code,
            task_counts: self.roles.as_ref().map(TaskCounts::of),
            tasks_total: tasks.total,
            tasks_completed: tasks.done,
            tasks_failed: tasks.failed,
            tasks_blocked: tasks.blocked(),
            tasks_skipped: tasks.skipped,
            models_used: spending.by_model.keys().cloned().collect(),
            model_calls: spending
                .by_model
                .iter()
                .map(|(model, bill)| (model.clone(), bill.calls))
                .collect(),
            tokens: TokenCounts::of(&spending.total, &spending.by_role),
            cost_usd: spending.total.usd,
            local_vs_cloud_ratio: share(spending.total.local_calls, spending.total.calls),
            human_checkpoints_reached: self.n_decisions_by_people,
            debug_loop_iterations: self.repairs.len() as u64,
            orchestrator_interventions: n_refusals + self.n_rollbacks + self.n_budget_stops,
            files_changed: files.files.len() as u64,
            lines_added: files.lines_added,
            lines_removed: files.lines_removed,
            verification: self.verification(),
            plan_only: self
                .flag("plan_only")
                .or_else(|| (status.outcome == Some(RunOutcome::Planned)).then_some(true)),
            dry_run: self.flag("dry_run"),
            resumed_from: self.option("resumed_from").or_else(own_id),
            last_error_preview: self.last_error(&status),
            run_id,
        }
    }
}

impl Metrics {
    fn apply_node(&mut self, event: &NodeEvent) {
        if let NodeEvent::EnteredPhase { node, attempt, phase: NodePhase::Repair, round } = event {
            self.repairs.insert((node.clone(), *attempt, *round));
        }
        if let Some(failure) = failure_of(event) {
            self.last_failure = Some(failure.to_owned());
        }
    }

    fn verification(&self) -> Vec<Verification> {
        let verdicts = self.evidence.verdicts().into_iter();
        let verification = verdicts.map(|check| Verification {
            command: check.command.clone(),
            passed: check.passed,
            duration_s: seconds(check.duration_ms),
        });
        verification.collect()
    }

    fn last_error(&self, status: &RunStatusView) -> Option<String> {
        let reason = Some(&status.reason).filter(|reason| !reason.is_empty());
        let error = reason.or(self.last_failure.as_ref())?;
        Some(error.chars().take(MAX_PREVIEW_CHARS).collect())
    }

    /// A text that the coder put into the run's options.
    fn option(&self, name: &str) -> Option<String> {
        self.options.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.options.get(name).and_then(Value::as_bool)
    }
}

/// How many tasks of the plan ended in which way.
struct TaskStates {
    total: u64,
    done: u64,
    failed: u64,
    skipped: u64,
}

impl TaskStates {
    fn of(status: &RunStatusView) -> Self {
        let count = |state| status.nodes.iter().filter(|node| node.state == state).count() as u64;
        Self {
            total: u64::from(status.n_tasks).max(status.nodes.len() as u64),
            done: count(NodeState::Done),
            failed: count(NodeState::Failed),
            skipped: count(NodeState::Skipped),
        }
    }

    /// Neither ended nor skipped: not reached, or under way.
    fn blocked(&self) -> u64 {
        self.total.saturating_sub(self.done + self.failed + self.skipped)
    }
}

impl TaskCounts {
    fn of(roles: &BTreeMap<NodeId, AgentRole>) -> Self {
        let mut counts = Self::default();
        for role in roles.values() {
            match role {
                AgentRole::Planner | AgentRole::Architect => counts.planning += 1,
                AgentRole::Coder | AgentRole::Debugger => counts.coding += 1,
                AgentRole::Reviewer => counts.review += 1,
                AgentRole::TestEngineer => counts.testing += 1,
                AgentRole::Documentation => counts.documentation += 1,
                // No task is given to these.
                AgentRole::MemoryOptimizer
                | AgentRole::ShellRouter
                | AgentRole::ShellChat
                | AgentRole::Embedding => {}
            }
        }
        counts
    }
}

impl TokenCounts {
    fn of(total: &Bill, by_role: &BTreeMap<AgentRole, Bill>) -> Self {
        Self {
            input: total.usage.input,
            cached_input: total.usage.cached_input,
            output: total.usage.output,
            by_role: by_role.iter().map(|(role, bill)| (*role, bill.usage.total())).collect(),
        }
    }
}

/// Why a task failed, if the event says that one did.
pub(super) fn failure_of(event: &NodeEvent) -> Option<&str> {
    match event {
        NodeEvent::Finished { outcome: NodeOutcome::Failed, summary, .. } => Some(summary),
        _ => None,
    }
}

fn is_by_person(event: &HumanEvent) -> bool {
    match event {
        HumanEvent::PlanReviewed { by, .. } | HumanEvent::ToolReviewed { by, .. } => {
            *by == Decider::Person
        }
        HumanEvent::Answered { answer } => !answer.is_empty(),
        HumanEvent::Asked { .. } => false,
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
