//! Facts about model calls.

use serde::{Deserialize, Serialize};

use crate::{AgentRole, BlobRef, CallId, ContextUse, ErrorKind, Usage};

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
        /// Whether the answer is a turn of a model that works; see [`crate::Limits::turns`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        turn: bool,
        /// What the request is made of, as counted by us; absent in logs of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<ContextUse>,
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
    /// The provider counted more than was set aside for the call, so that a limit may be exceeded by the
    /// difference. Told only where a limit in tokens or money holds.
    #[serde(rename = "model.exceeded")]
    Exceeded {
        /// The call.
        call: CallId,
        /// The tokens that were set aside for prompt and answer.
        reserved_tokens: u64,
        /// The tokens that the provider reports.
        used_tokens: u64,
        /// The US dollars that were set aside.
        reserved_usd: f64,
        /// The US dollars that they cost.
        used_usd: f64,
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
