//! Which command line runs what, here.

use std::process::Command;

use super::detecting::facts;
use crate::project::{
    JavaScriptFacts, JsRunner, Probe, ProjectFacts, PythonFacts, locks_of, runnable,
    runs_test_file, syntax_check_for, syntax_error_in, test_command_for,
};

fn python(has_pytest: bool, src_layout: bool, interpreter: &str) -> ProjectFacts {
    let python = PythonFacts {
        interpreter: interpreter.into(),
        has_pytest,
        src_layout,
        ..PythonFacts::default()
    };
    ProjectFacts { python: Some(python), ..ProjectFacts::default() }
}

fn javascript(runner: JsRunner) -> ProjectFacts {
    let javascript =
        JavaScriptFacts { runner: Some(runner), folder: String::new(), is_bundled: false };
    ProjectFacts { javascript: Some(javascript), ..ProjectFacts::default() }
}

#[test]
fn one_test_file_has_a_command_of_its_own() {
    let rust = facts(
        &[
            ("Cargo.toml", "[workspace]\n[package]\nname = \"top\"\n"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a-lib\"\n"),
        ],
        &[Probe::Cargo],
    );
    let go = facts(&[("sub/go.mod", "")], &[Probe::Go]);
    let maven = facts(&[("pom.xml", "")], &[Probe::Maven]);
    let none = ProjectFacts::default();
    for (facts, path, expected) in [
        (&none, "tests/test_a.py", Some("python3 -m pytest -q tests/test_a.py")),
        (&none, "tests/test a.py", Some("python3 -m pytest -q 'tests/test a.py'")),
        (
            &python(true, false, ".venv/bin/python"),
            "-a_test.py",
            Some(".venv/bin/python -m pytest -q ./-a_test.py"),
        ),
        (&rust, "tests/it.rs", Some("cargo test --test it")),
        (&rust, "crates/a/tests/it/main.rs", Some("cargo test -p a-lib --test it")),
        (&rust, "crates/a/src/tests.rs", Some("cargo test -p a-lib")),
        (&rust, "src/tests.rs", Some("cargo test")),
        (&go, "sub/pkg/a_test.go", Some("cd sub && go test ./pkg/")),
        (&go, "sub/a_test.go", Some("cd sub && go test ./")),
        (&none, "a.test.js", Some("node --test a.test.js")),
        (&none, "a.test.ts", None),
        (&javascript(JsRunner::Jest), "a.test.ts", Some("node_modules/.bin/jest a.test.ts")),
        (
            &javascript(JsRunner::Vitest),
            "a.test.ts",
            Some("node_modules/.bin/vitest run a.test.ts"),
        ),
        (&maven, "src/test/java/a/CartTest.java", Some("mvn -B -Dtest=CartTest test")),
        (&none, "spec/a_spec.rb", None),
        (&none, "test_\0.py", None),
    ] {
        assert_eq!(test_command_for(path, facts).as_deref(), expected, "{path}");
    }
}

#[test]
fn commands_run_in_the_projects_environment() {
    let shown = |command: &str, facts: &ProjectFacts| runnable(command, facts).shown;
    let venv = python(true, true, ".venv/bin/python");
    for (command, expected) in [
        ("pytest -q", "PYTHONPATH=src .venv/bin/python -m pytest -p no:cacheprovider -q"),
        (
            "python -m pytest tests",
            "PYTHONPATH=src .venv/bin/python -m pytest -p no:cacheprovider tests",
        ),
        ("python3 -m unittest", "PYTHONPATH=src .venv/bin/python -m unittest"),
        // As detected.
        (".venv/bin/python -m unittest", "PYTHONPATH=src .venv/bin/python -m unittest"),
        ("PYTHONPATH=lib python a.py", "PYTHONPATH=lib .venv/bin/python a.py"),
        ("make && pytest", "make && PYTHONPATH=src .venv/bin/python -m pytest -p no:cacheprovider"),
        ("cargo test", "cargo test"),
        ("echo 'pytest; python'", "echo 'pytest; python'"),
    ] {
        assert_eq!(shown(command, &venv), expected);
        assert_eq!(runnable(command, &venv).line, expected);
    }
    // Elsewhere the project's paths mean nothing.
    let elsewhere = runnable("cd sub && python a.py && pytest -q", &venv);
    assert_eq!(elsewhere.shown, "cd sub && python a.py && pytest -q");
    assert!(elsewhere.line.starts_with("cd sub && $(for p in .venv/bin/python "));
    assert_eq!(shown("jest a.js", &javascript(JsRunner::Jest)), "node_modules/.bin/jest a.js");
    assert_eq!(shown("jest a.js", &javascript(JsRunner::Node)), "jest a.js");
    let plain = python(false, false, "python3");
    assert_eq!(shown("pytest -q a.py", &plain), "python3 -m pytest -q a.py (built-in runner)");
    assert_eq!(shown("python -c 'x'", &plain), "python3 -c 'x'");
    let bare = python(false, false, ".venv/bin/python");
    let detected = runnable(".venv/bin/python -m pytest -q", &bare);
    assert_eq!(detected.shown, ".venv/bin/python -m pytest -q (built-in runner)");
    assert!(detected.line.contains(" -c "));
    assert_eq!(shown("pytest", &ProjectFacts::default()), "python3 -m pytest (built-in runner)");
}

