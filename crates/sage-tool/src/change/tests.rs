use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::testing::Bench;

fn replace(path: &str, search: &str, replace: &str) -> FileEdit {
    let (search, replace) = (search.to_owned(), replace.to_owned());
    Edit::Replace { path: Some(path.to_owned()), search, replace }
}

fn write(path: &str, content: &str) -> FileEdit {
    Edit::Write { path: path.to_owned(), content: content.to_owned() }
}

#[tokio::test]
async fn a_change_is_announced_and_durable_before_it_is_made() {
    let bench = Bench::new(&[("a.txt", "one\ntwo\n")]);
    fs::set_permissions(bench.at("a.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    let args = json!({"path": "a.txt", "search": "two", "replace": "three\nfour"});
    let result = bench.call(1, "edit", args).await;
    assert!(result.ok, "{}", result.text);
    assert_eq!(result.text, "changed a.txt: +2 -1 lines");
    assert_eq!(result.changed, ["a.txt"]);
    assert_eq!(bench.tree()["a.txt"], "600 one\nthree\nfour\n");
    assert_eq!(bench.facts(), ["called edit", "changed a.txt +2 -1", "finished edit true"]);
    assert_eq!(bench.recorder.synced().0, 2, "synced after the announcement");
    let kinds = bench.recorder.kinds();
    let sage_core::EventKind::Workspace(WorkspaceEvent::Changed { before, after, .. }) = &kinds[1]
    else {
        panic!("{kinds:?}")
    };
    let store = bench.cx.snapshots.as_ref().unwrap();
    assert_eq!(store.read(&before.as_ref().unwrap().hash).unwrap(), b"one\ntwo\n");
    assert_eq!(store.read(&after.as_ref().unwrap().hash).unwrap(), b"one\nthree\nfour\n");
    assert_eq!(after.as_ref().unwrap().mode, 0o600);
    let path = bench.cx.workspace.resolve("a.txt").unwrap();
    assert_eq!(bench.cx.workspace.state(&path).unwrap(), *after);
}

#[tokio::test]
async fn a_new_file_has_the_announced_mode_and_its_folders() {
    let bench = Bench::new(&[]);
    assert!(bench.call(1, "write", json!({"path": "a/b/c.txt", "content": "x\n"})).await.ok);
    let path = bench.cx.workspace.resolve("a/b/c.txt").unwrap();
    let state = bench.cx.workspace.state(&path).unwrap().unwrap();
    fs::write(bench.at("plain"), "").unwrap();
    let plain = fs::metadata(bench.at("plain")).unwrap().permissions().mode() & 0o777;
    assert_eq!(state.mode, plain);
}

#[tokio::test]
async fn all_edits_of_an_answer_apply_or_none_does() {
    let bench = Bench::new(&[("a.txt", "one\n"), ("b.txt", "two\n"), ("c.txt", "x\n")]);
    let before = bench.tree();
    let result = bench
        .edits(
            1,
            vec![replace("a.txt", "one", "1"), replace("b.txt", "nope", "2"), write("d", "x")],
        )
        .await
        .unwrap();
    assert!(
        !result.ok && result.text.starts_with("nothing was changed:\nedit 2"),
        "{}",
        result.text
    );
    assert_eq!(bench.tree(), before);
    assert_eq!(bench.facts(), ["called apply_edits", "finished apply_edits false"]);

    let result = bench
        .edits(
            2,
            vec![
                replace("a.txt", "one", "1"),
                replace("./a.txt", "1", "11"),
                write("new/d.txt", "x\n"),
                Edit::Delete { path: "c.txt".into() },
            ],
        )
        .await
        .unwrap();
    expect![[r#"
        changed a.txt: +1 -1 lines
        created new/d.txt: 1 lines
        deleted c.txt"#]]
    .assert_eq(&result.text);
    assert_eq!(bench.text("a.txt"), "11\n");
    assert!(!bench.exists("c.txt"));
    assert_eq!(bench.recorder.n_syncs(), 1, "one sync for all");
}

#[tokio::test]
async fn edits_that_cannot_be_made_are_explained() {
    let bench = Bench::new(&[("src/main.py", "x = 1\n"), ("same.txt", "same\n")]);
    fs::create_dir(bench.at("folder")).unwrap();
    let mut n = 0;
    let mut check = async |name: &str, args: serde_json::Value, part: &str| {
        n += 1;
        let result = bench.call(n, name, args).await;
        assert!(!result.ok && result.text.contains(part), "{name}: {}", result.text);
        assert!(!result.refused, "{name}: {}", result.text);
    };
    check(
        "edit",
        json!({"path": "main.py", "search": "x", "replace": "y"}),
        "did you mean src/main.py?",
    )
    .await;
    check("delete", json!({"path": "src/mian.py"}), "did you mean src/main.py?").await;
    check("edit", json!({"path": "src/main.py", "search": "y = 2", "replace": "z"}), "src/main.py")
        .await;
    check("write", json!({"path": "same.txt", "content": "same\n"}), "same.txt").await;
    check("write", json!({"path": "folder", "content": "x"}), "folder").await;
    check("delete", json!({"path": "folder"}), "folder").await;
    check("write", json!({"path": ".", "content": "x"}), "work tree itself").await;
    check("write", json!({"path": "same.txt/x", "content": "x"}), "not a folder").await;
    check("write", json!({"path": "", "content": "short\n"}), "empty").await;
    assert!(bench.edits(101, vec![]).await.unwrap().text.contains("no edit"));
}

#[tokio::test]
async fn deleting_a_link_leaves_its_target() {
    let bench = Bench::new(&[("real.txt", "x\n")]);
    std::os::unix::fs::symlink("real.txt", bench.at("link")).unwrap();
    assert!(bench.call(1, "delete", json!({"path": "link"})).await.ok);
    assert!(!bench.exists("link"));
    assert_eq!(bench.text("real.txt"), "x\n");
    std::os::unix::fs::symlink("/etc/passwd", bench.at("out")).unwrap();
    assert!(bench.call(2, "delete", json!({"path": "out"})).await.ok);
    assert!(!bench.exists("out"));
}

#[tokio::test]
async fn two_tasks_on_one_file_never_lose_an_update() {
    let bench = std::sync::Arc::new(Bench::new(&[("a.txt", "")]));
    let lines: String = (0..20).map(|n| format!("line {n}\n")).collect();
    bench.write("a.txt", &lines);
    let edits = (0..20).map(|n| {
        let bench = bench.clone();
        async move {
            let args = json!({
                "path": "a.txt", "search": format!("line {n}\n"), "replace": format!("done {n}\n"),
            });
            bench.call(n + 1, "edit", args).await
        }
    });
    let mut tasks = tokio::task::JoinSet::new();
    edits.for_each(|edit| drop(tasks.spawn(edit)));
    while let Some(result) = tasks.join_next().await {
        let result = result.unwrap();
        assert!(result.ok, "{}", result.text);
    }
    assert_eq!(bench.text("a.txt"), lines.replace("line", "done"));
}

/// Kills the process after each event of an answer with three files, in each state that the disk can
/// be in, and resumes.
#[tokio::test]
async fn an_interrupted_change_is_completed_and_told_alike() {
    let edits = || {
        vec![
            replace("a.txt", "one", "1"),
            write("new.txt", "x\n"),
            Edit::Delete { path: "c.txt".into() },
        ]
    };
    let files = [("a.txt", "one\n"), ("c.txt", "c\n")];
    let undisturbed = Bench::new(&files);
    let expected = undisturbed.edits(1, edits()).await.unwrap();
    assert!(expected.ok);
    let n_events = undisturbed.facts().len() as u64;
    for last in 0..=n_events {
        for n_written in 0..=3 {
            // Files are written only once all announcements (events 2, 3 and 4) are durable.
            if (last < 4 && n_written > 0) || (last == n_events && n_written < 3) {
                continue;
            }
            let mut bench = Bench::new(&files);
            bench.edits(1, edits()).await.unwrap();
            bench.died_after(last);
            if n_written < 1 {
                bench.write("a.txt", "one\n");
            }
            if n_written < 2 {
                fs::remove_file(bench.at("new.txt")).unwrap();
            }
            if n_written < 3 {
                bench.write("c.txt", "c\n");
            }
            let result = bench.edits(1, edits()).await.unwrap();
            assert_eq!(
                result, expected,
                "killed after event {last} with {n_written} files written"
            );
            assert_eq!(bench.tree(), undisturbed.tree());
            assert_eq!(bench.facts(), undisturbed.facts(), "killed after event {last}");
        }
    }
}

#[tokio::test]
async fn an_interrupted_change_of_a_file_that_somebody_else_changed_is_left_alone() {
    let mut bench = Bench::new(&[("a.txt", "one\n")]);
    let args = json!({"path": "a.txt", "search": "one", "replace": "1"});
    bench.call(1, "edit", args.clone()).await;
    bench.died_after(2);
    bench.write("a.txt", "mine\n");
    let result = bench.call(1, "edit", args).await;
    assert!(!result.ok && result.text.contains("somebody else changed a.txt"), "{}", result.text);
    assert_eq!(bench.text("a.txt"), "mine\n");
    assert_eq!(bench.facts().last().unwrap(), "finished edit false");
}

#[tokio::test]
async fn a_change_that_would_not_be_the_announced_one_is_not_made() {
    let mut bench = Bench::new(&[("a.txt", "one\n")]);
    bench.call(1, "write", json!({"path": "b.txt", "content": "secret\n"})).await;
    bench.died_after(2);
    fs::remove_file(bench.at("b.txt")).unwrap();
    // What was recorded is not what was written at first, as after redaction.
    let args = json!({"path": "b.txt", "content": "[redacted]\n"});
    let past = sage_core::Recorder::past(&bench.recorder, &crate::testing::call(1));
    let sage_core::Past::Tool(mut past) = past else { panic!("a tool call") };
    past.args = sage_core::Recorder::put(&bench.recorder, args.to_string().as_bytes()).unwrap();
    bench.recorder.set_past(crate::testing::call(1), sage_core::Past::Tool(past));
    let result = bench.call(1, "write", args).await;
    assert!(!result.ok && result.text.contains("repeat it"), "{}", result.text);
    assert!(!bench.exists("b.txt"));
}

#[tokio::test]
async fn a_write_that_fails_is_taken_back_and_the_log_is_told() {
    // Root may write everywhere, so the failure is a folder in the file's place, made between the
    // announcement and the write: the reader of the file sees it go.
    let bench = Bench::new(&[("a.txt", "one\n"), ("z/file", "x\n")]);
    let edits = vec![replace("a.txt", "one", "1"), write("z/file/under", "x\n")];
    let result = bench.edits(1, edits).await.unwrap();
    assert!(!result.ok);
    assert_eq!(bench.text("a.txt"), "one\n");

    let edits = vec![
        write("d/e/f", "x\n"),
        write("new", "x\n"),
        write("new/under", "x\n"),
        replace("a.txt", "one", "1"),
    ];
    let result = bench.edits(2, edits).await.unwrap();
    assert!(!result.ok, "{}", result.text);
    assert_eq!(bench.text("a.txt"), "one\n");
    assert!(!bench.exists("new") && !bench.exists("d"));
    let facts = bench.facts();
    let from = facts.iter().rposition(|fact| fact == "called apply_edits").unwrap();
    assert_eq!(
        facts[from + 1..],
        [
            "changed d/e/f +1 -0",
            "changed new +1 -0",
            "changed new/under +1 -0",
            "changed a.txt +1 -1",
            "changed d/e/f +0 -1",
            "changed new +0 -1",
            "changed new/under +0 -1",
            "changed a.txt +1 -1",
            "finished apply_edits false"
        ]
    );
}
