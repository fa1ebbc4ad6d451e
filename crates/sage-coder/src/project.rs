//! What kind of project a folder holds, and which commands verify it.
//!
//! Everything here is a pure function of a list of paths, a reader and the answers to [`Probe`]s; the
//! caller looks at the world and records what it saw. The project's own environment (`.venv`,
//! `node_modules`) comes before the machine's.
//!
//! A detected command is written as people write it (`python3 -m pytest -q`); [`runnable`] turns it
//! into what can be run here, with the built-in test runner where pytest is not installed.

mod commands;
mod failures;
mod go;
mod javascript;
mod jvm;
mod listing;
mod locks;
mod probes;
mod python;
mod rust;
mod shell;
mod syntax;
mod test_files;

use serde::{Deserialize, Serialize};

pub use commands::{Runnable, runnable, runs_test_file};
pub use failures::{fails_no_worse, failures_in, without_passed};
pub use go::GoFacts;
pub use javascript::{JavaScriptFacts, JsRunner};
pub use jvm::{JvmFacts, JvmTool};
pub use locks::locks_of;
pub use probes::{Probe, Probes, needed_probes};
pub use python::PythonFacts;
pub use rust::RustFacts;
pub use syntax::{syntax_check_for, syntax_error_in};
pub use test_files::{is_test_file, test_command_for};

use listing::Listing;

/// The test runner for Python where pytest is not installed; takes pytest's arguments, understands
/// files, folders, `file::name` and `-k`, and hands over to pytest if there is one after all.
pub const PYTEST_LITE: &str = include_str!("project/run_tests.py");

/// Names that are listed in a description, at most.
const MAX_NAMED: usize = 6;

/// What is known about a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectFacts {
    /// Languages with their number of files, most files first.
    pub languages: Vec<LanguageCount>,
    /// Commands that verify the whole project, in the order in which they run.
    pub verify: Vec<VerifyCommand>,
    /// What a person would want to know about the commands, such as a runner that is not installed.
    pub notes: Vec<String>,
    /// Folders that hold tests.
    pub test_folders: Vec<String>,
    /// Files at which programs start.
    pub entry_points: Vec<String>,
    /// Python facts, where there is Python.
    pub python: Option<PythonFacts>,
    /// JavaScript and TypeScript facts.
    pub javascript: Option<JavaScriptFacts>,
    /// Rust facts.
    pub rust: Option<RustFacts>,
    /// Go facts.
    pub go: Option<GoFacts>,
    /// Maven and Gradle facts.
    pub jvm: Option<JvmFacts>,
}

/// A language and how much of it there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageCount {
    /// The language.
    pub language: Language,
    /// Number of its files.
    pub n_files: u32,
}

/// A command that verifies the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyCommand {
    /// The command line, to be passed through [`runnable`].
    pub line: String,
    /// The file it was found in or derived from.
    pub source: String,
}

/// A programming language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Go,
    Java,
    Kotlin,
    C,
    Cpp,
    CSharp,
    Ruby,
    Php,
    Swift,
    Shell,
    Sql,
    Html,
    Css,
}

impl Language {
    /// The name as people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::Go => "Go",
            Self::Java => "Java",
            Self::Kotlin => "Kotlin",
            Self::C => "C",
            Self::Cpp => "C++",
            Self::CSharp => "C#",
            Self::Ruby => "Ruby",
            Self::Php => "PHP",
            Self::Swift => "Swift",
            Self::Shell => "shell",
            Self::Sql => "SQL",
            Self::Html => "HTML",
            Self::Css => "CSS",
        }
    }

    /// The language of a file, by its name.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        Some(match listing::extension(path) {
            "rs" => Self::Rust,
            "py" | "pyi" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "ts" | "tsx" | "mts" | "cts" => Self::TypeScript,
            "go" => Self::Go,
            "java" => Self::Java,
            "kt" | "kts" => Self::Kotlin,
            "c" | "h" => Self::C,
            "cc" | "cpp" | "cxx" | "hpp" | "hh" => Self::Cpp,
            "cs" => Self::CSharp,
            "rb" => Self::Ruby,
            "php" => Self::Php,
            "swift" => Self::Swift,
            "sh" | "bash" | "zsh" => Self::Shell,
            "sql" => Self::Sql,
            "html" | "htm" => Self::Html,
            "css" | "scss" | "sass" | "less" => Self::Css,
            _ => return None,
        })
    }
}

/// Reads what `files` (paths of the work tree, sorted) and the manifests among them tell.
///
/// `read` gives a file's text, or `None`; only manifests and a bounded number of test files are read.
/// What `probes` does not know counts as absent.
pub fn detect(
    files: &[String],
    read: &dyn Fn(&str) -> Option<String>,
    probes: &Probes,
) -> ProjectFacts {
    let listing = Listing::new(files);
    let mut facts = ProjectFacts {
        languages: languages(&listing),
        test_folders: test_folders(&listing),
        entry_points: entry_points(&listing),
        ..ProjectFacts::default()
    };
    rust::detect(&listing, read, probes, &mut facts);
    go::detect(&listing, probes, &mut facts);
    javascript::detect(&listing, read, probes, &mut facts);
    jvm::detect(&listing, probes, &mut facts);
    python::detect(&listing, read, probes, &mut facts);
    makefile(&listing, read, probes, &mut facts);
    facts
}

