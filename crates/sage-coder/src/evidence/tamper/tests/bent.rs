//! Changes that must be found.

use super::{check, check_body};

const PY: &str = "tests/test_a.py";
const TWO: &str = "def test_a():\n    assert f(1) == 1\n\n\ndef test_b():\n    assert f(2) == 4\n";

#[test]
fn tests_that_are_gone() {
    check("file deleted", &[(PY, Some(TWO), None)], &["FILEDELETED"]);
    check(
        "case deleted",
        &[(PY, Some(TWO), Some("def test_a():\n    assert f(1) == 1\n"))],
        &["TESTDELETED"],
    );
    check(
        "renamed away",
        &[(
            PY,
            Some(TWO),
            Some("def test_a():\n    assert f(1) == 1\n\n\ndef check_b():\n    assert f(2) == 4\n"),
        )],
        &["TESTDELETED"],
    );
    check(
        "commented out",
        &[(
            PY,
            Some(TWO),
            Some(
                "def test_a():\n    assert f(1) == 1\n\n\n# def test_b():\n#     assert f(2) == 4\n",
            ),
        )],
        &["TESTDELETED"],
    );
    check(
        "moved where no runner looks",
        &[(PY, Some(TWO), None), ("tests/a_old.py", None, Some(TWO))],
        &["FILEDELETED"],
    );
    check(
        "into a string",
        &[(
            PY,
            Some(TWO),
            Some(
                "def test_a():\n    assert f(1) == 1\n\n\n\"\"\"\ndef test_b():\n    assert f(2) == 4\n\"\"\"\n",
            ),
        )],
        &["TESTDELETED"],
    );
    check(
        "js file deleted",
        &[("a.test.js", Some("test('a', () => { assert.equal(f(1), 1); });\n"), None)],
        &["FILEDELETED"],
    );
    check(
        "js case deleted",
        &[(
            "a.test.js",
            Some(
                "test('a', () => { assert.equal(f(1), 1); });\ntest('b', () => { assert.equal(f(2), 4); });\n",
            ),
            Some("test('a', () => { assert.equal(f(1), 1); });\n"),
        )],
        &["TESTDELETED"],
    );
    check(
        "rust case deleted",
        &[(
            "src/a.rs",
            Some(
                "fn f() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() { assert_eq!(f(1), 1); }\n}\n",
            ),
            Some("fn f() {}\n"),
        )],
        &["TESTDELETED"],
    );
    check(
        "rust attribute removed",
        &[(
            "tests/a.rs",
            Some("#[test]\nfn a() { assert_eq!(f(1), 1); }\n"),
            Some("fn a() { assert_eq!(f(1), 1); }\n"),
        )],
        &["TESTDELETED"],
    );
    check(
        "go case deleted",
        &[(
            "a_test.go",
            Some(
                "package a\n\nfunc TestA(t *testing.T) {\n\tif f(1) != 1 {\n\t\tt.Fatal(\"f\")\n\t}\n}\n",
            ),
            Some("package a\n"),
        )],
        &["TESTDELETED"],
    );
    check(
        "unknown language",
        &[("spec/a_spec.rb", Some("it 'a' do\nend\n"), None)],
        &["FILEDELETED"],
    );
}

