//! Python: interpreter, layout, and which of pytest, unittest and the built-in runner runs the tests.

use serde::{Deserialize, Serialize};

use super::listing::{Listing, extension, folder, join, name, stem};
use super::shell::path_argument;
use super::{Probe, Probes, ProjectFacts, is_test_file};

/// Test files that are read to see how they are written, at most.
const MAX_READ: usize = 40;

/// Files at the root that make a folder a Python project.
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
    };
    let has_python = [Probe::DotVenvPython, Probe::VenvPython, Probe::Python3, Probe::Python]
        .into_iter()
        .any(|probe| probes.has(probe));
    let tests: Vec<&str> =
        listing.files().filter(|path| is_python(path) && is_test_file(path)).collect();
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
            if !python.has_pytest {
                facts.notes.push(format!(
                    "pytest is not installed: write tests with unittest or as plain functions \
                     without fixtures; `{} -m pytest` runs a small replacement",
                    python.interpreter
                ));
            }
        } else {
            facts.notes.push("there are Python tests, but Python is not installed".to_owned());
        }
    }
    facts.python = Some(python);
}

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
    let program = facts.python.as_ref().map_or("python3", |python| python.interpreter.as_str());
    Some(format!("{program} -m pytest -q {}", path_argument(path)?))
}
