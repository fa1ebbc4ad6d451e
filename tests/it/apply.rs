//! `sage apply`: every case of the corpus, and what the command line itself promises.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sage_testkit::{EditCase, Tree};
use serde_json::{Value, json};

use crate::support::sandbox;

const BLOCK: &str = "src/a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n";

#[test]
fn every_case_of_the_corpus_is_judged_right_by_the_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sage-tool/tests/corpus");
    let sandbox = sandbox();
    let mut wrong = Vec::new();
    for case in EditCase::all_of(&folder) {
        let tree = case.lay_out();
        let root = tree.root().to_string_lossy().into_owned();
        let mut args = vec!["apply".to_owned(), "--json".to_owned(), "--root".to_owned(), root];
        args.extend(case.args.iter().cloned());
        let output = sandbox.sage(&args).stdin(case.answer()).run();
        let report: Value = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", case.name, output.all()));
        wrong.extend(case.judge(&tree, output.code.unwrap_or(-1), &report));
        if output.code != Some(0) && !output.stderr.contains("nothing was changed") {
            wrong.push(format!("{}: nothing on stderr", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_current_folder_is_the_root_and_no_project_is_needed() {
    let sandbox = sandbox();
    sandbox.write("src/a.py", "x = 1\n");
    let output = sandbox.sage(&["apply"]).stdin(BLOCK).run();
    output.expect_code(0);
    assert_eq!(output.stdout, "src/a.py: changed\n");
    assert_eq!(sandbox.read("src/a.py"), "x = 2\n");
    assert_eq!(fs::read_dir(sandbox.project()).unwrap().count(), 1, "nothing else was made");
}

#[test]
fn the_answer_may_come_from_a_file_and_the_root_be_elsewhere() {
    let sandbox = sandbox();
    sandbox.write("below/src/a.py", "x = 1\n").write("answer.md", BLOCK);
    sandbox.run(&["apply", "--root", "below", "--input", "answer.md"]).expect_code(0);
    assert_eq!(sandbox.read("below/src/a.py"), "x = 2\n");
}

#[test]
fn the_report_is_one_json_object_of_the_documented_form() {
    let sandbox = sandbox();
    sandbox.write("src/a.py", "x = 1\n");
    let output = sandbox.sage(&["apply", "--json"]).stdin(BLOCK).run();
    assert_eq!(
        serde_json::from_str::<Value>(&output.stdout).unwrap(),
        json!({
            "status": "applied",
            "format": "search-replace",
            "files": [{ "path": "src/a.py", "action": "changed", "rung": "exact" }],
            "errors": [],
        })
    );
    let output = sandbox.sage(&["apply", "--json"]).stdin(BLOCK.replace("x = 1", "x = one")).run();
    output.expect_code(1);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["status"], "rejected");
    assert_eq!(report["files"], json!([]));
    let error = &report["errors"][0];
    assert_eq!((&error["block"], &error["kind"]), (&json!(1), &json!("not_found")));
    assert!(error["message"].as_str().unwrap().contains("src/a.py"), "{error}");
    assert!(error["closest"].as_str().unwrap().contains("1 | x = 2"), "{error}");
    assert!(output.stderr.contains("error: edit 1 (src/a.py)"), "{}", output.stderr);
}

#[test]
fn a_check_says_what_would_happen_and_writes_nothing() {
    let sandbox = sandbox();
    sandbox.write("src/a.py", "x = 1\n");
    let before = sandbox.full_tree();
    let output = sandbox.sage(&["apply", "--check"]).stdin(BLOCK).run();
    output.expect_code(0);
    assert_eq!(output.stdout, "src/a.py: would be changed\n");
    assert_eq!(sandbox.full_tree(), before);
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    let sandbox = sandbox();
    for args in [
        &["apply", "--format", "guess"][..],
        &["apply", "--root", "nowhere"],
        &["apply", "--input", "nothing.md"],
        &["apply", "answer.md"],
    ] {
        let output = sandbox.run(args);
        output.expect_code(2);
        assert!(output.stdout.is_empty(), "{}", output.all());
    }
}

#[test]
fn a_folder_that_cannot_be_written_leaves_everything_as_it_was() {
    let sandbox = sandbox();
    sandbox.write("src/a.py", "x = 1\n").write("locked/b.py", "y = 1\n").chmod("locked", 0o555);
    let probe = sandbox.project().join("locked/probe");
    if fs::write(&probe, "").is_ok() {
        // The superuser may write everywhere; there is nothing to show.
        fs::remove_file(probe).unwrap();
        return;
    }
    let before = sandbox.full_tree();
    let second = BLOCK.replace("src/a.py", "locked/b.py").replace('x', "y");
    let output = sandbox.sage(&["apply", "--json"]).stdin(format!("{BLOCK}\n{second}")).run();
    output.expect_code(1);
    assert!(output.stdout.contains("\"io\""), "{}", output.stdout);
    assert_eq!(sandbox.full_tree(), before);
    fs::set_permissions(sandbox.project().join("locked"), fs::Permissions::from_mode(0o755))
        .unwrap();
}

#[test]
fn what_is_too_large_or_no_text_is_refused() {
    let sandbox = sandbox();
    sandbox.write("src/a.py", "x = 1\n");
    let huge = format!("{BLOCK}{}", "x".repeat(17 << 20));
    let output = sandbox.sage(&["apply", "--json"]).stdin(huge).run();
    output.expect_code(1);
    assert!(output.stdout.contains("too_large"), "{}", output.stdout);
    let output = sandbox.sage(&["apply", "--json"]).stdin([BLOCK.as_bytes(), b"\xFF\xFE"].concat());
    let output = output.run();
    output.expect_code(1);
    assert!(output.stdout.contains("not_text"), "{}", output.stdout);
    assert_eq!(sandbox.read("src/a.py"), "x = 1\n");
}

/// What git accepts at the stated places must come out the same.
#[test]
fn a_diff_of_git_gives_the_tree_that_git_makes_of_it() {
    let sandbox = sandbox();
    let file = |seed: usize| -> String {
        let line = |n: usize| match (n * 7 + seed) % 5 {
            0 => String::new(),
            1 => "    return value".to_owned(),
            2 => "    }".to_owned(),
            3 => format!("-- item {}", n % 3),
            _ => format!("line {n}"),
        };
        (0..40).map(|n| format!("{}\n", line(n))).collect()
    };
    sandbox.write("src/a.txt", file(0)).write("src/b.txt", file(3)).write("gone.txt", "bye\n");
    sandbox.write("open.txt", "one\ntwo").write("crlf.txt", "a\r\nb\r\nc\r\n").git_init();
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "before", "--allow-empty"]);
    for round in 0..12_usize {
        let change = |text: &str, at: usize| -> String {
            let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
            let at = at % lines.len();
            match round % 4 {
                0 => lines[at] = format!("changed {round}\n"),
                1 => lines.insert(at, "    return value\n".to_owned()),
                2 => drop(lines.remove(at)),
                _ => lines.swap(at, (round * 3) % 40),
            }
            lines.concat()
        };
        let a = change(&sandbox.read("src/a.txt"), round * 11 + 2);
        let a = change(&a, round * 17 + 5);
        let b = change(&sandbox.read("src/b.txt"), round * 5);
        sandbox.write("src/a.txt", a).write("src/b.txt", b);
        if round == 3 {
            fs::remove_file(sandbox.project().join("gone.txt")).unwrap();
            sandbox.write("new/file.txt", "hello\n").write("open.txt", "one\ntwo\nthree\n");
        }
        if round == 5 {
            sandbox.write("crlf.txt", "a\r\nB\r\nc\r\n").write("open.txt", "one\nthree");
            sandbox.chmod("src/b.txt", 0o755).git(&["mv", "new/file.txt", "moved.txt"]);
        }
        sandbox.git(&["add", "-A"]);
        let diff = sandbox.git(&["diff", "--cached", "-M"]);
        let wanted = Tree::of(&sandbox.project(), &[".git", "new"]);
        sandbox.git(&["stash", "-q"]);
        let output = sandbox.sage(&["apply", "--json"]).stdin(format!("{diff}\n")).run();
        if diff.trim().is_empty() {
            output.expect_code(1);
        } else {
            output.expect_code(0);
        }
        let found = Tree::of(&sandbox.project(), &[".git", "new"]);
        assert_eq!(found, wanted, "round {round}\n{diff}\n{}", wanted.diff(&found));
        sandbox.git(&["add", "-A"]);
        sandbox.git(&["commit", "-q", "-m", "round", "--allow-empty"]);
        sandbox.git(&["stash", "drop", "-q"]);
    }
}
