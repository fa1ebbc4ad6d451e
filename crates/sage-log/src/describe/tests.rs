use expect_test::{Expect, expect};

use super::*;

/// Events as they stand in a log, one of each kind and some in several states.
const LOG: &str = include_str!("example.jsonl");

fn events() -> Vec<Event> {
    LOG.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(events: &[Event], expected: Expect) {
    let lines: Vec<String> = events.iter().map(describe).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn each_event_is_one_readable_line() {
    check(
        &events(),
        expect![[r#"
            run started (auto, sage 0.1.0): Create src/hello.py with greet()
            planned 2 tasks (model), 1 note
            the planner's answer is no valid plan: task_002: dependencies: no task has the id "task_009"
            run resumed (sage 0.1.0), 1 file changed since
            commands are sandboxed by namespaces, Landlock 7, seccomp
            the run's limits are 60 calls, $2.00 from here on (before: 60 calls, $0.50)
            task_001's limit on usd is nearly used up: 0.4125 of 0.5000
            committed 4b825dc642cb on main: Say hello
            run failed (exit 1): 1 of 2 tasks failed
            task_001 started
            task_001 repairs, round 1
            task_001 failed: the acceptance command did not pass after 3 repairs
            task_002 skipped because of task_001
            task_001#1.1 coder uses gpt-4o-mini: the primary model is unavailable
            task_001#1.1 coder asks a model: about 2350 of 128000 tokens
            task_001#1.1 gpt-4o-mini at openai failed (again in 2000 ms): HTTP 429: slow down
            task_001#1.1 gpt-4o-mini answered in 1900 ms: 1200 + 150 tokens, $0.0003, wants tools
            task_001#1.1 took 6100 tokens ($0.0012), more than the 5200 that were set aside
            task_001#1.4 no model answered: gpt-4o-mini: connection refused; no fallback is left
            task_001#1.2 write: write src/hello.py
            task_001#1.2 write ok in 4 ms: wrote 3 lines
            task_001#1.3 write refused (write setup.py): setup.py is outside the paths of task_001 (src/**)
            task_001#1.9 run asked for 3 times, not done again: make test
            plan approved after editing by a person
            task_001 run denied by the mode: pip install pytest (asked by ask command pip install (your policy.json:4))
            asked: Which greeting?
            answered: Hello
            @run snapshot of 12 files
            task_001#1.2 creates src/hello.py (+3 -0)
            task_001 acceptance did not pass in 840 ms, 2 tests: python -m pytest -q: 1 test failed
            task_001 works in the lane /tmp/sage-lanes-20260101-000000-k3f9/sage-20260101-000000-k3f9-task_001-1
            task_001#1.3 creates src/hello.py in its lane (+3 -0)
            task_001 in conflict: src/hello.py
            task_001 brings its lane up to date, 1 file of its own
            task_001 rolled back 1 file: src/hello.py
            run undone, 1 file restored
            task_001 tests weighed: tests/test_hello.py fails when the change is broken: src/hello.py:2: `Hello` to `~Hello`
            task_001 tests compared in 1 file that was there: tests/test_sum.py:4: assertion weakened: `self.assertEqual(add(2, 3), 5)` became `self.assertTrue(add(2, 3))`
            task_001#1.4 changed 3 paths in all, 1 path put back
            undo begins
            undo taken back, 1 file restored"#]],
    );
}

#[test]
fn texts_cannot_break_or_flood_the_line() {
    let question = format!("a\nb\r\n\tc\u{1b}[31m \u{85}\u{202e}{}", "x".repeat(1_000_000));
    let event = Event { kind: HumanEvent::Asked { question }.into(), ..events().remove(0) };
    let line = describe(&event);
    assert!(line.starts_with("asked: a b c [31m xxx"), "{line}");
    assert!(line.ends_with("xxx..."), "{line}");
    assert_eq!(line.chars().count(), MAX_CHARS + 3);
    assert!(!line.contains(char::is_control));
}

#[test]
fn the_examples_of_the_documentation_are_real_and_complete() {
    let formats = include_str!("../../../../docs/formats.md");
    let documented: Vec<&str> =
        formats.lines().filter(|line| line.starts_with("{\"seq\":")).collect();
    assert_eq!(
        documented,
        LOG.lines().collect::<Vec<_>>(),
        "docs/formats.md and example.jsonl differ"
    );
    for line in LOG.lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
    let mut types: Vec<String> = events().iter().map(|event| event.kind.type_name()).collect();
    types.sort();
    types.dedup();
    assert_eq!(types.len(), 41, "a type of event has no example: {types:?}");
}
