//! Changing a tree back, path by path: the part that writes. What may be changed is decided before.
//!
//! Each step is repeatable, so that a second attempt completes one that was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sage_core::FileState;

use super::SnapshotStore;
use super::manifest::Entry;
use super::scan::is_refillable;
use crate::error::{Error, Result};
use crate::path::WorkPath;
use crate::workspace::{FOLDER_MODE, Workspace, is_absent, mode_of, permissions};

/// Staged contents that are made durable one by one; a restore of more files than this leaves it to the
/// system, as a power failure would be repaired by repeating it.
const MAX_SYNCED: usize = 1000;
/// How folders of staged contents begin.
pub(super) const STAGED: &str = "staged-";
/// What the owner needs to work in a folder.
const OWNERS: u32 = 0o700;

/// How one path gets from what is there to what shall be there.
pub(crate) struct Trace {
    pub path: WorkPath,
    pub now: Option<FileState>,
    pub target: Option<Entry>,
}

impl Trace {
    /// Whether nothing but the mode differs.
    fn is_mode_only(&self) -> bool {
        match (&self.now, &self.target) {
            (Some(now), Some(target @ Entry::File { .. })) => target.state().hash == now.hash,
            (_, Some(Entry::Uncovered { .. })) => true,
            _ => false,
        }
    }
}

/// New contents, complete on disk beside the tree, by path: when the disk is full, that is found out
/// before anything is changed.
#[derive(Default)]
pub(crate) struct Staged {
    files: BTreeMap<String, PathBuf>,
    /// Removed when dropped.
    _folder: Option<tempfile::TempDir>,
}

impl Staged {
    /// Writes what the traces need into a folder of the store.
    pub(super) fn write(store: &SnapshotStore, traces: &[Trace]) -> Result<Self> {
        let fail = |source| Error::io("preparing files in", &store.dir, source);
        let folder = tempfile::Builder::new().prefix(STAGED).tempdir_in(&store.dir);
        let folder = folder.map_err(fail)?;
        let mut files = BTreeMap::new();
        for trace in traces.iter().filter(|trace| !trace.is_mode_only()) {
            let Some(Entry::File { hash, .. }) = &trace.target else { continue };
            let at = folder.path().join(files.len().to_string());
            let mut file = fs::File::create_new(&at).map_err(fail)?;
            io::Write::write_all(&mut file, &store.read(hash)?).map_err(fail)?;
            if files.len() < MAX_SYNCED {
                file.sync_all().map_err(fail)?;
            }
            files.insert(trace.path.as_str().to_owned(), at);
        }
        Ok(Self { files, _folder: Some(folder) })
    }
}

/// Puts each path back; folders that `is_kept` denies and that are empty then are removed. The caller
/// holds the write lock. Without a store only what needs no content can be put back. `on_error`
/// decides whether the rest is still tried.
pub(crate) fn put_back(
    store: Option<&SnapshotStore>,
    workspace: &Workspace,
    traces: &[Trace],
    staged: &Staged,
    is_kept: &dyn Fn(&str) -> bool,
    on_error: &mut dyn FnMut(&Trace, Error) -> Result<()>,
) -> Result<()> {
    let opened = open_folders(workspace, traces);
    // Deepest first: what stands in the way of something else is gone before that is made.
    for trace in traces.iter().rev() {
        clear(workspace, trace, is_kept).or_else(|error| on_error(trace, error))?;
    }
    for trace in traces {
        make(store, workspace, trace, staged).or_else(|error| on_error(trace, error))?;
    }
    for (at, mode) in opened.iter().rev() {
        // One that was removed meanwhile needs no mode.
        let _ = set_folder_mode(at, *mode);
    }
    // Modes of folders last: a read-only folder takes no new files.
    for trace in traces.iter().rev() {
        if let Some(Entry::Folder { mode, .. }) = &trace.target {
            let at = trace.path.under(workspace.root());
            set_folder_mode(&at, *mode).or_else(|error| on_error(trace, error))?;
        }
    }
    let mut activity = workspace.activity();
    for trace in traces {
        let state = trace.target.as_ref().map(Entry::state);
        activity.note_write(trace.path.as_str(), state);
    }
    Ok(())
}

/// Opens the folders on the way that are closed to their owner. Returns their modes, outermost first.
fn open_folders(workspace: &Workspace, traces: &[Trace]) -> Vec<(PathBuf, u32)> {
    let above = |trace: &Trace| -> Vec<WorkPath> {
        let is_folder = trace.now.as_ref().is_some_and(|now| now.mode & FOLDER_MODE != 0);
        let first = if is_folder { Some(trace.path.clone()) } else { trace.path.parent() };
        std::iter::successors(first, WorkPath::parent).collect()
    };
    let folders: BTreeSet<WorkPath> = traces.iter().flat_map(above).collect();
    let mut opened = Vec::new();
    for folder in folders {
        let at = folder.under(workspace.root());
        let Ok(meta) = fs::symlink_metadata(&at) else { continue };
        let mode = mode_of(&meta) & !FOLDER_MODE;
        if meta.is_dir()
            && mode & OWNERS != OWNERS
            && fs::set_permissions(&at, permissions(mode | OWNERS)).is_ok()
        {
            opened.push((at, mode));
        }
    }
    opened
}

fn make(
    store: Option<&SnapshotStore>,
    workspace: &Workspace,
    trace: &Trace,
    staged: &Staged,
) -> Result<()> {
    match (&trace.target, store) {
        (Some(Entry::File { mode, .. } | Entry::Uncovered { mode, .. }), _)
            if trace.is_mode_only() =>
        {
            let at = workspace.safe_place(&trace.path, false)?;
            fs::set_permissions(&at, permissions(*mode))
                .map_err(|source| Error::io("changing the mode of", at, source))
        }
        (None | Some(Entry::Uncovered { .. }), _) | (Some(Entry::File { .. }), None) => Ok(()),
        (Some(Entry::File { mode, hash, .. }), Some(store)) => {
            if let Some(content) = staged.files.get(trace.path.as_str())
                && workspace.move_over(content, &trace.path, *mode)?
            {
                return Ok(());
            }
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

fn set_folder_mode(at: &Path, mode: u32) -> Result<()> {
    let now = fs::symlink_metadata(at).map_err(|source| Error::io("looking at", at, source))?;
    if now.is_dir() && mode_of(&now) & !FOLDER_MODE != mode {
        fs::set_permissions(at, permissions(mode))
            .map_err(|source| Error::io("changing the mode of", at, source))?;
    }
    Ok(())
}