#[test]
fn a_command_runs_a_file_only_if_that_is_certain() {
    for (command, path) in [
        ("pytest", "tests/test_a.py"),
        ("python3 -m pytest -q tests/test_a.py", "tests/test_a.py"),
        ("pytest -p no:cacheprovider --tb=short ./tests/", "tests/x/test_a.py"),
        ("PYTHONPATH=src .venv/bin/python -m pytest tests", "tests/test_a.py"),
        ("python -m unittest tests.test_a", "tests/test_a.py"),
        ("python -m unittest -v tests/test_a.py", "tests/test_a.py"),
        ("python -m unittest discover -s tests", "tests/test_a.py"),
        ("cargo test", "tests/a.rs"),
        ("cargo test -q --workspace && true", "tests/a.rs"),
        ("cargo test --test a", "tests/a.rs"),
        ("go test ./...", "a/b_test.go"),
        ("go test -v ./a", "a/b_test.go"),
        ("node --test", "a.test.js"),
        ("node --test test/a.test.js", "test/a.test.js"),
        ("node_modules/.bin/jest a.test.ts", "a.test.ts"),
    ] {
        assert!(runs_test_file(command, path), "{command}");
    }
    for (command, path) in [
        ("", "tests/test_a.py"),
        ("make test", "tests/test_a.py"),
        ("npm test", "a.test.js"),
        ("pytest tests/test_b.py", "tests/test_a.py"),
        ("pytest tests/test_a.py::test_x", "tests/test_a.py"),
        ("pytest -k x", "tests/test_a.py"),
        ("pytest --co", "tests/test_a.py"),
        ("cd x && pytest", "tests/test_a.py"),
        ("false || pytest", "tests/test_a.py"),
        ("echo pytest tests/test_a.py", "tests/test_a.py"),
        ("python -m unittest", "tests/test_a.py"),
        ("python -m unittest discover -s tests -p 'b*'", "tests/test_a.py"),
        ("cargo test other", "tests/a.rs"),
        ("cargo test --lib", "tests/a.rs"),
        ("cargo build", "tests/a.rs"),
        ("go test", "b_test.go"),
        ("go test ./b", "a/b_test.go"),
        ("go test -run X ./...", "a/b_test.go"),
        ("node a.test.js", "b.test.js"),
        ("cargo test", "tests/test_a.py"),
    ] {
        assert!(!runs_test_file(command, path), "{command}");
    }
}

#[test]
fn syntax_is_checked_per_language() {
    let none = ProjectFacts::default();
    for (path, expected) in [
        ("a.mjs", Some("node --check a.mjs")),
        ("a b.js", Some("node --check 'a b.js'")),
        ("a.go", Some("gofmt -e a.go >/dev/null")),
        ("a.rs", None),
        ("a.jsx", None),
        ("Makefile", None),
    ] {
        assert_eq!(syntax_check_for(path, &none).as_deref(), expected);
    }
    assert!(syntax_error_in("a.json", "{\"a\": 1,}").unwrap().contains("line 1"));
    assert_eq!(syntax_error_in("a.json", "{\"a\": [1]}"), None);
    assert_eq!(syntax_error_in("tsconfig.json", "{ // x\n}"), None);
    assert_eq!(syntax_error_in("a.py", "("), None);
}

