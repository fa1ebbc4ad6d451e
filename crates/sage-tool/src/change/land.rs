//! Files that get a state worked out beforehand, instead of edits to be applied.
//!
//! The states are contents in the snapshot store, so that the log's record of the call has no content
//! that redaction could alter, and taking it up again after a crash needs no computing.

use sage_core::FileState;
use serde::{Deserialize, Serialize};

use super::{Change, Outcome, announce, read, report, state, write_all};
use crate::call::{CallCx, ToolResult};
use crate::edits::{Rung, line_diff_counts};
use crate::error::{Error, ToolError};
use crate::workspace::Content;

/// Most files that land at once.
pub const MAX_LANDED: usize = 5_000;

/// One file's way from the state that the caller saw to the one that it shall have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// Relative to the work tree, `/`-separated.
    pub path: String,
    /// As the caller saw it; absent for nothing.
    pub before: Option<FileState>,
    /// As it shall be; absent for nothing.
    pub after: Option<FileState>,
}

impl Landing {
    /// The way back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let Self { path, before, after } = self.clone();
        Self { path, before: after, after: before }
    }
}

pub(crate) fn land(cx: &CallCx<'_>, landings: &[Landing]) -> Outcome<ToolResult> {
    if landings.len() > MAX_LANDED {
        return Err(ToolError::told(format!("more than {MAX_LANDED} files at once")));
    }
    let workspace = &*cx.cx.workspace;
    let _lock = workspace.write_lock();
    let mut changes = Vec::new();
    let mut foreign = Vec::new();
    for landing in landings {
        let path = workspace.resolve_entry(&landing.path)?;
        let before = read(workspace, &path)?;
        let now = state(&before);
        if now == landing.after {
            continue;
        }
        if now != landing.before {
            foreign.push(landing.path.as_str());
            continue;
        }
        let after = content(cx, landing.after.as_ref())?;
        let bytes = |content: &Option<Content>| match content {
            Some(content) => content.bytes.clone(),
            None => Vec::new(),
        };
        let (lines_added, lines_removed) = line_diff_counts(&bytes(&before), &bytes(&after));
        changes.push(Change { path, before, after, rung: Rung::Exact, lines_added, lines_removed });
    }
    if !foreign.is_empty() {
        return Err(ToolError::told(format!(
            "changed by somebody else at this moment: {}",
            foreign.join(", ")
        )));
    }
    let store = cx.cx.snapshots.as_ref();
    for before in changes.iter().filter_map(|change| change.before.as_ref()) {
        store.map_or(Ok(()), |store| store.keep_durably(&before.bytes))?;
    }
    let known = cx.interrupted.as_ref().map(|past| past.changes.as_slice()).unwrap_or_default();
    let is_new = |change: &&Change| !known.iter().any(|past| past.path == change.path.as_str());
    announce(cx, &changes.iter().filter(is_new).collect::<Vec<_>>())?;
    write_all(cx, &changes)?;
    Ok(report(&changes))
}

fn content(cx: &CallCx<'_>, state: Option<&FileState>) -> Outcome<Option<Content>> {
    let Some(state) = state else { return Ok(None) };
    let store = cx.cx.snapshots.as_ref();
    let store = store.ok_or_else(|| Error::Internal("files land without a store".to_owned()))?;
    Ok(Some(Content { bytes: store.read(&state.hash)?, state: state.clone() }))
}
