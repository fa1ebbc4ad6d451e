use super::*;

fn result(output: &str, exit_code: i32) -> CheckResult {
    CheckResult {
        passed: exit_code == 0,
        exit_code: Some(exit_code),
        n_tests: None,
        duration_ms: 1,
        output: output.to_owned(),
        reason: String::new(),
        timed_out: false,
        notes: Vec::new(),
    }
}

#[track_caller]
fn check(command: &str, tests: &[&str], output: &str, expected: bool) {
    let suite = Suite {
        is_file: !tests.is_empty(),
        tests: tests.iter().map(|&test| test.to_owned()).collect(),
        ..Suite::default()
    };
    let command = Command { shown: command.to_owned(), line: command.to_owned() };
    assert_eq!(fails(&command, &result(output, 1), &suite), expected, "{output}");
}

#[test]
fn a_test_that_ran_and_failed_is_a_failure() {
    check(
        "pytest",
        &["test_a"],
        "FAILED tests/test_x.py::test_a - assert 1 == 2\n1 failed in 0.1s",
        true,
    );
    check(
        "pytest",
        &["test_a"],
        "FAILED tests/test_x.py::T::test_a\n1 passed, 1 failed in 0.1s",
        true,
    );
    check(
        "unittest",
        &["test_a"],
        "FAIL: test_a (test_x.T.test_a)\nRan 1 test in 0.1s\nFAILED (failures=1)",
        true,
    );
    check("node", &["adds two"], "not ok 1 - adds two\n# tests 1\n# fail 1", true);
    check(
        "cargo test",
        &["adds"],
        "test tests::adds ... FAILED\ntest result: FAILED. 0 passed; 1 failed;",
        true,
    );
    check("go test", &["TestA"], "--- FAIL: TestA (0.00s)\nFAIL\tcalc\t0.1s", true);
    check("python3 -c 'assert f() == 1'", &[], "Traceback\nAssertionError", true);
}

#[test]
fn what_cannot_be_loaded_or_compiled_is_no_failing_test() {
    check(
        "pytest",
        &["test_a"],
        "FAILED tests/test_x.py\ncannot be imported\n0 passed, 1 failed in 0.1s",
        false,
    );
    check("pytest", &["test_a"], "ERROR tests/test_x.py - ImportError\n1 error in 0.1s", false);
    check(
        "unittest",
        &["test_a"],
        "ERROR: test_x (unittest.loader._FailedTest.test_x)\nRan 1 test in 0.1s\nFAILED (errors=1)",
        false,
    );
    check("node", &["adds two"], "not ok 1 - /a/test/x.test.js\n# tests 1\n# fail 1", false);
    check(
        "cargo test",
        &["adds"],
        "error[E0425]: cannot find function `add`\nerror: could not compile `calc`",
        false,
    );
    check("go test", &["TestA"], "FAIL\tcalc [build failed]", false);
    check("pytest", &[], "ERROR tests/test_x.py - ImportError\n1 error in 0.1s", false);
}

#[test]
fn a_failure_of_another_test_is_not_one_of_these() {
    check(
        "pytest",
        &["test_a"],
        "FAILED tests/test_x.py::test_ab - assert 1\n1 failed in 0.1s",
        false,
    );
    check(
        "cargo test",
        &["adds"],
        "test tests::adds_more ... FAILED\ntest result: FAILED. 0 passed; 1 failed;",
        false,
    );
}

#[test]
fn a_missing_program_says_nothing() {
    let suite = Suite::default();
    let command = Command { shown: "nothing".to_owned(), line: "nothing".to_owned() };
    assert!(!fails(&command, &result("nothing: not found", 127), &suite));
    assert!(fails(&command, &result("", 1), &suite));
}
