//! Python: interpreter, layout, and which of pytest, unittest and the built-in runner runs the tests.

use serde::{Deserialize, Serialize};

use super::listing::{Listing, extension, folder, is_below, join, name, stem};
use super::shell::{in_folder, path_argument};
use super::{Probe, Probes, ProjectFacts, VerifyCommand, is_test_file};

/// Test files that are read to see how they are written, at most.
const MAX_READ: usize = 40;

/// Projects in folders of their own that are verified, at most.
const MAX_FOLDERS: usize = 3;

/// Files that make their folder a Python project.
const MANIFESTS: [&str; 8] = [
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "pytest.ini",
    "tox.ini",
    "requirements.txt",
    "Pipfile",
    "conftest.py",
];

/// How Python runs here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PythonFacts {
    /// The interpreter: the project's own, else the machine's.
    pub interpreter: String,
    /// Whether it can import pytest.
    pub has_pytest: bool,
    /// Modules are in `src/`, which must be on the path.
    pub src_layout: bool,
    /// Top-level packages and modules of the project.
    pub packages: Vec<String>,
    /// Projects in folders of their own, each with whether its modules are in its `src/`.
    pub folders: Vec<(String, bool)>,
}

pub(super) fn detect(
    listing: &Listing<'_>,
    read: &dyn Fn(&str) -> Option<String>,
    probes: &Probes,
    facts: &mut ProjectFacts,
) {
    let manifest = MANIFESTS.into_iter().find(|path| listing.has(path));
    let is_python = |path: &&str| extension(path) == "py";
    if manifest.is_none() && !listing.files().any(|path| is_python(&path)) {
        return;
    }
    // Only Python below src/ makes it a source folder of Python.
    let src_layout = listing.below("src").any(|path| is_python(&path));
    let python = PythonFacts {
        interpreter: interpreter(probes).to_owned(),
        has_pytest: probes.has(Probe::Pytest),
        src_layout,
        packages: packages(listing, src_layout),
        folders: Vec::new(),
    };
    let has_python = [Probe::DotVenvPython, Probe::VenvPython, Probe::Python3, Probe::Python]
        .into_iter()
        .any(|probe| probes.has(probe));
    let tests: Vec<&str> =
        listing.files().filter(|path| is_python(path) && is_test_file(path)).collect();
    let folders = if manifest.is_none() { folders(listing, &tests) } else { Vec::new() };
    if has_python && !folders.is_empty() {
        for (folder, src_layout) in &folders {
            let line = line_in_folder(listing, read, &python, folder, *src_layout);
            facts.verify.extend(line.map(|line| VerifyCommand { line, source: folder.clone() }));
        }
        note_pytest(&python, facts);
        facts.python = Some(PythonFacts { folders, ..python });
        return;
    }
    // Beside another language's manifest, Python files are tools or samples unless they say otherwise.
    let is_guest = manifest.is_none()
        && !facts.verify.is_empty()
        && !tests.iter().any(|path| path.starts_with("tests/") || !path.contains('/'));
    let source = manifest.or(tests.first().copied());
    if let Some(source) = source
        && !tests.is_empty()
        && !is_guest
    {
        if has_python {
            let line = verify_line(listing, read, &python, &tests);
            facts.add_verify(line, source);
            note_pytest(&python, facts);
        } else {
            facts.notes.push("there are Python tests, but Python is not installed".to_owned());
        }
    }
    facts.python = Some(python);
}

fn note_pytest(python: &PythonFacts, facts: &mut ProjectFacts) {
    if !python.has_pytest {
        facts.notes.push(format!(
            "pytest is not installed: write tests with unittest or as plain functions without \
             fixtures; `{} -m pytest` runs a small replacement",
            python.interpreter
        ));
    }
}

/// The topmost folders that are projects, if all tests are in such.
fn folders(listing: &Listing<'_>, tests: &[&str]) -> Vec<(String, bool)> {
    // Folders of tests have requirements of their own, and are part of what they test.
    let manifests = MANIFESTS.map(|name| if name == "conftest.py" { "" } else { name });
    let mut folders = listing.roots(&manifests, MAX_FOLDERS);
    folders.retain(|folder| !matches!(name(folder), "tests" | "test"));
    if tests.iter().any(|test| !folders.iter().any(|folder| is_below(test, folder))) {
        return Vec::new();
    }
    let has_tests = |folder: &&str| tests.iter().any(|test| is_below(test, folder));
    let is_source = |folder: &str| {
        let src = join(folder, "src");
        listing.files().any(|path| is_below(path, &src) && extension(path) == "py")
    };
    let found = folders.into_iter().filter(has_tests);
    found.map(|folder| (folder.to_owned(), is_source(folder))).collect()
}

