use super::*;

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
fn a_broken_plan_file_costs_no_view() {
    for plan in
        [json!(null), json!([]), json!({"nodes": {"a": 1}}), json!({"nodes": [1, {}, {"id": 3}]})]
    {
        let state = project_with(SystemState::new(Some(&plan)), &a_run());
        assert_eq!(state.next_unblocked_task, None);
    }
}
