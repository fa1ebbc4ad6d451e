use std::collections::BTreeMap;

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

#[test]
fn status_follows_each_task() {
    check_json(
        project::<RunStatus>(&a_run()),
        expect![[r#"
        {
          "run": "r1",
          "goal": "greet people",
          "mode": "research",
          "phase": "finished",
          "outcome": "failed",
          "exit_code": 1,
          "reason": "1 of 3 tasks failed",
          "started_at_ms": 1767225601000,
          "last_at_ms": 1767225624000,
          "n_resumes": 0,
          "plan": "29fde71e3ef298312227db745efc78ce",
          "n_tasks": 3,
          "question": null,
          "budget_warnings": [],
          "nodes": [
            {
              "node": "a",
              "state": "done",
              "attempt": 1,
              "phase": "repair",
              "round": 1,
              "model": "small",
              "started_at_ms": 1767225605000,
              "duration_ms": 12000,
              "summary": "1 file",
              "error": null,
              "because": null
            },
            {
              "node": "b",
              "state": "failed",
              "attempt": 1,
              "phase": null,
              "round": 0,
              "model": null,
              "started_at_ms": 1767225618000,
              "duration_ms": 3000,
              "summary": "the linter is not happy",
              "error": "tool",
              "because": null
            },
            {
              "node": "c",
              "state": "skipped",
              "attempt": 0,
              "phase": null,
              "round": 0,
              "model": null,
              "started_at_ms": null,
              "duration_ms": 0,
              "summary": "",
              "error": null,
              "because": "b"
            }
          ]
        }"#]],
    );
}

#[test]
fn phases_follow_from_planning_to_the_end_and_back_on_resume() {
    let events = numbered(vec![
        run_started(),
        planned(1),
        approved(Decider::Mode),
        node_started("a"),
        node_finished("a", NodeOutcome::Interrupted, "interrupted"),
        run_finished(RunOutcome::Interrupted, "interrupted"),
        resumed(),
        entered("a", NodePhase::Implement, 0),
    ]);
    let mut status = RunStatus::default();
    let seen: Vec<String> = events
        .iter()
        .map(|event| {
            status.apply(event);
            let view = status.view();
            let node = view.nodes.first().map(|node| node.state);
            format!("{:?} {node:?} {:?}", view.phase, view.outcome)
        })
        .collect();
    expect![[r#"
        Planning None None
        Reviewing None None
        Executing None None
        Executing Some(Running) None
        Executing Some(Interrupted) None
        Finished Some(Interrupted) Some(Interrupted)
        Executing Some(Interrupted) None
        Executing Some(Running) None"#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn a_late_event_of_an_interrupted_task_does_not_set_it_running() {
    let status = project::<RunStatus>(&numbered(vec![
        node_started("a"),
        node_finished("a", NodeOutcome::Interrupted, "interrupted"),
        rolled_back("a", &[]),
    ]));
    assert_eq!(status.nodes[0].state, NodeState::Interrupted);
}

#[test]
fn spending_is_added_up_by_role_model_and_node() {
    check_json(
        project::<Spending>(&a_run()),
        expect![[r#"
        {
          "total": {
            "calls": 3,
            "local_calls": 2,
            "scripted_calls": 0,
            "usage": {
              "input": 300,
              "cached_input": 120,
              "output": 30,
              "estimated": false
            },
            "usd": 0.75,
            "latency_ms": 600
          },
          "by_role": {
            "planner": {
              "calls": 1,
              "local_calls": 0,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "coder": {
              "calls": 1,
              "local_calls": 1,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "debugger": {
              "calls": 1,
              "local_calls": 1,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            }
          },
          "by_model": {
            "big": {
              "calls": 1,
              "local_calls": 0,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "small": {
              "calls": 2,
              "local_calls": 2,
              "scripted_calls": 0,
              "usage": {
                "input": 200,
                "cached_input": 80,
                "output": 20,
                "estimated": false
              },
              "usd": 0.5,
              "latency_ms": 400
            }
          },
          "by_node": {
            "@plan": {
              "calls": 1,
              "local_calls": 0,
              "scripted_calls": 0,
              "usage": {
                "input": 100,
                "cached_input": 40,
                "output": 10,
                "estimated": false
              },
              "usd": 0.25,
              "latency_ms": 200
            },
            "a": {
              "calls": 2,
              "local_calls": 2,
              "scripted_calls": 0,
              "usage": {
                "input": 200,
                "cached_input": 80,
                "output": 20,
                "estimated": false
              },
              "usd": 0.5,
              "latency_ms": 400
            }
          },
          "n_failed_tries": 0,
          "n_failed_calls": 0
        }"#]],
    );
}

#[test]
fn files_keep_the_first_state_and_the_last_and_forget_what_was_rolled_back() {
    check_json(
        project::<Files>(&a_run()),
        expect![[r#"
        {
          "files": [
            {
              "path": "src/a.py",
              "kind": "created",
              "before": null,
              "after": {
                "hash": "cd85637651ec7a557bddd61c5ddd1df2",
                "mode": 420
              },
              "lines_added": 6,
              "lines_removed": 2,
              "nodes": [
                "a"
              ]
            }
          ],
          "lines_added": 6,
          "lines_removed": 2
        }"#]],
    );
}

#[test]
fn changes_that_cancel_each_other_out_are_no_changes() {
    let paths = |events: Vec<EventKind>| -> Vec<String> {
        let files = project::<Files>(&numbered(events)).files;
        files
            .into_iter()
            .map(|file| format!("{} {:?} +{}", file.path, file.kind, file.lines_added))
            .collect()
    };
    let none: [&str; 0] = [];
    let created = || changed(call("a", 1), "x", "", "new");
    assert_eq!(paths(vec![created(), changed(call("a", 2), "x", "new", "")]), none);
    assert_eq!(paths(vec![created(), created()]), ["x Created +3"]);
    let deleted = changed(call("a", 3), "y", "old", "");
    assert_eq!(paths(vec![created(), deleted]), ["x Created +3", "y Deleted +3"]);
    let undone = WorkspaceEvent::Undone { paths: vec!["x".into()] }.into();
    assert_eq!(paths(vec![created(), undone]), none);
}

#[test]
fn evidence_lists_checks_and_counts_a_repeated_call_once() {
    let view = project::<Evidence>(&numbered(vec![
        checked(call("a", 1), "pytest", false),
        checked(call("b", 1), "cargo test", true),
        checked(call("a", 1), "pytest", true),
    ]));
    let seen: Vec<_> = view.iter().map(|c| (c.node.as_str(), c.passed, c.at_ms % 60_000)).collect();
    assert_eq!(seen, [("a", true, 3_000), ("b", true, 2_000)]);
}

#[test]
fn the_outcome_lists_each_task_under_its_last_end() {
    check_json(
        project::<Outcome>(&a_run()),
        expect![[r#"
        {
          "outcome": "failed",
          "exit_code": 1,
          "reason": "1 of 3 tasks failed",
          "ended_at_ms": 1767225624000,
          "done": [
            "a"
          ],
          "failed": [
            "b"
          ],
          "skipped": [
            "c"
          ],
          "interrupted": []
        }"#]],
    );
    let mut events: Vec<EventKind> = a_run().into_iter().map(|event| event.kind).collect();
    events.extend([resumed(), node_started("b"), node_finished("b", NodeOutcome::Done, "")]);
    let view = project::<Outcome>(&numbered(events));
    assert_eq!((view.outcome, view.failed, view.done.len()), (None, vec![], 2));
}

#[test]
fn refusals_and_decisions_are_listed_with_their_time() {
    check_json(
        project::<Refusals>(&a_run()),
        expect![[r#"
        [
          {
            "seq": 9,
            "at_ms": 1767225609000,
            "call": "a#1.2",
            "tool": "write",
            "summary": "write secrets.txt",
            "reason": "secrets.txt is outside the task's paths"
          }
        ]"#]],
    );
    check_json(
        project::<Decisions>(&a_run()),
        expect![[r#"
        [
          {
            "seq": 4,
            "at_ms": 1767225604000,
            "type": "human.plan_reviewed",
            "decision": "approved",
            "by": "person",
            "plan": "29fde71e3ef298312227db745efc78ce",
            "edited": false
          }
        ]"#]],
    );
}

#[test]
fn metrics_have_every_documented_key() {
    let roles =
        [("a", AgentRole::Coder), ("b", AgentRole::TestEngineer), ("c", AgentRole::Architect)];
    let roles: BTreeMap<NodeId, AgentRole> =
        roles.into_iter().map(|(node, role)| (id(node), role)).collect();
    check_json(
        project_with(Metrics::with_roles(roles), &a_run()),
        expect![[r#"
        {
          "metrics_version": "2.0",
          "session_id": null,
          "run_id": "r1",
          "trace_id": null,
          "goal": "greet people",
          "mode": "research",
          "started_at_utc": "2026-01-01T00:00:01Z",
          "ended_at_utc": "2026-01-01T00:00:24Z",
          "duration_s": 23.0,
          "outcome": "failed",
          "exit_code": 1,
          "task_counts": {
            "planning": 1,
            "coding": 1,
            "review": 0,
            "testing": 1,
            "documentation": 0
          },
          "tasks_total": 3,
          "tasks_completed": 1,
          "tasks_failed": 1,
          "tasks_blocked": 0,
          "tasks_skipped": 1,
          "models_used": [
            "big",
            "small"
          ],
          "model_calls": {
            "big": 1,
            "small": 2
          },
          "tokens": {
            "input": 300,
            "cached_input": 120,
            "output": 30,
            "by_role": {
              "planner": 110,
              "coder": 110,
              "debugger": 110
            }
          },
          "cost_usd": 0.75,
          "local_vs_cloud_ratio": 0.6666666666666666,
          "human_checkpoints_reached": 1,
          "debug_loop_iterations": 1,
          "orchestrator_interventions": 2,
          "files_changed": 1,
          "lines_added": 6,
          "lines_removed": 2,
          "verification": [
            {
              "command": "pytest -q",
              "passed": true,
              "duration_s": 1.5
            }
          ],
          "plan_only": false,
          "dry_run": false,
          "resumed_from": null,
          "last_error_preview": "1 of 3 tasks failed"
        }"#]],
    );
}

#[test]
fn metrics_of_nothing_are_absent_not_invented() {
    check_json(
        project::<Metrics>(&[]),
        expect![[r#"
        {
          "metrics_version": "2.0",
          "session_id": null,
          "run_id": null,
          "trace_id": null,
          "goal": null,
          "mode": null,
          "started_at_utc": null,
          "ended_at_utc": null,
          "duration_s": null,
          "outcome": null,
          "exit_code": null,
          "task_counts": null,
          "tasks_total": 0,
          "tasks_completed": 0,
          "tasks_failed": 0,
          "tasks_blocked": 0,
          "tasks_skipped": 0,
          "models_used": [],
          "model_calls": {},
          "tokens": {
            "input": 0,
            "cached_input": 0,
            "output": 0,
            "by_role": {}
          },
          "cost_usd": 0.0,
          "local_vs_cloud_ratio": null,
          "human_checkpoints_reached": 0,
          "debug_loop_iterations": 0,
          "orchestrator_interventions": 0,
          "files_changed": 0,
          "lines_added": 0,
          "lines_removed": 0,
          "verification": [],
          "plan_only": null,
          "dry_run": null,
          "resumed_from": null,
          "last_error_preview": null
        }"#]],
    );
}

#[test]
fn metrics_count_what_happened_not_how_often_it_was_written_down() {
    let events = numbered(vec![
        run_started(),
        planned(2),
        approved(Decider::Mode),
        node_started("a"),
        entered("a", NodePhase::Repair, 1),
        refused(call("a", 1)),
        resumed(),
        entered("a", NodePhase::Repair, 1),
        refused(call("a", 1)),
        entered("a", NodePhase::Repair, 2),
        HumanEvent::Asked { question: "which port?".into() }.into(),
        HumanEvent::Answered { answer: String::new() }.into(),
        HumanEvent::Answered { answer: "80".into() }.into(),
    ]);
    let metrics = project::<Metrics>(&events);
    assert_eq!(metrics.debug_loop_iterations, 2);
    assert_eq!(metrics.orchestrator_interventions, 1);
    assert_eq!(metrics.human_checkpoints_reached, 1, "a mode is no person, silence no answer");
    assert_eq!(metrics.resumed_from.as_deref(), Some("r1"));
    assert_eq!(metrics.tasks_blocked, 2);
    assert_eq!(metrics.ended_at_utc, None);
    assert_eq!(metrics.task_counts, None);
}

fn plan() -> serde_json::Value {
    json!({"goal": "greet people", "nodes": [
        {"id": "a", "description": "write it", "dependencies": []},
        {"id": "b", "description": "lint it", "dependencies": ["a"]},
        {"id": "c", "description": "document it", "dependencies": ["b"]},
    ]})
}

/// The run of [`a_run`], interrupted in its second task.
fn an_interrupted_run() -> Vec<Event> {
    let mut kinds: Vec<EventKind> = a_run().into_iter().map(|event| event.kind).take(19).collect();
    kinds.push(node_finished("b", NodeOutcome::Interrupted, "interrupted"));
    kinds.push(run_finished(RunOutcome::Interrupted, "interrupted by SIGINT"));
    numbered(kinds)
}

#[test]
fn the_handoff_says_where_the_run_stands_and_how_to_go_on() {
    let manifest = Manifest {
        format_version: 1,
        run: RunId::new("r1").unwrap(),
        goal: "greet people".into(),
        project: "/home/me/project".into(),
        started_at_ms: 0,
        sage_version: "0.1.0".into(),
    };
    let handoff = Handoff::new(&manifest, Some(&plan()));
    check_json(
        project_with(handoff, &an_interrupted_run()),
        expect![[r#"
        {
          "schema_version": 1,
          "interrupted_at": "2026-01-01T00:00:21Z",
          "reason": "interrupted by SIGINT",
          "run_id": "r1",
          "resume_command": "sage resume r1",
          "state_snapshot": {
            "user_prompt": "greet people",
            "current_task_id": "b",
            "current_task": {
              "id": "b",
              "description": "lint it",
              "dependencies": [
                "a"
              ]
            },
            "task_dag": {
              "nodes": [
                {
                  "id": "a",
                  "description": "write it",
                  "dependencies": [],
                  "status": "completed"
                },
                {
                  "id": "b",
                  "description": "lint it",
                  "dependencies": [
                    "a"
                  ],
                  "status": "pending"
                },
                {
                  "id": "c",
                  "description": "document it",
                  "dependencies": [
                    "b"
                  ],
                  "status": "pending"
                }
              ]
            },
            "last_error": "interrupted by SIGINT",
            "mode": "research",
            "repo_path": "/home/me/project",
            "human_checkpoint_done": true,
            "artifacts_by_task": {
              "a": [
                "src/a.py"
              ],
              "b": [
                "src/a.py"
              ]
            }
          }
        }"#]],
    );
}

#[test]
fn the_system_state_names_what_is_next() {
    let state = SystemState::new(Some(&plan()));
    check_json(
        project_with(state, &an_interrupted_run()),
        expect![[r#"
        {
          "last_run_id": "r1",
          "goal": "greet people",
          "outcome": "interrupted",
          "last_updated": "2026-01-01T00:00:21Z",
          "planner_model": "big",
          "last_completed_task": "a",
          "next_unblocked_task": "b",
          "open_blockers": []
        }"#]],
    );
    let state = project_with(SystemState::new(Some(&plan())), &a_run());
    assert_eq!(state.next_unblocked_task, None);
    assert_eq!(state.open_blockers, ["b: the linter is not happy"]);
}

#[test]
fn numbers_at_their_limits_do_not_overflow() {
    let huge = |node: &str| {
        EventKind::from(WorkspaceEvent::Changed {
            call: call(node, 1),
            path: node.into(),
            before: None,
            after: file("x"),
            lines_added: u64::MAX,
            lines_removed: u64::MAX,
        })
    };
    let mut events = numbered(vec![run_started(), huge("a"), huge("b"), planned(u32::MAX)]);
    events[3].at_ms = 0;
    assert_eq!(project::<Files>(&events).lines_added, u64::MAX);
    let metrics = project::<Metrics>(&events);
    assert_eq!(metrics.duration_s, Some(0.0));
    events[0].at_ms = u64::MAX;
    assert_eq!(project::<Metrics>(&events).started_at_utc, None);
}

#[test]
fn a_broken_plan_file_costs_no_view() {
    for plan in
        [json!(null), json!([]), json!({"nodes": {"a": 1}}), json!({"nodes": [1, {}, {"id": 3}]})]
    {
        let state = project_with(SystemState::new(Some(&plan)), &a_run());
        assert_eq!(state.next_unblocked_task, None);
    }
}