/// What verifies the project in a folder.
fn line_in_folder(
    listing: &Listing<'_>,
    read: &dyn Fn(&str) -> Option<String>,
    python: &PythonFacts,
    folder: &str,
    src_layout: bool,
) -> Option<String> {
    let inside = |path: &'_ str| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
    let files: Vec<String> = listing.files().filter_map(inside).collect();
    let inner = Listing::new(&files);
    let tests: Vec<&str> =
        inner.files().filter(|path| extension(path) == "py" && is_test_file(path)).collect();
    let read = |path: &str| read(&join(folder, path));
    // Which interpreter that is, is found out there.
    let there = PythonFacts { interpreter: ANY.to_owned(), ..python.clone() };
    let line = verify_line(&inner, &read, &there, &tests);
    in_folder(folder, &format!("{}{line}", source_path(src_layout)))
}

const fn source_path(src_layout: bool) -> &'static str {
    if src_layout { "PYTHONPATH=src " } else { "" }
}

/// The interpreter by the name that is replaced with the one that is there.
const ANY: &str = "python3";

/// The interpreter to use; the order is that of the command of [`Probe::Pytest`].
fn interpreter(probes: &Probes) -> &'static str {
    [
        (Probe::DotVenvPython, ".venv/bin/python"),
        (Probe::VenvPython, "venv/bin/python"),
        (Probe::Python3, "python3"),
        (Probe::Python, "python"),
    ]
    .into_iter()
    .find(|(probe, _)| probes.has(*probe))
    .map_or("python3", |(_, program)| program)
}

fn packages(listing: &Listing<'_>, src_layout: bool) -> Vec<String> {
    let base = if src_layout { "src/" } else { "" };
    let mut names: Vec<String> = listing
        .files()
        .filter(|path| extension(path) == "py" && !is_test_file(path))
        .filter_map(|path| path.strip_prefix(base))
        .map(|path| match path.split_once('/') {
            Some((package, _)) => package.to_owned(),
            None => stem(path).to_owned(),
        })
        .filter(|name| {
            !matches!(name.as_str(), "tests" | "test" | "setup" | "conftest" | "docs" | "__init__")
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// pytest where it is installed; unittest where it finds every test and every test is written for it;
/// else pytest's command line, which the built-in runner understands.
fn verify_line(
    listing: &Listing<'_>,
    read: &dyn Fn(&str) -> Option<String>,
    python: &PythonFacts,
    tests: &[&str],
) -> String {
    let program = &python.interpreter;
    if !python.has_pytest {
        let is_unittest = tests.len() <= MAX_READ
            && tests.iter().all(|path| read(path).is_some_and(|text| only_unittest(&text)));
        if is_unittest && let Some(start) = unittest_start(listing, tests) {
            return format!("{program} -m unittest{start}");
        }
    }
    format!("{program} -m pytest -q")
}

fn only_unittest(text: &str) -> bool {
    let has_cases = text.contains("unittest");
    let needs_pytest = text.lines().any(|line| {
        line.starts_with("def test")
            || line.starts_with("async def test")
            || line.trim_start().starts_with("import pytest")
            || line.trim_start().starts_with("from pytest")
    });
    has_cases && !needs_pytest
}

/// The arguments with which unittest discovers all the tests, if it can: it enters packages only.
fn unittest_start(listing: &Listing<'_>, tests: &[&str]) -> Option<String> {
    let is_discovered = |path: &&str| name(path).starts_with("test");
    if !tests.iter().all(is_discovered) {
        return None;
    }
    let in_packages = |path: &&str| {
        let mut dir = folder(path);
        while !dir.is_empty() {
            if !listing.has(&join(dir, "__init__.py")) {
                return false;
            }
            dir = folder(dir);
        }
        true
    };
    if tests.iter().all(in_packages) {
        return Some(String::new());
    }
    let first = folder(tests.first()?);
    let is_flat = tests.iter().all(|path| folder(path) == first);
    (is_flat && !listing.has(&join(first, "__init__.py")))
        .then(|| path_argument(first).map(|dir| format!(" discover -s {dir}")))
        .flatten()
}

/// Runs one test file.
pub(super) fn test_command(path: &str, facts: &ProjectFacts) -> Option<String> {
    let folders = facts.python.as_ref().map(|python| python.folders.as_slice()).unwrap_or_default();
    if let Some((folder, src_layout)) = folders.iter().find(|(folder, _)| is_below(path, folder)) {
        let file = path_argument(path.strip_prefix(folder.as_str())?.trim_start_matches('/'))?;
        let source_path = source_path(*src_layout);
        return in_folder(folder, &format!("{source_path}{ANY} -m pytest -q {file}"));
    }
    let program = facts.python.as_ref().map_or(ANY, |python| python.interpreter.as_str());
    Some(format!("{program} -m pytest -q {}", path_argument(path)?))
}
