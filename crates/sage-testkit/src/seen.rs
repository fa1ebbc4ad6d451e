//! A model call as a server saw it, free of any provider's wire format.

use std::time::Duration;

use sage_core::{AgentRole, Message, Speaker, ToolSpec};
use serde_json::Value;

/// The wire format that a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI's `/v1/chat/completions`.
    ChatCompletions,
    /// OpenAI's `/v1/responses`.
    Responses,
    /// Ollama's `/api/chat`.
    Ollama,
}

/// One model call.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// Position among the model calls of its server, from 0.
    pub index: usize,
    /// When it was complete, since the server's start.
    pub at: Duration,
    /// The wire format.
    pub wire: Wire,
    /// The model that was asked for.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools that were offered.
    pub tools: Vec<ToolSpec>,
    /// The JSON Schema that the answer should follow.
    pub response_schema: Option<Value>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether figures were asked for at the end of a stream.
    pub stream_usage: bool,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// The most tokens to write.
    pub max_output_tokens: Option<u64>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub raw: Value,
    /// Its length.
    pub n_bytes: usize,
}

impl SeenRequest {
    /// The first header of that name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The standing instructions, joined.
    #[must_use]
    pub fn system(&self) -> String {
        self.texts(Speaker::System).collect::<Vec<_>>().join("\n")
    }

    /// The text of the last message.
    #[must_use]
    pub fn last(&self) -> &str {
        self.messages.last().map_or("", |message| message.text.as_str())
    }

    /// Everything that was said, joined.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Whether a tool of that name is offered.
    #[must_use]
    pub fn offers(&self, tool: &str) -> bool {
        self.tools.iter().any(|spec| spec.name == tool)
    }

    /// The role, from a line `role: NAME` in the standing instructions or else in any message.
    #[must_use]
    pub fn role(&self) -> Option<AgentRole> {
        let named = |text: &str| labelled(text, "role").and_then(|name| name.parse().ok());
        named(&self.system()).or_else(|| self.texts(Speaker::User).find_map(named))
    }

    /// The task, from the last line `task: ID` that the program said.
    #[must_use]
    pub fn task(&self) -> Option<String> {
        let named = |text: &str| labelled(text, "task").map(str::to_owned);
        let from_user = self.texts(Speaker::User).filter_map(named).last();
        from_user.or_else(|| named(&self.system()))
    }

    fn texts(&self, speaker: Speaker) -> impl Iterator<Item = &str> {
        self.messages
            .iter()
            .filter(move |message| message.speaker == speaker)
            .map(|message| message.text.as_str())
    }
}

/// The word after `label:` on a line of its own.
fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(label)?.strip_prefix(':')?.trim();
        let word = rest.split([' ', '\t', ',', ';']).next()?.trim_matches(['`', '"', '*']);
        (!word.is_empty()).then_some(word)
    })
}
