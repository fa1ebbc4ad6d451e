//! Tasks that may write the same files work in lanes of their own and are merged; what the person has
//! in the repository stays untouched.

use std::path::PathBuf;
use std::time::Duration;

use sage_testkit::{CliSandbox, FileWrite, Fixture, PlannedTask, Tree};
use serde_json::json;

use crate::support::{KILL_AFTER, Second, World, assert_succeeded, planned, story};

/// A module with functions far enough from each other to be edited apart.
const MODULE: &str = "\
def greet(name):
    first = \"hello\"
    middle = \", \"
    last = name
    end = \"!\"
    return first + middle + last + end


def part(name):
    return \"bye, \" + name
";

/// A task that replaces one line of the module.
fn line(id: &str, from: &str, to: &str) -> PlannedTask {
    PlannedTask::new(id, format!("Change {from}"))
        .version(vec![FileWrite::replace("mod.py", from.to_owned(), to.to_owned())])
        .slow(Duration::from_millis(300))
}

/// Six tasks on files of their own, beside the two that are tested.
fn six_more() -> Vec<PlannedTask> {
    let file = |n: usize| {
        PlannedTask::file(&format!("other_{n}"), &format!("out/{n}.txt"), &format!("{n}\n"))
            .verified_by(&format!("grep -q {n} out/{n}.txt"))
    };
    (1..=6).map(file).collect()
}

fn eight(two: [PlannedTask; 2]) -> Vec<PlannedTask> {
    two.into_iter().chain(six_more()).collect()
}

fn python() -> Fixture {
    Fixture::default().file("mod.py", MODULE).file(".gitignore", "ignored/\n*.log\n")
}

/// Everything of a repository that is the person's.
#[derive(Debug, PartialEq, Eq)]
struct Theirs {
    index: Vec<u8>,
    logs: String,
    refs: String,
    head: String,
    config: String,
    stash: String,
    worktrees: String,
}

fn theirs(sandbox: &CliSandbox) -> Theirs {
    let read = |path: &str| std::fs::read(sandbox.project().join(path)).unwrap_or_default();
    let text = |path: &str| String::from_utf8(read(path)).unwrap();
    // Before git is asked anything, since asking may write.
    let (index, head, config) = (read(".git/index"), text(".git/HEAD"), text(".git/config"));
    let logs = Tree::of(&sandbox.project().join(".git/logs"), &[]);
    Theirs {
        index,
        head,
        config,
        logs: format!("{logs:?}"),
        refs: sandbox.git(&["for-each-ref"]),
        stash: sandbox.git(&["stash", "list"]),
        worktrees: sandbox.git(&["worktree", "list", "--porcelain"]),
    }
}

/// Uncommitted, staged, untracked, ignored and stashed work, another branch, and a reflog.
fn busy_repository(sandbox: &CliSandbox) {
    sandbox.git(&["branch", "feature"]);
    sandbox.write("stashed.txt", "stashed\n");
    sandbox.git(&["add", "stashed.txt"]);
    sandbox.git(&["stash", "push", "--quiet"]);
    sandbox.write("staged.txt", "staged\n");
    sandbox.git(&["add", "staged.txt"]);
    sandbox.write("staged.txt", "staged, and more\n");
    sandbox.write("untracked.txt", "untracked\n");
    sandbox.write("ignored/secret.log", "ignored\n");
    sandbox.write("mod.py", format!("# my uncommitted line\n{MODULE}"));
    sandbox.git(&["status"]);
}

