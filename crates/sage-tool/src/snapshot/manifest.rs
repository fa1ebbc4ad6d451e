//! What a snapshot says: every entry of a tree, in a form whose bytes depend on nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sage_core::{BlobRef, FileState};
use serde::{Deserialize, Serialize};

use crate::path;
use crate::workspace::{FOLDER_MODE, LINK_MODE};

/// How much of a tree a snapshot covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// Everything, ignored files up to caps.
    Everything,
    /// What git does not ignore.
    NotIgnored,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A regular file whose content is kept.
    File { mode: u32, size: u64, hash: BlobRef },
    /// A regular file (or something special) whose content is not.
    Uncovered { mode: u32, size: u64, mtime_ns: i64 },
    /// A symbolic link.
    Link { target: String },
    /// A folder; what is in a closed one is not in the manifest.
    Folder {
        mode: u32,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        closed: bool,
    },
}

impl Entry {
    /// The entry as a state that can be compared with the disk's and the log's.
    pub(crate) fn state(&self) -> FileState {
        match self {
            Self::File { mode, hash, .. } => FileState { hash: hash.clone(), mode: *mode },
            Self::Uncovered { mode, size, mtime_ns } => {
                FileState { hash: stat_hash(*size, *mtime_ns), mode: *mode }
            }
            Self::Link { target } => FileState {
                hash: BlobRef::of(path::decode(target).as_encoded_bytes()),
                mode: LINK_MODE,
            },
            Self::Folder { mode, .. } => folder_state(*mode),
        }
    }

    /// Whether it can be made again from what is kept.
    fn is_covered(&self) -> bool {
        !matches!(self, Self::Uncovered { .. } | Self::Folder { closed: true, .. })
    }
}

/// Stands for the content of a file that is not read.
pub(crate) fn stat_hash(size: u64, mtime_ns: i64) -> BlobRef {
    BlobRef::of(format!("size {size} mtime {mtime_ns}").as_bytes())
}

pub(crate) fn folder_state(mode: u32) -> FileState {
    FileState { hash: BlobRef::of(b""), mode: FOLDER_MODE | mode }
}

/// All entries of a tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    pub covers: Covers,
    pub entries: BTreeMap<String, Entry>,
    /// Entries that git ignores; what is below such a folder is ignored with it, named here or not.
    pub ignored: BTreeSet<String>,
}

impl Manifest {
    pub(crate) fn new(covers: Covers) -> Self {
        Self { covers, entries: BTreeMap::new(), ignored: BTreeSet::new() }
    }

    pub(super) fn is_ignored(&self, path: &str) -> bool {
        !self.ignored.is_empty() && with_ancestors(path).any(|path| self.ignored.contains(path))
    }
}

/// A path that differs between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Relative to the work tree. Folders appear too; their mode has the type bits of a folder.
    pub path: String,
    /// In the first; absent if it did not exist.
    pub before: Option<FileState>,
    /// In the second; absent if it does not exist.
    pub after: Option<FileState>,
    /// Whether what was there first can be made again from what is kept.
    pub is_covered: bool,
    /// Whether git ignored it where it was there first, or ignores it now if it is new.
    pub ignored: bool,
}

/// One state of a work tree. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    id: BlobRef,
    manifest: Arc<Manifest>,
}

impl Snapshot {
    pub(crate) fn new(id: BlobRef, manifest: Manifest) -> Self {
        Self { id, manifest: Arc::new(manifest) }
    }

    /// A snapshot that is in no store.
    pub(crate) fn unsaved(manifest: Manifest) -> Self {
        Self::new(BlobRef::of(b""), manifest)
    }

    /// Its address in the store; equal trees have equal addresses.
    #[must_use]
    pub fn id(&self) -> &BlobRef {
        &self.id
    }

    /// Number of files and links.
    #[must_use]
    pub fn n_files(&self) -> u64 {
        let is_file = |entry: &&Entry| !matches!(entry, Entry::Folder { .. });
        self.manifest.entries.values().filter(is_file).count() as u64
    }

