//! The store behind undo: damaged, pruned, shared.

use std::path::PathBuf;

use super::{havoc, undo, world, world_of};
use crate::support::World;

fn objects(world: &World) -> Vec<PathBuf> {
    let folders =
        std::fs::read_dir(world.sandbox.project().join(".sage/snapshots/objects")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()))
        .collect()
}

fn object_of(world: &World, content: &str) -> PathBuf {
    let is_it = |path: &PathBuf| std::fs::read(path).unwrap() == content.as_bytes();
    objects(world).into_iter().find(is_it).unwrap()
}

#[test]
fn what_is_missing_is_named_and_nothing_is_half_restored() {
    let world = world();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    let gone = object_of(&world, "gone\n");
    std::fs::remove_file(&gone).unwrap();
    std::fs::write(object_of(&world, "old\n"), "bad\n").unwrap();
    let output = undo(&world, &[]);
    output.expect_code(4).expect_text("gone.txt").expect_text("old.log").expect_text("--keep");
    assert_eq!(after.diff(&world.sandbox.tree()), "");
    undo(&world, &["--keep", "gone.txt", "--keep", "old.log"]).expect_code(0);
    assert!(world.sandbox.exists("docs/a.md") && !world.sandbox.exists("gone.txt"));
}

#[test]
fn a_store_without_its_manifests_is_an_error() {
    let world = world();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    let manifests = world.sandbox.project().join(".sage/snapshots/manifests");
    std::fs::remove_dir_all(&manifests).unwrap();
    undo(&world, &[]).expect_code(4).expect_text("snapshot");
    assert_eq!(after.diff(&world.sandbox.tree()), "");
}

#[test]
fn pruning_runs_frees_what_only_they_needed() {
    let world = world_of(vec![havoc()]);
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let n_before = objects(&world).len();
    let n_runs = |world: &World| world.sandbox.runs().len();
    // Nothing to remove: nothing that is needed goes.
    world.sandbox.run(&["runs", "prune", "--keep", "1"]).expect_code(0);
    assert_eq!((n_runs(&world), objects(&world).len()), (1, n_before));
    world.sandbox.run(&["doctor"]).expect_text("snapshots");
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    undo(&world, &["--redo"]).expect_code(0);
    let output = world.sandbox.run(&["runs", "prune", "--keep", "0", "--dry-run"]);
    output.expect_code(0);
    assert!(!objects(&world).is_empty());
    let output = world.sandbox.run(&["runs", "prune", "--keep", "0"]);
    output.expect_code(0).expect_text("freed");
    assert_eq!((n_runs(&world), objects(&world).len()), (0, 0));
}

#[test]
fn a_run_in_progress_keeps_what_it_has_saved() {
    let world = world();
    let waits = "touch tools/going; until [ -e tools/go ]; do sleep 0.05; done";
    world.sandbox.write("tools/first.sh", format!("{waits}\n{}", super::FIRST));
    let before = world.sandbox.tree();
    let mut live = world.sandbox.sage(&["run", crate::support::GOAL, "--auto"]).spawn();
    let going = world.sandbox.project().join("tools/going");
    let long = std::time::Duration::from_secs(60);
    assert!(live.wait_until(long, |_| going.exists()), "{}", live.stderr());
    let output = world.sandbox.run(&["runs", "prune", "--keep", "0"]);
    output.expect_code(0).expect_text("snapshots are locked");
    undo(&world, &[]).expect_code(4).expect_text("locked");
    world.sandbox.write("tools/go", "");
    assert_eq!(live.wait(long).code, Some(0));
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}
