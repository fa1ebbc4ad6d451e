use super::*;

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
