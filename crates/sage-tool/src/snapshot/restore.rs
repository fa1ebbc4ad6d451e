//! Putting a tree back into a state it had, and never over somebody else's work.
//!
//! Everything is compared before anything is changed: each path must be as the run left it, or already
//! as it shall be. Each step is repeatable, so that a second attempt completes one that was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use sage_core::{BlobRef, FileState};

use super::manifest::{Entry, Snapshot, folder_state, stat_hash};
use super::scan::{MAX_FILE_BYTES, is_refillable, is_tagged};
use super::stat_cache::Stamp;
use super::{Covers, SnapshotStore};
use crate::error::{Error, Result};
use crate::path::{self, WorkPath};
use crate::workspace::{Descend, FOLDER_MODE, Kind, Walk, Workspace, is_absent, mode_of, walk};

/// Which paths are restored.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// These.
    Paths(&'a [String]),
    /// Those that `expected` names: what the run touched.
    Touched,
    /// The whole tree: whatever differs from the snapshot, also where `expected` says nothing.
    Everything,
}

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Paths that were put back, sorted.
    pub paths: Vec<String>,
    /// Paths that differ from the snapshot and whose content it does not have.
    pub not_covered: Vec<String>,
}

/// How one path gets from what is there to what shall be there.
pub(crate) struct Trace {
    pub path: WorkPath,
    pub now: Option<FileState>,
    pub target: Option<Entry>,
}

impl SnapshotStore {
    /// Restores paths to what they were in `target`.
    ///
    /// `expected` is what the run left at each path it touched (`None`: nothing). A path that holds
    /// neither that nor what it shall hold was changed by somebody else: then nothing at all is
    /// changed, and [`Error::ChangedSince`] names all such paths. Safe to repeat after a crash.
    pub fn restore(
        &self,
        workspace: &Workspace,
        target: &Snapshot,
        scope: Scope<'_>,
        expected: &BTreeMap<String, Option<FileState>>,
    ) -> Result<Restored> {
        let candidates: BTreeSet<String> = match scope {
            Scope::Paths(paths) => paths.iter().cloned().collect(),
            Scope::Touched => expected.keys().cloned().collect(),
            Scope::Everything => {
                let now = self.take(workspace, Covers::Everything)?;
                let all = target.entries().keys().chain(now.entries().keys());
                all.chain(expected.keys()).cloned().collect()
            }
        };
        let _lock = workspace.write_lock();
        let mut restored = Restored::default();
        let mut foreign = Vec::new();
        let mut traces = Vec::new();
        for candidate in candidates {
            // A path out of a log is checked like any other.
            let path = path::normalise(&candidate, &[])?;
            let entry = target.entry(path.as_str());
            let now = state_on_disk(workspace, &path)?;
            let now = match entry {
                Some(Entry::Uncovered { .. }) => stat_state(workspace, &path)?,
                _ => now,
            };
            let wanted = entry.map(Entry::state);
            if now == wanted {
                continue;
            }
            let known = match expected.get(&candidate) {
                Some(left) => {
                    now == *left
                        || is_half_done(&now, left, &wanted)
                        // What a snapshot did not cover is told apart by its stat data.
                        || (left.is_some() && stat_state(workspace, &path)? == *left)
                }
                None => matches!(scope, Scope::Everything),
            };
            if !known {
                foreign.push(candidate);
                continue;
            }
            if let Some(Entry::Uncovered { .. }) = entry {
                restored.not_covered.push(candidate);
                continue;
            }
            traces.push(Trace { path, now, target: entry.cloned() });
        }
        if !foreign.is_empty() {
            return Err(Error::ChangedSince { paths: foreign });
        }
        for trace in &traces {
            if let Some(Entry::File { hash, .. }) = &trace.target {
                // Better to find damage now than half way.
                self.read(hash)?;
            }
        }
        let is_kept = |path: &str| target.entry(path).is_some();
        Self::put_back(Some(self), workspace, &traces, &is_kept, &mut Err)?;
        restored.paths = traces.iter().map(|trace| trace.path.as_str().to_owned()).collect();
        Ok(restored)
    }

