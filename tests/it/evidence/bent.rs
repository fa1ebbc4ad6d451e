//! Tests that were there, and what runs them, are not bent without being asked for.

use super::*;

const TEST: &str = "tests/test_calc.py";
const ASSERTION: &str = "self.assertEqual(add(2, 3), 5)";

/// Breaks `add`, and does this to its test; the repair does nothing.
fn breaks_add(writes: Vec<FileWrite>) -> PlannedTask {
    let broken = FileWrite::replace("src/calc.py", "return a + b", "return a - b");
    let mut all = vec![broken];
    all.extend(writes);
    PlannedTask::new("task_001", "Make add() faster")
        .version(all)
        .version(vec![])
        .targets(&["src/calc.py"])
        .with("paths", serde_json::json!(["**"]))
        .verified_by("python3 -m unittest discover -s tests")
}

#[track_caller]
fn check_bent(writes: Vec<FileWrite>, kind: &str, words: &str) {
    let world = python(breaks_add(writes));
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &[words, "tampered"]);
    let run = world.sandbox.last_run();
    assert!(findings(&run).contains(&kind.to_owned()), "{kind}: {}", story(&run));
    // The repair is told what to put back.
    let repair = repair_of(&world);
    assert!(repair.contains("Put them back as they were"), "{repair}");
}

fn in_test(search: &str, replace: &str) -> Vec<FileWrite> {
    vec![FileWrite::replace(TEST, search, replace)]
}

#[test]
fn deleting_a_failing_test_is_caught() {
    let gone =
        in_test("    def test_adds(self):\n        self.assertEqual(add(2, 3), 5)\n", "    pass\n");
    check_bent(gone, "test_deleted", "test deleted");
}

#[test]
fn deleting_a_file_of_tests_is_caught() {
    let task = breaks_add(vec![]).calling("delete", &serde_json::json!({"path": TEST}));
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &["test file deleted", "AddTest.test_adds"]);
}

#[test]
fn skipping_a_failing_test_is_caught() {
    let skipped = in_test("    def test_adds", "    @unittest.skip(\"flaky\")\n    def test_adds");
    check_bent(skipped, "test_disabled", "test disabled");
}

#[test]
fn weakening_an_assertion_is_caught() {
    check_bent(
        in_test(ASSERTION, "self.assertIsNotNone(add(2, 3))"),
        "assertion_weakened",
        "assertion weakened",
    );
}

#[test]
fn expecting_what_the_broken_code_gives_is_caught() {
    check_bent(
        in_test(ASSERTION, "self.assertEqual(add(2, 3), -1)"),
        "expectation_changed",
        "expected value changed",
    );
}

#[test]
fn forcing_the_test_command_to_succeed_is_caught() {
    let package = FileWrite::whole(
        "package.json",
        "{\n  \"name\": \"calc\",\n  \"version\": \"0.1.0\",\n  \"type\": \"commonjs\",\n  \"scripts\": {\"test\": \"node --test || true\"}\n}\n",
    );
    let broken = FileWrite::replace("src/calc.js", "a + b", "a - b");
    let task = PlannedTask::new("task_001", "Make add() faster")
        .version(vec![broken, package])
        .version(vec![])
        .targets(&["src/calc.js"])
        .with("paths", serde_json::json!(["**"]))
        .verified_by("npm test");
    let world = World::in_project(&Fixture::javascript(), planned(vec![task]));
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &["exit code forced", "|| true"]);
}

#[test]
fn a_file_that_stands_in_for_the_runner_is_caught() {
    let shadow = FileWrite::whole(
        "unittest.py",
        "print('Ran 1 test in 0.0s')\nprint('OK')\nraise SystemExit(0)\n",
    );
    check_bent(vec![shadow], "runner_shadowed", "test runner shadowed");
}

