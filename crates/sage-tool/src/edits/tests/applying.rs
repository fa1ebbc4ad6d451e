//! One edit, one file: what comes out, on which rung, or why not.

use expect_test::expect;

use crate::edits::{ApplyError, Overwrite, Rung, apply_replace, apply_write, removes_most};

#[track_caller]
fn check(rung: Rung, file: &str, search: &str, replace: &str, after: &str) {
    let applied = apply_replace(file.as_bytes(), search, replace).unwrap();
    assert_eq!(String::from_utf8(applied.content).unwrap(), after);
    assert_eq!(applied.rung, rung);
}

#[track_caller]
fn refuse(file: &str, search: &str, replace: &str) -> ApplyError {
    apply_replace(file.as_bytes(), search, replace).unwrap_err()
}

const PY: &str =
    "def a():\n    if x:\n        return 1\n    return 2\n\n\ndef b():\n    return 3\n";

#[test]
fn whole_lines_are_replaced_exactly() {
    check(Rung::Exact, "a\nb\nc\n", "b\n", "x\ny\n", "a\nx\ny\nc\n");
    check(Rung::Exact, "a\nb\nc\n", "b\n", "", "a\nc\n");
    check(Rung::Exact, "a\nb\nc\n", "a\nb\nc\n", "z\n", "z\n");
    // A replacement that forgot its newline does not swallow the next line.
    check(Rung::Exact, "a\nb\nc\n", "b\n", "x", "a\nx\nc\n");
    // Whole lines are not found inside longer ones.
    check(Rung::Exact, "max = 1\nx = 1\n", "x = 1\n", "x = 2\n", "max = 1\nx = 2\n");
}

#[test]
fn a_text_without_final_newline_may_lie_inside_a_line() {
    check(Rung::Exact, "f(a, b)\n", "a, b", "a, b, c", "f(a, b, c)\n");
    check(
        Rung::Exact,
        PY,
        "x:\n        return 1",
        "y:\n        return 9",
        &PY.replace("x:", "y:").replace("1", "9"),
    );
    check(Rung::Exact, "a\nb\nc\n", "b", "", "a\n\nc\n");
    check(Rung::Exact, "a\nb", "b", "c\n", "a\nc\n");
    check(Rung::LineEndings, "x (\r\n 1)\r\n", "(\n 1", "(\n 2", "x (\r\n 2)\r\n");
}

#[test]
fn a_match_never_cuts_a_word_in_two() {
    check(Rung::Exact, "a = 1\nb = a = 10\n", "a = 1", "a = 2", "a = 2\nb = a = 10\n");
    expect!["the search text is not in the file; it occurs only inside a longer word, on line 1"]
        .assert_eq(
            refuse("total = price * 10\n", "price * 1", "price * 2")
                .to_string()
                .lines()
                .next()
                .unwrap(),
        );
}

#[test]
fn line_endings_are_those_of_the_file() {
    check(Rung::LineEndings, "a\r\nb\r\nc\r\n", "b\n", "x\ny\n", "a\r\nx\r\ny\r\nc\r\n");
    check(Rung::LineEndings, "a\nb\nc\n", "b\r\n", "x\r\n", "a\nx\nc\n");
    check(Rung::Exact, "a\r\nb\r\n", "b\r\n", "x\r\n", "a\r\nx\r\n");
    // In a mixed file each line keeps its own.
    check(Rung::Exact, "a\r\nb\nc\r\n", "b\n", "b\nx\n", "a\r\nb\nx\r\nc\r\n");
    check(Rung::LineEndings, "a\r\nb\nc\r\n", "a\nb\n", "a\nz\n", "a\r\nz\nc\r\n");
}

#[test]
fn a_missing_final_newline_stays_missing() {
    check(Rung::Exact, "a\nb", "b\n", "c\n", "a\nc");
    check(Rung::Exact, "a", "a\n", "a\nb\n", "a\nb");
    check(Rung::Exact, "a\nb", "a\n", "x\n", "x\nb");
    // Deleting the last line leaves the one before it untouched.
    check(Rung::Exact, "a\nb", "b\n", "", "a\n");
}

#[test]
fn the_byte_order_mark_and_foreign_bytes_survive() {
    check(Rung::Exact, "\u{FEFF}a\nb\n", "a\n", "x\n", "\u{FEFF}x\nb\n");
    let latin1 = b"# caf\xE9\nx = 1\n\xFF\xFE\n";
    let applied = apply_replace(latin1, "x = 1\n", "x = 2\n").unwrap();
    assert_eq!(applied.content, b"# caf\xE9\nx = 2\n\xFF\xFE\n");
    // The model sees replacement characters, and gives them back.
    let applied =
        apply_replace(latin1, "# caf\u{FFFD}\nx = 1\n", "# caf\u{FFFD} au lait\nx = 1\n").unwrap();
    assert_eq!(applied.content, b"# caf\xE9 au lait\nx = 1\n\xFF\xFE\n");
    assert_eq!(
        apply_replace(latin1, "# caf\u{FFFD}\n", "# \u{FFFD}\u{FFFD}caf\n").unwrap_err(),
        ApplyError::NotText { line: 1 }
    );
}