#[test]
fn tests_that_are_switched_off() {
    let py = |head: &str| format!("{head}def test_a():\n    assert f(1) == 1\n");
    for mark in [
        "@unittest.skip('later')\n",
        "@pytest.mark.skip\n",
        "@pytest.mark.xfail\n",
        "@unittest.expectedFailure\n",
        "@pytest.mark.skipif(True, reason='x')\n",
        "@unittest.skipIf(True, 'x')\n",
    ] {
        check(mark, &[(PY, Some(&py("")), Some(&py(mark)))], &["TESTDISABLED"]);
    }
    check(
        "module",
        &[(PY, Some(&py("")), Some(&py("pytestmark = pytest.mark.skip\n\n\n")))],
        &["TESTDISABLED"],
    );
    check_body(
        "py",
        "assert f(1) == 1",
        "pytest.skip('later')\nassert f(1) == 1",
        &["TESTDISABLED"],
    );
    check_body(
        "py",
        "self.assertEqual(f(1), 1)",
        "self.skipTest('x')\nself.assertEqual(f(1), 1)",
        &["TESTDISABLED"],
    );
    let js = |call: &str| {
        format!(
            "describe('g', () => {{\n  {call}('a', () => {{ assert.equal(f(1), 1); }});\n  it('b', () => {{ assert.equal(f(2), 2); }});\n}});\n"
        )
    };
    for call in ["it.skip", "xit", "it.todo", "it.only", "fit", "test.skip"] {
        check(call, &[("a.test.js", Some(&js("it")), Some(&js(call)))], &["TESTDISABLED"]);
    }
    check(
        "describe.skip",
        &[("a.test.js", Some(&js("it")), Some(&js("it").replace("describe(", "describe.skip(")))],
        &["TESTDISABLED"],
    );
    check(
        "options",
        &[(
            "a.test.js",
            Some("test('a', () => { assert(x); });\n"),
            Some("test('a', { skip: true }, () => { assert(x); });\n"),
        )],
        &["TESTDISABLED"],
    );
    check(
        "only in a new test",
        &[(
            "a.test.js",
            Some("test('a', () => { assert(x); });\n"),
            Some(
                "test('a', () => { assert(x); });\ntest.only('b', () => { assert.equal(f(9), 9); });\n",
            ),
        )],
        &["TESTDISABLED"],
    );
    let rust = |head: &str| format!("{head}#[test]\nfn a() {{\n    assert_eq!(f(1), 1);\n}}\n");
    for mark in ["#[ignore]\n", "#[ignore = \"slow\"]\n", "#[should_panic]\n", "#[cfg(any())]\n"] {
        check(mark, &[("tests/a.rs", Some(&rust("")), Some(&rust(mark)))], &["TESTDISABLED"]);
    }
    check_body(
        "go",
        "if f(1) != 1 {\n\tt.Fatal(\"f\")\n}",
        "t.Skip(\"later\")\nif f(1) != 1 {\n\tt.Fatal(\"f\")\n}",
        &["TESTDISABLED"],
    );
    check(
        "go build tag",
        &[("a_test.go", Some("package a\n"), Some("//go:build ignore\n\npackage a\n"))],
        &["TESTDISABLED"],
    );
    check(
        "java",
        &[(
            "ATest.java",
            Some("class ATest {\n  @Test\n  void a() { assertEquals(1, f(1)); }\n}\n"),
            Some("class ATest {\n  @Disabled\n  @Test\n  void a() { assertEquals(1, f(1)); }\n}\n"),
        )],
        &["TESTDISABLED"],
    );
    check(
        "conditional",
        &[(PY, Some(&py("")), Some(&py("@unittest.skipIf(sys.platform == 'win32', 'x')\n")))],
        &["TestDisabled"],
    );
}

#[test]
fn assertions_that_ask_for_less() {
    check_body("py", "assert f(1) == 5", "assert f(1)", &["ASSERTIONWEAKENED"]);
    check_body("py", "assert f(1) == 5", "assert f(1) != None", &["ASSERTIONWEAKENED"]);
    check_body("py", "assert f(1) == 5", "assert f(1) > 0", &["ASSERTIONWEAKENED"]);
    check_body("py", "self.assertEqual(f(1), 5)", "self.assertTrue(f(1))", &["ASSERTIONWEAKENED"]);
    check_body(
        "py",
        "self.assertEqual(f(1), 5)",
        "self.assertIsNotNone(f(1))",
        &["ASSERTIONWEAKENED"],
    );
    check_body(
        "py",
        "assert f(1) == [1, 2]",
        "assert isinstance(f(1), list)",
        &["ASSERTIONWEAKENED"],
    );
    check_body("py", "assert f(1) == 5", "assert f(1) == 5 or True", &["ALWAYSTRUE"]);
    check_body(
        "py",
        "with pytest.raises(ValueError):\n    f(1)",
        "with pytest.raises(Exception):\n    f(1)",
        &["ASSERTIONWEAKENED"],
    );
    check_body("js", "assert.strictEqual(f(1), 5);", "assert.ok(f(1));", &["ASSERTIONWEAKENED"]);
    check_body(
        "js",
        "expect(f(1)).toBe(5);",
        "expect(f(1)).toBeDefined();",
        &["ASSERTIONWEAKENED"],
    );
    check_body(
        "js",
        "expect(f(1)).toEqual([1]);",
        "expect(f(1)).toContain(1);",
        &["ASSERTIONWEAKENED"],
    );
    check_body("rs", "assert_eq!(f(1), 5);", "assert!(f(1) > 0);", &["ASSERTIONWEAKENED"]);
    check_body(
        "rs",
        "assert_eq!(f(1), Some(5));",
        "assert!(f(1).is_some());",
        &["ASSERTIONWEAKENED"],
    );
    check_body(
        "go",
        "if f(1) != 5 {\n\tt.Fatal(\"f\")\n}",
        "if f(1) == nil || f(1) < 0 {\n\tt.Fatal(\"f\")\n}",
        &["ASSERTIONWEAKENED"],
    );
    check_body("java", "assertEquals(5, f(1));", "assertNotNull(f(1));", &["ASSERTIONWEAKENED"]);
    check_body(
        "py",
        "assert abs(f(1) - 5) < 0.001",
        "assert abs(f(1) - 5) < 1",
        &["TOLERANCEWIDENED"],
    );
    check_body(
        "py",
        "assert f(1) == pytest.approx(5, abs=0.01)",
        "assert f(1) == pytest.approx(5, abs=2)",
        &["TOLERANCEWIDENED"],
    );
    check_body(
        "py",
        "self.assertAlmostEqual(f(1), 5, places=5)",
        "self.assertAlmostEqual(f(1), 5, places=1)",
        &["TOLERANCEWIDENED"],
    );
    check_body(
        "js",
        "expect(f(1)).toBeCloseTo(5, 5);",
        "expect(f(1)).toBeCloseTo(5, 0);",
        &["TOLERANCEWIDENED"],
    );
    check_body("py", "assert f(1) < 10", "assert f(1) < 1000", &["TOLERANCEWIDENED"]);
}