#[test]
fn a_conftest_that_leaves_tests_out_is_caught() {
    let conftest = FileWrite::whole("tests/conftest.py", "collect_ignore = [\"test_calc.py\"]\n");
    check_bent(vec![conftest], "discovery_narrowed", "left out of discovery");
}

#[test]
fn bending_a_test_in_a_lane_is_caught_as_well() {
    let anything = serde_json::json!(["**"]);
    let honest = PlannedTask::new("task_a", "Note something in src/calc.py")
        .version(vec![FileWrite::replace(
            "src/calc.py",
            "    return a + b",
            "    # Both.\n    return a + b",
        )])
        .targets(&["src/calc.py"])
        .with("paths", anything.clone())
        .verified_by(DISCOVER);
    let bent = PlannedTask::new("task_b", "Make add() faster in src/calc.py")
        .version(vec![
            FileWrite::replace("src/calc.py", "def add(a, b):", "def add(a, b, *_):"),
            FileWrite::replace(TEST, ASSERTION, "self.assertIsNotNone(add(2, 3))"),
        ])
        .version(vec![])
        .targets(&["src/calc.py"])
        .with("paths", anything)
        .verified_by(DISCOVER);
    let world = World::in_project(&Fixture::python(), planned(vec![honest, bent]));
    let output = world.sandbox.run(&["run", crate::support::GOAL, "--silent"]);
    let run = world.sandbox.last_run();
    assert!(!run.of_type("workspace.lane_opened").is_empty(), "{}", story(&run));
    output.expect_code(1).expect_text("assertion weakened");
    assert!(findings(&run).contains(&"assertion_weakened".to_owned()), "{}", story(&run));
    assert!(world.sandbox.read(TEST).contains(ASSERTION));
    assert_eq!(world.sandbox.git_status(), [" M src/calc.py"]);
}

#[test]
fn new_tests_in_a_lane_are_weighed() {
    let anything = serde_json::json!(["**"]);
    let task = |id: &str, name: &str, assertion: &str| {
        let path = format!("tests/test_{name}.py");
        let text = format!(
            "import os\nimport sys\nimport unittest\n\n\
             sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
             from {name} import {name}\n\n\nclass It(unittest.TestCase):\n    def test_it(self):\n        {assertion}\n"
        );
        let code = format!("def {name}(a):\n    return a * 3 + 1\n");
        PlannedTask::new(id, "Write a function with its test")
            .version(vec![
                FileWrite::whole(format!("src/{name}.py"), code),
                FileWrite::whole(&path, text),
            ])
            .version(vec![])
            .targets(&[&format!("src/{name}.py"), &path])
            .with("paths", anything.clone())
            .verified_by(&format!("python3 -m unittest tests/test_{name}.py"))
    };
    let tasks = vec![
        task("task_a", "one", "self.assertEqual(one(2), 7)"),
        task("task_b", "two", "self.assertTrue(True)"),
    ];
    let world = World::in_project(&Fixture::python(), planned(tasks));
    world.sandbox.run(&["run", crate::support::GOAL, "--silent"]).expect_code(1);
    let run = world.sandbox.last_run();
    assert!(!run.of_type("workspace.lane_opened").is_empty(), "{}", story(&run));
    let worths = worths(&run);
    assert!(worths.contains(&("tests/test_one.py".into(), "kills_mutant".into())), "{worths:?}");
    assert!(worths.contains(&("tests/test_two.py".into(), "worthless".into())), "{worths:?}");
    assert_eq!(world.sandbox.git_status(), ["?? src/one.py", "?? tests/test_one.py"]);
}

#[test]
fn what_is_put_back_by_the_repair_is_forgiven() {
    let weakened = FileWrite::replace(TEST, ASSERTION, "self.assertIsNotNone(add(2, 3))");
    let restored = FileWrite::replace(TEST, "self.assertIsNotNone(add(2, 3))", ASSERTION);
    let faster = FileWrite::replace("src/calc.py", "return a + b", "return b + a");
    let task = PlannedTask::new("task_001", "Make add() faster")
        .version(vec![faster, weakened])
        .version(vec![restored])
        .targets(&["src/calc.py"])
        .with("paths", serde_json::json!(["**"]))
        .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    assert_eq!(world.sandbox.git_status(), [" M src/calc.py"]);
    assert!(!output.all().contains("Flags"), "{output}");
}

