//! Calls that the program does not do for a reason of its own: not the contract's or the policy's, but
//! because doing them again would lead nowhere.

use sage_core::{CallId, ToolCall};
use serde_json::{Value, json};

use super::ToolRegistry;
use super::door::refuse;
use crate::args;
use crate::call::{ToolCx, ToolResult};
use crate::error::{Error, Result};
use crate::journal::{Journal, Standing};

impl ToolRegistry {
    /// Answers a call without doing it; on record like any refusal. `reason` is for the model.
    pub fn decline(
        &self,
        cx: &ToolCx,
        call: CallId,
        wanted: &ToolCall,
        reason: &str,
    ) -> Result<ToolResult> {
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let summary = self.find(&wanted.name).and_then(|tool| {
            let given = args::parse(&wanted.arguments).ok()?;
            let args = args::fit(given, &tool.spec(), tool.argument_aliases()).ok()?;
            Some(tool.intent(&args).summary)
        });
        let summary = summary.unwrap_or_else(|| wanted.arguments.clone());
        let name = self.name_of(&wanted.name);
        let journal = Journal::new(&*cx.recorder, call, &name, &summary);
        let args: Value = json!(wanted.arguments);
        match journal.standing(&args)? {
            Standing::Answered(bytes) => {
                serde_json::from_slice(&bytes).map_err(|_| journal.unreadable())
            }
            Standing::Fresh | Standing::Interrupted(_) => refuse(&journal, reason),
        }
    }

    /// The tool's own name for a name that a model uses; that name, shortened, where there is no such
    /// tool.
    #[must_use]
    pub fn name_of(&self, name: &str) -> String {
        const MAX_CHARS: usize = 64;
        match self.find(name) {
            Some(tool) => tool.spec().name,
            None => name.chars().take(MAX_CHARS).collect(),
        }
    }
}
