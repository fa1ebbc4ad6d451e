//! What a run has to tell: a view of its log for people, for `--json`, and for the files in `.sage/`.
//!
//! Every number comes from an event. A claim without an event behind it has no place here.

use std::collections::BTreeMap;

use sage_core::{
    AgentRole, BlobRef, Event, EventKind, FileState, ModelEvent, NodeEvent, NodeId, NodeOutcome,
    Recorder, RunEvent, RunId, RunOutcome, ToolEvent, WorkspaceEvent,
};
use sage_engine::can_be_taken_up;
use sage_log::{
    ChangeKind, Check, Evidence, Files, Handoff, Metrics, Refusals, Spending, SystemState, project,
    project_with,
};
use sage_tool::Workspace;
use serde::Serialize;
use serde_json::Value;

use crate::context::RunCx;
use crate::error::Result;
use crate::net;
use crate::plan::Plan;
use crate::state;
use crate::survey::VERIFICATION;
use crate::verify::{Fault, Since, faults, unproven};

mod render;

pub use render::{Detail, Form, render};

/// Everything worth telling about a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The goal.
    pub goal: String,
    /// `research`, `auto` or `silent`.
    pub mode: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The exit code.
    pub exit_code: u8,
    /// Why it ended so; empty on success.
    pub reason: String,
    /// Whether the work happened in a copy.
    pub dry_run: bool,
    /// Whether any answer came from a script instead of a model.
    pub scripted: bool,
    /// The plan, if one was made.
    pub plan: Option<Plan>,
    /// The most that the plan can cost, in words; for plans that were not carried out.
    pub worst_case: Option<String>,
    /// What became of each task, in the plan's order.
    pub tasks: Vec<TaskReport>,
    /// Files that differ from before the run.
    pub files: Vec<FileReport>,
    /// Commands that judged the work.
    pub checks: Vec<Check>,
    /// Commands of the project that fail at the end, in words.
    pub faults: Vec<String>,
    /// Why commands that would judge the work were not run, in words.
    pub not_run: Vec<String>,
    /// What the program did not let happen.
    pub refusals: Vec<String>,
    /// Routing decisions, in words.
    pub routing: Vec<String>,
    /// Model calls answered.
    pub model_calls: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// From the first to the last event.
    pub duration_ms: u64,
    /// Unified diff, for dry runs.
    pub diff: Option<String>,
    /// The final answer under `--output-schema`.
    pub answer: Option<Value>,
}

/// One task.
#[derive(Debug, Clone, Serialize)]
pub struct TaskReport {
    /// Its id.
    pub id: NodeId,
    /// Its role.
    pub role: AgentRole,
    /// `done`, `failed`, `skipped`, `interrupted` or `not started`.
    pub state: String,
    /// In one line, what was done or why not.
    pub summary: String,
    /// Models that answered for it.
    pub models: Vec<String>,
    /// Repairs within its attempts.
    pub repairs: u32,
    /// Time between its start and end.
    pub duration_ms: u64,
}

/// One changed file.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// `created`, `changed` or `deleted`.
    pub action: String,
    /// Lines added.
    pub lines_added: u64,
    /// Lines removed.
    pub lines_removed: u64,
}

/// Builds the report of a run that has just ended.
pub(crate) fn build(cx: &RunCx) -> Result<Report> {
    let events = cx.log.events();
    let mut report = of_events(cx.run(), &events, &|blob| cx.log.get(blob).ok());
    let net = net::changes(cx, &|_| true)?;
    for file in &mut report.files {
        if let Some(net) = net.iter().find(|net| net.path == file.path) {
            (file.lines_added, file.lines_removed) = (net.lines_added, net.lines_removed);
        }
    }
    if cx.options.dry_run {
        report.diff = Some(net.into_iter().map(|file| file.diff).collect());
    }
    if let Some(plan) = report.plan.as_ref().filter(|_| report.outcome == RunOutcome::Planned) {
        report.worst_case = Some(crate::planner::worst_case(cx, plan).to_string());
    }
    report.answer = crate::answer::recorded(cx);
    Ok(report)
}

/// Builds a report from a log alone.
#[must_use]
pub fn of_events(
    run: &RunId,
    events: &[Event],
    get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>,
) -> Report {
    let mut report = blank(run, events);
    for event in events {
        take(&mut report, event, get);
    }
    let spending = project::<Spending>(events);
    report.model_calls = spending.total.calls;
    report.input_tokens = spending.total.usage.input;
    report.output_tokens = spending.total.usage.output;
    report.usd = spending.total.usd;
    report.checks = project::<Evidence>(events);
    report.faults = faults(events, get).iter().map(Fault::text).collect();
    let refused = project::<Refusals>(events).into_iter();
    report.refusals.extend(refused.map(|refused| {
        format!("{}: {} {}: {}", refused.call.node, refused.tool, refused.summary, refused.reason)
    }));
    for file in project::<Files>(events).files {
        let action = match file.kind {
            ChangeKind::Created => "created",
            ChangeKind::Deleted => "deleted",
            ChangeKind::Modified => "changed",
        };
        report.files.push(FileReport {
            path: file.path,
            action: action.to_owned(),
            lines_added: file.lines_added,
            lines_removed: file.lines_removed,
        });
    }
    report.tasks = tasks(events, report.plan.as_ref());
    report
}

