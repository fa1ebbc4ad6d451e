//! `sage log`.

use crate::recorded::{START_MS, ended, record};
use crate::support::sandbox;

#[test]
fn events_are_printed_with_their_time_since_the_start() {
    let sandbox = sandbox();
    record(&sandbox, "r1", START_MS, &ended("Add a greeting", "failed", 1));
    let output = sandbox.run(&["log", "r1"]);
    output.expect_code(0);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 14, "{output}");
    assert!(lines[0].starts_with("+00:00.000 ") && lines[0].contains("Add a greeting"), "{output}");
    assert!(lines[13].starts_with("+00:13.000 "), "{output}");
    assert!(!output.stdout.contains('\u{1b}'), "text of a model cannot command the terminal");
}

#[test]
fn events_are_filtered_by_task_and_type() {
    let sandbox = sandbox();
    record(&sandbox, "r1", START_MS, &ended("x", "failed", 1));
    let types = |args: &[&str]| {
        let args: Vec<&str> = ["log", "--json"].iter().chain(args).copied().collect();
        let output = sandbox.run(&args);
        output.expect_code(0);
        let of = |line: &serde_json::Value| line["type"].as_str().unwrap().to_owned();
        output.json_lines().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(types(&["--type", "model"]), ["model.called", "model.answered"]);
    assert_eq!(types(&["--node", "task_002"]), ["node.started", "tool.refused", "node.finished"]);
    assert_eq!(types(&["--node", "task_002", "--type", "tool.ref"]), ["tool.refused"]);
    sandbox.run(&["log", "--node", "task_01"]).expect_code(2).expect_text("task_001");
    sandbox.run(&["log", "--type", "modle"]).expect_code(2).expect_text("model");
}

#[test]
fn a_damaged_log_is_printed_up_to_the_damage_and_exit_4() {
    let sandbox = sandbox();
    record(&sandbox, "r1", START_MS, &ended("x", "failed", 1));
    let log = sandbox.read(".sage/runs/r1/events.jsonl");
    let lines: Vec<&str> = log.lines().collect();
    sandbox.write(".sage/runs/r1/events.jsonl", format!("{}\n{}\n\u{0}\n", lines[0], lines[1]));
    let output = sandbox.run(&["log"]);
    output.expect_code(4).expect_text("line 3");
    assert_eq!(output.stdout.lines().count(), 2, "{output}");
}

#[test]
fn following_ends_with_the_run() {
    let sandbox = sandbox();
    record(&sandbox, "r1", START_MS, &ended("x", "failed", 1));
    let output = sandbox.run(&["log", "--follow"]);
    output.expect_code(0);
    assert_eq!(output.stdout.lines().count(), 14, "{output}");
}
