//! What a tool call is given and what it gives back.

use std::sync::Arc;

use async_trait::async_trait;
use sage_core::{CallId, Effect, Interaction, ProgressSink, Recorder, ToolPast, ToolSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::approvals::Approvals;
use crate::change::FileEdit;
use crate::edits::Overwrite;
use crate::error::{Error, Result, ToolError};
use crate::grant::Grant;
use crate::outputs::Outputs;
use crate::policy::Policy;
use crate::process::ProcessLimits;
use crate::sandbox::Sandbox;
use crate::snapshot::SnapshotStore;
use crate::workspace::Workspace;

/// Everything that the tools of one task work with. Cheap to clone.
#[derive(Clone)]
pub struct ToolCx {
    /// The run's log.
    pub recorder: Arc<dyn Recorder>,
    /// Takes the output of commands as it comes.
    pub progress: Arc<dyn ProgressSink>,
    /// Asks the person, where policy says so.
    pub interaction: Arc<dyn Interaction>,
    /// The files.
    pub workspace: Arc<Workspace>,
    /// Where contents are kept so that changes can be taken back. Without it, commands that change
    /// files outside the task's paths are reported but their changes to existing files stay.
    pub snapshots: Option<Arc<SnapshotStore>>,
    /// What the task may do.
    pub grant: Grant,
    /// Bounds for commands.
    pub process: ProcessLimits,
    /// What confines commands.
    pub sandbox: Arc<Sandbox>,
    /// The whole environment of commands.
    pub env: Vec<(String, String)>,
    /// What the person allows.
    pub policy: Arc<Policy>,
    /// What they said in this run.
    pub approvals: Arc<Approvals>,
    /// Stops what is running.
    pub cancel: CancellationToken,
    /// Outputs that the conversation shows in part.
    pub outputs: Outputs,
}

impl ToolCx {
    /// Whether what a command did to a path stays: the task may write there, and no rule denies it.
    pub(crate) fn may_change(&self, path: &str) -> bool {
        !self.grant.read_only
            && self.grant.paths.contains(path)
            && self.policy.denies_write(path).is_none()
    }
}

/// How a tool ends a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The model says that it is done.
    Finish {
        /// What it says it did.
        summary: String,
    },
}

/// What came of a tool call. This, as JSON, is the payload of `tool.finished` and `tool.refused`, and
/// what a resumed run gets instead of a second effect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// For the model.
    pub text: String,
    /// False when the text is an error for the model to read.
    pub ok: bool,
    /// Whether a rule said no, to all of the call or to a part of its effects.
    #[serde(default)]
    pub refused: bool,
    /// Paths that were changed, relative to the work tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// What it means for the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// For commands that ended by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Facts for programs, by tool.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl ToolResult {
    /// A success.
    pub fn success(text: impl Into<String>) -> Self {
        Self { text: text.into(), ok: true, ..Self::default() }
    }

    /// An error for the model to read.
    pub fn failure(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn refusal(reason: &str) -> Self {
        Self { refused: true, ..Self::failure(format!("refused: {reason}")) }
    }

    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// What a call is about to touch: all that the door needs to decide before anything happens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// The arguments in one short line, for people.
    pub summary: String,
    /// Paths that will be looked at.
    pub reads: Vec<String>,
    /// Paths that will be written; through a symbolic link to where it leads.
    pub writes: Vec<String>,
    /// Paths that will be removed; of a symbolic link, the link itself.
    pub removes: Vec<String>,
    /// The command line that will run.
    pub command: Option<String>,
}

/// One tool. Implementations do the work; who may call them, when, and what is logged is decided by
/// [`crate::ToolRegistry`].
#[async_trait]
pub trait Tool: Send + Sync {
    /// What a model is told about it. `parameters` is a flat object schema; arguments are checked
    /// against its `properties` (`string`, `integer`, `boolean`) and `required`.
    fn spec(&self) -> ToolSpec;

    /// What it may do to the world.
    fn effect(&self) -> Effect;

    /// Other names that models use for it.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// Other names that models use for its arguments, with the real ones.
    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What a call with these (checked) arguments will touch.
    fn intent(&self, args: &Value) -> Intent;

    /// The changes of files that such a call asks for, so that a person can be shown them first; with
    /// whether it may replace most of a file.
    fn edits(&self, _args: &Value) -> Option<(Vec<FileEdit>, Overwrite)> {
        None
    }

    /// Does it. Dropping the future must not leave a file half written.
    async fn call(
        &self,
        cx: &CallCx<'_>,
        args: Value,
    ) -> std::result::Result<ToolResult, ToolError>;
}

/// One call in progress.
pub struct CallCx<'a> {
    /// The task's context.
    pub cx: &'a ToolCx,
    /// The call.
    pub call: CallId,
    /// What an earlier process recorded when it did not get to the end of this call.
    pub(crate) interrupted: Option<ToolPast>,
    /// Whether files may lose most of what they hold: that was approved.
    pub(crate) may_remove: bool,
}

impl CallCx<'_> {
    /// Runs blocking work on a thread for it. `work` gets a function that says when to give up,
    /// which it must ask within every loop.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> std::result::Result<T, ToolError> + Send + 'static,
    ) -> std::result::Result<T, ToolError> {
        let stop = self.cx.cancel.child_token();
        // Dropping this future tells the thread to stop.
        let _stop_on_drop = stop.clone().drop_guard();
        blocking(move || work(&|| stop.is_cancelled())).await?
    }
}

/// Runs blocking work on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("a worker thread failed: {error}")))
}
