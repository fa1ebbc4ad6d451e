//! What failed, and whether it failed before.

use expect_test::expect;

use crate::project::{fails_no_worse, failures_in, without_passed};

#[test]
fn failed_tests_are_known_by_name_in_every_runner() {
    for (output, expected) in [
        ("test a::b ... ok\ntest a::c ... FAILED\n", "a::c"),
        ("FAIL: test_x (tests.test_a.A.test_x)\n", "FAIL: test_x (tests.test_a.A.test_x)"),
        (
            "ERROR: tests.test_a (unittest.loader._FailedTest)\n",
            "ERROR: tests.test_a (unittest.loader._FailedTest)",
        ),
        ("FAILED tests/test_a.py::test_b - assert 1 == 2\n", "tests/test_a.py::test_b"),
        ("=== RUN   TestA\n--- FAIL: TestA (0.01s)\n", "TestA"),
        ("FAIL\texample.org/a [build failed]\n", "package example.org/a"),
        ("ok 1 - one\nnot ok 2 - a - b\n", "a - b"),
        ("\u{2714} one (1ms)\n\u{2716} two (1.5ms)\n", "two"),
        ("  \u{25cf} cart \u{203a} adds\n", "cart \u{203a} adds"),
        (" FAIL  src/a.test.ts > adds\n", "src/a.test.ts > adds"),
        (
            "error[E0425]: cannot find value `x`\n --> src/lib.rs:7:5\n",
            "error[E]: cannot find value `x`",
        ),
    ] {
        assert_eq!(failures_in(output).into_iter().collect::<Vec<_>>(), [expected], "{output}");
    }
    for output in
        ["", "ok  \texample.org/a\t0.01s\n", "all 3 tests passed\n", "FAILED (failures=1)"]
    {
        assert!(failures_in(output).is_empty(), "{output}");
    }
}

#[test]
fn only_the_same_failures_are_no_worse() {
    let one = "FAILED a.py::one - x\n1 failed in 0.01s\n";
    let two = "FAILED a.py::two - x\nFAILED a.py::one - y\n2 failed in 0.12s\n";
    assert!(fails_no_worse(one, one) && fails_no_worse(two, one));
    assert!(!fails_no_worse(one, two) && !fails_no_worse("", one));
    assert!(!fails_no_worse(one, "Segmentation fault\n"), "nothing is known about this");
    assert!(!fails_no_worse("killed\n", "killed\n"));
}

#[test]
fn passed_tests_do_not_crowd_out_failed_ones() {
    let go = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n    b_test.go:3: no\n--- FAIL: TestB (0.00s)\n    --- PASS: TestB/x (0.00s)\nFAIL\nok  \texample.org/a\t0.1s\n";
    expect![[r#"
            b_test.go:3: no
        --- FAIL: TestB (0.00s)
        FAIL
        ok  	example.org/a	0.1s
    "#]]
    .assert_eq(&without_passed(go));
    let tap = "TAP version 13\n# Subtest: one\nok 1 - one\n  ---\n  duration_ms: 1.2\n  ...\n# Subtest: two\nnot ok 2 - two\n  ---\n  error: '1 == 2'\n  ...\n1..2\n";
    expect![[r#"
        TAP version 13
        not ok 2 - two
          ---
          error: '1 == 2'
          ...
        1..2
    "#]]
    .assert_eq(&without_passed(tap));
    let cargo = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n";
    assert_eq!(without_passed(cargo), "running 2 tests\ntest b ... FAILED\n");
    assert_eq!(without_passed("Traceback\n  here"), "Traceback\n  here");
}
