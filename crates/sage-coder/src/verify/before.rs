//! Verifying the files as they were before the run, in a copy: nothing in the work tree is touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sage_agent::CallCounter;
use sage_core::{BlobRef, EventKind, FileState, NodeId, Recorder, WorkspaceEvent};
use sage_tool::{ToolCx, Workspace};

use super::{BASELINE, failed_checks, own_tool_cx, run_all};
use crate::context::RunCx;
use crate::error::Result;
use crate::overlay;
use crate::project::Runnable;

/// Runs the commands on the files as they were before the run.
pub(super) async fn verify(cx: &Arc<RunCx>, commands: Vec<Runnable>) -> Result<()> {
    let events = cx.log.events();
    let get = |blob: &BlobRef| cx.log.get(blob).ok();
    let is_known = |command: &Runnable| {
        failed_checks(&events, BASELINE, &get).any(|(known, _)| known == command.shown)
    };
    // Also when an earlier process has come this far: it may have been killed before it tidied up.
    let copy = Copy(cx.wiring.temp.join(format!("{}{}", overlay::BEFORE, cx.run())));
    if commands.iter().all(is_known) {
        return Ok(());
    }
    let calls = CallCounter::new(NodeId::run(), BASELINE);
    let workspace = Arc::new(as_before(cx, &copy.0)?);
    // What commands do to the copy needs no record.
    let tool_cx = ToolCx { workspace, snapshots: None, ..own_tool_cx(cx) };
    run_all(cx, &tool_cx, &calls, commands).await.map(drop)
}

/// Copies the project and takes back, in the copy, what the run has changed.
fn as_before(cx: &RunCx, copy: &Path) -> Result<Workspace> {
    let mut first: BTreeMap<String, Option<FileState>> = BTreeMap::new();
    for event in cx.log.events() {
        if let EventKind::Workspace(WorkspaceEvent::Changed { path, before, .. }) = event.kind {
            first.entry(path).or_insert(before);
        }
    }
    // A killed process may have left one.
    let _ = std::fs::remove_dir_all(copy);
    overlay::copy_tree(cx.workspace.root(), copy)?;
    let workspace = Workspace::open(copy)?;
    cx.snapshots.revert(&workspace, &first)?;
    Ok(workspace)
}

/// A folder that is removed at the end, whatever happens.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        // A copy that cannot be removed is litter in the temporary folder, not a failure of the run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
