use expect_test::{Expect, expect};

use super::super::table::find;
use super::*;

fn check(text: &str, key: &str, value: &str, expected: Expect) {
    let edited = match set_in_yaml(text, find(key).unwrap(), value, Path::new("config.yaml")) {
        Ok(edited) => edited,
        Err(problems) => problems.iter().map(|problem| format!("! {problem}\n")).collect(),
    };
    expected.assert_eq(&edited);
}

#[test]
fn a_value_is_replaced_and_its_comment_stays() {
    check(
        "# mine\nrun:\n  # how many\n  max_parallel: 3   # was 4\n  full: true\n\nbudget:\n  usd: 1\n",
        "run.max_parallel",
        "2",
        expect![[r"
            # mine
            run:
              # how many
              max_parallel: 2  # was 4
              full: true

            budget:
              usd: 1
        "]],
    );
}

#[test]
fn a_value_is_added_to_its_section_or_with_its_section() {
    check(
        "run:\n    full: true\n\n# money\nbudget:\n    usd: 1\n",
        "run.mode",
        "auto",
        expect![[r"
            run:
                full: true
                mode: auto

            # money
            budget:
                usd: 1
        "]],
    );
    check(
        "",
        "budget.usd",
        "$0.50",
        expect![[r"
        budget:
          usd: 0.50
    "]],
    );
    check(
        "run:\n  full: true",
        "models.file",
        "a b: #c.yaml",
        expect![[r#"
        run:
          full: true
        models:
          file: "a b: #c.yaml"
    "#]],
    );
    check(
        "run:\n",
        "run.full",
        "yes",
        expect![[r"
        run:
          full: yes
    "]],
    );
}

#[test]
fn a_list_of_several_lines_is_replaced_as_a_whole() {
    check(
        "run:\n  verify:\n    - cargo test\n    - cargo clippy\n  full: true\n",
        "run.verify",
        "make check",
        expect![[r#"
            run:
              verify: ["make check"]
              full: true
        "#]],
    );
}

#[test]
fn windows_line_ends_and_a_missing_final_newline_survive() {
    let edited = set_in_yaml(
        "run:\r\n  full: true\r\n  mode: auto",
        find("run.mode").unwrap(),
        "silent",
        Path::new("c"),
    );
    assert_eq!(edited.unwrap(), "run:\r\n  full: true\r\n  mode: silent");
    let edited =
        set_in_yaml("run:\r\n  full: true\r\n", find("run.mode").unwrap(), "auto", Path::new("c"));
    assert_eq!(edited.unwrap(), "run:\r\n  full: true\r\n  mode: auto\r\n");
}

#[test]
fn what_cannot_be_edited_safely_is_refused() {
    check(
        "run: {full: true}\n",
        "run.mode",
        "auto",
        expect![[r"
        ! config.yaml: run.mode: this file is written in a style that cannot be edited safely; change it by hand
    "]],
    );
    check(
        "run:\n  max_paralel: 2\n",
        "run.mode",
        "auto",
        expect![[r#"
        ! config.yaml:2: run.max_paralel: unknown setting; did you mean "run.max_parallel"?
    "#]],
    );
    check(
        "",
        "run.mode",
        "atuo",
        expect![[r#"
        ! config.yaml: run.mode: "atuo" is not one of `research`, `auto`, `silent`; did you mean "auto"?
    "#]],
    );
}
