//! What is recognised in which files.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::project::{Probe, Probes, ProjectFacts, detect, is_test_file, needed_probes};

pub(super) const EVERYTHING: [Probe; 13] = [
    Probe::Python3,
    Probe::Python,
    Probe::Pytest,
    Probe::Node,
    Probe::Npm,
    Probe::LocalJest,
    Probe::LocalVitest,
    Probe::LocalMocha,
    Probe::Cargo,
    Probe::Go,
    Probe::Make,
    Probe::Maven,
    Probe::Gradle,
];

pub(super) fn facts(files: &[(&str, &str)], probes: &[Probe]) -> ProjectFacts {
    let texts: BTreeMap<String, String> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let paths: Vec<String> = texts.keys().cloned().collect();
    detect(&paths, &|path| texts.get(path).cloned(), &Probes::of(probes))
}

#[track_caller]
fn check(files: &[(&str, &str)], probes: &[Probe], expected: Expect) {
    let facts = facts(files, probes);
    let lines =
        facts.verify.iter().map(|command| format!("{} <- {}\n", command.line, command.source));
    let notes = facts.notes.iter().map(|note| format!("note: {note}\n"));
    expected.assert_eq(&lines.chain(notes).collect::<String>());
}

const UNITTEST: &str =
    "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n";
const FUNCTIONS: &str = "def test_a():\n    pass\n";

#[test]
fn nothing_is_made_up() {
    check(&[], &EVERYTHING, expect![""]);
    check(&[("README.md", "# x"), ("data.csv", "1")], &EVERYTHING, expect![""]);
    check(&[("main.py", "print(1)")], &EVERYTHING, expect![""]);
    assert_eq!(facts(&[], &[]), ProjectFacts::default());
    assert_eq!(ProjectFacts::default().describe(), "");
}

