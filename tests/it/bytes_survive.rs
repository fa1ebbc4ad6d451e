//! A change of one line leaves every other byte of the file, its mode and its neighbours alone.

use std::os::unix::fs::PermissionsExt;

use sage_testkit::{FileWrite, Fixture, PlannedTask};

use crate::support::{World, planned, story};

/// File, what is replaced, by what, and the bytes afterwards.
fn changes() -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    vec![
        ("windows.txt", "second\n", "2nd\n", b"first\r\n2nd\r\nthird\r\n".to_vec()),
        ("open_end.txt", "third", "3rd", b"first\nsecond\n3rd".to_vec()),
        ("latin1.txt", "plain\n", "simple\n", b"caf\xe9\nna\xefve\nsimple\n".to_vec()),
        ("mixed.txt", "windows\n", "doors\n", b"unix\ndoors\r\nunix\n".to_vec()),
        ("marked.txt", "second\n", "2nd\n", b"\xef\xbb\xbffirst\n2nd\n".to_vec()),
        ("run.sh", "echo one\n", "echo 1\n", b"#!/bin/sh\necho 1\necho two\n".to_vec()),
        ("private.txt", "second\n", "2nd\n", b"first\n2nd\n".to_vec()),
        ("two words.txt", "second\n", "2nd\n", b"first\n2nd\n".to_vec()),
        (
            "long.py",
            "def line_300(): return 300\n",
            "def line_300(): return -300\n",
            Fixture::long_file().replace("return 300\n", "return -300\n").into_bytes(),
        ),
    ]
}

fn task() -> PlannedTask {
    let edits = changes();
    let edits = edits.iter().map(|(path, from, to, _)| FileWrite::replace(*path, *from, *to));
    PlannedTask::new("task_001", "Change one line of each file").version(edits.collect())
}

fn check(world: &World) {
    let before = world.sandbox.tree();
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    for (path, _, _, expected) in changes() {
        let found = world.sandbox.bytes(path);
        assert!(
            found == expected,
            "{path}: expected {:?}, found {:?}\n{}",
            String::from_utf8_lossy(&expected),
            String::from_utf8_lossy(&found),
            story(&run)
        );
    }
    for (path, mode) in [("run.sh", 0o755), ("private.txt", 0o600), ("long.py", 0o644)] {
        let facts = std::fs::metadata(world.sandbox.project().join(path)).unwrap();
        assert_eq!(facts.permissions().mode() & 0o777, mode, "{path}");
    }
    assert_eq!(before.files(), world.sandbox.tree().files(), "no file came or went");

    // And back again, to the byte.
    world.sandbox.run(&["undo"]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    assert_eq!(world.sandbox.git_status(), [""; 0]);
}

#[test]
fn one_line_changes_through_native_tools() {
    check(&World::in_project(&Fixture::delicate_files(), planned(vec![task()])));
}

#[test]
fn one_line_changes_through_the_text_protocol() {
    check(&World::in_project(&Fixture::delicate_files(), planned(vec![task()])).text_protocol());
}

#[test]
fn a_long_file_is_not_wiped_by_a_short_answer() {
    // The classic accident: asked for one line, the model sends a file of six.
    let stub = "def line_2(): return 2\n# rest unchanged\n";
    let task = PlannedTask::file("task_001", "long.py", stub);
    let world = World::in_project(&Fixture::delicate_files(), planned(vec![task])).text_protocol();
    let output = world.run_auto(&[]);
    output.expect_code(1);
    assert_eq!(world.sandbox.read("long.py"), Fixture::long_file(), "{output}");
}

#[test]
fn undo_restores_deleted_untracked_and_ignored_files() {
    let fixture = Fixture::delicate_files().file(".gitignore", "*.log\n");
    let task = PlannedTask::file("task_001", "new/file.txt", "new\n")
        .targets(&["new/file.txt", "run.sh", "empty.txt", "kept.log", "mine.txt"])
        .calling("delete", &serde_json::json!({"path": "run.sh"}))
        .calling("write", &serde_json::json!({"path": "kept.log", "content": "gone\n"}))
        .calling("write", &serde_json::json!({"path": "mine.txt", "content": "gone\n"}));
    let mut world = World::in_project(&fixture, planned(vec![task]));
    world.sandbox.write("kept.log", "ignored by git\n").write("mine.txt", "not tracked\n");
    world.sandbox.chmod("mine.txt", 0o640);
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    assert!(!world.sandbox.exists("run.sh") && world.sandbox.exists("new/file.txt"));
    world.sandbox.env("SAGE_NON_INTERACTIVE", "1");
    world.sandbox.run(&["undo"]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn undo_refuses_to_overwrite_what_the_user_changed_since() {
    let world = World::in_project(&Fixture::delicate_files(), planned(vec![task()]));
    world.run_auto(&[]).expect_code(0);
    world.sandbox.write("run.sh", "#!/bin/sh\necho mine\n");
    let before = world.sandbox.tree();
    let output = world.sandbox.run(&["undo"]);
    assert_ne!(output.code, Some(0), "{output}");
    output.expect_text("run.sh");
    assert_eq!(before.diff(&world.sandbox.tree()), "", "nothing is restored by half");
}
