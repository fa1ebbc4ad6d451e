//! The facts of a run: what is appended to `events.jsonl`, and all that any view is made from.
//!
//! Events are small and permanent: ids, numbers, short texts, and a [`BlobRef`] for anything long.
//! On disk one event is one JSON object per line with `seq`, `at_ms`, `run`, `type` and the fields of
//! its variant; `docs/formats.md` lists them. Adding a variant means reading each projection that
//! matches its group.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{AgentRole, BlobRef, CallId, ErrorKind, NodeId, RunId, Seq, Usage};

/// Version of the event format; a reader refuses a newer one.
pub const EVENT_FORMAT_VERSION: u32 = 1;

/// The attempt of [`NodeId::run`] under which checks are of the state before the run, whenever they are
/// made; those of higher attempts are of the state after it.
pub const ATTEMPT_BEFORE: u32 = 1;

/// One fact of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Position in the log, from 1.
    pub seq: Seq,
    /// When it was appended, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The run.
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened, in six groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// The run as a whole.
    Run(RunEvent),
    /// One node of its graph.
    Node(NodeEvent),
    /// A model call.
    Model(ModelEvent),
    /// A tool call.
    Tool(ToolEvent),
    /// A person, or a mode that stands for one.
    Human(HumanEvent),
    /// The user's files.
    Workspace(WorkspaceEvent),
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        #[derive(Deserialize)]
        struct Wire {
            seq: Seq,
            at_ms: u64,
            run: RunId,
            #[serde(flatten)]
            fields: serde_json::Map<String, Value>,
        }
        let Wire { seq, at_ms, run, fields } = Wire::deserialize(from)?;
        let kind = EventKind::from_fields(fields).map_err(D::Error::custom)?;
        Ok(Self { seq, at_ms, run, kind })
    }
}

impl EventKind {
    /// The dotted name, such as `node.finished`.
    #[must_use]
    pub fn type_name(&self) -> String {
        // The name is written once, in the serde attributes below; read it back from there.
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => {
                fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }

    /// The node that the fact concerns, if it concerns one.
    #[must_use]
    pub fn node(&self) -> Option<&NodeId> {
        match self {
            Self::Run(_) => None,
            Self::Node(
                NodeEvent::Started { node, .. }
                | NodeEvent::EnteredPhase { node, .. }
                | NodeEvent::Finished { node, .. }
                | NodeEvent::Skipped { node, .. },
            ) => Some(node),
            Self::Model(
                ModelEvent::Routed { call, .. }
                | ModelEvent::Called { call, .. }
                | ModelEvent::TryFailed { call, .. }
                | ModelEvent::Answered { call, .. }
                | ModelEvent::Failed { call, .. },
            )
            | Self::Tool(
                ToolEvent::Called { call, .. }
                | ToolEvent::Finished { call, .. }
                | ToolEvent::Refused { call, .. },
            ) => Some(&call.node),
            Self::Human(
                HumanEvent::PlanReviewed { .. }
                | HumanEvent::Asked { .. }
                | HumanEvent::Answered { .. },
            ) => None,
            Self::Human(HumanEvent::ToolReviewed { node, .. }) => Some(node),
            Self::Workspace(event) => match event {
                WorkspaceEvent::Changed { call, .. } => Some(&call.node),
                WorkspaceEvent::Snapshotted { node, .. }
                | WorkspaceEvent::Checked { node, .. }
                | WorkspaceEvent::RolledBack { node, .. } => Some(node),
                WorkspaceEvent::Undone { .. } => None,
            },
        }
    }

    fn from_fields(fields: serde_json::Map<String, Value>) -> Result<Self, String> {
        let name = fields
            .get("type")
            .and_then(Value::as_str)
            .ok_or("an event needs a \"type\"")?
            .to_owned();
        let fields = Value::Object(fields);
        let explain = |error: serde_json::Error| format!("event {name}: {error}");
        match name.split('.').next().unwrap_or_default() {
            "run" => serde_json::from_value(fields).map(Self::Run).map_err(explain),
            "node" => serde_json::from_value(fields).map(Self::Node).map_err(explain),
            "model" => serde_json::from_value(fields).map(Self::Model).map_err(explain),
            "tool" => serde_json::from_value(fields).map(Self::Tool).map_err(explain),
            "human" => serde_json::from_value(fields).map(Self::Human).map_err(explain),
            "workspace" => serde_json::from_value(fields).map(Self::Workspace).map_err(explain),
            _ => Err(format!("unknown event type {name:?}")),
        }
    }
}

macro_rules! group {
    ($($event:ident => $kind:ident),* $(,)?) => {
        $(impl From<$event> for EventKind {
            fn from(event: $event) -> Self {
                Self::$kind(event)
            }
        })*
    };
}
group!(
    RunEvent => Run, NodeEvent => Node, ModelEvent => Model,
    ToolEvent => Tool, HumanEvent => Human, WorkspaceEvent => Workspace,
);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Everything asked for was done and verified.
    Succeeded,
    /// The run ended, but a task or its verification failed.
    Failed,
    /// The plan was rejected, or a person cancelled.
    Rejected,
    /// A plan was made and nothing was to be executed.
    Planned,
    /// No model could be reached.
    ModelUnavailable,
    /// A budget was used up; the run can be resumed.
    OutOfBudget,
    /// Interrupted from outside; the run can be resumed.
    Interrupted,
    /// Ended by the environment or by a fault of ours.
    Errored,
}

