//! Projects that are not as one would wish: without tests or git, with tests that fail already, with
//! runners that are not installed, in several languages at once.

use std::fs;

use sage_core::AgentRole;
use sage_testkit::{FileWrite, Fixture, Output, PlannedTask};
use serde_json::{Value, json};

use super::samples::{GO, JAVASCRIPT, PYTHON, RUST};
use super::{Acts, World, checks_of, need, planned, with_caches};
use crate::support::{GOAL, KILL_AFTER, assert_succeeded, story};

fn world(project: &Fixture, tasks: Vec<PlannedTask>, acts: Acts) -> World {
    let world = with_caches(World::in_project(project, planned(tasks)));
    if acts == Acts::InText { world.text_protocol() } else { world }
}

/// Runs where there is no git. The project is named: whatever folders above it are marked as.
fn run_without_git(world: &World) -> Output {
    let project = world.sandbox.project();
    fs::remove_dir_all(project.join(".git")).unwrap();
    world.run_auto(&["--repo", project.to_str().unwrap()])
}

/// Nothing of a run stays in the folder for temporary files.
fn assert_no_copies(world: &World) {
    let left = fs::read_dir(world.sandbox.path("tmp")).unwrap().flatten();
    let left: Vec<_> =
        left.map(|e| e.file_name()).filter(|n| n.to_string_lossy().starts_with("sage-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_folder_without_tests_or_git_is_worked_in_and_left_as_a_folder() {
    for acts in [Acts::Natively, Acts::InText] {
        let note = FileWrite::replace("notes.txt", "Remember the milk.\n", "Remember the tea.\n");
        let tasks = vec![
            PlannedTask::file("task_001", "list.txt", "tea\n"),
            PlannedTask::new("task_002", "Correct the note")
                .targets(&["notes.txt"])
                .version(vec![note])
                .by(AgentRole::Documentation),
        ];
        let world = world(&Fixture::plain_folder(), tasks, acts);
        let before = world.sandbox.tree();
        let output = run_without_git(&world);
        output.expect_code(0);
        assert_succeeded(&world.sandbox.last_run(), &["task_001", "task_002"]);
        assert_eq!(world.sandbox.tree().files(), ["list.txt", "notes.txt"]);
        assert_eq!(world.sandbox.read("notes.txt"), "Remember the tea.\n");
        assert!(!world.sandbox.exists(".git"));
        // Success without evidence says so.
        output.expect_text("no test or command verified this");
        world.sandbox.run(&["undo"]).expect_code(0);
        assert_eq!(before.diff(&world.sandbox.tree()), "");
    }
}

#[test]
fn a_folder_without_tests_or_git_gets_its_first_tests_and_they_count() {
    let code = |body: &str| format!("def half(n):\n    return {body}\n");
    let test = "from half import half\n\n\ndef test_half():\n    assert half(7) == 3.5\n";
    let tasks = vec![
        PlannedTask::file("task_001", "half.py", &code("n // 2")),
        PlannedTask::file("task_002", "test_half.py", test)
            .by(AgentRole::TestEngineer)
            .after(&["task_001"])
            .version(vec![FileWrite::whole("half.py", code("n / 2"))]),
    ];
    for acts in [Acts::Natively, Acts::InText] {
        let world = world(&Fixture::plain_folder(), tasks.clone(), acts);
        let output = run_without_git(&world);
        output.expect_code(0).expect_text("1 test passed");
        let run = world.sandbox.last_run();
        assert_succeeded(&run, &["task_001", "task_002"]);
        let mut checks = run.of_type("workspace.checked");
        checks.retain(|check| check["kind"] == "generated_test");
        let passed: Vec<&Value> = checks.iter().map(|check| &check["passed"]).collect();
        assert_eq!(passed, [&json!(false), &json!(true)], "{}", story(&run));
        assert_eq!(world.sandbox.tree().files(), ["half.py", "notes.txt", "test_half.py"]);
    }
}

/// The shop with a test that fails, whatever a task does.
fn faulty_shop() -> Fixture {
    let test = "import unittest\n\n\nclass Known(unittest.TestCase):\n    \
                def test_known_fault(self):\n        self.assertEqual(1, 2)\n";
    PYTHON.project().file("tests/test_known.py", test)
}

const MONEY_TESTS: &str = "python3 -m unittest tests.test_money";

/// A correct change of the shop that its fault has nothing to do with.
fn sound_change() -> PlannedTask {
    let was = "    return int(whole) * 100 + (int(cents) if dot else 0)\n";
    let is = "    return int(whole) * 100 + (int(cents) if cents else 0)\n";
    let edit = FileWrite::replace("shop/money.py", was, is);
    PlannedTask::new("task_001", "Simplify parse").targets(&["shop/money.py"]).version(vec![edit])
}

/// Runs on the faulty shop; returns the checks of the whole project before and after, by position.
fn run_in_faulty_shop(tasks: Vec<PlannedTask>, more: &[&str]) -> (World, Output, [Value; 2]) {
    let world = world(&faulty_shop(), tasks, Acts::Natively);
    let output = world.run_auto(more);
    let run = world.sandbox.last_run();
    let mut checks = checks_of(&run, "python3 -m unittest");
    checks.retain(|check| check["node"] == "@run");
    checks.sort_by_key(|check| check["attempt"].as_u64());
    let checks: [Value; 2] =
        checks.try_into().unwrap_or_else(|checks| panic!("{checks:?}\n{}", story(&run)));
    assert_no_copies(&world);
    (world, output, checks)
}

#[test]
fn a_fault_from_before_the_run_is_told_and_not_blamed_on_it() {
    for more in [&[][..], &["--full"]] {
        let task = sound_change().verified_by(MONEY_TESTS);
        let (world, output, [before, after]) = run_in_faulty_shop(vec![task], more);
        output.expect_code(0).expect_text("fails as it did before the run");
        output.expect_text("before the run, log").expect_text("after the last task, log");
        let run = world.sandbox.last_run();
        assert_succeeded(&run, &["task_001"]);
        for check in [&before, &after] {
            assert_eq!((&check["passed"], &check["n_tests"]), (&json!(false), &json!(6)));
        }
        // Only --full pays for the whole suite before it is known that something fails.
        let first_change = run.of_type("workspace.changed")[0]["seq"].as_u64();
        assert_eq!(before["seq"].as_u64() < first_change, more == ["--full"], "{}", story(&run));
        assert_eq!(world.sandbox.git_status(), [" M shop/money.py"]);
        let metrics = crate::support::metrics(&world.sandbox);
        assert_eq!(metrics["exit_code"], 0);
    }
}

#[test]
fn a_fault_from_before_the_run_excuses_nothing_that_nothing_else_shows() {
    // The project's tests are all there is to judge by, and they fail.
    for (more, expected) in [
        (&[][..], "`python3 -m unittest` fails as it did before the run"),
        (&["--full"], "`python3 -m unittest` exited 1, as before the run"),
    ] {
        let (world, output, _) = run_in_faulty_shop(vec![sound_change().version(vec![])], more);
        output.expect_code(1).expect_text(expected);
        assert_eq!(world.sandbox.git_status(), [""; 0], "{output}");
    }
    // Two at a time are judged at the end only.
    let other = PlannedTask::file("task_002", "shop/vat.py", "RATE = 20\n");
    let (_, output, _) = run_in_faulty_shop(vec![sound_change(), other], &[]);
    output.expect_code(1).expect_text("nothing else shows that task_001, task_002 is done");
}

#[test]
fn a_new_fault_beside_an_old_one_is_the_runs_own() {
    for more in [&[][..], &["--full"]] {
        // What the plan's command tests still works; the cart does not.
        let breaks = FileWrite::replace("shop/cart.py", "price(name) * quantity", "price(name)");
        let task = PlannedTask::new("task_001", "Break the cart")
            .targets(&["shop/cart.py"])
            .verified_by(MONEY_TESTS)
            .version(vec![breaks]);
        let (world, output, _) = run_in_faulty_shop(vec![task], more);
        output.expect_code(1).expect_text("`python3 -m unittest` fails after the last task");
        assert!(!output.all().contains("as it did before"), "{output}");
        assert_eq!(world.sandbox.git_status(), [" M shop/cart.py"], "the task itself is done");
    }
}

#[test]
fn a_run_that_dies_while_it_looks_back_ends_like_one_that_does_not() {
    let task = || sound_change().verified_by(MONEY_TESTS);
    let (undisturbed, _, [before, after]) = run_in_faulty_shop(vec![task()], &[]);
    let code = undisturbed.sandbox.read("shop/money.py");
    let (from, to) = (after["seq"].as_u64().unwrap(), before["seq"].as_u64().unwrap() + 1);
    assert!(to > from + 2, "it looks back after it has seen the fault");
    for seq in from..=to {
        let world = world(&faulty_shop(), vec![task()], Acts::Natively);
        let args = ["run", GOAL, "--auto"];
        let killed = world.sandbox.sage(&args).env(KILL_AFTER, seq.to_string()).run();
        assert_eq!(killed.signal, Some(9), "{killed}");
        let output = world.resume();
        output.expect_code(0).expect_text("fails as it did before the run");
        assert_succeeded(&world.sandbox.last_run(), &["task_001"]);
        assert_eq!(world.sandbox.read("shop/money.py"), code);
        assert_no_copies(&world);
    }
}

fn jest_project() -> Fixture {
    let manifest = "{\"name\": \"x\", \"scripts\": {\"test\": \"jest\"}, \
                    \"devDependencies\": {\"jest\": \"^29\"}}\n";
    Fixture::default()
        .file("package.json", manifest)
        .file("cart.js", "module.exports = 1;\n")
        .file("cart.test.js", "test('x', () => { expect(require('./cart')).toBe(1); });\n")
}

#[test]
fn tests_whose_runner_is_not_installed_are_no_evidence() {
    need(&["node", "npm"]);
    let missing = "the test script of package.json needs node_modules, which are not installed";
    let code = || PlannedTask::file("task_001", "total.js", "module.exports = 2;\n");
    let world_of = |tasks| world(&jest_project(), tasks, Acts::Natively);
    // Code alone: done, and said to be unverified.
    let world = world_of(vec![code()]);
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text(&format!("no test or command verified this: {missing}"));
    assert_eq!(world.sandbox.git_status(), ["?? total.js"]);
    // Tests that were written and never ran: not done, and said why.
    let test = "test('t', () => { expect(require('./total')).toBe(2); });\n";
    let testing = PlannedTask::file("task_002", "total.test.js", test)
        .by(AgentRole::TestEngineer)
        .after(&["task_001"]);
    let world = world_of(vec![code(), testing]);
    let output = world.run_auto(&[]);
    output.expect_code(1).expect_text("total.test.js was written and could not be run");
    output.expect_text(missing);
    assert_eq!(world.sandbox.git_status(), ["?? total.js"]);
    let testers = world.calls_by_role();
    assert_eq!(testers.len(), 3, "no repair can install a runner: {testers:?}");
}

#[test]
fn tests_written_for_pytest_run_without_it() {
    let project = Fixture::default()
        .file("pyproject.toml", "[project]\nname = \"calc\"\nversion = \"0.1.0\"\n")
        .file("src/calc/__init__.py", "def half(n):\n    return n // 2\n")
        .file("tests/test_calc.py", "from calc import half\n\n\ndef test_half():\n    assert half(7) == 3.5\n\n\nclass TestMore:\n    def test_zero(self):\n        assert half(0) == 0\n")
        .file(".gitignore", "/.venv/\n")
        // The project's own environment, which has nothing but Python, whatever the machine has.
        .bytes(".venv/bin/python", b"#!/bin/sh\nexec python3 -S \"$@\"\n", 0o755);
    let code = |body: &str| format!("def half(n):\n    return {body}\n");
    let task = PlannedTask::new("task_001", "Make half exact")
        .targets(&["src/calc/__init__.py"])
        .version(vec![FileWrite::whole("src/calc/__init__.py", code("round(n / 2)"))])
        .version(vec![FileWrite::whole("src/calc/__init__.py", code("n / 2"))]);
    for acts in [Acts::Natively, Acts::InText] {
        let world = world(&project, vec![task.clone()], acts);
        let output = world.run_auto(&[]);
        output.expect_code(0).expect_text("2 tests passed");
        let run = world.sandbox.last_run();
        assert_succeeded(&run, &["task_001"]);
        let command = "PYTHONPATH=src .venv/bin/python -m pytest -q (built-in runner)";
        super::assert_failed_then_passed(&run, command, "project");
        assert_eq!(checks_of(&run, command)[0]["n_tests"], 2, "{}", story(&run));
        assert_eq!(world.sandbox.git_status(), [" M src/calc/__init__.py"], "{output}");
    }
}

#[test]
fn a_project_in_two_languages_is_verified_in_both() {
    need(&["node", "npm"]);
    let test = "import assert from \"node:assert/strict\";\nimport test from \"node:test\";\n\n\
                import { show } from \"./show.js\";\n\n\
                test(\"cents are shown\", () => assert.equal(show(5), \"0.05\"));\n";
    let show = |body: &str| format!("export const show = (cents) => {body};\n");
    let project = PYTHON
        .project()
        .file(
            "web/package.json",
            "{\"type\": \"module\", \"scripts\": {\"test\": \"node --test\"}}\n",
        )
        .file("web/show.js", &show("(cents / 100).toFixed(2)"))
        .file("web/show.test.js", test);
    let task = PlannedTask::new("task_001", "Show without floats")
        .targets(&["web/show.js", "shop/money.py"])
        .version(vec![
            FileWrite::whole("web/show.js", show("`${Math.floor(cents / 100)}.${cents % 100}`")),
            FileWrite::replace("shop/money.py", "    sign = \"-\"", "    sign = \"\""),
        ])
        .version(vec![FileWrite::whole(
            "web/show.js",
            show("`${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, \"0\")}`"),
        )]);
    let world = world(&project, vec![task], Acts::Natively);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    super::assert_failed_then_passed(&run, "cd web && npm test", "project");
    let python = checks_of(&run, "python3 -m unittest");
    assert!(python.last().is_some_and(|check| check["passed"] == true), "{}", story(&run));
    assert!(python.iter().all(|check| check["n_tests"].as_u64() >= Some(5)), "{}", story(&run));
    assert_eq!(world.sandbox.git_status(), [" M shop/money.py", " M web/show.js"], "{output}");
}

#[test]
fn projects_in_folders_beside_each_other_are_all_verified() {
    need(&["node", "npm", "go"]);
    let project = Fixture::default()
        .file("README.md", "Three services.\n")
        .inside("api", &PYTHON.project().file("requirements.txt", ""))
        .inside("web", &JAVASCRIPT.project())
        .inside("clock", &GO.project());
    let edit = FileWrite::replace("README.md", "Three services.\n", "3 services.\n");
    let task = PlannedTask::new("task_001", "Use digits")
        .targets(&["README.md"])
        .by(AgentRole::Documentation)
        .version(vec![edit]);
    let world = world(&project, vec![task], Acts::InText);
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("7 tests passed");
    let run = world.sandbox.last_run();
    for (command, n_tests) in [
        ("cd api && python3 -m unittest", 5),
        ("cd web && npm test", 1),
        ("cd clock && go test ./...", 1),
    ] {
        let checks = checks_of(&run, command);
        assert_eq!(checks.len(), 1, "{command}\n{}", story(&run));
        assert_eq!(
            (&checks[0]["passed"], &checks[0]["n_tests"]),
            (&json!(true), &json!(n_tests)),
            "{}",
            story(&run)
        );
    }
    assert_eq!(world.sandbox.git_status(), [" M README.md"]);
}

#[test]
fn what_building_leaves_behind_is_neither_refused_nor_left() {
    // The sample ignores nothing: a build makes a lock file and a folder.
    let task = RUST.coding().looking("run", &json!({"command": "cargo test --test count"}));
    let world = world(&RUST.project(), vec![task.version(vec![])], Acts::Natively);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    assert!(run.of_type("tool.refused").is_empty(), "{}", story(&run));
    let ran = run.of_type("tool.finished");
    assert!(ran.iter().any(|done| done["tool"] == "run" && done["ok"] == true), "{}", story(&run));
    assert_eq!(world.sandbox.git_status(), [" M src/lib.rs"], "{output}");
    assert!(!world.sandbox.exists("target") && !world.sandbox.exists("Cargo.lock"));
}

#[test]
fn a_lock_file_in_the_repository_follows_its_manifest() {
    let lock = |version| {
        format!("version = 4\n\n[[package]]\nname = \"sample-words\"\nversion = \"{version}\"\n")
    };
    let about = "# This file is automatically @generated by Cargo.\n\
                 # It is not intended for manual editing.\n";
    let project = RUST
        .project()
        .file("Cargo.lock", &format!("{about}{}", lock("0.1.0")))
        .file(".gitignore", "/target\n");
    let edit = FileWrite::replace("Cargo.toml", "version = \"0.1.0\"", "version = \"0.2.0\"");
    let task = PlannedTask::new("task_001", "Set the version to 0.2.0")
        .targets(&["Cargo.toml"])
        .version(vec![edit]);
    let world = world(&project, vec![task], Acts::Natively);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    assert_eq!(world.sandbox.git_status(), [" M Cargo.lock", " M Cargo.toml"], "{output}");
    assert!(world.sandbox.read("Cargo.lock").contains(&lock("0.2.0")[12..]));
    // What is ignored is the person's own and stays.
    assert!(world.sandbox.exists("target/CACHEDIR.TAG"));
    world.sandbox.run(&["undo"]).expect_code(0);
    assert_eq!(world.sandbox.git_status(), [""; 0]);
}
