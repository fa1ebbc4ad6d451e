use expect_test::{Expect, expect};
use sage_core::{Event, RunId, Seq};
use serde_json::{Value, json};

use super::super::Level;
use super::super::tests::Captured;
use super::*;

fn event(seq: u64, at_ms: u64, mut fields: Value) -> Progress {
    fields["seq"] = json!(seq);
    fields["at_ms"] = json!(at_ms);
    fields["run"] = json!("r1");
    Progress::Logged(serde_json::from_value::<Event>(fields).unwrap())
}

fn a_run() -> Vec<Progress> {
    let blob = "0".repeat(32);
    let call = |index: u32| json!(format!("task_001#1.{index}"));
    vec![
        event(
            1,
            0,
            json!({"type": "run.started", "format_version": 1, "sage_version": "0", "goal": "say hello\nnow", "mode": "auto", "options": {}}),
        ),
        event(
            2,
            10,
            json!({"type": "run.planned", "plan": blob, "n_tasks": 1, "source": "model", "notes": ["a note"]}),
        ),
        event(3, 20, json!({"type": "node.started", "node": "task_001", "attempt": 1})),
        event(
            4,
            30,
            json!({"type": "model.routed", "call": call(1), "role": "coder", "features": {"task_complexity_score": 0.1, "primary_failure_count": 0, "failure_count": 0, "n_target_files": 1, "prompt_tokens": 10}, "candidates": [], "chosen": "gpt-4o", "reason": "primary", "probability": 1.0}),
        ),
        Progress::Text { call: "task_001#1.1".parse().unwrap(), delta: "thinking\nhard".into() },
        event(
            5,
            40,
            json!({"type": "tool.called", "call": call(2), "tool": "write", "effect": "write", "args": blob, "summary": "src/hello.py"}),
        ),
        event(
            6,
            50,
            json!({"type": "tool.finished", "call": call(2), "tool": "write", "ok": true, "result": blob, "summary": "1 file", "duration_ms": 3}),
        ),
        event(
            7,
            60,
            json!({"type": "tool.refused", "call": call(3), "tool": "write", "summary": ".git/hooks/x", "reason": "\u{1b}[2Jprotected", "result": blob}),
        ),
        event(
            8,
            70,
            json!({"type": "workspace.checked", "node": "task_001", "attempt": 1, "call": call(4), "kind": "acceptance", "command": "pytest -q", "passed": true, "exit_code": 0, "n_tests": 2, "duration_ms": 1234, "output": blob}),
        ),
        event(
            9,
            2_020,
            json!({"type": "node.finished", "node": "task_001", "attempt": 1, "outcome": "done", "summary": "1 file"}),
        ),
        event(
            10,
            2_030,
            json!({"type": "run.finished", "outcome": "succeeded", "exit_code": 0, "reason": ""}),
        ),
    ]
}

fn check(level: Level, form: Form, expected: Expect) {
    let (out, err) = (Captured::default(), Captured::default());
    let ui = Arc::new(Ui::to(out.clone(), err.clone(), level));
    let live = Live::start(ui, form);
    let sink = live.sink();
    for progress in a_run() {
        sink.progress(progress);
    }
    live.finish();
    expected.assert_eq(&format!("{}{}", out.text(), err.text()));
}

const LINES: Form = Form::Lines { explain_routing: false };

#[test]
fn a_run_is_told_in_lines() {
    check(
        Level::Normal,
        LINES,
        expect![[r"
        run r1 say hello…
        plan      1 task (from model)
        plan      note: a note
        task_001  started
        task_001  coder: gpt-4o
        task_001  write src/hello.py (3 ms)
        task_001  refused: write .git/hooks/x: �[2Jprotected
        task_001  passed: acceptance `pytest -q` (2 tests, 1.2 s)
        task_001  done: 1 file (2.0 s)
    "]],
    );
}

#[test]
fn quiet_tells_only_what_went_wrong() {
    check(
        Level::Quiet,
        LINES,
        expect![[r"
        task_001  refused: write .git/hooks/x: �[2Jprotected
    "]],
    );
}

#[test]
fn debug_tells_model_text_in_whole_lines() {
    let (out, err) = (Captured::default(), Captured::default());
    let ui = Arc::new(Ui::to(out, err.clone(), Level::Debug));
    let live = Live::start(ui, LINES);
    let sink = live.sink();
    for delta in ["one\ntw", "o\nthree"] {
        sink.progress(Progress::Text { call: "a#1.1".parse().unwrap(), delta: delta.into() });
    }
    live.flusher()();
    assert_eq!(err.text(), "a         | one\na         | two\n");
    live.finish();
}

#[test]
fn json_prints_every_event_and_nothing_else() {
    let (out, err) = (Captured::default(), Captured::default());
    let live = Live::start(Arc::new(Ui::to(out.clone(), err.clone(), Level::Debug)), Form::Json);
    let sink = live.sink();
    a_run().into_iter().for_each(|progress| sink.progress(progress));
    live.finish();
    let events: Vec<Event> =
        out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 10);
    assert_eq!((events[9].seq, &events[9].run), (Seq(10), &RunId::new("r1").unwrap()));
    assert_eq!(err.text(), "");
}
