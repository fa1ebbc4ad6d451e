//! Which files hold tests, and how to run one of them alone.

use super::listing::{extension, folder, name, stem};
use super::{ProjectFacts, go, javascript, jvm, python, rust};

/// Whether a file holds tests, by the conventions of its language's runners.
#[must_use]
pub fn is_test_file(path: &str) -> bool {
    let (stem, name) = (stem(path), name(path));
    let in_folder = |wanted: &str| folder(path).split('/').any(|part| part == wanted);
    match extension(path) {
        "py" => stem.starts_with("test_") || stem.ends_with("_test"),
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" | "mts" | "cts" => {
            stem.ends_with(".test")
                || stem.ends_with(".spec")
                || stem.ends_with("-test")
                || stem.ends_with("_test")
                || stem.starts_with("test-")
                || stem == "test"
                || in_folder("__tests__")
        }
        "rs" => {
            let is_target = folder(path) == "tests" || folder(path).ends_with("/tests");
            is_target && !matches!(name, "mod.rs" | "common.rs") && !in_folder("src")
                || path.ends_with("/main.rs")
                    && folder(folder(path)).rsplit('/').next() == Some("tests")
                || matches!(stem, "tests" | "test")
                || stem.ends_with("_test")
                || stem.ends_with("_tests")
        }
        "go" => stem.ends_with("_test"),
        "java" | "kt" => {
            stem.ends_with("Test")
                || stem.ends_with("Tests")
                || stem.ends_with("IT")
                || stem
                    .strip_prefix("Test")
                    .is_some_and(|rest| rest.chars().next().is_some_and(char::is_uppercase))
        }
        "rb" => stem.ends_with("_test") || stem.ends_with("_spec") || stem.starts_with("test_"),
        "php" => stem.ends_with("Test"),
        _ => false,
    }
}

/// The command that runs the tests of one file, or as few more as the runner allows; to be passed
/// through [`super::runnable`]. `None` when no runner for it is known or installed.
#[must_use]
pub fn test_command_for(path: &str, facts: &ProjectFacts) -> Option<String> {
    match extension(path) {
        "py" => python::test_command(path, facts),
        "rs" => rust::test_command(path, facts),
        "go" => go::test_command(path, facts),
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" | "mts" | "cts" => {
            javascript::test_command(path, facts)
        }
        "java" | "kt" => jvm::test_command(path, facts),
        _ => None,
    }
}