/// Facts about the run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RunEvent {
    /// The run began. Always the first event.
    #[serde(rename = "run.started")]
    Started {
        /// Version of this format.
        format_version: u32,
        /// Version of the program.
        sage_version: String,
        /// The goal as typed.
        goal: String,
        /// `research`, `auto` or `silent`.
        mode: String,
        /// Everything else that a resume or a replay needs, as the coder wrote it.
        options: Value,
    },
    /// A valid plan exists.
    #[serde(rename = "run.planned")]
    Planned {
        /// The plan file's bytes.
        plan: BlobRef,
        /// Number of tasks.
        n_tasks: u32,
        /// Where it came from: `model`, `file` or `edited`.
        source: String,
        /// What validation changed or remarked.
        notes: Vec<String>,
    },
    /// A planner's answer was not a valid plan.
    #[serde(rename = "run.plan_refused")]
    PlanRefused {
        /// The raw answer.
        answer: BlobRef,
        /// Why, one line each.
        errors: Vec<String>,
    },
    /// A later process took the run up again.
    #[serde(rename = "run.resumed")]
    Resumed {
        /// Version of the program that resumed.
        sage_version: String,
        /// Files that the run had touched and somebody changed since.
        changed_files: Vec<String>,
    },
    /// A budget is nearly used up (80 %) or used up (100 %).
    #[serde(rename = "run.budget_reached")]
    BudgetReached {
        /// The node whose budget it is; absent for the run's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
        /// `calls`, `tokens`, `usd` or `time_s`.
        limit: String,
        /// What the limit allows.
        allowed: f64,
        /// What was used when this was written.
        used: f64,
        /// True at 100 %: no further call is made.
        exhausted: bool,
    },
    /// The run ended, or stopped in a way that can be resumed (see [`RunOutcome`]).
    #[serde(rename = "run.finished")]
    Finished {
        /// How.
        outcome: RunOutcome,
        /// The exit code that the process reports.
        exit_code: u8,
        /// Why, one line; empty on success.
        reason: String,
    },
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeOutcome {
    /// Done, with evidence.
    Done,
    /// Failed for good or for this attempt; the scheduler decides by the node's retry rule.
    Failed,
    /// Stopped because the run was interrupted; a resumed run takes the attempt up again.
    Interrupted,
}

/// What a task is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodePhase {
    /// Writing the change.
    Implement,
    /// Deterministic checks: files exist, code parses, linters.
    Check,
    /// Judging the change.
    Review,
    /// Running generated tests.
    Test,
    /// Running acceptance commands.
    Verify,
    /// Repairing what failed.
    Repair,
}

/// Facts about one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum NodeEvent {
    /// An attempt began.
    #[serde(rename = "node.started")]
    Started {
        /// The node.
        node: NodeId,
        /// Its attempt, from 1.
        attempt: u32,
    },
    /// The attempt moved on.
    #[serde(rename = "node.entered_phase")]
    EnteredPhase {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// The phase.
        phase: NodePhase,
        /// Number of repairs so far.
        round: u32,
    },
    /// The attempt ended.
    #[serde(rename = "node.finished")]
    Finished {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// How.
        outcome: NodeOutcome,
        /// What kind of failure it was, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorKind>,
        /// Why, one line; on success what was done.
        summary: String,
    },
    /// The node will not run, because something it depends on failed or was skipped.
    #[serde(rename = "node.skipped")]
    Skipped {
        /// The node.
        node: NodeId,
        /// The node on whose account.
        because: NodeId,
    },
}

/// Why a model stopped writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It was done.
    Stop,
    /// It wants tools to be called.
    ToolCalls,
    /// It hit its output limit; the answer is cut off.
    Length,
    /// The provider held the answer back.
    ContentFilter,
    /// Something else, in the provider's words.
    Other(String),
}

