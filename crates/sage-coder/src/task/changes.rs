//! What an attempt has changed so far, as a gathered fact.

use std::collections::BTreeMap;

use sage_core::{EventKind, FileState, WorkspaceEvent};
use sage_tool::edits::{line_diff_counts, unified_diff};
use serde::{Deserialize, Serialize};

use super::Attempt;
use crate::error::Result;

/// The attempt's changes against the state in which it found the files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Changes {
    /// Changed files, by path.
    pub files: Vec<Changed>,
    /// Unified diff of all of them, bounded.
    pub diff: String,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Changed {
    pub path: String,
    pub existed: bool,
    pub exists: bool,
    pub lines_added: u64,
    pub lines_removed: u64,
}

/// Longest diff that is shown to a model, in characters.
const MAX_DIFF_CHARS: usize = 24_000;

/// Context lines around a change.
const DIFF_CONTEXT: usize = 3;

impl Changes {
    pub(super) fn lines_removed(&self) -> u64 {
        self.files.iter().map(|file| file.lines_removed).sum()
    }

    pub(super) fn lines_touched(&self) -> u64 {
        self.files.iter().map(|file| file.lines_added + file.lines_removed).sum()
    }
}

impl Attempt {
    /// Finds what the attempt has changed, from its own announced changes and the files as they are.
    pub(super) async fn changes(&self) -> Result<Changes> {
        let value = self
            .gather("changes", async {
                let changes = self.compute_changes()?;
                Ok(serde_json::to_value(changes).unwrap_or_default())
            })
            .await?;
        Ok(serde_json::from_value(value).unwrap_or_default())
    }

    /// State of each file before the attempt first touched it.
    pub(super) fn first_states(&self) -> BTreeMap<String, Option<FileState>> {
        let mut first = BTreeMap::new();
        for event in self.cx.log.events() {
            if let EventKind::Workspace(WorkspaceEvent::Changed { call, path, before, .. }) =
                event.kind
                && call.node == self.task.id
                && call.attempt == self.number
            {
                first.entry(path).or_insert(before);
            }
        }
        first
    }

    fn compute_changes(&self) -> Result<Changes> {
        let mut changes = Changes::default();
        for (path, before) in self.first_states() {
            let work_path = self.cx.workspace.resolve(&path)?;
            let after = self.cx.workspace.state(&work_path)?;
            if before == after {
                continue;
            }
            let old = before.as_ref().map(|s| self.cx.snapshots.read(&s.hash)).transpose()?;
            let new = after.as_ref().map(|_| self.cx.workspace.read(&work_path)).transpose()?;
            let bytes = |content: &Option<Vec<u8>>| content.clone().unwrap_or_default();
            let (lines_added, lines_removed) = line_diff_counts(&bytes(&old), &bytes(&new));
            let diff = unified_diff(&path, old.as_deref(), new.as_deref(), DIFF_CONTEXT);
            changes.diff.push_str(&diff);
            changes.files.push(Changed {
                path,
                existed: before.is_some(),
                exists: after.is_some(),
                lines_added,
                lines_removed,
            });
        }
        changes.diff = sage_core::head_and_tail(&changes.diff, MAX_DIFF_CHARS);
        Ok(changes)
    }
}
