//! `--dry-run` and `--plan-only` promise to leave the project as it is, to the byte.

use sage_testkit::{FileWrite, Fixture, PlannedBrain, PlannedTask};

use crate::support::{World, planned};

#[test]
fn a_dry_run_does_everything_and_changes_nothing() {
    let fixture = Fixture::delicate_files();
    let world = World::in_project(&fixture, PlannedBrain::hello());
    let before = world.sandbox.tree();
    let head = world.sandbox.git(&["rev-parse", "HEAD"]);

    let output = world.run_auto(&["--dry-run"]);

    output.expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "", "{output}");
    assert_eq!(world.sandbox.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(world.sandbox.git_status(), [""; 0]);
    // Verification is part of it, and the whole change is shown.
    let run = world.sandbox.last_run();
    assert!(!crate::support::passed_tests(&run).is_empty(), "{}", crate::support::story(&run));
    output.expect_text("+++ b/src/hello.py").expect_text("+def greet(");
    output.expect_text("+class GreetTest");
    assert_eq!(crate::support::metrics(&world.sandbox)["dry_run"], true);
}

#[test]
fn a_dry_run_shows_a_change_of_an_existing_file() {
    let task = PlannedTask::new("task_001", "Change one line").version(vec![FileWrite::replace(
        "long.py",
        "def line_300(): return 300\n",
        "def line_300(): return -300\n",
    )]);
    let world = World::in_project(&Fixture::delicate_files(), planned(vec![task]));
    let before = world.sandbox.full_tree();
    let output = world.run_auto(&["--dry-run"]);
    output.expect_code(0);
    output.expect_text("-def line_300(): return 300").expect_text("+def line_300(): return -300");
    let after = world.sandbox.full_tree();
    let outside_of_sage = |diff: String| {
        let is_ours = |line: &str| line[2..].starts_with(".sage");
        diff.lines().filter(|line| !is_ours(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(outside_of_sage(before.diff(&after)), [""; 0]);
}

#[test]
fn a_failing_dry_run_says_so_and_changes_nothing() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("grep -q b a.txt");
    let world = World::new(planned(vec![task]));
    let before = world.sandbox.tree();
    world.run_auto(&["--dry-run"]).expect_code(1);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn plan_only_asks_the_planner_and_stops() {
    let world = World::in_project(&Fixture::delicate_files(), PlannedBrain::hello());
    let before = world.sandbox.tree();
    let output = world.sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--plan-only"]);
    output.expect_code(0).expect_text("task_001").expect_text("task_002");
    assert_eq!(world.calls_by_role(), ["planner"]);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    assert_eq!(world.sandbox.git_status(), [""; 0]);
    let run = world.sandbox.last_run();
    assert_eq!(run.of_type("node.started"), [serde_json::Value::Null; 0]);
    assert_eq!(run.finished().unwrap()["outcome"], "planned");

    // The plan that was written can be run as it is, without a planner.
    let plan: serde_json::Value =
        serde_json::from_str(&world.sandbox.read(".sage/last_plan.json")).unwrap();
    assert_eq!(plan["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(plan["goal"], PlannedBrain::HELLO_GOAL);
    let output = world.sandbox.run(&["run", "--plan", ".sage/last_plan.json", "--auto"]);
    output.expect_code(0);
    assert_eq!(world.calls_by_role()[1..], ["coder task_001", "test_engineer task_002"]);
    assert_eq!(world.sandbox.git_status(), ["?? src/hello.py", "?? tests/test_hello.py"]);
}

#[test]
fn the_copy_of_a_killed_dry_run_is_removed_by_the_next_run() {
    let world = World::in_project(&Fixture::delicate_files(), PlannedBrain::hello());
    let copies = || {
        let entries = std::fs::read_dir(world.sandbox.path("tmp")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("sage-dry-run-")).count()
    };
    let args = ["run", crate::support::GOAL, "--auto", "--dry-run"];
    let killed = world.sandbox.sage(&args).env(crate::support::KILL_AFTER, "4").run();
    assert_eq!((killed.signal, copies()), (Some(9), 1), "{killed}");
    // Somebody else's run of that name is none of ours.
    let foreign = world.sandbox.path("tmp/sage-dry-run-20200101-000000-abcd");
    std::fs::create_dir(&foreign).unwrap();
    world.run_auto(&["--plan-only"]).expect_code(0);
    assert_eq!(copies(), 1);
    assert!(foreign.exists());
}
