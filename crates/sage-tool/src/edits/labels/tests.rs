//! Lines that name a file, and lines that only talk about one.

use super::*;

#[test]
fn a_line_that_only_names_a_file_is_a_label() {
    for line in [
        "src/hello.py",
        "**src/hello.py**",
        "### src/hello.py",
        "File: src/hello.py",
        "`src/hello.py`:",
        "**`src/hello.py`**",
        "### 1. `src/hello.py`",
        "#### File: `src/hello.py`",
        "- src/hello.py:",
        "1. src/hello.py",
        "=== src/hello.py ===",
        "--- src/hello.py ---",
        "src/hello.py (new file)",
        "`src/hello.py` (modified):",
        "Create file src/hello.py",
        "Filename: src/hello.py",
        "**File 2: src/hello.py**",
        "[src/hello.py](src/hello.py)",
        "./src/hello.py",
        "New file: `src/hello.py`",
        "Step 3: src/hello.py",
        "### Step 1: Create `src/hello.py`",
        "File:src/hello.py",
        "\"src/hello.py\"",
        "src\\hello.py",
        "[src/hello.py]",
        "Path = src/hello.py".replace(" =", ":").as_str(),
    ] {
        assert_eq!(label(line).as_deref(), Some("src/hello.py"), "{line}");
    }
    for name in [
        "hello.py",
        "Makefile",
        ".gitignore",
        "src/__init__.py",
        "__init__.py",
        "go.mod",
        "a/b.test.ts",
        "../escape.py",
        "/etc/cron.d/x.sh",
        "app/[id]/page.tsx",
        ".github/workflows/ci.yml",
    ] {
        assert_eq!(label(name).as_deref(), Some(name), "{name}");
    }
    assert_eq!(label("File: Dockerfile.dev").as_deref(), Some("Dockerfile.dev"));
    assert_eq!(label("`notes.custom`").as_deref(), Some("notes.custom"));
}

#[test]
fn talk_is_not_a_label() {
    for line in [
        "",
        "Here is src/hello.py",
        "Run `src/hello.py`:",
        "Update `src/a.py` to use b:",
        "Node.js:",
        "### Usage",
        "v1.2.3",
        "e.g.",
        "foo.bar()",
        "https://example.com/a.py",
        "and/or",
        "etc...",
        "import os",
        "self.value",
        "```",
        "a b.py",
        "Python 3.11",
        "src/",
        "**Note:**",
        "x = 1",
        "The file:",
        "#!/usr/bin/env python3",
        "...",
    ] {
        assert_eq!(label(line), None, "{line}");
    }
}

#[test]
fn a_fence_may_name_its_file() {
    let check = |text: &str, language: &str, path: Option<&str>| {
        assert_eq!(
            info(text),
            Info { language: language.into(), path: path.map(Into::into) },
            "{text}"
        );
    };
    check("python", "python", None);
    check("", "", None);
    check("python src/a.py", "python", Some("src/a.py"));
    check("src/a.py", "", Some("src/a.py"));
    check("python:src/a.py", "python", Some("src/a.py"));
    check("python title=\"src/a.py\"", "python", Some("src/a.py"));
    check("{.python filename=src/a.py}", "python", Some("src/a.py"));
    check("js file=lib/x", "js", Some("lib/x"));
    check("c++", "c++", None);
    check("text/html", "text/html", None);
    check("Makefile", "", Some("Makefile"));
    check("rust,ignore", "rust,ignore", None);
    check("diff", "diff", None);
}

#[test]
fn prose_may_name_one_file() {
    assert_eq!(path_in_prose("In `src/a.py`, rename `f`:").as_deref(), Some("src/a.py"));
    assert_eq!(path_in_prose("Here is the change to src/a.py:").as_deref(), Some("src/a.py"));
    assert_eq!(path_in_prose("Move it from `a.py` to `b.py`:"), None);
    assert_eq!(path_in_prose("Change a.py and b.py."), None);
    assert_eq!(path_in_prose("docs/read me.md"), None);
    assert_eq!(label_with_blanks("docs/read me.md:").as_deref(), Some("docs/read me.md"));
    assert_eq!(label_with_blanks("Update the greeting in a.py:"), None);
    assert_eq!(label_with_blanks("Now the tests"), None);
}

#[test]
fn a_tag_may_name_its_file() {
    for line in ["<file path=\"src/a.py\">", "<file name='src/a.py'>", "<path>src/a.py</path>"] {
        assert_eq!(label_in_tag(line).as_deref(), Some("src/a.py"), "{line}");
    }
    for line in
        ["<script src=\"a.js\">", "<a href=\"a.html\">", "<file>", "<file path=>", "<p>a.py</p>"]
    {
        assert_eq!(label_in_tag(line), None, "{line}");
    }
}

#[test]
fn a_sentence_may_give_a_whole_file() {
    assert_eq!(label("Here's the updated version of `src/a.py`:").as_deref(), Some("src/a.py"));
    assert_eq!(label("Here is the complete file src/a.py:").as_deref(), Some("src/a.py"));
    for line in [
        "Here is the updated function in `src/a.py`:",
        "The existing `src/a.py`:",
        "Here is the full output of src/a.py:",
        "Here is `src/a.py`:",
    ] {
        assert_eq!(label(line), None, "{line}");
    }
}

#[test]
fn a_comment_may_name_its_file() {
    assert_eq!(label_in_comment("# src/a.py").as_deref(), Some("src/a.py"));
    assert_eq!(label_in_comment("// File: src/a.js").as_deref(), Some("src/a.js"));
    assert_eq!(label_in_comment("<!-- a/index.html -->").as_deref(), Some("a/index.html"));
    assert_eq!(label_in_comment("#!/usr/bin/env python"), None);
    assert_eq!(label_in_comment("# loads a.py"), None);
    assert_eq!(label_in_comment("x = 1"), None);
}
