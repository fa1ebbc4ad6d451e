//! What passes between the program and a model, free of any provider's wire format.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Standing instructions.
    System,
    /// The program on behalf of the person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub speaker: Speaker,
    /// Its text; may be empty when the assistant only calls tools.
    pub text: String,
    /// The tools that the assistant asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// For [`Speaker::Tool`]: which call this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// Standing instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self::plain(Speaker::System, text)
    }

    /// What the program tells the model.
    pub fn user(text: impl Into<String>) -> Self {
        Self::plain(Speaker::User, text)
    }

    /// What the model said, without tool calls.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::plain(Speaker::Assistant, text)
    }

    /// The result of a tool call.
    pub fn tool(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call_id.into()), ..Self::plain(Speaker::Tool, text) }
    }

    fn plain(speaker: Speaker, text: impl Into<String>) -> Self {
        Self { speaker, text: text.into(), tool_calls: Vec::new(), tool_call_id: None }
    }
}

/// A model's wish to call a tool. Nothing in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id for the call, or one that we made where it gives none.
    pub id: String,
    /// The tool's name as the model wrote it.
    pub name: String,
    /// The arguments as the model wrote them; meant to be a JSON object, possibly broken.
    pub arguments: String,
}

/// What a model is told about a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Name, in `snake_case`.
    pub name: String,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// JSON Schema of the arguments: an object, flat where possible.
    pub parameters: Value,
}

/// Tokens of one model call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// The part of `input` that the provider served from its cache.
    #[serde(default)]
    pub cached_input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// True when the provider gave no figures and these were counted by us.
    #[serde(default)]
    pub estimated: bool,
}

impl Usage {
    /// Input plus output.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.cached_input = self.cached_input.saturating_add(other.cached_input);
        self.output = self.output.saturating_add(other.output);
        self.estimated = self.estimated || other.estimated;
    }
}
