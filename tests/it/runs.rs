//! `sage runs`.

use sage_testkit::CliSandbox;

use crate::recorded::{START_MS, ended, half_a_run, record};
use crate::support::sandbox;

const DAY_MS: u64 = 86_400_000;

fn three_runs() -> CliSandbox {
    let sandbox = sandbox();
    record(&sandbox, "one", START_MS, &ended("First", "succeeded", 0));
    record(&sandbox, "two", START_MS + DAY_MS, &ended("Second", "failed", 1));
    record(&sandbox, "three", START_MS + 2 * DAY_MS, &half_a_run("Third"));
    sandbox
}

fn names(sandbox: &CliSandbox) -> Vec<String> {
    let lines = sandbox.run(&["runs", "--json"]).json_lines();
    lines.iter().map(|line| line["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_are_listed_newest_first_and_damaged_ones_with_their_problem() {
    let sandbox = three_runs();
    assert_eq!(names(&sandbox), ["three", "two", "one"]);
    sandbox.write(".sage/runs/two/events.jsonl", "nonsense\n");
    let output = sandbox.run(&["runs", "list"]);
    output.expect_code(0).expect_text("damaged").expect_text("line 1").expect_text("First");
    self::sandbox().run(&["runs"]).expect_code(0).expect_text("no runs");
}

#[test]
fn a_run_is_shown_with_files_checks_cost_and_refusals() {
    let sandbox = three_runs();
    let output = sandbox.run(&["runs", "show", "two"]);
    output.expect_code(0);
    for says in [
        "Second",
        "src/hello.py",
        "+3 -0",
        "python3 -m unittest",
        "gpt-4o",
        "$0.0045",
        ".git/config",
    ] {
        output.expect_text(says);
    }
    assert!(!output.all().contains('\u{1b}'), "text of a model cannot command the terminal");
    let shown = sandbox.run(&["runs", "show", "two", "--json"]).json_lines().remove(0);
    assert_eq!(shown["checks"][0]["n_tests"], 2);
    assert_eq!(shown["started_at"], "2026-03-02T10:00:00Z");
}

#[test]
fn two_runs_are_compared() {
    let sandbox = three_runs();
    let lines = sandbox.run(&["runs", "diff", "one", "two", "--json"]).json_lines();
    let of = |what: &str| lines.iter().find(|line| line["what"] == what).unwrap().clone();
    assert_eq!(of("outcome")["same"], false);
    assert_eq!((&of("outcome")["a"], &of("outcome")["b"]), (&"succeeded".into(), &"failed".into()));
    assert_eq!(of("calls")["same"], true);
    assert_eq!(of("file src/hello.py")["same"], true);
    let output = sandbox.run(&["runs", "diff", "one", "last"]);
    output.expect_code(0).expect_text("First").expect_text("Third");
}

#[test]
fn old_runs_are_removed_only_as_asked() {
    let sandbox = three_runs();
    sandbox.run(&["runs", "prune"]).expect_code(2).expect_text("--keep");
    let before = sandbox.full_tree();
    let output = sandbox.run(&["runs", "prune", "--keep", "1", "--dry-run"]);
    output.expect_code(0).expect_text("would remove one").expect_text("would remove two");
    assert_eq!(before.diff(&sandbox.full_tree()), "");
    // The newest can be resumed and stays, whatever --keep says.
    sandbox.run(&["runs", "prune", "--keep", "0"]).expect_code(0);
    assert_eq!(names(&sandbox), ["three"]);
    sandbox.run(&["runs", "prune", "--older-than", "1d"]).expect_code(0);
    assert_eq!(names(&sandbox), [""; 0]);
}