/// The features of a task by which a model is chosen; the variables of the trigger language.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RouteFeatures {
    /// Estimated difficulty, 0 to 1.
    pub task_complexity_score: f64,
    /// Failures of the primary model on this task so far.
    pub primary_failure_count: u32,
    /// Failures of any model on this task so far.
    pub failure_count: u32,
    /// Number of target files.
    pub n_target_files: u32,
    /// Estimated tokens of the prompt.
    pub prompt_tokens: u64,
}

/// One model that routing considered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Model name.
    pub model: String,
    /// Provider name.
    pub provider: String,
    /// `primary`, `fallback` or `fixed`.
    pub position: String,
    /// Why it could not be chosen, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
}

/// Facts about model calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ModelEvent {
    /// A model was chosen for an attempt of a node (or again, when the first became unavailable).
    #[serde(rename = "model.routed")]
    Routed {
        /// The call that needed the decision.
        call: CallId,
        /// The role.
        role: AgentRole,
        /// What was known.
        features: RouteFeatures,
        /// Who could have been chosen.
        candidates: Vec<Candidate>,
        /// Who was.
        chosen: String,
        /// Why, in words.
        reason: String,
        /// Probability with which the policy chooses this model here, in (0, 1].
        probability: f64,
    },
    /// A request is about to be sent.
    #[serde(rename = "model.called")]
    Called {
        /// The call.
        call: CallId,
        /// The role.
        role: AgentRole,
        /// The request as the model layer serialises it.
        request: BlobRef,
    },
    /// One try failed; the model layer goes on with a retry or another model.
    #[serde(rename = "model.try_failed")]
    TryFailed {
        /// The call.
        call: CallId,
        /// The model that was tried.
        model: String,
        /// Its provider.
        provider: String,
        /// What went wrong, one line.
        error: String,
        /// Milliseconds until the next try of the same model; absent when it is given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// The answer is complete.
    #[serde(rename = "model.answered")]
    Answered {
        /// The call.
        call: CallId,
        /// The role.
        role: AgentRole,
        /// The model that answered.
        model: String,
        /// Its provider.
        provider: String,
        /// Whether the model runs on this machine's side of the network.
        local: bool,
        /// Whether the answer came from a script.
        scripted: bool,
        /// The answer as the model layer serialises it.
        response: BlobRef,
        /// Why it stopped.
        finish: Finish,
        /// Tokens.
        usage: Usage,
        /// US dollars, by the prices in `models.yaml`; 0 where no price is known.
        usd: f64,
        /// Milliseconds to the first token, if it streamed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_token_ms: Option<u64>,
        /// Milliseconds to the end, retries included.
        latency_ms: u64,
    },
    /// The call failed for good.
    #[serde(rename = "model.failed")]
    Failed {
        /// The call.
        call: CallId,
        /// What sort of failure.
        error: ErrorKind,
        /// What was tried and what happened.
        message: String,
    },
}

/// What a tool may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes only the conversation, such as `finish`.
    Control,
    /// Reads the work tree.
    Read,
    /// Changes files in the work tree.
    Write,
    /// Starts a process.
    Execute,
}

/// Facts about tool calls, the program's own steps included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ToolEvent {
    /// A call is about to be performed.
    #[serde(rename = "tool.called")]
    Called {
        /// The call.
        call: CallId,
        /// The tool.
        tool: String,
        /// What it may do.
        effect: Effect,
        /// The arguments.
        args: BlobRef,
        /// The arguments in one short line, for people.
        summary: String,
    },
    /// The call ended.
    #[serde(rename = "tool.finished")]
    Finished {
        /// The call.
        call: CallId,
        /// The tool.
        tool: String,
        /// False when the result is an error for the model to read.
        ok: bool,
        /// The result as the model sees it.
        result: BlobRef,
        /// The result in one short line.
        summary: String,
        /// How long it took.
        duration_ms: u64,
    },
    /// The program did not let the call happen.
    #[serde(rename = "tool.refused")]
    Refused {
        /// The call.
        call: CallId,
        /// The tool.
        tool: String,
        /// What it wanted, in one short line.
        summary: String,
        /// Which rule of the contract or policy said no, and why.
        reason: String,
        /// The refusal as the model sees it.
        result: BlobRef,
    },
}

/// Who made a decision that belongs to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A person, at the terminal or in a browser.
    Person,
    /// The mode that the person chose (`--auto`, `--silent`).
    Mode,
    /// `SAGE_NON_INTERACTIVE=1`, set by the person.
    Environment,
    /// `--plan FILE`: the person handed the plan in.
    PlanFile,
}

/// What came of a plan review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanDecision {
    /// Go on.
    Approved,
    /// Do not.
    Rejected,
}

