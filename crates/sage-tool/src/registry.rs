//! The one door for effects: every tool call of a model, and every step of the program that reads or
//! changes the world, passes here.
//!
//! The order, for each call: look it up in the record (a recorded result is returned and nothing
//! happens); understand name and arguments; ask the grant, then the policy, then if need be the
//! person; log that it starts; do it; log how it ended. `Err` ends the run; everything that a model
//! should read is a [`ToolResult`].

mod ask;
mod decline;
mod door;
mod land;
mod names;

pub(crate) use ask::ask_policy;
pub(crate) use door::with_before;
pub use land::LAND;

use std::sync::Arc;
use std::time::Duration;

use sage_core::{CallId, CheckKind, Effect, ToolCall, ToolSpec};
use serde_json::{Value, json};

use crate::builtin;
use crate::call::{Tool, ToolCx, ToolResult};
use crate::change::FileEdit;
use crate::check::{self, CheckResult};
use crate::error::{Error, Result};
use crate::grant::Grant;
use crate::journal::{Journal, Standing};

/// Name under which [`ToolRegistry::apply_edits`] is logged.
pub const APPLY_EDITS: &str = "apply_edits";
/// Name under which [`ToolRegistry::check`] is logged.
pub const CHECK: &str = "check";

/// A command that gives evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSpec {
    /// What for.
    pub kind: CheckKind,
    /// The line for `sh -c`.
    pub command: String,
    /// The line as people see it, where the real one would tell them nothing (a built-in runner).
    pub shown: String,
    /// Its time limit.
    pub timeout: Duration,
}

/// The tools that exist.
pub struct ToolRegistry {
    tools: Vec<Arc<dyn Tool>>,
}

impl ToolRegistry {
    /// The tools that come with the program.
    #[must_use]
    pub fn builtin() -> Self {
        Self { tools: builtin::all() }
    }

    /// Adds a tool; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, tool: Arc<dyn Tool>) -> Self {
        let name = tool.spec().name;
        self.tools.retain(|other| other.spec().name != name);
        self.tools.push(tool);
        self
    }

    /// What a model under `grant` is told about: only what it may call.
    #[must_use]
    pub fn specs(&self, grant: &Grant) -> Vec<ToolSpec> {
        let allowed =
            |tool: &&Arc<dyn Tool>| grant.objection(&tool.spec().name, tool.effect()).is_none();
        self.tools.iter().filter(allowed).map(|tool| tool.spec()).collect()
    }

    /// The names of all tools.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.tools.iter().map(|tool| tool.spec().name).collect()
    }

    /// What a tool may do, by its name or an alias.
    #[must_use]
    pub fn effect(&self, name: &str) -> Option<Effect> {
        self.find(name).map(|tool| tool.effect())
    }

    /// Does what a model asks for, as far as it may.
    ///
    /// Cancelling `cx.cancel` ends it with [`Error::Cancelled`] and leaves the call without a
    /// recorded end; so does dropping the future.
    pub async fn call(&self, cx: &ToolCx, call: CallId, wanted: &ToolCall) -> Result<ToolResult> {
        self.pass(cx, call, wanted).await
    }

    /// Records a value that the program works out by reading the world, so that a resumed run works
    /// with the same one. `read` must not change anything: it runs again when its end was not recorded.
    pub fn gather(
        &self,
        cx: &ToolCx,
        call: CallId,
        name: &str,
        read: impl FnOnce() -> Result<Value>,
    ) -> Result<Value> {
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let journal = Journal::new(&*cx.recorder, call, &format!("gather:{name}"), "");
        let args = json!({});
        let failed =
            |message: &str| Error::Gather { name: name.to_owned(), message: message.to_owned() };
        match journal.standing(&args)? {
            Standing::Answered(bytes) => {
                let recorded: Value =
                    serde_json::from_slice(&bytes).map_err(|_| journal.unreadable())?;
                return match (recorded.get("value"), recorded["error"].as_str()) {
                    (Some(value), _) => Ok(value.clone()),
                    (None, Some(message)) => Err(failed(message)),
                    (None, None) => Err(journal.unreadable()),
                };
            }
            Standing::Interrupted(_) => {}
            Standing::Fresh => journal.called(Effect::Read, &args, false)?,
        }
        match read() {
            Ok(value) => {
                journal.finished(true, &json!({ "value": value }), "")?;
                Ok(value)
            }
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                let message = error.to_string();
                journal.finished(false, &json!({ "error": message }), &message)?;
                Err(failed(&message))
            }
        }
    }

    /// Runs a command for evidence, under the same policy and bounds as any other. The tree is left
    /// as it was found: what the command changes outside ignored files is put back.
    pub async fn check(&self, cx: &ToolCx, call: CallId, spec: CheckSpec) -> Result<CheckResult> {
        check::run(cx, call, &spec).await
    }

    /// Applies a model's edits: all or none. Errors that a model should read are in the result.
    pub async fn apply_edits(
        &self,
        cx: &ToolCx,
        call: CallId,
        edits: Vec<FileEdit>,
    ) -> Result<ToolResult> {
        self.pass_edits(cx, call, edits).await
    }
}

#[cfg(test)]
mod tests;
