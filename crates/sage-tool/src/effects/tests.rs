use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use crate::testing::Bench;
use crate::{SnapshotStore, ToolResult};

async fn run(bench: &Bench, index: u32, command: &str) -> ToolResult {
    bench.call(index, "run", json!({"command": command})).await
}

#[tokio::test]
async fn what_a_command_changes_inside_the_paths_is_logged_and_stays() {
    let bench = Bench::new(&[("src/a.txt", "one\n"), ("src/b.txt", "two\n"), ("src/c.sh", "x\n")])
        .granting(&["src"]);
    let result = run(
        &bench,
        1,
        "echo more >> src/a.txt; rm src/b.txt; echo new > src/d.txt; chmod 755 src/c.sh; ln -s a.txt src/l",
    )
    .await;
    assert!(result.ok && !result.refused, "{}", result.text);
    assert_eq!(result.changed, ["src/a.txt", "src/b.txt", "src/c.sh", "src/d.txt", "src/l"]);
    assert_eq!(
        bench.facts(),
        [
            "called run",
            "changed src/a.txt +1 -0",
            "changed src/b.txt +0 -1",
            "changed src/c.sh +0 -0",
            "changed src/d.txt +1 -0",
            "changed src/l +1 -0",
            "workspace.observed",
            "finished run true"
        ]
    );
}

