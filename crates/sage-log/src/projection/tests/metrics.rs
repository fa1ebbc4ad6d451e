use std::collections::BTreeMap;

use super::*;

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
