//! What a merge would do to each file, worked out before anything is touched.

use std::collections::BTreeMap;

use sage_core::{EventKind, FileState, NodeId, WorkspaceEvent};
use sage_tool::edits::line_diff_counts;
use sage_tool::merge::{Clash, FileMerge, Hunk, Version, has_markers, merge_file};
use serde::{Deserialize, Serialize};

use crate::context::RunCx;
use crate::error::Result;

/// One file that the task changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MergedFile {
    pub path: String,
    /// What the tree holds.
    pub ours: Option<FileState>,
    /// What the tree is to hold; that of `ours` where there is a conflict.
    pub result: Option<FileState>,
    pub conflict: Option<Conflict>,
}

/// Why a file cannot be merged, for the repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conflict {
    pub path: String,
    /// In words.
    pub what: String,
    /// Who changed the file in the tree.
    pub by: String,
    /// What the lane is given to work on.
    pub shown: Option<FileState>,
    /// Whether the conflict is marked in what is shown.
    pub is_marked: bool,
    /// Whether the task's own content is in none of what is shown.
    pub is_dropped: bool,
    /// Base, tree's side, own side of each region.
    pub hunks: Vec<(String, String, String)>,
}

impl Conflict {
    /// The conflict in words for a model.
    pub(super) fn told(&self) -> String {
        let Self { path, what, by, .. } = self;
        let mut text = format!("\n{path}: {what} (in the tree: {by}).\n");
        for (n, (base, ours, theirs)) in self.hunks.iter().enumerate() {
            let side = |name: &str, lines: &str| match lines {
                "" => format!("{name}: nothing\n"),
                lines => format!("{name}:\n{}\n", lines.trim_end_matches('\n')),
            };
            text.push_str(&format!("conflict {}:\n", n + 1));
            text.push_str(&side("before both", base));
            text.push_str(&side("in the tree now, which must not be lost", ours));
            text.push_str(&side("by this task", theirs));
        }
        text.push_str(&match (self.is_marked, self.is_dropped) {
            (true, _) => format!(
                "{path} now has both sides, marked by lines that begin with <<<<<<<<<, |||||||||, \
                 ========= and >>>>>>>>>. Write it so that both changes are in it, and remove every \
                 marking line.\n"
            ),
            (false, true) => format!(
                "{path} is now as the tree has it, without this task's change. Make the change again \
                 on top of that.\n"
            ),
            (false, false) => format!(
                "{path} is now as the tree has it. Make the change again if it is still wanted.\n"
            ),
        });
        text
    }
}

/// Merges every file that the task changed since `base`.
pub(super) fn files(
    lane: &RunCx,
    tree: &RunCx,
    base: BTreeMap<String, Option<FileState>>,
    of: (&NodeId, u32),
) -> Result<Vec<MergedFile>> {
    let label = of.0;
    let changed = lane.snapshots.differing(&lane.workspace, base)?;
    let mut found = Vec::new();
    for (path, base) in changed {
        let base = base.map(|state| version(tree, &state)).transpose()?;
        let theirs = lane.workspace.version(&lane.workspace.resolve_entry(&path)?)?;
        let ours = tree.workspace.version(&tree.workspace.resolve_entry(&path)?)?;
        let merge = merge_file(base.as_ref(), ours.as_ref(), theirs.as_ref(), label.as_str());
        found.push(File { path, base, ours, theirs, merge });
    }
    follow_renames(&mut found, label);
    found.into_iter().map(|file| file.finish(tree, of)).collect()
}

struct File {
    path: String,
    base: Option<Version>,
    ours: Option<Version>,
    theirs: Option<Version>,
    merge: FileMerge,
}

impl File {
    fn finish(self, tree: &RunCx, of: (&NodeId, u32)) -> Result<MergedFile> {
        let keep = |version: &Version| -> Result<FileState> {
            tree.snapshots.keep(&version.bytes)?;
            Ok(version.state())
        };
        let ours = self.ours.as_ref().map(keep).transpose()?;
        let (result, conflict) = match self.merge {
            FileMerge::AsOurs => (ours.clone(), None),
            FileMerge::To(version) => (version.as_ref().map(keep).transpose()?, None),
            FileMerge::Conflict { clash, marked, hunks } => {
                let mode = self.ours.as_ref().map_or(0o644, |ours| ours.mode);
                let base = self.base.as_ref().map(Version::state);
                let is_marked = marked.is_some();
                let shown = match marked {
                    Some(bytes) => Some(keep(&Version { bytes, mode })?),
                    None => ours.clone(),
                };
                let conflict = Conflict {
                    what: clash.text().to_owned(),
                    by: who_changed(tree, of, &self.path, base, ours.as_ref()),
                    shown,
                    is_marked,
                    is_dropped: clash.loses_content(),
                    hunks: hunks.into_iter().map(sides).collect(),
                    path: self.path.clone(),
                };
                (ours.clone(), Some(conflict))
            }
        };
        Ok(MergedFile { path: self.path, ours, result, conflict })
    }
}

