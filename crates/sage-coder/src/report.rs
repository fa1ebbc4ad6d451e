//! What a run has to tell: a view of its log for people, for `--json`, and for the files in `.sage/`.
//!
//! Every number comes from an event. A claim without an event behind it has no place here.

use std::collections::BTreeMap;
use std::path::Path;

use sage_core::{
    AgentRole, ApprovalScope, BlobRef, Decider, Event, EventKind, HumanEvent, ModelEvent,
    NodeEvent, NodeId, NodeOutcome, Recorder, RunEvent, RunId, RunOutcome, ToolEvent,
    WorkspaceEvent,
};
use sage_log::{
    Bill, ChangeKind, Check, Evidence, Files, Handoff, Metrics, Refusals, Spending, SystemState,
    TestsWorth, project, project_with,
};
use serde::Serialize;
use serde_json::Value;

use crate::context::RunCx;
use crate::error::Result;
use crate::net;
use crate::plan::Plan;
use crate::state;
use crate::survey::VERIFICATION;
use crate::verify::{Fault, Since, faults, unproven};

mod evidence;
mod flags;
mod render;
mod tasks;
mod touched;

pub(crate) use touched::changed_since;

pub use evidence::{Claim, Standing, TaskEvidence};
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
    /// What confined commands, or why nothing did; absent in the logs of earlier versions.
    pub sandbox: Option<SandboxReport>,
    /// The work tree of its own in which the work happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// Commits that were made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<CommitReport>,
    /// Files of the run that are in no commit, with why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Whether a command changed anything, ignored files and folders included.
    #[serde(skip)]
    pub commands_changed: bool,
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
    /// What stands for each claim, by task.
    pub evidence: Vec<TaskEvidence>,
    /// What was done to tests that were there, and tests that do not count.
    pub flags: Vec<String>,
    /// Commands of the project that fail at the end, in words.
    pub faults: Vec<String>,
    /// Why commands that would judge the work were not run, in words.
    pub not_run: Vec<String>,
    /// What the program did not let happen.
    pub refusals: Vec<String>,
    /// What was asked about and approved, by whom and for how long, in words.
    pub approvals: Vec<String>,
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
    /// Who used what of it, in words.
    pub spending: Vec<String>,
    /// From the first to the last event.
    pub duration_ms: u64,
    /// Unified diff, for dry runs.
    pub diff: Option<String>,
    /// The final answer under `--output-schema`.
    pub answer: Option<Value>,
}

/// What confined the commands of a run.
#[derive(Debug, Clone, Serialize)]
pub struct SandboxReport {
    /// Whether anything did.
    pub on: bool,
    /// The layers, or why there was none.
    pub how: String,
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

/// One commit.
#[derive(Debug, Clone, Serialize)]
pub struct CommitReport {
    /// The branch that has it.
    pub branch: String,
    /// Its id.
    pub commit: String,
    /// The task whose changes it has.
    pub task: NodeId,
    /// Its first line.
    pub subject: String,
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
    report.spending = spending.by_node.iter().map(|(node, bill)| bill_line(node, bill)).collect();
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
    report.tasks = tasks::of_plan(events, report.plan.as_ref());
    let tests = project::<TestsWorth>(events);
    report.evidence =
        evidence::of_tasks(run.as_str(), events, &report.tasks, &report.checks, &tests);
    report.flags = flags::of_tests(&tests);
    report.flags.extend(flags::fewer_than_before(&report.checks));
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
        sandbox: None,
        worktree: None,
        commits: Vec::new(),
        left_out: Vec::new(),
        commands_changed: false,
        scripted: false,
        plan: None,
        worst_case: None,
        tasks: Vec::new(),
        files: Vec::new(),
        checks: Vec::new(),
        evidence: Vec::new(),
        flags: Vec::new(),
        faults: Vec::new(),
        not_run: Vec::new(),
        refusals: Vec::new(),
        approvals: Vec::new(),
        routing: Vec::new(),
        model_calls: 0,
        input_tokens: 0,
        output_tokens: 0,
        usd: 0.0,
        spending: Vec::new(),
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
            // The project may be a folder of the work tree that git knows.
            let worktree = options.get("worktree").and_then(Value::as_str).map(Path::new);
            let place = worktree.and_then(|place| {
                place.ancestors().find(|above| above.ends_with(report.run.as_str()))
            });
            report.worktree = place.map(|place| place.display().to_string());
        }
        EventKind::Workspace(WorkspaceEvent::Observed { n_changed, .. }) if *n_changed > 0 => {
            report.commands_changed = true;
        }
        EventKind::Run(RunEvent::Committed { branch, commit, node, subject, left_out }) => {
            report.commits.push(CommitReport {
                branch: branch.clone(),
                commit: commit.clone(),
                task: node.clone(),
                subject: subject.clone(),
            });
            report.left_out.extend(left_out.iter().cloned());
        }
        EventKind::Tool(ToolEvent::Finished { tool, result, .. })
            if tool.strip_prefix("gather:") == Some(VERIFICATION) =>
        {
            let facts: Option<Value> =
                get(result).and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let notes = facts.map(|facts| facts["value"]["facts"]["notes"].clone());
            report.not_run = serde_json::from_value(notes.unwrap_or_default()).unwrap_or_default();
        }
        EventKind::Run(RunEvent::Sandboxed { on, how }) => {
            report.sandbox = Some(SandboxReport { on: *on, how: how.clone() });
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
        EventKind::Human(event @ HumanEvent::ToolReviewed { allowed: true, .. }) => {
            report.approvals.extend(approval_in_words(event));
        }
        // A call that is refused has an event of its own; a plan's host has none.
        EventKind::Human(HumanEvent::ToolReviewed {
            node, tool, what, rule, call: None, ..
        }) if !rule.is_empty() => {
            report.refusals.push(format!("{node}: {tool} {what}: {rule}"));
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

fn approval_in_words(event: &HumanEvent) -> Option<String> {
    let HumanEvent::ToolReviewed { node, tool, what, by, scope, rule, .. } = event else {
        return None;
    };
    let by = match by {
        Decider::Person => "a person",
        Decider::Mode => "the mode",
        Decider::Environment => "the environment",
        Decider::PlanFile => "the plan file",
        Decider::Policy => "a rule",
    };
    let scope = match scope {
        ApprovalScope::Once => "once",
        ApprovalScope::Run => "for this run",
        ApprovalScope::Always => "from now on",
    };
    let rule = if rule.is_empty() { String::new() } else { format!(": {rule}") };
    Some(format!("{node}: {tool} {what} ({scope}, by {by}){rule}"))
}

fn bill_line(node: &NodeId, bill: &Bill) -> String {
    let who = match node {
        node if *node == NodeId::plan() => "planning",
        node if *node == NodeId::run() => "the run as a whole",
        node => node.as_str(),
    };
    let tokens = bill.usage.total();
    let calls = if bill.calls == 1 { "1 call" } else { &format!("{} calls", bill.calls) };
    format!("{who}: {calls}, {tokens} tokens, ${:.4}", bill.usd)
}

fn read_plan(blob: &BlobRef, get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Option<Plan> {
    let json: Value = serde_json::from_slice(&get(blob)?).ok()?;
    crate::plan::read(&json, "", crate::plan::Source::File).ok()
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
