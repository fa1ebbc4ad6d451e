//! All edits of an answer together.

use std::collections::BTreeMap;

use expect_test::expect;

use crate::edits::{Edit, FileChange, Overwrite, Rejected, Rung, parse_answer, resolve};

fn run(answer: &str, files: &[(&str, &str)]) -> Result<Vec<FileChange>, Vec<Rejected>> {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let edits = parse_answer(answer, None).unwrap();
    resolve(&edits, Overwrite::Guarded, |path| files.get(path).map(|text| text.as_bytes().to_vec()))
}

fn shown(result: Result<Vec<FileChange>, Vec<Rejected>>) -> String {
    let text = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        None => "none".to_owned(),
    };
    match result {
        Ok(changes) => changes
            .iter()
            .map(|change| {
                format!(
                    "{} +{} -{}: {}\n",
                    change.path,
                    change.lines_added,
                    change.lines_removed,
                    text(&change.after)
                )
            })
            .collect(),
        Err(rejected) => rejected.iter().map(|one| format!("{one}\n")).collect(),
    }
}

const TWO: &str = "a.py\n<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n1\ntwo\n=======\n1\n2\n>>>>>>> REPLACE\n";

#[test]
fn edits_of_one_file_build_on_each_other() {
    expect![[r#"
        a.py +2 -2: "1\n2\nthree\n"
    "#]]
    .assert_eq(&shown(run(TWO, &[("a.py", "one\ntwo\nthree\n")])));
}

#[test]
fn one_edit_that_does_not_apply_stops_all() {
    let answer = format!(
        "{TWO}b.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n./c/new.py\n```python\nz = 1\n```\n"
    );
    expect![[r#"
        edit 3 (b.py): the file does not exist
    "#]]
    .assert_eq(&shown(run(&answer, &[("a.py", "one\ntwo\n")])));
    expect![[r#"
        a.py +2 -2: "1\n2\n"
        b.py +1 -1: "y\n"
        c/new.py +1 -0: "z = 1\n"
    "#]]
    .assert_eq(&shown(run(&answer, &[("a.py", "one\ntwo\n"), ("b.py", "x\n")])));
}

#[test]
fn an_edit_without_a_path_needs_an_answer_about_one_file() {
    let answer = "a.py\n<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\nThen\n<<<<<<< SEARCH\ntwo\n=======\n2\n>>>>>>> REPLACE\n";
    expect![[r#"
        a.py +2 -2: "1\n2\n"
    "#]]
    .assert_eq(&shown(run(answer, &[("a.py", "one\ntwo\n")])));
    let more = format!("{answer}b.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n");
    expect![[r#"
        edit 2: it names no file; write the path on the line before the block
    "#]]
    .assert_eq(&shown(run(&more, &[("a.py", "one\ntwo\n"), ("b.py", "x\n")])));
}

#[test]
fn a_file_named_only_inside_the_code_is_created_but_not_replaced() {
    let answer = "```python\n# a.py\nx = 1\n```\n";
    expect![[r##"
        a.py +2 -0: "# a.py\nx = 1\n"
    "##]]
    .assert_eq(&shown(run(answer, &[])));
    assert!(run(answer, &[("a.py", "y\n")]).is_err());
}

#[test]
fn files_are_created_filled_and_deleted() {
    let block = "a.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n";
    expect![[r#"
        a.py +1 -0: "x\n"
    "#]]
    .assert_eq(&shown(run(block, &[])));
    assert_eq!(shown(run(block, &[("a.py", "")])), shown(run(block, &[])));
    expect![[r#"
        edit 1 (a.py): the search text is empty and the file is not; search for the line next to which the new text belongs
    "#]]
    .assert_eq(&shown(run(block, &[("a.py", "y\n")])));

    let delete = [Edit::Delete { path: "a.py".into() }];
    let changes = resolve(&delete, Overwrite::Guarded, |_| Some(b"y\n".to_vec())).unwrap();
    assert_eq!(
        changes,
        [FileChange {
            path: "a.py".into(),
            before: Some(b"y\n".to_vec()),
            after: None,
            moved_from: None,
            executable: None,
            rung: Rung::Exact,
            lines_added: 0,
            lines_removed: 1,
            removes_most: true,
        }]
    );
    assert!(resolve(&delete, Overwrite::Guarded, |_| None).is_err());
}
