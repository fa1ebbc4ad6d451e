//! Changes that must not be found: what a good colleague does to tests.

use super::{check, check_body};

const PY: &str = "tests/test_a.py";
const ONE: &str = "def test_a():\n    assert f(1) == 1\n    assert f(2) == 4\n";

#[test]
fn tests_that_move_or_change_their_name() {
    check("renamed", &[(PY, Some(ONE), Some(&ONE.replace("test_a", "test_squares")))], &[]);
    check("moved", &[(PY, Some(ONE), None), ("tests/unit/test_a.py", None, Some(ONE))], &[]);
    check(
        "moved and renamed",
        &[(PY, Some(ONE), None), ("tests/test_b.py", None, Some(&ONE.replace("test_a", "test_b")))],
        &[],
    );
    check(
        "into a class",
        &[(
            PY,
            Some(ONE),
            Some(
                "class TestA:\n    def test_a(self):\n        assert f(1) == 1\n        assert f(2) == 4\n",
            ),
        )],
        &[],
    );
    check(
        "one of two moved",
        &[
            (
                PY,
                Some(
                    "def test_a():\n    assert f(1) == 1\n\n\ndef test_b():\n    assert f(2) == 4\n",
                ),
                Some("def test_a():\n    assert f(1) == 1\n"),
            ),
            ("tests/test_b.py", None, Some("def test_b():\n    assert f(2) == 4\n")),
        ],
        &[],
    );
    check(
        "merged",
        &[(
            PY,
            Some("def test_a():\n    assert f(1) == 1\n\n\ndef test_b():\n    assert f(2) == 4\n"),
            Some(ONE),
        )],
        &[],
    );
    check(
        "split",
        &[(
            PY,
            Some(ONE),
            Some("def test_a():\n    assert f(1) == 1\n\n\ndef test_b():\n    assert f(2) == 4\n"),
        )],
        &[],
    );
    check(
        "reordered",
        &[(
            PY,
            Some("def test_a():\n    assert f(1) == 1\n\n\ndef test_b():\n    assert f(2) == 4\n"),
            Some("def test_b():\n    assert f(2) == 4\n\n\ndef test_a():\n    assert f(1) == 1\n"),
        )],
        &[],
    );
    check(
        "js renamed",
        &[(
            "a.test.js",
            Some("test('a', () => { assert.equal(f(1), 1); });\n"),
            Some("test('squares one', () => { assert.equal(f(1), 1); });\n"),
        )],
        &[],
    );
    check(
        "js into a group",
        &[(
            "a.test.js",
            Some("test('a', () => {\n  assert.equal(f(1), 1);\n});\n"),
            Some(
                "describe('f', () => {\n  test('a', () => {\n    assert.equal(f(1), 1);\n  });\n});\n",
            ),
        )],
        &[],
    );
    check(
        "rust into a file",
        &[
            (
                "src/a.rs",
                Some(
                    "#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() { assert_eq!(f(1), 1); }\n}\n",
                ),
                Some("#[cfg(test)]\nmod tests;\n"),
            ),
            ("src/a/tests.rs", None, Some("#[test]\nfn a() { assert_eq!(f(1), 1); }\n")),
        ],
        &[],
    );
    check(
        "go renamed",
        &[(
            "a_test.go",
            Some("func TestA(t *testing.T) {\n\tif f(1) != 1 {\n\t\tt.Fatal(1)\n\t}\n}\n"),
            Some("func TestSquare(t *testing.T) {\n\tif f(1) != 1 {\n\t\tt.Fatal(1)\n\t}\n}\n"),
        )],
        &[],
    );
}