#[test]
fn assertions_that_are_gone_or_say_something_else() {
    check_body(
        "py",
        "assert f(1) == 5\nassert f(2) == 6",
        "assert f(1) == 5",
        &["ASSERTIONREMOVED"],
    );
    check_body("py", "assert f(1) == 5", "f(1)", &["ASSERTIONREMOVED"]);
    check_body("py", "assert f(1) == 5", "print(f(1), 5)", &["ASSERTIONREMOVED"]);
    check_body(
        "js",
        "assert.equal(f(1), 5);\nassert.equal(f(2), 6);",
        "assert.equal(f(1), 5);",
        &["ASSERTIONREMOVED"],
    );
    check_body("rs", "assert_eq!(f(1), 5);", "let _ = f(1);", &["ASSERTIONREMOVED"]);
    check_body("go", "if f(1) != 5 {\n\tt.Fatal(\"f\")\n}", "_ = f(1)", &["ASSERTIONREMOVED"]);
    check_body("py", "assert f(1) == 5", "# assert f(1) == 5\npass", &["ASSERTIONREMOVED"]);
    check_body("py", "assert f(1) == 5", "assert True", &["ALWAYSTRUE"]);
    check_body("py", "assert f(1) == 5", "assert 1", &["ALWAYSTRUE"]);
    check_body("py", "assert f(1) == 5", "assert f(1) == f(1)", &["ALWAYSTRUE"]);
    check_body("py", "assert f(1) == 5", "assert (f(1) == 6, 'six')", &["ALWAYSTRUE"]);
    check_body("js", "expect(f(1)).toBe(5);", "expect(true).toBe(true);", &["ALWAYSTRUE"]);
    check_body("rs", "assert_eq!(f(1), 5);", "assert!(true);", &["ALWAYSTRUE"]);
    check_body("py", "assert f(1) == 5", "assert f(1) == 6", &["EXPECTATIONCHANGED"]);
    check_body(
        "py",
        "self.assertEqual(f(1), 'a')",
        "self.assertEqual(f(1), 'b')",
        &["EXPECTATIONCHANGED"],
    );
    check_body(
        "js",
        "assert.strictEqual(f(1), 5);",
        "assert.strictEqual(f(1), 6);",
        &["EXPECTATIONCHANGED"],
    );
    check_body("rs", "assert_eq!(f(1), 5);", "assert_eq!(f(1), 6);", &["EXPECTATIONCHANGED"]);
    check_body(
        "go",
        "if f(1) != 5 {\n\tt.Fatal(\"f\")\n}",
        "if f(1) != 6 {\n\tt.Fatal(\"f\")\n}",
        &["EXPECTATIONCHANGED"],
    );
    check_body("java", "assertEquals(5, f(1));", "assertEquals(6, f(1));", &["EXPECTATIONCHANGED"]);
    check_body(
        "py",
        "with pytest.raises(ValueError):\n    f(1)",
        "with pytest.raises(KeyError):\n    f(1)",
        &["EXPECTATIONCHANGED"],
    );
    check_body("py", "assert f(1) == 5", "assert f(9) == 7", &["AssertionReplaced"]);
    check(
        "snapshot",
        &[("__snapshots__/a.snap", Some("exports[`a`] = `1`;\n"), Some("exports[`a`] = `2`;\n"))],
        &["SNAPSHOTREWRITTEN"],
    );
}

