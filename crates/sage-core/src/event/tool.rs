//! Facts about tool calls.

use serde::{Deserialize, Serialize};

use crate::{BlobRef, CallId};

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

/// What is done about a model that repeats itself, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatGrade {
    /// The call was done and the model was told that it repeats itself.
    Hint,
    /// The call was not done: the model has to do something else.
    Refused,
    /// The work was ended.
    Stopped,
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
    /// A model repeats itself.
    #[serde(rename = "tool.repeated")]
    Repeated {
        /// The call by which it was noticed.
        call: CallId,
        /// The tool.
        tool: String,
        /// What is repeated, in one short line.
        summary: String,
        /// How often it was asked for, without anything having changed that matters to it.
        n_times: u32,
        /// What was done about it.
        grade: RepeatGrade,
    },
}
