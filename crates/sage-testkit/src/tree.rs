//! What a folder holds, byte for byte, so that two states of it can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file, by its content's hash.
    File {
        /// Unix permission bits.
        mode: u32,
        /// Size in bytes.
        size: u64,
        /// BLAKE3 of the content, in hex.
        hash: String,
    },
    /// A folder.
    Folder {
        /// Unix permission bits.
        mode: u32,
    },
    /// A symbolic link, by its target.
    Link {
        /// As written in the link.
        target: String,
    },
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { mode, size, hash } => {
                write!(f, "file {mode:o} {size} bytes {}", &hash[..12])
            }
            Self::Folder { mode } => write!(f, "folder {mode:o}"),
            Self::Link { target } => write!(f, "link to {target}"),
        }
    }
}

/// Everything below a folder, by path relative to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The entries.
    pub entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// Reads a folder, leaving out whatever is called like one of `except` (a path relative to it).
    #[must_use]
    pub fn of(root: &Path, except: &[&str]) -> Self {
        let mut tree = Self::default();
        let mut pending = vec![root.to_owned()];
        while let Some(folder) = pending.pop() {
            let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
            for entry in entries {
                let path = entry.expect("an entry").path();
                let relative = path.strip_prefix(root).expect("below the root");
                let relative = relative.to_string_lossy().into_owned();
                if except.contains(&relative.as_str()) {
                    continue;
                }
                let entry = read_entry(&path);
                if matches!(entry, Entry::Folder { .. }) {
                    pending.push(path);
                }
                tree.entries.insert(relative, entry);
            }
        }
        tree
    }

    /// The paths of files and links.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        let is_file = |entry: &Entry| !matches!(entry, Entry::Folder { .. });
        self.entries.iter().filter(|(_, e)| is_file(e)).map(|(path, _)| path.as_str()).collect()
    }

    /// What is different in `after`, one line per path; empty when nothing is.
    #[must_use]
    pub fn diff(&self, after: &Self) -> String {
        let mut lines = Vec::new();
        for (path, old) in &self.entries {
            match after.entries.get(path) {
                None => lines.push(format!("- {path}: {old}")),
                Some(new) if new != old => lines.push(format!("~ {path}: {old} -> {new}")),
                Some(_) => {}
            }
        }
        for (path, new) in &after.entries {
            if !self.entries.contains_key(path) {
                lines.push(format!("+ {path}: {new}"));
            }
        }
        lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
        lines.join("\n")
    }
}

fn read_entry(path: &Path) -> Entry {
    let facts = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let mode = facts.permissions().mode() & 0o7777;
    if facts.is_symlink() {
        let target = fs::read_link(path).expect("a link").to_string_lossy().into_owned();
        return Entry::Link { target };
    }
    if facts.is_dir() {
        return Entry::Folder { mode };
    }
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let hash = blake3::hash(&bytes).to_hex().to_string();
    Entry::File { mode, size: bytes.len() as u64, hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_each_path_and_what_happened() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
        write("same", "1");
        write("gone", "2");
        write("changed", "3");
        let before = Tree::of(folder.path(), &[]);
        assert_eq!(before.diff(&Tree::of(folder.path(), &[])), "");
        fs::remove_file(folder.path().join("gone")).unwrap();
        write("changed", "4");
        write("new", "5");
        let after = Tree::of(folder.path(), &["new"]);
        let diff = before.diff(&after);
        let lines: Vec<&str> = diff.lines().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["~ changed", "- gone"]);
    }
}