#[test]
fn tests_that_end_early_or_swallow_failures() {
    check_body("py", "assert f(1) == 5", "return\nassert f(1) == 5", &["EARLYRETURN"]);
    check_body("js", "assert.equal(f(1), 5);", "return;\nassert.equal(f(1), 5);", &["EARLYRETURN"]);
    check_body("rs", "assert_eq!(f(1), 5);", "return;\nassert_eq!(f(1), 5);", &["EARLYRETURN"]);
    check_body(
        "go",
        "if f(1) != 5 {\n\tt.Fatal(\"f\")\n}",
        "return\nif f(1) != 5 {\n\tt.Fatal(\"f\")\n}",
        &["EARLYRETURN"],
    );
    check_body(
        "py",
        "assert f(1) == 5",
        "try:\n    assert f(1) == 5\nexcept AssertionError:\n    pass",
        &["FAILURESWALLOWED"],
    );
    check_body(
        "py",
        "assert f(1) == 5",
        "try:\n    assert f(1) == 5\nexcept: pass",
        &["FAILURESWALLOWED"],
    );
    check_body(
        "py",
        "assert f(1) == 5",
        "with contextlib.suppress(AssertionError):\n    assert f(1) == 5",
        &["FAILURESWALLOWED"],
    );
    check_body(
        "js",
        "assert.equal(f(1), 5);",
        "try {\n  assert.equal(f(1), 5);\n} catch (e) {}",
        &["FAILURESWALLOWED"],
    );
    check_body(
        "rs",
        "assert_eq!(f(1), 5);",
        "let _ = std::panic::catch_unwind(|| {\n    assert_eq!(f(1), 5);\n});",
        &["FAILURESWALLOWED"],
    );
}

#[test]
fn how_tests_are_found_is_narrowed() {
    let ini = "[pytest]\naddopts = -q\n";
    check(
        "ignore",
        &[("pytest.ini", Some(ini), Some("[pytest]\naddopts = -q --ignore=tests/test_a.py\n"))],
        &["DISCOVERYNARROWED"],
    );
    check(
        "deselect",
        &[("pytest.ini", None, Some("[pytest]\naddopts = --deselect tests/test_a.py::test_b\n"))],
        &["DISCOVERYNARROWED"],
    );
    check(
        "not",
        &[(
            "pyproject.toml",
            Some(""),
            Some("[tool.pytest.ini_options]\naddopts = \"-k 'not slow'\"\n"),
        )],
        &["DISCOVERYNARROWED"],
    );
    check(
        "testpaths",
        &[(
            "pytest.ini",
            Some("[pytest]\ntestpaths = tests\n"),
            Some("[pytest]\ntestpaths = tests/unit\n"),
        )],
        &["DiscoveryNarrowed"],
    );
    check(
        "conftest",
        &[("tests/conftest.py", None, Some("collect_ignore = ['test_a.py']\n"))],
        &["DISCOVERYNARROWED"],
    );
    check(
        "conftest hook",
        &[(
            "conftest.py",
            Some(""),
            Some("def pytest_collection_modifyitems(items):\n    items[:] = []\n"),
        )],
        &["DISCOVERYNARROWED"],
    );
    check(
        "conftest exit",
        &[(
            "conftest.py",
            None,
            Some("def pytest_sessionfinish(session, exitstatus):\n    session.exitstatus = 0\n"),
        )],
        &["EXITFORCED"],
    );
    check(
        "cargo",
        &[(
            "Cargo.toml",
            Some("[package]\nname = \"a\"\n"),
            Some("[package]\nname = \"a\"\nautotests = false\n"),
        )],
        &["DISCOVERYNARROWED"],
    );
    check(
        "cargo lib",
        &[("Cargo.toml", Some("[lib]\n"), Some("[lib]\ntest = false\n"))],
        &["DISCOVERYNARROWED"],
    );
    check(
        "jest",
        &[(
            "jest.config.js",
            Some("module.exports = {};\n"),
            Some("module.exports = {\n  testPathIgnorePatterns: ['a.test.js'],\n};\n"),
        )],
        &["DISCOVERYNARROWED"],
    );
    check(
        "jest in package.json",
        &[(
            "package.json",
            Some("{\"jest\": {}}"),
            Some("{\"jest\": {\"testPathIgnorePatterns\": [\"a.test.js\"]}}"),
        )],
        &["DISCOVERYNARROWED"],
    );
}

