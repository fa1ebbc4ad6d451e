//! Records of runs made by hand, for commands that only look at them.

use sage_testkit::CliSandbox;
use serde_json::{Value, json};

/// 2026-03-01 10:00:00 UTC.
pub const START_MS: u64 = 1_772_359_200_000;

/// Puts a run with these events into the project: each gets its number, run and a time, one second
/// after the one before.
pub fn record(sandbox: &CliSandbox, run: &str, start_ms: u64, events: &[Value]) {
    let folder = format!(".sage/runs/{run}");
    let goal = events.first().and_then(|event| event["goal"].as_str()).unwrap_or("a goal");
    let manifest = json!({
        "format_version": 1, "run": run, "goal": goal, "project": sandbox.project(),
        "started_at_ms": start_ms, "sage_version": "0.1.0",
    });
    sandbox.write(&format!("{folder}/manifest.json"), manifest.to_string());
    let mut lines = String::new();
    for (n, event) in events.iter().enumerate() {
        let mut line = json!({"seq": n + 1, "at_ms": start_ms + 1000 * n as u64, "run": run});
        for (field, value) in event.as_object().expect("an event is an object") {
            line[field] = value.clone();
        }
        lines.push_str(&format!("{line}\n"));
    }
    sandbox.write(&format!("{folder}/events.jsonl"), lines);
    let (plan, address) = plan();
    let pack = format!("{address} {}\n{plan}\n", plan.len());
    sandbox.write(&format!("{folder}/blobs/pack"), pack);
}

/// A plan of three tasks as the log stores it, with its address.
fn plan() -> (String, String) {
    let node = |id: &str, role: &str| json!({"id": id, "assigned_agent": role, "description": format!("Do {id}"), "dependencies": []});
    let nodes = [
        node("task_001", "coder"),
        node("task_002", "test_engineer"),
        node("task_003", "documentation"),
    ];
    let plan = json!({"goal": "Add a greeting", "nodes": nodes}).to_string();
    let address = sage_core::BlobRef::of(plan.as_bytes()).to_string();
    (plan, address)
}

/// The beginning of a run: one task done, one failed, the third not begun.
pub fn half_a_run(goal: &str) -> Vec<Value> {
    let blob = "0".repeat(32);
    let call = |node: &str, index: u32| json!(format!("{node}#1.{index}"));
    let file = json!({"hash": blob, "mode": 0o644});
    vec![
        json!({"type": "run.started", "format_version": 1, "sage_version": "0.1.0", "goal": goal, "mode": "auto",
               "options": {"limits": {"calls": 10, "usd": 0.5}}}),
        json!({"type": "run.planned", "plan": plan().1, "n_tasks": 3, "source": "model", "notes": []}),
        json!({"type": "node.started", "node": "task_001", "attempt": 1}),
        json!({"type": "model.called", "call": call("task_001", 1), "role": "coder", "request": blob}),
        json!({"type": "model.answered", "call": call("task_001", 1), "role": "coder", "model": "gpt-4o",
               "provider": "openai", "local": false, "scripted": false, "response": blob, "finish": "stop",
               "usage": {"input": 1000, "output": 200}, "usd": 0.0045, "latency_ms": 900}),
        json!({"type": "tool.called", "call": call("task_001", 2), "tool": "write", "effect": "write", "args": blob,
               "summary": "src/hello.py"}),
        json!({"type": "workspace.changed", "call": call("task_001", 2), "path": "src/hello.py", "after": file,
               "lines_added": 3, "lines_removed": 0}),
        json!({"type": "tool.finished", "call": call("task_001", 2), "tool": "write", "ok": true, "result": blob,
               "summary": "1 file", "duration_ms": 4}),
        json!({"type": "workspace.checked", "node": "task_001", "attempt": 1, "call": call("task_001", 3),
               "kind": "acceptance", "command": "python3 -m unittest", "passed": true, "exit_code": 0, "n_tests": 2,
               "duration_ms": 300, "output": blob}),
        json!({"type": "node.finished", "node": "task_001", "attempt": 1, "outcome": "done", "summary": "1 file"}),
        json!({"type": "node.started", "node": "task_002", "attempt": 1}),
        json!({"type": "tool.refused", "call": call("task_002", 1), "tool": "write", "summary": ".git/config",
               "reason": "\u{1b}[2Jprotected", "result": blob}),
        json!({"type": "node.finished", "node": "task_002", "attempt": 1, "outcome": "failed", "error": "tool",
               "summary": "tests fail"}),
    ]
}

/// The same run, ended so.
pub fn ended(goal: &str, outcome: &str, exit_code: u8) -> Vec<Value> {
    let mut events = half_a_run(goal);
    events.push(json!({"type": "run.finished", "outcome": outcome, "exit_code": exit_code, "reason": "a reason"}));
    events
}
