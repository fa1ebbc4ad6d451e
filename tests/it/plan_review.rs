//! The review of a plan by a person at a terminal: approve, reject, edit, view.

use std::time::Duration;

use sage_testkit::{PlannedBrain, Pty};
use serde_json::Value;

use crate::support::{World, assert_succeeded};

const PATIENCE: Duration = Duration::from_secs(30);

fn review(world: &World) -> Pty {
    let mut terminal = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL]).on_terminal();
    terminal.expect("task_001", PATIENCE);
    terminal.expect("[a]", PATIENCE);
    terminal
}

fn decisions(world: &World) -> Vec<Value> {
    world.sandbox.last_run().of_type("human.plan_reviewed")
}

#[test]
fn an_approved_plan_is_carried_out() {
    let world = World::new(PlannedBrain::hello());
    let mut terminal = review(&world);
    assert_eq!(world.sandbox.git_status(), [""; 0], "nothing is written during the review");
    terminal.send("a\n");
    assert_eq!(terminal.wait(PATIENCE), Some(0), "{}", terminal.screen());
    assert_succeeded(&world.sandbox.last_run(), &["task_001", "task_002"]);
    let decision = decisions(&world).pop().unwrap();
    assert_eq!((&decision["decision"], &decision["by"]), (&"approved".into(), &"person".into()));
}

#[test]
fn a_rejected_plan_changes_nothing_and_exits_3() {
    let world = World::new(PlannedBrain::hello());
    let mut terminal = review(&world);
    terminal.send("r\n");
    assert_eq!(terminal.wait(PATIENCE), Some(3), "{}", terminal.screen());
    assert_eq!(world.sandbox.git_status(), [""; 0]);
    assert_eq!(world.calls_by_role(), ["planner"]);
    assert_eq!(decisions(&world).pop().unwrap()["decision"], "rejected");
}

#[test]
fn a_plan_can_be_viewed_and_edited_before_it_is_approved() {
    let mut world = World::new(PlannedBrain::hello());
    let editor = world.sandbox.path("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i 's/Write src/Carefully write src/' \"$1\"\n")
        .unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.sandbox.env("EDITOR", editor.to_string_lossy());
    let mut terminal = review(&world);
    terminal.send("v\n");
    terminal.expect("[a]", PATIENCE);
    terminal.send("e\n");
    terminal.expect("Carefully write", PATIENCE);
    terminal.expect("[a]", PATIENCE);
    terminal.send("a\n");
    assert_eq!(terminal.wait(PATIENCE), Some(0), "{}", terminal.screen());
    let decision = decisions(&world).pop().unwrap();
    assert_eq!((&decision["decision"], &decision["edited"]), (&"approved".into(), &true.into()));
    let said = world.calls()[1].transcript();
    assert!(said.contains("Carefully write src/hello.py"), "{said}");
}

#[test]
fn an_edit_that_breaks_the_plan_is_explained_and_asked_about_again() {
    let mut world = World::new(PlannedBrain::hello());
    let editor = world.sandbox.path("editor");
    std::fs::write(
        &editor,
        "#!/bin/sh\nsed -i 's/\"task_001\"$/\"nowhere\"/; s/\"coder\"/\"codre\"/' \"$1\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.sandbox.env("VISUAL", editor.to_string_lossy());
    let mut terminal = review(&world);
    terminal.send("e\n");
    terminal.expect("codre", PATIENCE);
    terminal.expect("[a]", PATIENCE);
    terminal.send("r\n");
    assert_eq!(terminal.wait(PATIENCE), Some(3), "{}", terminal.screen());
}

#[test]
fn without_a_terminal_a_review_is_refused_with_a_way_out() {
    let world = World::new(PlannedBrain::hello());
    for args in [&["run", "x", "--research"][..], &["run", "x"]] {
        let output = world.sandbox.sage(args).timeout(Duration::from_secs(10)).run();
        output.expect_code(2).expect_text("--auto").expect_text("--plan-only");
    }
    assert_eq!(world.calls_by_role(), [""; 0], "refused before anything is spent");
}

#[test]
fn the_environment_can_approve_and_the_log_says_so() {
    let world = World::new(PlannedBrain::hello());
    let command = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL, "--research"]);
    command.env("SAGE_NON_INTERACTIVE", "1").run().expect_code(0);
    assert_eq!(decisions(&world).pop().unwrap()["by"], "environment");
}

#[test]
fn the_worst_case_is_told_before_anything_is_approved() {
    let mut world = World::new(PlannedBrain::hello());
    let models = sage_testkit::ModelsYaml::openai(&world.server.url()).price(2.0, 8.0);
    world.sandbox.models(&models);
    let mut terminal = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL]).on_terminal();
    terminal.expect("Worst case", PATIENCE);
    terminal.expect("$", PATIENCE);
    terminal.expect("[a]", PATIENCE);
    terminal.send("r\n");
    assert_eq!(terminal.wait(PATIENCE), Some(3), "{}", terminal.screen());
}
