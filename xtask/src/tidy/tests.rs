use expect_test::{Expect, expect};

use super::*;

fn check_text(path: &str, text: &str, expected: Expect) {
    let findings = check_file(path, text, &|link| link == "docs/plans.md");
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn rust_files_have_a_header_reasons_and_an_end() {
    let todo = MARKERS[0];
    check_text(
        "crates/sage-log/src/utils.rs",
        &format!(
            "fn f() {{\n    // {todo}: finish\n    let s = \"{todo}\";\n}}\n\
             #![expect(dead_code, reason = \"all of it\")]\n#[allow(dead_code)]\n#[expect(x)]\n\
             fn g() {{}}\n#[expect(\n    dead_code,\n    \
             reason = \"only here\"\n)]\nfn h() {{}}"
        ),
        expect![[r#"
            crates/sage-log/src/utils.rs:13: the last line does not end with a line feed
            crates/sage-log/src/utils.rs:2: TODO is left
            crates/sage-log/src/utils.rs: utils says nothing about what is inside
            crates/sage-log/src/utils.rs:5: an exception for a whole module
            crates/sage-log/src/utils.rs:6: write expect with a reason instead of allow
            crates/sage-log/src/utils.rs:6: an exception without a reason
            crates/sage-log/src/utils.rs:7: an exception without a reason
            crates/sage-log/src/utils.rs:1: a module begins with //!: what it is for"#]],
    );
}

#[test]
fn a_long_file_is_reported_without_its_tests() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(501));
    check_text(
        "src/long.rs",
        &long,
        expect!["src/long.rs: 502 lines before its tests, at most 500 are allowed"],
    );
    let tests = format!("//! Short.\n#[cfg(test)]\n{}", "fn f() {}\n".repeat(501));
    check_text("src/short.rs", &tests, expect![[""]]);
}

#[test]
fn test_files_may_unwrap_and_name_made_up_folders() {
    check_text(
        "tests/it/run.rs",
        &format!("x.unwrap(); // {}tree\n", MACHINE_PATHS[3]),
        expect![[""]],
    );
}

#[test]
fn paths_of_one_machine_are_found_and_examples_are_not() {
    let [home, users, root, work] = MACHINE_PATHS else { panic!("four kinds") };
    check_text(
        "docs/paths.md",
        &format!(
            "{home}me/project\n{home}ada/project\n{users}ada\n`{root}.cargo`\n{work}main\n\
             https://example.org{home}ada\n~{home}\n"
        ),
        expect![[r#"
            docs/paths.md:2: /home/ is a path of one machine
            docs/paths.md:3: /Users/ is a path of one machine
            docs/paths.md:4: /root/ is a path of one machine
            docs/paths.md:5: /work/ is a path of one machine"#]],
    );
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    check_text(
        "docs/first.md",
        "# A page's first heading\n[a](plans.md) [b](plan.md#x) [c](#a-pages-first-heading) \
         [d](#other)\n[e](../docs/plans.md \"title\") [f](../../x) `[g](h)` [i](https://x.org/y)\n\
         ```\n[j](k)\n```\n[l]: m.md\n",
        expect![[r#"
            docs/first.md:2: the link to plan.md leads nowhere
            docs/first.md:2: no heading of this page is called #other
            docs/first.md:3: the link to ../../x leads nowhere
            docs/first.md:7: the link to m.md leads nowhere"#]],
    );
}

#[test]
fn sample_projects_may_look_like_real_ones() {
    check_text("examples/shop/src/utils.rs", MARKERS[1], expect![[""]]);
}
