//! Files that tools write beside their work, whatever they were asked for.

/// Names of caches that language tools leave next to the sources.
const CACHES: [&str; 6] =
    ["__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".nyc_output"];

/// Names of files in which package managers record what they resolved, as a side effect of building.
const LOCKS: [&str; 14] = [
    "Cargo.lock",
    "go.sum",
    "go.work.sum",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "Gemfile.lock",
    "composer.lock",
    "gradle.lockfile",
];

/// Whether a path lies in a cache that is made again when it is missed.
pub(super) fn is_cache(path: &str) -> bool {
    path.split('/').any(|name| CACHES.contains(&name)) || path.ends_with(".pyc")
}

/// Whether a path is that of a lock file.
pub(super) fn is_lock(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| LOCKS.contains(&name))
}
