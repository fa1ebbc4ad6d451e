//! What changed on the whole: files as they were before a set of calls against files as they are.
//!
//! Steps in between do not count: a line written twice is one line, and what was put back is nothing.

use std::collections::BTreeMap;
use std::fs::Metadata;

use sage_core::{CallId, EventKind, FileState, NodeId, WorkspaceEvent};
use sage_tool::edits::{line_diff_counts, unified_diff};

use crate::context::RunCx;
use crate::error::Result;

/// Context lines around a change.
const DIFF_CONTEXT: usize = 3;

/// One file that differs.
pub(crate) struct Net {
    pub path: String,
    pub existed: bool,
    pub exists: bool,
    pub lines_added: u64,
    pub lines_removed: u64,
    /// Unified diff.
    pub diff: String,
    /// What it was before; `None` when it did not exist.
    pub before: Option<Vec<u8>>,
    /// What it is now; `None` when it is gone.
    pub after: Option<Vec<u8>>,
    /// Its state before, by which it can be brought back.
    pub first: Option<FileState>,
}

/// State of each file of the work tree before the first of the selected calls touched it.
pub(crate) fn first_states(
    cx: &RunCx,
    select: &dyn Fn(&CallId) -> bool,
) -> BTreeMap<String, Option<FileState>> {
    let mut first = BTreeMap::new();
    for event in cx.log.events() {
        if let EventKind::Workspace(WorkspaceEvent::Changed { call, path, before, .. }) = event.kind
            && select(&call)
        {
            first.entry(path).or_insert(before);
        }
    }
    first
}

/// The same for the lane of an attempt. What the tree held when the lane was last brought up to date
/// counts as the beginning.
pub(crate) fn first_states_in_lane(
    cx: &RunCx,
    of: (&NodeId, u32),
) -> BTreeMap<String, Option<FileState>> {
    let mut first = BTreeMap::new();
    for event in cx.log.events() {
        match event.kind {
            EventKind::Workspace(WorkspaceEvent::LaneChanged { call, path, before, .. })
                if (&call.node, call.attempt) == of =>
            {
                first.entry(path).or_insert(before);
            }
            EventKind::Workspace(WorkspaceEvent::LaneRebased { node, attempt, bases, .. })
                if (&node, attempt) == of =>
            {
                first = bases.into_iter().map(|base| (base.path, base.state)).collect();
            }
            _ => {}
        }
    }
    first
}

/// The files that the selected calls touched and that are not as they were before, by path.
pub(crate) fn changes(cx: &RunCx, select: &dyn Fn(&CallId) -> bool) -> Result<Vec<Net>> {
    since(cx, first_states(cx, select))
}

/// The files that are not in these states, by path.
pub(crate) fn since(cx: &RunCx, states: BTreeMap<String, Option<FileState>>) -> Result<Vec<Net>> {
    let mut found = Vec::new();
    let store = &cx.snapshots;
    for (path, before) in store.differing(&cx.workspace, states)? {
        let old = before.as_ref().map(|state| store.read(&state.hash)).transpose()?;
        let new = content(cx, &path)?;
        let bytes = |content: &Option<Vec<u8>>| content.clone().unwrap_or_default();
        let (lines_added, lines_removed) = line_diff_counts(&bytes(&old), &bytes(&new));
        found.push(Net {
            diff: unified_diff(&path, old.as_deref(), new.as_deref(), DIFF_CONTEXT),
            existed: old.is_some(),
            exists: new.is_some(),
            lines_added,
            lines_removed,
            path,
            before: old,
            after: new,
            first: before,
        });
    }
    Ok(found)
}

/// What a path holds. A command may have left a link that leads outside, or a pipe: that something is
/// there is then all there is to say.
fn content(cx: &RunCx, path: &str) -> Result<Option<Vec<u8>>> {
    let there = std::fs::symlink_metadata(cx.workspace.root().join(path)).ok();
    let is_file = there.as_ref().is_some_and(Metadata::is_file);
    match cx.workspace.resolve(path) {
        Ok(file) if is_file => Ok(Some(cx.workspace.read(&file)?)),
        _ => Ok(there.map(|_| Vec::new())),
    }
}
