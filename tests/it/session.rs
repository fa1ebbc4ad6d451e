//! `sage session`.

use serde_json::{Value, json};

use crate::recorded::{START_MS, ended, half_a_run, record};
use crate::support::sandbox;

fn id(status: &Value) -> Option<String> {
    status["session"].as_str().map(str::to_owned)
}

#[test]
fn a_session_is_begun_kept_and_reset() {
    let mut sandbox = sandbox();
    let status = |sandbox: &sage_testkit::CliSandbox| {
        sandbox.run(&["session", "--json"]).json_lines().remove(0)
    };
    assert_eq!(id(&status(&sandbox)), None);
    sandbox.write(".sage/system_state.json", r#"{"goal": "old"}"#);
    sandbox.run(&["session", "reset"]).expect_code(0);
    let first = id(&status(&sandbox));
    assert!(first.is_some() && !sandbox.exists(".sage/system_state.json"));
    assert_eq!(id(&status(&sandbox)), first);
    sandbox.run(&["session", "reset"]).expect_code(0);
    assert_ne!(id(&status(&sandbox)), first);
    sandbox.env("SAGE_SESSION_ID", "mine");
    assert_eq!(id(&status(&sandbox)).as_deref(), Some("mine"));
}

#[test]
fn the_state_is_written_anew_from_the_last_run() {
    let sandbox = sandbox();
    sandbox.run(&["session", "refresh"]).expect_code(2);
    record(&sandbox, "r1", START_MS, &ended("Add a greeting", "failed", 1));
    sandbox.write(".sage/system_state.json", "broken");
    sandbox
        .run(&["session"])
        .expect_code(4)
        .expect_text("system_state.json")
        .expect_text("refresh");
    sandbox.run(&["session", "refresh"]).expect_code(0);
    let state: Value = serde_json::from_str(&sandbox.read(".sage/system_state.json")).unwrap();
    assert_eq!(
        (&state["goal"], &state["last_completed_task"]),
        (&"Add a greeting".into(), &"task_001".into())
    );
    sandbox.run(&["session"]).expect_code(0).expect_text("Add a greeting");
}

#[test]
fn the_handoff_of_an_interrupted_run_is_shown_until_it_is_cleared() {
    let sandbox = sandbox();
    let handoff = || sandbox.run(&["session", "handoff", "--json"]).json_lines().remove(0);
    assert_eq!(handoff(), Value::Null);
    record(&sandbox, "r1", START_MS, &half_a_run("Add a greeting"));
    assert_eq!(handoff()["schema_version"], 1);
    assert_eq!(handoff()["state_snapshot"]["user_prompt"], "Add a greeting");
    sandbox.run(&["session", "handoff"]).expect_code(0).expect_text("sage resume r1");
    sandbox.run(&["session", "handoff", "--clear"]).expect_code(0);
    assert_eq!(handoff(), Value::Null);
    assert!(sandbox.exists(".sage/runs/r1/events.jsonl"), "the run is kept");
    record(&sandbox, "r2", START_MS + 1, &ended("x", "interrupted", 130));
    assert_eq!(handoff()["run_id"], json!("r2"));
}
