//! What an attempt has changed so far, as a gathered fact.

use std::collections::BTreeMap;

use sage_core::{CallId, FileState};
use serde::{Deserialize, Serialize};

use super::Attempt;
use crate::error::Result;
use crate::net;

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
        match self.is_in_lane() {
            true => net::first_states_in_lane(&self.cx, (&self.task.id, self.number)),
            false => net::first_states(&self.cx, &|call| self.made(call)),
        }
    }

    /// Whether a call is one of this attempt.
    pub(super) fn made(&self, call: &CallId) -> bool {
        call.node == self.task.id && call.attempt == self.number
    }

    fn compute_changes(&self) -> Result<Changes> {
        let mut changes = Changes::default();
        for file in net::since(&self.cx, self.first_states())? {
            changes.diff.push_str(&file.diff);
            changes.files.push(Changed {
                path: file.path,
                existed: file.existed,
                exists: file.exists,
                lines_added: file.lines_added,
                lines_removed: file.lines_removed,
            });
        }
        // A repair sees it beside the files.
        let max_chars = MAX_DIFF_CHARS.min(self.max_shown_chars() / 2);
        changes.diff = sage_core::head_and_tail(&changes.diff, max_chars);
        Ok(changes)
    }
}
