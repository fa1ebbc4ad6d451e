//! The task loop on real projects of several languages, with their real test runners: a first patch
//! that is wrong is shown to be wrong, repaired, and proved, whichever way the model acts and whether
//! or not the plan names a command. The work tree ends with the change and nothing else.

mod folders;
mod samples;

use std::fs;
use std::path::Path;

use sage_testkit::{CliSandbox, Output, PlannedTask, RunFolder};
use serde_json::Value;

use crate::support::{World, assert_succeeded, planned, story};
use samples::{GO, JAVASCRIPT, PYTHON, RUST, Sample};

/// How the model acts.
#[derive(Clone, Copy, PartialEq)]
enum Acts {
    Natively,
    InText,
}

/// Panics unless the machine has these programs: a language is never passed over in silence.
fn need(programs: &[&str]) {
    let shell = CliSandbox::new("/bin/sh");
    for program in programs {
        let found = shell.run(&["-c", &format!("command -v {program}")]);
        assert_eq!(
            found.code,
            Some(0),
            "{program} is not installed; `./startup.sh test` installs what the tests need"
        );
    }
}

fn world(sample: &Sample, tested: bool, tasks: Vec<PlannedTask>, acts: Acts) -> World {
    need(sample.programs);
    let project = if tested { sample.tested_project() } else { sample.project() };
    let world = with_caches(World::in_project(&project, planned(tasks)));
    if acts == Acts::InText { world.text_protocol() } else { world }
}

/// Go builds its standard library once per cache, which takes longer than all of these tests.
fn with_caches(mut world: World) -> World {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
    fs::create_dir_all(&cache).unwrap();
    world.sandbox.env("GOCACHE", cache.to_str().unwrap());
    world
}

/// The checks of one command, in order.
fn checks_of(run: &RunFolder, command: &str) -> Vec<Value> {
    let mut checks = run.of_type("workspace.checked");
    checks.retain(|check| check["command"] == command);
    checks
}

/// The command was seen to fail, and to pass at the end by running tests.
#[track_caller]
fn assert_failed_then_passed(run: &RunFolder, command: &str, kind: &str) {
    let checks = checks_of(run, command);
    assert!(checks.len() >= 2, "{command} ran twice:\n{}", story(run));
    assert_eq!(checks[0]["passed"], false, "{}", story(run));
    assert_ne!(checks[0]["exit_code"], 0, "{}", story(run));
    let last = &checks[checks.len() - 1];
    assert_eq!((&last["passed"], &last["exit_code"]), (&true.into(), &0.into()), "{}", story(run));
    assert!(last["n_tests"].as_u64() >= Some(1), "{last}\n{}", story(run));
    assert_eq!(checks[0]["kind"], kind, "{}", story(run));
}

#[track_caller]
fn assert_repaired(world: &World, sample: &Sample, output: &Output) {
    let run = world.sandbox.last_run();
    let phases = run.of_type("node.entered_phase");
    assert!(phases.iter().any(|event| event["phase"] == "repair"), "{}", story(&run));
    let routed = run.of_type("model.routed");
    assert!(routed.iter().any(|event| event["role"] == "debugger"), "{}", story(&run));
    let code = world.sandbox.read(sample.code);
    assert!(code.contains(sample.right) && !code.contains(sample.wrong), "{output}");
    // The repair was told which test failed.
    let repair = world.calls().pop().unwrap().transcript();
    assert!(repair.contains(sample.test_name), "{repair}");
    output.expect_text("passed");
}

/// The run again from its record, with the real runners: it goes the same way, and changes nothing.
#[track_caller]
fn assert_replays(world: &World) {
    let before = world.sandbox.tree();
    world.sandbox.run(&["replay"]).expect_code(0).expect_text("same:");
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

/// A test of the project fails, and nobody names a command: the project's own verification judges.
fn check_unnamed(sample: &Sample, acts: Acts) {
    let world = world(sample, true, vec![sample.coding()], acts);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &["task_001"]);
    assert_failed_then_passed(&run, sample.detected, "project");
    assert_repaired(&world, sample, &output);
    assert_eq!(world.sandbox.git_status(), [format!(" M {}", sample.code)], "{output}");
    assert_replays(&world);
}

/// A test that the plan has written fails: the file itself is run, and then what the plan names.
fn check_named(sample: &Sample, acts: Acts) {
    let mut tasks = sample.coding_then_testing();
    let testing = tasks.pop().unwrap().verified_by(sample.named);
    tasks.push(testing);
    let world = world(sample, false, tasks, acts);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &["task_001", "task_002"]);
    assert_failed_then_passed(&run, sample.named, "acceptance");
    // The last word is the whole project's.
    let last = checks_of(&run, sample.detected).pop().expect("the project is verified");
    assert_eq!((&last["passed"], &last["node"]), (&true.into(), &"@run".into()), "{}", story(&run));
    assert_repaired(&world, sample, &output);
    let expected = [format!(" M {}", sample.code), format!("?? {}", sample.test.0)];
    assert_eq!(world.sandbox.git_status(), expected, "{output}");
}

/// A test that the plan has written fails, and nobody names a command: the file itself is run.
fn check_generated(sample: &Sample, acts: Acts) {
    let world = world(sample, false, sample.coding_then_testing(), acts);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &["task_001", "task_002"]);
    let mut generated = run.of_type("workspace.checked");
    generated.retain(|check| check["kind"] == "generated_test");
    let command = generated.first().map(|check| check["command"].clone()).unwrap_or_default();
    assert_failed_then_passed(&run, command.as_str().unwrap(), "generated_test");
    assert_repaired(&world, sample, &output);
    let expected = [format!(" M {}", sample.code), format!("?? {}", sample.test.0)];
    assert_eq!(world.sandbox.git_status(), expected, "{output}");
}

#[test]
fn rust_is_repaired_by_the_projects_own_tests_through_tool_calls() {
    check_unnamed(&RUST, Acts::Natively);
}

#[test]
fn rust_is_repaired_by_named_tests_in_text() {
    check_named(&RUST, Acts::InText);
}

#[test]
fn rust_is_repaired_by_generated_tests_through_tool_calls() {
    check_generated(&RUST, Acts::Natively);
}

#[test]
fn python_is_repaired_by_the_projects_own_tests() {
    check_unnamed(&PYTHON, Acts::Natively);
    check_unnamed(&PYTHON, Acts::InText);
}

#[test]
fn python_is_repaired_by_named_and_by_generated_tests() {
    check_named(&PYTHON, Acts::Natively);
    check_named(&PYTHON, Acts::InText);
    check_generated(&PYTHON, Acts::InText);
}

#[test]
fn javascript_is_repaired_by_the_projects_own_tests() {
    check_unnamed(&JAVASCRIPT, Acts::Natively);
    check_unnamed(&JAVASCRIPT, Acts::InText);
}

#[test]
fn javascript_is_repaired_by_named_and_by_generated_tests() {
    check_named(&JAVASCRIPT, Acts::Natively);
    check_named(&JAVASCRIPT, Acts::InText);
    check_generated(&JAVASCRIPT, Acts::Natively);
}

#[test]
fn go_is_repaired_by_the_projects_own_tests() {
    check_unnamed(&GO, Acts::Natively);
    check_unnamed(&GO, Acts::InText);
}

#[test]
fn go_is_repaired_by_named_and_by_generated_tests() {
    check_named(&GO, Acts::Natively);
    check_named(&GO, Acts::InText);
    check_generated(&GO, Acts::InText);
}
