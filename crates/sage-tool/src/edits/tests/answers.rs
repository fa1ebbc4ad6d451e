//! What is read out of a model's answer.

use expect_test::{Expect, expect};

use crate::edits::{Edit, parse_answer};

/// One line per edit, texts with visible line breaks.
fn shown(answer: &str, default_path: Option<&str>) -> String {
    let line = |edit: &Edit| match edit {
        Edit::Replace { path, search, replace } => {
            format!("replace {}: {search:?} -> {replace:?}\n", path.as_deref().unwrap_or("?"))
        }
        Edit::Write { path, content } => format!("write {path}: {content:?}\n"),
        Edit::Create { path, content } => format!("create {path}: {content:?}\n"),
        Edit::Delete { path } => format!("delete {path}\n"),
        Edit::Hunk { path, hunk } => format!(
            "replace {}: {:?} -> {:?}\n",
            path.as_deref().unwrap_or("?"),
            hunk.search,
            hunk.replace
        ),
        Edit::Move { path, to } => format!("move {path} to {to}\n"),
        Edit::SetMode { path, executable } => format!("mode of {path}: {executable}\n"),
    };
    match parse_answer(answer, default_path) {
        Ok(edits) if edits.is_empty() => "nothing\n".to_owned(),
        Ok(edits) => edits.iter().map(line).collect(),
        Err(error) => format!("{error}\n"),
    }
}

#[track_caller]
fn check(answer: &str, expected: Expect) {
    expected.assert_eq(&shown(answer, None));
    // Carriage returns make no difference.
    expected.assert_eq(&shown(&answer.replace('\n', "\r\n"), None));
}

const BLOCK: &str = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n";

#[test]
fn a_block_takes_its_path_from_wherever_models_write_it() {
    for answer in [
        format!("src/a.py\n{BLOCK}"),
        format!("src/a.py\n```python\n{BLOCK}```\n"),
        format!("Here you go.\n\n### `src/a.py`\n\n```python\n{BLOCK}```\nDone.\n"),
        format!("```\nsrc/a.py\n{BLOCK}```\n"),
        format!("```python\n# src/a.py\n{BLOCK}```\n"),
        format!("```python src/a.py\n{BLOCK}```\n"),
        format!("```src/a.py\n{BLOCK}```\n"),
        format!("````python\nsrc/a.py\n{BLOCK}````\n"),
        format!("In `src/a.py`, rename it:\n```python\n{BLOCK}```\n"),
        BLOCK.replace("SEARCH", "SEARCH src/a.py"),
        format!("<think>\nsrc/b.py\n{BLOCK}</think>\nsrc/a.py\n{BLOCK}"),
        format!("src/b.py\n{BLOCK}That was a thought.\n</think>\nsrc/a.py\n{BLOCK}"),
        format!("I will use ```inline``` code.\n**src/a.py**\n~~~\n{BLOCK}~~~\n"),
    ] {
        assert_eq!(
            shown(&answer, None),
            "replace src/a.py: \"old\\n\" -> \"new\\n\"\n",
            "{answer}"
        );
    }
}

