//! What a jail cannot prevent is found afterwards: a `.git` or `.sage` that a command brought into
//! being, a repository inside the tree that it made or moved, and, where nothing protects them, changes
//! to the files in them that decide what runs.
//!
//! A repository is not deleted, as a person may have made it meanwhile: it is set aside in `.sage`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::places;

/// Files of a repository and of the program that decide what is run or allowed, relative to a root.
const DECIDING: &[&str] = &[
    ".git/config",
    ".git/hooks",
    ".git/info",
    ".sage/policy.json",
    ".sage/config.yaml",
    ".sage/models.yaml",
    ".sage/rules.md",
    ".sage-rules.md",
];
/// Larger files are no settings.
const MAX_KEPT_BYTES: u64 = 1024 * 1024;
/// Entries of one folder that are kept.
const MAX_KEPT_ENTRIES: usize = 200;
/// Where under `.sage` repositories go that a command made.
const SET_ASIDE: &str = "set-aside";
/// How many of one name are kept there.
const MAX_SET_ASIDE: u32 = 1000;

/// The state before a command.
#[derive(Debug)]
pub(crate) struct Guard {
    absent: Vec<PathBuf>,
    kept: BTreeMap<PathBuf, Vec<u8>>,
    /// Protected links, over which nothing can be mounted, and where they lead.
    links: Vec<(PathBuf, PathBuf)>,
    /// Where the repositories inside the tree are, by what they are: their folders may be moved.
    nested: BTreeMap<Identity, PathBuf>,
    root: PathBuf,
}

/// Device and number of a file, which stay when it is moved.
type Identity = (u64, u64);

impl Guard {
    /// Notes what is there; `is_protected` says whether the kernel keeps what is there as it is.
    pub(crate) fn before(root: &Path, is_protected: bool) -> Self {
        let kept = if is_protected { BTreeMap::new() } else { deciding(root) };
        let link = |path: PathBuf| fs::read_link(&path).ok().map(|to| (path, to));
        let links = places::protected(root).into_iter().filter_map(link).collect();
        let nested = places::nested_repositories(root);
        let nested = nested.into_iter().filter_map(|path| Some((identity(&path)?, path))).collect();
        Self { absent: places::never_made(root), kept, links, nested, root: root.to_owned() }
    }

    /// Puts back what a command must not have changed, and says so, one line each.
    pub(crate) fn after(self) -> Vec<String> {
        let mut notes = Vec::new();
        for path in self.absent {
            if path.symlink_metadata().is_ok() {
                let is_repository = path.file_name().is_some_and(|name| name == ".git");
                let gone = if is_repository { set_aside(&self.root, &path) } else { remove(&path) };
                notes.push(note(&path, &self.root, "was made by the command", gone));
            }
        }
        for (path, to) in &self.links {
            if fs::read_link(path).ok().as_ref() != Some(to) {
                let put_back = remove(path).or_else(ignore_absence).and_then(|()| link(to, path));
                notes.push(note(path, &self.root, "was changed by the command", put_back));
            }
        }
        notes.extend(repositories_as_before(&self.nested, &self.root));
        if self.kept.is_empty() {
            return notes;
        }
        let now = deciding(&self.root);
        for (path, content) in &self.kept {
            if now.get(path) != Some(content) {
                let put_back = fs::write(path, content);
                notes.push(note(path, &self.root, "was changed by the command", put_back));
            }
        }
        for path in now.keys().filter(|path| !self.kept.contains_key(*path)) {
            notes.push(note(path, &self.root, "was made by the command", remove(path)));
        }
        notes
    }
}

fn note(path: &Path, root: &Path, what: &str, done: std::io::Result<()>) -> String {
    let shown = path.strip_prefix(root).unwrap_or(path).display();
    match done {
        Ok(()) => format!("{shown} {what}; it is protected, and was put back as it was before"),
        Err(error) => {
            format!("{shown} {what}; it is protected, and could not be put back: {error}")
        }
    }
}