#[track_caller]
fn assert_nothing_left(sandbox: &CliSandbox) {
    let left: Vec<PathBuf> = ["tmp", ""]
        .iter()
        .flat_map(|folder| std::fs::read_dir(sandbox.path(folder)).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("sage-lanes"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    assert!(!sandbox.exists(".git/worktrees"), "a work tree is still registered");
    assert_eq!(sandbox.git(&["for-each-ref", "refs/sage"]), "");
}

#[test]
fn eight_tasks_two_of_them_in_one_function_and_both_changes_are_there() {
    let two = [
        line("task_a", "first = \"hello\"", "first = \"good morning\"")
            .verified_by("grep -q 'good morning' mod.py"),
        line("task_b", "end = \"!\"", "end = \"?\"").verified_by("grep -q 'end = \"?\"' mod.py"),
    ];
    let world = World::in_project(&python(), planned(eight(two)));
    busy_repository(&world.sandbox);
    let before = (theirs(&world.sandbox), world.sandbox.tree());
    world.run_auto(&["--max-parallel", "8"]).expect_code(0);
    let run = world.sandbox.last_run();
    let text = world.sandbox.read("mod.py");
    let expected = MODULE
        .replace("first = \"hello\"", "first = \"good morning\"")
        .replace("end = \"!\"", "end = \"?\"");
    assert_eq!(text, format!("# my uncommitted line\n{expected}"), "{}", story(&run));
    let notes = run.of_type("run.planned")[0]["notes"].to_string();
    assert!(notes.contains("task_a and task_b run in lanes"), "{notes}");
    assert_eq!(run.of_type("workspace.lane_opened").len(), 2, "{}", story(&run));
    assert_eq!(run.of_type("workspace.lane_merged").len(), 2, "{}", story(&run));
    // They really were at work at the same time.
    let types = run.events();
    let merged = types.iter().position(|e| e["type"] == "workspace.lane_merged").unwrap();
    let opened = types.iter().rposition(|e| e["type"] == "workspace.lane_opened").unwrap();
    assert!(opened < merged, "{}", story(&run));
    assert_eq!(theirs(&world.sandbox), before.0);
    let diff = before.1.diff(&world.sandbox.tree());
    let changed: Vec<&str> = diff.lines().collect();
    assert_eq!(changed.len(), 8, "the module, six files and their folder:\n{diff}");
    assert_nothing_left(&world.sandbox);
    // What the run did can be taken back as one.
    world.sandbox.run(&["undo"]).expect_code(0);
    assert_eq!(before.1.diff(&world.sandbox.tree()), "");
}

/// Two tasks that rewrite the same line; the second to merge has to think again.
fn conflicting(rework: Option<&str>) -> [PlannedTask; 2] {
    let first = line("task_a", "first = \"hello\"", "first = \"good morning\"")
        .verified_by("grep -q 'good morning' mod.py");
    let second = line("task_b", "first = \"hello\"", "first = \"HELLO\"")
        .verified_by("grep -qi 'first = \"[A-Z ]*\"' mod.py");
    let rework = |task: PlannedTask| match rework {
        Some(text) => task.version(vec![FileWrite::whole("mod.py", text)]),
        None => task,
    };
    [rework(first), rework(second)]
}

#[test]
fn a_conflict_goes_back_to_the_task_with_both_sides_in_hand() {
    let both = MODULE.replace("first = \"hello\"", "first = \"GOOD MORNING good morning\"");
    let world = Second::world(&python(), eight(conflicting(Some(&both))));
    world.run_auto(&["--max-parallel", "8"]).expect_code(0);
    let run = world.sandbox.last_run();
    assert_eq!(world.sandbox.read("mod.py"), both, "{}", story(&run));
    let merges = run.of_type("workspace.lane_merged");
    let conflict = merges.iter().find(|merge| merge["merged"] == false).expect("a conflict");
    assert_eq!(conflict["node"], "task_b");
    assert_eq!(conflict["conflicts"], json!(["mod.py"]));
    let repair = world
        .calls()
        .into_iter()
        .filter(|call| call.task().as_deref() == Some("task_b"))
        .find(|call| call.last().contains("before both"))
        .expect("the repair was told of the conflict");
    for part in ["first = \"hello\"", "first = \"good morning\"", "first = \"HELLO\"", "task_a"] {
        assert!(repair.last().contains(part), "{part}:\n{}", repair.last());
    }
    assert_nothing_left(&world.sandbox);
}

#[test]
fn a_conflict_that_is_never_resolved_fails_its_task_and_nobody_elses() {
    let world = Second::world(&python(), eight(conflicting(None)));
    let before = theirs(&world.sandbox);
    let output = world.run_auto(&["--max-parallel", "8"]);
    output.expect_code(1).expect_text("conflict").expect_text("mod.py");
    let run = world.sandbox.last_run();
    let failed: Vec<String> =
        run.outcomes().into_iter().filter(|(_, how)| how != "done").map(|(node, _)| node).collect();
    assert_eq!(failed, ["task_b"], "{}", story(&run));
    let expected = MODULE.replace("first = \"hello\"", "first = \"good morning\"");
    assert_eq!(world.sandbox.read("mod.py"), expected);
    for n in 1..=6 {
        assert_eq!(world.sandbox.read(&format!("out/{n}.txt")), format!("{n}\n"));
    }
    assert_eq!(theirs(&world.sandbox), before);
    assert_nothing_left(&world.sandbox);
}

#[test]
fn what_works_alone_and_not_together_is_reworked() {
    // Each is right by itself: together they say it twice.
    let only_one = "test $(grep -c morning mod.py) -le 1";
    let two = [
        line("task_a", "first = \"hello\"", "first = \"morning\"").verified_by(only_one),
        line("task_b", "end = \"!\"", "end = \" morning!\"")
            .verified_by(only_one)
            .version(vec![FileWrite::replace("mod.py", "end = \" morning!\"", "end = \"!!\"")]),
    ];
    let world = Second::world(&python(), two.into());
    world.run_auto(&[]).expect_code(0);
    let run = world.sandbox.last_run();
    let expected = MODULE
        .replace("first = \"hello\"", "first = \"morning\"")
        .replace("end = \"!\"", "end = \"!!\"");
    assert_eq!(world.sandbox.read("mod.py"), expected, "{}", story(&run));
    let merges = run.of_type("workspace.lane_merged");
    assert!(merges.iter().any(|merge| merge["merged"] == false && merge["node"] == "task_b"));
    assert_nothing_left(&world.sandbox);
}

#[test]
fn without_git_tasks_on_one_file_wait_for_each_other() {
    let two = [
        line("task_a", "first = \"hello\"", "first = \"good morning\""),
        line("task_b", "end = \"!\"", "end = \"?\""),
    ];
    let world = World::in_project(&python(), planned(two.into()));
    std::fs::remove_dir_all(world.sandbox.project().join(".git")).unwrap();
    world.run_auto(&[]).expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &["task_a", "task_b"]);
    let notes = run.of_type("run.planned")[0]["notes"].to_string();
    assert!(notes.contains("without git"), "{notes}");
    assert_eq!(run.of_type("workspace.lane_opened").len(), 0);
    let text = world.sandbox.read("mod.py");
    assert!(text.contains("good morning") && text.contains("end = \"?\""), "{text}");
}

#[test]
fn a_run_with_lanes_and_a_conflict_replays_the_same() {
    let world = World::in_project(&python(), planned(three()));
    world.run_auto(&["--max-parallel", "4"]).expect_code(0);
    let before = world.sandbox.full_tree();
    for _ in 0..2 {
        world.sandbox.run(&["replay"]).expect_code(0);
    }
    let unseen = |tree: &Tree| {
        let files = tree.entries.iter().filter(|(path, _)| !path.starts_with(".sage/"));
        format!("{:?}", files.collect::<Vec<_>>())
    };
    assert_eq!(unseen(&world.sandbox.full_tree()), unseen(&before));
}

#[test]
fn a_dry_run_merges_lanes_in_its_copy() {
    let world = World::in_project(&python(), planned(three()));
    let before = (theirs(&world.sandbox), world.sandbox.tree());
    let output = world.run_auto(&["--dry-run", "--max-parallel", "4"]);
    output.expect_code(0).expect_text("GOOD MORNING").expect_text("see you");
    assert_eq!((theirs(&world.sandbox), world.sandbox.tree()), before);
    assert_nothing_left(&world.sandbox);
}

/// Starts, dies after that event, and resumes.
fn killed_after(after: u64, tasks: fn() -> Vec<PlannedTask>, lanes_vanish: bool) -> (World, bool) {
    let world = World::in_project(&python(), planned(tasks()));
    let args = ["run", crate::support::GOAL, "--auto", "--max-parallel", "4"];
    let killed = world.sandbox.sage(&args).env(KILL_AFTER, after.to_string()).run();
    if killed.signal != Some(9) {
        return (world, false);
    }
    if lanes_vanish {
        let run = world.sandbox.last_run();
        for opened in run.of_type("workspace.lane_opened") {
            let _ = std::fs::remove_dir_all(opened["path"].as_str().unwrap());
        }
    }
    if world.sandbox.last_run().finished().is_none() {
        let resumed = world.resume();
        let run = world.sandbox.last_run();
        assert_eq!(resumed.code, Some(0), "killed after {after}: {resumed}\n{}", story(&run));
    }
    (world, true)
}

/// A conflict that is resolved, and a change that merges.
fn three() -> Vec<PlannedTask> {
    let both = MODULE
        .replace("first = \"hello\"", "first = \"GOOD MORNING good morning\"")
        .replace("return \"bye, \" + name", "return \"see you, \" + name");
    let [first, second] = conflicting(Some(&both));
    // Whoever comes second, the tree ends the same.
    let third = line("task_c", "return \"bye, \" + name", "return \"see you, \" + name");
    vec![first, second, third]
}

#[test]
fn killed_at_any_event_a_resumed_run_merges_to_the_same_tree() {
    let (whole, died) = killed_after(u64::MAX, three, false);
    assert!(!died);
    let expected = whole.sandbox.tree();
    assert_succeeded(&whole.sandbox.last_run(), &["task_a", "task_b", "task_c"]);
    let last = whole.sandbox.last_run().last_seq();
    let next = std::sync::atomic::AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    // Every event would take minutes, and an odd step meets each kind of moment.
                    let after = next.fetch_add(3, std::sync::atomic::Ordering::Relaxed);
                    if after >= last {
                        return;
                    }
                    let (world, _) = killed_after(after, three, after.is_multiple_of(2));
                    let diff = expected.diff(&world.sandbox.tree());
                    let run = world.sandbox.last_run();
                    assert_eq!(diff, "", "killed after {after}:\n{}", story(&run));
                    assert!(!world.sandbox.exists(".git/worktrees"), "killed after {after}");
                    assert_nothing_left(&world.sandbox);
                }
            });
        }
    });
}

#[test]
fn the_next_run_clears_up_after_one_that_died() {
    let (world, _) = {
        let world = World::in_project(&python(), planned(three()));
        let args = ["run", crate::support::GOAL, "--auto"];
        let killed = world.sandbox.sage(&args).env(KILL_AFTER, "30").run();
        assert_eq!(killed.signal, Some(9));
        (world, ())
    };
    assert!(world.sandbox.exists(".git/worktrees"), "the test needs lanes that are left");
    world.run_auto(&["--fresh"]).expect_code(0);
    assert_nothing_left(&world.sandbox);
    assert_eq!(world.sandbox.git(&["worktree", "list"]).lines().count(), 1);
}