#[test]
fn blocks_that_follow_each_other_share_a_path() {
    check(
        "src/a.py\n```\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE\n```\n```\n<<<<<<< SEARCH\ne\n=======\n>>>>>>> REPLACE\n```\nsrc/b.py\n```\n<<<<<<< SEARCH\n=======\nf\n>>>>>>> REPLACE\n```\n",
        expect![[r#"
            replace src/a.py: "a\n" -> "b\n"
            replace src/a.py: "c\n" -> "d\n"
            replace src/a.py: "e\n" -> ""
            replace src/b.py: "" -> "f\n"
        "#]],
    );
    // Not after talk in between, which may have been about another file.
    check(
        &format!("src/a.py\n{BLOCK}And in the tests:\n{BLOCK}"),
        expect![[r#"
            replace src/a.py: "old\n" -> "new\n"
            replace ?: "old\n" -> "new\n"
        "#]],
    );
    expect![[r#"
        replace src/d.py: "old\n" -> "new\n"
    "#]]
    .assert_eq(&shown(BLOCK, Some("src/d.py")));
}

#[test]
fn a_block_may_contain_code_fences() {
    check(
        "README.md\n```markdown\n<<<<<<< SEARCH\n```bash\nmake\n```\n=======\n```bash\nmake all\n```\n>>>>>>> REPLACE\n```\nsrc/x.py\n```python\nx = 1\n```\n",
        expect![[r#"
            replace README.md: "```bash\nmake\n```\n" -> "```bash\nmake all\n```\n"
            write src/x.py: "x = 1\n"
        "#]],
    );
}

#[test]
fn an_unfinished_block_is_an_error() {
    check(
        &format!("src/a.py\n{BLOCK}src/b.py\n<<<<<<< SEARCH\nold\n=======\nne"),
        expect![[r#"
            edit 2 (line 8 of the answer, for src/b.py): it is cut off: ">>>>>>> REPLACE" is missing; nothing was applied, send the whole edit again
        "#]],
    );
    check(
        &format!("src/a.py\n<<<<<<< SEARCH\nold\n=======\nnew\n{BLOCK}"),
        expect![[r#"
            edit 1 (line 2 of the answer, for src/a.py): it is cut off: ">>>>>>> REPLACE" is missing; nothing was applied, send the whole edit again
        "#]],
    );
}

#[test]
fn whole_files_come_in_fences_with_a_path() {
    for answer in [
        "src/hello.py\n```python\nx = 1\n```\n",
        "**src/hello.py**\n\n```\nx = 1\n```\n",
        "### src/hello.py\n```py\nx = 1\n```\n",
        "File: src/hello.py\n```python\nx = 1\n```\n",
        "`src/hello.py`:\n```python\nx = 1\n```\n",
        "```python src/hello.py\nx = 1\n```\n",
        "```src/hello.py\nx = 1\n```\n",
        "```python:src/hello.py\nx = 1\n```\n",
        "```python\nsrc/hello.py\nx = 1\n```\n",
        "src/hello.py\n```python\nsrc/hello.py\nx = 1\n```\n",
        "1. `src/hello.py`\n\n   ```python\n   x = 1\n   ```\n",
        "<think>\n```python src/hello.py\ny\n```\n</think>\n```python src/hello.py\nx = 1\n```\n",
        "hello.py\n```python src/hello.py\nx = 1\n```\nRun it:\n```bash\npython src/hello.py\n```\n",
        "src/hello.py\n```python\nx = 1\n```\nThen, in `src/hello.py`:\n\n`src/hello.py`:\n```bash\npython src/hello.py\n```\n",
        "src/hello.py\n```python\nx = 1\n```\nOnce more:\nsrc/hello.py\n```python\nx = 1\n```\n",
    ] {
        assert_eq!(shown(answer, None), "write src/hello.py: \"x = 1\\n\"\n", "{answer}");
    }
    check(
        "tests/__init__.py\n```python\n```\n",
        expect![[r#"
        write tests/__init__.py: ""
    "#]],
    );
    check(
        "```python\n# src/hello.py\nx = 1\n```\n",
        expect![[r##"
        create src/hello.py: "# src/hello.py\nx = 1\n"
    "##]],
    );
}

#[test]
fn nested_fences_are_part_of_the_file() {
    check(
        "README.md\n````markdown\n# A\n```\nmake\n```\n````\n",
        expect![[r##"
        write README.md: "# A\n```\nmake\n```\n"
    "##]],
    );
    check(
        "README.md\n```markdown\n# A\n```bash\nmake\n```\nB\n```\n",
        expect![[r##"
        write README.md: "# A\n```bash\nmake\n```\nB\n"
    "##]],
    );
    check(
        "README.md\n```markdown\n# A\n```\nmake\n```\nB\n```\n",
        expect![[r#"
        edit 1 (line 2 of the answer, for README.md): there are code fences inside this code fence, and which closes which cannot be told; put text that contains fences in a fence of four or more characters
    "#]],
    );
}

#[test]
fn talk_is_not_an_edit() {
    for answer in [
        "",
        "I cannot do that.",
        "```python\nx = 1\n```\n",
        "Run it:\n```bash\npython src/hello.py\n```\n",
        "`src/hello.py`:\n```bash\npython src/hello.py\n```\n",
        "Look at src/hello.py:\n\nIt works.\n",
        "<think>\nsrc/a.py\n```\nx\n```\n",
        "{\"name\": \"demo\", \"files\": [\"dist\"]}",
        "```json\n{\"path\": \"a\", \"value\": 1}\n```\n",
        "Node.js:\n```js\nx\n```\n",
    ] {
        assert_eq!(shown(answer, None), "nothing\n", "{answer}");
    }
}

#[test]
fn lone_code_belongs_to_the_file_that_was_asked_for() {
    let only = |answer: &str| shown(answer, Some("src/a.py"));
    expect![[r#"
        write src/a.py: "x\n"
    "#]]
    .assert_eq(&only("Sure:\n```python\nx\n```\nRun `a`:\n```bash\npython a\n```\n"));
    assert_eq!(only("```python\nx\n```\n```python\ny\n```\n"), "nothing\n");
    expect![[r#"
        edit 1 (line 1 of the answer, for src/a.py): it is cut off: "```" is missing; nothing was applied, send the whole edit again
    "#]]
    .assert_eq(&only("```python\nx\n"));
    expect![[r##"
        write src/a.py: "# src/a.py\nx\n"
    "##]]
    .assert_eq(&only("```python\n# src/a.py\nx\n```\n"));
}

#[test]
fn what_would_end_in_half_an_edit_is_an_error() {
    for (answer, expected) in [
        ("src/a.py\n```python\nx = 1\n", "is missing"),
        ("src/a.py\n```python\nx\n```\nsrc/b.py\n```python\ny\n", "is missing"),
        ("src/a.py\n```python\nx\n\nsrc/b.py\n```python\ny\n```\n", "is missing"),
        ("src/a.py\n```python\nx\n```\nsrc/a.py\n```python\ny\n```\n", "given twice"),
        ("a.json\n```python\nx\n```\n", "marked as python"),
        ("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n", "the rest of the hunk"),
        ("```diff\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n```\n", "a renamed file"),
        ("diff --git a/x b/x\nold mode 100644\nnew mode 120000\n", "new mode 120000"),
        ("```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\nno sign\n```\n", "no sign"),
        ("*** Begin Patch\n*** Add File: a\n+x\n", "*** End Patch"),
        ("*** Update File: a\n@@\n-x\n+y\n*** End Patch\n", "outside of *** Begin Patch"),
        ("Install:\n```bash\nmake\n\nsrc/b.py\n```python\ny\n```\n", "which closes which"),
        (
            "src/a.py\n```python\nx\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n```\n",
            "marker lines",
        ),
        ("{\"file\": \"src/a.py\", \"operation\": \"create\", \"patch\": \"x = 1\\n", "cut off"),
        ("{\"file\": \"x\", \"operation\": \"run_command\", \"patch\": \"ls\"}", "run_command"),
    ] {
        let error = parse_answer(answer, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{answer}\n{error}");
    }
}

#[test]
fn a_fence_that_was_never_closed_does_not_hide_the_next_file() {
    check(
        &format!("src/a.py\n```python\n{BLOCK}\nsrc/b.py\n```\nx = 1\n```\n"),
        expect![[r#"
            replace src/a.py: "old\n" -> "new\n"
            write src/b.py: "x = 1\n"
        "#]],
    );
}

#[test]
fn edits_may_be_json() {
    check(
        r#"{"file": "src/a.py", "operation": "create", "patch": "x = 1", "reason": "new"}"#,
        expect![[r#"
            write src/a.py: "x = 1\n"
        "#]],
    );
    check(
        "<think>hm</think>\n```json\n[{\"filepath\": \"a.py\", \"content\": \"x\\n\"},\n {\"path\": \"b.py\", \"operation\": \"delete\"}]\n```\n",
        expect![[r#"
            write a.py: "x\n"
            delete b.py
        "#]],
    );
    check(
        r#"Here: 
{"path": "a.py", "edits": [{"old_string": "a", "new_string": "b"}, {"search": "c\n", "replace": ""}]}
That is all."#,
        expect![[r#"
            replace a.py: "a" -> "b"
            replace a.py: "c\n" -> ""
        "#]],
    );
    check(
        r#"[{"op": "add", "path": "/src/a~1b.py", "value": "x"}]"#,
        expect![[r#"
            write src/a/b.py: "x\n"
        "#]],
    );
    // A model that does not escape its line breaks.
    check(
        "{\"file\": \"a.py\", \"operation\": \"edit\", \"patch\": \"x = 1\ny = \\\"2\\\"\n\"}",
        expect![[r#"
            write a.py: "x = 1\ny = \"2\"\n"
        "#]],
    );
    check(
        r#"{"file": "a.py", "operation": "edit", "patch": "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE"}"#,
        expect![[r#"
            replace a.py: "old\n" -> "new\n"
        "#]],
    );
}

#[test]
fn a_diff_becomes_replacements() {
    check(
        "```diff\n--- a/src/a.py\n+++ b/src/a.py\n@@ -7,3 +9,9 @@ def f():\n keep\n\n-old\n+new\n+more\n keep2\n@@ -20 +22 @@\n-x\n+y\n\n```\n",
        expect![[r#"
            replace src/a.py: "keep\n\nold\nkeep2\n" -> "keep\n\nnew\nmore\nkeep2\n"
            replace src/a.py: "x\n" -> "y\n"
        "#]],
    );
    check(
        "Apply this:\n\ndiff --git a/new.py b/new.py\nnew file mode 100644\nindex 0000000..1111111\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\ndiff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\ndiff --git a/empty.py b/empty.py\nnew file mode 100644\n\nThat is all.\n",
        expect![[r#"
            create new.py: "a\nb"
            replace gone.py: "x\n" -> ""
            delete gone.py
            create empty.py: ""
        "#]],
    );
    // A removed line that looks like a header.
    check(
        "```diff\n--- q.sql\n+++ q.sql\n@@ -1,2 +1 @@\n--- a comment\n select 1\n```\n",
        expect![[r#"
            replace q.sql: "-- a comment\nselect 1\n" -> "select 1\n"
        "#]],
    );
    for answer in [
        "### src/a.py\n```diff\n@@ -1 +1 @@\n-old\n+new\n```\n",
        "### src/a.py\n```diff\n-old\n+new\n```\n",
        "```diff src/a.py\n-old\n+new\n```\n",
        "--- src/a.py\t2024-01-01\n+++ src/a.py\t2024-01-02\n@@ -1,1 +1,1 @@\n-old\n+new\n",
        "{\"file\": \"src/a.py\", \"operation\": \"edit\", \"patch\": \"@@ -1 +1 @@\\n-old\\n+new\\n\"}",
        "*** Begin Patch\n*** Update File: src/a.py\n@@ def f():\n-old\n+new\n*** End Patch\n",
    ] {
        assert_eq!(shown(answer, None), "replace src/a.py: \"old\\n\" -> \"new\\n\"\n", "{answer}");
    }
    // An illustration: no file, no place.
    check(
        "```diff\n-old\n+new\n```\n",
        expect![[r#"
        nothing
    "#]],
    );
}

#[test]
fn a_patch_becomes_edits() {
    check(
        "```\n*** Begin Patch\n*** Add File: a.py\n+x = 1\n+\n*** Delete File: b.py\n*** Update File: c.py\n@@ class C:\n@@ def f(self):\n keep\n-old\n+new\n@@\n-x\n*** End of File\n*** End Patch\n```\n",
        expect![[r#"
            create a.py: "x = 1\n\n"
            delete b.py
            replace c.py: "keep\nold\n" -> "keep\nnew\n"
            replace c.py: "x\n" -> ""
        "#]],
    );
}
