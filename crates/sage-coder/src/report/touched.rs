//! Which files a run touched, and which of them somebody changed since.

use std::collections::BTreeMap;

use sage_core::{Event, EventKind, FileState, WorkspaceEvent};
use sage_tool::{SnapshotStore, Workspace};

use crate::error::Result;

/// A file that a run touched.
#[derive(Default)]
struct Touched {
    /// Every state that the run found or left it in. A crash between announcing a change and making
    /// it leaves an earlier one.
    states: Vec<Option<FileState>>,
}

/// Every file that a run's calls touched, taken back or not.
fn touched(events: &[Event]) -> BTreeMap<String, Touched> {
    let mut touched: BTreeMap<String, Touched> = BTreeMap::new();
    for event in events {
        if let EventKind::Workspace(WorkspaceEvent::Changed { path, before, after, .. }) =
            &event.kind
        {
            touched.entry(path.clone()).or_default().states.extend([before.clone(), after.clone()]);
        }
    }
    touched
}

/// Files that the run had touched and that somebody changed since.
pub(crate) fn changed_since(events: &[Event], workspace: &Workspace) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for (path, file) in touched(events) {
        // Links are not followed: what they lead to is not what the run touched.
        if !file.states.contains(&SnapshotStore::state_on_disk(workspace, &path)?) {
            changed.push(path);
        }
    }
    Ok(changed)
}
