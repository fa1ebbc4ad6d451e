//! What is asked of a model and what comes back, free of any provider's wire format, and the trait that
//! everything which answers implements: the router, its decorators, scripts and replays.
//!
//! Requests and answers are stored in run logs as they serialise here, so fields are only ever added.

use std::sync::Arc;

use async_trait::async_trait;
use sage_core::{
    AgentRole, CallId, ContextUse, Finish, Message, Progress, ProgressSink, RouteFeatures,
    ToolSpec, Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ModelFacts, Result};

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// Which effect of which attempt this is.
    pub call: CallId,
    /// The role that the model plays.
    pub role: AgentRole,
    /// What the router decides by.
    pub features: RouteFeatures,
    /// The one model that may answer, where the plan names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_model: Option<String>,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// The tools on offer. A model whose [`crate::ToolCalling`] is `Text` is not told of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// The shape that the answer's text must have. Enforced by the provider where it can; where it
    /// cannot ([`ModelFacts::json_schema`] is false) the prompt has to ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<ResponseSchema>,
    /// Sampling temperature; the model's own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Most tokens that the answer may have; [`ModelFacts::max_output_tokens`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Whether the answer is a turn of a model that works; see [`sage_core::Limits::turns`]. For the
    /// ledger and the log, not a part of what is asked.
    #[serde(skip)]
    pub turn: bool,
    /// What the request is made of; for the log, not a part of what is asked.
    #[serde(skip)]
    pub context: Option<ContextUse>,
}

/// A JSON Schema for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseSchema {
    /// A short name, letters, digits, `_` and `-`.
    pub name: String,
    /// The schema.
    pub schema: Value,
}

/// A complete answer: never a part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    /// What the model said; text, tool calls or both.
    pub message: Message,
    /// Why it stopped.
    pub finish: Finish,
    /// Tokens.
    pub usage: Usage,
    /// The model that answered.
    pub model: String,
    /// Its provider.
    pub provider: String,
    /// Whether the model runs on this machine's side of the network.
    pub local: bool,
    /// Whether the answer came from a script.
    pub scripted: bool,
    /// US dollars by the prices in `models.yaml`; 0 where no price is known.
    pub usd: f64,
    /// Milliseconds to the first token, if it streamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// Milliseconds to the end, retries included.
    pub latency_ms: u64,
}

/// Takes text while it is being written.
pub trait DeltaSink: Send + Sync {
    /// The next piece of the answer's text.
    fn text(&self, delta: &str);

    /// What was delivered so far is void: the try broke off and the answer begins again.
    fn restart(&self) {}
}

/// Drops all live text.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeltas;

impl DeltaSink for NoDeltas {
    fn text(&self, _: &str) {}
}

/// Passes live text on as [`Progress::Text`].
pub struct ProgressDeltas {
    /// The call that streams.
    pub call: CallId,
    /// Who listens.
    pub progress: Arc<dyn ProgressSink>,
}

impl DeltaSink for ProgressDeltas {
    fn text(&self, delta: &str) {
        let (call, delta) = (self.call.clone(), delta.to_owned());
        self.progress.progress(Progress::Text { call, delta });
    }
}

/// Something that answers.
///
/// Cancellation: drop the future. The provider may have been reached and may charge for the call; no
/// `model.answered` event is written.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Asks. The answer is complete or there is none.
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse>;

    /// The model that would answer `request`. The router pins it per node, attempt and role, so the
    /// facts hold for a whole conversation unless the model becomes unavailable.
    fn facts(&self, request: &ChatRequest) -> Result<ModelFacts>;

    /// Whether the request may be sent at all; asked before anything is recorded about it.
    fn admit(&self, _request: &ChatRequest) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl<M: ChatModel + ?Sized> ChatModel for Arc<M> {
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse> {
        (**self).chat(request, deltas).await
    }

    fn facts(&self, request: &ChatRequest) -> Result<ModelFacts> {
        (**self).facts(request)
    }

    fn admit(&self, request: &ChatRequest) -> Result<()> {
        (**self).admit(request)
    }
}
