//! What recorded runs still need of the snapshot store.

use std::path::Path;

use sage_core::{BlobRef, EventKind, ToolEvent, WorkspaceEvent};
use sage_log::{Payloads, Runs, read_run};
use sage_tool::snapshot::InUse;
use serde_json::Value;

use crate::error::Result;

/// Everything that the runs below `state_dir` refer to.
///
/// # Errors
/// A run that cannot be read may refer to anything: then nothing can be said.
pub fn in_use(state_dir: &Path) -> Result<InUse> {
    let runs = Runs::new(state_dir.join("runs"));
    let mut in_use = InUse::default();
    for run in runs.list()? {
        let dir = runs.dir(&run.run);
        let loaded = match read_run(&dir) {
            Ok(loaded) => loaded,
            // It died before its first event.
            Err(sage_log::Error::Empty { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let payloads = Payloads::of(&dir);
        for event in loaded.events {
            match event.kind {
                EventKind::Workspace(event) => of_workspace(event, &mut in_use),
                EventKind::Tool(ToolEvent::Called { args, .. }) => {
                    in_use.snapshots.extend(before(&payloads, &args));
                }
                _ => {}
            }
        }
    }
    Ok(in_use)
}

fn of_workspace(event: WorkspaceEvent, in_use: &mut InUse) {
    let InUse { snapshots, contents } = in_use;
    match event {
        WorkspaceEvent::Snapshotted { snapshot, .. }
        | WorkspaceEvent::LaneOpened { snapshot, .. }
        | WorkspaceEvent::LaneRebased { snapshot, .. } => snapshots.extend([snapshot]),
        WorkspaceEvent::Changed { before, after, .. }
        | WorkspaceEvent::LaneChanged { before, after, .. } => {
            contents.extend(before.into_iter().chain(after).map(|state| state.hash));
        }
        WorkspaceEvent::Observed { before, after, seen, .. } => {
            snapshots.extend([before, after].into_iter().chain(seen));
        }
        WorkspaceEvent::UndoStarted { before, .. } => snapshots.extend([before]),
        WorkspaceEvent::Undone { before, after, .. } => {
            snapshots.extend(before.into_iter().chain(after));
        }
        WorkspaceEvent::Redone { before, after, .. } => snapshots.extend([before, after]),
        WorkspaceEvent::Checked { .. }
        | WorkspaceEvent::TestsWeighed { .. }
        | WorkspaceEvent::TestsCompared { .. }
        | WorkspaceEvent::LaneMerged { .. }
        | WorkspaceEvent::RolledBack { .. } => {}
    }
}

/// The state before a command.
fn before(payloads: &Payloads, args: &BlobRef) -> Option<BlobRef> {
    let args: Value = serde_json::from_slice(&payloads.get(args).ok()?).ok()?;
    args.get(crate::steps::BEFORE_KEY)?.as_str()?.parse().ok()
}
