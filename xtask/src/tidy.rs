//! Habits of this repository that a machine can look after: sizes, headers, left-over markers, reasons
//! for exceptions, links, stray paths.
//!
//! Every file that git would see is looked at, except the sample projects under `examples/` and
//! `tests/fixtures/`, which are allowed to be as untidy as real ones.

mod links;
mod rust;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use ignore::WalkBuilder;

/// Folders whose files belong to sample projects.
const SAMPLES: &[&str] = &["examples/", "tests/fixtures/"];

/// Words that say that something is not finished. Spelt in two parts, because this file is looked
/// at as well.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// People who may own an example of a path.
const PLACEHOLDERS: &[&str] = &["me/", "you/", "user/", "someone/"];

/// One thing that is not tidy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the repository.
    pub path: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Looks at every file of the repository and lists what is not tidy.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let is_git = |name: &std::ffi::OsStr| name == ".git";
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .parents(false)
        .git_global(false)
        .require_git(false)
        .filter_entry(move |entry| !is_git(entry.file_name()))
        .sort_by_file_path(Path::cmp)
        .build();
    for entry in walk {
        let entry = entry.context("walking the repository")?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path().strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        let bytes = std::fs::read(entry.path()).with_context(|| format!("reading {path}"))?;
        // Only text is looked at.
        if let Ok(text) = std::str::from_utf8(&bytes) {
            findings.extend(check_file(&path, text, &|link| root.join(link).exists()));
        }
    }
    findings.extend(rust::stale_exceptions(root));
    Ok(findings)
}

/// Looks at one file. `exists` tells whether a path relative to the repository exists.
pub fn check_file(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let is_sample = SAMPLES.iter().any(|folder| path.starts_with(folder));
    if is_sample || path == "Cargo.lock" {
        return Vec::new();
    }
    let mut findings = Findings { path, list: Vec::new() };
    let is_rust = path.ends_with(".rs");
    if !text.is_empty() && !text.ends_with('\n') {
        findings.add(text.lines().count(), "the last line does not end with a line feed");
    }
    for (number, line) in (1..).zip(text.lines()) {
        // In code only comments speak for us; a string may be about anything.
        let prose = if is_rust { comment_of(line) } else { line };
        if let Some(marker) = MARKERS.iter().find(|marker| has_word(prose, marker)) {
            findings.add(number, format!("{marker} is left"));
        }
        if let Some(found) = machine_path(line).filter(|_| !rust::is_test_file(path)) {
            findings.add(number, format!("{found} is a path of one machine"));
        }
    }
    if is_rust {
        rust::check(&mut findings, text);
    }
    if path.ends_with(".md") {
        links::check(&mut findings, text, exists);
    }
    findings.list
}

/// Collects findings about one file.
struct Findings<'a> {
    path: &'a str,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        self.list.push(Finding { path: self.path.to_owned(), line, what: what.into() });
    }
}

/// What follows `//`, unless that is part of an address such as `http://`.
fn comment_of(line: &str) -> &str {
    let mut from = 0;
    while let Some(at) = line[from..].find("//").map(|at| from + at) {
        if !line[..at].ends_with(':') {
            return &line[at..];
        }
        from = at + 2;
    }
    ""
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

fn machine_path(line: &str) -> Option<&'static str> {
    MACHINE_PATHS.iter().copied().find(|start| {
        line.match_indices(start).any(|(at, _)| {
            let rest = &line[at + start.len()..];
            let is_inside =
                line[..at].ends_with(|c: char| c.is_alphanumeric() || "./}".contains(c));
            let names_something = rest.starts_with(|c: char| c.is_alphanumeric() || c == '.');
            let is_placeholder = PLACEHOLDERS.iter().any(|name| rest.starts_with(name));
            !is_inside && names_something && !is_placeholder
        })
    })
}

#[cfg(test)]
mod tests;
