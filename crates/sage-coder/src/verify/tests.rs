use sage_core::{CallId, Effect, RunId, Seq};

use super::*;

#[test]
fn only_a_runner_that_found_nothing_to_run_is_excused() {
    for (command, code, output) in [
        ("pytest", 5, "no tests ran in 0.01s"),
        ("python3 -m unittest", 5, "Ran 0 tests in 0.000s\n\nNO TESTS RAN"),
        ("npx jest", 1, "No tests found, exiting with code 1"),
        ("cargo nextest run", 4, "error: no tests to run"),
    ] {
        assert!(found_no_test(command, Some(code), output), "{command}");
    }
    for (command, code, output) in [
        // The suite could not be loaded.
        ("pytest", 2, "ERROR tests/test_a.py\n1 error in 0.12s"),
        // A fixture failed before any test ran.
        ("pytest", 1, "1 error in 0.12s"),
        // Something else failed after a runner without tests.
        ("npm test", 1, "# tests 0\n# pass 0\n# fail 0\n# duration_ms 1\nlint: 3 problems"),
        ("cargo test", 101, "test result: ok. 0 passed; 0 failed; 0 ignored"),
        ("make", 2, "make: *** [all] Error 1"),
    ] {
        assert!(!found_no_test(command, Some(code), output), "{command}");
    }
}

fn call(index: u32) -> CallId {
    CallId { node: NodeId::new("a").unwrap(), attempt: 1, index }
}

fn called(index: u32) -> EventKind {
    let (args, summary) = (BlobRef::of(b"{}"), String::new());
    let tool = "check".to_owned();
    ToolEvent::Called { call: call(index), tool, effect: Effect::Execute, args, summary }.into()
}

fn passed(index: u32, command: &str) -> EventKind {
    WorkspaceEvent::Checked {
        node: call(index).node,
        attempt: 1,
        call: call(index),
        kind: CheckKind::Acceptance,
        command: command.to_owned(),
        passed: true,
        exit_code: Some(0),
        n_tests: None,
        duration_ms: 1,
        output: BlobRef::of(b""),
        reason: String::new(),
        in_lane: false,
    }
    .into()
}

fn changed(index: u32) -> EventKind {
    let path = "a.txt".to_owned();
    let (before, after) = (None, None);
    let (lines_added, lines_removed) = (0, 0);
    WorkspaceEvent::Changed { call: call(index), path, before, after, lines_added, lines_removed }
        .into()
}

fn check_passed(kinds: Vec<EventKind>, expected: &[&str]) {
    let run = RunId::new("r").unwrap();
    let event = |kind| Event { seq: Seq(1), at_ms: 0, run: run.clone(), kind };
    let events: Vec<Event> = kinds.into_iter().map(event).collect();
    assert_eq!(passed_since_last_change(&events), expected);
}

#[test]
fn a_command_speaks_only_for_files_that_were_there_when_it_began() {
    check_passed(vec![changed(1), called(2), passed(2, "x")], &["x"]);
    check_passed(vec![called(2), passed(2, "x"), changed(3)], &[]);
    // Another task wrote while it ran.
    check_passed(vec![called(2), changed(3), passed(2, "x")], &[]);
    check_passed(vec![called(2), changed(3), passed(2, "x"), called(4), passed(4, "y")], &["y"]);
    // Anybody may have changed anything before the run was taken up again.
    let resumed = RunEvent::Resumed { sage_version: String::new(), changed_files: Vec::new() };
    check_passed(vec![called(2), passed(2, "x"), resumed.into()], &[]);
}