#[test]
fn assertions_in_other_words() {
    check_body("py", "self.assertEqual(f(1), 5)", "assert f(1) == 5", &[]);
    check_body("py", "assert f(1) == 5", "assert f(1) == 5, 'five'", &[]);
    check_body("py", "assert 5 == f(1)", "assert f(1) == 5", &[]);
    check_body("py", "assert f(1) == 'a'", "assert f(1) == \"a\"", &[]);
    check_body("py", "assert f(1) == 1000", "assert f(1) == 1_000", &[]);
    check_body("py", "assert f(1) == [1, 2]", "assert f(1) == [\n    1,\n    2,\n]", &[]);
    check_body("py", "self.assertTrue(f(1) == 5)", "self.assertEqual(f(1), 5)", &[]);
    check_body("py", "self.assertTrue(f(1))", "self.assertEqual(f(1), 5)", &[]);
    check_body("py", "assert f(1) == 5", "result = f(1)\nassert result == 5", &[]);
    check_body("py", "assert f(1) == 5", "expected = 5\nassert f(1) == expected", &[]);
    check_body("py", "assert f(1) == 1 and f(2) == 4", "assert f(1) == 1\nassert f(2) == 4", &[]);
    check_body("js", "assert.equal(f(1), 5);", "assert.strictEqual(f(1), 5);", &[]);
    check_body("js", "expect(f(1)).toBe(5);", "expect(f(1)).toEqual(5);", &[]);
    check_body("js", "expect(f(1)).toBeTruthy();", "expect(f(1)).toBe(5);", &[]);
    check_body("rs", "assert!(f(1) == 5);", "assert_eq!(f(1), 5, \"five\");", &[]);
    check_body(
        "go",
        "if f(1) != 5 {\n\tt.Fatal(\"f\")\n}",
        "if got := f(1); got != 5 {\n\tt.Fatalf(\"got %d\", got)\n}",
        &[],
    );
    check_body("java", "assertEquals(5, f(1));", "assertEquals(5, f(1), \"five\");", &[]);
}

#[test]
fn tests_that_ask_for_as_much_or_more() {
    check_body("py", "assert f(1) == 5", "assert f(1) == 5\nassert f(2) == 6", &[]);
    check_body("py", "assert f(1, 2) == 5", "assert f(1, 2, base=10) == 5", &[]);
    check_body("py", "assert f(1) < 10", "assert f(1) < 5", &[]);
    check_body("py", "assert abs(f(1) - 5) < 1", "assert abs(f(1) - 5) < 0.001", &[]);
    check_body(
        "py",
        "assert f(1) == 1\nassert f(2) == 4",
        "for n, square in [(1, 1), (2, 4)]:\n    assert f(n) == square",
        &[],
    );
    check_body("py", "assert f(1) == 1", "check(f(1), 1)", &[]);
    check_body(
        "js",
        "assert.equal(f(1), 1);\nassert.equal(f(2), 4);",
        "for (const [n, square] of [[1, 1], [2, 4]]) {\n  assert.equal(f(n), square);\n}",
        &[],
    );
    check_body(
        "rs",
        "assert_eq!(f(1), 1);\nassert_eq!(f(2), 4);",
        "for (n, square) in [(1, 1), (2, 4)] {\n    assert_eq!(f(n), square);\n}",
        &[],
    );
    check_body("py", "f(1)", "assert f(1) == 5", &[]);
    check_body("py", "assert True\nassert f(1) == 5", "assert f(1) == 5", &[]);
    check(
        "skip removed",
        &[(
            PY,
            Some("@pytest.mark.skip\ndef test_a():\n    assert f(1) == 1\n"),
            Some("def test_a():\n    assert f(1) == 1\n"),
        )],
        &[],
    );
    check(
        "parametrized",
        &[(
            PY,
            Some(ONE),
            Some(
                "@pytest.mark.parametrize('n,square', [(1, 1), (2, 4)])\ndef test_a(n, square):\n    assert f(n) == square\n",
            ),
        )],
        &[],
    );
    check(
        "a helper",
        &[(
            PY,
            Some("def test_a():\n    x = f(1)\n    assert x.a == 1\n"),
            Some("def check(x):\n    assert x.a == 1\n\n\ndef test_a():\n    check(f(1))\n"),
        )],
        &[],
    );
}

#[test]
fn changes_beside_the_assertions() {
    check_body("py", "assert f(1) == 5", "# one\nassert f(1) == 5", &[]);
    check_body("py", "x = 1\nassert f(x) == 5", "value = 1\nassert f(value) == 5", &[]);
    check_body(
        "py",
        "try:\n    f(1)\n    self.fail('no error')\nexcept ValueError:\n    pass",
        "try:\n    f(2)\n    self.fail('no error')\nexcept ValueError:\n    pass",
        &[],
    );
    check_body(
        "js",
        "assert.equal(f(1), 5);",
        "const helper = () => { return 1; };\nassert.equal(f(1), 5);",
        &[],
    );
    check(
        "a new test",
        &[(PY, Some(ONE), Some(&format!("{ONE}\n\ndef test_b():\n    assert f(3) == 9\n")))],
        &[],
    );
    check(
        "a new file",
        &[("tests/test_b.py", None, Some("def test_b():\n    assert f(3) == 9\n"))],
        &[],
    );
    check("a new snapshot", &[("__snapshots__/a.snap", Some("a\n"), Some("a\nb\n"))], &[]);
    check("an import", &[(PY, Some(ONE), Some(&format!("import os\n\n\n{ONE}")))], &[]);
}

