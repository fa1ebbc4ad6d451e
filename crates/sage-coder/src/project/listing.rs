//! The paths of a project, without those that belong to others.

/// Folders whose content is not the project's own.
const FOREIGN: [&str; 14] = [
    "node_modules",
    "vendor",
    "third_party",
    "site-packages",
    ".venv",
    "venv",
    "target",
    "dist",
    "build",
    "__pycache__",
    ".tox",
    ".git",
    ".sage",
    "testdata",
];

/// Sorted paths of a work tree, `/`-separated.
pub(super) struct Listing<'a> {
    files: Vec<&'a str>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(files: &'a [String]) -> Self {
        let is_own = |path: &&str| !folder(path).split('/').any(|part| FOREIGN.contains(&part));
        let mut files: Vec<&str> = files.iter().map(String::as_str).filter(is_own).collect();
        files.sort_unstable();
        Self { files }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &'a str> {
        self.files.iter().copied()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.binary_search(&path).is_ok()
    }

    /// Whether a file lies somewhere below a folder (`""` is the root).
    pub(super) fn below(&self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.files().filter(move |path| is_below(path, folder))
    }

    /// The folders that have a file of one of these names, the root if it does, else the topmost ones
    /// (not below each other), at most `limit`.
    pub(super) fn roots(&self, names: &[&str], limit: usize) -> Vec<&'a str> {
        let mut folders: Vec<&str> =
            self.files().filter(|path| names.contains(&name(path))).map(folder).collect();
        folders.sort_by_key(|folder| (depth(folder), *folder));
        folders.dedup();
        let mut roots: Vec<&str> = Vec::new();
        for folder in folders {
            if !roots
                .iter()
                .any(|root| root.is_empty() || is_below(folder, root) || *root == folder)
            {
                roots.push(folder);
            }
        }
        roots.truncate(limit);
        roots
    }
}

/// Everything before the last slash.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Everything after the last slash.
pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The last extension, without the dot.
pub(super) fn extension(path: &str) -> &str {
    name(path)
        .rsplit_once('.')
        .map_or("", |(stem, extension)| if stem.is_empty() { "" } else { extension })
}

/// The name without its last extension.
pub(super) fn stem(path: &str) -> &str {
    let name = name(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether a path lies below a folder (`""` is the root).
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// A file beside another one: `join("", "a") == "a"`.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn depth(folder: &str) -> usize {
    if folder.is_empty() { 0 } else { 1 + folder.matches('/').count() }
}
