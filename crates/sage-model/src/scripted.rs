//! Answers from a file: for the demo, for tests, and for trying a set-up without a key. Whoever reports
//! on a run can see that the answers are scripted ([`crate::ModelFacts::scripted`]).
//!
//! A reply is chosen by what the request says, not by how many requests came before, so that a resumed
//! run, whose earlier calls are answered from its log, finds the same replies. `docs/models.md` has the
//! format.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sage_core::{AgentRole, CallId, Finish, Message, Speaker, ToolCall};
use serde_json::Value as Json;

use crate::fields::{At, Fields};
use crate::provider::Answer;
use crate::yaml::{self, Node, Value};
use crate::{
    ChatModel, ChatRequest, ChatResponse, DeltaSink, Error, Failure, ModelFacts, Price, Result,
    ToolCalling, Tried, Trouble, estimate_usage,
};

const TOP: [&str; 1] = ["replies"];
const REPLY: [&str; 8] =
    ["role", "contains", "last_contains", "turn", "attempt", "times", "text", "tool_calls"];
const CALL: [&str; 2] = ["name", "arguments"];
/// The most replies of one script.
const MAX_REPLIES: usize = 10_000;
/// How much of the last message an error shows, in characters.
const SHOWN_CHARS: usize = 80;

/// A script and which of its replies were used.
#[derive(Debug)]
pub(crate) struct Script {
    replies: Vec<Reply>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// How often each reply was given.
    times: Vec<u32>,
    /// What each call got: asked again, it gets the same.
    given: BTreeMap<CallId, usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct Reply {
    role: Option<AgentRole>,
    contains: Vec<String>,
    last_contains: Vec<String>,
    turn: Option<u32>,
    attempt: Option<u32>,
    /// 0 is any number.
    times: u32,
    text: String,
    tool_calls: Vec<(String, String)>,
}

impl Script {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            At { path, line: 0 }.error("", format!("the script cannot be read: {error}"))
        })?;
        Self::parse(&text, path)
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        let root = yaml::parse(text).map_err(|broken| {
            At { path, line: broken.line }.error("", format!("not valid YAML: {}", broken.problem))
        })?;
        let top = Fields::of(path, "", &root, &TOP)?;
        let node = top.get("replies").ok_or_else(|| top.missing("replies"))?;
        let Value::List(items) = &node.value else {
            let problem = format!("expected a list, found {}", node.value.what());
            return Err(top.error("replies", node, problem));
        };
        if items.len() > MAX_REPLIES {
            return Err(top.error("replies", node, format!("more than {MAX_REPLIES} replies")));
        }
        let replies: Vec<Reply> = items
            .iter()
            .enumerate()
            .map(|(n, item)| Reply::read(path, &format!("replies[{n}]"), item))
            .collect::<Result<_>>()?;
        let used = Used { times: vec![0; replies.len()], given: BTreeMap::new() };
        Ok(Self { replies, used: Mutex::new(used) })
    }

    /// The reply that fits `request`, marked as used.
    pub(crate) fn ask(
        &self,
        request: &ChatRequest,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> std::result::Result<Answer, Failure> {
        let text = conversation(&request.messages);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let again = used.given.get(&request.call).copied();
        let fits = |(at, reply): &(usize, &Reply)| {
            let left = reply.times == 0 || used.times.get(*at).copied() < Some(reply.times);
            left && reply.fits(request, &text)
        };
        let found = again
            .filter(|at| self.replies.get(*at).is_some_and(|reply| reply.fits(request, &text)))
            .or_else(|| self.replies.iter().enumerate().find(fits).map(|(at, _)| at));
        let Some((at, reply)) = found.and_then(|at| Some((at, self.replies.get(at)?))) else {
            return Err(Failure::new(Trouble::Unscripted, self.complaint(request)));
        };
        if again != Some(at) {
            used.mark(at, &request.call);
        }
        drop(used);
        for word in reply.text.split_inclusive(char::is_whitespace) {
            say(word);
        }
        Ok(reply.answer(&request.call))
    }

    /// Marks the reply that an earlier process got as used.
    pub(crate) fn note_past(&self, call: &CallId, role: AgentRole, message: &Message) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(at, reply): &(usize, &Reply)| {
            let left = reply.times == 0 || used.times.get(*at).copied() < Some(reply.times);
            left && reply.role.is_none_or(|own| own == role)
                && reply.answer(call).message == *message
        };
        let found = self.replies.iter().enumerate().find(is_it).map(|(at, _)| at);
        if let Some(at) = found {
            used.mark(at, call);
        }
    }

    fn complaint(&self, request: &ChatRequest) -> String {
        let last = request.messages.last().map(|m| m.text.as_str()).unwrap_or_default();
        let shown: String = last.chars().take(SHOWN_CHARS).collect();
        format!("the script has no reply left for {} to {shown:?}", request.role)
    }
}

impl Used {
    fn mark(&mut self, at: usize, call: &CallId) {
        if let Some(times) = self.times.get_mut(at) {
            *times = times.saturating_add(1);
        }
        self.given.insert(call.clone(), at);
    }
}

