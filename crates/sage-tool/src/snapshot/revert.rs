//! Taking changes back one by one, from the states that the log has, without a whole snapshot.

use std::collections::BTreeMap;

use sage_core::FileState;

use super::SnapshotStore;
use super::put_back::{Staged, Trace, put_back};
use super::restore::state_on_disk;
use crate::error::Result;
use crate::path;
use crate::workspace::Workspace;

impl SnapshotStore {
    /// What is at a path of a log now, of whatever kind; links are not followed.
    pub fn state_on_disk(workspace: &Workspace, path: &str) -> Result<Option<FileState>> {
        state_on_disk(workspace, &path::recorded(path)?)
    }

    /// Those of `states` that the work tree does not hold now. Links are not followed, so what lies at
    /// a path may lead anywhere, or be no file at all.
    pub fn differing(
        &self,
        workspace: &Workspace,
        states: BTreeMap<String, Option<FileState>>,
    ) -> Result<BTreeMap<String, Option<FileState>>> {
        let mut differing = BTreeMap::new();
        for (path, state) in states {
            if state_on_disk(workspace, &path::recorded(&path)?)? != state {
                differing.insert(path, state);
            }
        }
        Ok(differing)
    }

    /// Puts each path into the given state (`None`: nothing there), and returns the paths that were
    /// in another. The contents must have been kept ([`SnapshotStore::keep`]), as those of every
    /// logged change are; if one is missing, nothing is changed. Safe to repeat after a crash.
    ///
    /// Unlike [`SnapshotStore::outlook`] it does not ask who changed a path last: it is for the
    /// program's own changes, while the task that made them still holds its claim.
    pub fn revert(
        &self,
        workspace: &Workspace,
        states: &BTreeMap<String, Option<FileState>>,
    ) -> Result<Vec<String>> {
        let _lock = workspace.write_lock();
        let mut traces = Vec::new();
        for (path, state) in states {
            let path = path::recorded(path)?;
            let now = state_on_disk(workspace, &path)?;
            if now == *state {
                continue;
            }
            let target = state.as_ref().map(|state| self.kept_entry(state)).transpose()?;
            traces.push(Trace { path, now, target });
        }
        let staged = Staged::default();
        let mut fail = |_: &Trace, error| Err(error);
        put_back(Some(self), workspace, &traces, &staged, &|_| false, &mut fail)?;
        Ok(traces.iter().map(|trace| trace.path.as_str().to_owned()).collect())
    }
}