fn blank(run: &RunId, events: &[Event]) -> Report {
    let first_ms = events.first().map_or(0, |event| event.at_ms);
    let last_ms = events.last().map_or(0, |event| event.at_ms);
    Report {
        run: run.clone(),
        goal: String::new(),
        mode: String::new(),
        outcome: RunOutcome::Interrupted,
        exit_code: 130,
        reason: "the process ended without finishing the run".to_owned(),
        dry_run: false,
        scripted: false,
        plan: None,
        worst_case: None,
        tasks: Vec::new(),
        files: Vec::new(),
        checks: Vec::new(),
        faults: Vec::new(),
        not_run: Vec::new(),
        refusals: Vec::new(),
        routing: Vec::new(),
        model_calls: 0,
        input_tokens: 0,
        output_tokens: 0,
        usd: 0.0,
        duration_ms: last_ms.saturating_sub(first_ms),
        diff: None,
        answer: None,
    }
}

fn take(report: &mut Report, event: &Event, get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) {
    match &event.kind {
        EventKind::Run(RunEvent::Started { goal, mode, options, .. }) => {
            report.goal.clone_from(goal);
            report.mode.clone_from(mode);
            report.dry_run = options.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
        }
        EventKind::Tool(ToolEvent::Finished { tool, result, .. })
            if tool.strip_prefix("gather:") == Some(VERIFICATION) =>
        {
            let facts: Option<Value> =
                get(result).and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let notes = facts.map(|facts| facts["value"]["facts"]["notes"].clone());
            report.not_run = serde_json::from_value(notes.unwrap_or_default()).unwrap_or_default();
        }
        EventKind::Run(RunEvent::Planned { plan, .. }) => {
            report.plan = read_plan(plan, get);
        }
        EventKind::Run(RunEvent::Finished { outcome, exit_code, reason }) => {
            report.outcome = *outcome;
            report.exit_code = *exit_code;
            report.reason.clone_from(reason);
        }
        EventKind::Run(RunEvent::BudgetReached { node, limit, allowed, used, exhausted: true }) => {
            let whose = node.as_ref().map_or("the run".to_owned(), NodeId::to_string);
            report.refusals.push(format!("{whose}: budget of {allowed} {limit} used up ({used})"));
        }
        EventKind::Model(ModelEvent::Answered { scripted, .. }) => report.scripted |= scripted,
        EventKind::Model(ModelEvent::Routed {
            call, role, chosen, reason, probability, ..
        }) => {
            report.routing.push(format!(
                "{} as {role}: {chosen} because {reason} (probability {probability:.2})",
                call.node
            ));
        }
        _ => {}
    }
}

fn read_plan(blob: &BlobRef, get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Option<Plan> {
    let json: Value = serde_json::from_slice(&get(blob)?).ok()?;
    crate::plan::read(&json, "", crate::plan::Source::File).ok()
}

fn tasks(events: &[Event], plan: Option<&Plan>) -> Vec<TaskReport> {
    let mut tasks: Vec<TaskReport> = plan
        .into_iter()
        .flat_map(|plan| &plan.nodes)
        .map(|task| TaskReport {
            id: task.id.clone(),
            role: task.assigned_agent,
            state: "not started".to_owned(),
            summary: String::new(),
            models: Vec::new(),
            repairs: 0,
            duration_ms: 0,
        })
        .collect();
    let mut started: BTreeMap<NodeId, u64> = BTreeMap::new();
    for event in events {
        let Some(node) = event.kind.node() else { continue };
        let Some(task) = tasks.iter_mut().find(|task| task.id == *node) else { continue };
        match &event.kind {
            EventKind::Node(NodeEvent::Started { .. }) => {
                started.entry(node.clone()).or_insert(event.at_ms);
                task.state = "interrupted".to_owned();
            }
            EventKind::Node(NodeEvent::EnteredPhase {
                phase: sage_core::NodePhase::Repair,
                ..
            }) => {
                task.repairs += 1;
            }
            EventKind::Node(NodeEvent::Finished { outcome, error, summary, .. }) => {
                // What a resumed run goes on with has not failed.
                let is_stopped = *outcome == NodeOutcome::Failed && can_be_taken_up(*error);
                let outcome = if is_stopped { NodeOutcome::Interrupted } else { *outcome };
                task.state = outcome_of_node(outcome).to_owned();
                task.summary.clone_from(summary);
                let since = started.get(node).copied().unwrap_or(event.at_ms);
                task.duration_ms = event.at_ms.saturating_sub(since);
            }
            EventKind::Node(NodeEvent::Skipped { because, .. }) => {
                task.state = "skipped".to_owned();
                task.summary = format!("because of {because}");
            }
            EventKind::Model(ModelEvent::Answered { model, .. })
                if !task.models.contains(model) =>
            {
                task.models.push(model.clone());
            }
            _ => {}
        }
    }
    tasks
}

const fn outcome_of_node(outcome: NodeOutcome) -> &'static str {
    match outcome {
        NodeOutcome::Done => "done",
        NodeOutcome::Failed => "failed",
        NodeOutcome::Interrupted => "interrupted",
    }
}