/// A folder with files, in which lines are run.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    #[expect(clippy::disallowed_methods, reason = "shows that the lines do what they say")]
    fn sh(&self, line: &str) -> (Option<i32>, String) {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.0.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// Whether these lines can be tried here at all.
fn has_python() -> bool {
    Folder::with(&[]).sh("python3 --version").0 == Some(0)
}

/// Runs a command through the environment; where pytest is installed, it does the work.
fn built_in(
    files: &[(&str, &str)],
    command: &str,
    facts: &ProjectFacts,
) -> (Option<i32>, String, Option<u64>) {
    let command = runnable(command, facts);
    let (code, output) = Folder::with(files).sh(&command.line);
    let ran = sage_tool::read_test_output(&command.shown, &output, code).ran;
    (code, output, ran)
}

const CASES: &str = "import unittest\n\nfrom shop import cart\n\n\nclass Cart(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(cart.total([1, 2]), 3)\n\n    @unittest.skip(\"later\")\n    def test_later(self):\n        pass\n";
const PLAIN: &str = "from shop.cart import total\n\n\ndef test_total():\n    assert total([]) == 0\n\n\nclass TestMore:\n    def setup_method(self):\n        self.items = [1]\n\n    def test_one(self):\n        assert total(self.items) == 1\n";
const CART: &str = "def total(items):\n    return sum(items)\n";

#[test]
fn the_built_in_runner_runs_cases_functions_and_classes() {
    if !has_python() {
        return;
    }
    let files = [
        ("src/shop/__init__.py", ""),
        ("src/shop/cart.py", CART),
        ("tests/test_cases.py", CASES),
        ("tests/test_plain.py", PLAIN),
        // A module of the project with the name of one of the library.
        ("types.py", "raise RuntimeError('not this one')\n"),
    ];
    let facts = python(false, true, "python3");
    let (code, output, ran) = built_in(&files, "pytest -q tests", &facts);
    assert_eq!((code, ran), (Some(0), Some(3)), "{output}");
    let (code, output, ran) =
        built_in(&files, "pytest tests/test_plain.py::TestMore::test_one", &facts);
    assert_eq!((code, ran), (Some(0), Some(1)), "{output}");
    let (code, output, ran) = built_in(&files, "pytest -k 'plain'", &facts);
    assert_eq!((code, ran), (Some(0), Some(2)), "{output}");
    let (code, output, ran) = built_in(&files, "pytest -k nowhere", &facts);
    assert_eq!((code, ran), (Some(5), Some(0)), "{output}");
    let (code, output, _) = built_in(&files, "pytest tests/test_missing.py", &facts);
    assert_eq!(code, Some(4), "{output}");
}

#[test]
fn the_built_in_runner_reports_failures() {
    if !has_python() {
        return;
    }
    let files = [
        ("shop/cart.py", "def total(items):\n    return 7\n"),
        ("test_plain.py", PLAIN),
        ("test_broken.py", "import nowhere\n"),
        ("test_exit.py", "import sys\nsys.exit(0)\n"),
    ];
    let facts = python(false, false, "python3");
    let (code, output, ran) = built_in(&files, "pytest test_plain.py", &facts);
    assert_eq!((code, ran), (Some(1), Some(2)), "{output}");
    assert!(output.contains("assert total([]) == 0"), "{output}");
    for file in ["test_broken.py", "test_exit.py"] {
        let (code, output, _) = built_in(&files, &format!("pytest {file}"), &facts);
        assert!(matches!(code, Some(1..=3)), "{output}");
    }
}

#[test]
fn a_project_in_a_folder_runs_with_what_is_there() {
    let files = [
        ("back end/pyproject.toml", ""),
        ("back end/src/shop/cart.py", CART),
        ("back end/src/shop/__init__.py", ""),
        ("back end/tests/test_plain.py", PLAIN),
        ("web/package.json", "{}"),
    ];
    let facts = facts(&files, &[Probe::Python3, Probe::Node]);
    let line = "cd 'back end' && PYTHONPATH=src python3 -m pytest -q";
    assert_eq!(facts.verify_lines(), [line]);
    let (code, output, ran) = built_in(&files, line, &facts);
    assert_eq!((code, ran), (Some(0), Some(2)), "{output}");
    let command = test_command_for("back end/tests/test_plain.py", &facts).unwrap();
    assert_eq!(command, format!("{line} tests/test_plain.py"));
    let (code, output, ran) = built_in(&files, &command, &facts);
    assert_eq!((code, ran), (Some(0), Some(2)), "{output}");
    // The folder's own interpreter comes first.
    let own = Folder::with(&files);
    let python = own.0.path().join("back end/.venv/bin/python");
    std::fs::create_dir_all(python.parent().unwrap()).unwrap();
    std::fs::write(&python, "#!/bin/sh\necho own $1\n").unwrap();
    own.sh("chmod +x 'back end/.venv/bin/python'");
    let (code, output) = own.sh(&runnable("cd 'back end' && python a.py", &facts).line);
    assert_eq!((code, output.as_str()), (Some(0), "own a.py\n"));
}

#[test]
fn the_built_in_runner_says_what_needs_pytest() {
    if !has_python() {
        return;
    }
    let files = [
        ("test_fixture.py", "def test_a(tmp_path):\n    pass\n"),
        ("test_import.py", "import pytest\n\n\ndef test_a():\n    pass\n"),
        ("test_async.py", "async def test_a():\n    pass\n"),
    ];
    let facts = python(false, false, "python3");
    let has_pytest = Folder::with(&[]).sh("python3 -c 'import pytest'").0 == Some(0);
    if has_pytest {
        return;
    }
    let (code, output, ran) = built_in(&files, "pytest", &facts);
    assert_eq!((code, ran), (Some(1), Some(3)), "{output}");
    assert_eq!(output.matches("needs ").count(), 3, "{output}");
}

#[test]
fn the_syntax_of_python_is_checked_without_writing() {
    if !has_python() {
        return;
    }
    let folder = Folder::with(&[
        ("good one.py", "x = 1\n"),
        ("bad.py", "def f(:\n"),
        ("ast.py", "raise RuntimeError('not this one')\n"),
    ]);
    let none = ProjectFacts::default();
    let check = |path: &str| folder.sh(&syntax_check_for(path, &none).unwrap());
    assert_eq!(check("good one.py").0, Some(0));
    let (code, output) = check("bad.py");
    assert_eq!(code, Some(1));
    assert!(output.contains("File \"bad.py\", line 1"), "{output}");
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 3);
}

