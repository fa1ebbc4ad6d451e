//! What the last lines of test runners say.

use super::{TestCount, read_test_output};

fn ran_tests(command: &str, output: &str, exit_code: Option<i32>) -> Option<u64> {
    read_test_output(command, output, exit_code).ran
}

#[track_caller]
fn check(output: &str, ran: impl Into<Option<u64>>, failed: impl Into<Option<u64>>) {
    let expected = TestCount { ran: ran.into(), failed: failed.into() };
    assert_eq!(read_test_output("", output, Some(0)), expected, "{output}");
}

#[test]
fn pytest() {
    check("....\n4 passed in 0.01s\n", 4, 0);
    check("== 1 failed, 2 passed, 1 skipped, 3 warnings in 0.12s ==\n", 3, 1);
    check("=== 1 passed, 1 error in 61.30s (0:01:01) ===\n", 1, 1);
    check("\u{1b}[32m\u{1b}[1m2 passed\u{1b}[0m\u{1b}[32m in 0.02s\u{1b}[0m\n", 2, 0);
    check("=== 2 xfailed, 1 xpassed in 0.02s ===\n", 3, 0);
    check("no tests ran in 0.00s\n", 0, 0);
    check("3 deselected in 0.01s\n", 0, 0);
    check("1 skipped in 0.01s\n", 0, 0);
    assert_eq!(ran_tests("pytest -q", "", Some(5)), Some(0));
}

#[test]
fn the_built_in_runner() {
    check("2 passed, 0 failed in 0.01s\n", 2, 0);
    check("FAILED tests/test_a.py::test_b\n...\n2 passed, 1 failed, 1 skipped in 1.20s\n", 3, 1);
    check("no tests ran in 0.00s\n", 0, 0);
    check("no tests ran, 1 skipped in 0.00s\n", 0, 0);
}

#[test]
fn unittest() {
    check("...\n----\nRan 3 tests in 0.001s\n\nOK\n", 3, 0);
    check("Ran 1 test in 0.001s\n\nOK (skipped=1)\n", 0, 0);
    check("Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n", 4, 3);
    // Exits 0 before Python 3.12.
    check("\n----------------------------------------\nRan 0 tests in 0.000s\n\nOK\n", 0, 0);
    check("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", 0, 0);
}

#[test]
fn cargo_and_nextest() {
    check(
        "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
         test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        5,
        2,
    );
    check(
        "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n",
        0,
        0,
    );
    check("     Summary [   0.052s] 5 tests run: 4 passed, 1 failed, 0 skipped\n", 5, 1);
    check("     Summary [   0.003s] 1 test run: 1 passed, 0 skipped\n", 1, 0);
    assert_eq!(ran_tests("cargo nextest run", "error: no tests to run", Some(4)), Some(0));
}

#[test]
fn go() {
    check(
        "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/sub (0.00s)\nPASS\nok  \texample/a\t0.002s\n",
        1,
        0,
    );
    check(
        "--- FAIL: TestB (0.00s)\n--- PASS: TestA (0.00s)\nFAIL\nFAIL\texample/a\t0.002s\n",
        2,
        1,
    );
    check("ok  \texample/a\t0.002s\n?   \texample/b\t[no test files]\n", None, 0);
    check("--- FAIL: TestB (0.00s)\nFAIL\nFAIL\texample/a\t0.002s\n", None, 1);
    check("?   \texample/b\t[no test files]\n", 0, 0);
    check("ok  \texample/a\t0.002s [no tests to run]\n", 0, 0);
}

#[test]
fn node() {
    check(
        "TAP version 13\n# Subtest: a\nok 1 - a\n1..1\n# tests 3\n# suites 0\n# pass 1\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n# duration_ms 12.5\n",
        2,
        1,
    );
    check(
        "\u{2714} a (1.2ms)\n\u{2139} tests 1\n\u{2139} suites 0\n\u{2139} pass 1\n\u{2139} fail 0\n\u{2139} duration_ms 5\n",
        1,
        0,
    );
    check("TAP version 13\n1..0\n# tests 0\n# pass 0\n# fail 0\n", 0, 0);
    // A file without a test passes as if it were one.
    check(
        "# Subtest: /w/t/empty.test.js\nok 1 - /w/t/empty.test.js\n# tests 1\n# pass 1\n# fail 0\n",
        0,
        0,
    );
    check("\u{2714} /w/t/empty.test.mjs (85.2ms)\n\u{2139} tests 1\n\u{2139} pass 1\n", 0, 0);
}

#[test]
fn javascript_frameworks() {
    check(
        "Test Suites: 1 failed, 1 total\nTests:       1 failed, 2 skipped, 3 passed, 6 total\nTime: 1 s\n",
        4,
        1,
    );
    check("No tests found, exiting with code 1\n", 0, 0);
    check(" Test Files  1 passed (1)\n      Tests  1 failed | 2 passed (3)\n", 3, 1);
    check("No test files found, exiting with code 1\n", 0, 0);
    check("\n  3 passing (5ms)\n  1 pending\n  2 failing\n", 5, 2);
    check("\n  0 passing (1ms)\n", 0, 0);
}

#[test]
fn java() {
    check(
        "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s -- in a.ATest\n\
         [INFO] Results:\n[INFO]\n[ERROR] Tests run: 5, Failures: 1, Errors: 1, Skipped: 1\n",
        4,
        2,
    );
    check("[INFO] No tests to run.\n", 0, 0);
    check("5 tests completed, 1 failed, 1 skipped\n", 4, 1);
    check("> Task :test NO-SOURCE\n\nBUILD SUCCESSFUL in 1s\n", 0, 0);
    check("BUILD SUCCESSFUL in 1s\n", None, None);
}

#[test]
fn runners_add_up_and_talk_says_nothing() {
    check("2 passed in 0.1s\ntest result: ok. 3 passed; 0 failed; 0 ignored;\n", 5, 0);
    check("", None, None);
    check("all is well\n12 things passed by\nran 3 tests\n", None, None);
    check("7 files, 3 warnings\n", None, None);
    assert_eq!(read_test_output("make", "x", Some(5)), TestCount::default());
}

proptest::proptest! {
    #[test]
    fn no_output_panics(output in "[ -~\\n\u{1b}\u{2139}]{0,300}", code in proptest::option::of(-1_i32..10)) {
        let _ = read_test_output("pytest", &output, code);
        let huge = output.replace(|c: char| c.is_ascii_digit(), "99999999999999999999");
        let _ = read_test_output("pytest", &huge, code);
        let large = format!("18446744073709551615 passed, 18446744073709551615 failed, 9 errors\n{output}");
        let _ = read_test_output("pytest", &large, code);
    }
}