/// An outcome in the words of the report.
#[must_use]
pub const fn outcome_word(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Rejected => "rejected",
        RunOutcome::Planned => "planned",
        RunOutcome::ModelUnavailable => "no model reachable",
        RunOutcome::OutOfBudget => "out of budget",
        RunOutcome::Interrupted => "interrupted",
        RunOutcome::Errored => "ended by an error",
    }
}

/// Why a run failed, from its tasks and checks, in one line.
pub(crate) fn failures_line(events: &[Event], get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> String {
    let mut last: BTreeMap<&NodeId, String> = BTreeMap::new();
    for event in events {
        if let EventKind::Node(NodeEvent::Finished { node, outcome, summary, .. }) = &event.kind {
            match outcome {
                NodeOutcome::Done => drop(last.remove(node)),
                _ => drop(last.insert(node, format!("{node}: {summary}"))),
            }
        }
    }
    let mut lines: Vec<String> = last.into_values().collect();
    let faults = faults(events, get);
    lines.extend(faults.iter().map(Fault::text));
    if lines.len() == faults.len() && faults.iter().all(|fault| fault.since == Since::Before) {
        let plan = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Run(RunEvent::Planned { plan, .. }) => read_plan(plan, get),
            _ => None,
        });
        let unproven = plan.map(|plan| unproven(events, &plan)).unwrap_or_default();
        let unproven: Vec<&str> = unproven.iter().map(NodeId::as_str).collect();
        if !unproven.is_empty() {
            lines.push(format!("nothing else shows that {} is done", unproven.join(", ")));
        }
    }
    if lines.is_empty() { "a task did not run".to_owned() } else { lines.join("; ") }
}

/// A file that a run touched.
#[derive(Default)]
pub(crate) struct Touched {
    /// Every state that the run found or left it in. A crash between announcing a change and making
    /// it leaves an earlier one.
    pub states: Vec<Option<FileState>>,
}

/// Every file that a run's calls touched, taken back or not.
pub(crate) fn touched(events: &[Event]) -> BTreeMap<String, Touched> {
    let mut touched: BTreeMap<String, Touched> = BTreeMap::new();
    for event in events {
        if let EventKind::Workspace(WorkspaceEvent::Changed { path, before, after, .. }) =
            &event.kind
        {
            touched.entry(path.clone()).or_default().states.extend([before.clone(), after.clone()]);
        }
    }
    touched
}

/// Files that the run had touched and that somebody changed since.
pub(crate) fn changed_since(events: &[Event], workspace: &Workspace) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for (path, file) in touched(events) {
        let Ok(work_path) = workspace.resolve(&path) else { continue };
        if !file.states.contains(&workspace.state(&work_path)?) {
            changed.push(path);
        }
    }
    Ok(changed)
}

/// The changes of one node as a unified diff.
pub(crate) fn diff_of_node(cx: &RunCx, node: &NodeId) -> Result<String> {
    let files = net::changes(cx, &|call| call.node == *node)?;
    Ok(files.into_iter().map(|file| file.diff).collect())
}

/// Writes the views in `.sage/` that people and scripts look at.
pub(crate) fn write_views(cx: &RunCx, report: &Report) -> Result<()> {
    let dir = cx.wiring.state_dir.clone();
    let events = cx.log.events();
    let plan = report.plan.as_ref().and_then(|plan| serde_json::to_value(plan).ok());
    let roles = report.plan.as_ref().map(Plan::roles).unwrap_or_default();
    let mut metrics = project_with(Metrics::with_roles(roles), &events);
    // The log counts each step; what the run changed on the whole is what a person would count.
    metrics.files_changed = report.files.len() as u64;
    metrics.lines_added = report.files.iter().map(|file| file.lines_added).sum();
    metrics.lines_removed = report.files.iter().map(|file| file.lines_removed).sum();
    state::write_json(&dir.join("last_run_metrics.json"), &to_json(&metrics))?;
    let session = project_with(SystemState::new(plan.as_ref()), &events);
    state::write_json(&dir.join("system_state.json"), &to_json(&session))?;
    let handoff = dir.join("memory").join("handoff.json");
    if crate::run::is_resumable(report.outcome) {
        let view = project_with(Handoff::new(cx.log.manifest(), plan.as_ref()), &events);
        state::write_json(&handoff, &to_json(&view))?;
    } else if handoff.exists() {
        // What was handed over is done, or another run has taken its place.
        let _ = std::fs::remove_file(&handoff);
    }
    Ok(())
}

fn to_json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}
