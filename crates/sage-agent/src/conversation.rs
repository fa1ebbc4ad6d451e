//! What was said so far between the program and a model.

use std::collections::BTreeSet;

use sage_core::{Message, Speaker};
use sage_model::estimate_tokens;

use crate::context::facts::Facts;

/// A conversation: standing instructions, the task, and the steps since.
///
/// Later tasks continue it ([`Conversation::say`]), so that a repair knows what was tried. Every tool
/// call in it has its answer, so it can be sent at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub(crate) messages: Vec<Message>,
    pub(crate) changed: BTreeSet<String>,
    pub(crate) only_file: Option<String>,
    pub(crate) parts: Parts,
    pub(crate) facts: Facts,
}

/// What the messages that begin a conversation are made of, beside instructions and task: in estimated
/// tokens, for the account of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// Rules, in the system prompt.
    pub rules: u64,
    /// Words of earlier work, in the task.
    pub memory: u64,
    /// Texts and names of files, in the task.
    pub files: u64,
}

impl Parts {
    /// Weighs these parts by their text.
    #[must_use]
    pub fn of(rules: &str, memory: &str, files: &str) -> Self {
        Self {
            rules: estimate_tokens(rules),
            memory: estimate_tokens(memory),
            files: estimate_tokens(files),
        }
    }
}

impl Conversation {
    /// Begins with the system prompt and the first message of the person; neither is ever cut.
    pub fn new(system: impl Into<String>, task: impl Into<String>) -> Self {
        let messages = vec![Message::system(system), Message::user(task)];
        Self {
            messages,
            changed: BTreeSet::new(),
            only_file: None,
            parts: Parts::default(),
            facts: Facts::default(),
        }
    }

    /// Says what its first messages are made of.
    #[must_use]
    pub fn made_of(self, parts: Parts) -> Self {
        Self { parts, ..self }
    }

    /// Says that the task is about this one file: code without a name, in the answer of a model that
    /// has no tools, is then taken for the whole of it.
    #[must_use]
    pub fn about(self, path: impl Into<String>) -> Self {
        Self { only_file: Some(path.into()), ..self }
    }

    /// Tells the model something more.
    pub fn say(&mut self, text: impl Into<String>) {
        self.messages.push(Message::user(text));
    }

    /// Keeps what the person said: unlike other words it is not lost when old steps are cut. To be told to
    /// the model now, it has to be said as well.
    pub fn guide(&mut self, said: &str) {
        self.facts.guide(said);
    }

    /// All messages, oldest first. Old ones may have been cut to fit a model's window.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The files that tool calls of this conversation changed, sorted. A file stays in it when a later
    /// change is undone elsewhere.
    #[must_use]
    pub fn changed(&self) -> &BTreeSet<String> {
        &self.changed
    }

    /// What the model said last, empty when it has said nothing yet.
    #[must_use]
    pub fn last_answer(&self) -> &str {
        let spoken = self.messages.iter().rev().find(|said| said.speaker == Speaker::Assistant);
        spoken.map_or("", |said| said.text.as_str())
    }
}
