//! Undo and the work of others: it refuses, unless it is told to go on, and then loses nothing.

use sage_testkit::{FileWrite, PlannedTask};
use serde_json::json;

use super::{command, undo, world, world_of};

#[test]
fn files_that_somebody_changed_since_are_named_and_nothing_is_restored() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let of_run = world.sandbox.tree();
    world
        .sandbox
        .write("tracked.txt", "mine\n")
        .write("cache/keep", "mine\n")
        .write("gone.txt", "mine\n");
    world.sandbox.write("untouched.txt", "mine\n");
    let mine = world.sandbox.tree();
    let output = undo(&world, &[]);
    output
        .expect_code(3)
        .expect_text("tracked.txt")
        .expect_text("cache/keep")
        .expect_text("gone.txt");
    output.expect_text("--force").expect_text("--keep");
    assert_eq!(mine.diff(&world.sandbox.tree()), "");
    // With some of them kept, the rest goes back.
    let keep = ["--keep", "tracked.txt", "--keep", "cache/keep", "--keep", "gone.txt"];
    undo(&world, &keep).expect_code(0);
    for path in ["tracked.txt", "cache/keep", "gone.txt", "untouched.txt"] {
        assert_eq!(world.sandbox.read(path), "mine\n");
    }
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(mine.diff(&world.sandbox.tree()), "");
    // By force all goes back, and what was overwritten is not lost.
    let output = undo(&world, &["--force"]);
    output.expect_code(0).expect_text("tracked.txt (was changed since)");
    assert_eq!(world.sandbox.read("untouched.txt"), "mine\n");
    std::fs::remove_file(world.sandbox.project().join("untouched.txt")).unwrap();
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    undo(&world, &["--redo"]).expect_code(0);
    world.sandbox.write("untouched.txt", "mine\n");
    assert_eq!(mine.diff(&world.sandbox.tree()), "");
    assert_ne!(of_run.diff(&mine), "");
}

#[test]
fn an_undo_does_not_go_back_over_new_work_either() {
    let world = world();
    world.run_auto(&[]).expect_code(0);
    undo(&world, &[]).expect_code(0);
    world.sandbox.write("tracked.txt", "mine\n");
    let mine = world.sandbox.tree();
    undo(&world, &["--redo"]).expect_code(3).expect_text("tracked.txt");
    assert_eq!(mine.diff(&world.sandbox.tree()), "");
    undo(&world, &["--redo", "--force"]).expect_code(0);
    assert_eq!(world.sandbox.read("tracked.txt"), "again\n");
}

#[test]
fn what_was_put_back_during_a_run_can_be_brought_back() {
    // A person saves a file while a command runs that may not write there.
    let line = "echo 'by the person' > mine.txt; echo 'by the command' > stray.txt";
    let task = PlannedTask::new("task_001", "Write a.txt")
        .version(vec![FileWrite::whole("a.txt", "a\n")])
        .calling("run", &command(line))
        .targets(&["a.txt"])
        .with("paths", json!(["a.txt"]));
    let world = world_of(vec![task]);
    world.run_auto(&[]);
    assert_eq!(world.sandbox.read("mine.txt"), "not tracked\n");
    let output = world.sandbox.run(&["runs", "show", "--files"]);
    output
        .expect_text("put back")
        .expect_text("mine.txt")
        .expect_text("had been created")
        .expect_text("--put-back");
    undo(&world, &["--put-back", "--file", "mine.txt"]).expect_code(0);
    assert_eq!(world.sandbox.read("mine.txt"), "by the person\n");
    assert!(!world.sandbox.exists("stray.txt"));
    undo(&world, &["--put-back", "--dry-run"])
        .expect_code(0)
        .expect_text("would restore stray.txt");
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(world.sandbox.read("mine.txt"), "not tracked\n");
}

#[test]
fn what_cannot_be_restored_is_named_and_the_rest_is() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    // Where a folder was, somebody has put a file meanwhile, and wants to keep it.
    world.sandbox.write("docs", "a file of mine\n");
    let output = undo(&world, &["--keep", "docs"]);
    output.expect_code(0);
    assert_eq!(world.sandbox.read("docs"), "a file of mine\n");
    undo(&world, &["--redo"]).expect_code(0);
    let output = undo(&world, &["--file", "docs/a.md", "--json"]);
    output.expect_code(1).expect_text("docs/a.md").expect_text("is a file, not a folder");
    std::fs::remove_file(world.sandbox.project().join("docs")).unwrap();
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn what_was_not_saved_is_named_only_where_it_changed() {
    let line = "echo more >> big.bin; rm -r node_modules/pkg; truncate -s 9000001 data.log; echo x > a.txt";
    let task = PlannedTask::new("task_001", "Write a.txt")
        .version(vec![FileWrite::whole("b.txt", "b\n")])
        .calling("run", &command(line))
        .targets(&["b.txt"])
        .with("paths", json!(["**"]));
    let world = world_of(vec![task]);
    let sparse = |path: &str, size: u64| {
        let at = world.sandbox.project().join(path);
        std::fs::File::create(at).unwrap().set_len(size).unwrap();
    };
    sparse("big.bin", 65 * 1024 * 1024);
    sparse("data.log", 9_000_000);
    sparse("same.log", 9_000_000);
    world.sandbox.write("node_modules/pkg/index.js", "x\n");
    world.run_auto(&[]).expect_text("node_modules/");
    let output = undo(&world, &[]);
    output
        .expect_code(0)
        .expect_text("big.bin was not saved")
        .expect_text("data.log was not saved");
    assert!(!output.all().contains("same.log"), "{output}");
    assert!(!world.sandbox.exists("a.txt") && !world.sandbox.exists("b.txt"), "{output}");
}