    /// Removes the folders that say of themselves that they are caches, that `since` does not have and
    /// that git does not ignore: what build tools left behind. Returns their paths.
    pub fn remove_new_caches(workspace: &Workspace, since: &Snapshot) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let options = Walk { below: WorkPath::trusted(""), ignored: false, keep_temp: true };
        walk(workspace.root(), &options, &mut |entry| {
            if entry.kind != Kind::Folder {
                return Ok(Descend::Yes);
            }
            if since.entry(&entry.path).is_none() && is_tagged(&entry.at) {
                found.push(entry.path);
                return Ok(Descend::No);
            }
            let is_closed = is_refillable(&entry.at, &entry.path, false);
            Ok(if is_closed { Descend::No } else { Descend::Yes })
        })?;
        let _lock = workspace.write_lock();
        for path in &found {
            let at = workspace.safe_place(&WorkPath::trusted(path), false)?;
            match fs::remove_dir_all(&at) {
                Err(error) if !is_absent(&error) => return Err(Error::io("deleting", at, error)),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Puts each path back; folders that `is_kept` denies and that are empty then are removed. The
    /// caller holds the write lock. Without a store only what needs no content can be put back.
    /// `on_error` decides whether the rest is still tried.
    pub(crate) fn put_back(
        store: Option<&Self>,
        workspace: &Workspace,
        traces: &[Trace],
        is_kept: &dyn Fn(&str) -> bool,
        on_error: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<()> {
        // Deepest first: what stands in the way of something else is gone before that is made.
        for trace in traces.iter().rev() {
            clear(workspace, trace, is_kept).or_else(&mut *on_error)?;
        }
        for trace in traces {
            make(store, workspace, trace).or_else(&mut *on_error)?;
        }
        // Modes of folders last: a read-only folder takes no new files.
        for trace in traces.iter().rev() {
            if let Some(Entry::Folder { mode, .. }) = &trace.target {
                let at = trace.path.under(workspace.root());
                set_mode(&at, *mode).or_else(&mut *on_error)?;
            }
        }
        let mut activity = workspace.activity();
        for trace in traces {
            let state = trace.target.as_ref().map(Entry::state);
            activity.note_write(trace.path.as_str(), state);
        }
        Ok(())
    }
}

fn make(store: Option<&SnapshotStore>, workspace: &Workspace, trace: &Trace) -> Result<()> {
    match (&trace.target, store) {
        (None | Some(Entry::Uncovered { .. }), _) | (Some(Entry::File { .. }), None) => Ok(()),
        (Some(Entry::File { mode, hash, .. }), Some(store)) => {
            workspace.put_over(&trace.path, &store.read(hash)?, *mode)
        }
        (Some(Entry::Link { target }), _) => workspace.link(&trace.path, target),
        (Some(Entry::Folder { .. }), _) => {
            let at = workspace.safe_place(&trace.path, true)?;
            match fs::create_dir(&at) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    Err(Error::io("creating", at, error))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Whether a killed restore can have left this: a folder that has no mode yet, or nothing where a folder
/// and a file change places, which cannot be done in one step.
fn is_half_done(
    now: &Option<FileState>,
    left: &Option<FileState>,
    wanted: &Option<FileState>,
) -> bool {
    let is_folder =
        |state: &Option<FileState>| state.as_ref().is_some_and(|s| s.mode & FOLDER_MODE != 0);
    if now.is_none() {
        is_folder(left) != is_folder(wanted)
    } else {
        is_folder(now) && is_folder(wanted)
    }
}

/// Removes what is at a path if that shall not be there, or is of another kind than what shall.
fn clear(workspace: &Workspace, trace: &Trace, is_kept: &dyn Fn(&str) -> bool) -> Result<()> {
    let Some(now) = &trace.now else { return Ok(()) };
    let at = workspace.safe_place(&trace.path, false)?;
    let is_folder = now.mode & FOLDER_MODE != 0;
    let shall_be_folder = matches!(trace.target, Some(Entry::Folder { .. }));
    if is_folder {
        if !shall_be_folder {
            remove_folder(&at, trace.path.as_str(), trace.target.is_some())?;
        }
    } else if trace.target.is_none() || shall_be_folder {
        match fs::remove_file(&at) {
            Err(error) if !is_absent(&error) => return Err(Error::io("deleting", at, error)),
            _ => {}
        }
        remove_empty_parents(workspace, &trace.path, is_kept);
    }
    Ok(())
}

/// Removes a folder that was made since. One that tools fill goes with everything in it; any other
/// only when it is empty, unless something must take its place.
fn remove_folder(at: &Path, path: &str, must_go: bool) -> Result<()> {
    let done =
        if is_refillable(at, path, true) { fs::remove_dir_all(at) } else { fs::remove_dir(at) };
    match done {
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) if must_go => Err(Error::io("deleting", at, error)),
        // Somebody keeps something in it.
        _ => Ok(()),
    }
}

fn remove_empty_parents(workspace: &Workspace, path: &WorkPath, is_kept: &dyn Fn(&str) -> bool) {
    let mut parent = path.parent();
    while let Some(folder) = parent.filter(|folder| !folder.is_root() && !is_kept(folder.as_str()))
    {
        if fs::remove_dir(folder.under(workspace.root())).is_err() {
            return;
        }
        parent = folder.parent();
    }
}

fn set_mode(at: &Path, mode: u32) -> Result<()> {
    let now = fs::symlink_metadata(at).map_err(|source| Error::io("looking at", at, source))?;
    if now.is_dir() && mode_of(&now) & !FOLDER_MODE != mode {
        fs::set_permissions(at, crate::workspace::permissions(mode))
            .map_err(|source| Error::io("changing the mode of", at, source))?;
    }
    Ok(())
}

/// What is at a path now, of whatever kind; `None` when there is nothing.
pub(crate) fn state_on_disk(workspace: &Workspace, path: &WorkPath) -> Result<Option<FileState>> {
    let at = path.under(workspace.root());
    let meta = match fs::symlink_metadata(&at) {
        Ok(meta) => meta,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(Error::io("looking at", at, source)),
    };
    if meta.is_dir() {
        return Ok(Some(folder_state(mode_of(&meta) & !FOLDER_MODE)));
    }
    if !meta.is_symlink() && (!meta.is_file() || meta.len() > MAX_FILE_BYTES) {
        return stat_state(workspace, path);
    }
    match workspace.content(path) {
        Ok(content) => Ok(content.map(|content| content.state)),
        // What cannot be read is told apart by its stat data, as in a snapshot.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            stat_state(workspace, path)
        }
        Err(error) => Err(error),
    }
}

/// The state of a file that is not read.
fn stat_state(workspace: &Workspace, path: &WorkPath) -> Result<Option<FileState>> {
    let at = path.under(workspace.root());
    match fs::symlink_metadata(&at) {
        Ok(meta) => {
            let stamp = Stamp::of(&meta);
            let hash: BlobRef = stat_hash(stamp.size, stamp.mtime_ns);
            Ok(Some(FileState { hash, mode: mode_of(&meta) }))
        }
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(Error::io("looking at", at, source)),
    }
}
