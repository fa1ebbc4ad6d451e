//! One model, its tools and its bounds: asks questions and does work in a conversation.

use std::sync::Arc;

use sage_core::{AgentRole, CallId, ContextUse, Message, Past, RouteFeatures, Speaker, ToolSpec};
use sage_model::{
    ChatModel, ChatRequest, ChatResponse, ModelFacts, ProgressDeltas, ResponseSchema, ToolCalling,
    estimate_prompt_tokens, estimate_tokens,
};
use sage_tool::{ToolCx, ToolRegistry};

use crate::context::{self, facts_at, head_len, weigh, weigh_tools};
use crate::thoughts::without_thoughts;
use crate::{CallCounter, Conversation, Error, Result};

/// How a model with tools is told to work.
const NATIVE_PROTOCOL: &str = include_str!("agent/native_protocol.md");

/// How a model without tools is told to write edits.
const TEXT_PROTOCOL: &str = include_str!("agent/text_protocol.md");

/// The part of a window that is kept free for the answer, unless the model's answers are shorter.
const ANSWER_SHARE: u64 = 4;

/// The part of a window that one result of a tool may take.
const RESULT_SHARE: u64 = 8;

/// Least characters of a tool result that the model sees, however small its window.
const MIN_RESULT_CHARS: usize = 2_000;

/// Characters of one token, as `sage-model` estimates them, rounded down.
const CHARS_PER_TOKEN: u64 = 3;

/// The part of the room that the facts may take which stand for cut steps.
const FACTS_SHARE: u64 = 6;

/// Most characters of those facts, however large the window.
const MAX_FACTS_CHARS: u64 = 8_000;

/// To how much of what it was a prompt is cut that the provider finds too long, in percent.
const SHRINK_PERCENT: u64 = 60;

