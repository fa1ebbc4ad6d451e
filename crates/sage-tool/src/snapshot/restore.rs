//! Putting a tree back into a state it had, and never over somebody else's work.
//!
//! Everything is compared before anything is changed: each path must be in a state that is known, or
//! already as it shall be; every content that is needed is there, and written beside the tree. Then all
//! paths are changed, and looked at once more: what is not as it shall be is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use sage_core::{BlobRef, FileState};

use super::manifest::{Entry, Snapshot, folder_state, stat_hash};
use super::put_back::{Staged, Trace, put_back};
use super::scan::{MAX_FILE_BYTES, is_refillable, is_tagged};
use super::stat_cache::Stamp;
use super::{Covers, SnapshotStore};
use crate::error::{Error, Result};
use crate::path::{self, WorkPath};
use crate::workspace::{
    Descend, FOLDER_MODE, Kind, LINK_MODE, Walk, Workspace, is_absent, mode_of, walk,
};

/// Paths that are named in an error.
const MAX_NAMED: usize = 8;

/// One path that shall be in another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The path.
    pub path: String,
    /// What shall be there; `None`: nothing.
    pub target: Option<FileState>,
    /// Whether the store was given what `target` needs; what was too large to keep is only named.
    pub is_covered: bool,
    /// States in which it may be now without being somebody else's work; `None`: any.
    pub known: Option<Vec<Option<FileState>>>,
}

/// What a restore would do.
pub struct Outlook {
    traces: Vec<Trace>,
    /// Files that were never kept, but are still there under another name that is new.
    moves: Vec<Move>,
    /// Paths that are in no known state: somebody else's work.
    pub foreign: Vec<String>,
    /// Paths that differ from what they shall be and cannot be made so, because it was never kept.
    pub not_covered: Vec<String>,
}

/// A file that goes back under the name it had.
struct Move {
    from: WorkPath,
    to: WorkPath,
    target: FileState,
}

impl Outlook {
    /// The paths that would be changed, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let moved = self.moves.iter().flat_map(|moved| [&moved.from, &moved.to]);
        let all = self.traces.iter().map(|trace| &trace.path).chain(moved);
        let mut paths: Vec<String> = all.map(|path| path.as_str().to_owned()).collect();
        paths.sort_unstable();
        paths
    }

    /// Finds files that were never kept among those that would be removed.
    fn find_moves(
        &mut self,
        stats: &BTreeMap<WorkPath, BlobRef>,
        never_kept: Vec<(WorkPath, FileState)>,
    ) {
        for (to, target) in never_kept {
            let is_it = |trace: &Trace| {
                trace.target.is_none() && stats.get(&trace.path) == Some(&target.hash)
            };
            match self.traces.iter().position(is_it) {
                Some(n) => {
                    let from = self.traces.remove(n).path;
                    self.moves.push(Move { from, to, target });
                }
                None => self.not_covered.push(to.as_str().to_owned()),
            }
        }
    }

    /// Of the files that would be removed or overwritten, those whose content is not kept anywhere.
    #[must_use]
    pub fn lost_for_good(&self, store: &SnapshotStore) -> Vec<String> {
        let is_lost = |trace: &&Trace| {
            let is_mode_only = matches!(trace.target, Some(Entry::Uncovered { .. }));
            trace.now.as_ref().is_some_and(|now| {
                let is_file = now.mode & FOLDER_MODE == 0 && now.mode != LINK_MODE;
                is_file && !is_mode_only && !store.has(&now.hash)
            })
        };
        self.traces.iter().filter(is_lost).map(|trace| trace.path.as_str().to_owned()).collect()
    }
}

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Paths that were put back, sorted.
    pub paths: Vec<String>,
    /// Paths that differ from what they shall be, whose content was never kept.
    pub not_covered: Vec<String>,
    /// Folders that were made since and stay, because something else is in them now.
    pub still_used: Vec<String>,
    /// Paths that could not be put back, with the reason.
    pub failed: Vec<(String, String)>,
}

