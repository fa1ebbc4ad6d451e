//! Facts about the run as a whole.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BlobRef, Limits, NodeId};

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
    /// What confines the commands of this process's part of the run.
    #[serde(rename = "run.sandboxed")]
    Sandboxed {
        /// Whether anything does.
        on: bool,
        /// The layers, or why there is none.
        how: String,
    },
    /// The process that took the run up gave it other limits; they hold from here on.
    #[serde(rename = "run.limits_changed")]
    LimitsChanged {
        /// All limits of the run by now.
        limits: Limits,
        /// What they were.
        before: Limits,
    },
    /// A budget is nearly used up (80 %) or used up (100 %).
    #[serde(rename = "run.budget_reached")]
    BudgetReached {
        /// The node whose budget it is; absent for the run's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
        /// `calls`, `turns`, `tokens`, `usd` or `time_s`.
        limit: String,
        /// What the limit allows.
        allowed: f64,
        /// What was used when this was written.
        used: f64,
        /// True at 100 %: no further call is made.
        exhausted: bool,
    },
    /// Changes of the run were committed.
    #[serde(rename = "run.committed")]
    Committed {
        /// The branch that has the commit now.
        branch: String,
        /// The commit.
        commit: String,
        /// The task whose changes it has.
        node: NodeId,
        /// The commit's first line.
        subject: String,
        /// With the last commit of a run: files of the run that are in none, with why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
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