/// Puts the repositories inside the tree back to where they were; those that are new are set aside.
fn repositories_as_before(before: &BTreeMap<Identity, PathBuf>, root: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    let mut moved = Vec::new();
    for path in places::nested_repositories(root) {
        match identity(&path).and_then(|id| before.get(&id)) {
            Some(known) if *known == path => {}
            Some(known) => moved.push((path, known)),
            None if cfg!(not(unix)) => {}
            None => {
                let gone = set_aside(root, &path);
                notes.push(note(&path, root, "was made by the command", gone));
            }
        }
    }
    for (path, known) in moved {
        let parent = known.parent().unwrap_or(root);
        let back = fs::create_dir_all(parent).and_then(|()| fs::rename(&path, known));
        notes.push(note(known, root, "was moved by the command", back));
    }
    notes
}

/// Moves something to where nothing finds it by itself, and a person can.
fn set_aside(root: &Path, path: &Path) -> std::io::Result<()> {
    let state = root.join(".sage");
    if !state.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return remove(path);
    }
    let folder = state.join(SET_ASIDE);
    fs::create_dir_all(&folder)?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('/', "_");
    // A leading dot would make it a repository again.
    let mut places = (1..=MAX_SET_ASIDE).map(|n| folder.join(format!("{n}-{name}")));
    match places.find(|place| place.symlink_metadata().is_err()) {
        Some(place) => fs::rename(path, place),
        None => remove(path),
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().ok().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

fn ignore_absence(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

fn remove(path: &Path) -> std::io::Result<()> {
    let is_folder = path.symlink_metadata()?.is_dir();
    if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn deciding(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut kept = BTreeMap::new();
    for path in DECIDING.iter().map(|name| root.join(name)) {
        let entries = fs::read_dir(&path).into_iter().flatten().flatten().take(MAX_KEPT_ENTRIES);
        for path in entries.map(|entry| entry.path()).chain([path]) {
            let is_small = path.metadata().is_ok_and(|m| m.is_file() && m.len() <= MAX_KEPT_BYTES);
            if is_small && let Ok(bytes) = fs::read(&path) {
                kept.insert(path, bytes);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_made_or_changed_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join(".git/hooks")).unwrap();
        fs::write(root.join(".git/config"), "a").unwrap();
        fs::write(root.join(".git/hooks/old"), "old").unwrap();
        let guard = Guard::before(root, false);
        fs::write(root.join(".git/config"), "b").unwrap();
        fs::write(root.join(".git/hooks/pre-commit"), "evil").unwrap();
        fs::remove_file(root.join(".git/hooks/old")).unwrap();
        fs::create_dir(root.join(".sage")).unwrap();
        fs::write(root.join(".sage/policy.json"), "{}").unwrap();
        let notes = guard.after();
        assert_eq!(notes.len(), 4, "{notes:?}");
        assert_eq!(fs::read(root.join(".git/config")).unwrap(), b"a");
        assert_eq!(fs::read(root.join(".git/hooks/old")).unwrap(), b"old");
        assert!(!root.join(".git/hooks/pre-commit").exists());
        assert!(!root.join(".sage").exists());
        assert!(Guard::before(root, true).after().is_empty());
    }

    #[test]
    fn repositories_inside_the_tree_stay_where_they_are_and_no_new_ones_appear() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join(".sage")).unwrap();
        fs::create_dir_all(root.join("sub/.git/hooks")).unwrap();
        fs::write(root.join("sub/.git/HEAD"), "mine").unwrap();
        let guard = Guard::before(root, true);
        fs::rename(root.join("sub"), root.join("sub2")).unwrap();
        fs::create_dir_all(root.join("sub/.git/hooks")).unwrap();
        fs::write(root.join("sub/.git/hooks/pre-commit"), "evil").unwrap();
        fs::create_dir_all(root.join("lib/deep/.git")).unwrap();
        let notes = guard.after();
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert_eq!(fs::read(root.join("sub/.git/HEAD")).unwrap(), b"mine");
        assert!(!root.join("sub/.git/hooks/pre-commit").exists());
        assert!(!root.join("sub2/.git").exists() && !root.join("lib/deep/.git").exists());
        let aside = fs::read_dir(root.join(".sage/set-aside")).unwrap();
        assert_eq!(aside.count(), 2, "both are kept");
    }
}