/// Facts about people's decisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum HumanEvent {
    /// A plan was decided on.
    #[serde(rename = "human.plan_reviewed")]
    PlanReviewed {
        /// The decision.
        decision: PlanDecision,
        /// Who made it.
        by: Decider,
        /// The plan that it was made about.
        plan: BlobRef,
        /// Whether it was edited first.
        edited: bool,
    },
    /// A tool call was decided on.
    #[serde(rename = "human.tool_reviewed")]
    ToolReviewed {
        /// The node that asked.
        node: NodeId,
        /// The tool.
        tool: String,
        /// What it wanted, in one short line.
        what: String,
        /// The decision.
        allowed: bool,
        /// Who made it.
        by: Decider,
    },
    /// A question was put.
    #[serde(rename = "human.asked")]
    Asked {
        /// The question.
        question: String,
    },
    /// A question was answered, or skipped (empty).
    #[serde(rename = "human.answered")]
    Answered {
        /// The answer.
        answer: String,
    },
}

/// A file's content and mode, by which it is recognised again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileState {
    /// Content address of the exact bytes (never redacted; the bytes are not in the log).
    pub hash: BlobRef,
    /// Unix permission bits.
    pub mode: u32,
}

/// What a check was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A parser, formatter or linter.
    Lint,
    /// Tests that this task generated.
    GeneratedTest,
    /// A command of the node's acceptance.
    Acceptance,
    /// The project's own verification.
    Project,
}

/// Facts about the user's files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WorkspaceEvent {
    /// The state of the work tree was saved, so that it can be restored exactly.
    #[serde(rename = "workspace.snapshotted")]
    Snapshotted {
        /// For which node; `@run` for the state before the run.
        node: NodeId,
        /// Its attempt; 0 for the run.
        attempt: u32,
        /// The manifest in the snapshot store.
        snapshot: BlobRef,
        /// Files covered.
        n_files: u64,
        /// Files that were too large to save, by path.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_covered: Vec<String>,
    },
    /// A file is about to change through a tool, or was found changed after a command.
    #[serde(rename = "workspace.changed")]
    Changed {
        /// The tool call.
        call: CallId,
        /// Path relative to the work tree, `/`-separated.
        path: String,
        /// Before; absent if it did not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<FileState>,
        /// After; absent if it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<FileState>,
        /// Lines added.
        lines_added: u64,
        /// Lines removed.
        lines_removed: u64,
    },
    /// A command gave evidence for or against a task.
    #[serde(rename = "workspace.checked")]
    Checked {
        /// The node.
        node: NodeId,
        /// Its attempt; see [`ATTEMPT_BEFORE`] for the run as a whole.
        attempt: u32,
        /// The tool call that ran it.
        call: CallId,
        /// What it was for.
        kind: CheckKind,
        /// The command line.
        command: String,
        /// Whether it counts as passed.
        passed: bool,
        /// Exit code; absent when killed or not started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// Number of tests that ran, where the runner says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        n_tests: Option<u64>,
        /// How long it took.
        duration_ms: u64,
        /// Its output.
        output: BlobRef,
        /// Why it did not pass, one line.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A failed task's changes are being taken back.
    #[serde(rename = "workspace.rolled_back")]
    RolledBack {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// The paths.
        paths: Vec<String>,
    },
    /// A person undid the run.
    #[serde(rename = "workspace.undone")]
    Undone {
        /// The paths that were restored.
        paths: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn event(kind: impl Into<EventKind>) -> Event {
        Event { seq: Seq(7), at_ms: 1000, run: RunId::new("r1").unwrap(), kind: kind.into() }
    }

    #[test]
    fn an_event_is_one_flat_json_object_and_reads_back() {
        let node = NodeId::new("task_001").unwrap();
        let written = event(NodeEvent::Finished {
            node,
            attempt: 1,
            outcome: NodeOutcome::Done,
            error: None,
            summary: "2 files".into(),
        });
        let line = serde_json::to_string(&written).unwrap();
        expect![[r#"{"seq":7,"at_ms":1000,"run":"r1","type":"node.finished","node":"task_001","attempt":1,"outcome":"done","summary":"2 files"}"#]]
            .assert_eq(&line);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), written);
        assert_eq!(written.kind.type_name(), "node.finished");
    }

    #[test]
    fn an_unreadable_event_says_which_type_and_field() {
        let check = |line: &str, expected: &str| {
            let error = serde_json::from_str::<Event>(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"seq":1,"at_ms":1,"run":"r","type":"node.started","node":"a"}"#, "attempt");
        check(r#"{"seq":1,"at_ms":1,"run":"r","type":"moon.landed"}"#, "moon.landed");
        check(r#"{"seq":1,"at_ms":1,"run":"r"}"#, "\"type\"");
    }
}
