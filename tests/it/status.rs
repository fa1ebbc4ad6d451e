//! `sage status`.

use std::time::Duration;

use sage_testkit::{Brain, PlannedBrain, SeenRequest};
use serde_json::json;

use crate::recorded::{START_MS, ended, half_a_run, record};
use crate::support::{World, sandbox};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn without_runs_it_says_how_to_start_one() {
    let output = sandbox().run(&["status"]);
    output.expect_code(2).expect_text("there is no run").expect_text("sage run");
}

#[test]
fn a_finished_run_is_told_in_full() {
    let world = World::new(PlannedBrain::hello());
    world.run_auto(&[]).expect_code(0);
    let run = world.sandbox.last_run().id();
    let output = world.sandbox.run(&["status"]);
    output.expect_code(0).expect_text(&run).expect_text("succeeded").expect_text("done");
    let status =
        world.sandbox.run(&["status", &run[..run.len() - 1], "--json"]).json_lines().remove(0);
    assert_eq!(status["status"]["outcome"], "succeeded");
    assert_eq!(status["live"], false);
    assert_eq!(status["pending"], json!([]));
    assert_eq!(status["spending"]["total"]["calls"], world.calls().len());
}

#[test]
fn an_interrupted_run_shows_what_is_left_and_how_to_go_on() {
    let sandbox = sandbox();
    record(&sandbox, "r1", START_MS, &half_a_run("Add a greeting"));
    let status = sandbox.run(&["status", "--json"]).json_lines().remove(0);
    assert_eq!(status["state"], "stopped without a word");
    assert_eq!(status["resumable"], true);
    assert_eq!(status["pending"][0]["node"], "task_003");
    assert_eq!(status["limits"], json!({"calls": 10, "usd": 0.5}));
    let output = sandbox.run(&["status"]);
    output.expect_code(0).expect_text("Add a greeting").expect_text("`sage resume r1`");
    output.expect_text("1 of 10").expect_text("$0.0045 of $0.5").expect_text("pending");
}

#[test]
fn a_damaged_run_is_told_as_far_as_it_is_whole() {
    let sandbox = sandbox();
    record(&sandbox, "r1", START_MS, &ended("Add a greeting", "failed", 1));
    let log = sandbox.read(".sage/runs/r1/events.jsonl");
    let damaged = log.replacen("node.finished", "node.vanished", 2);
    sandbox.write(".sage/runs/r1/events.jsonl", &damaged);
    let output = sandbox.run(&["status"]);
    output.expect_code(0).expect_text("task_001").expect_text("line 10");
    let status = sandbox.run(&["status", "--json"]).json_lines().remove(0);
    assert_eq!(status["resumable"], false);
    assert!(status["problem"].as_str().unwrap().contains("line 10"), "{status}");
    // A torn last line is not damage.
    sandbox.write(".sage/runs/r1/events.jsonl", format!("{log}{{\"seq\": 15, \"at"));
    let status = sandbox.run(&["status", "--json"]).json_lines().remove(0);
    assert_eq!((&status["problem"], &status["torn_tail_bytes"]), (&json!(null), &json!(15)));
}

#[test]
fn unknown_and_ambiguous_runs_are_usage_errors() {
    let sandbox = sandbox();
    record(&sandbox, "2026-a", START_MS, &half_a_run("x"));
    record(&sandbox, "2026-b", START_MS + 1, &half_a_run("x"));
    sandbox.run(&["status", "2027"]).expect_code(2).expect_text("2026-b").expect_text("sage runs");
    sandbox.run(&["status", "2026"]).expect_code(2).expect_text("2026-a");
    sandbox.run(&["status", "2026-a"]).expect_code(0);
    sandbox.run(&["status", "../.."]).expect_code(2);
}

#[test]
fn a_running_run_is_told_followed_and_never_pruned() {
    let slow = |request: &SeenRequest| {
        let is_plan = request.role() == Some(sage_core::AgentRole::Planner);
        let reply = PlannedBrain::hello().answer(request);
        if is_plan { reply } else { reply.after(Duration::from_secs(60)) }
    };
    let world = World::new(slow);
    let sandbox = &world.sandbox;
    let mut run = sandbox.sage(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).spawn();
    assert!(run.wait_until(PATIENCE, |_| world.calls().len() == 2), "{}", run.stderr());
    let status = sandbox.run(&["status", "--json"]).json_lines().remove(0);
    assert_eq!((&status["live"], &status["state"]), (&json!(true), &json!("running")));
    assert_eq!(status["status"]["nodes"][0]["state"], "running");
    assert_eq!(status["pending"][0]["node"], "task_002");
    sandbox.run(&["runs"]).expect_code(0).expect_text("running");
    sandbox.run(&["runs", "prune", "--keep", "0"]).expect_code(0);

    let mut follow = sandbox.sage(&["log", "--follow", "--json"]).spawn();
    assert!(follow.wait_until(PATIENCE, |follow| follow.stdout().contains("model.called")));
    run.interrupt();
    run.wait(PATIENCE).expect_code(130);
    let followed = follow.wait(PATIENCE);
    followed.expect_code(0);
    let events = followed.json_lines();
    assert_eq!(events.last().unwrap()["type"], "run.finished");
    assert_eq!(events.len() as u64, sandbox.last_run().last_seq(), "each event once");
    sandbox.run(&["session", "handoff"]).expect_code(0).expect_text("sage resume");
}
