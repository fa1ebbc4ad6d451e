//! What the output of a failing command says about which tests failed.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Failures that are told apart, at most.
const MAX_FAILURES: usize = 10_000;

/// Whether everything that fails in `now` failed in `before` too. No where that cannot be told: an
/// output that names no failure proves nothing.
#[must_use]
pub fn fails_no_worse(before: &str, now: &str) -> bool {
    let now = failures_in(now);
    !now.is_empty() && now.is_subset(&failures_in(before))
}

/// The failed tests and the compiler's errors that an output names, in words that are the same from
/// run to run: pytest (and the built-in runner), unittest, cargo test, rustc, go test, node --test,
/// jest, vitest and mocha.
#[must_use]
pub fn failures_in(output: &str) -> BTreeSet<String> {
    output.lines().filter_map(failure).take(MAX_FAILURES).collect()
}

fn failure(line: &str) -> Option<String> {
    let text = line.trim();
    let name = if let Some(name) = text.strip_prefix("test ") {
        name.strip_suffix(" ... FAILED")?
    } else if let Some(rest) = text.strip_prefix("FAILED ").or(text.strip_prefix("ERROR ")) {
        // `FAILED tests/test_a.py::test_b - AssertionError: ...`, but not `FAILED (failures=1)`.
        rest.split(" - ").next().filter(|name| !name.starts_with('('))?
    } else if text.starts_with("FAIL: ") || text.starts_with("ERROR: ") {
        text
    } else if let Some(rest) = text.strip_prefix("--- FAIL: ") {
        rest.split(" (").next()?
    } else if let Some(rest) = line.strip_prefix("FAIL\t") {
        return rest.split_whitespace().next().map(|package| format!("package {package}"));
    } else if let Some(rest) = text.strip_prefix("not ok ") {
        // The number says only which one it was this time.
        rest.split_once(" - ")?.1
    } else if let Some(rest) = text.strip_prefix(['\u{2716}', '\u{d7}']) {
        rest.rsplit_once(" (").map_or(rest, |(name, _)| name)
    } else if let Some(rest) = text.strip_prefix("\u{25cf} ") {
        rest
    } else if let Some(rest) = line.strip_prefix(" FAIL  ") {
        rest
    } else if text.starts_with("error:") || text.starts_with("error[") {
        return Some(text.chars().filter(|c| !c.is_ascii_digit()).collect());
    } else {
        return None;
    };
    Some(name.trim().to_owned())
}

/// An output without what it says about single tests that passed, which says nothing about why others
/// failed and may crowd that out.
#[must_use]
pub fn without_passed(output: &str) -> Cow<'_, str> {
    if !output.lines().any(is_about_passed) {
        return Cow::Borrowed(output);
    }
    let mut kept = String::with_capacity(output.len());
    let mut in_passed = false;
    for line in output.lines() {
        // TAP: details of a test follow it, indented, between `---` and `...`.
        if in_passed && line.starts_with("  ") {
            in_passed = line.trim() != "...";
            continue;
        }
        in_passed = line.starts_with("ok ");
        if !is_about_passed(line) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Cow::Owned(kept)
}

fn is_about_passed(line: &str) -> bool {
    let text = line.trim_start();
    ["=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "--- PASS: ", "--- SKIP: "]
        .iter()
        .any(|start| text.starts_with(start))
        || (text.starts_with("test ") && text.ends_with(" ... ok"))
        || is_tap_pass(line)
        || line.starts_with("# Subtest: ")
}

/// `ok 1 - name`, but not Go's `ok  \tpackage`.
fn is_tap_pass(line: &str) -> bool {
    line.strip_prefix("ok ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
