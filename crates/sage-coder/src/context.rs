//! What a run works with: the person's project, the state folder, the doors for effects and models.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sage_core::{
    Clock, Decider, Event, Interaction, NodeId, NodePhase, ProgressSink, Recorder, RunId, Seq,
};
use sage_log::{Redactor, RunLog};
use sage_model::{ChatModel, Ledger};
use sage_tool::{
    Approvals, Grant, Outputs, Policy, ProcessLimits, Sandbox, SnapshotStore, ToolCx, ToolRegistry,
    Workspace,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::lane::{LaneRecorder, LaneStep, Turns};
use crate::options::RunOptions;
use crate::project::Probe;

/// Makes the models of a run once its log exists, given what an earlier process logged. The binary
/// gives the router, a replay the record.
pub type ModelFactory = Arc<
    dyn Fn(
            Arc<dyn Recorder>,
            Arc<dyn ProgressSink>,
            &[Event],
        ) -> sage_model::Result<Arc<dyn ChatModel>>
        + Send
        + Sync,
>;

/// Checks a final answer; the errors are for the model and the person.
pub type AnswerCheck = Arc<dyn Fn(&Value) -> std::result::Result<(), Vec<String>> + Send + Sync>;

/// The machine and the person, as the binary hands them over. Nothing here is looked up by this crate.
#[derive(Clone)]
pub struct Wiring {
    /// The project's root.
    pub project: PathBuf,
    /// Where runs, snapshots and views are kept: `.sage` of the project.
    pub state_dir: PathBuf,
    /// The person's home folder, for their own rules.
    pub home: Option<PathBuf>,
    /// Where copies for dry runs and replays are made.
    pub temp: PathBuf,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Takes live hints.
    pub progress: Arc<dyn ProgressSink>,
    /// Asks the person.
    pub interaction: Arc<dyn Interaction>,
    /// In whose name plans are approved without asking.
    pub approver: Decider,
    /// Policy for tool calls.
    pub policy: Arc<Policy>,
    /// The clean environment for child processes.
    pub child_env: Vec<(String, String)>,
    /// What confines commands.
    pub sandbox: Arc<Sandbox>,
    /// Bounds for child processes.
    pub process: ProcessLimits,
    /// Removes secrets before anything reaches the disk.
    pub redactor: Redactor,
    /// Fault injection for crash tests.
    pub kill_after: Option<Seq>,
    /// Makes the models.
    pub models: ModelFactory,
    /// The order in which lanes and the work tree met in a run that is replayed; empty otherwise.
    pub lane_order: Vec<LaneStep>,
    /// Checks the final answer against the schema.
    pub check_answer: Option<AnswerCheck>,
    /// The program's version.
    pub sage_version: String,
    /// Width for drawings, in columns.
    pub width: usize,
    /// Cancelled by Ctrl-C.
    pub cancel: CancellationToken,
}

/// Phases, with their rounds, by attempt.
pub type PastPhases = BTreeMap<(NodeId, u32), Vec<(NodePhase, u32)>>;

/// One run in progress, as its tasks see it.
#[derive(Clone)]
pub struct RunCx {
    /// The machine and the person.
    pub wiring: Wiring,
    /// What was asked.
    pub options: RunOptions,
    /// The log.
    pub log: Arc<RunLog>,
    /// The models, behind journal and budget.
    pub model: Arc<dyn ChatModel>,
    /// What was spent.
    pub ledger: Arc<Ledger>,
    /// The tools.
    pub tools: Arc<ToolRegistry>,
    /// The files that are worked on: the project, a copy of it, or the lane of one task.
    pub workspace: Arc<Workspace>,
    /// Saved states of files.
    pub snapshots: Arc<SnapshotStore>,
    /// What the person approved so far, in this process and in earlier ones.
    pub approvals: Arc<Approvals>,
    /// What this machine has, as far as it was asked.
    pub probed: Arc<Mutex<BTreeMap<Probe, bool>>>,
    /// Phases that an earlier process recorded, by attempt, so that they are not recorded again.
    pub past_phases: Arc<PastPhases>,
    /// Whose turn it is to merge.
    pub(crate) turns: Arc<Turns>,
    /// Whether the files are those of a task's lane.
    pub in_lane: bool,
}

impl RunCx {
    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        self.log.run()
    }

    /// The log as lower layers see it.
    #[must_use]
    pub fn recorder(&self) -> Arc<dyn Recorder> {
        if self.in_lane { Arc::new(LaneRecorder(self.log.clone())) } else { self.log.clone() }
    }

    /// What tools are handed for work under `grant`.
    #[must_use]
    pub fn tool_cx(&self, grant: Grant, cancel: CancellationToken) -> ToolCx {
        ToolCx {
            recorder: self.recorder(),
            progress: self.wiring.progress.clone(),
            interaction: self.wiring.interaction.clone(),
            workspace: self.workspace.clone(),
            snapshots: Some(self.snapshots.clone()),
            grant,
            process: self.wiring.process,
            sandbox: self.wiring.sandbox.clone(),
            env: self.wiring.child_env.clone(),
            policy: self.wiring.policy.clone(),
            approvals: self.approvals.clone(),
            cancel,
            outputs: Outputs::default(),
        }
    }

    /// Appends a fact.
    pub fn emit(&self, event: impl Into<sage_core::EventKind>) -> Result<Seq> {
        Ok(self.log.emit(event.into())?)
    }
}
