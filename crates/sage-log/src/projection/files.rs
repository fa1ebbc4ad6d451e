//! Which files of the user a run has changed, and how far.
//!
//! Each change is kept with its attempt, so that taking a failed attempt back leaves exactly what others
//! did to the same files.

use std::collections::BTreeMap;

use sage_core::{CallId, Event, EventKind, FileState, NodeId, Seq, WorkspaceEvent};
use serde::Serialize;

use super::Projection;

/// Follows the files of a run.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Changes by path, in order.
    changes: BTreeMap<String, Vec<Change>>,
    /// The changes as they were before each undo that is still in force.
    undone: Vec<BTreeMap<String, Vec<Change>>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Change {
    seq: Seq,
    call: CallId,
    before: Option<FileState>,
    after: Option<FileState>,
    lines_added: u64,
    lines_removed: u64,
}

/// What a run has done to the user's files, rolled back and undone changes left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FilesView {
    /// The files, by path.
    pub files: Vec<ChangedFile>,
    /// Lines added, summed over the files.
    pub lines_added: u64,
    /// Lines removed, summed over the files.
    pub lines_removed: u64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedFile {
    /// Path relative to the work tree, `/`-separated.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// Before the run's first change; absent if it did not exist.
    pub before: Option<FileState>,
    /// After its last change; absent if it was deleted.
    pub after: Option<FileState>,
    /// Lines added, summed over all changes: a line that is written twice counts twice.
    pub lines_added: u64,
    /// Lines removed, likewise.
    pub lines_removed: u64,
    /// The tasks that changed it, in order.
    pub nodes: Vec<NodeId>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It did not exist before.
    Created,
    /// Its content or mode is another.
    Modified,
    /// It does not exist any more.
    Deleted,
}

impl Change {
    fn is_same(&self, other: &Self) -> bool {
        let facts = |change: &Self| {
            let Self { call, before, after, lines_added, lines_removed, .. } = change.clone();
            (call, before, after, lines_added, lines_removed)
        };
        facts(self) == facts(other)
    }
}

impl Projection for Files {
    type View = FilesView;

    fn apply(&mut self, event: &Event) {
        let (seq, EventKind::Workspace(event)) = (event.seq, &event.kind) else { return };
        match event {
            WorkspaceEvent::Changed { call, path, before, after, lines_added, lines_removed } => {
                let change = Change {
                    seq,
                    call: call.clone(),
                    before: before.clone(),
                    after: after.clone(),
                    lines_added: *lines_added,
                    lines_removed: *lines_removed,
                };
                let changes = self.changes.entry(path.clone()).or_default();
                // A call that is taken up again announces the same change again.
                if !changes.iter().any(|known| known.is_same(&change)) {
                    changes.push(change);
                }
            }
            WorkspaceEvent::RolledBack { node, attempt, paths } => {
                for path in paths {
                    if let Some(changes) = self.changes.get_mut(path) {
                        changes.retain(|change| {
                            (&change.call.node, change.call.attempt) != (node, *attempt)
                        });
                    }
                }
            }
            WorkspaceEvent::Undone { paths, from, .. } => {
                self.undone.push(self.changes.clone());
                for path in paths {
                    if let Some(changes) = self.changes.get_mut(path) {
                        changes.retain(|change| from.is_some_and(|from| change.seq < from));
                    }
                }
            }
            WorkspaceEvent::Redone { .. } => {
                if let Some(changes) = self.undone.pop() {
                    self.changes = changes;
                }
            }
            WorkspaceEvent::Snapshotted { .. }
            | WorkspaceEvent::Observed { .. }
            | WorkspaceEvent::UndoStarted { .. }
            | WorkspaceEvent::Checked { .. }
            | WorkspaceEvent::TestsWeighed { .. }
            | WorkspaceEvent::TestsCompared { .. }
            | WorkspaceEvent::LaneOpened { .. }
            | WorkspaceEvent::LaneChanged { .. }
            | WorkspaceEvent::LaneRebased { .. }
            | WorkspaceEvent::LaneMerged { .. } => {}
        }
    }

    fn view(&self) -> FilesView {
        let files: Vec<ChangedFile> =
            self.changes.iter().filter_map(|(path, changes)| net(path, changes)).collect();
        FilesView {
            lines_added: sum(files.iter().map(|file| file.lines_added)),
            lines_removed: sum(files.iter().map(|file| file.lines_removed)),
            files,
        }
    }
}

/// All changes of a file as one; nothing when they cancel each other out.
fn net(path: &str, changes: &[Change]) -> Option<ChangedFile> {
    let (first, last) = (changes.first()?, changes.last()?);
    let kind = match (&first.before, &last.after) {
        (before, after) if before == after => return None,
        (None, _) => ChangeKind::Created,
        (_, None) => ChangeKind::Deleted,
        _ => ChangeKind::Modified,
    };
    let mut nodes: Vec<NodeId> = Vec::new();
    for change in changes {
        if !nodes.contains(&change.call.node) {
            nodes.push(change.call.node.clone());
        }
    }
    Some(ChangedFile {
        path: path.to_owned(),
        kind,
        before: first.before.clone(),
        after: last.after.clone(),
        lines_added: sum(changes.iter().map(|change| change.lines_added)),
        lines_removed: sum(changes.iter().map(|change| change.lines_removed)),
        nodes,
    })
}

/// A log may hold any number; a sum of such must not overflow.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}
