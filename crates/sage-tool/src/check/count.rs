//! How many tests a command ran, read from what its test runner printed at the end.
//!
//! A runner that found no test may well exit 0 (Python's unittest before 3.12, Go, Node); the count
//! is what tells that from evidence. Text that no runner is known to print says nothing.

use serde::{Deserialize, Serialize};

/// Tests that a command ran, where its output says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCount {
    /// Tests executed, skipped ones not counted; `Some(0)` when a runner said that it ran none.
    pub ran: Option<u64>,
    /// Tests that failed, errors included.
    pub failed: Option<u64>,
}

/// Lines that are read from the end of an output, at most.
const MAX_LINES: usize = 20_000;

/// Exit codes by which a runner says that it ran nothing.
const PYTEST_NONE: i32 = 5;
const NEXTEST_NONE: i32 = 4;

/// Reads the closing lines of pytest (and the built-in runner), unittest, cargo test, nextest,
/// go test, node --test, jest, vitest, mocha, Maven and Gradle. The counts of several runners add up.
#[must_use]
pub fn read_test_output(command: &str, output: &str, exit_code: Option<i32>) -> TestCount {
    let plain = without_colours(output);
    let lines: Vec<&str> = plain.lines().collect();
    let lines = &lines[lines.len().saturating_sub(MAX_LINES)..];
    let mut tally = Tally::default();
    for line in lines {
        tally.read(line);
    }
    let mut count = tally.finish();
    if count.ran.is_none() {
        let ran_nothing = match exit_code {
            Some(PYTEST_NONE) => command.contains("pytest"),
            Some(NEXTEST_NONE) => command.contains("nextest"),
            _ => false,
        };
        if ran_nothing {
            count = TestCount { ran: Some(0), failed: Some(0) };
        }
    }
    count
}

#[derive(Default)]
struct Tally {
    /// A line said how many tests ran.
    is_counted: bool,
    /// A line said that tests ran, without a number.
    is_uncounted: bool,
    /// A line said that nothing ran.
    said_none: bool,
    ran: u64,
    failed: u64,
    /// unittest: tests of the last `Ran N tests`, whose outcome comes on a later line.
    unittest: bool,
    /// node: `tests`, `pass`, `fail`, `skipped`, `todo` in the order in which they come.
    node_tests: Option<u64>,
    node_files: u64,
    /// go -v: top-level results.
    go_results: u64,
    go_failed: u64,
    go_packages: u64,
    /// Maven: sums of the lines per class and of the closing lines.
    maven_classes: (u64, u64),
    maven_total: Option<(u64, u64)>,
}

impl Tally {
    fn add(&mut self, ran: u64, failed: u64) {
        self.is_counted = true;
        self.ran = self.ran.saturating_add(ran);
        self.failed = self.failed.saturating_add(failed);
    }

    fn read(&mut self, line: &str) {
        let words = Words::of(line);
        let text = line.trim();
        let _ = self.cargo(text, &words)
            || self.nextest(text, &words)
            || self.unittest(text, &words)
            || self.maven(text, &words)
            || self.jest(text, &words)
            || self.vitest(text, &words)
            || self.node(line)
            || self.mocha(text, &words)
            || self.go(line)
            || self.gradle(text, &words)
            || self.pytest(text, &words);
    }

    /// `test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; ...`
    fn cargo(&mut self, text: &str, words: &Words<'_>) -> bool {
        let is_result = text.starts_with("test result:");
        if is_result {
            let failed = words.before("failed").unwrap_or(0);
            self.add(words.before("passed").unwrap_or(0).saturating_add(failed), failed);
        }
        is_result
    }

    /// `Summary [   0.05s] 5 tests run: 4 passed, 1 failed, 0 skipped`
    fn nextest(&mut self, text: &str, words: &Words<'_>) -> bool {
        let is_summary = text.starts_with("Summary [") && text.contains(" run: ");
        if is_summary {
            let ran = words.before("tests").or(words.before("test")).unwrap_or(0);
            let failed = words.before("failed").unwrap_or(0) + words.before("timed").unwrap_or(0);
            self.add(ran, failed);
        }
        is_summary
    }

