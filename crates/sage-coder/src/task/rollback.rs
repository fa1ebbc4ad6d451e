//! Takes a failed attempt's changes back, and only those.

use sage_core::WorkspaceEvent;

use super::Attempt;
use crate::error::Result;

impl Attempt {
    /// Restores every file that the attempt changed to the state in which the attempt found it;
    /// returns how many differ no more. Repeating it is harmless, so a crash in the middle is too.
    pub(super) async fn roll_back(&self) -> Result<usize> {
        if self.cx.options.keep_failed {
            return Ok(0);
        }
        let mut targets = Vec::new();
        for (path, before) in self.first_states() {
            let work_path = self.cx.workspace.resolve(&path)?;
            if self.cx.workspace.state(&work_path)? != before {
                targets.push((path, before));
            }
        }
        if targets.is_empty() {
            return Ok(0);
        }
        self.cx.emit(WorkspaceEvent::RolledBack {
            node: self.task.id.clone(),
            attempt: self.number,
            paths: targets.iter().map(|(path, _)| path.clone()).collect(),
        })?;
        sage_core::Recorder::sync(&*self.cx.log)?;
        let targets = targets.into_iter().collect();
        Ok(self.cx.snapshots.revert(&self.cx.workspace, &targets)?.len())
    }
}