#[test]
fn blanks_at_line_ends_are_forgiven_and_kept_where_nothing_changes() {
    check(Rung::TrailingBlanks, "a  \nb\t\nc\n", "a\nb\n", "a\nx\n", "a  \nx\nc\n");
    check(Rung::TrailingBlanks, "a\nb\nc\n", "a \nb  \n", "a \nx  \n", "a\nx\nc\n");
    // An exact place wins over a tolerant one.
    check(Rung::Exact, "a \na\n", "a\n", "b\n", "a \nb\n");
}

#[test]
fn a_uniform_offset_of_indentation_is_carried_over() {
    check(
        Rung::Indentation,
        PY,
        "if x:\n    return 1\n",
        "if x:\n    y = 1\n    return y\n",
        &PY.replace("        return 1\n", "        y = 1\n        return y\n"),
    );
    check(
        Rung::Indentation,
        PY,
        "        if x:\n            return 1\n",
        "        if y:\n            return 1\n",
        &PY.replace("if x", "if y"),
    );
    // Only the first line lost its indentation.
    check(
        Rung::Indentation,
        PY,
        "if x:\n        return 1\n",
        "if x and y:\n        return 1\n",
        &PY.replace("if x", "if x and y"),
    );
    check(
        Rung::Indentation,
        PY,
        "  return 3\n",
        "  if y:\n    z()\n  return 3\n",
        &PY.replace("    return 3", "    if y:\n      z()\n    return 3"),
    );
    // Neither the first lines nor a shared line tell what the offset of the replacement is.
    refuse(PY, "return 3\n", "  return 4\n");
}

#[test]
fn tabs_and_spaces_are_translated() {
    let go = "func a() {\n\tif x {\n\t\treturn 1\n\t}\n}\n";
    check(
        Rung::Indentation,
        go,
        "    if x {\n        return 1\n    }\n",
        "    if x {\n        y()\n        for {\n            z()\n        }\n    }\n",
        "func a() {\n\tif x {\n\t\ty()\n\t\tfor {\n\t\t\tz()\n\t\t}\n\t}\n}\n",
    );
    check(
        Rung::Indentation,
        "a:\n  bbb:\n    ccc\n",
        "\tbbb:\n\t\tccc\n",
        "\tbbb:\n\t\tccc\n\t\td\n",
        "a:\n  bbb:\n    ccc\n    d\n",
    );
    // New lines whose level cannot be told are refused.
    refuse(go, "if x {\n", "if x {\n    y()\n");
}

