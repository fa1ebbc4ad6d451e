//! What is looked at in Rust files.

use std::path::Path;

use super::{Finding, Findings};

/// The most lines of a file before its tests.
const MAX_LINES: usize = 500;

/// Files that may be longer, and why.
const LONG_FILES: &[(&str, &str)] = &[];

/// Names that say nothing about what is inside.
const NAMELESS: &[&str] = &["utils", "util", "common", "helpers", "misc", "manager"];

/// Whether a file holds nothing but tests or what only tests use.
pub(super) fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.ends_with("/testing.rs")
        || path.starts_with("tests/")
        || path.contains("/tests/")
        || path.starts_with("crates/sage-testkit/")
}

pub(super) fn check(findings: &mut Findings<'_>, text: &str) {
    let path = findings.path;
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    if name == "mod" {
        findings.add(0, "a folder's module is written beside it, not in mod.rs");
    }
    if NAMELESS.contains(&name) {
        findings.add(0, format!("{name} says nothing about what is inside"));
    }
    let lines: Vec<&str> = text.lines().collect();
    let n_code = lines.iter().position(|line| *line == "#[cfg(test)]").unwrap_or(lines.len());
    exceptions(findings, &lines);
    if is_test_file(path) {
        return;
    }
    if !text.starts_with("//!") {
        findings.add(1, "a module begins with //!: what it is for");
    }
    if n_code > MAX_LINES && !LONG_FILES.iter().any(|(file, _)| *file == path) {
        findings
            .add(0, format!("{n_code} lines before its tests, at most {MAX_LINES} are allowed"));
    }
}

/// Exceptions from lints are made with `expect` and a reason; clippy sees to it that there is one for
/// every `unwrap`, so that its invariant is written down. Only test code makes them for a whole crate
/// or with `allow`.
fn exceptions(findings: &mut Findings<'_>, lines: &[&str]) {
    let is_test = is_test_file(findings.path);
    for (idx, line) in lines.iter().enumerate() {
        let line = line.trim_start();
        let attribute = line.trim_start_matches(['#', '!', '[']);
        let is_inner = line.starts_with("#![");
        let is_allow = attribute.starts_with("allow(");
        if !line.starts_with('#') || !(is_allow || attribute.starts_with("expect(")) {
            continue;
        }
        if is_allow && !is_test {
            findings.add(idx + 1, "write expect with a reason instead of allow");
        } else if is_inner && !is_test {
            findings.add(idx + 1, "an exception for a whole module");
        }
        let end = lines[idx..].iter().position(|line| line.trim_end().ends_with(")]"));
        let attribute = &lines[idx..=idx + end.unwrap_or(0)];
        if !attribute.iter().any(|line| line.contains("reason = ")) {
            findings.add(idx + 1, "an exception without a reason");
        }
    }
}

/// Exceptions in the table above that are not needed any more.
pub(super) fn stale_exceptions(root: &Path) -> Vec<Finding> {
    let is_stale = |path: &str| {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        text.lines().take_while(|line| *line != "#[cfg(test)]").count() <= MAX_LINES
    };
    let stale = LONG_FILES.iter().filter(|(path, _)| is_stale(path));
    stale
        .map(|(path, _)| Finding {
            path: (*path).to_owned(),
            line: 0,
            what: "is not long any more: take it off the list of long files".to_owned(),
        })
        .collect()
}