impl Reply {
    fn read(path: &Path, key: &str, node: &Node) -> Result<Self> {
        let fields = Fields::of(path, key, node, &REPLY)?;
        let role = match (fields.get("role"), fields.text("role")?) {
            (Some(node), Some(name)) => Some(
                AgentRole::from_str(name)
                    .map_err(|error| fields.error("role", node, error.to_string()))?,
            ),
            _ => None,
        };
        let small = |name: &str| -> Result<Option<u32>> {
            let number = fields.whole(name, 0.0, 1_000_000.0)?;
            Ok(number.map(|n| u32::try_from(n).unwrap_or(u32::MAX)))
        };
        let text = fields.verbatim("text")?.unwrap_or_default().to_owned();
        let tool_calls = read_calls(&fields)?;
        if text.trim().is_empty() && tool_calls.is_empty() {
            return Err(fields.missing("text"));
        }
        Ok(Self {
            role,
            contains: fields.texts("contains")?,
            last_contains: fields.texts("last_contains")?,
            turn: small("turn")?,
            attempt: small("attempt")?,
            times: small("times")?.unwrap_or(1),
            text,
            tool_calls,
        })
    }

    fn fits(&self, request: &ChatRequest, conversation: &str) -> bool {
        let last = request.messages.last().map(said).unwrap_or_default();
        let n_answers = request.messages.iter().filter(|m| m.speaker == Speaker::Assistant).count();
        let turn = u32::try_from(n_answers + 1).unwrap_or(u32::MAX);
        self.role.is_none_or(|role| role == request.role)
            && self.turn.is_none_or(|wanted| wanted == turn)
            && self.attempt.is_none_or(|wanted| wanted == request.call.attempt)
            && self.contains.iter().all(|part| conversation.contains(part.as_str()))
            && self.last_contains.iter().all(|part| last.contains(part.as_str()))
    }

    fn answer(&self, call: &CallId) -> Answer {
        let tool_calls: Vec<ToolCall> = self
            .tool_calls
            .iter()
            .enumerate()
            .map(|(n, (name, arguments))| ToolCall {
                id: format!("call_{}_{}", call.index, n + 1),
                name: name.clone(),
                arguments: arguments.clone(),
            })
            .collect();
        let finish = if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        let message = Message { tool_calls, ..Message::assistant(self.text.clone()) };
        Answer { message, finish, usage: None, first_token: None }
    }
}

fn read_calls(fields: &Fields<'_>) -> Result<Vec<(String, String)>> {
    let Some(node) = fields.get("tool_calls") else { return Ok(Vec::new()) };
    let Value::List(items) = &node.value else {
        let problem = format!("expected a list, found {}", node.value.what());
        return Err(fields.error("tool_calls", node, problem));
    };
    items
        .iter()
        .enumerate()
        .map(|(n, item)| {
            let key = fields.key(&format!("tool_calls[{n}]"));
            let call = Fields::of(fields.path(), &key, item, &CALL)?;
            let name = call.text("name")?.ok_or_else(|| call.missing("name"))?.to_owned();
            let arguments = match call.get("arguments").map(|node| (node, node.value.to_json())) {
                None => Json::Object(serde_json::Map::new()),
                Some((_, arguments @ Json::Object(_))) => arguments,
                Some((node, _)) => {
                    return Err(call.error("arguments", node, "expected a mapping"));
                }
            };
            Ok((name, arguments.to_string()))
        })
        .collect()
}

/// Everything that was said, for matching.
fn conversation(messages: &[Message]) -> String {
    let each: Vec<String> = messages.iter().map(said).collect();
    each.join("\n")
}

fn said(message: &Message) -> String {
    let mut text = message.text.clone();
    for call in &message.tool_calls {
        text.push_str(&format!("\n{} {}", call.name, call.arguments));
    }
    text
}

/// A script as a model of its own, without router or configuration.
#[derive(Debug)]
pub struct ScriptedModel {
    script: Script,
    facts: ModelFacts,
}

impl ScriptedModel {
    /// Parses a script; `path` is only named in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let facts = ModelFacts {
            model: "script".to_owned(),
            provider: "scripted".to_owned(),
            context_tokens: 128_000,
            max_output_tokens: 16_384,
            tool_calling: ToolCalling::Native,
            json_schema: false,
            local: true,
            scripted: true,
            price: Price::FREE,
        };
        Ok(Self { script: Script::parse(text, path)?, facts })
    }

    /// The same script for a model that acts by text.
    #[must_use]
    pub fn acting_by_text(mut self) -> Self {
        self.facts.tool_calling = ToolCalling::Text;
        self
    }
}

#[async_trait]
impl ChatModel for ScriptedModel {
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse> {
        let answer =
            self.script.ask(request, &mut |text| deltas.text(text)).map_err(|failure| {
                Error::NoAnswer {
                    role: request.role,
                    tried: vec![Tried {
                        model: self.facts.model.clone(),
                        provider: self.facts.provider.clone(),
                        endpoint: String::new(),
                        trouble: failure.trouble,
                        error: failure.message,
                        n_tries: 1,
                    }],
                }
            })?;
        Ok(ChatResponse {
            usage: estimate_usage(request, &answer.message),
            message: answer.message,
            finish: answer.finish,
            model: self.facts.model.clone(),
            provider: self.facts.provider.clone(),
            local: true,
            scripted: true,
            usd: 0.0,
            first_token_ms: None,
            latency_ms: 0,
        })
    }

    fn facts(&self, _: &ChatRequest) -> Result<ModelFacts> {
        Ok(self.facts.clone())
    }
}

#[cfg(test)]
mod tests;