    /// `Ran 3 tests in 0.001s`, then `OK (skipped=1)` or `FAILED (failures=1, errors=1)`.
    fn unittest(&mut self, text: &str, words: &Words<'_>) -> bool {
        if let ["Ran", count, "test" | "tests", "in", ..] = words.0.as_slice()
            && let Some(ran) = number(count)
        {
            self.add(ran, 0);
            self.unittest = true;
            return true;
        }
        let is_outcome = self.unittest
            && ["OK", "FAILED", "NO TESTS RAN"].iter().any(|outcome| {
                text.strip_prefix(outcome)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
            });
        if is_outcome {
            self.unittest = false;
            self.ran = self.ran.saturating_sub(words.after("skipped").unwrap_or(0));
            let failed = words.after("failures").unwrap_or(0) + words.after("errors").unwrap_or(0);
            self.failed = self.failed.saturating_add(failed);
        }
        is_outcome
    }

    /// `[INFO] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0`, per class with a time.
    fn maven(&mut self, text: &str, words: &Words<'_>) -> bool {
        if text.contains("No tests to run") {
            self.said_none = true;
            return true;
        }
        if !text.contains("Tests run: ") || !text.contains("Failures: ") {
            return false;
        }
        let failed = words.after("Failures").unwrap_or(0) + words.after("Errors").unwrap_or(0);
        let ran =
            words.after("run").unwrap_or(0).saturating_sub(words.after("Skipped").unwrap_or(0));
        let sum = if text.contains("Time elapsed") {
            &mut self.maven_classes
        } else {
            self.maven_total.get_or_insert_default()
        };
        *sum = (sum.0.saturating_add(ran), sum.1.saturating_add(failed));
        true
    }

    /// `Tests:       1 failed, 2 skipped, 3 passed, 6 total`
    fn jest(&mut self, text: &str, words: &Words<'_>) -> bool {
        if text.starts_with("No tests found") {
            self.said_none = true;
            return true;
        }
        let is_summary = text.starts_with("Tests:") && text.ends_with(" total");
        if is_summary {
            let failed = words.before("failed").unwrap_or(0);
            self.add(words.before("passed").unwrap_or(0).saturating_add(failed), failed);
        }
        is_summary
    }

    /// `Tests  1 failed | 2 passed (3)`
    fn vitest(&mut self, text: &str, words: &Words<'_>) -> bool {
        if text.starts_with("No test files found") {
            self.said_none = true;
            return true;
        }
        let is_summary = text.starts_with("Tests  ") && text.ends_with(')');
        if is_summary {
            let failed = words.before("failed").unwrap_or(0);
            self.add(words.before("passed").unwrap_or(0).saturating_add(failed), failed);
        }
        is_summary
    }