    /// Paths whose contents are not kept; folders end with `/`. Sorted.
    #[must_use]
    pub fn not_covered(&self) -> Vec<String> {
        let named = |(path, entry): (&String, &Entry)| match entry {
            Entry::Uncovered { .. } => Some(path.clone()),
            Entry::Folder { closed: true, .. } => Some(format!("{path}/")),
            _ => None,
        };
        self.entries().iter().filter_map(named).collect()
    }

    /// What it holds at a path.
    #[must_use]
    pub fn state(&self, path: &str) -> Option<FileState> {
        self.entry(path).map(Entry::state)
    }

    /// Whether what it holds at a path can be made again; also true where it holds nothing.
    #[must_use]
    pub fn is_covered(&self, path: &str) -> bool {
        self.entry(path).is_none_or(Entry::is_covered)
    }

    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        self.manifest.entries.get(path)
    }

    pub(crate) fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.manifest.entries
    }

    /// Whether it has a folder here whose contents it has, or does not have; `None` for no folder.
    pub(crate) fn is_closed(&self, path: &str) -> Option<bool> {
        match self.entry(path) {
            Some(Entry::Folder { closed: true, .. }) => Some(true),
            Some(Entry::Folder { .. }) => {
                let below = format!("{path}/");
                let next = self.entries().range(below.clone()..).next();
                // One that was empty says nothing about what it will be filled with.
                next.is_some_and(|(path, _)| path.starts_with(&below)).then_some(false)
            }
            _ => None,
        }
    }

    /// The addresses of the contents it refers to.
    pub(crate) fn contents(&self) -> impl Iterator<Item = BlobRef> {
        self.manifest.entries.values().filter_map(|entry| match entry {
            Entry::File { hash, .. } => Some(hash.clone()),
            Entry::Link { .. } => Some(entry.state().hash),
            _ => None,
        })
    }

    /// This state without some entries; it keeps its address, under which it is still whole.
    pub(crate) fn without(&self, is_left_out: &dyn Fn(&str) -> bool) -> Self {
        if !self.entries().keys().any(|path| is_left_out(path)) {
            return self.clone();
        }
        let mut manifest = (*self.manifest).clone();
        manifest.entries.retain(|path, _| !is_left_out(path));
        Self::new(self.id.clone(), manifest)
    }

    pub(crate) fn difference(&self, to: &Self) -> Vec<Difference> {
        let (from, to) = (&*self.manifest, &*to.manifest);
        let is_hidden = |side: &Manifest, path: &str| {
            let closed = |folder: &str| {
                matches!(side.entries.get(folder), Some(Entry::Folder { closed: true, .. }))
            };
            with_ancestors(path).skip(1).any(closed)
        };
        let mut differences = difference(from, to);
        // What one of the two did not look into is unknown there, not gone or new.
        let is_same = from.covers == to.covers;
        differences.retain(|found| is_same || !found.ignored);
        differences.retain(|found| match (&found.before, &found.after) {
            (Some(_), None) => !is_hidden(to, &found.path),
            (None, Some(_)) => !is_hidden(from, &found.path),
            _ => true,
        });
        differences
    }
}

/// What differs between two states, or between those parts of them that they do not share, by path.
pub(super) fn difference(from: &Manifest, to: &Manifest) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (path, old) in &from.entries {
        let new = to.entries.get(path);
        if new == Some(old) {
            continue;
        }
        let (before, after) = (Some(old.state()), new.map(Entry::state));
        if before != after {
            differences.push(Difference {
                path: path.clone(),
                before,
                after,
                is_covered: old.is_covered(),
                ignored: from.is_ignored(path),
            });
        }
    }
    for (path, new) in to.entries.iter().filter(|(path, _)| !from.entries.contains_key(*path)) {
        differences.push(Difference {
            path: path.clone(),
            before: None,
            after: Some(new.state()),
            is_covered: true,
            ignored: to.is_ignored(path),
        });
    }
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    differences
}

/// The path itself, then the folders above it, innermost first.
fn with_ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(parent, _)| parent))
}
