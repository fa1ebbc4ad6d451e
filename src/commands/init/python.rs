//! Whether a project is Python, whether pytest is configured, and a `pytest.ini` when it is not.

use std::path::Path;

use crate::failure::Failure;
use crate::files;

/// Folders that are looked into for sources.
const SOURCE_FOLDERS: &[&str] = &["", "src", "tests", "test"];

/// Most entries of one folder that are looked at.
const MAX_ENTRIES: usize = 2_000;

/// Whether there are Python files at the usual places.
pub fn has_sources(root: &Path) -> bool {
    SOURCE_FOLDERS.iter().any(|folder| {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        entries.take(MAX_ENTRIES).any(|entry| {
            Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "py")
        })
    })
}

/// The file that configures pytest, if one does.
pub fn configured_in(root: &Path) -> Result<Option<&'static str>, Failure> {
    const PLACES: &[(&str, &str)] = &[
        ("pytest.ini", ""),
        (".pytest.ini", ""),
        ("pyproject.toml", "[tool.pytest"),
        ("tox.ini", "[pytest]"),
        ("setup.cfg", "[tool:pytest]"),
    ];
    for (file, section) in PLACES {
        let text = files::read_if_exists(&root.join(file))?;
        if text.is_some_and(|text| {
            text.lines().any(|line| line.trim_start().starts_with(section)) || section.is_empty()
        }) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Settings by which tests find the sources without being installed.
pub fn pytest_ini(root: &Path) -> String {
    let sources = if root.join("src").is_dir() { ". src" } else { "." };
    let tests = ["tests", "test"].into_iter().find(|folder| root.join(folder).is_dir());
    let tests = tests.map(|folder| format!("testpaths = {folder}\n")).unwrap_or_default();
    format!("[pytest]\npythonpath = {sources}\n{tests}")
}
