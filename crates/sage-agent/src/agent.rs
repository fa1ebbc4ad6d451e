//! One model, its tools and its bounds: asks questions and does work in a conversation.

use std::sync::Arc;

use sage_core::{AgentRole, CallId, Message, RouteFeatures, Speaker, ToolSpec};
use sage_model::{
    ChatModel, ChatRequest, ChatResponse, ModelFacts, ProgressDeltas, ResponseSchema, ToolCalling,
    estimate_tokens,
};
use sage_tool::{ToolCx, ToolRegistry};

use crate::context::{self, Sections};
use crate::thoughts::without_thoughts;
use crate::{CallCounter, Conversation, Error, Result};

/// How a model with tools is told to work.
const NATIVE_PROTOCOL: &str = include_str!("agent/native_protocol.md");

/// How a model without tools is told to write edits.
const TEXT_PROTOCOL: &str = include_str!("agent/text_protocol.md");

/// The part of a window that is kept free for the answer, unless the model's answers are shorter.
const ANSWER_SHARE: u64 = 4;

/// Bounds of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// Model calls that one [`Agent::work`] may make.
    pub max_turns: u32,
    /// Most tokens of a prompt with its answer; the model's own window holds in any case.
    pub context_tokens: u64,
    /// Most characters of one tool result that the model sees; the middle is left out.
    pub max_tool_output_chars: usize,
}

impl TurnLimits {
    /// What a coding task gets unless its contract says otherwise.
    pub const DEFAULT: Self =
        Self { max_turns: 40, context_tokens: 200_000, max_tool_output_chars: 30_000 };
}

/// Everything that a conversation is held with. Cheap to clone; clones share the count of calls.
#[derive(Clone)]
pub struct Agent {
    /// Who answers.
    pub model: Arc<dyn ChatModel>,
    /// What it can call.
    pub tools: Arc<ToolRegistry>,
    /// In what surroundings, with which grant.
    pub cx: ToolCx,
    /// Numbers its effects.
    pub calls: CallCounter,
    /// The role that the model plays.
    pub role: AgentRole,
    /// What the router decides by. `prompt_tokens` is filled in here when it is 0.
    pub features: RouteFeatures,
    /// The one model that may answer, where the plan names it.
    pub fixed_model: Option<String>,
    /// Sampling temperature; the model's own default when absent.
    pub temperature: Option<f32>,
    /// Its bounds.
    pub limits: TurnLimits,
}

/// What a model said.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Under which call it is recorded.
    pub call: CallId,
    /// The protocol that the request was written for.
    pub calling: ToolCalling,
    /// The whole answer; thoughts that were part of its text are not.
    pub response: ChatResponse,
}

impl Reply {
    /// Its text, without thoughts.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.response.message.text
    }
}

/// What a request is for, which decides what is added to the conversation.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// An answer in words.
    Answer,
    /// An answer in JSON.
    Json(Option<&'a ResponseSchema>),
    /// Changes to files.
    Work,
}

/// What one request adds to the conversation.
struct Extras {
    tools: Vec<ToolSpec>,
    /// Goes to the end of the system prompt.
    instructions: String,
    schema: Option<ResponseSchema>,
}

impl Agent {
    /// Asks once, without tools, and adds the answer to the conversation.
    ///
    /// Cancellation, by the token in [`Agent::cx`] or by dropping the future, leaves the conversation
    /// without an answer.
    pub async fn ask(&self, conversation: &mut Conversation) -> Result<Reply> {
        self.call_model(conversation, Purpose::Answer).await
    }

    pub(crate) async fn call_model(
        &self,
        conversation: &mut Conversation,
        purpose: Purpose<'_>,
    ) -> Result<Reply> {
        let (request, calling) = self.request(conversation, purpose)?;
        let deltas =
            ProgressDeltas { call: request.call.clone(), progress: self.cx.progress.clone() };
        let mut response = tokio::select! {
            biased;
            () = self.cx.cancel.cancelled() => return Err(Error::Interrupted),
            response = self.model.chat(&request, &deltas) => response?,
        };
        let said = without_thoughts(&response.message.text).to_owned();
        response.message.text = said;
        conversation.messages.push(response.message.clone());
        Ok(Reply { call: request.call, calling, response })
    }

