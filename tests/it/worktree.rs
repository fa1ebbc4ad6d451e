//! `sage run --worktree`: the whole run happens in a git work tree of its own.

use std::path::PathBuf;

use sage_testkit::{FileWrite, Fixture, PlannedTask};

use crate::support::{KILL_AFTER, World, planned, story};

fn world() -> World {
    let tasks = vec![
        PlannedTask::new("task_1", "Say hello")
            .version(vec![FileWrite::replace("mod.py", "x = 1\n", "x = 1\nhello = 1\n")])
            .verified_by("grep -q hello mod.py && test -f dep/installed.txt"),
        PlannedTask::file("task_2", "new.txt", "new\n").after(&["task_1"]),
    ];
    let fixture = Fixture::default().file("mod.py", "x = 1\n").file(".gitignore", "dep/\n.sage/\n");
    let world = World::in_project(&fixture, planned(tasks));
    world.sandbox.git(&["config", "user.name", "Ada"]);
    world.sandbox.git(&["config", "user.email", "ada@example.org"]);
    // Ignored, and needed by the test.
    world.sandbox.write("dep/installed.txt", "installed\n");
    // The person goes on working.
    world.sandbox.write("mod.py", "x = 1\nmine = 2\n");
    world.sandbox.write("untracked.txt", "mine\n");
    world
}

fn place(world: &World) -> PathBuf {
    world.sandbox.project().join(".sage/worktrees").join(world.sandbox.last_run().id())
}

#[test]
fn the_result_is_on_a_branch_and_the_persons_tree_as_it_was() {
    let world = world();
    let (tree, index) = (world.sandbox.tree(), world.sandbox.bytes(".git/index"));
    let head = world.sandbox.bytes(".git/HEAD");
    let output = world.run_auto(&["--worktree"]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    let branch = format!("sage/{}", run.id());
    output.expect_text(&format!("git merge {branch}")).expect_text("git worktree remove --force");
    assert_eq!(tree.diff(&world.sandbox.tree()), "", "{}", story(&run));
    assert_eq!(world.sandbox.bytes(".git/index"), index);
    assert_eq!(world.sandbox.bytes(".git/HEAD"), head);
    let text = world.sandbox.git(&["show", &format!("{branch}:mod.py")]);
    assert_eq!(text, "x = 1\nhello = 1\n", "begins from what is committed");
    let there = place(&world);
    assert_eq!(std::fs::read_to_string(there.join("new.txt")).unwrap(), "new\n");
    let status = world.sandbox.git(&["-C", there.to_str().unwrap(), "status", "--porcelain"]);
    assert_eq!(status, "", "everything of the run is committed there");
    // What it says to do works.
    world.sandbox.git(&["worktree", "remove", "--force", there.to_str().unwrap()]);
    world.sandbox.git(&["branch", "-D", &branch]);
    assert_eq!(world.sandbox.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn the_branch_can_be_named() {
    let world = world();
    world.run_auto(&["--worktree", "--branch", "feature"]).expect_code(0);
    assert!(world.sandbox.git(&["show", "feature:mod.py"]).contains("hello"));
}

#[test]
fn status_undo_and_resume_know_the_work_tree() {
    let world = world();
    let tree = world.sandbox.tree();
    let args = ["run", crate::support::GOAL, "--auto", "--worktree"];
    let killed = world.sandbox.sage(&args).env(KILL_AFTER, "30").run();
    assert_eq!(killed.signal, Some(9));
    world.resume().expect_code(0);
    assert_eq!(tree.diff(&world.sandbox.tree()), "");
    let there = place(&world);
    assert!(there.join("new.txt").is_file());
    world.sandbox.run(&["status"]).expect_code(0);
    world.sandbox.run(&["undo"]).expect_code(0);
    assert!(!there.join("new.txt").exists());
    assert_eq!(std::fs::read_to_string(there.join("mod.py")).unwrap(), "x = 1\n");
    assert_eq!(tree.diff(&world.sandbox.tree()), "");
    std::fs::remove_dir_all(&there).unwrap();
    world.sandbox.run(&["undo"]).expect_code(2);
}

#[test]
fn a_run_in_a_work_tree_that_is_gone_is_not_resumed() {
    let world = world();
    let args = ["run", crate::support::GOAL, "--auto", "--worktree"];
    let killed = world.sandbox.sage(&args).env(KILL_AFTER, "20").run();
    assert_eq!(killed.signal, Some(9));
    std::fs::remove_dir_all(place(&world)).unwrap();
    world.resume().expect_code(2).expect_text("work tree is gone");
}

#[test]
fn without_git_there_is_no_work_tree() {
    let world = world();
    std::fs::remove_dir_all(world.sandbox.project().join(".git")).unwrap();
    world.run_auto(&["--worktree"]).expect_code(4).expect_text("--worktree");
    assert_eq!(world.calls().len(), 0);
    assert!(!world.sandbox.exists(".sage/worktrees"));
}