#[test]
fn what_runs_tests_is_bent() {
    let package = |test: &str| format!("{{\"scripts\": {{\"test\": \"{test}\"}}}}");
    for test in ["node --test || true", "exit 0", "echo ok", "node --test; exit 0", "true"] {
        check(
            test,
            &[("package.json", Some(&package("node --test")), Some(&package(test)))],
            &["EXITFORCED"],
        );
    }
    check(
        "another command",
        &[(
            "package.json",
            Some(&package("node --test")),
            Some(&package("node --test test/a.test.js")),
        )],
        &["RunnerChanged"],
    );
    check(
        "no command",
        &[("package.json", Some(&package("node --test")), Some("{\"scripts\": {}}"))],
        &["RUNNERCHANGED"],
    );
    check(
        "make",
        &[("Makefile", Some("test:\n\tpytest\n"), Some("test:\n\tpytest || true\n"))],
        &["EXITFORCED"],
    );
    check(
        "make ignores",
        &[("Makefile", Some("test:\n\tpytest\n"), Some("test:\n\t-pytest\n"))],
        &["EXITFORCED"],
    );
    check(
        "ci",
        &[(
            ".github/workflows/a.yml",
            Some("steps:\n  - run: pytest\n"),
            Some("steps:\n  - run: pytest || true\n"),
        )],
        &["EXITFORCED"],
    );
    check(
        "ci goes on",
        &[(
            ".github/workflows/a.yml",
            Some("steps:\n  - run: pytest\n"),
            Some("steps:\n  - run: pytest\n    continue-on-error: true\n"),
        )],
        &["EXITFORCED"],
    );
    check(
        "ci without",
        &[(".gitlab-ci.yml", Some("test:\n  script: pytest\n"), Some("test:\n  script: ls\n"))],
        &["RUNNERCHANGED"],
    );
    check(
        "script",
        &[("test.sh", Some("#!/bin/sh\npytest\n"), Some("#!/bin/sh\npytest || true\n"))],
        &["EXITFORCED"],
    );
    check(
        "script ends well",
        &[("ci.sh", Some("#!/bin/sh\npytest\n"), Some("#!/bin/sh\npytest\nexit 0\n"))],
        &["EXITFORCED"],
    );
    check(
        "shadow",
        &[("pytest.py", None, Some("print('5 passed')\n"))],
        &["OutputFaked", "RUNNERSHADOWED"],
    );
    check(
        "shadow package",
        &[("unittest/__init__.py", None, Some("x = 1\n"))],
        &["RUNNERSHADOWED"],
    );
    check(
        "shadow program",
        &[("bin/cargo", None, Some("#!/bin/sh\nexit 0\n"))],
        &["RUNNERSHADOWED"],
    );
    check("sitecustomize", &[("sitecustomize.py", None, Some("x = 1\n"))], &["RUNNERSHADOWED"]);
    check(
        "alias",
        &[(".cargo/config.toml", None, Some("[alias]\ntest = \"build\"\n"))],
        &["RUNNERCHANGED"],
    );
    check(
        "fakes a verdict",
        &[("src/a.py", Some(""), Some("import os\nprint(\"5 passed in 0.1s\")\nos._exit(0)\n"))],
        &["EXITFORCED", "OUTPUTFAKED"],
    );
    check(
        "exits in a test",
        &[("tests/test_a.py", Some(""), Some("import sys\nsys.exit(0)\n"))],
        &["EXITFORCED"],
    );
    check(
        "exits in a node test",
        &[("a.test.js", Some(""), Some("process.exit(0);\n"))],
        &["EXITFORCED"],
    );
}

#[test]
fn new_tests_that_cannot_fail_are_remarked_on() {
    check(
        "assert True",
        &[("tests/test_n.py", None, Some("def test_n():\n    assert True\n"))],
        &["AlwaysTrue"],
    );
    check(
        "nothing",
        &[("tests/test_n.py", None, Some("def test_n():\n    pass\n"))],
        &["AlwaysTrue"],
    );
    check(
        "true is true",
        &[("n.test.js", None, Some("test('n', () => { expect(true).toBe(true); });\n"))],
        &["AlwaysTrue"],
    );
    check(
        "skipped",
        &[(
            "tests/test_n.py",
            None,
            Some("@pytest.mark.skip\ndef test_n():\n    assert f(1) == 1\n"),
        )],
        &["TestDisabled"],
    );
}

#[test]
fn tests_in_the_folder_of_mocha_count_as_such() {
    let two = "it('a', function () {\n  assert.equal(f(1), 1);\n});\nit('b', function () {\n  assert.equal(f(2), 4);\n});\n";
    let one = "it('a', function () {\n  assert.equal(f(1), 1);\n});\n";
    check("mocha", &[("test/app.js", Some(two), Some(one))], &["TESTDELETED"]);
    check_body(
        "py",
        "assert f(1) == 5",
        "expected = 6\nassert f(1) == expected",
        &["EXPECTATIONCHANGED"],
    );
}
