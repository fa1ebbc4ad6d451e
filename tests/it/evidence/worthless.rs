//! Tests that a task writes count only if they can fail.

use super::*;

#[test]
fn tests_that_assert_true_do_not_count() {
    let task = add_mul("self.assertTrue(True)").version(vec![]);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &["tests/test_mul.py", "does not count"]);
    let run = world.sandbox.last_run();
    assert!(
        worths(&run).contains(&("tests/test_mul.py".into(), "worthless".into())),
        "{}",
        story(&run)
    );
    // The suite that judges the task has nothing to say about the change either.
    assert_eq!(findings(&run), ["always_true"], "{}", story(&run));
    // The repair is told exactly why.
    let repair = repair_of(&world);
    assert!(repair.contains("pass without your change and survive every mutant"), "{repair}");
    assert!(repair.contains("tests/test_mul.py (test_multiplies)"), "{repair}");
}

#[test]
fn tests_that_are_made_to_fail_by_the_repair_count() {
    let better = FileWrite::replace(
        "tests/test_mul.py",
        "self.assertTrue(True)",
        "self.assertEqual(mul(2, 3), 6)",
    );
    let task = add_mul("self.assertTrue(True)").version(vec![better]);
    let world = python(task);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    let last = worths(&run).pop().unwrap();
    assert_eq!(last, ("tests/test_mul.py".into(), "kills_mutant".into()), "{}", story(&run));
    assert!(world.sandbox.read("tests/test_mul.py").contains("mul(2, 3), 6"));
}

#[test]
fn tests_that_pass_before_the_change_and_kill_nothing_do_not_count() {
    // It calls what was there, asserts, and has nothing to do with the change.
    let text = "import os\nimport sys\nimport unittest\n\n\
                sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
                import calc\n\n\nclass MulTest(unittest.TestCase):\n    def test_adds(self):\n        \
                self.assertEqual(calc.add(4, 5), 9)\n";
    let task = PlannedTask::new("task_001", "Add mul() with tests")
        .version(vec![mul(), FileWrite::whole("tests/test_mul.py", text)])
        .version(vec![])
        .targets(&["src/calc.py", "tests/test_mul.py"])
        .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &["tests/test_mul.py", "without the change"]);
}

#[test]
fn a_test_that_fails_without_the_change_counts() {
    let fix = FileWrite::replace("src/calc.py", "return a + b", "return int(a) + int(b)");
    let test = FileWrite::replace(
        "tests/test_calc.py",
        "        self.assertEqual(add(2, 3), 5)\n",
        "        self.assertEqual(add(2, 3), 5)\n\n    def test_adds_digits(self):\n        self.assertEqual(add(\"2\", \"3\"), 5)\n",
    );
    let task = PlannedTask::new("task_001", "Make add() accept digits")
        .version(vec![fix, test])
        .targets(&["src/calc.py", "tests/test_calc.py"])
        .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_unflagged(&world, &output);
    let run = world.sandbox.last_run();
    assert_eq!(
        worths(&run),
        [("tests/test_calc.py".into(), "fails_before".into())],
        "{}",
        story(&run)
    );
    output.expect_text("tests can fail");
}

#[test]
fn a_regression_test_of_a_refactoring_counts_when_it_notices_a_fault() {
    let refactored = FileWrite::replace(
        "src/calc.py",
        "def add(a, b):\n    return a + b\n",
        "def add(a, b):\n    total = a + b\n    return total\n",
    );
    let test = FileWrite::replace(
        "tests/test_calc.py",
        "        self.assertEqual(add(2, 3), 5)\n",
        "        self.assertEqual(add(2, 3), 5)\n\n    def test_adds_negatives(self):\n        self.assertEqual(add(-2, -3), -5)\n",
    );
    let task = PlannedTask::new("task_001", "Give the sum a name")
        .version(vec![refactored, test])
        .targets(&["src/calc.py", "tests/test_calc.py"])
        .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_unflagged(&world, &output);
    let run = world.sandbox.last_run();
    assert_eq!(
        worths(&run),
        [("tests/test_calc.py".into(), "kills_mutant".into())],
        "{}",
        story(&run)
    );
}

