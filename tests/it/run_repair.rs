//! A first patch that is wrong: the failing test is seen and repaired, or the try is given up within
//! its bounds and taken back.

use sage_testkit::{FileWrite, Fixture, PlannedTask};

use crate::support::{World, assert_no_crash, assert_succeeded, metrics, planned, story};

const TESTS: &str = "python3 -m unittest discover -s tests";

/// A project of several files in which `mean` is missing and its test is there.
fn project() -> Fixture {
    Fixture::python()
        .file("src/stats.py", "from calc import add\n\n\ndef total(values):\n    result = 0\n    for value in values:\n        result = add(result, value)\n    return result\n")
        .file("tests/test_stats.py", "import os\nimport sys\nimport unittest\n\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\nimport stats\n\n\nclass StatsTest(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(stats.total([1, 2, 3]), 6)\n\n    def test_mean_of_three(self):\n        self.assertEqual(stats.mean([1, 2, 6]), 3)\n")
}

fn mean(body: &str) -> FileWrite {
    FileWrite::replace(
        "src/stats.py",
        "    return result\n",
        format!("    return result\n\n\ndef mean(values):\n    return {body}\n"),
    )
}

fn fixed(wrong: &str, right: &str) -> FileWrite {
    FileWrite::replace(
        "src/stats.py",
        format!("    return {wrong}\n"),
        format!("    return {right}\n"),
    )
}

fn task() -> PlannedTask {
    PlannedTask::new("task_001", "Add mean() to src/stats.py")
        .targets(&["src/stats.py"])
        .verified_by(TESTS)
}

const WRONG: &str = "total(values)";
const RIGHT: &str = "total(values) / len(values)";

fn check_repaired(world: &World) {
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &["task_001"]);
    let passed: Vec<bool> = run
        .of_type("workspace.checked")
        .iter()
        .filter(|check| check["command"].as_str().is_some_and(|line| line.contains("unittest")))
        .map(|check| check["passed"] == true)
        .collect();
    assert_eq!(passed.first(), Some(&false), "the wrong patch was tested:\n{}", story(&run));
    assert_eq!(passed.last(), Some(&true), "{}", story(&run));
    let phases = run.of_type("node.entered_phase");
    assert!(phases.iter().any(|event| event["phase"] == "repair"), "{}", story(&run));
    assert_eq!(world.sandbox.git_status(), [" M src/stats.py"], "{output}");
    assert!(world.sandbox.read("src/stats.py").contains(RIGHT));
    assert!(metrics(&world.sandbox)["debug_loop_iterations"].as_u64() >= Some(1));
    // The repair is told what failed, and what the file looks like now.
    let repair = world.calls().pop().unwrap().transcript();
    assert!(repair.contains("test_mean_of_three"), "{repair}");
    assert!(repair.contains(WRONG), "{repair}");
}

#[test]
fn a_wrong_first_patch_is_tested_and_repaired() {
    let task = task().version(vec![mean(WRONG)]).version(vec![fixed(WRONG, RIGHT)]);
    check_repaired(&World::in_project(&project(), planned(vec![task])));
}

#[test]
fn a_wrong_first_patch_is_repaired_through_the_text_protocol() {
    let task = task().version(vec![mean(WRONG)]).version(vec![fixed(WRONG, RIGHT)]);
    check_repaired(&World::in_project(&project(), planned(vec![task])).text_protocol());
}

/// Runs a model that never gets it right; returns how often it was asked.
fn check_given_up(task: PlannedTask) -> usize {
    let world = World::in_project(&project(), planned(vec![task]));
    let before = world.sandbox.tree();
    let output = world.run_auto(&[]);
    assert_no_crash(&output);
    output.expect_code(1);
    let run = world.sandbox.last_run();
    assert_eq!(before.diff(&world.sandbox.tree()), "", "the changes are taken back: {output}");
    assert_eq!(world.sandbox.git_status(), [""; 0], "{output}");
    assert_eq!(run.outcomes(), [("task_001".to_owned(), "failed".to_owned())]);
    assert!(!run.of_type("workspace.rolled_back").is_empty(), "{}", story(&run));
    output.expect_text("task_001").expect_text("unittest");
    let metrics = metrics(&world.sandbox);
    assert_eq!((&metrics["tasks_failed"], &metrics["exit_code"]), (&1.into(), &1.into()));
    world.calls().len()
}

#[test]
fn a_model_that_repeats_its_mistake_is_stopped_early() {
    let n_calls = check_given_up(task().version(vec![mean(WRONG)]).version(vec![]));
    assert!(n_calls <= 5, "{n_calls} model calls for the same failure twice");
}

#[test]
fn a_model_that_never_gets_it_right_has_three_repairs() {
    let bodies: Vec<String> = (0..12).map(|n| format!("total(values) + {n}")).collect();
    let mut task = task().version(vec![mean(&bodies[0])]);
    for pair in bodies.windows(2) {
        task = task.version(vec![fixed(&pair[0], &pair[1])]);
    }
    let n_calls = check_given_up(task);
    // The plan, the first try and three repairs, and at most as many reviews.
    assert!((5..=9).contains(&n_calls), "{n_calls} model calls");
}

#[test]
fn tasks_that_need_a_failed_one_are_skipped_and_the_others_are_done_in_silence() {
    let tasks = vec![
        task().version(vec![mean(WRONG)]).version(vec![]),
        PlannedTask::file("task_002", "docs/mean.md", "About the mean.\n").after(&["task_001"]),
        PlannedTask::file("task_003", "docs/other.md", "About the rest.\n")
            .verified_by("grep -q rest docs/other.md"),
    ];
    let world = World::in_project(&project(), planned(tasks));
    let output = world.sandbox.run(&["run", crate::support::GOAL, "--silent"]);
    output.expect_code(1);
    let mut outcomes = world.sandbox.last_run().outcomes();
    outcomes.sort();
    let expected = [("task_001", "failed"), ("task_002", "skipped"), ("task_003", "done")];
    let expected = expected.map(|(node, outcome)| (node.to_owned(), outcome.to_owned()));
    assert_eq!(outcomes, expected, "{output}");
    assert_eq!(world.sandbox.git_status(), ["?? docs/other.md"]);
}
