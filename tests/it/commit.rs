//! `sage run --commit` and `--branch`: commits of what the run did, and of nothing else.

use sage_testkit::{FileWrite, Fixture, PlannedTask};

use crate::support::{World, planned, story};

fn two_tasks() -> Vec<PlannedTask> {
    vec![
        PlannedTask::new("task_1", "Say hello in the module. It was missing a greeting.")
            .version(vec![FileWrite::replace("mod.py", "x = 1\n", "x = 1\nhello = 1\n")])
            .verified_by("grep -q hello mod.py"),
        PlannedTask::file("task_2", "docs/new.md", "# new\n")
            .after(&["task_1"])
            .verified_by("test -s docs/new.md"),
    ]
}

fn world() -> World {
    let text = "x = 1\n\n\ny = 2\n\n\nz = 3\n";
    let fixture = Fixture::default()
        .file("mod.py", text)
        .file("other.txt", "other\n")
        .file(".gitignore", "*.log\n");
    let mut world = World::in_project(&fixture, planned(two_tasks()));
    identity(&mut world);
    world
}

/// A name to commit under, in the person's own configuration.
fn identity(world: &mut World) {
    let file = world.sandbox.home().join(".gitconfig");
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    if !old.contains("[user]") {
        std::fs::write(file, format!("{old}[user]\n\tname = Ada\n\temail = ada@example.org\n"))
            .unwrap();
    }
}

#[test]
fn each_finished_task_is_a_commit_that_explains_itself() {
    let world = world();
    let head = world.sandbox.git(&["rev-parse", "HEAD"]);
    let output = world.run_auto(&["--commit"]);
    output.expect_code(0).expect_text("commit ");
    let run = world.sandbox.last_run();
    assert_eq!(world.sandbox.git(&["rev-parse", "HEAD~2"]), head, "{}", story(&run));
    let subjects = world.sandbox.git(&["log", "-2", "--format=%s"]);
    assert_eq!(subjects, "Write docs/new.md\nSay hello in the module\n");
    let message = world.sandbox.git(&["log", "-1", "--format=%B", "HEAD~1"]);
    for part in [
        "It was missing a greeting.",
        "Why: Do what the plan says",
        "Evidence:\n- `grep -q hello mod.py` passed (exit 0",
        "Task: task_1\n",
    ] {
        assert!(message.contains(part), "{part}:\n{message}");
    }
    let trailer = world.sandbox.git(&["log", "-1", "--format=%(trailers:key=Run,valueonly)"]);
    assert_eq!(trailer.trim(), run.id());
    assert_eq!(world.sandbox.git(&["show", "--format=", "--name-only", "HEAD"]), "docs/new.md\n");
    assert_eq!(world.sandbox.git_status(), Vec::<String>::new());
}

#[test]
fn what_the_person_had_changed_is_in_no_commit_and_stays_as_it_was() {
    let world = world();
    // Staged and unstaged changes elsewhere, and in the very file that the run changes.
    world.sandbox.write("other.txt", "other, staged\n");
    world.sandbox.git(&["add", "other.txt"]);
    world.sandbox.write("untracked.txt", "mine\n");
    let mine = "x = 1\n\n\ny = 2\n\n\nz = 3\nmine = 4\n";
    world.sandbox.write("mod.py", mine);
    world.run_auto(&["--commit"]).expect_code(0);
    let committed = world.sandbox.git(&["show", "HEAD:mod.py"]);
    assert_eq!(committed, "x = 1\nhello = 1\n\n\ny = 2\n\n\nz = 3\n");
    assert_eq!(world.sandbox.read("mod.py"), mine.replace("x = 1\n", "x = 1\nhello = 1\n"));
    assert_eq!(world.sandbox.git(&["show", "HEAD:other.txt"]), "other\n");
    assert_eq!(world.sandbox.git_status(), [" M mod.py", "?? untracked.txt", "M  other.txt"]);
    assert_eq!(world.sandbox.git(&["diff", "--cached", "--name-only"]), "other.txt\n");
}

#[test]
fn what_cannot_be_told_apart_is_left_out_and_named() {
    let world = world();
    // The run changes the very lines that the person has changed.
    world.sandbox.write("mod.py", "x = 1\nmine = 0\n\ny = 2\n\n\nz = 3\n");
    let output = world.run_auto(&["--commit"]);
    output.expect_code(0).expect_text("not committed: mod.py");
    assert_eq!(world.sandbox.git(&["log", "-1", "--format=%s"]), "Write docs/new.md\n");
    assert_eq!(world.sandbox.git_status(), [" M mod.py"]);
}

#[test]
fn a_new_branch_gets_the_commits_and_the_checkout_stays() {
    let world = world();
    world.sandbox.write("other.txt", "staged\n");
    world.sandbox.git(&["add", "other.txt"]);
    let index = world.sandbox.bytes(".git/index");
    let head = world.sandbox.git(&["rev-parse", "HEAD"]);
    world.run_auto(&["--branch", "feature/hello"]).expect_code(0);
    assert_eq!(world.sandbox.bytes(".git/index"), index);
    assert_eq!(world.sandbox.git(&["rev-parse", "HEAD"]), head);
    let subjects = world.sandbox.git(&["log", "--format=%s", "HEAD..feature/hello"]);
    assert_eq!(subjects.lines().count(), 2, "{subjects}");
    assert!(world.sandbox.git(&["show", "feature/hello:mod.py"]).contains("hello"));
}

