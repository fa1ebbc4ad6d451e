//! Every case of the corpus through the library. The same cases go through the built binary in
//! `tests/it/apply.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::HashSet;
use std::path::Path;

use sage_testkit::EditCase;
use sage_tool::Workspace;
use sage_tool::apply::{ApplyOptions, Status, apply_answer};
use sage_tool::edits::Format;

/// What the issue asks for; there are more.
const MIN_CASES: usize = 300;

fn cases() -> Vec<EditCase> {
    EditCase::all_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"))
}

fn options(args: &[String]) -> ApplyOptions<'_> {
    let value = |flag: &str| {
        let at = args.iter().position(|arg| arg == flag)?;
        args.get(at + 1).map(String::as_str)
    };
    let format = value("--format").map(|name| match name {
        "search-replace" => Format::SearchReplace,
        "udiff" => Format::Udiff,
        "patch" => Format::Patch,
        "whole" => Format::Whole,
        other => panic!("{other} is no format"),
    });
    let check = args.iter().any(|arg| arg == "--check");
    ApplyOptions { format, file: value("--file"), check }
}

#[test]
fn every_case_of_the_corpus_is_judged_right() {
    let cases = cases();
    assert!(cases.len() >= MIN_CASES, "{} cases", cases.len());
    let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases share a name");
    let mut wrong = Vec::new();
    for case in &cases {
        let tree = case.lay_out();
        let workspace = Workspace::open(&tree.root()).unwrap();
        let answer = String::from_utf8(case.answer()).unwrap();
        let report = apply_answer(&workspace, &answer, options(&case.args));
        let code = i32::from(report.status != Status::Applied);
        let report = serde_json::to_value(&report).unwrap();
        wrong.extend(case.judge(&tree, code, &report));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn a_check_says_the_same_and_writes_nothing() {
    for case in cases() {
        let tree = case.lay_out();
        let before = sage_testkit::Tree::of(&tree.root(), &[]);
        let workspace = Workspace::open(&tree.root()).unwrap();
        let answer = String::from_utf8(case.answer()).unwrap();
        let options = options(&case.args);
        let checked = apply_answer(&workspace, &answer, ApplyOptions { check: true, ..options });
        assert_eq!(sage_testkit::Tree::of(&tree.root(), &[]), before, "{}", case.name);
        let applied = apply_answer(&workspace, &answer, options);
        assert_eq!(checked, applied, "{}", case.name);
    }
}
