//! What a task may touch: the part of a plan's contract that the tools enforce.
//!
//! A grant only narrows. `.git` and `.sage` stay closed whatever it says, and so does everything
//! outside the work tree.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use sage_core::Effect;

use crate::error::{Error, Result};
use crate::path;
use crate::sandbox::Network;

/// Most patterns of one set.
pub const MAX_PATTERNS: usize = 1000;
/// Longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 1000;

/// Files that may be written, as globs over paths relative to the work tree.
///
/// `*` and `?` stay within a name, `**` crosses folders, `{a,b}` and `[ab]` choose. A pattern that
/// names a folder covers everything below it, with or without a final `/`.
#[derive(Debug, Clone)]
pub struct PathSet {
    patterns: Vec<String>,
    globs: GlobSet,
    /// Further sets that must cover a path as well.
    within: Vec<PathSet>,
}

impl PathSet {
    /// Compiles the patterns; an absolute or escaping one is an error.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut kept = Vec::new();
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let fail = |problem: String| Error::Pattern {
                pattern: pattern.chars().take(200).collect(),
                problem,
            };
            let plain = plain(pattern).map_err(|problem| fail(problem.to_owned()))?;
            let mut add = |text: &str| -> Result<()> {
                let glob = GlobBuilder::new(text)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .build()
                    .map_err(|error| fail(format!("is not a glob: {}", error.kind())))?;
                globs.add(glob);
                Ok(())
            };
            if plain.is_empty() {
                add("**")?;
            } else {
                add(&plain)?;
                add(&format!("{plain}/**"))?;
            }
            kept.push(pattern.to_owned());
            if kept.len() > MAX_PATTERNS {
                return Err(fail(format!("is one of more than {MAX_PATTERNS}")));
            }
        }
        let globs = globs.build().map_err(|error| Error::Pattern {
            pattern: kept.join(", ").chars().take(200).collect(),
            problem: format!("is not a glob: {}", error.kind()),
        })?;
        Ok(Self { patterns: kept, globs, within: Vec::new() })
    }

    /// Every file of the work tree.
    #[must_use]
    pub fn all() -> Self {
        Self::new(["**"]).unwrap_or_else(|_| Self::none())
    }

    /// No file.
    #[must_use]
    pub fn none() -> Self {
        Self { patterns: Vec::new(), globs: GlobSet::empty(), within: Vec::new() }
    }

    /// Only what `bound` covers too.
    #[must_use]
    pub fn within(mut self, bound: Self) -> Self {
        self.within.push(bound);
        self
    }

    /// Whether a path relative to the work tree is covered. Protected paths never are.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        !path::is_protected(path)
            && self.globs.is_match(path)
            && self.within.iter().all(|bound| bound.contains(path))
    }

    /// Whether a pattern names exactly this path and is no pattern beyond that.
    pub(crate) fn names(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| plain(pattern).is_ok_and(|plain| plain == path))
    }

    /// The patterns as they were given.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The patterns in words, for somebody who may write nothing else.
    fn in_words(&self) -> String {
        let mut text = match self.patterns.as_slice() {
            [] => "none".to_owned(),
            patterns => patterns.join(", "),
        };
        for bound in &self.within {
            text.push_str(&format!(" within {}", bound.in_words()));
        }
        text
    }
}

/// The pattern without `./` and a final `/`.
fn plain(pattern: &str) -> std::result::Result<String, &'static str> {
    if pattern.trim().is_empty() {
        return Err("is empty");
    }
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err("is too long");
    }
    if pattern.starts_with('/') || pattern.starts_with('~') {
        return Err("is absolute; it must be relative to the work tree");
    }
    let mut names = Vec::new();
    for name in pattern.split('/') {
        match name {
            "" | "." => {}
            ".." => return Err("leaves the work tree through '..'"),
            name => names.push(name),
        }
    }
    Ok(names.join("/"))
}

/// What a task may do through tools.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Files that may be written.
    pub paths: PathSet,
    /// Names of the tools that may be called; `None` for all. `finish` is always allowed.
    pub tools: Option<BTreeSet<String>>,
    /// What commands may reach over the network.
    pub network: Network,
    /// Planning and review: only tools that read or end the conversation.
    pub read_only: bool,
}

impl Grant {
    /// Everything inside the work tree.
    #[must_use]
    pub fn everything() -> Self {
        Self { paths: PathSet::all(), tools: None, network: Network::Off, read_only: false }
    }

