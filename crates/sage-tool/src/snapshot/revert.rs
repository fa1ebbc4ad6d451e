//! Taking changes back one by one, from the states that the log has, without a whole snapshot.

use std::collections::BTreeMap;

use sage_core::FileState;

use super::SnapshotStore;
use super::manifest::Entry;
use super::restore::{Trace, state_on_disk};
use crate::error::Result;
use crate::path;
use crate::workspace::{FOLDER_MODE, LINK_MODE, Workspace};

impl SnapshotStore {
    /// Those of `states` that the work tree does not hold now. Links are not followed, so what lies at
    /// a path may lead anywhere, or be no file at all.
    pub fn differing(
        &self,
        workspace: &Workspace,
        states: BTreeMap<String, Option<FileState>>,
    ) -> Result<BTreeMap<String, Option<FileState>>> {
        let mut differing = BTreeMap::new();
        for (path, state) in states {
            if state_on_disk(workspace, &path::normalise(&path, &[])?)? != state {
                differing.insert(path, state);
            }
        }
        Ok(differing)
    }

    /// Puts each path into the given state (`None`: nothing there), and returns the paths that were
    /// in another. The contents must have been kept ([`SnapshotStore::keep`]), as those of every
    /// logged change are; if one is missing, nothing is changed. Safe to repeat after a crash.
    ///
    /// Unlike [`SnapshotStore::restore`] it does not ask who changed a path last: it is for the
    /// program's own changes, while the task that made them still holds its claim.
    pub fn revert(
        &self,
        workspace: &Workspace,
        states: &BTreeMap<String, Option<FileState>>,
    ) -> Result<Vec<String>> {
        let _lock = workspace.write_lock();
        let mut traces = Vec::new();
        for (path, state) in states {
            let path = path::normalise(path, &[])?;
            let now = state_on_disk(workspace, &path)?;
            if now == *state {
                continue;
            }
            let target = state.as_ref().map(|state| self.entry_of(state)).transpose()?;
            traces.push(Trace { path, now, target });
        }
        Self::put_back(Some(self), workspace, &traces, &|_| false, &mut Err)?;
        Ok(traces.iter().map(|trace| trace.path.as_str().to_owned()).collect())
    }

    fn entry_of(&self, state: &FileState) -> Result<Entry> {
        if state.mode == LINK_MODE {
            return Ok(Entry::Link { target: path::encode_bytes(&self.read(&state.hash)?) });
        }
        if state.mode & FOLDER_MODE != 0 {
            return Ok(Entry::Folder { mode: state.mode & !FOLDER_MODE, closed: false });
        }
        let size = self.read(&state.hash)?.len() as u64;
        Ok(Entry::File { mode: state.mode, size, hash: state.hash.clone() })
    }
}
