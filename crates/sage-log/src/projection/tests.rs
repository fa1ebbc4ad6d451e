//! One run made by hand, and what each view says about it.

use expect_test::{Expect, expect};
use sage_core::{
    AgentRole, BlobRef, CallId, Candidate, CheckKind, Decider, ErrorKind, EventKind, FileState,
    Finish, HumanEvent, ModelEvent, NodeEvent, NodeId, NodeOutcome, NodePhase, PlanDecision,
    RouteFeatures, RunEvent, RunId, RunOutcome, Seq, ToolEvent, Usage, WorkspaceEvent,
};
use serde::Serialize;
use serde_json::json;

use super::*;
use crate::Manifest;

mod any_log;
mod files;
mod grounds;
mod handoff;
mod metrics;
mod spending;
mod status;

/// Events one second apart, from 2026-01-01.
fn numbered(kinds: Vec<EventKind>) -> Vec<Event> {
    let run = RunId::new("r1").unwrap();
    let numbered = (1..).zip(kinds).map(|(n, kind)| Event {
        seq: Seq(n),
        at_ms: 1_767_225_600_000 + n * 1_000,
        run: run.clone(),
        kind,
    });
    numbered.collect()
}

fn check_json(view: impl Serialize, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(&view).unwrap());
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn call(node: &str, index: u32) -> CallId {
    let node = if node == "@plan" { NodeId::plan() } else { id(node) };
    CallId { node, attempt: 1, index }
}

fn blob(text: &str) -> BlobRef {
    BlobRef::of(text.as_bytes())
}

fn file(text: &str) -> Option<FileState> {
    Some(FileState { hash: blob(text), mode: 0o644 })
}

fn run_started() -> EventKind {
    RunEvent::Started {
        format_version: 1,
        sage_version: "0.1.0".into(),
        goal: "greet people".into(),
        mode: "research".into(),
        options: json!({"plan_only": false, "dry_run": false}),
    }
    .into()
}

fn planned(n_tasks: u32) -> EventKind {
    let (source, notes) = ("model".into(), vec![]);
    RunEvent::Planned { plan: blob("plan"), n_tasks, source, notes }.into()
}

fn approved(by: Decider) -> EventKind {
    let decision = PlanDecision::Approved;
    HumanEvent::PlanReviewed { decision, by, plan: blob("plan"), edited: false }.into()
}

fn node_started(node: &str) -> EventKind {
    NodeEvent::Started { node: id(node), attempt: 1 }.into()
}

fn entered(node: &str, phase: NodePhase, round: u32) -> EventKind {
    NodeEvent::EnteredPhase { node: id(node), attempt: 1, phase, round }.into()
}

fn node_finished(node: &str, outcome: NodeOutcome, summary: &str) -> EventKind {
    let error = (outcome == NodeOutcome::Failed).then_some(ErrorKind::Tool);
    let summary = summary.into();
    NodeEvent::Finished { node: id(node), attempt: 1, outcome, error, summary }.into()
}

fn answered(call: CallId, role: AgentRole, model: &str, local: bool) -> EventKind {
    ModelEvent::Answered {
        call,
        role,
        model: model.into(),
        provider: "p".into(),
        local,
        scripted: false,
        response: blob("response"),
        finish: Finish::Stop,
        usage: Usage { input: 100, cached_input: 40, output: 10, estimated: false },
        usd: 0.25,
        first_token_ms: Some(5),
        latency_ms: 200,
    }
    .into()
}

fn changed(call: CallId, path: &str, before: &str, after: &str) -> EventKind {
    let state = |text: &str| if text.is_empty() { None } else { file(text) };
    let (before, after) = (state(before), state(after));
    let path = path.into();
    WorkspaceEvent::Changed { call, path, before, after, lines_added: 3, lines_removed: 1 }.into()
}

fn checked(call: CallId, command: &str, passed: bool) -> EventKind {
    WorkspaceEvent::Checked {
        node: call.node.clone(),
        attempt: call.attempt,
        call,
        kind: CheckKind::Acceptance,
        command: command.into(),
        passed,
        exit_code: Some(i32::from(!passed)),
        n_tests: Some(4),
        duration_ms: 1_500,
        output: blob("output"),
        reason: if passed { String::new() } else { "1 test failed".into() },
        in_lane: false,
    }
    .into()
}

fn rolled_back(node: &str, paths: &[&str]) -> EventKind {
    let paths = paths.iter().map(|path| (*path).into()).collect();
    WorkspaceEvent::RolledBack { node: id(node), attempt: 1, paths }.into()
}

fn refused(call: CallId) -> EventKind {
    ToolEvent::Refused {
        call,
        tool: "write".into(),
        summary: "write secrets.txt".into(),
        reason: "secrets.txt is outside the task's paths".into(),
        result: blob("refusal"),
    }
    .into()
}

fn run_finished(outcome: RunOutcome, reason: &str) -> EventKind {
    let exit_code = if outcome == RunOutcome::Succeeded { 0 } else { 1 };
    RunEvent::Finished { outcome, exit_code, reason: reason.into() }.into()
}

fn resumed() -> EventKind {
    RunEvent::Resumed { sage_version: "0.1.0".into(), changed_files: vec![] }.into()
}

/// Two tasks: one is repaired and done, the other fails and is rolled back; a third is skipped.
fn a_run() -> Vec<Event> {
    numbered(vec![
        run_started(),
        answered(call("@plan", 1), AgentRole::Planner, "big", false),
        planned(3),
        approved(Decider::Person),
        node_started("a"),
        ModelEvent::Routed {
            call: call("a", 1),
            role: AgentRole::Coder,
            features: RouteFeatures::default(),
            candidates: vec![Candidate {
                model: "small".into(),
                provider: "p".into(),
                position: "primary".into(),
                unavailable: None,
            }],
            chosen: "small".into(),
            reason: "primary".into(),
            probability: 1.0,
        }
        .into(),
        entered("a", NodePhase::Implement, 0),
        answered(call("a", 1), AgentRole::Coder, "small", true),
        refused(call("a", 2)),
        changed(call("a", 3), "src/a.py", "", "first"),
        entered("a", NodePhase::Verify, 0),
        checked(call("a", 4), "pytest -q", false),
        entered("a", NodePhase::Repair, 1),
        answered(call("a", 5), AgentRole::Debugger, "small", true),
        changed(call("a", 6), "src/a.py", "first", "second"),
        checked(call("a", 7), "pytest -q", true),
        node_finished("a", NodeOutcome::Done, "1 file"),
        node_started("b"),
        changed(call("b", 1), "src/a.py", "second", "third"),
        changed(call("b", 2), "src/b.py", "", "new"),
        node_finished("b", NodeOutcome::Failed, "the linter is not happy"),
        rolled_back("b", &["src/a.py", "src/b.py"]),
        NodeEvent::Skipped { node: id("c"), because: id("b") }.into(),
        run_finished(RunOutcome::Failed, "1 of 3 tasks failed"),
    ])
}
