//! Finds what a change did to tests that were there, and to how tests are found and run: from the texts
//! before and after, without a model and without running anything.
//!
//! A test is followed by its name, then by its body, so that one that was renamed, moved or merged is not
//! called deleted. An assertion is compared by what it asks for, not by its words: `assertEqual(x, 5)`
//! and `assert x == 5` are the same. What is as strict as before is never a finding; what may have good
//! reasons is suspicious; the rest is tampered. See `docs/evidence.md` for the list.

mod assertions;
mod config;
mod excuse;
mod runner;
mod suites;

use std::collections::HashSet;

use sage_core::{Severity, TamperKind, Tampering};

use super::Lang;

pub use excuse::{Mandate, excused};

/// Findings that are kept, at most, worst first.
pub const MAX_FINDINGS: usize = 24;

/// Longest excerpt, in characters.
const MAX_EXCERPT_CHARS: usize = 160;

/// A file before and after a change.
#[derive(Debug, Clone, Copy)]
pub struct FileChange<'a> {
    /// Relative to the work tree.
    pub path: &'a str,
    /// Its text before; `None` when it did not exist.
    pub before: Option<&'a str>,
    /// Its text after; `None` when it is gone.
    pub after: Option<&'a str>,
}

impl<'a> FileChange<'a> {
    /// Lines of the text after that were not in the text before, with their numbers from 1.
    fn added(&self) -> Vec<(usize, &'a str)> {
        let before: HashSet<&str> =
            self.before.unwrap_or_default().lines().map(str::trim).collect();
        let after = self.after.unwrap_or_default().lines().enumerate();
        after
            .map(|(at, line)| (at + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !before.contains(line))
            .collect()
    }

    /// Lines of the text before that are not in the text after.
    fn removed(&self) -> Vec<(usize, &'a str)> {
        FileChange { path: self.path, before: self.after, after: self.before }.added()
    }
}

/// Everything that was found, worst first.
#[must_use]
pub fn compare(changes: &[FileChange<'_>]) -> Vec<Tampering> {
    let mut found = suites::compare(changes);
    for change in changes {
        found.extend(config::compare(change));
        found.extend(runner::compare(change));
    }
    found.sort_by(|a, b| {
        (b.severity, &a.path, a.line, a.kind).cmp(&(a.severity, &b.path, b.line, b.kind))
    });
    found.dedup();
    found.truncate(MAX_FINDINGS);
    found
}

/// Whether a file holds tests by its name, or by the folder that JavaScript's runners look into.
fn is_test_file(path: &str) -> bool {
    let in_test_folder =
        || path.split('/').rev().skip(1).any(|part| matches!(part, "test" | "tests" | "spec"));
    crate::project::is_test_file(path) || (Lang::of(path) == Some(Lang::Script) && in_test_folder())
}

/// Whether a file has to do with tests: it holds some, or says how they are found and run.
#[must_use]
pub fn is_about_tests(change: &FileChange<'_>) -> bool {
    suites::holds_tests(change) || config::is_config(change.path) || runner::is_runner(change.path)
}

fn finding(
    kind: TamperKind,
    severity: Severity,
    path: &str,
    line: usize,
    before: &str,
    after: &str,
) -> Tampering {
    Tampering {
        kind,
        severity,
        path: path.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        before: excerpt(before),
        after: excerpt(after),
        excuse: String::new(),
    }
}

/// The first words of a text, on one line.
fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_EXCERPT_CHARS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