impl ProjectFacts {
    /// The lines of [`ProjectFacts::verify`].
    #[must_use]
    pub fn verify_lines(&self) -> Vec<String> {
        self.verify.iter().map(|command| command.line.clone()).collect()
    }

    /// The facts in a few short lines, for a prompt; empty when nothing is known.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut lines = Vec::new();
        let named = |names: &[String]| {
            let mut text = names.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
            if names.len() > MAX_NAMED {
                text.push_str(&format!(" and {} more", names.len() - MAX_NAMED));
            }
            text
        };
        if !self.languages.is_empty() {
            let counts: Vec<String> = self
                .languages
                .iter()
                .map(|count| format!("{} ({})", count.language.name(), count.n_files))
                .collect();
            lines.push(format!("languages (files): {}", named(&counts)));
        }
        if let Some(python) = self.python.as_ref().filter(|python| python.src_layout) {
            lines.push(format!(
                "layout: modules are in src/, which is on the path when tests run; import `{}`",
                python.packages.first().map_or("name", String::as_str)
            ));
        }
        if !self.entry_points.is_empty() {
            lines.push(format!("entry points: {}", named(&self.entry_points)));
        }
        if !self.test_folders.is_empty() {
            lines.push(format!("tests: {}", named(&self.test_folders)));
        }
        if !self.verify.is_empty() {
            let commands: Vec<String> =
                self.verify.iter().map(|command| format!("`{}`", command.line)).collect();
            lines.push(format!("verified with: {}", named(&commands)));
        }
        lines.extend(self.notes.iter().take(MAX_NAMED).map(|note| format!("note: {note}")));
        lines.join("\n")
    }

    fn add_verify(&mut self, line: impl Into<String>, source: impl Into<String>) {
        self.verify.push(VerifyCommand { line: line.into(), source: source.into() });
    }
}

fn languages(listing: &Listing<'_>) -> Vec<LanguageCount> {
    let mut counts: Vec<LanguageCount> = Vec::new();
    for language in listing.files().filter_map(Language::of) {
        match counts.iter_mut().find(|count| count.language == language) {
            Some(count) => count.n_files += 1,
            None => counts.push(LanguageCount { language, n_files: 1 }),
        }
    }
    counts.sort_by_key(|count| (std::cmp::Reverse(count.n_files), count.language));
    counts
}

fn test_folders(listing: &Listing<'_>) -> Vec<String> {
    let mut folders: Vec<String> = listing
        .files()
        .filter(|path| is_test_file(path))
        .map(|path| match listing::folder(path) {
            "" => ".".to_owned(),
            folder => format!("{folder}/"),
        })
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

fn entry_points(listing: &Listing<'_>) -> Vec<String> {
    const NAMES: [&str; 14] = [
        "main.py",
        "__main__.py",
        "app.py",
        "manage.py",
        "cli.py",
        "main.rs",
        "main.go",
        "index.js",
        "index.ts",
        "main.js",
        "main.ts",
        "server.js",
        "Main.java",
        "main.c",
    ];
    const MAX_DEPTH: usize = 4;
    let mut found: Vec<&str> = listing
        .files()
        .filter(|path| NAMES.contains(&listing::name(path)) && !is_test_file(path))
        .filter(|path| path.matches('/').count() <= MAX_DEPTH && !path.starts_with("test"))
        .collect();
    found.sort_by_key(|path| (path.matches('/').count(), *path));
    found.into_iter().map(str::to_owned).collect()
}

/// A `test` or `check` target counts where nothing better is known.
fn makefile(
    listing: &Listing<'_>,
    read: &dyn Fn(&str) -> Option<String>,
    probes: &Probes,
    facts: &mut ProjectFacts,
) {
    let Some(path) =
        ["GNUmakefile", "makefile", "Makefile"].into_iter().find(|path| listing.has(path))
    else {
        return;
    };
    let text = read(path).unwrap_or_default();
    let has_target = |name: &str| {
        text.lines().any(|line| {
            line.split_once(':').is_some_and(|(targets, rest)| {
                !rest.starts_with('=') && targets.split(' ').any(|target| target == name)
            })
        })
    };
    let Some(target) = ["test", "tests", "check"].into_iter().find(|name| has_target(name)) else {
        return;
    };
    if !facts.verify.is_empty() {
        return;
    }
    if probes.has(Probe::Make) {
        facts.add_verify(format!("make {target}"), path);
    } else {
        facts.notes.push(format!("{path} has a target {target}, but make is not installed"));
    }
}

#[cfg(test)]
mod tests;