#[test]
fn a_manifest_brings_the_lock_files_that_follow_it() {
    let files = ["Cargo.lock", "crates/a/Cargo.toml", "web/package.json", "web/yarn.lock"];
    let files = files.map(str::to_owned).into();
    assert_eq!(locks_of("crates/a/Cargo.toml", &files), ["Cargo.lock"]);
    assert_eq!(locks_of("web/package.json", &files), ["web/yarn.lock"]);
    assert_eq!(locks_of("package.json", &files), [""; 0]);
    assert_eq!(locks_of("src/lib.rs", &files), [""; 0]);
}

#[test]
fn go_names_its_tests_unless_they_are_too_many() {
    let few = facts(&[("go.mod", ""), ("a_test.go", "")], &[Probe::Go]);
    let line = |command: &str, facts: &ProjectFacts| {
        let command = runnable(command, facts);
        (command.shown, command.line)
    };
    let both = |shown: &str, line: &str| (shown.to_owned(), line.to_owned());
    assert_eq!(line("go test ./...", &few), both("go test ./...", "go test -v ./..."));
    let inside = line("cd x && A=1 go test", &few);
    assert_eq!(inside, both("cd x && A=1 go test", "cd x && A=1 go test -v"));
    assert_eq!(line("go testing", &few), both("go testing", "go testing"));
    assert_eq!(line("go vet ./...", &few), both("go vet ./...", "go vet ./..."));
    let names: Vec<String> = (0..50).map(|n| format!("p{n}/a_test.go")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    files.push(("go.mod", ""));
    let many = facts(&files, &[Probe::Go]);
    assert_eq!(line("go test ./...", &many), both("go test ./...", "go test ./..."));
}