#[test]
fn worthless_tests_beside_a_command_that_shows_the_change_are_remarked_on() {
    let task = add_mul("self.assertTrue(True)")
        .verified_by("python3 -c 'import sys; sys.path.insert(0, \"src\"); import calc; assert calc.mul(2, 3) == 6'");
    let world = python(task);
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("does not count").expect_text("Flags");
    let run = world.sandbox.last_run();
    assert_eq!(
        worths(&run)[0],
        ("tests/test_mul.py".into(), "worthless".into()),
        "{}",
        story(&run)
    );
    assert!(
        matches!(worths(&run)[1].1.as_str(), "fails_before" | "kills_mutant"),
        "{}",
        story(&run)
    );
}

#[test]
fn a_task_of_tests_alone_is_judged_by_the_code_that_it_tests() {
    for (body, code) in [("self.assertTrue(True)", 1), ("self.assertEqual(add(7, 1), 8)", 0)] {
        let text = format!(
            "import os\nimport sys\nimport unittest\n\n\
             sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
             from calc import add\n\n\nclass MoreTest(unittest.TestCase):\n    def test_more(self):\n        {body}\n"
        );
        let task =
            PlannedTask::test("task_001", "tests/test_more.py", &text, DISCOVER).version(vec![]);
        let world = python(task);
        let output = world.run_auto(&[]);
        let run = world.sandbox.last_run();
        assert_eq!(output.code, Some(code), "{body}: {output}\n{}", story(&run));
        let worth = if code == 0 { "kills_mutant" } else { "worthless" };
        assert_eq!(worths(&run)[0], ("tests/test_more.py".into(), worth.into()), "{}", story(&run));
    }
}

#[test]
fn node_tests_are_weighed() {
    for (body, code) in [("assert.ok(true);", 1), ("assert.strictEqual(mul(2, 3), 6);", 0)] {
        let source = FileWrite::whole(
            "src/calc.js",
            "function add(a, b) {\n  return a + b;\n}\n\nfunction mul(a, b) {\n  return a * b;\n}\n\nmodule.exports = { add, mul };\n",
        );
        let test = format!(
            "const test = require('node:test');\nconst assert = require('node:assert');\nconst {{ mul }} = require('../src/calc.js');\n\ntest('multiplies', () => {{\n  {body}\n}});\n"
        );
        let task = PlannedTask::new("task_001", "Add mul() with tests")
            .version(vec![source, FileWrite::whole("test/mul.test.js", test)])
            .version(vec![])
            .targets(&["src/calc.js", "test/mul.test.js"])
            .verified_by("node --test");
        let world = World::in_project(&Fixture::javascript(), planned(vec![task]));
        let output = world.run_auto(&[]);
        let run = world.sandbox.last_run();
        assert_eq!(output.code, Some(code), "{body}: {output}\n{}", story(&run));
        let worth = if code == 0 { "fails_before" } else { "worthless" };
        assert_eq!(worths(&run)[0], ("test/mul.test.js".into(), worth.into()), "{}", story(&run));
    }
}

#[test]
fn rust_tests_are_weighed_and_what_does_not_compile_is_no_failing_test() {
    for (body, code) in [("assert!(true);", 1), ("assert_eq!(super::mul(2, 3), 6);", 0)] {
        let source = FileWrite::replace(
            "src/lib.rs",
            "#[cfg(test)]\nmod tests {\n",
            format!(
                "/// Multiplies.\npub fn mul(a: i64, b: i64) -> i64 {{\n    a * b\n}}\n\n#[cfg(test)]\nmod tests {{\n    #[test]\n    fn multiplies() {{\n        {body}\n    }}\n\n"
            ),
        );
        let task = PlannedTask::new("task_001", "Add mul() with tests")
            .version(vec![source])
            .version(vec![])
            .targets(&["src/lib.rs"])
            .verified_by("cargo test --offline");
        let world = World::in_project(&Fixture::rust(), planned(vec![task]));
        let output = world.run_auto(&[]);
        let run = world.sandbox.last_run();
        assert_eq!(output.code, Some(code), "{body}: {output}\n{}", story(&run));
        let worth = if code == 0 { "kills_mutant" } else { "worthless" };
        assert_eq!(worths(&run)[0], ("src/lib.rs".into(), worth.into()), "{}", story(&run));
    }
}

