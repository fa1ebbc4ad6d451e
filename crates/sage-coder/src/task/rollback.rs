//! Takes a failed attempt's changes back, and only those.

use sage_core::{ErrorKind, EventKind, WorkspaceEvent};

use super::Attempt;
use crate::error::Result;

impl Attempt {
    /// Restores every file that the attempt changed to the state in which the attempt found it, after
    /// a failure of this kind; returns how many differ no more. Repeating it is harmless, so a crash
    /// in the middle is too.
    pub(super) fn roll_back(&self, error: Option<ErrorKind>) -> Result<usize> {
        // Who keeps a failed task's changes keeps those of its last attempt: each one starts afresh.
        let is_last =
            self.number >= self.task.retry.attempts || !sage_engine::can_be_tried_again(error);
        // What a lane holds is nobody's but the task's; what it could not merge is in no tree to keep.
        if self.cx.options.keep_failed && is_last && !self.task.lane {
            return Ok(0);
        }
        let cx = self.tree.as_ref().unwrap_or(&self.cx);
        let (store, workspace) = (&cx.snapshots, &cx.workspace);
        let targets = match self.had_lane() {
            true => self.left_of_merge(cx)?,
            false => store.differing(workspace, self.first_states())?,
        };
        if targets.is_empty() {
            return Ok(0);
        }
        self.cx.emit(WorkspaceEvent::RolledBack {
            node: self.task.id.clone(),
            attempt: self.number,
            paths: targets.keys().cloned().collect(),
        })?;
        sage_core::Recorder::sync(&*self.cx.log)?;
        Ok(store.revert(workspace, &targets)?.len())
    }

    /// Whether an earlier process began to take this attempt back. What the record answers now is
    /// not in the files any more.
    pub(super) fn was_rolled_back(&self) -> bool {
        self.cx.log.events().iter().any(|event| {
            matches!(&event.kind, EventKind::Workspace(WorkspaceEvent::RolledBack { node, attempt, .. })
                if *node == self.task.id && *attempt == self.number)
        })
    }
}