#[test]
fn configuration_and_programs_that_do_no_harm() {
    check("first pytest.ini", &[("pytest.ini", None, Some("[pytest]\ntestpaths = tests\n"))], &[]);
    check(
        "dependencies",
        &[("pyproject.toml", Some("[project]\n"), Some("[project]\ndependencies = [\"a\"]\n"))],
        &[],
    );
    check(
        "bench",
        &[(
            "Cargo.toml",
            Some("[package]\n"),
            Some("[package]\n\n[[bench]]\nname = \"a\"\nharness = false\n"),
        )],
        &[],
    );
    check(
        "scripts",
        &[(
            "package.json",
            Some("{\"scripts\": {\"test\": \"node --test\"}}"),
            Some("{\"scripts\": {\"test\": \"node --test\", \"lint\": \"eslint . || true\"}}"),
        )],
        &[],
    );
    check(
        "npm init",
        &[(
            "package.json",
            Some("{\"scripts\": {\"test\": \"echo \\\"Error: no test specified\\\" && exit 1\"}}"),
            Some("{\"scripts\": {\"test\": \"node --test\"}}"),
        )],
        &[],
    );
    check(
        "make clean",
        &[(
            "Makefile",
            Some("test:\n\tpytest\n"),
            Some("test:\n\tpytest\n\nclean:\n\trm -f a || true\n"),
        )],
        &[],
    );
    check(
        "ci step",
        &[(
            ".github/workflows/a.yml",
            Some("steps:\n  - run: pytest\n"),
            Some("steps:\n  - run: pip install a\n  - run: pytest\n"),
        )],
        &[],
    );
    check(
        "script",
        &[("test.sh", Some("#!/bin/sh\npytest\n"), Some("#!/bin/sh\nrm a || true\npytest\n"))],
        &[],
    );
    check(
        "fixtures",
        &[(
            "tests/conftest.py",
            None,
            Some("import pytest\n\n\n@pytest.fixture\ndef one():\n    return 1\n"),
        )],
        &[],
    );
    check(
        "a program that exits",
        &[("src/main.py", Some(""), Some("import sys\nsys.exit(0)\n"))],
        &[],
    );
    check("a program that counts", &[("src/a.py", Some(""), Some("print(f\"{n} files\")\n"))], &[]);
    check(
        "unittest's own end",
        &[(
            PY,
            Some(ONE),
            Some(&format!("{ONE}\nif __name__ == '__main__':\n    unittest.main()\n")),
        )],
        &[],
    );
    check(
        "first node config",
        &[("jest.config.js", None, Some("module.exports = { testEnvironment: 'node' };\n"))],
        &[],
    );
    check(
        "sources",
        &[("src/a.py", Some("def f(x):\n    return x\n"), Some("def f(x):\n    return x * x\n"))],
        &[],
    );
}

#[test]
fn what_the_history_of_real_projects_holds() {
    check_body("py", "assert 'no' in f(1)", "assert f'no {x}' in f(1)", &[]);
    check(
        "moved and edited",
        &[
            ("tests/test_a.py", Some("def test_a():\n    x = f(1)\n    assert x == 1\n"), Some("")),
            (
                "tests/test_b.py",
                Some(""),
                Some("def test_a(runner):\n    y = runner.go(f, 1)\n    assert y == 1\n"),
            ),
        ],
        &[],
    );
    check(
        "talk of runners",
        &[(
            "tests/a.rs",
            None,
            Some("#[test]\nfn a() {\n    check(\"print('5 passed')\\nos._exit(0)\", 1);\n}\n"),
        )],
        &[],
    );
    check(
        "a marker explained",
        &[(
            "pyproject.toml",
            Some("[tool.pytest.ini_options]\n"),
            Some(
                "[tool.pytest.ini_options]\nmarkers = [\n    \"slow: deselect with '-m \\\"not slow\\\"'\",\n]\n",
            ),
        )],
        &[],
    );
    check(
        "mocha",
        &[(
            "test/app.js",
            Some("it('a', function () {\n  assert.equal(f(1), 1);\n});\n"),
            Some("it('b', function () {\n  assert.equal(f(1), 1);\n});\n"),
        )],
        &[],
    );
}