impl SnapshotStore {
    /// Looks what a restore would do; changes nothing.
    ///
    /// # Errors
    /// [`Error::Snapshot`] names the paths whose content is gone from the store, or damaged.
    pub fn outlook(&self, workspace: &Workspace, wants: &[Want]) -> Result<Outlook> {
        let mut outlook = Outlook {
            traces: Vec::new(),
            moves: Vec::new(),
            foreign: Vec::new(),
            not_covered: Vec::new(),
        };
        let (mut missing, mut never_kept) = (Vec::new(), Vec::new());
        let mut stats = BTreeMap::new();
        for want in wants {
            // A path out of a log is checked like any other.
            let path = path::recorded(&want.path)?;
            let now = Now::of(workspace, &path)?;
            if now.is(&want.target) {
                continue;
            }
            let is_known = |left: &Option<FileState>| {
                now.is(left) || is_half_done(&now.state, left, &want.target)
            };
            if want.known.as_ref().is_some_and(|known| !known.iter().any(is_known)) {
                outlook.foreign.push(want.path.clone());
            }
            let target = match &want.target {
                None => None,
                Some(target) => match self.entry_of(target, &now, want.is_covered) {
                    Made::Entry(entry) => Some(entry),
                    Made::NeverKept => {
                        never_kept.push((path, target.clone()));
                        continue;
                    }
                    Made::Gone => {
                        missing.push(want.path.clone());
                        continue;
                    }
                },
            };
            stats.extend(now.stat.map(|(hash, ..)| (path.clone(), hash)));
            outlook.traces.push(Trace { path, now: now.state, target });
        }
        outlook.find_moves(&stats, never_kept);
        // Better to find damage now than half way.
        for trace in &outlook.traces {
            if let Some(Entry::File { hash, .. }) = &trace.target
                && self.read(hash).is_err()
            {
                missing.push(trace.path.as_str().to_owned());
            }
        }
        if !missing.is_empty() {
            return Err(gone(&missing));
        }
        outlook.traces.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(outlook)
    }

    /// Does what was looked at, whoever's work it is. Folders that are empty then go, too, unless
    /// `is_kept` says that they were there.
    ///
    /// # Errors
    /// As long as nothing was changed; after that, what went wrong is in [`Restored::failed`].
    pub fn carry_out(
        &self,
        workspace: &Workspace,
        outlook: Outlook,
        is_kept: &dyn Fn(&str) -> bool,
    ) -> Result<Restored> {
        let Outlook { traces, moves, not_covered, .. } = outlook;
        let mut restored = Restored { not_covered, ..Restored::default() };
        if traces.is_empty() && moves.is_empty() {
            return Ok(restored);
        }
        let staged = Staged::write(self, &traces)?;
        let _lock = workspace.write_lock();
        for Move { from, to, target } in moves {
            let path = to.as_str().to_owned();
            match workspace.rename_back(&from, &to, target.mode) {
                Ok(()) => restored.paths.extend([from.as_str().to_owned(), path]),
                Err(error) => restored.failed.push((path, text_of(&error))),
            }
        }
        let mut problems = BTreeMap::new();
        let mut note = |trace: &Trace, error: Error| {
            problems.entry(trace.path.as_str().to_owned()).or_insert(text_of(&error));
            Ok(())
        };
        put_back(Some(self), workspace, &traces, &staged, is_kept, &mut note)?;
        for trace in traces {
            let target = trace.target.as_ref().map(Entry::state);
            let path = trace.path.as_str().to_owned();
            let now = Now::of(workspace, &trace.path)?;
            let is_folder = now.state.as_ref().is_some_and(|now| now.mode & FOLDER_MODE != 0);
            if now.is(&target) {
                restored.paths.push(path);
            } else if target.is_none() && is_folder && !problems.contains_key(&path) {
                restored.still_used.push(path);
            } else {
                let problem = problems.remove(&path);
                let changed = || "it was changed by somebody else at this moment".to_owned();
                restored.failed.push((path, problem.unwrap_or_else(changed)));
            }
        }
        restored.paths.sort_unstable();
        Ok(restored)
    }

    /// Makes the whole tree what it was in `target`, whatever is there now.
    pub fn restore_all(&self, workspace: &Workspace, target: &Snapshot) -> Result<Restored> {
        let now = self.take(workspace, Covers::Everything)?;
        let all: BTreeSet<&String> = target.entries().keys().chain(now.entries().keys()).collect();
        let want = |path: &&String| Want {
            path: (*path).clone(),
            target: target.state(path),
            is_covered: target.is_covered(path),
            known: None,
        };
        let wants: Vec<Want> = all.iter().map(want).collect();
        let outlook = self.outlook(workspace, &wants)?;
        self.carry_out(workspace, outlook, &|path| target.entry(path).is_some())
    }

