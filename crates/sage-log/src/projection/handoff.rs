//! `handoff.json`: where an interrupted run stands, for the person (or another program) who goes on.
//!
//! Version 1 of the format as earlier programs of this name wrote it, with only those of its fields that
//! the log has real values for. It is for reading: `resume` works from the log, never from this file.

use std::collections::BTreeMap;

use sage_core::{Event, EventKind, HumanEvent, RunEvent};
use serde::Serialize;
use serde_json::Value;

use super::plan_tasks::{PlanTask, tasks_of};
use super::{Files, NodeState, Projection, RunStatus, RunStatusView, utc};
use crate::Manifest;

/// Version of the file's format.
const SCHEMA_VERSION: u32 = 1;

/// Follows what a hand-over needs to say.
#[derive(Debug, Clone, Default)]
pub struct Handoff {
    project: Option<String>,
    tasks: Vec<PlanTask>,
    status: RunStatus,
    files: Files,
    last_error: Option<String>,
    is_plan_decided: bool,
}

/// The file. Absent values are written as `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandoffView {
    /// Always 1.
    pub schema_version: u32,
    /// Time of the last event, RFC 3339 in UTC.
    pub interrupted_at: Option<String>,
    /// Why the run ended; absent when its process died without a word.
    pub reason: Option<String>,
    /// The run.
    pub run_id: Option<String>,
    /// The command that goes on.
    pub resume_command: Option<String>,
    /// Where it stands.
    pub state_snapshot: StateSnapshot,
}

/// Where the run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateSnapshot {
    /// The goal.
    pub user_prompt: String,
    /// A task that was under way, the one begun last if there are several.
    pub current_task_id: Option<String>,
    /// That task as the plan has it.
    pub current_task: Option<Value>,
    /// The plan's tasks, each with a `status` (`pending`, `running`, `blocked`, `failed`, `completed`);
    /// absent when there is no plan.
    pub task_dag: Option<Value>,
    /// The last failure of a task or of the run, one line.
    pub last_error: Option<String>,
    /// `research`, `auto` or `silent`.
    pub mode: String,
    /// The project's root folder.
    pub repo_path: Option<String>,
    /// Whether the plan was decided on.
    pub human_checkpoint_done: bool,
    /// The files that each task changed.
    pub artifacts_by_task: BTreeMap<String, Vec<String>>,
}

impl Handoff {
    /// Told what is not in the events: the run's manifest, and its plan as parsed from its payload.
    #[must_use]
    pub fn new(manifest: &Manifest, plan: Option<&Value>) -> Self {
        Self {
            project: Some(manifest.project.display().to_string()),
            tasks: plan.map(tasks_of).unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl Projection for Handoff {
    type View = HandoffView;

    fn apply(&mut self, event: &Event) {
        self.status.apply(event);
        self.files.apply(event);
        match &event.kind {
            EventKind::Human(HumanEvent::PlanReviewed { .. }) => self.is_plan_decided = true,
            EventKind::Run(RunEvent::Finished { reason, .. }) if !reason.is_empty() => {
                self.last_error = Some(reason.clone());
            }
            EventKind::Node(node) => {
                if let Some(error) = super::metrics::failure_of(node) {
                    self.last_error = Some(error.to_owned());
                }
            }
            _ => {}
        }
    }

    fn view(&self) -> HandoffView {
        let status = self.status.view();
        let current = status
            .nodes
            .iter()
            .filter(|node| matches!(node.state, NodeState::Running | NodeState::Interrupted))
            .max_by_key(|node| node.started_at_ms)
            .map(|node| &node.node);
        let run = status.run.as_ref().map(ToString::to_string);
        HandoffView {
            schema_version: SCHEMA_VERSION,
            interrupted_at: status.run.as_ref().and_then(|_| utc(status.last_at_ms)),
            reason: (!status.reason.is_empty()).then(|| status.reason.clone()),
            resume_command: run.as_ref().map(|run| format!("sage resume {run}")),
            run_id: run,
            state_snapshot: StateSnapshot {
                current_task_id: current.map(ToString::to_string),
                current_task: current.and_then(|current| {
                    let task = self.tasks.iter().find(|task| task.id == *current)?;
                    Some(task.json.clone())
                }),
                task_dag: (!self.tasks.is_empty()).then(|| dag_of(&self.tasks, &status)),
                last_error: self.last_error.clone(),
                repo_path: self.project.clone(),
                human_checkpoint_done: self.is_plan_decided,
                artifacts_by_task: artifacts_of(&self.files),
                user_prompt: status.goal,
                mode: status.mode,
            },
        }
    }
}

fn dag_of(tasks: &[PlanTask], status: &RunStatusView) -> Value {
    let nodes = tasks.iter().map(|task| {
        let mut json = task.json.clone();
        if let Value::Object(fields) = &mut json {
            let state = status.nodes.iter().find(|node| node.node == task.id);
            let word = state.map_or("pending", |node| status_word(node.state));
            fields.insert("status".to_owned(), word.into());
        }
        json
    });
    let nodes: Vec<Value> = nodes.collect();
    serde_json::json!({ "nodes": nodes })
}

/// The format's word for a state. An interrupted task has to be taken up again, which is `pending`.
fn status_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Running => "running",
        NodeState::Done => "completed",
        NodeState::Failed => "failed",
        NodeState::Skipped => "blocked",
        NodeState::Interrupted => "pending",
    }
}

fn artifacts_of(files: &Files) -> BTreeMap<String, Vec<String>> {
    let mut artifacts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.view().files {
        for node in &file.nodes {
            artifacts.entry(node.to_string()).or_default().push(file.path.clone());
        }
    }
    artifacts
}
