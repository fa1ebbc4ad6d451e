//! What a request to a model is made of.

use serde::{Deserialize, Serialize};

/// The sections of one request, in estimated tokens. Together with the model's own count in
/// `model.answered` it tells where a window goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContextUse {
    /// What prompt and answer may have together.
    pub window: u64,
    /// What is kept free for the answer.
    pub answer: u64,
    /// Standing instructions: role, protocol, facts about the project.
    pub system: u64,
    /// The rules of the person and the project.
    #[serde(default)]
    pub rules: u64,
    /// Descriptions of the tools on offer.
    #[serde(default)]
    pub tools: u64,
    /// The task: goal, contract, what is asked for.
    #[serde(default)]
    pub task: u64,
    /// What earlier work left: words of finished tasks, facts kept when steps were cut.
    #[serde(default)]
    pub memory: u64,
    /// Texts and names of files that were put in front of the model.
    #[serde(default)]
    pub files: u64,
    /// What was said and done since.
    #[serde(default)]
    pub history: u64,
    /// What was cut from the conversation to make this request fit.
    #[serde(default)]
    pub cut: u64,
}

impl ContextUse {
    /// The names of the sections of a prompt, in the order of [`Self::sections`].
    pub const SECTIONS: [&'static str; 7] =
        ["system", "rules", "tools", "task", "memory", "files", "history"];

    /// What each section takes, in the order of [`Self::SECTIONS`].
    #[must_use]
    pub const fn sections(&self) -> [u64; 7] {
        [self.system, self.rules, self.tools, self.task, self.memory, self.files, self.history]
    }

    /// The whole prompt.
    #[must_use]
    pub fn prompt(&self) -> u64 {
        self.sections().iter().sum()
    }

    /// What a model reads before the first word that concerns its task.
    #[must_use]
    pub const fn overhead(&self) -> u64 {
        self.system + self.tools
    }
}