    /// What is needed to make a state.
    fn entry_of(&self, target: &FileState, now: &Now, is_covered: bool) -> Made {
        let is_folder = |mode: u32| mode != LINK_MODE && mode & FOLDER_MODE != 0;
        if is_folder(target.mode) {
            let is_there = now.state.as_ref().is_some_and(|now| is_folder(now.mode));
            let entry = Entry::Folder { mode: target.mode & !FOLDER_MODE, closed: false };
            return if is_covered || is_there { Made::Entry(entry) } else { Made::NeverKept };
        }
        if target.mode == LINK_MODE {
            return match self.read(&target.hash) {
                Ok(bytes) => Made::Entry(Entry::Link { target: path::encode_bytes(&bytes) }),
                Err(_) => Made::Gone,
            };
        }
        if let Some((size, mtime_ns)) =
            now.stat.as_ref().filter(|(hash, ..)| *hash == target.hash).map(|(_, s, m)| (*s, *m))
        {
            // The content is not kept, but it has not changed.
            return Made::Entry(Entry::Uncovered { mode: target.mode, size, mtime_ns });
        }
        match self.objects.size(&target.hash) {
            Some(size) => {
                let (mode, hash) = (target.mode, target.hash.clone());
                Made::Entry(Entry::File { mode, size, hash })
            }
            None if is_covered => Made::Gone,
            None => Made::NeverKept,
        }
    }

    /// Like what [`Self::outlook`] finds for a single state that is known to be kept.
    pub(super) fn kept_entry(&self, target: &FileState) -> Result<Entry> {
        match self.entry_of(target, &Now::default(), true) {
            Made::Entry(entry) => Ok(entry),
            Made::NeverKept | Made::Gone => {
                let what = format!("content {}", target.hash);
                Err(Error::Snapshot { what, problem: "it is not in the store".to_owned() })
            }
        }
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
}

/// How a state can be made.
enum Made {
    Entry(Entry),
    /// It was too large, or in a folder that is not looked into.
    NeverKept,
    /// The store should have it and has not.
    Gone,
}

/// What is at a path now.
#[derive(Default)]
struct Now {
    state: Option<FileState>,
    /// For files: what stands for the content where that is not read, size and time.
    stat: Option<(BlobRef, u64, i64)>,
    mode: u32,
}

impl Now {
    fn of(workspace: &Workspace, path: &WorkPath) -> Result<Self> {
        // Behind a link lies something else, wherever it leads.
        if workspace.safe_place(path, false).is_err() {
            return Ok(Self::default());
        }
        let at = path.under(workspace.root());
        let stat =
            fs::symlink_metadata(&at).ok().filter(|meta| !meta.is_dir() && !meta.is_symlink());
        let state = match state_on_disk(workspace, path) {
            // A folder on the way is closed to us, as it was when the tree was looked at.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                None
            }
            state => state?,
        };
        let mode = stat.as_ref().map_or(0, mode_of);
        let stat = stat.map(|meta| {
            let stamp = Stamp::of(&meta);
            (stat_hash(stamp.size, stamp.mtime_ns), stamp.size, stamp.mtime_ns)
        });
        Ok(Self { state, stat, mode })
    }

    fn is(&self, state: &Option<FileState>) -> bool {
        if self.state == *state {
            return true;
        }
        // What a snapshot did not cover is told apart by its stat data.
        state
            .as_ref()
            .zip(self.stat.as_ref())
            .is_some_and(|(state, (hash, ..))| *hash == state.hash && self.mode == state.mode)
    }
}

fn gone(paths: &[String]) -> Error {
    let rest = paths.len().saturating_sub(MAX_NAMED);
    let mut what = paths.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    if rest > 0 {
        what.push_str(&format!(" and {rest} more"));
    }
    let problem = "what they held is gone from the store, or damaged".to_owned();
    Error::Snapshot { what: format!("of {what}"), problem }
}

fn text_of(error: &Error) -> String {
    match error {
        Error::Io { doing, source, .. } => format!("{doing} it: {source}"),
        error => error.to_string(),
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
