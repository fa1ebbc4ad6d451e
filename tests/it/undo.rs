//! `sage undo`: the tree after it is the tree before, to the byte, whatever commands did.

mod asked;
mod killed;
mod steps;
mod store;

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use sage_testkit::{CliSandbox, FakeOpenAi, FileWrite, Fixture, ModelsYaml, Output, PlannedTask};
use serde_json::{Value, json};

use crate::support::{World, planned, sandbox};

/// Changes tracked, untracked and ignored files, modes, links and folders.
const FIRST: &str = r#"set -e
echo changed > tracked.txt
rm gone.txt
mv src/old.rs src/new.rs
mv docs moved
chmod 755 plain.sh
chmod 400 read_only.txt
rm link && ln -s src link
rm swap && mkdir swap && echo in > swap/inner
rm -r tree && echo file > tree
rmdir empty
mkdir -p new/deep/er new_empty
echo new > new/deep/er/file
echo more >> notes.log
rm old.log
echo new > new.log
mv cache/a cache/b
chmod 600 cache/keep
mkdir cache/sub && echo x > cache/sub/y
chmod 700 cache/box
chmod -R u+w out && rm -r out
echo untracked >> mine.txt
ln -sfn nowhere cache/dangling
"#;

/// Goes on where the first left off.
const SECOND: &str = r#"set -e
echo again > tracked.txt
rm -r new new_empty
mv src/new.rs src/newer.rs
echo second > new.log
rm cache/b
chmod 644 plain.sh
mkdir late && echo late > late/file && chmod 000 late
rm cache/box/in && chmod 500 cache/box
printf 'two\nlines' > "line
break.txt"
echo kept > second.txt
"#;

fn lay_out(sandbox: &CliSandbox) {
    Fixture::default()
        .file(".gitignore", "*.log\n/cache/\n/out/\n/tools/\n")
        .file("tracked.txt", "tracked\r\nwithout end")
        .file("gone.txt", "gone\n")
        .file("src/old.rs", "fn old() {}\n")
        .file("docs/a.md", "a\n")
        .file("docs/deep/b.md", "b\n")
        .file("plain.sh", "#!/bin/sh\n")
        .file("read_only.txt", "read\n")
        .file("swap", "file\n")
        .file("tree/leaf", "leaf\n")
        .lay_into(sandbox);
    symlink("tracked.txt", sandbox.project().join("link")).unwrap();
}

/// What git does not know, after the commit.
fn lay_out_more(sandbox: &CliSandbox) {
    for (path, text) in [
        ("tools/first.sh", FIRST),
        ("tools/second.sh", SECOND),
        ("notes.log", "notes\n"),
        ("old.log", "old\n"),
        ("cache/a", "a\n"),
        ("cache/keep", "keep\n"),
        ("cache/box/in", "in\n"),
        ("out/deep/er", "er\n"),
        ("mine.txt", "not tracked\n"),
    ] {
        sandbox.write(path, text);
    }
    let at = |path: &str| sandbox.project().join(path);
    std::fs::create_dir(at("empty")).unwrap();
    symlink("keep", at("cache/dangling")).unwrap();
    std::fs::write(at("cache").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "latin\n").unwrap();
    sandbox.chmod("mine.txt", 0o640).chmod("cache/a", 0o4755).chmod("cache/keep", 0o444);
    sandbox.chmod("empty", 0o750).chmod("docs/deep", 0o711).chmod("out/deep", 0o555);
}

fn command(line: &str) -> Value {
    json!({ "command": line })
}

/// One task: a command, a file, another command.
fn havoc() -> PlannedTask {
    PlannedTask::new("task_001", "Turn everything upside down")
        .version(vec![FileWrite::whole("written.txt", "by the model\n")])
        .calling("run", &command("sh tools/first.sh"))
        .calling("write", &json!({"path": "between.txt", "content": "between\n"}))
        .calling("run", &command("sh tools/second.sh"))
        .targets(&["written.txt"])
        .with("paths", json!(["**"]))
        .verified_by("test -e second.txt")
}

fn world() -> World {
    world_of(vec![havoc()])
}

fn world_of(tasks: Vec<PlannedTask>) -> World {
    let server = FakeOpenAi::with(planned(tasks)).start();
    let mut sandbox = sandbox();
    lay_out(&sandbox);
    sandbox.git_init();
    lay_out_more(&sandbox);
    sandbox.models(&ModelsYaml::openai(&server.url()));
    World { sandbox, server }
}

/// The state of git that an undo must leave alone.
fn git_state(sandbox: &CliSandbox) -> (String, String, Vec<u8>) {
    let index = sandbox.bytes(".git/index");
    (sandbox.git(&["rev-parse", "HEAD"]), sandbox.git(&["stash", "list"]), index)
}

fn undo(world: &World, args: &[&str]) -> Output {
    world.sandbox.run(&[&["undo"], args].concat())
}

#[test]
fn whatever_commands_did_is_undone_to_the_byte() {
    let world = world();
    let before = world.sandbox.tree();
    world.sandbox.git(&["add", "mine.txt"]);
    let git = git_state(&world.sandbox);
    let output = world.run_auto(&[]);
    output.expect_code(0);
    assert!(world.sandbox.exists("swap/inner") && !world.sandbox.exists("cache/a"), "{output}");
    assert!(world.sandbox.read("tracked.txt") == "again\n", "{output}");
    undo(&world, &[]).expect_code(0).expect_text("restored cache/a").expect_text("--redo");
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    assert_eq!(git_state(&world.sandbox), git);
    undo(&world, &[]).expect_code(2).expect_text("undone already");
}

#[test]
fn the_same_without_git() {
    let world = world();
    std::fs::remove_dir_all(world.sandbox.project().join(".git")).unwrap();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn a_failed_run_is_undone_too() {
    let task = havoc().verified_by("false");
    let world = world_of(vec![task]);
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(1);
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn an_undo_can_be_taken_back_and_done_again() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    undo(&world, &["--redo"]).expect_code(2).expect_text("nothing of it is undone");
    for _ in 0..2 {
        undo(&world, &[]).expect_code(0);
        assert_eq!(before.diff(&world.sandbox.tree()), "");
        let output = undo(&world, &["--redo"]);
        output.expect_code(0).expect_text("undoes it again");
        assert_eq!(after.diff(&world.sandbox.tree()), "");
    }
    let files = world.sandbox.run(&["runs", "show", "--json"]).json_lines().remove(0);
    assert!(files["files"]["files"].to_string().contains("written.txt"), "{files}");
}
