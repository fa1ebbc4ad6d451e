//! Tables of changes: what must be found, and what must not.

use super::*;

mod bent;
mod honest;

/// Files of a case: path, before, after.
type Files<'a> = &'a [(&'a str, Option<&'a str>, Option<&'a str>)];

fn found(files: Files<'_>) -> Vec<Tampering> {
    let changes: Vec<FileChange<'_>> = files
        .iter()
        .map(|(path, before, after)| FileChange { path, before: *before, after: *after })
        .collect();
    compare(&changes)
}

/// The change must be found with exactly these kinds, tampered ones in capitals.
#[track_caller]
fn check(name: &str, files: Files<'_>, expected: &[&str]) {
    let found = found(files);
    let mut kinds: Vec<String> = found
        .iter()
        .map(|finding| match finding.severity {
            Severity::Tampered => format!("{:?}", finding.kind).to_uppercase(),
            Severity::Suspicious => format!("{:?}", finding.kind),
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(kinds, expected, "{name}: {found:#?}");
}

/// Makes a file of tests from the body of one.
type Wrap = Box<dyn Fn(&str) -> String>;

/// One file with a body before and after, wrapped as a test of its language.
#[track_caller]
fn check_body(lang: &str, before: &str, after: &str, expected: &[&str]) {
    fn indented(body: &str, by: &str) -> String {
        body.lines().map(|line| format!("{by}{line}\n")).collect()
    }
    let (path, wrap): (&str, Wrap) = match lang {
        "py" => (
            "tests/test_a.py",
            Box::new(|body| {
                format!(
                    "def test_other():\n    assert g(1) == 1\n\n\ndef test_a():\n{}",
                    indented(body, "    ")
                )
            }),
        ),
        "js" => (
            "test/a.test.js",
            Box::new(|body| {
                format!(
                    "test('other', () => {{\n  assert.equal(g(1), 1);\n}});\n\ntest('a', () => {{\n{}}});\n",
                    indented(body, "  ")
                )
            }),
        ),
        "rs" => (
            "tests/a.rs",
            Box::new(|body| {
                format!(
                    "#[test]\nfn other() {{\n    assert_eq!(g(1), 1);\n}}\n\n#[test]\nfn a() {{\n{}}}\n",
                    indented(body, "    ")
                )
            }),
        ),
        "go" => (
            "a_test.go",
            Box::new(|body| {
                format!(
                    "package a\n\nfunc TestOther(t *testing.T) {{\n\tif g(1) != 1 {{\n\t\tt.Fatal(\"g\")\n\t}}\n}}\n\nfunc TestA(t *testing.T) {{\n{}}}\n",
                    indented(body, "\t")
                )
            }),
        ),
        _ => (
            "ATest.java",
            Box::new(|body| {
                format!(
                    "class ATest {{\n  @Test\n  void other() {{ assertEquals(1, g(1)); }}\n\n  @Test\n  void a() {{\n{}  }}\n}}\n",
                    indented(body, "    ")
                )
            }),
        ),
    };
    let (old, new) = (wrap(before), wrap(after));
    check(&format!("{before} -> {after}"), &[(path, Some(&old), Some(&new))], expected);
}

#[test]
fn a_plan_covers_what_it_names_and_says() {
    let target_files = vec!["tests/test_a.py".to_owned()];
    let finding = |kind| finding(kind, Severity::Tampered, "tests/test_a.py", 1, "a", "");
    let is_excused = |kind, description: &str, goal: &str| {
        excused(&finding(kind), &Mandate { target_files: &target_files, description, goal })
            .is_some()
    };
    use TamperKind::{AlwaysTrue, ExpectationChanged, TestDeleted, TestDisabled};
    assert!(is_excused(TestDeleted, "Remove the obsolete tests of a()", ""));
    assert!(is_excused(TestDeleted, "Clean up", "Delete tests/test_a.py and a()"));
    assert!(is_excused(ExpectationChanged, "add() returns text now; update tests/test_a.py", ""));
    assert!(is_excused(TestDisabled, "Skip the test of a() on old machines", ""));
    // It names the file, and says nothing about it.
    assert!(!is_excused(TestDeleted, "Make the tests pass", "Fix a()"));
    assert!(!is_excused(ExpectationChanged, "Fix a() so that tests/test_a.py passes", ""));
    // It asks for something else.
    assert!(!is_excused(TestDisabled, "Update the tests", ""));
    assert!(!is_excused(TestDeleted, "Remove a(). Run the tests", ""));
    // It forbids it.
    assert!(!is_excused(TestDeleted, "Remove dead tests", "Do not delete any test"));
    // Nobody can ask for this.
    assert!(!is_excused(AlwaysTrue, "Change the tests to assert True", ""));
    // It says so, and does not name the file.
    let mandate = Mandate { target_files: &[], description: "Remove the tests", goal: "" };
    assert!(excused(&finding(TestDeleted), &mandate).is_none());
}

#[test]
fn findings_say_where_and_what() {
    let before = "def test_a():\n    assert f(1) == 5\n";
    let after = "def test_a():\n    assert f(1)\n";
    let found = found(&[("tests/test_a.py", Some(before), Some(after))]);
    assert_eq!(
        found.iter().map(Tampering::text).collect::<Vec<_>>(),
        ["tests/test_a.py:2: assertion weakened: `assert f(1) == 5` became `assert f(1)`"]
    );
}

/// Texts put together at random from what the readers look for, and from characters of several bytes.
#[test]
fn no_text_makes_a_reader_fall_over() {
    const WORDS: [&str; 62] = [
        "def test_a(",
        "):",
        "\n",
        "\n    ",
        "assert ",
        "==",
        "é",
        "论",
        "\u{1F600}",
        "'",
        "\"",
        "`",
        "${",
        "}",
        "{",
        "(",
        ")",
        "[",
        "]",
        "it('",
        "test(\"",
        "describe(",
        ".skip",
        ".only",
        ".each(",
        "expect(",
        ").toBe(",
        "assert_eq!(",
        "#[test]",
        "fn a",
        "func TestA",
        "t.Fatal(",
        "if ",
        " != ",
        "return",
        "#",
        "//",
        "/*",
        "*/",
        "\"\"\"",
        "r#\"",
        "\\",
        ",",
        ";",
        "1",
        "5.0",
        "_",
        " and ",
        " or ",
        "not ",
        "True",
        "self.assertEqual(",
        "pytest.raises(",
        "except",
        "catch",
        ": pass",
        "@skip",
        "=>",
        " + ",
        " < ",
        "@Test",
        "skip: true",
    ];
    let mut seed = 7_u64;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for _ in 0..1_000 {
        let text = |next: &mut dyn FnMut(usize) -> usize| -> String {
            (0..next(40)).map(|_| WORDS[next(WORDS.len())]).collect()
        };
        let (before, after) = (text(&mut next), text(&mut next));
        for path in ["tests/test_a.py", "a.test.ts", "src/a.rs", "a_test.go", "ATest.java"] {
            let _ = found(&[(path, Some(&before), Some(&after))]);
            let lines = (1..=after.lines().count()).collect();
            let _ = crate::evidence::mutant::mutants(path, &after, &lines);
            if let Some(lang) = Lang::of(path) {
                let _ = crate::evidence::definitions(lang, &after);
            }
        }
    }
}

#[test]
fn nothing_is_too_odd_to_compare() {
    let odd = [
        "",
        "{",
        "def test_",
        "assert",
        "\u{0}",
        "é",
        "\"scripts\": {",
        "[[test]]\n=",
        "test:\n\t-",
        "it('",
    ];
    let paths = [
        "tests/test_a.py",
        "a.test.js",
        "tests/a.rs",
        "a_test.go",
        "package.json",
        "Makefile",
        "conftest.py",
        "Cargo.toml",
        ".github/workflows/a.yml",
        "a.sh",
        "pytest",
        "a.snap",
    ];
    for before in odd {
        for after in odd {
            for path in paths {
                let _ = found(&[(path, Some(before), Some(after)), ("b", None, Some(after))]);
            }
        }
    }
}