#[test]
fn hooks_and_signing_have_no_say() {
    let world = world();
    world.sandbox.git(&["config", "commit.gpgSign", "true"]);
    world.sandbox.write(".git/hooks/pre-commit", "#!/bin/sh\ntouch hook-ran\nexit 1\n");
    world.sandbox.write(".git/hooks/post-checkout", "#!/bin/sh\ntouch hook-ran\nexit 1\n");
    world.sandbox.chmod(".git/hooks/pre-commit", 0o755);
    world.sandbox.chmod(".git/hooks/post-checkout", 0o755);
    world.run_auto(&["--commit"]).expect_code(0);
    assert!(!world.sandbox.exists("hook-ran"));
    assert_eq!(world.sandbox.git(&["log", "-2", "--format=%G?"]), "N\nN\n");
}

#[test]
fn a_run_that_failed_commits_nothing() {
    let mut tasks = two_tasks();
    tasks[1].verification = "false".to_owned();
    let mut world =
        World::in_project(&Fixture::default().file("mod.py", "x = 1\n"), planned(tasks));
    identity(&mut world);
    let head = world.sandbox.git(&["rev-parse", "HEAD"]);
    world.run_auto(&["--commit"]).expect_code(1);
    assert_eq!(world.sandbox.git(&["rev-parse", "HEAD"]), head);
    assert!(world.sandbox.read("mod.py").contains("hello"), "what is done stays in the tree");
}

#[test]
fn what_would_keep_it_from_committing_is_said_before_any_model_is_asked() {
    type Prepare = fn(&World);
    let cases: [(&str, Prepare, &[&str], i32, &str); 6] = [
        (
            "no git",
            |w| drop(std::fs::remove_dir_all(w.sandbox.project().join(".git"))),
            &["--commit"],
            4,
            "no git work tree",
        ),
        (
            "no commit",
            |w| {
                std::fs::remove_dir_all(w.sandbox.project().join(".git")).unwrap();
                w.sandbox.git(&["init", "--quiet"]);
            },
            &["--commit"],
            4,
            "no commit yet",
        ),
        (
            "detached",
            |w| drop(w.sandbox.git(&["checkout", "--quiet", "--detach"])),
            &["--commit"],
            2,
            "--branch NAME",
        ),
        (
            "exists",
            |w| drop(w.sandbox.git(&["branch", "taken"])),
            &["--branch", "taken"],
            2,
            "taken exists",
        ),
        ("no name", |_| {}, &["--branch", "a..b"], 2, "no name for a branch"),
        (
            "merge",
            |w| {
                w.sandbox.write(".git/MERGE_HEAD", "x\n");
            },
            &["--commit"],
            4,
            "a merge is under way",
        ),
    ];
    for (name, prepare, flags, code, said) in cases {
        let world = world();
        prepare(&world);
        let output = world.run_auto(flags);
        assert_eq!(output.code, Some(code), "{name}: {output}");
        output.expect_text(said);
        assert_eq!(world.calls().len(), 0, "{name}");
        assert_eq!(world.sandbox.runs().len(), 0, "{name}");
    }
}

#[test]
fn without_a_name_to_commit_under_nothing_is_begun() {
    let world = world();
    std::fs::write(world.sandbox.home().join(".gitconfig"), "[user]\n\tuseConfigOnly = true\n")
        .unwrap();
    let output = world.run_auto(&["--commit"]);
    output.expect_code(4).expect_text("git config user.name");
    assert_eq!(world.calls().len(), 0);
}

#[test]
fn killed_while_it_commits_a_resumed_run_commits_once() {
    let world = world();
    world.run_auto(&["--commit"]).expect_code(0);
    let run = world.sandbox.last_run();
    let seq = |name: &str| run.of_type(name)[0]["seq"].as_u64().unwrap();
    let (first, last) = (seq("run.committed") - 3, run.last_seq());
    for after in first..last {
        let world = self::world();
        let args = ["run", crate::support::GOAL, "--auto", "--commit"];
        let killed =
            world.sandbox.sage(&args).env(crate::support::KILL_AFTER, after.to_string()).run();
        assert_eq!(killed.signal, Some(9));
        world.resume().expect_code(0);
        let subjects = world.sandbox.git(&["log", "--format=%s"]);
        assert_eq!(
            subjects, "Write docs/new.md\nSay hello in the module\nStart\n",
            "after {after}"
        );
        assert_eq!(world.sandbox.git_status(), Vec::<String>::new(), "after {after}");
        assert_eq!(world.sandbox.last_run().of_type("run.committed").len(), 2, "after {after}");
    }
}
