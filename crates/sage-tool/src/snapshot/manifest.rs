//! What a snapshot says: every entry of a tree, in a form whose bytes depend on nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use sage_core::{BlobRef, FileState};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::path;
use crate::workspace::{FOLDER_MODE, LINK_MODE};

/// Version of the manifest's form.
const VERSION: u32 = 1;

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
}

/// Stands for the content of a file that is not read.
pub(crate) fn stat_hash(size: u64, mtime_ns: i64) -> BlobRef {
    BlobRef::of(format!("size {size} mtime {mtime_ns}").as_bytes())
}

pub(crate) fn folder_state(mode: u32) -> FileState {
    FileState { hash: BlobRef::of(b""), mode: FOLDER_MODE | mode }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub version: u32,
    pub covers: Covers,
    pub entries: BTreeMap<String, Entry>,
    pub not_covered: Vec<String>,
}

impl Manifest {
    pub(crate) fn new(covers: Covers) -> Self {
        Self { version: VERSION, covers, entries: BTreeMap::new(), not_covered: Vec::new() }
    }

    pub(crate) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest: {error}"))?;
        if manifest.version > VERSION {
            return Err(format!("its manifest has version {}", manifest.version));
        }
        Ok(manifest)
    }

    /// Sorted and without choices, so that equal trees have equal addresses.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|error| Error::Internal(format!("a manifest is not JSON: {error}")))
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

    /// Paths whose contents are not kept; folders end with `/`.
    #[must_use]
    pub fn not_covered(&self) -> &[String] {
        &self.manifest.not_covered
    }

    /// What it holds at a path.
    #[must_use]
    pub fn state(&self, path: &str) -> Option<FileState> {
        self.entry(path).map(Entry::state)
    }

    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        self.manifest.entries.get(path)
    }

    pub(crate) fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.manifest.entries
    }

    /// The addresses of the contents it refers to.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &BlobRef> {
        self.manifest.entries.values().filter_map(|entry| match entry {
            Entry::File { hash, .. } => Some(hash),
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
        let (from, to) = (&self.manifest.entries, &to.manifest.entries);
        let mut differences = Vec::new();
        for (path, old) in from {
            let new = to.get(path);
            if new == Some(old) {
                continue;
            }
            let (before, after) = (Some(old.state()), new.map(Entry::state));
            if before != after {
                differences.push(Difference { path: path.clone(), before, after });
            }
        }
        for (path, new) in to.iter().filter(|(path, _)| !from.contains_key(*path)) {
            let (before, after) = (None, Some(new.state()));
            differences.push(Difference { path: path.clone(), before, after });
        }
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        differences
    }
}