    /// `# tests 3` or `ℹ tests 3`, then `pass`, `fail`, `skipped`, `todo`. A file without tests
    /// counts as one test that bears the file's path.
    fn node(&mut self, line: &str) -> bool {
        let of_file = line
            .strip_prefix("ok ")
            .or_else(|| line.strip_prefix('\u{2714}'))
            .is_some_and(|rest| {
                is_script_path(
                    rest.trim_start_matches(|c: char| c.is_ascii_digit() || " -".contains(c)),
                )
            });
        self.node_files += u64::from(of_file);
        let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("\u{2139} ")) else {
            return of_file;
        };
        let Some((key, value)) = rest.split_once(' ') else { return false };
        let Some(number) = number(value.split('.').next().unwrap_or_default()) else {
            return false;
        };
        match key {
            "tests" => {
                self.node_tests = Some(number);
                self.add(number.saturating_sub(self.node_files), 0);
                self.node_files = 0;
            }
            _ if self.node_tests.is_none() => return false,
            "fail" | "cancelled" => self.failed = self.failed.saturating_add(number),
            "skipped" | "todo" => self.ran = self.ran.saturating_sub(number),
            "duration_ms" => self.node_tests = None,
            "pass" | "suites" => {}
            _ => return false,
        }
        true
    }

    /// `3 passing (5ms)`, `1 failing`
    fn mocha(&mut self, text: &str, words: &Words<'_>) -> bool {
        match words.0.as_slice() {
            [count, "passing", ..] if text.ends_with(')') => {
                self.add(number(count).unwrap_or(0), 0);
                true
            }
            [count, "failing"] => {
                let failed = number(count).unwrap_or(0);
                self.add(failed, failed);
                true
            }
            _ => false,
        }
    }

    /// `--- PASS: TestX (0.00s)`, `ok  \tpackage\t0.01s`, `?   \tpackage\t[no test files]`
    fn go(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("--- ") {
            self.go_results += u64::from(rest.starts_with("PASS:") || rest.starts_with("FAIL:"));
            self.go_failed += u64::from(rest.starts_with("FAIL:"));
            return true;
        }
        let is_package = line.starts_with("ok  \t") || line.starts_with("FAIL\t");
        if line.contains("[no test files]") || is_package && line.contains("[no tests to run]") {
            self.said_none = true;
            return true;
        }
        self.go_packages += u64::from(is_package);
        is_package
    }

    /// `5 tests completed, 1 failed`; Gradle says nothing when all is well.
    fn gradle(&mut self, text: &str, words: &Words<'_>) -> bool {
        if text.starts_with("> Task :") && text.ends_with("test NO-SOURCE") {
            self.said_none = true;
            return true;
        }
        match words.0.as_slice() {
            [count, "tests" | "test", "completed", ..] => {
                let skipped = words.before("skipped").unwrap_or(0);
                let ran = number(count).unwrap_or(0).saturating_sub(skipped);
                self.add(ran, words.before("failed").unwrap_or(0));
                true
            }
            _ => false,
        }
    }

    /// `== 1 failed, 2 passed, 1 skipped in 0.12s ==`, `no tests ran in 0.01s`; so does the
    /// built-in runner.
    fn pytest(&mut self, text: &str, words: &Words<'_>) -> bool {
        if words.0.starts_with(&["no", "tests", "ran"]) || words.0 == ["no", "tests", "ran"] {
            self.said_none = true;
            return true;
        }
        const OUTCOMES: [&str; 10] = [
            "passed",
            "failed",
            "error",
            "errors",
            "skipped",
            "xfailed",
            "xpassed",
            "deselected",
            "warning",
            "warnings",
        ];
        let text = text.trim_matches(['=', ' ']);
        let counts = text
            .rsplit_once(" in ")
            .map_or(text, |(counts, time)| if time.contains('s') { counts } else { text });
        let is_summary = counts.split(", ").all(|part| match part.split_once(' ') {
            Some((number, outcome)) => {
                number.chars().all(|c| c.is_ascii_digit()) && OUTCOMES.contains(&outcome)
            }
            None => false,
        });
        if !is_summary {
            return false;
        }
        let of = |outcome| words.before(outcome).unwrap_or(0);
        let errors = of("error").saturating_add(of("errors"));
        let failed = of("failed").saturating_add(errors);
        let ran = of("passed")
            .saturating_add(of("failed"))
            .saturating_add(of("xfailed"))
            .saturating_add(of("xpassed"));
        self.add(ran, failed);
        true
    }

    fn finish(mut self) -> TestCount {
        let maven = self.maven_total.unwrap_or(self.maven_classes);
        if maven != (0, 0) || self.maven_total.is_some() {
            self.add(maven.0, maven.1);
        }
        // Without -v, Go prints results of failed tests only.
        if self.go_results > self.go_failed {
            self.add(self.go_results, self.go_failed);
        } else if self.go_packages > 0 || self.go_results > 0 {
            self.is_uncounted = true;
            self.failed = self.failed.saturating_add(self.go_failed);
        }
        match (self.is_uncounted, self.is_counted, self.said_none) {
            (true, _, _) => TestCount { ran: None, failed: Some(self.failed) },
            (false, true, _) => TestCount { ran: Some(self.ran), failed: Some(self.failed) },
            (false, false, true) => TestCount { ran: Some(0), failed: Some(0) },
            (false, false, false) => TestCount::default(),
        }
    }
}

fn is_script_path(text: &str) -> bool {
    let path = text.split(" (").next().unwrap_or_default().trim();
    path.contains('/') && [".js", ".mjs", ".cjs", ".ts"].iter().any(|end| path.ends_with(end))
}

/// A number of tests that somebody may have run.
fn number(text: &str) -> Option<u64> {
    const MAX_TESTS: u64 = 1_000_000_000;
    text.parse().ok().filter(|number| *number <= MAX_TESTS)
}

/// The words and numbers of a line.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        Self(
            line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
                .filter(|w| !w.is_empty())
                .take(40)
                .collect(),
        )
    }

    /// The number in front of a word.
    fn before(&self, word: &str) -> Option<u64> {
        self.0.windows(2).find(|pair| pair[1] == word).and_then(|pair| number(pair[0]))
    }

    /// The number behind a word.
    fn after(&self, word: &str) -> Option<u64> {
        self.0.windows(2).find(|pair| pair[0] == word).and_then(|pair| number(pair[1]))
    }
}

/// Takes terminal colours (`ESC [ ... letter`) out.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(found) = chars.next() {
        if found != '\u{1B}' {
            plain.push(found);
        } else if chars.next_if_eq(&'[').is_some() {
            for skipped in chars.by_ref() {
                if skipped.is_ascii_alphabetic() {
                    break;
                }
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests;
