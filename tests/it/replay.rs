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

#[test]
fn a_run_that_was_killed_and_taken_up_replays_like_any_other() {
    let make = || {
        World::new(planned(vec![
            PlannedTask::file("task_001", "a.txt", "a\n").verified_by("test -s a.txt"),
            PlannedTask::file("task_002", "b.txt", "b\n").after(&["task_001"]),
        ]))
    };
    let rehearsal = make();
    rehearsal.run_auto(&[]).expect_code(0);
    for kind in ["model.called", "workspace.checked", "tool.called"] {
        let events = rehearsal.sandbox.last_run().events();
        let event = events.iter().rfind(|event| event["type"] == kind).unwrap();
        let world = make();
        let args = ["run", crate::support::GOAL, "--auto"];
        let killed =
            world.sandbox.sage(&args).env(crate::support::KILL_AFTER, event["seq"].to_string());
        assert_eq!(killed.run().signal, Some(9));
        world.resume().expect_code(0);
        let output = world.sandbox.run(&["replay", "last", "--json"]);
        assert_eq!(output.code, Some(0), "killed after {kind}: {output}");
    }
}

#[test]
fn a_run_that_was_given_a_larger_budget_replays_to_its_end() {
    let world = World::new(planned(vec![
        PlannedTask::file("task_001", "a.txt", "a\n"),
        PlannedTask::file("task_002", "b.txt", "b\n").after(&["task_001"]),
    ]));
    world.run_auto(&["--max-calls", "2"]).expect_code(6);
    world.sandbox.run(&["resume", "--max-calls", "20"]).expect_code(0);
    world.sandbox.run(&["replay", "last"]).expect_code(0);
}

#[test]
fn a_plan_that_was_edited_in_its_review_is_edited_again() {
    let mut world = World::new(PlannedBrain::hello());
    let editor = world.sandbox.path("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i 's/Write src/Carefully write src/' \"$1\"\n")
        .unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.sandbox.env("EDITOR", editor.to_string_lossy());
    let patience = std::time::Duration::from_secs(30);
    let mut terminal = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL]).on_terminal();
    terminal.expect("[a]", patience);
    terminal.send("e\n");
    terminal.expect("Carefully write", patience);
    terminal.expect("[a]", patience);
    terminal.send("a\n");
    assert_eq!(terminal.wait(patience), Some(0), "{}", terminal.screen());
    world.sandbox.run(&["replay", "last"]).expect_code(0);
}

#[test]
fn tasks_side_by_side_replay_as_they_were_whoever_was_first() {
    let task = |n: usize| PlannedTask::file(&format!("task_{n}"), &format!("{n}.txt"), "a\n");
    let world = World::new(planned((1..=6).map(task).collect()));
    world.run_auto(&[]).expect_code(0);
    for _ in 0..3 {
        world.sandbox.run(&["replay", "last"]).expect_code(0);
    }
}