#[test]
fn a_change_of_tests_that_the_plan_asks_for_is_reviewed_and_done() {
    let code = FileWrite::replace("src/calc.py", "return a + b", "return str(a + b)");
    let test = FileWrite::replace(TEST, ASSERTION, "self.assertEqual(add(2, 3), \"5\")");
    let task = PlannedTask::new(
        "task_001",
        "Let add() return text, and update the expectation in tests/test_calc.py",
    )
    .version(vec![code, test])
    .targets(&["src/calc.py", TEST])
    .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("expected value changed").expect_text("the plan asks for it");
    let calls = world.calls();
    let review =
        calls.iter().find(|call| call.role().is_some_and(|role| role.as_str() == "reviewer"));
    let review = review.expect("a reviewer was asked").transcript();
    assert!(review.contains("expected value changed"), "{review}");
}

#[test]
fn a_test_that_is_renamed_or_moved_is_not_called_deleted() {
    let code = FileWrite::replace("src/calc.py", "return a + b", "return b + a");
    let renamed = FileWrite::replace(TEST, "def test_adds(", "def test_adds_two_numbers(");
    let task = PlannedTask::new("task_001", "Tidy up")
        .version(vec![code, renamed])
        .targets(&["src/calc.py", TEST])
        .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_unflagged(&world, &output);
    assert_eq!(world.calls().len(), 2, "nobody is asked to review it: {:?}", world.calls_by_role());
}

#[test]
fn a_program_that_imitates_its_runner_is_caught() {
    let faked = FileWrite::whole(
        "tests/test_mul.py",
        "import os\n\n\ndef test_multiplies():\n    assert True\n\n\nprint(\"1 passed in 0.01s\", flush=True)\nos._exit(0)\n",
    );
    let task = PlannedTask::new("task_001", "Add mul() with tests")
        .version(vec![mul(), faked])
        .version(vec![])
        .targets(&["src/calc.py", "tests/test_mul.py"]);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &["exit code forced", "tests/test_mul.py"]);
}

#[test]
fn a_person_may_accept_a_change_of_tests_and_nobody_else() {
    let patience = std::time::Duration::from_secs(60);
    for (answer, code) in [("yes", 0), ("no", 1)] {
        let code_and_test = vec![
            FileWrite::replace("src/calc.py", "return a + b", "return str(a + b)"),
            FileWrite::replace(TEST, ASSERTION, "self.assertEqual(add(2, 3), \"5\")"),
        ];
        let task = PlannedTask::new("task_001", "Let add() return text")
            .version(code_and_test)
            .version(vec![])
            .targets(&["src/calc.py"])
            .with("paths", serde_json::json!(["**"]))
            .verified_by(DISCOVER);
        let world = python(task);
        let mut terminal = world.sandbox.sage(&["run", crate::support::GOAL]).on_terminal();
        terminal.expect("[a]", patience);
        terminal.send("a\n");
        // As often as it is asked: a repair that changes nothing asks again.
        terminal.expect("Is that as you want it?", patience);
        terminal.send(&format!("{answer}\n"));
        if code != 0 {
            terminal.expect("Is that as you want it?", patience);
            terminal.send(&format!("{answer}\n"));
        }
        let ended = terminal.wait(patience);
        assert_eq!(ended, Some(code), "{answer}: {}", terminal.screen());
        let run = world.sandbox.last_run();
        assert!(findings(&run).contains(&"expectation_changed".to_owned()), "{}", story(&run));
        world.sandbox.run(&["replay", "last"]).expect_code(0);
    }
}