    /// The next request, after cutting the conversation to what the model can take.
    fn request(
        &self,
        conversation: &mut Conversation,
        purpose: Purpose<'_>,
    ) -> Result<(ChatRequest, ToolCalling)> {
        let mut request = self.bare_request(self.calls.next(), conversation);
        let facts = self.model.facts(&request)?;
        let extras = self.extras(purpose, &facts);
        let window = self.limits.context_tokens.min(facts.context_tokens);
        let max_answer = u64::from(facts.max_output_tokens);
        let room = window
            .saturating_sub(max_answer.min(window / ANSWER_SHARE))
            .saturating_sub(extras.weight());
        context::fit(&mut conversation.messages, room).map_err(|too_large| Error::TooLarge {
            model: facts.model.clone(),
            needed: too_large.needed,
            room,
        })?;
        let used = extras.weight() + Sections::of(&conversation.messages, &[]).total();
        let answer_room = window.saturating_sub(used);
        if answer_room < max_answer {
            request.max_output_tokens = u32::try_from(answer_room).ok();
        }
        request.messages = with_instructions(&conversation.messages, &extras.instructions);
        request.tools = extras.tools;
        request.response_schema = extras.schema;
        Ok((request, facts.tool_calling))
    }

    /// The conversation as it is, under `call`.
    pub(crate) fn bare_request(&self, call: CallId, conversation: &Conversation) -> ChatRequest {
        let mut features = self.features.clone();
        if features.prompt_tokens == 0 {
            features.prompt_tokens = Sections::of(&conversation.messages, &[]).total();
        }
        ChatRequest {
            call,
            role: self.role,
            features,
            fixed_model: self.fixed_model.clone(),
            messages: conversation.messages.clone(),
            tools: Vec::new(),
            response_schema: None,
            temperature: self.temperature,
            max_output_tokens: None,
        }
    }

    fn extras(&self, purpose: Purpose<'_>, facts: &ModelFacts) -> Extras {
        let mut extras = Extras { tools: Vec::new(), instructions: String::new(), schema: None };
        match (purpose, facts.tool_calling) {
            (Purpose::Answer | Purpose::Json(None), _) => {}
            (Purpose::Json(Some(schema)), _) if facts.json_schema => {
                extras.schema = Some(schema.clone());
            }
            (Purpose::Json(Some(schema)), _) => {
                extras.instructions = format!(
                    "Answer with one JSON value and nothing else. It must match this JSON Schema:\n{}",
                    schema.schema
                );
            }
            (Purpose::Work, calling) => {
                if calling == ToolCalling::Native {
                    extras.tools = self.tools.specs(&self.cx.grant);
                }
                // Under a grant that only reads there is nothing to say about edits.
                if !self.cx.grant.read_only {
                    extras.instructions = protocol(calling).to_owned();
                }
            }
        }
        extras
    }
}

impl Extras {
    fn weight(&self) -> u64 {
        let schema = self.schema.as_ref().map(|schema| schema.schema.to_string());
        Sections::of(&[], &self.tools).total()
            + estimate_tokens(&self.instructions)
            + schema.map_or(0, |schema| estimate_tokens(&schema))
    }
}

fn protocol(calling: ToolCalling) -> &'static str {
    match calling {
        ToolCalling::Native => NATIVE_PROTOCOL,
        ToolCalling::Text => TEXT_PROTOCOL,
    }
}

/// The messages with `instructions` at the end of the system prompt, where they leave its beginning
/// as it is.
fn with_instructions(messages: &[Message], instructions: &str) -> Vec<Message> {
    let mut messages = messages.to_vec();
    if instructions.is_empty() {
        return messages;
    }
    match messages.iter_mut().find(|message| message.speaker == Speaker::System) {
        Some(system) => system.text = format!("{}\n{instructions}", system.text),
        None => messages.insert(0, Message::system(instructions)),
    }
    messages
}

#[cfg(test)]
mod tests;