fn sides(hunk: Hunk) -> (String, String, String) {
    (hunk.base, hunk.ours, hunk.theirs)
}

fn version(cx: &RunCx, state: &FileState) -> Result<Version> {
    Ok(Version { bytes: cx.snapshots.read(&state.hash)?, mode: state.mode })
}

/// A file that the task moved while the tree's was changed: the tree's change goes where the file went,
/// if only one new file of the task can be it and the change merges there.
fn follow_renames(files: &mut [File], label: &NodeId) {
    let is_moved =
        |file: &File| matches!(file.merge, FileMerge::Conflict { clash: Clash::GoneInLane, .. });
    for from in 0..files.len() {
        if !is_moved(&files[from]) {
            continue;
        }
        let Some(base) = files[from].base.clone() else { continue };
        let is_it = |file: &File| {
            let is_new = file.base.is_none() && file.ours.is_none();
            is_new && file.theirs.as_ref().is_some_and(|new| is_mostly(&base, new))
        };
        let mut candidates = (0..files.len()).filter(|at| is_it(&files[*at]));
        let (Some(to), None) = (candidates.next(), candidates.next()) else { continue };
        let (ours, theirs) = (files[from].ours.as_ref(), files[to].theirs.as_ref());
        let merge = merge_file(Some(&base), ours, theirs, label.as_str());
        let moved = match (&merge, ours) {
            (FileMerge::To(version), _) => version.clone(),
            (FileMerge::AsOurs, ours) => ours.cloned(),
            (FileMerge::Conflict { .. }, _) => continue,
        };
        files[to].merge = FileMerge::To(moved);
        files[from].merge = FileMerge::To(None);
    }
}

/// Whether a file kept most lines of another.
fn is_mostly(old: &Version, new: &Version) -> bool {
    const LEAST_KEPT: f64 = 0.6;
    let n_lines = old.bytes.split(|byte| *byte == b'\n').count() as u64;
    let (_, removed) = line_diff_counts(&old.bytes, &new.bytes);
    old.bytes == new.bytes
        || (n_lines > 1 && n_lines.saturating_sub(removed) as f64 >= LEAST_KEPT * n_lines as f64)
}

/// Who changed a file of the tree since the lane of `of` was last up to date with it. What leads from
/// one state to another without a word in the log was done by somebody else.
fn who_changed(
    tree: &RunCx,
    of: (&NodeId, u32),
    path: &str,
    base: Option<FileState>,
    now: Option<&FileState>,
) -> String {
    let (mut known, mut who) = (base.clone(), Vec::new());
    let mut outside = false;
    for event in tree.log.events() {
        match event.kind {
            EventKind::Workspace(
                WorkspaceEvent::LaneOpened { node, attempt, .. }
                | WorkspaceEvent::LaneRebased { node, attempt, .. },
            ) if (&node, attempt) == of => {
                (known, who, outside) = (base.clone(), Vec::new(), false)
            }
            EventKind::Workspace(WorkspaceEvent::Changed {
                call,
                path: changed,
                before,
                after,
                ..
            }) if changed == path => {
                outside |= before != known;
                known = after;
                let node = call.node.to_string();
                if !who.contains(&node) {
                    who.push(node);
                }
            }
            _ => {}
        }
    }
    if outside || known.as_ref() != now {
        who.push("somebody outside this run".to_owned());
    }
    who.join(" and ")
}

/// Whether the repair has left a conflict as it was.
pub(super) fn is_unresolved(lane: &RunCx, conflict: &Conflict) -> Result<bool> {
    let now = lane.workspace.version(&lane.workspace.resolve_entry(&conflict.path)?)?;
    Ok(match (conflict.is_marked, &now) {
        (true, Some(now)) => has_markers(&now.bytes),
        (true, None) => false,
        (false, now) => conflict.is_dropped && now.as_ref().map(Version::state) == conflict.shown,
    })
}
