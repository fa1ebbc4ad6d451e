//! Files in which package managers record what they resolved from a manifest.

use std::collections::BTreeSet;

use super::listing::{folder, join, name};

/// Manifests with the lock files that follow them.
const LOCKS: [(&str, &[&str]); 8] = [
    ("Cargo.toml", &["Cargo.lock"]),
    ("go.mod", &["go.sum"]),
    ("package.json", &["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"]),
    ("pyproject.toml", &["poetry.lock", "uv.lock", "pdm.lock"]),
    ("Pipfile", &["Pipfile.lock"]),
    ("Gemfile", &["Gemfile.lock"]),
    ("composer.json", &["composer.lock"]),
    ("build.gradle", &["gradle.lockfile"]),
];

/// The lock files that exist and that a change of `path` may change: those beside it, and those above
/// it, as all members of a workspace share one.
pub fn locks_of(path: &str, files: &BTreeSet<String>) -> Vec<String> {
    let Some((_, locks)) = LOCKS.iter().find(|(manifest, _)| *manifest == name(path)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut at = folder(path);
    loop {
        let here = locks.iter().map(|lock| join(at, lock));
        found.extend(here.filter(|lock| files.contains(lock)));
        if at.is_empty() {
            return found;
        }
        at = folder(at);
    }
}