/// Bounds of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// Model calls that one [`Agent::work`] may make.
    pub max_turns: u32,
    /// Most tokens of a prompt with its answer; the model's own window holds in any case.
    pub context_tokens: u64,
    /// Most characters of one tool result that the model sees, fewer in a small window; the middle is left
    /// out and can be read on request.
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

    /// The model that would be asked to go on with the conversation, and what the request would be made of.
    ///
    /// # Errors
    /// As [`Agent::work`] before it asks.
    pub fn weigh_work(&self, conversation: &mut Conversation) -> Result<(String, ContextUse)> {
        self.weigh(conversation, Purpose::Work)
    }

    /// The same for a question that is answered in JSON of this shape.
    ///
    /// # Errors
    /// As [`Agent::ask_json`] before it asks.
    pub fn weigh_question(
        &self,
        conversation: &mut Conversation,
        schema: Option<&ResponseSchema>,
    ) -> Result<(String, ContextUse)> {
        self.weigh(conversation, Purpose::Json(schema))
    }

    fn weigh(
        &self,
        conversation: &mut Conversation,
        purpose: Purpose<'_>,
    ) -> Result<(String, ContextUse)> {
        let (request, _) = self.request(conversation, purpose, u64::MAX)?;
        let facts = self.model.facts(&request)?;
        Ok((facts.model, request.context.unwrap_or_default()))
    }

    pub(crate) async fn call_model(
        &self,
        conversation: &mut Conversation,
        purpose: Purpose<'_>,
    ) -> Result<Reply> {
        let (mut request, mut calling) = self.request(conversation, purpose, u64::MAX)?;
        let mut asked = self.chat(&request).await?;
        if matches!(&asked, Err(error) if error.is_too_long()) {
            // Once: what the provider counts is not what we count, and it did not say by how much.
            let most = estimate_prompt_tokens(&request) / 100 * SHRINK_PERCENT;
            if let Some(context) = request.context {
                let room = context.window.saturating_sub(context.answer);
                let model = self.model.facts(&request)?.model;
                self.calls.learned().raise(&model, room as f64 / most.max(1) as f64);
            }
            (request, calling) = self.request(conversation, purpose, most)?;
            asked = self.chat(&request).await?;
        }
        let estimate = estimate_prompt_tokens(&request);
        let mut response = match asked {
            Ok(response) => response,
            Err(error) if error.is_too_long() => {
                let window = request.context.map_or(0, |context| context.window);
                return Err(Error::WindowRefused { window, estimate, source: error });
            }
            Err(error) => return Err(error.into()),
        };
        self.calls.learned().observe(&response.model, estimate, &response.usage);
        let said = without_thoughts(&response.message.text).to_owned();
        response.message.text = said;
        conversation.messages.push(response.message.clone());
        Ok(Reply { call: request.call, calling, response })
    }

    /// One call. The outer error is an interruption.
    async fn chat(&self, request: &ChatRequest) -> Result<sage_model::Result<ChatResponse>> {
        // A call without an answer after which an earlier process went on with another one was too long:
        // nothing else goes on so.
        let is_unanswered = matches!(self.cx.recorder.past(&request.call), Past::ModelUnknown);
        let next = || self.cx.recorder.past(&self.calls.peek());
        if is_unanswered && matches!(next(), Past::Model { .. } | Past::ModelUnknown) {
            let kind = sage_core::ErrorKind::ModelAnswer;
            let message = "context length exceeded, as an earlier process was told".to_owned();
            return Ok(Err(sage_model::Error::Replayed { kind, message }));
        }
        let deltas =
            ProgressDeltas { call: request.call.clone(), progress: self.cx.progress.clone() };
        tokio::select! {
            biased;
            () = self.cx.cancel.cancelled() => Err(Error::Interrupted),
            response = self.model.chat(request, &deltas) => Ok(response),
        }
    }

    /// The next request, after cutting the conversation to what the model can take, and to `most`
    /// estimated tokens.
    fn request(
        &self,
        conversation: &mut Conversation,
        purpose: Purpose<'_>,
        most: u64,
    ) -> Result<(ChatRequest, ToolCalling)> {
        let mut request = self.bare_request(self.calls.next(), conversation);
        let facts = self.model.facts(&request)?;
        let extras = self.extras(purpose, &facts);
        let window = self.limits.context_tokens.min(facts.context_tokens);
        let max_answer = u64::from(facts.max_output_tokens);
        let answer = max_answer.min(window / ANSWER_SHARE);
        // What may be estimated for what the provider shall count.
        let whole = self.calls.learned().estimated(&facts.model, window.saturating_sub(answer));
        let room = whole.min(most).saturating_sub(extras.weight());
        let before = weigh(&conversation.messages);
        cut(conversation, room).map_err(|too_large| Error::TooLarge {
            model: facts.model.clone(),
            needed: too_large.needed,
            room,
        })?;
        let page = usize::try_from(window * CHARS_PER_TOKEN / RESULT_SHARE).unwrap_or(usize::MAX);
        let page = page.max(MIN_RESULT_CHARS).min(self.limits.max_tool_output_chars);
        self.cx.outputs.set_page_chars(page);
        let kept = weigh(&conversation.messages);
        let used = self.calls.learned().counted(&facts.model, extras.weight() + kept);
        let answer_room = window.saturating_sub(used);
        if answer_room < max_answer {
            request.max_output_tokens = u32::try_from(answer_room).ok();
        }
        let sections = extras.sections(conversation);
        let cut = before.saturating_sub(kept);
        request.context = Some(ContextUse { window, answer, cut, ..sections });
        request.turn = matches!(purpose, Purpose::Work);
        request.messages = with_instructions(&conversation.messages, &extras.instructions);
        request.tools = extras.tools;
        request.response_schema = extras.schema;
        Ok((request, facts.tool_calling))
    }

    /// The conversation as it is, under `call`.
    pub(crate) fn bare_request(&self, call: CallId, conversation: &Conversation) -> ChatRequest {
        let mut features = self.features.clone();
        if features.prompt_tokens == 0 {
            features.prompt_tokens = weigh(&conversation.messages);
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
            turn: false,
            context: None,
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
        self.instructions_weight() + weigh_tools(&self.tools)
    }

    fn instructions_weight(&self) -> u64 {
        let schema = self.schema.as_ref().map(|schema| schema.schema.to_string());
        estimate_tokens(&self.instructions) + schema.map_or(0, |schema| estimate_tokens(&schema))
    }

    /// What a request of the conversation is made of.
    fn sections(&self, conversation: &Conversation) -> ContextUse {
        let messages = &conversation.messages;
        let parts = conversation.parts;
        let (head, steps) = messages.split_at(head_len(messages));
        let system: u64 = head
            .iter()
            .filter(|message| message.speaker == Speaker::System)
            .map(|message| weigh(std::slice::from_ref(message)))
            .sum();
        let task = weigh(head) - system;
        let noted = facts_at(messages).map_or(0, |at| weigh(&messages[at..=at]));
        let (rules, files) = (parts.rules.min(system), parts.files.min(task));
        let memory = parts.memory.min(task - files);
        ContextUse {
            system: system - rules + self.instructions_weight(),
            rules,
            tools: weigh_tools(&self.tools),
            task: task - files - memory,
            memory: memory + noted,
            files,
            history: weigh(steps) - noted,
            ..ContextUse::default()
        }
    }
}

/// Cuts a conversation to `room` estimated tokens.
fn cut(conversation: &mut Conversation, room: u64) -> std::result::Result<(), context::TooLarge> {
    let Conversation { messages, facts, changed, .. } = conversation;
    let max_chars = (room.saturating_mul(CHARS_PER_TOKEN) / FACTS_SHARE).min(MAX_FACTS_CHARS);
    let max_chars = usize::try_from(max_chars).unwrap_or(usize::MAX);
    context::fit(messages, room, &|| facts.text(changed, max_chars))
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