#[tokio::test]
async fn what_a_command_changes_outside_is_put_back_exactly_and_told() {
    let bench = Bench::new(&[
        ("src/a.txt", "one\n"),
        ("doc.md", "doc\n"),
        ("bin/x.sh", "x\n"),
        ("gone/deep/f", "f\n"),
    ])
    .granting(&["src"]);
    fs::set_permissions(bench.at("bin/x.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("doc.md", bench.at("link")).unwrap();
    fs::create_dir(bench.at("empty")).unwrap();
    let before = bench.tree();
    let result = run(
        &bench,
        1,
        "echo x > doc.md; chmod 600 bin/x.sh; rm -r gone; rm link; ln -s /etc/passwd link; \
         mkdir -p new/deep; echo n > new/deep/f; echo n > top.txt; rmdir empty; echo in >> src/a.txt; \
         mkdir src/sub; mv src/a.txt src/sub/",
    )
    .await;
    assert!(result.refused, "{}", result.text);
    assert!(
        result.text.starts_with("refused: outside the task's paths: bin/x.sh, doc.md, empty"),
        "{}",
        result.text
    );
    assert_eq!(result.changed, ["src/a.txt", "src/sub", "src/sub/a.txt"]);
    let mut after = bench.tree();
    assert_eq!(after.remove("src/sub/a.txt").unwrap(), "644 one\nin\n");
    after.remove("src/sub");
    let mut before = before;
    before.remove("src/a.txt");
    assert_eq!(after, before);
    let facts = bench.facts();
    assert_eq!(facts[facts.len() - 2..], ["refused run", "finished run true"]);
}

#[tokio::test]
async fn ignored_files_are_the_commands_own_business() {
    let bench =
        Bench::new(&[(".gitignore", "/out/\n*.log\n"), ("out/old", "x\n")]).granting(&["src"]);
    let result = run(&bench, 1, "echo x > out/new; echo x > a.log; rm out/old").await;
    assert!(!result.refused && result.changed.is_empty(), "{}", result.text);
    assert!(bench.exists("out/new") && bench.exists("a.log") && !bench.exists("out/old"));
}

#[tokio::test]
async fn a_command_cannot_hide_its_files_by_ignoring_them() {
    let bench = Bench::new(&[(".gitignore", "*.log\n"), ("doc.md", "doc\n")]).granting(&["src"]);
    let before = bench.tree();
    let result = run(&bench, 1, "echo '*' > .gitignore; echo x > stray; echo y > doc.md").await;
    assert!(result.refused, "{}", result.text);
    for path in [".gitignore", "doc.md", "stray"] {
        assert!(result.text.contains(path), "{}", result.text);
    }
    assert_eq!(bench.tree(), before);
}

#[tokio::test]
async fn a_folder_that_ignores_itself_is_left_as_tools_make_such_folders() {
    let bench = Bench::new(&[("doc.md", "doc\n")]).granting(&["src"]);
    let command =
        "mkdir .x_cache; echo '*' > .x_cache/.gitignore; echo x > .x_cache/x; echo x > stray";
    let result = run(&bench, 1, command).await;
    assert!(
        result.text.starts_with("refused: outside the task's paths: stray (put"),
        "{}",
        result.text
    );
    assert!(bench.exists(".x_cache/x") && !bench.exists("stray"));
}

#[tokio::test]
async fn caches_are_removed_without_a_word() {
    let bench = Bench::new(&[("src/a.py", "x\n")]).granting(&["src/a.py"]);
    let before = bench.tree();
    let result = run(
        &bench,
        1,
        "mkdir -p src/__pycache__ .pytest_cache/v; echo x > src/__pycache__/a.pyc; echo x > .pytest_cache/v/x",
    )
    .await;
    assert!(!result.refused && result.changed.is_empty(), "{}", result.text);
    assert_eq!(result.text, "[exit code 0]\n");
    assert_eq!(bench.tree(), before);
}

#[tokio::test]
async fn a_tool_write_during_a_command_is_not_blamed_on_it() {
    let bench = Bench::new(&[("src/a.txt", "x\n"), ("doc.md", "doc\n")]).granting(&["src"]);
    let mut other = bench.cx.clone();
    other.grant = crate::Grant::everything();
    let command = run(&bench, 1, "until [ -e .sage/go ]; do :; done; echo x > stray");
    let edit = async {
        while !bench.facts().iter().any(|fact| fact == "called run") {
            tokio::task::yield_now().await;
        }
        let wanted = sage_core::ToolCall {
            id: "y".into(),
            name: "write".into(),
            arguments: json!({"path": "doc.md", "content": "by another task\n"}).to_string(),
        };
        let done = bench.tools.call(&other, crate::testing::call(100), &wanted).await.unwrap();
        fs::write(bench.at(".sage/go"), "").unwrap();
        done
    };
    let (result, done) = tokio::join!(command, edit);
    assert!(done.ok, "{}", done.text);
    assert!(result.refused && !result.text.contains("doc.md"), "{}", result.text);
    assert_eq!(bench.text("doc.md"), "by another task\n");
    assert!(!bench.exists("stray"));
}

#[tokio::test]
async fn claimed_paths_of_another_task_are_left_alone() {
    let bench = Bench::new(&[("a/x", "x\n"), ("b/x", "x\n")]).granting(&["a"]);
    let claim = bench.cx.workspace.claim(crate::PathSet::new(["b"]).unwrap());
    let result = run(&bench, 1, "echo 1 > b/x; echo 1 > c").await;
    assert!(result.text.contains("paths: c "), "{}", result.text);
    assert_eq!(bench.text("b/x"), "1\n");
    drop(claim);
    let result = run(&bench, 2, "echo 2 > b/x").await;
    assert!(result.text.contains("b/x"), "{}", result.text);
    assert_eq!(bench.text("b/x"), "1\n");
}

#[tokio::test]
async fn while_others_run_strays_wait_for_the_last_one() {
    let bench = Bench::new(&[(".gitignore", "signal\n"), ("a/x", "x\n"), ("b/x", "x\n")]);
    let mut first = bench.cx.clone();
    first.grant.paths = crate::PathSet::new(["a"]).unwrap();
    let mut second = bench.cx.clone();
    second.grant.paths = crate::PathSet::new(["b"]).unwrap();
    let wanted = |command: &str| sage_core::ToolCall {
        id: "y".into(),
        name: "run".into(),
        arguments: json!({"command": command}).to_string(),
    };
    let slow =
        wanted("touch signal; until [ -e .sage/go ]; do :; done; [ -e build ] && echo 1 > b/x");
    let fast =
        wanted("until [ -e signal ]; do :; done; mkdir build; echo 1 > build/x; echo 1 > a/x");
    let slow = bench.tools.call(&second, crate::testing::call(1), &slow);
    let fast = async {
        let done = bench.tools.call(&first, crate::testing::call(2), &fast).await.unwrap();
        assert!(bench.exists("build/x"), "taken away under a running command");
        fs::write(bench.at(".sage/go"), "").unwrap();
        done
    };
    let (slow, fast) = tokio::join!(slow, fast);
    let slow = slow.unwrap();
    assert!(fast.ok && !fast.refused, "{}", fast.text);
    assert!(slow.ok && !slow.refused, "{}", slow.text);
    assert!(slow.text.contains("[put back, outside the task's paths: build"), "{}", slow.text);
    assert!(!bench.exists("build"));
    assert_eq!((bench.text("a/x"), bench.text("b/x")), ("1\n".into(), "1\n".into()));
    assert_eq!((fast.changed, slow.changed), (vec!["a/x".to_owned()], vec!["b/x".to_owned()]));
}

#[tokio::test]
async fn what_an_interrupted_command_may_have_done_is_logged_in_its_paths_and_left_elsewhere() {
    let mut bench = Bench::new(&[("src/a", "a\n"), ("doc", "doc\n")]).granting(&["src"]);
    let command = json!({"command": "echo x >> src/a; echo x >> doc"});
    bench.call(1, "run", command.clone()).await;
    // Killed in the middle of the command: it had changed both files, or the person changed one.
    bench.died_after(1);
    bench.write("src/a", "a\nx\n");
    bench.write("src/b", "b\n");
    bench.write("doc", "doc\nmine\n");
    bench.write("__pycache__/x.pyc", "x");
    let result = bench.call(1, "run", command.clone()).await;
    assert!(result.refused, "{}", result.text);
    assert!(result.text.contains("left as found: doc]"), "{}", result.text);
    assert_eq!(result.changed, ["src/a", "src/b"]);
    assert_eq!(bench.text("src/a"), "a\nx\nx\n");
    assert_eq!(bench.text("doc"), "doc\nmine\n");
    assert!(!bench.exists("__pycache__"));
    assert_eq!(
        bench.facts()[1..],
        [
            "changed src/a +1 -0",
            "changed src/b +1 -0",
            "called run",
            "changed src/a +1 -0",
            "workspace.observed",
            "refused run",
            "finished run true"
        ]
    );
}

#[tokio::test]
async fn an_interrupted_check_leaves_what_it_finds() {
    let mut bench = Bench::new(&[("a", "a\n")]);
    let spec = || crate::CheckSpec {
        kind: sage_core::CheckKind::Project,
        command: "echo x >> a".into(),
        shown: "echo".into(),
        timeout: std::time::Duration::from_secs(10),
    };
    let check = async |bench: &Bench| {
        bench.tools.check(&bench.cx, crate::testing::call(1), spec()).await.unwrap()
    };
    check(&bench).await;
    bench.died_after(1);
    bench.write("a", "mine\n");
    let result = check(&bench).await;
    assert!(result.passed);
    assert_eq!(bench.text("a"), "mine\n");
    assert_eq!(bench.facts()[1], "changed a +1 -1");
}

#[tokio::test]
async fn without_a_store_new_files_go_and_changed_ones_are_reported() {
    let mut bench = Bench::new(&[("doc", "doc\n")]).granting(&["src"]);
    bench.cx.snapshots = None;
    let result = run(&bench, 1, "echo x > doc; echo x > stray").await;
    assert!(result.refused && result.text.contains("cannot be put back: doc"), "{}", result.text);
    assert!(!bench.exists("stray"));
    assert_eq!(bench.text("doc"), "x\n");
}

#[tokio::test]
async fn what_is_put_back_is_not_lost() {
    let bench = Bench::new(&[("doc", "doc\n")]).granting(&["src"]);
    let result = run(&bench, 1, "echo precious > doc").await;
    let held = sage_core::BlobRef::of(b"precious\n");
    assert_eq!(result.details["put_back"], json!([{"path": "doc", "held": held}]));
    assert_eq!(bench.text("doc"), "doc\n");
    let store = SnapshotStore::open(&bench.at(".sage/snapshots")).unwrap();
    assert_eq!(store.read(&sage_core::BlobRef::of(b"precious\n")).unwrap(), b"precious\n");
}

#[tokio::test]
async fn a_file_becomes_a_folder_and_back() {
    let bench = Bench::new(&[("x", "file\n"), ("d/f", "f\n")]).granting(&["src"]);
    let before = bench.tree();
    let result = run(&bench, 1, "rm x; mkdir x; echo 1 > x/y; rm -r d; echo 1 > d").await;
    assert!(result.refused, "{}", result.text);
    assert_eq!(bench.tree(), before);
}

#[tokio::test]
async fn a_folder_that_was_closed_is_opened_again() {
    let bench =
        Bench::new(&[("d/f", "f\n"), ("d/g", "g\n"), ("src/s/x", "x\n")]).granting(&["src"]);
    let before = bench.tree();
    let result = run(&bench, 1, "rm d/g; echo x > d/f; echo y > d/new; chmod 000 d").await;
    assert!(result.refused, "{}", result.text);
    assert_eq!(bench.tree(), before);
    // Inside the paths it stays as the command left it, and ends nothing.
    let result = run(&bench, 2, "chmod 000 src/s").await;
    assert!(result.ok, "{}", result.text);
    fs::set_permissions(bench.at("src/s"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn building_is_no_attempt_to_write_elsewhere() {
    let bench = Bench::new(&[("src/a.rs", "x\n"), ("sub/go.sum", "old\n")]).granting(&["src"]);
    let build = "mkdir -p target/debug; echo tag > target/CACHEDIR.TAG; echo o > target/debug/o; \
                 echo lock > Cargo.lock; echo new > sub/go.sum";
    let result = run(&bench, 1, build).await;
    assert!(result.ok && !result.refused && result.changed.is_empty(), "{}", result.text);
    assert!(
        result.text.contains("put back, outside the task's paths: sub/go.sum"),
        "{}",
        result.text
    );
    assert!(!bench.exists("Cargo.lock") && bench.text("sub/go.sum") == "old\n");
    // What was built is there for the next command, which knows nothing of it.
    let next = run(&bench, 2, "cat target/debug/o").await;
    assert_eq!(next.text, "o\n[exit code 0]\n");
}

#[tokio::test]
async fn a_lock_file_of_the_task_follows_its_manifest() {
    let files = [("Cargo.toml", "a\n"), ("Cargo.lock", "a\n")];
    let bench = Bench::new(&files).granting(&["Cargo.toml", "Cargo.lock", "sub/Cargo.lock"]);
    let spec = crate::CheckSpec {
        kind: sage_core::CheckKind::Project,
        command: "echo b > Cargo.lock; echo b > Cargo.toml; mkdir sub; echo b > sub/Cargo.lock"
            .into(),
        shown: "cargo test".into(),
        timeout: std::time::Duration::from_secs(10),
    };
    let result = bench.tools.check(&bench.cx, crate::testing::call(1), spec).await.unwrap();
    assert!(result.passed, "{result:?}");
    assert_eq!((bench.text("Cargo.lock"), bench.text("Cargo.toml")), ("b\n".into(), "a\n".into()));
    assert!(!bench.exists("sub/Cargo.lock"), "nobody asked for a new one");
    assert!(bench.facts().contains(&"changed Cargo.lock +1 -1".to_owned()), "{:?}", bench.facts());
}

#[tokio::test]
async fn caches_that_were_made_are_removed_and_others_are_not() {
    let bench = Bench::new(&[(".gitignore", "/ignored/\n"), ("old/CACHEDIR.TAG", "t\n")]);
    let store = bench.cx.snapshots.clone().unwrap();
    let before = store.take(&bench.cx.workspace, crate::Covers::Everything).unwrap();
    let tree = bench.tree();
    for folder in ["target", "sub/target", "ignored", "old/more"] {
        fs::create_dir_all(bench.at(folder)).unwrap();
        fs::write(bench.at(&format!("{folder}/CACHEDIR.TAG")), "t\n").unwrap();
    }
    fs::create_dir_all(bench.at("made")).unwrap();
    fs::write(bench.at("made/by_hand"), "x\n").unwrap();
    let removed = SnapshotStore::remove_new_caches(&bench.cx.workspace, &before).unwrap();
    let mut removed: Vec<&str> = removed.iter().map(String::as_str).collect();
    removed.sort_unstable();
    assert_eq!(removed, ["sub/target", "target"]);
    assert!(bench.exists("ignored/CACHEDIR.TAG") && bench.exists("old/more/CACHEDIR.TAG"));
    assert!(bench.exists("made/by_hand") && bench.tree().len() > tree.len());
}