#[test]
fn weighing_leaves_no_trace_and_replays() {
    let world = python(add_mul("self.assertEqual(mul(2, 3), 6)"));
    world.run_auto(&[]).expect_code(0);
    let status = world.sandbox.git_status();
    assert_eq!(status, [" M src/calc.py", "?? tests/test_mul.py"]);
    let left: Vec<_> = std::fs::read_dir(world.sandbox.path("tmp")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    world.sandbox.run(&["replay", "last"]).expect_code(0);
}

#[test]
fn a_run_that_dies_while_it_weighs_goes_on_where_it_was() {
    let rehearsal = python(add_mul("self.assertEqual(mul(2, 3), 6)"));
    rehearsal.run_auto(&[]).expect_code(0);
    let events = rehearsal.sandbox.last_run().events();
    let of_trials: Vec<&Value> = events
        .iter()
        .filter(|event| event["kind"] == "counter" || event["type"] == "workspace.tests_weighed")
        .collect();
    assert!(of_trials.len() >= 3, "{}", story(&rehearsal.sandbox.last_run()));
    for event in of_trials {
        // Just after the trial was begun, and just after it was recorded.
        for seq in [event["seq"].as_u64().unwrap() - 1, event["seq"].as_u64().unwrap()] {
            let world = python(add_mul("self.assertEqual(mul(2, 3), 6)"));
            let args = ["run", crate::support::GOAL, "--auto"];
            let killed = world.sandbox.sage(&args).env(crate::support::KILL_AFTER, seq.to_string());
            assert_eq!(killed.run().signal, Some(9));
            world.resume().expect_code(0);
            let run = world.sandbox.last_run();
            assert_eq!(
                worths(&run),
                [("tests/test_mul.py".into(), "kills_mutant".into())],
                "{}",
                story(&run)
            );
            assert_eq!(world.calls().len(), 2, "no model call is paid twice");
            assert_eq!(world.sandbox.git_status(), [" M src/calc.py", "?? tests/test_mul.py"]);
        }
    }
}

#[test]
fn every_claim_can_be_looked_up() {
    let mut world = python(add_mul("self.assertEqual(mul(2, 3), 6)"));
    world.sandbox.env("SAGE_RUN_OUTPUT", "full");
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("Evidence").expect_text("accepted: PYTHONPATH=src python3");
    output.expect_text("exit 0").expect_text("tests can fail");
    let said = output.all();
    let look = said.split("sage log ").nth(1).unwrap();
    let words: Vec<&str> =
        look.split(|c: char| c.is_whitespace() || ",)".contains(c)).take(3).collect();
    let shown = world.sandbox.run(&["log", words[0], words[1], words[2]]);
    shown.expect_code(0).expect_text(&format!("#{}", words[2]));
    world.sandbox.run(&["log", "last", "--seq", "99999"]).expect_code(2);
    let json = world.sandbox.run(&["runs", "show", "last", "--json"]);
    let shown: Value = json.json_lines().remove(0);
    assert_eq!(shown["tests"]["weighed"][0]["worth"], "kills_mutant", "{shown}");
}

#[test]
fn a_boast_without_a_run_is_shown_as_such() {
    // It writes something, says that all tests pass, and nothing was run.
    let task = PlannedTask::new("task_001", "notes; all tests pass")
        .version(vec![FileWrite::whole("docs/a.md", "a\n")])
        .targets(&["docs/a.md"]);
    let world = World::in_project(&Fixture::plain_folder(), planned(vec![task]));
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("all tests pass is done (claimed, not shown)");
    output.expect_text("no test or command verified this");
    // It changes nothing at all, and boasts.
    let task = PlannedTask::new("task_001", "the fix; all tests pass")
        .version(vec![])
        .targets(&["src/calc.py"])
        .verified_by(DISCOVER);
    let world = python(task);
    let output = world.run_auto(&[]);
    assert_caught(&world, &output, &["nothing was changed", "claimed, not shown"]);
}
