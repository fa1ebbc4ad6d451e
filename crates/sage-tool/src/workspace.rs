//! The user's work tree: the only files that tools can see or change.
//!
//! Invariants: no path that [`Workspace::resolve`] gives lies outside the root, in `.git` or in
//! `.sage`, also not through symbolic links; a file is replaced as a whole or not at all. Between
//! resolving and using a path another process could still swap a folder for a link: every write looks
//! again, and processes are the sandbox's business.
//!
//! What is not here: who may write what ([`crate::Grant`]) and telling the log about it (`change`).

mod activity;
mod copy;
mod ignores;
mod together;
mod walk;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sage_core::{BlobRef, FileState};

use crate::error::{Error, Result};
use crate::merge::Version;
use crate::path::{self, PathError, WorkPath};
use crate::snapshot::{Snapshot, is_refillable};

pub use activity::Claim;
pub(crate) use activity::{Activity, Busy, Leaving};
pub use copy::CopyWhat;
pub(crate) use together::Planned;
pub(crate) use walk::{Descend, Found, Kind, Walk, walk};
pub(crate) use write::{TEMP_PREFIX, new_temp, permissions};

/// Most files that a walk lists.
pub const MAX_WALK_FILES: usize = 200_000;

/// A file that a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkFile {
    /// Where.
    pub path: WorkPath,
    /// Size in bytes; that of the link itself for a symbolic link.
    pub size: u64,
}

/// The files of a tree that are neither ignored nor protected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files and symbolic links, sorted by path.
    pub files: Vec<WorkFile>,
    /// Whether there are more than [`MAX_WALK_FILES`].
    pub truncated: bool,
}

/// The root of the user's files, and everything that happens below it.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    /// The root as it was named, which models may have seen.
    named: PathBuf,
    /// Held while a file is compared with what a change was computed from, and replaced.
    writing: Mutex<()>,
    activity: Mutex<Activity>,
    /// The last snapshot of all of it: later ones look into the same folders.
    last_look: Mutex<Option<Snapshot>>,
}

