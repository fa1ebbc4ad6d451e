//! `sage replay`: the recorded run again, with the recorded answers and no network.

use sage_testkit::{FakeOpenAi, Fixture, ModelsYaml, PlannedBrain, PlannedTask};
use serde_json::Value;

use crate::support::{World, planned, sandbox};

/// A finished run whose provider is gone.
fn finished() -> sage_testkit::CliSandbox {
    let server = FakeOpenAi::start(PlannedBrain::hello());
    let mut sandbox = sandbox();
    Fixture::delicate_files().lay_into(&sandbox);
    sandbox.git_init();
    sandbox.models(&ModelsYaml::openai(&server.url()));
    sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).expect_code(0);
    sandbox
}

#[test]
fn a_replay_is_the_same_without_any_provider_and_changes_nothing() {
    let sandbox = finished();
    let before = sandbox.tree();
    let events = sandbox.last_run().events();
    let output = sandbox.run(&["replay", "last"]);
    output.expect_code(0);
    assert_eq!(before.diff(&sandbox.tree()), "");
    assert_eq!(sandbox.runs().len(), 1, "a replay is no run of the project");
    assert_eq!(sandbox.last_run().events(), events);
}

#[test]
fn a_replay_with_a_changed_rule_reports_the_first_difference() {
    let sandbox = finished();
    sandbox.write(".sage/rules.md", "- Greet in Latin.\n");
    let output = sandbox.run(&["replay", "last"]);
    output.expect_code(1).expect_text("differ");
}

#[test]
fn a_replay_with_a_broken_tool_reports_the_first_difference() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("lucky-number");
    let mut world = World::new(planned(vec![task]));
    // A program of the user's that works today and not tomorrow.
    let folder = world.sandbox.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("lucky-number");
    std::fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
    world.sandbox.env("PATH", path);
    world.run_auto(&[]).expect_code(0);
    world.sandbox.run(&["replay", "last"]).expect_code(0);
    std::fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
    let n_calls = world.calls().len();
    let output = world.sandbox.run(&["replay", "last"]);
    output.expect_code(1).expect_text("lucky-number");
    assert_eq!(world.calls().len(), n_calls, "a replay asks no model");
}

#[test]
fn a_replay_can_be_read_by_a_program() {
    let sandbox = finished();
    let output = sandbox.run(&["replay", "last", "--json"]);
    output.expect_code(0);
    let lines: Vec<Value> = output.json_lines();
    assert!(!lines.is_empty(), "{output}");
}

#[test]
fn an_unknown_run_is_refused_with_the_ones_there_are() {
    let sandbox = finished();
    let output = sandbox.run(&["replay", "1999"]);
    assert!(matches!(output.code, Some(2 | 4)), "{output}");
    output.expect_text("1999");
}
