use std::time::Duration;

use sage_core::{CheckKind, EventKind, WorkspaceEvent};

use super::*;
use crate::testing::{Bench, call};

fn spec(kind: CheckKind, command: &str) -> CheckSpec {
    let (command, shown) = (command.to_owned(), command.to_owned());
    CheckSpec { kind, command, shown, timeout: Duration::from_secs(10) }
}

async fn check(bench: &Bench, index: u32, kind: CheckKind, command: &str) -> CheckResult {
    bench.tools.check(&bench.cx, call(index), spec(kind, command)).await.unwrap()
}

#[tokio::test]
async fn a_check_is_evidence_on_record_and_is_not_repeated() {
    let mut bench = Bench::new(&[]);
    let passed = check(&bench, 1, CheckKind::Project, "echo 'Ran 3 tests in 0.1s'").await;
    assert!(passed.passed && passed.n_tests == Some(3) && passed.exit_code == Some(0));
    let failed = check(&bench, 2, CheckKind::Acceptance, "echo broken; exit 1").await;
    assert!(!failed.passed && failed.reason == "exit code 1" && failed.output == "broken\n");
    assert_eq!(
        bench.facts(),
        [
            "called check",
            "checked true",
            "finished check true",
            "called check",
            "checked false",
            "finished check false"
        ]
    );
    bench.died_after(6);
    assert_eq!(check(&bench, 2, CheckKind::Acceptance, "echo broken; exit 1").await, failed);
    assert_eq!(bench.facts().len(), 6);
    let EventKind::Workspace(WorkspaceEvent::Checked { output, exit_code, reason, .. }) =
        &bench.recorder.kinds()[4]
    else {
        panic!("a check is expected")
    };
    assert_eq!(
        (bench.recorder.text(output).as_str(), *exit_code, reason.as_str()),
        ("broken\n", Some(1), "exit code 1")
    );
}

#[tokio::test]
async fn a_check_that_hangs_or_runs_no_test_does_not_pass() {
    let bench = Bench::new(&[]);
    let slow =
        CheckSpec { timeout: Duration::from_millis(200), ..spec(CheckKind::Project, "sleep 50") };
    let slow = bench.tools.check(&bench.cx, call(1), slow).await.unwrap();
    assert!(!slow.passed && slow.timed_out && slow.exit_code.is_none());
    assert_eq!(slow.reason, "stopped after 0.2 s, its time limit");
    let none = check(&bench, 2, CheckKind::GeneratedTest, "echo 'Ran 0 tests in 0.1s'").await;
    assert!(!none.passed && none.reason == "no test ran");
    assert!(check(&bench, 3, CheckKind::Project, "echo 'Ran 0 tests in 0.1s'").await.passed);
    let missing = check(&bench, 4, CheckKind::Lint, "no-such-program").await;
    assert!(!missing.passed && missing.exit_code == Some(127));
}

#[tokio::test]
async fn a_check_leaves_the_tree_as_it_was_even_inside_the_paths() {
    let bench = Bench::new(&[(".gitignore", "out/\n"), ("src/a", "a\n")]);
    let before = bench.tree();
    let command =
        "mkdir out; echo 1 > out/x; echo 1 > src/a; echo 1 > new; mkdir -p src/__pycache__";
    let result = check(&bench, 1, CheckKind::Project, command).await;
    assert!(result.passed);
    assert_eq!(result.notes, ["[put back: new, src/a]"]);
    let mut after = bench.tree();
    assert_eq!(after.remove("out/x").unwrap(), "644 1\n");
    after.remove("out");
    assert_eq!(after, before);
    assert!(
        !bench
            .facts()
            .iter()
            .any(|fact| fact.starts_with("refused") || fact.starts_with("changed"))
    );
}

#[tokio::test]
async fn a_check_passes_the_same_policy_as_any_command() {
    let mut bench = Bench::new(&[]);
    let refused = check(&bench, 1, CheckKind::Acceptance, "sudo true").await;
    assert!(!refused.passed && refused.reason.contains("other rights"), "{}", refused.reason);
    assert_eq!(bench.facts(), ["refused check"]);
    bench.died_after(1);
    assert_eq!(check(&bench, 1, CheckKind::Acceptance, "sudo true").await, refused);
    assert_eq!(bench.facts(), ["refused check"]);
}

#[tokio::test]
async fn a_check_is_allowed_while_the_task_may_only_read() {
    let mut bench = Bench::new(&[("a", "a\n")]);
    bench.cx.grant = crate::Grant::read_only();
    let result = check(&bench, 1, CheckKind::Lint, "cat a; echo x > a").await;
    assert!(result.passed);
    assert_eq!(bench.text("a"), "a\n");
}