#[test]
fn uneven_indentation_is_refused() {
    let error = refuse(PY, "if x:\nreturn 1\n", "if x:\nreturn 5\n");
    expect![[r#"
        the search text is not in the file; its lines are there from line 2 on, but some are indented differently; copy them with their exact indentation
        the closest place is lines 2-3 (99 % similar):
            2 |     if x:
            3 |         return 1"#]]
    .assert_eq(&error.to_string());
}

#[test]
fn typographic_characters_are_forgiven_and_kept() {
    check(
        Rung::UnicodePunctuation,
        "say(“it’s – fine”)\nb\n",
        "say(\"it's - fine\")\n",
        "say(\"it's - very fine\", 1)\n",
        "say(“it’s – very fine”, 1)\nb\n",
    );
    check(Rung::UnicodePunctuation, "xyz\u{A0}= 1\n", "xyz = 1\n", "xyz = 12\n", "xyz\u{A0}= 12\n");
    check(Rung::UnicodePunctuation, "it's\n", "it’s\n", "it’s it\n", "it's it\n");
}

#[test]
fn blank_lines_are_forgiven_and_kept() {
    check(
        Rung::BlankLines,
        "aaa\n\nbbb\nccc\n",
        "aaa\nbbb\n",
        "aaa\nxxx\nbbb\n",
        "aaa\nxxx\n\nbbb\nccc\n",
    );
    check(
        Rung::BlankLines,
        "aaa\nbbb\nccc\n",
        "\naaa\n\nbbb\n",
        "\naaa\n\nxxx\n",
        "aaa\nxxx\nccc\n",
    );
    check(Rung::BlankLines, "aaa\n\n\nbbb\n", "aaa\n\nbbb\n", "aaa\n\nccc\n", "aaa\n\n\nccc\n");
}

#[test]
fn several_places_are_an_error_and_never_a_guess() {
    assert_eq!(refuse("a\nb\na\n", "a\n", "x\n"), ApplyError::Ambiguous { lines: vec![1, 3] });
    assert_eq!(refuse("f(a) + f(a)\n", "f(a)", "g"), ApplyError::Ambiguous { lines: vec![1, 1] });
    assert_eq!(refuse("b\nb\nb\n", "b\nb\n", "x\n"), ApplyError::Ambiguous { lines: vec![1, 2] });
    // Endings do not make a difference that the model meant.
    assert_eq!(refuse("a\r\nb\na\n", "a\n", "x\n"), ApplyError::Ambiguous { lines: vec![1, 3] });
    assert_eq!(
        refuse("  foo()\n    foo()\n", "foo()\n", "x\n"),
        ApplyError::Ambiguous { lines: vec![1, 2] }
    );
    expect!["the search text fits 2 places (lines 1, 3); add lines above or below it until it fits only one"]
        .assert_eq(&refuse("a\nb\na\n", "a\n", "x\n").to_string());
}

#[test]
fn a_tolerant_match_needs_words() {
    refuse("if (x) {\n    a();\n    }\n", "}\n", "};\n");
    check(Rung::Exact, "if (x) {\n    a();\n}\n", "}\n", "};\n", "if (x) {\n    a();\n};\n");
}

#[test]
fn an_empty_search_fills_an_empty_file_only() {
    check(Rung::Exact, "", "", "a\nb\n", "a\nb\n");
    check(Rung::Exact, "\r\n", "", "a\nb\n", "a\r\nb\r\n");
    assert_eq!(refuse("a\n", "", "b\n"), ApplyError::EmptySearch);
}

#[test]
fn an_edit_that_changes_nothing_is_an_error() {
    assert_eq!(refuse("a\n", "a\n", "a\n"), ApplyError::NoChange);
    assert_eq!(refuse("a  \n", "a\n", "a\r\n"), ApplyError::NoChange);
}

#[test]
fn placeholders_are_never_written() {
    for line in [
        "# ...",
        "    # ... rest unchanged",
        "// ... existing code ...",
        "// …",
        "/* ... rest of the file ... */",
        "<!-- ... -->",
        "# rest of the code remains the same",
        "// (rest of the class unchanged)",
        "... remaining methods unchanged ...",
        "{/* existing code here */}",
        "// other functions...",
    ] {
        let error = refuse("a\nb\n", "b\n", &format!("x\n{line}\n"));
        assert_eq!(error, ApplyError::Elided { line: 2, text: line.trim().to_owned() });
    }
    for line in [
        "# loading...",
        "    ...",
        "# the rest is history",
        "// existing users keep their password",
        "print('...')",
        "const all = [...rest];",
        "// ... and then the pump starts",
        "# other numbers",
        "rest of the code",
    ] {
        check(Rung::Exact, "a\nb\n", "b\n", &format!("{line}\n"), &format!("a\n{line}\n"));
    }
    // What the file has already may stay.
    check(Rung::Exact, "# ...\nb\n", "# ...\nb\n", "# ...\nc\n", "# ...\nc\n");
}

#[test]
fn an_error_shows_the_closest_lines() {
    let file = "import os\n\n\ndef load(path):\n    with open(path) as file:\n        return file.read()\n";
    let error = refuse(
        file,
        "def load(path):\n    with open(path, 'r') as file:\n        return file.read()\n",
        "x\n",
    );
    expect![[r#"
        the search text is not in the file; this line of it is nowhere in the file: "with open(path, 'r') as file:"
        the closest place is lines 4-6 (93 % similar):
            4 | def load(path):
            5 |     with open(path) as file:
            6 |         return file.read()"#]]
    .assert_eq(&error.to_string());

    let hint = |search: &str, replace: &str| match refuse(file, search, replace) {
        ApplyError::NotFound { hint, .. } => hint,
        other => panic!("{other}"),
    };
    expect!["its lines begin with line numbers, which are not part of the file"]
        .assert_eq(&hint("4 | def load(path):\n5 |     with open(path) as file:\n", "x\n"));
    assert_eq!(
        refuse(file, "    with open(p):\n", "    with open(path) as file:\n"),
        ApplyError::AlreadyThere { line: 5 }
    );
    expect!["every line of it is in the file, but not one after the other"]
        .assert_eq(&hint("import os\ndef load(path):\n        return file.read()\n", "x\n"));
    expect![[r##"line 2 of the search text is a placeholder ("# ..."); write the lines out, or use two smaller edits"##]]
        .assert_eq(&hint("def load(path):\n    # ...\n        return file.read()\n", "x\n"));
    expect!["the file is empty; use an empty search text to fill it"].assert_eq(&match refuse(
        "\n", "a\n", "b\n",
    ) {
        ApplyError::NotFound { hint, .. } => hint,
        other => panic!("{other}"),
    });
}

#[test]
fn a_one_line_change_keeps_the_other_598_lines() {
    let lines: Vec<String> = (0..599)
        .map(|n| format!("value_{n} = {n}{}", if n % 3 == 0 { "  \r\n" } else { "\n" }))
        .collect();
    let file = lines.concat();
    let applied = apply_replace(file.as_bytes(), "value_300 = 300\n", "value_300 = -1\n").unwrap();
    assert_eq!((applied.lines_added, applied.lines_removed), (1, 1));
    let after = String::from_utf8(applied.content).unwrap();
    let kept = after.split_inclusive('\n').zip(&lines).filter(|(a, b)| a == b).count();
    assert_eq!(kept, 598);
}

#[test]
fn a_whole_file_keeps_the_style_of_the_one_it_replaces() {
    let write = |old: Option<&[u8]>, new: &str| {
        apply_write("a.txt", old, new, Overwrite::Guarded).map(|applied| applied.content)
    };
    assert_eq!(write(None, "a\n").unwrap(), b"a\n");
    assert_eq!(write(Some(b"a\r\nb\r\n"), "a\nc\n").unwrap(), b"a\r\nc\r\n");
    assert_eq!(write(Some(b"a\nb"), "a\nb\nc\n").unwrap(), b"a\nb\nc");
    assert_eq!(write(Some(b"\xEF\xBB\xBFa\n"), "b\n").unwrap(), b"\xEF\xBB\xBFb\n");
    assert_eq!(write(Some(b"\xE9\na\n"), "\u{FFFD}\nb\n").unwrap(), b"\xE9\nb\n");
    assert_eq!(write(Some(b"\xE9\na\n"), "x\u{FFFD}\na\n"), Err(ApplyError::NotText { line: 1 }));
    assert_eq!(write(Some(b"a\n"), "a\n"), Err(ApplyError::NoChange));
    assert_eq!(write(Some(b""), "a\n").unwrap(), b"a\n");
}

#[test]
fn a_whole_file_with_placeholders_is_never_written() {
    let write = |path: &str, old: Option<&[u8]>, new: &str| {
        apply_write(path, old, new, Overwrite::Allowed).map(|applied| applied.content)
    };
    let elided = |line, text: &str| Err(ApplyError::Elided { line, text: text.to_owned() });
    assert_eq!(
        write("a.py", None, "x = 1\n# ... rest unchanged\n"),
        elided(2, "# ... rest unchanged")
    );
    assert_eq!(write("a.js", None, "a();\n  ...\nb();\n"), elided(2, "..."));
    assert_eq!(write("a.py", None, "import a\n...\n"), elided(2, "..."));
    assert!(write("a.py", None, "def a():\n    ...\n").is_ok());
    assert!(write("a.yaml", None, "a: 1\n...\n").is_ok());
    assert!(write("a.py", Some(b"# ...\nx\n"), "# ...\ny\n").is_ok());
}

#[test]
fn a_few_lines_do_not_replace_a_long_file() {
    let old: String = (0..599).map(|n| format!("line {n}\n")).collect();
    let error =
        apply_write("a.py", Some(old.as_bytes()), "def f():\n    pass\n", Overwrite::Guarded);
    assert_eq!(error.unwrap_err(), ApplyError::RemovesMost { n_before: 599, n_after: 2 });
    assert!(apply_write("a.py", Some(old.as_bytes()), "x\n", Overwrite::Allowed).is_ok());
    let half: String = (0..300).map(|n| format!("    line {n}\r\n")).collect();
    assert!(!removes_most(old.as_bytes(), half.as_bytes()));
    assert!(!removes_most(b"a\nb\nc\n", b"d\n"));
    assert!(removes_most(b"a\nb\nc\nd\ne\n", b"\n"));
}

#[test]
fn a_part_of_a_line_that_occurs_once_is_a_place() {
    let replaced = |file: &str, search: &str, replace: &str| {
        apply_replace(file.as_bytes(), search, replace)
            .map(|applied| String::from_utf8(applied.content).unwrap())
    };
    let file = "def f():\n    return 1 + 2\n\nprint(f(), f())\n";
    assert_eq!(
        replaced(file, "return 1", "return 3").unwrap(),
        "def f():\n    return 3 + 2\n\nprint(f(), f())\n"
    );
    assert_eq!(
        replaced(file, "1 + 2\n\nprint(f(), ", "4\n\nprint(").unwrap(),
        "def f():\n    return 4\n\nprint(f())\n"
    );
    assert!(matches!(replaced(file, "f()", "g()"), Err(ApplyError::Ambiguous { .. })));
}