    /// Reading only.
    #[must_use]
    pub fn read_only() -> Self {
        Self { paths: PathSet::none(), tools: None, network: Network::Off, read_only: true }
    }

    /// Why a tool may not be called, if it may not.
    pub(crate) fn objection(&self, tool: &str, effect: Effect) -> Option<String> {
        if self.read_only && !matches!(effect, Effect::Read | Effect::Control) {
            return Some(format!(
                "only reading is allowed now, and the tool {tool} does more than that"
            ));
        }
        // A task must always be able to say that it is done.
        let named = |tools: &BTreeSet<String>| effect == Effect::Control || tools.contains(tool);
        match &self.tools {
            Some(tools) if !named(tools) => {
                let given: Vec<&str> = tools.iter().map(String::as_str).collect();
                Some(format!(
                    "this task was not given the tool {tool}; it has: {}",
                    given.join(", ")
                ))
            }
            _ => None,
        }
    }

    /// Why a file may not be written, if it may not.
    pub(crate) fn objection_to_write(&self, path: &str) -> Option<String> {
        if self.read_only {
            return Some(format!("{path}: only reading is allowed now"));
        }
        (!self.paths.contains(path)).then(|| {
            let shown = self.paths.in_words();
            format!("{path} is outside the paths that this task may write: {shown}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &[&str], inside: &[&str], outside: &[&str]) {
        let set = PathSet::new(patterns).unwrap();
        for path in inside {
            assert!(set.contains(path), "{patterns:?} should cover {path}");
        }
        for path in outside {
            assert!(!set.contains(path), "{patterns:?} should not cover {path}");
        }
    }

    #[test]
    fn patterns_cover_files_folders_and_globs() {
        check(&["src"], &["src/a.rs", "src/deep/b.rs", "src"], &["srcs/a.rs", "lib/src/a.rs"]);
        check(&["./src/"], &["src/a.rs"], &["a.rs"]);
        check(
            &["src/hello.py", "tests/*.py"],
            &["src/hello.py", "tests/a.py"],
            &["src/b.py", "tests/x/a.py"],
        );
        check(&["**/*.md"], &["a.md", "x/y/b.md"], &["a.txt"]);
        check(&["*.rs"], &["a.rs"], &["src/a.rs"]);
        check(&["."], &["a", "b/c"], &[]);
        check(&["a{1,2}/[xy].c"], &["a1/x.c"], &["a3/x.c", "a1/z.c"]);
    }

    #[test]
    fn protected_paths_are_never_covered() {
        let all = PathSet::all();
        assert!(all.contains("src/a.rs"));
        for path in [".git/config", "x/.git/hooks/y", ".sage/policy.json"] {
            assert!(!all.contains(path), "{path}");
        }
        assert!(!PathSet::none().contains("a"));
    }

    #[test]
    fn a_set_within_another_covers_what_both_cover() {
        let set = PathSet::all().within(PathSet::new(["src"]).unwrap());
        assert!(set.contains("src/a.rs") && !set.contains("doc/a.md"));
        let grant = Grant { paths: set, ..Grant::everything() };
        let objection = grant.objection_to_write("doc/a.md").unwrap();
        assert!(objection.contains("may write: ** within src"), "{objection}");
    }

    #[test]
    fn patterns_that_cannot_be_meant_are_errors() {
        for (pattern, part) in [
            ("", "empty"),
            ("/etc/*", "absolute"),
            ("../x", ".."),
            ("a/../../x", ".."),
            ("[", "not a glob"),
        ] {
            let error = PathSet::new([pattern]).unwrap_err().to_string();
            assert!(error.contains(part), "{pattern:?}: {error}");
        }
    }

    #[test]
    fn a_grant_says_what_it_refuses_and_why() {
        let reading = Grant::read_only();
        assert!(reading.objection("write", Effect::Write).unwrap().contains("only reading"));
        assert!(reading.objection("run", Effect::Execute).is_some());
        assert_eq!(reading.objection("read", Effect::Read), None);
        let some = Grant {
            tools: Some(BTreeSet::from(["read".to_owned()])),
            paths: PathSet::new(["src"]).unwrap(),
            ..Grant::everything()
        };
        assert!(some.objection("run", Effect::Execute).unwrap().contains("it has: read"));
        assert_eq!(some.objection("finish", Effect::Control), None);
        assert!(some.objection_to_write("doc/x").unwrap().contains("may write: src"));
        assert_eq!(some.objection_to_write("src/x"), None);
    }
}
