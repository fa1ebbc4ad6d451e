//! The door for what the program itself puts into a tree: a merged lane, or the tree's news into a lane.

use sage_core::{CallId, Effect};
use serde_json::json;

use super::ToolRegistry;
use super::door::{answered, finish, objection_to_paths, refuse, told};
use crate::call::{CallCx, Intent, ToolCx, ToolResult};
use crate::change::{self, Landing};
use crate::error::{Error, Result};
use crate::journal::{Journal, Standing};

/// Name under which [`ToolRegistry::land`] is logged.
pub const LAND: &str = "land";

impl ToolRegistry {
    /// Puts files into given states, all or none; their contents must be in the snapshot store. A file
    /// that is no longer in the state that the caller saw makes it fail with nothing changed: the
    /// result says which.
    pub async fn land(
        &self,
        cx: &ToolCx,
        call: CallId,
        landings: Vec<Landing>,
    ) -> Result<ToolResult> {
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let args = json!({ "files": landings });
        let paths: Vec<String> = landings.iter().map(|landing| landing.path.clone()).collect();
        let summary = paths.join(", ");
        let intent = Intent { summary, removes: paths, ..Intent::default() };
        let journal = Journal::new(&*cx.recorder, call.clone(), LAND, &intent.summary);
        let interrupted = match journal.standing(&args)? {
            Standing::Answered(bytes) => return answered(&journal, &bytes),
            Standing::Interrupted(past) => Some(past),
            Standing::Fresh => None,
        };
        if let Some(reason) = objection_to_paths(cx, &intent) {
            return refuse(&journal, &reason);
        }
        if interrupted.is_none() {
            journal.called(Effect::Write, &args, false)?;
        }
        // Whatever a file loses here, it was asked about when the lane lost it.
        let call_cx = CallCx { cx, call, interrupted, may_remove: true };
        let done = told(change::land(&call_cx, &landings))?;
        finish(&journal, done)
    }
}