#[test]
fn rust() {
    check(
        &[("Cargo.toml", "[package]\nname = \"a\"\n"), ("src/lib.rs", "")],
        &EVERYTHING,
        expect![[r#"
        cargo test <- Cargo.toml
    "#]],
    );
    check(
        &[("Cargo.toml", ""), ("crates/a/Cargo.toml", "")],
        &[],
        expect![[r#"
        note: Cargo.toml is there, but cargo is not installed
    "#]],
    );
    check(
        &[("a b/Cargo.toml", ""), ("c/Cargo.toml", ""), ("c/d/Cargo.toml", "")],
        &EVERYTHING,
        expect![[r#"
        cd 'a b' && cargo test <- a b/Cargo.toml
        cd c && cargo test <- c/Cargo.toml
    "#]],
    );
    // Samples and tools in another language do not count.
    check(
        &[("Cargo.toml", ""), ("examples/shop/tests/test_a.py", UNITTEST), ("vendor/x/go.mod", "")],
        &EVERYTHING,
        expect![[r#"
            cargo test <- Cargo.toml
        "#]],
    );
}

#[test]
fn python() {
    let packaged =
        [("shop/__init__.py", ""), ("tests/__init__.py", ""), ("tests/test_a.py", UNITTEST)];
    check(
        &packaged,
        &EVERYTHING,
        expect![[r#"
        python3 -m pytest -q <- tests/test_a.py
    "#]],
    );
    check(
        &packaged,
        &[Probe::Python3],
        expect![[r#"
        python3 -m unittest <- tests/test_a.py
        note: pytest is not installed: write tests with unittest or as plain functions without fixtures; `python3 -m pytest` runs a small replacement
    "#]],
    );
    check(
        &[("pyproject.toml", ""), ("src/a.py", ""), ("tests/test_a.py", UNITTEST)],
        &[Probe::Python],
        expect![[r#"
            python -m unittest discover -s tests <- pyproject.toml
            note: pytest is not installed: write tests with unittest or as plain functions without fixtures; `python -m pytest` runs a small replacement
        "#]],
    );
    check(
        &[("tests/test_a.py", UNITTEST), ("tests/test_b.py", FUNCTIONS)],
        &[Probe::Python3, Probe::DotVenvPython],
        expect![[r#"
            .venv/bin/python -m pytest -q <- tests/test_a.py
            note: pytest is not installed: write tests with unittest or as plain functions without fixtures; `.venv/bin/python -m pytest` runs a small replacement
        "#]],
    );
    check(
        &[
            ("tests/conftest.py", ""),
            ("tests/requirements.txt", ""),
            ("tests/test_a.py", FUNCTIONS),
            ("shop/__init__.py", ""),
        ],
        &EVERYTHING,
        expect![[r#"
            python3 -m pytest -q <- tests/test_a.py
        "#]],
    );
    check(
        &[("tests/test_a.py", FUNCTIONS)],
        &[],
        expect![[r#"
        note: there are Python tests, but Python is not installed
    "#]],
    );
}

#[test]
fn javascript() {
    check(
        &[("package.json", r#"{"scripts": {"test": "jest"}, "devDependencies": {"jest": "1"}}"#)],
        &EVERYTHING,
        expect![[r#"
            npm test <- package.json
        "#]],
    );
    check(
        &[("package.json", r#"{"scripts": {"test": "jest"}}"#)],
        &[Probe::Node, Probe::Npm],
        expect![[r#"
            note: the test script of package.json needs node_modules, which are not installed
        "#]],
    );
    let default = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#;
    check(
        &[("package.json", default), ("cart.test.js", "")],
        &EVERYTHING,
        expect![[r#"
        node --test <- package.json
    "#]],
    );
    check(&[("package.json", default), ("cart.js", "")], &EVERYTHING, expect![""]);
    check(
        &[("test/cart.test.mjs", "")],
        &EVERYTHING,
        expect![[r#"
        node --test <- test/cart.test.mjs
    "#]],
    );
    check(
        &[
            ("web/package.json", r#"{"scripts": {"test": "node --test"}}"#),
            ("web/pnpm-lock.yaml", ""),
        ],
        &[Probe::Node, Probe::Npm, Probe::Pnpm],
        expect![[r#"
            cd web && pnpm test <- web/package.json
        "#]],
    );
    check(
        &[("package.json", "{ broken"), ("a.test.js", "")],
        &EVERYTHING,
        expect![[r#"
        node --test <- package.json
    "#]],
    );
    check(
        &[("package.json", r#"{"scripts": {"test": "node --test"}}"#)],
        &[Probe::Node],
        expect![[r#"
        note: package.json has a test script, but npm is not installed
    "#]],
    );
}

#[test]
fn go_java_and_make() {
    check(
        &[("go.mod", ""), ("a.go", "")],
        &EVERYTHING,
        expect![[r#"
        go test ./... <- go.mod
    "#]],
    );
    check(
        &[("pom.xml", "")],
        &EVERYTHING,
        expect![[r#"
        mvn -B test <- pom.xml
    "#]],
    );
    check(
        &[("pom.xml", ""), ("mvnw", "")],
        &[],
        expect![[r#"
        ./mvnw -B test <- pom.xml
    "#]],
    );
    check(
        &[("build.gradle.kts", ""), ("gradlew", "")],
        &[],
        expect![[r#"
        ./gradlew test <- build.gradle.kts
    "#]],
    );
    check(
        &[("Makefile", "CC := gcc\nall: a\n\ncheck test: all\n\t./a\n")],
        &EVERYTHING,
        expect![[r#"
        make test <- Makefile
    "#]],
    );
    check(&[("Makefile", "test := 1\ntesting:\n")], &EVERYTHING, expect![""]);
    check(
        &[("Makefile", "test:\n"), ("go.mod", "")],
        &EVERYTHING,
        expect![[r#"
        go test ./... <- go.mod
    "#]],
    );
}

#[test]
fn several_languages_are_all_verified() {
    check(
        &[
            ("Cargo.toml", ""),
            ("web/package.json", r#"{"scripts": {"test": "node --test"}}"#),
            ("pyproject.toml", ""),
            ("tests/test_a.py", FUNCTIONS),
        ],
        &EVERYTHING,
        expect![[r#"
            cargo test <- Cargo.toml
            cd web && npm test <- web/package.json
            python3 -m pytest -q <- pyproject.toml
        "#]],
    );
    check(
        &[
            ("web/package.json", r#"{"scripts": {"test": "node --test"}}"#),
            ("api/pyproject.toml", ""),
            ("api/shop.py", ""),
            ("api/tests/test_a.py", UNITTEST),
            ("jobs/requirements.txt", ""),
            ("jobs/src/job.py", ""),
            ("jobs/test_b.py", FUNCTIONS),
            ("docs/requirements.txt", ""),
        ],
        &[Probe::Python3, Probe::Node, Probe::Npm],
        expect![[r#"
            cd web && npm test <- web/package.json
            cd api && python3 -m unittest discover -s tests <- api
            cd jobs && PYTHONPATH=src python3 -m pytest -q <- jobs
            note: pytest is not installed: write tests with unittest or as plain functions without fixtures; `python3 -m pytest` runs a small replacement
        "#]],
    );
}

#[test]
fn the_description_is_short_and_says_what_matters() {
    let facts = facts(
        &[
            ("src/shop/__init__.py", ""),
            ("src/shop/cart.py", ""),
            ("src/shop/__main__.py", ""),
            ("tests/test_cart.py", FUNCTIONS),
            ("web/x.css", ""),
            ("run.sh", ""),
        ],
        &[Probe::Python3],
    );
    expect![[r#"
        languages (files): Python (4), shell (1), CSS (1)
        layout: modules are in src/, which is on the path when tests run; import `shop`
        entry points: src/shop/__main__.py
        tests: tests/
        verified with: `python3 -m pytest -q`
        note: pytest is not installed: write tests with unittest or as plain functions without fixtures; `python3 -m pytest` runs a small replacement"#]]
    .assert_eq(&facts.describe());
    let json = serde_json::to_value(&facts).unwrap();
    assert_eq!(serde_json::from_value::<ProjectFacts>(json).unwrap(), facts);
}

#[test]
fn only_what_matters_is_asked() {
    let needed = |paths: &[&str]| {
        needed_probes(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(needed(&["README.md"]), []);
    assert_eq!(needed(&["Cargo.toml", "src/lib.rs"]), [Probe::Cargo]);
    assert_eq!(needed(&["go.mod"]), [Probe::Go]);
    assert_eq!(needed(&["a.js"]), [Probe::Node]);
    assert_eq!(needed(&["pom.xml", "mvnw"]), []);
    assert!(needed(&["a.py"]).contains(&Probe::Pytest));
    assert!(!needed(&["a.py"]).contains(&Probe::Go));
    assert_eq!(needed(&["node_modules/x/package.json"]), []);
}

#[test]
fn test_files_are_known_by_their_names() {
    for path in [
        "tests/test_a.py",
        "a_test.py",
        "test_a.py",
        "a.test.js",
        "src/a.spec.ts",
        "__tests__/a.jsx",
        "a_test.go",
        "tests/a.rs",
        "crates/x/tests/a.rs",
        "tests/it/main.rs",
        "src/a/tests.rs",
        "src/test/java/a/CartTest.java",
        "CartTests.kt",
        "TestCart.java",
        "spec/a_spec.rb",
        "CartTest.php",
    ] {
        assert!(is_test_file(path), "{path}");
    }
    for path in [
        "tests/__init__.py",
        "tests/conftest.py",
        "contest.py",
        "src/testing.py",
        "test/helper.js",
        "latest.js",
        "a.go",
        "src/lib.rs",
        "src/tests/mod.rs",
        "tests/common/mod.rs",
        "tests/it/run.rs",
        "Contest.java",
        "Testimony.java",
        "README.md",
        "test",
        "test_a.txt",
    ] {
        assert!(!is_test_file(path), "{path}");
    }
}
