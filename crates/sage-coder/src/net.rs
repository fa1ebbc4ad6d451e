//! What changed on the whole: files as they were before a set of calls against files as they are.
//!
//! Steps in between do not count: a line written twice is one line, and what was put back is nothing.

use std::collections::BTreeMap;
use std::fs::Metadata;

use sage_core::{CallId, EventKind, FileState, WorkspaceEvent};
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
}

/// State of each file before the first of the selected calls touched it.
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

/// The files that the selected calls touched and that are not as they were before, by path.
pub(crate) fn changes(cx: &RunCx, select: &dyn Fn(&CallId) -> bool) -> Result<Vec<Net>> {
    let mut found = Vec::new();
    let store = &cx.snapshots;
    for (path, before) in store.differing(&cx.workspace, first_states(cx, select))? {
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