impl Workspace {
    /// Opens the tree below `root`, an existing folder.
    pub fn open(root: &Path) -> Result<Self> {
        let fail = |source| Error::OpenWorkspace { path: root.to_owned(), source };
        let canonical = fs::canonicalize(root).map_err(fail)?;
        if !canonical.is_dir() {
            return Err(fail(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        Ok(Self {
            root: canonical,
            named: root.to_owned(),
            writing: Mutex::new(()),
            activity: Mutex::new(Activity::default()),
            last_look: Mutex::new(None),
        })
    }

    /// The root, absolute and without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The address of the root: two trees of one run, such as the project and a copy of it, have
    /// different ones.
    #[must_use]
    pub fn root_ref(&self) -> BlobRef {
        BlobRef::of(self.root.as_os_str().as_encoded_bytes())
    }

    /// Finds the file that a text names, following symbolic links inside the tree; it need not exist.
    ///
    /// Errors: everything that leaves the tree or is protected (see [`PathError::is_escape`]), and
    /// malformed paths.
    pub fn resolve(&self, text: &str) -> std::result::Result<WorkPath, PathError> {
        let path = path::normalise(text, &[&self.root, &self.named])?;
        self.follow(path.as_str(), text)
    }

    /// Like [`Self::resolve`], but a final symbolic link is named itself, as for deleting it.
    pub fn resolve_entry(&self, text: &str) -> std::result::Result<WorkPath, PathError> {
        let path = path::normalise(text, &[&self.root, &self.named])?;
        let Some(parent) = path.parent() else { return Ok(path) };
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        let parent = self.follow(parent.as_str(), text)?;
        let whole = if parent.is_root() { name.to_owned() } else { format!("{parent}/{name}") };
        if path::is_protected(&whole) {
            return Err(PathError::Protected(text.to_owned()));
        }
        Ok(WorkPath::trusted(whole))
    }

    /// Replaces each symbolic link on the way by where it leads.
    fn follow(&self, path: &str, text: &str) -> std::result::Result<WorkPath, PathError> {
        let short = || text.chars().take(200).collect::<String>();
        let mut at = self.root.clone();
        let mut names = path.split('/').filter(|name| !name.is_empty());
        for name in names.by_ref() {
            let next = at.join(path::decode(name));
            match fs::symlink_metadata(&next) {
                Ok(meta) if meta.is_symlink() => {
                    at = fs::canonicalize(&next).map_err(|_| PathError::BrokenLink(short()))?;
                    if !at.starts_with(&self.root) {
                        return Err(PathError::LinkOutside(short()));
                    }
                }
                Ok(_) => at = next,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Nothing below can exist, so nothing below can be a link.
                    at = next;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(PathError::NotAFolder { path: short(), file: self.name_of(&at) });
                }
                Err(error) => {
                    return Err(PathError::Unreadable {
                        path: short(),
                        problem: error.to_string(),
                    });
                }
            }
        }
        names.for_each(|name| at.push(path::decode(name)));
        let found = self.name_of(&at);
        if path::is_protected(&found) {
            return Err(PathError::Protected(short()));
        }
        Ok(WorkPath::trusted(found))
    }

    /// The relative text of an absolute path below the root.
    fn name_of(&self, at: &Path) -> String {
        at.strip_prefix(&self.root).map(|rest| path::encode(rest.as_os_str())).unwrap_or_default()
    }

    /// Reads a whole file. Anything that is no file is an error: opening a pipe would wait for ever.
    pub fn read(&self, path: &WorkPath) -> Result<Vec<u8>> {
        let at = path.under(&self.root);
        let fail = |source| Error::io("reading", path.as_str(), source);
        if !fs::metadata(&at).map_err(fail)?.is_file() {
            return Err(fail(io::Error::other("not a regular file")));
        }
        fs::read(&at).map_err(fail)
    }

    /// What is at a path now: `None` when there is nothing. A folder or a special file is an error.
    pub fn state(&self, path: &WorkPath) -> Result<Option<FileState>> {
        Ok(self.content(path)?.map(|content| content.state))
    }

    /// What is at a path now, as a side of a merge: links are not followed, and nothing is `None`. A
    /// folder or a special file is an error.
    pub fn version(&self, path: &WorkPath) -> Result<Option<Version>> {
        let content = self.content(path)?;
        Ok(content.map(|content| Version { bytes: content.bytes, mode: content.state.mode }))
    }

    /// The bytes of a file with the state they make. A symbolic link's bytes are its target.
    pub(crate) fn content(&self, path: &WorkPath) -> Result<Option<Content>> {
        let at = path.under(&self.root);
        let fail = |source| Error::io("reading", path.as_str(), source);
        let meta = match fs::symlink_metadata(&at) {
            Ok(meta) => meta,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let bytes = if meta.is_symlink() {
            fs::read_link(&at).map_err(fail)?.into_os_string().into_encoded_bytes()
        } else if meta.is_file() {
            fs::read(&at).map_err(fail)?
        } else if meta.is_dir() {
            return Err(fail(io::Error::from(io::ErrorKind::IsADirectory)));
        } else {
            return Err(fail(io::Error::other("not a regular file")));
        };
        let state = FileState { hash: BlobRef::of(&bytes), mode: mode_of(&meta) };
        Ok(Some(Content { bytes, state }))
    }

    /// Lists the files that are neither ignored (`.gitignore`, `.sageignore`) nor protected; other
    /// hidden files are included. Folders that cannot be read are left out, and folders that package
    /// managers and build tools fill.
    pub fn walk(&self) -> Result<Listing> {
        self.walk_below(&WorkPath::trusted(""), &|| false)
    }

    /// Like [`Self::walk`] for one folder; ends early with [`Error::Cancelled`] when `stop` says so.
    pub(crate) fn walk_below(&self, below: &WorkPath, stop: &dyn Fn() -> bool) -> Result<Listing> {
        let mut listing = Listing::default();
        let options = Walk { below: below.clone(), ignored: false, keep_temp: false };
        walk(&self.root, &options, &mut |found| {
            if stop() {
                return Err(Error::Cancelled);
            }
            // Nor what package managers and build tools fill, where nobody ignores it.
            let is_filled = || is_refillable(&found.at, &found.path, found.ignored);
            if found.hidden || (found.kind == Kind::Folder && is_filled()) {
                return Ok(Descend::No);
            }
            if matches!(found.kind, Kind::File | Kind::Link) {
                if listing.files.len() == MAX_WALK_FILES {
                    listing.truncated = true;
                    return Ok(Descend::Stop);
                }
                let size = found.meta.len();
                listing.files.push(WorkFile { path: WorkPath::trusted(found.path), size });
            }
            Ok(Descend::Yes)
        })?;
        listing.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// Has snapshots look into the folders that this one looked into, and not into those that it did
    /// not, so that the two can be compared. Each snapshot of everything does this by itself.
    pub fn look_like(&self, snapshot: &Snapshot) {
        *self.last_look.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
    }

    pub(crate) fn last_look(&self) -> Option<Snapshot> {
        self.last_look.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the one right to change files. Never held across an await.
    pub(crate) fn write_lock(&self) -> WriteLock<'_> {
        WriteLock { _guard: self.writing.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(crate) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to change files of one work tree.
pub(crate) struct WriteLock<'a> {
    /// Held for its drop.
    _guard: MutexGuard<'a, ()>,
}

/// A file's bytes and the state they make.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub bytes: Vec<u8>,
    pub state: FileState,
}

/// The type bits of a symbolic link in a mode, by which its state differs from any file's.
pub const LINK_MODE: u32 = 0o120_777;
/// The type bits of a folder in a mode.
pub const FOLDER_MODE: u32 = 0o040_000;

/// Permission bits, with type bits for everything that is not a regular file.
pub(crate) fn mode_of(meta: &fs::Metadata) -> u32 {
    if meta.is_symlink() {
        return LINK_MODE;
    }
    let folder = if meta.is_dir() { FOLDER_MODE } else { 0 };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        folder | (meta.permissions().mode() & 0o7777)
    }
    #[cfg(not(unix))]
    {
        folder | if meta.permissions().readonly() { 0o444 } else { 0o644 }
    }
}

/// Whether an error means that there is nothing at a path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
