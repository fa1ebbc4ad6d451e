//! How many tests ran, read from what the common runners print last.

use std::sync::LazyLock;

use regex::Regex;

/// The number of tests that ran, passed or not (skipped ones do not count); `None` when the output is
/// not of a known runner. Several summaries of one runner (one per package) are added up.
#[must_use]
pub fn tests_in(output: &str) -> Option<u64> {
    let plain = without_colours(output);
    RUNNERS.iter().find_map(|runner| runner.count(&plain))
}

fn without_colours(text: &str) -> String {
    static COLOUR: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("\x1b\\[[0-9;]*[A-Za-z]").ok());
    match &*COLOUR {
        Some(colour) => colour.replace_all(text, "").into_owned(),
        None => text.to_owned(),
    }
}

/// One runner: a line that sums up, and the numbers in it that count.
struct Runner {
    summary: Option<Regex>,
    /// Matches one number in the summary. Absent when the summary's first group is the number, or,
    /// without such a group, each line is one test.
    parts: Option<Regex>,
    /// Summaries to use: all of them, or only the last.
    last_only: bool,
}

impl Runner {
    fn new(summary: &str, parts: Option<&str>, last_only: bool) -> Self {
        let parts = parts.and_then(|parts| Regex::new(parts).ok());
        Self { summary: Regex::new(summary).ok(), parts, last_only }
    }

    fn count(&self, output: &str) -> Option<u64> {
        let summaries: Vec<u64> = self
            .summary
            .as_ref()?
            .captures_iter(output)
            .map(|found| match &self.parts {
                Some(parts) => parts
                    .captures_iter(&found[0])
                    .filter_map(|part| part[1].parse::<u64>().ok())
                    .fold(0, u64::saturating_add),
                None => found.get(1).map_or(1, |n| n.as_str().parse().unwrap_or(0)),
            })
            .collect();
        if self.last_only {
            summaries.last().copied()
        } else {
            summaries.into_iter().reduce(u64::saturating_add)
        }
    }
}

static RUNNERS: LazyLock<Vec<Runner>> = LazyLock::new(|| {
    vec![
        // test result: ok. 3 passed; 1 failed; 0 ignored; ...
        Runner::new(r"(?m)^\s*test result: .*$", Some(r"(\d+) (?:passed|failed)"), false),
        // Summary [ 0.1s] 12 tests run: 12 passed, 0 skipped
        Runner::new(r"(?m)^\s*Summary \[.*?\]\s+(\d+)(?:/\d+)? tests? run", None, true),
        // ===== 2 failed, 3 passed, 1 skipped in 0.12s =====   and   no tests ran in 0.01s
        Runner::new(
            r"(?m)^=*\s*(?:no tests ran|(?:\d+ [a-z]+,? ?)+) in \d[\d.:]*s?.*$",
            Some(r"(\d+) (?:passed|failed|errors?|xfailed|xpassed)"),
            true,
        ),
        // Ran 5 tests in 0.001s
        Runner::new(r"(?m)^Ran (\d+) tests? in ", None, false),
        // Tests:       1 failed, 3 passed, 4 total   (jest)     Tests  4 passed (4)   (vitest)
        Runner::new(
            r"(?m)^\s*Tests:?\s+.*(?:total|\(\d+\)).*$",
            Some(r"(\d+) (?:passed|failed)"),
            true,
        ),
        // # pass 3 / # fail 1 (node --test, TAP) and the same with an i in a circle
        Runner::new(r"(?m)^(?:#|ℹ) tests (\d+)$", None, true),
        // 3 passing (5ms) / 1 failing   (mocha)
        Runner::new(
            r"(?m)^\s+\d+ (?:passing|failing)\b.*$",
            Some(r"(\d+) (?:passing|failing)"),
            false,
        ),
        // --- PASS: TestX (0.00s)   (go test -v)
        Runner::new(r"(?m)^\s*--- (?:PASS|FAIL): .*$", None, false),
        // Tests run: 3, Failures: 0   (JUnit through Maven; the last line sums up)
        Runner::new(r"(?m)^.*\bTests run: (\d+), Failures: .*$", None, true),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_common_runners_are_read() {
        let check = |output: &str, expected: Option<u64>| {
            assert_eq!(tests_in(output), expected, "{output}")
        };
        check(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\n\ntest result: FAILED. 1 passed; 2 failed; 0 ignored",
            Some(6),
        );
        check("test result: ok. 0 passed; 0 failed; 0 ignored", Some(0));
        check("     Summary [   0.011s] 12 tests run: 12 passed, 3 skipped", Some(12));
        check("===== 2 failed, 3 passed, 1 skipped in 0.12s =====", Some(5));
        check("\x1b[32m3 passed\x1b[0m in 0.01s", Some(3));
        check("============ no tests ran in 0.01s ============", Some(0));
        check("1 passed, 2 warnings in 1.2s", Some(1));
        check("..\n-----\nRan 2 tests in 0.000s\n\nOK", Some(2));
        check("Ran 0 tests in 0.000s\n\nNO TESTS RAN", Some(0));
        check("Tests:       1 failed, 3 passed, 4 total\nTime: 1 s", Some(4));
        check(" Test Files  1 passed (1)\n      Tests  4 passed (4)\n", Some(4));
        check("# tests 7\n# pass 6\n# fail 1\n", Some(7));
        check("ℹ tests 3\nℹ suites 0\nℹ pass 3", Some(3));
        check("  3 passing (5ms)\n  1 failing\n", Some(4));
        check("=== RUN TestA\n--- PASS: TestA (0.00s)\n--- FAIL: TestB (0.01s)\nFAIL", Some(2));
        check("[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0", Some(3));
        check("ok  \texample.com/x\t0.003s", None);
        check("everything is fine", None);
        check("", None);
    }
}
